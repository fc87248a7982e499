//! The configuration: every key with its unit, default, bounds and reason.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wire::identity::GatewayId;
use wire::segment::Suite;

use crate::buffer::Quota;
use crate::intake::hl7 as messages;
use crate::intake::patients::Naming;
use crate::intake::ports::Port;
use crate::seal::batcher::Intervals;
use crate::seal::keep::{self, Kept};
use crate::seal::keyring::KeyFiles;
use crate::seal::place::Place;

mod file;
mod hl7;
mod onboard;

pub use onboard::{Onboard, SensorKind};

use file::{BrokerSection, BufferSection, File, IntakeSection, SealSection, known_keys};

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway's name.
    pub gateway: GatewayId,
    /// Folder of keys and buffer.
    pub state: PathBuf,
    /// Where systemd gives this process credentials, if it does; no file says it.
    pub credentials: Option<PathBuf>,
    /// Broker.
    pub broker: Broker,
    /// Where devices speak.
    pub ports: Vec<Port>,
    /// Sensors on our own buses.
    pub onboard: Vec<Onboard>,
    /// Where HL7 v2 messages come, and how long they wait for others.
    pub hl7: Vec<(messages::Port, Duration)>,
    /// What becomes of patients' identifiers.
    pub patients: Naming,
    /// Whether devices without a key are taken.
    pub strangers: bool,
    /// What one port may say, bytes a second.
    pub port_rate: NonZeroU64,
    /// Room for the buffer.
    pub quota: Quota,
    /// Longest wait of readings by lane.
    pub intervals: Intervals,
    /// How segment secrets are wrapped.
    pub suite: Suite,
    /// Bytes that may be sent beyond receipts.
    pub window_bytes: usize,
    /// Where metrics are served, if they are wanted.
    pub metrics: Option<SocketAddr>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
}

/// Where the broker is and how it proves itself.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Name or address; the name in its certificate.
    pub host: String,
    /// Port.
    pub port: u16,
    /// CA of the site.
    pub ca: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: Place,
    /// Lists of revoked certificates of brokers; none is looked at without it.
    pub crl: Option<PathBuf>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}; `wardline init` writes one")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a wrong type.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Place and cure.
        message: String,
    },
    /// A value is out of its bounds.
    #[error("{key} = {value}: {cure}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        cure: String,
    },
}

/// The commented file that `wardline init` writes; the documentation of every key.
pub const TEMPLATE: &str = include_str!("config/wardline.toml");

/// The same for an editor: a JSON Schema of the file.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(File)
}

impl Config {
    /// Reads and checks a file. Relative paths count from the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`]; it names the place and the cure.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes =
            keep::read(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        Self::understand(path, &bytes)
    }

