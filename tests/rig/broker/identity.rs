//! Who a peer is: TLS 1.3 with mutual authentication, and the common name of its certificate.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::{BrokerConfig, BrokerError};

/// Builds the TLS side of a broker: version 1.3 only, no client without a certificate.
pub(super) fn acceptor(config: &BrokerConfig) -> Result<TlsAcceptor, BrokerError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("client authority", &config.client_ca_pem)? {
        roots.add(authority).map_err(|error| BrokerError::Tls(error.to_string()))?;
    }
    let chain = certificates("broker certificate", &config.certificate_pem)?;
    let key = PrivateKeyDer::from_pem_slice(&config.key_pem)
        .map_err(|error| BrokerError::Pem { what: "broker key", error })?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let lists: Result<Vec<_>, _> =
        CertificateRevocationListDer::pem_slice_iter(&config.client_crl_pem).collect();
    let lists = lists.map_err(|error| BrokerError::Pem { what: "revoked clients", error })?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .with_crls(lists)
            .build()
            .map_err(|error| BrokerError::Tls(error.to_string()))?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| BrokerError::Tls(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| BrokerError::Tls(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// The common name of a certificate that rustls has verified.
///
/// `None` when there is none, or when it could not be one level of a topic: `/`, `+` and `#` in a
/// name would open other people's topics.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    let is_one_level = !name.is_empty() && !name.contains(['/', '+', '#']);
    is_one_level.then(|| name.to_owned())
}

fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| BrokerError::Pem { what, error })
}
