//! TLS 1.3, mutual, in front of MLLP.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::floor::Floor;
use crate::uplink::dates::AtFloor;
use crate::uplink::tls::{authorities, identity};

/// The files by which both sides prove themselves, PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Our certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the certificates of those who may speak.
    pub ca: PathBuf,
}

impl Tls {
    /// Lets a peer in that proves itself. The files are read each time: a renewed certificate
    /// counts from then on.
    ///
    /// # Errors
    /// A file cannot be used, or the peer proves nothing.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        floor: &Arc<Floor>,
    ) -> io::Result<TlsStream<S>> {
        let roots = Arc::new(authorities(&self.ca)?);
        let (chain, key) = identity(&self.certificate, &self.key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let verifier = verifier.build().map_err(io::Error::other)?;
        let verifier = Arc::new(AtFloor::new(verifier, floor.clone()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map(|builder| builder.with_client_cert_verifier(verifier))
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        TlsAcceptor::from(Arc::new(config)).accept(stream).await
    }
}
