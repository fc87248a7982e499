//! At which date certificates are looked at: at the time floor, and never before they begin, since
//! who signed them knew the time.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use wire::time::UnixNanos;

use crate::clock::floor::Floor;

/// A verifier that is asked at the right date.
#[derive(Debug)]
pub(crate) struct AtFloor<V: ?Sized> {
    floor: Arc<Floor>,
    inner: Arc<V>,
}

/// From when on a certificate is good.
pub(crate) fn begins(certificate: &CertificateDer<'_>) -> Option<UnixNanos> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let begin_s = parsed.validity().not_before.timestamp();
    Some(UnixNanos(begin_s.saturating_mul(1_000_000_000)))
}

impl<V: ?Sized> AtFloor<V> {
    pub(crate) const fn new(inner: Arc<V>, floor: Arc<Floor>) -> Self {
        Self { floor, inner }
    }

    /// The floor, or when the youngest certificate of a chain begins.
    fn date(&self, last: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> UnixTime {
        let begins = chain.iter().chain([last]).filter_map(begins);
        let date = begins.fold(self.floor.now(), std::cmp::Ord::max);
        UnixTime::since_unix_epoch(std::time::Duration::from_nanos(date.0.max(0).unsigned_abs()))
    }
}

impl ServerCertVerifier for AtFloor<dyn ServerCertVerifier> {
    fn verify_server_cert(
        &self,
        last: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.verify_server_cert(last, chain, name, ocsp, self.date(last, chain))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientCertVerifier for AtFloor<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        last: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.inner.verify_client_cert(last, chain, self.date(last, chain))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;

    const NAMES: fn() -> Vec<String> = || vec!["broker".to_owned()];

    fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        (certificate, Issuer::new(params, key))
    }

    fn leaf(by: &Issuer<'_, KeyPair>, years: (i32, i32)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(NAMES()).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_never_too_young_and_an_expiry_is_noticed_at_the_floor() {
        let folder = tempfile::tempdir().unwrap();
        let ((root, ours), (_, theirs)) = (authority(), authority());
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner: Arc<dyn ServerCertVerifier> =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let floor = Floor::below(folder.path());
        let verifier = AtFloor::new(inner, floor.clone());
        let name = ServerName::try_from("broker").unwrap();
        // What a clock that is wrong says, in both directions.
        let looks = |leaf: &CertificateDer<'_>| {
            [0, 4_102_444_800].map(|wall| {
                let wall = UnixTime::since_unix_epoch(std::time::Duration::from_secs(wall));
                verifier.verify_server_cert(leaf, &[], &name, &[], wall).is_ok()
            })
        };
        let (young, good, old) =
            (leaf(&ours, (2040, 2050)), leaf(&ours, (2024, 2030)), leaf(&ours, (2020, 2025)));
        assert_eq!([&young, &good, &old].map(looks), [[true; 2], [true; 2], [false; 2]]);
        assert_eq!(looks(&leaf(&theirs, (2024, 2030))), [false; 2]);
        floor.at_least(begins(&leaf(&ours, (2031, 2040))).unwrap());
        assert_eq!([&young, &good].map(looks), [[true; 2], [false; 2]], "it has expired");
    }
}
