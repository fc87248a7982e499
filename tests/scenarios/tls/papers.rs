//! Certificates of every kind of wrongness, by the site's authority or by another.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rig::proxy::Papers;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ear::Answer;

/// What `wardline-sink init` calls a site's authority.
const SITE: &str = "Wardline site CA";

/// What a certificate may be used for.
#[derive(Clone, Copy)]
pub enum Use {
    Server,
    Client,
}

/// What shall stand in a certificate.
#[derive(Clone, Copy)]
pub struct Paper {
    pub name: &'static str,
    pub host: &'static str,
    /// The years at whose beginnings it begins and ends.
    pub years: (i32, i32),
    pub serial: u64,
    pub usage: Use,
}

impl Default for Paper {
    fn default() -> Self {
        let (name, host, usage) = ("broker", "localhost", Use::Server);
        Self { name, host, years: (2024, 2099), serial: 7, usage }
    }
}

/// A certificate and its key, PEM.
pub struct Own {
    pub certificate: String,
    pub key: String,
}

/// Who signs.
pub struct Authority {
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Paper {
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(vec![self.host.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name);
        params.serial_number = Some(SerialNumber::from(self.serial));
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params.extended_key_usages = vec![match self.usage {
            Use::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Use::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params
    }
}

/// Who vouches for himself alone.
pub fn self_signed(paper: &Paper) -> Own {
    let key = KeyPair::generate().unwrap();
    let certificate = paper.params().self_signed(&key).unwrap();
    Own { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Shows this certificate and asks for none.
pub fn serves(own: &Own) -> Answer {
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Answer::Tls(Arc::new(server))
}

impl Authority {
    /// The site's own.
    pub fn of(papers: &Papers) -> Self {
        let read = |path| fs::read_to_string(path).unwrap();
        let key = KeyPair::from_pem(&read(&papers.ca_key)).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&read(&papers.ca), key).unwrap();
        Self { name: SITE.to_owned(), issuer }
    }

    /// Another one with its own key, whatever its name.
    pub fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = Issuer::new(params, KeyPair::generate().unwrap());
        Self { name: name.to_owned(), issuer }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn sign(&self, paper: &Paper) -> Own {
        let key = KeyPair::generate().unwrap();
        let certificate = paper.params().signed_by(&key, &self.issuer).unwrap();
        Own { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Signs a certificate and shows it.
    pub fn serves(&self, paper: &Paper) -> Answer {
        serves(&self.sign(paper))
    }

    /// A list of revoked certificates, PEM. It has ended: a site may be cut off for longer.
    pub fn revoking(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2025, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}
