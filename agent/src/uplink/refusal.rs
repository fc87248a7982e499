//! Why a handshake failed, in words that say what to do.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

const NO_TLS_1_3: &str = "the broker offers no TLS 1.3: raise its version";
const NO_TLS: &str = "the broker speaks no TLS at this port: compare `broker.port`";
const STRANGER: &str =
    "another authority has signed the broker's certificate: compare `broker.ca` with the site's";
const NAME: &str = "the broker's certificate names another host: `broker.host` must stand in it";
const EXPIRED: &str = "the broker's certificate has expired: give the broker a new one";
const REVOKED: &str = "the broker's certificate is revoked: give the broker a new one";
const UNLISTED: &str = "`broker.crl` has no list of who signed the broker's certificate: renew it";
const WRONG: &str = "the broker's certificate does not hold: give the broker a new one";
const REFUSED: &str =
    "the broker refuses our certificate: `wardline provision`, then `wardline-sink enroll`";

/// The words for the end of a connection; `None` if it was no matter of TLS.
pub(super) fn words(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let Some(error) = tls_error(error) else { return of_text(&error.to_string()) };
    match error {
        rustls::Error::InvalidCertificate(wrong) => Some(of_certificate(wrong)),
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::PeerIncompatible(_) => Some(NO_TLS_1_3),
        rustls::Error::InvalidMessage(_) => Some(NO_TLS),
        _ => None,
    }
}

/// The alert in a text: what comes after the handshake reaches us as one.
fn of_text(text: &str) -> Option<&'static str> {
    let (_, alert) = text.split_once("received fatal alert: ")?;
    ALERTS.iter().find(|known| alert.starts_with(&format!("{known:?}"))).copied().and_then(of_alert)
}

const ALERTS: [AlertDescription; 11] = [
    AlertDescription::ProtocolVersion,
    AlertDescription::HandshakeFailure,
    AlertDescription::UnknownCA,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRequired,
    AlertDescription::AccessDenied,
    AlertDescription::DecryptError,
];

/// What TLS said, however it was wrapped on its way.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error hides what it was made of from `source`.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| inside.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn of_certificate(wrong: &CertificateError) -> &'static str {
    use CertificateError as Wrong;
    match wrong {
        // A namesake of our authority gives a signature that does not fit.
        Wrong::UnknownIssuer | Wrong::BadSignature => STRANGER,
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => NAME,
        Wrong::Expired | Wrong::ExpiredContext { .. } => EXPIRED,
        Wrong::Revoked => REVOKED,
        Wrong::UnknownRevocationStatus => UNLISTED,
        _ => WRONG,
    }
}

fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion | Alert::HandshakeFailure => Some(NO_TLS_1_3),
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::CertificateUnknown
        | Alert::UnsupportedCertificate
        | Alert::CertificateRequired
        | Alert::AccessDenied
        | Alert::DecryptError => Some(REFUSED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tls_says_is_found_inside_an_io_error_and_translated() {
        let inside = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, inside);

        assert_eq!(words(&wrapped), Some(REVOKED));
        assert_eq!(words(&io::Error::other("the line is cut")), None);
        let later = io::Error::other("MQTT: IO: received fatal alert: CertificateExpired");
        assert_eq!(words(&later), Some(REFUSED));
    }
}
