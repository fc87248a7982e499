//! The certificates of a site, as far as a man in the middle needs them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::clock::floor::Floor;
use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Files of a site.
#[derive(Clone, Debug)]
pub struct Papers {
    /// The site's authority.
    pub ca: PathBuf,
    /// Its key, which makes the proxy's certificate.
    pub ca_key: PathBuf,
    /// The gateway's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Papers {
    /// The side that the gateway sees, under the name `localhost` and an address.
    pub(super) fn acceptor(&self, address: IpAddr) -> Result<TlsAcceptor> {
        let ca = fs::read_to_string(&self.ca).context("the site's authority")?;
        let key = fs::read_to_string(&self.ca_key).context("the authority's key")?;
        let issuer = Issuer::from_ca_cert_pem(&ca, KeyPair::from_pem(&key)?)?;
        let mut params = CertificateParams::new(vec!["localhost".into(), address.to_string()])?;
        params.distinguished_name.push(DnType::CommonName, "broker");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let pair = KeyPair::generate()?;
        let chain = vec![params.signed_by(&pair, &issuer)?.der().clone()];
        let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(anyhow::Error::msg)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(TlsAcceptor::from(Arc::new(server)))
    }

    /// The side that the broker sees: the gateway itself.
    pub(super) fn connector(&self) -> Result<TlsConnector> {
        let broker = agent::config::Broker {
            host: "localhost".into(),
            port: 0,
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone().into(),
            crl: None,
        };
        let floor = Floor::below(self.ca.parent().unwrap_or(Path::new(".")));
        Ok(TlsConnector::from(Arc::new(agent::uplink::tls::client(&broker, &floor)?)))
    }
}
