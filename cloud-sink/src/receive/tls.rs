//! TLS 1.3 only, mutual, from the files that `init` made.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::keys::KeyFolder;

/// Builds the client side of the connection to the broker.
///
/// # Errors
/// A file is missing or holds no PEM; the message names it.
pub fn client(keys: &KeyFolder) -> anyhow::Result<ClientConfig> {
    towards(keys, &keys.path("ca.pem"))
}

/// The same towards somebody whose certificate another authority has signed.
///
/// # Errors
/// A file is missing or holds no PEM; the message names it.
pub fn towards(keys: &KeyFolder, ca: &Path) -> anyhow::Result<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let place = || ca.display().to_string();
    for authority in CertificateDer::pem_slice_iter(&std::fs::read(ca).with_context(place)?) {
        roots.add(authority.with_context(place)?).with_context(place)?;
    }
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&keys.read("sink.pem")?).collect();
    let key = PrivateKeyDer::from_pem_slice(&keys.read("sink-tls.key")?).context("sink-tls.key")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.context("sink.pem")?, key)?)
}
