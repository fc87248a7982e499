//! TLS 1.3 only, mutual, from the files that provisioning made.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wire::time::UnixNanos;

use crate::config::Broker;

/// When a certificate expires; `None` if the file holds none.
#[must_use]
pub fn expires(certificate: &Path) -> Option<UnixNanos> {
    let pem = std::fs::read(certificate).ok()?;
    let first = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&first).ok()?;
    let end_s = parsed.validity().not_after.timestamp();
    Some(UnixNanos(end_s.saturating_mul(1_000_000_000)))
}

/// Builds the client side of the connection to the broker.
///
/// # Errors
/// A file is missing or holds no PEM; the message names it.
pub fn client(broker: &Broker) -> io::Result<ClientConfig> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&read(&broker.ca)?) {
        let authority = authority.map_err(|error| wrong(&broker.ca, &error))?;
        roots.add(authority).map_err(|error| wrong(&broker.ca, &error))?;
    }
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(&broker.certificate)?).collect();
    let chain = chain.map_err(|error| wrong(&broker.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&broker.key)?)
        .map_err(|error| wrong(&broker.key, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
        .map_err(|error| wrong(&broker.certificate, &error))
}