    /// The same for a run that nothing may stop: a file that is good is kept beside itself, and
    /// stands in for one that is not. Then the words say what is wrong.
    ///
    /// # Errors
    /// [`ConfigError`] of the file itself, if no good one was kept either.
    pub fn load_to_run(path: &Path) -> Result<Kept<Self>, ConfigError> {
        let read = keep::read(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })
            .and_then(|bytes| Ok((Self::understand(path, &bytes)?, bytes)));
        match read {
            // A file that was cut off may be good as far as it goes, and lead nowhere.
            Ok((value, _)) if value.hears_nobody() && Self::heard_somebody(path) => {
                let words = format!(
                    "the last good configuration is used, since this one names no port: add one, \
                     or remove {}.good and {}.good.2 if nobody is to be heard",
                    path.display(),
                    path.display()
                );
                let value = Self::last_good(path).unwrap_or(value);
                Ok(Kept { value, mended: Some(words) })
            }
            Ok((value, bytes)) => {
                let mended = keep::keep_good(path, &bytes).unwrap_or_else(|error| {
                    Some(format!("the configuration has no good copy to fall back to: {error}"))
                });
                Ok(Kept { value, mended })
            }
            Err(error) => {
                let words = format!(
                    "the last good configuration is used, since this one is wrong: {error}; see \
                     `wardline check`"
                );
                let value = Self::last_good(path).ok_or(error)?;
                Ok(Kept { value, mended: Some(words) })
            }
        }
    }

    const fn hears_nobody(&self) -> bool {
        self.ports.is_empty() && self.onboard.is_empty() && self.hl7.is_empty()
    }

    fn heard_somebody(path: &Path) -> bool {
        Self::last_good(path).is_some_and(|last| !last.hears_nobody())
    }

    /// The last good configuration that was kept beside a file.
    #[must_use]
    pub fn last_good(path: &Path) -> Option<Self> {
        let understand =
            |bytes: &[u8]| Self::understand(path, bytes).map_err(|error| error.to_string());
        keep::last_good(path, understand).ok()
    }

    /// Checks what a file says.
    ///
    /// # Errors
    /// [`ConfigError`]; it names the place and the cure.
    pub fn understand(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        let wrong = |message| ConfigError::Parse { path: path.to_owned(), message };
        let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let file: File = toml::from_str(text).map_err(|error| wrong(explain(&error)))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Config { digest: Sha256::digest(bytes).into(), ..file.check(&folder)? })
    }

    /// The same where systemd may give keys as credentials.
    #[must_use]
    pub fn given(mut self, credentials: Option<PathBuf>) -> Self {
        self.broker.key = Place::new(self.broker.key.file.clone(), credentials.clone());
        Self { credentials, ..self }
    }

    /// Where this gateway's keys lie.
    #[must_use]
    pub fn key_files(&self) -> KeyFiles {
        KeyFiles::below(&self.state).given(self.credentials.clone())
    }
}

/// The parser's message, with the known key that comes nearest to an unknown one.
fn explain(error: &toml::de::Error) -> String {
    let mut message = error.to_string();
    let unknown = error.message().strip_prefix("unknown field `");
    if let Some(unknown) = unknown.and_then(|rest| rest.split('`').next()) {
        let keys = known_keys();
        let near = keys.iter().min_by_key(|key| distance(key, unknown));
        if let Some(near) = near.filter(|key| distance(key, unknown) <= 3) {
            let _: std::fmt::Result = write!(message, "did you mean `{near}`?");
        }
    }
    message
}

/// Edit distance; names are short, so the plain table will do.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (corner + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            corner = above;
        }
    }
    row[b.len()]
}

fn within(
    key: &'static str,
    value: u64,
    bounds: std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Result<u64, ConfigError> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    let cure = format!("holds {} to {} {unit}", bounds.start(), bounds.end());
    Err(ConfigError::Value { key, value: value.to_string(), cure })
}

impl File {
    fn check(mut self, folder: &Path) -> Result<Config, ConfigError> {
        let gateway = GatewayId::new(&self.gateway.id).map_err(|error| ConfigError::Value {
            key: "gateway.id",
            value: self.gateway.id.clone(),
            cure: error.to_string(),
        })?;
        let state = folder.join(&self.gateway.state);
        let strangers = self.intake.strangers;
        let port_kib = within("intake.port_kib_s", self.intake.port_kib_s, 1..=65_536, "KiB")?;
        let onboard = std::mem::take(&mut self.intake.onboard).into_iter();
        let onboard = onboard.map(|section| section.check(gateway)).collect::<Result<_, _>>()?;
        let hl7 = std::mem::take(&mut self.intake.hl7).into_iter();
        let hl7 = hl7.map(|section| section.check(folder, &state)).collect::<Result<_, _>>()?;
        let patients = self.intake.patients;
        let ports = self.intake.ports(folder)?;
        let metrics = self.metrics.map(|section| section.listen);
        if let Some(listen) = metrics.filter(|listen| !listen.ip().is_loopback()) {
            let cure = "holds an address of this machine only, as 127.0.0.1:9779".into();
            return Err(ConfigError::Value {
                key: "metrics.listen",
                value: listen.to_string(),
                cure,
            });
        }
        let window = within("seal.window_kib", self.seal.window_kib, 256..=65_536, "KiB")?;
        Ok(Config {
            gateway,
            broker: self.broker.check(folder, &state)?,
            ports,
            onboard,
            hl7,
            patients,
            strangers,
            port_rate: NonZeroU64::new(port_kib * 1024).unwrap_or(NonZeroU64::MIN),
            quota: self.buffer.quota()?,
            intervals: self.seal.intervals()?,
            suite: self.seal.suite()?,
            window_bytes: (window * 1024) as usize,
            metrics,
            state,
            credentials: None,
            digest: [0; 32],
        })
    }
}

