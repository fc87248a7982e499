//! Where HL7 v2 messages come, as it is configured.

use std::path::Path;
use std::time::Duration;

use super::file::Hl7Section;
use super::{ConfigError, within};
use crate::intake::hl7::{Port, Tls};

impl Hl7Section {
    /// Checks what was configured; the port, and how long messages wait for others.
    pub(super) fn check(
        self,
        folder: &Path,
        state: &Path,
    ) -> Result<(Port, Duration), ConfigError> {
        let listen = self.listen;
        let gather = within("intake.hl7.gather_ms", self.gather_ms, 0..=1_000, "ms")?;
        if self.plain && listen.ip().is_unspecified() {
            let cure = "without TLS, holds one address of this machine on the devices' side";
            let (value, cure) = (listen.to_string(), cure.to_owned());
            return Err(ConfigError::Value { key: "intake.hl7.listen", value, cure });
        }
        let names_files = self.certificate.is_some() || self.key.is_some() || self.ca.is_some();
        if self.plain && names_files {
            let cure = "a port without TLS has no certificate: remove one or the other";
            let (value, cure) = ("true".to_owned(), cure.to_owned());
            return Err(ConfigError::Value { key: "intake.hl7.plain", value, cure });
        }
        let is_plain = self.plain || listen.ip().is_loopback() && !names_files;
        let ca = self.ca.map_or_else(|| state.join("keys/ca.pem"), |ca| folder.join(ca));
        let tls = match (is_plain, self.certificate, self.key) {
            (true, ..) => None,
            (false, Some(certificate), Some(key)) => {
                Some(Tls { certificate: folder.join(certificate), key: folder.join(key), ca })
            }
            // The gateway's own is for the broker, as a client: no sender could verify it.
            (false, ..) => {
                let cure = "beside loopback, needs `certificate` and `key` for the name by which \
                            senders call, or plain = true";
                let (value, cure) = (listen.to_string(), cure.to_owned());
                return Err(ConfigError::Value { key: "intake.hl7.listen", value, cure });
            }
        };
        Ok((Port { listen, tls }, Duration::from_millis(gather)))
    }
}