impl BrokerSection {
    fn check(self, folder: &Path, state: &Path) -> Result<Broker, ConfigError> {
        if self.host.is_empty() {
            let cure = "holds the name in the broker's certificate".into();
            return Err(ConfigError::Value { key: "broker.host", value: self.host, cure });
        }
        let path = |given: Option<PathBuf>, name: &str| match given {
            Some(path) => folder.join(path),
            None => state.join("keys").join(name),
        };
        Ok(Broker {
            host: self.host,
            port: self.port,
            ca: path(self.ca, "ca.pem"),
            certificate: path(self.certificate, "gateway.pem"),
            key: path(self.key, "gateway-tls.key").into(),
            crl: self.crl.map(|crl| folder.join(crl)),
        })
    }
}

impl IntakeSection {
    fn ports(self, folder: &Path) -> Result<Vec<Port>, ConfigError> {
        let mut ports = Vec::new();
        for serial in self.serial {
            let baud = within("intake.serial.baud", serial.baud.into(), 300..=4_000_000, "baud")?;
            ports.push(Port::Serial { path: folder.join(serial.path), baud: baud as u32 });
        }
        ports.extend(self.unix.into_iter().map(|path| Port::Unix(folder.join(path))));
        ports.extend(self.tcp.into_iter().map(Port::Tcp));
        Ok(ports)
    }
}

impl BufferSection {
    fn quota(&self) -> Result<Quota, ConfigError> {
        let quota = within("buffer.quota_mib", self.quota_mib, 8..=16_777_216, "MiB")?;
        let free = within("buffer.free_mib", self.free_mib, 0..=1_048_576, "MiB")?;
        let keep = within("buffer.keep_hours", self.keep_hours, 0..=8760, "hours")?;
        Ok(Quota { bytes_max: quota << 20, free_bytes_min: free << 20, keep_seconds: keep * 3600 })
    }
}

impl SealSection {
    fn intervals(&self) -> Result<Intervals, ConfigError> {
        let ms = |key, value| within(key, value, 10..=60_000, "ms").map(Duration::from_millis);
        Ok([
            ms("seal.alert_ms", self.alert_ms)?,
            ms("seal.vital_ms", self.vital_ms)?,
            ms("seal.wave_ms", self.wave_ms)?,
            ms("seal.health_ms", self.health_ms)?,
        ])
    }

    fn suite(&self) -> Result<Suite, ConfigError> {
        match self.suite.as_str() {
            "x-wing" => Ok(Suite::XWing),
            "x25519" => Ok(Suite::X25519),
            _ => Err(ConfigError::Value {
                key: "seal.suite",
                value: self.suite.clone(),
                cure: "holds \"x-wing\" or \"x25519\"".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_configuration_is_valid_and_an_unknown_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardline.toml");
        let text = TEMPLATE.replace("@GATEWAY@", "gw-1").replace("@HOST@", "localhost");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Config::load(&path).unwrap().gateway.as_str(), "gw-1");

        std::fs::write(&path, text.replace("tcp = []", "tcp = [\"127.0.0.1:9\"]")).unwrap();
        assert!(Config::load_to_run(&path).unwrap().mended.is_none());
        std::fs::write(&path, &text).unwrap();
        let cut_off = Config::load_to_run(&path).unwrap();
        assert!(cut_off.value.ports.len() == 1 && cut_off.mended.is_some(), "nobody is heard");

        std::fs::write(&path, text.replace("quota_mib", "quota_mb")).unwrap();
        let message = Config::load(&path).unwrap_err().to_string();
        assert!(message.contains("did you mean `quota_mib`?"), "{message}");

        std::fs::write(&path, text.replace("keep_hours = 72", "keep_hours = 9999")).unwrap();
        let message = Config::load(&path).unwrap_err().to_string();
        assert!(message.contains("0 to 8760 hours"), "{message}");
    }
}
