//! How the page is served: over its own TLS, 1.3 only, or for a proxy. A certificate that was
//! renewed on the disk is taken while the page is served.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Server;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

use super::ViewError;

/// Between two looks whether the certificate was renewed.
const LOOK: Duration = Duration::from_secs(60);

/// A connection on which nothing is asked for so long is closed; proxies keep an idle one for 60 s.
const PATIENCE: Duration = Duration::from_secs(75);

/// A certificate and its key.
pub(crate) struct Page {
    files: (PathBuf, PathBuf),
    read: Read,
    config: RustlsConfig,
}

/// What was read: certificate and key, PEM.
type Read = (Vec<u8>, Vec<u8>);

impl Page {
    /// Reads both.
    pub(crate) fn open(files: (PathBuf, PathBuf)) -> Result<Self, ViewError> {
        let read = read(&files).map_err(ViewError::Tls)?;
        let config = RustlsConfig::from_config(understand(&read).map_err(ViewError::Tls)?);
        Ok(Self { files, read, config })
    }

    /// Serves until the system takes the port away.
    pub(crate) async fn serve(self, listener: TcpListener, router: Router) -> std::io::Result<()> {
        let Self { files, read, config } = self;
        let renewing = tokio::spawn(renew(files, read, config.clone()));
        let server = patient(axum_server::from_tcp_rustls(listener.into_std()?, config)?);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let ended = server.serve(service).await;
        renewing.abort();
        ended
    }
}

/// Serves without TLS, for a proxy on this machine.
pub(super) async fn serve_plain(listener: TcpListener, router: Router) -> std::io::Result<()> {
    let server = patient(axum_server::from_tcp(listener.into_std()?)?);
    server.serve(router.into_make_service()).await
}

fn patient<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    server.http_builder().http1().header_read_timeout(PATIENCE);
    server.http1_only().first_request_timeout(PATIENCE)
}

async fn renew(files: (PathBuf, PathBuf), mut known: Read, config: RustlsConfig) {
    loop {
        tokio::time::sleep(LOOK).await;
        let fresh = match read(&files) {
            Ok(fresh) if fresh != known => fresh,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error, "the page's certificate cannot be read; the old one stays");
                continue;
            }
        };
        match understand(&fresh) {
            Ok(read) => {
                config.reload_from_config(read);
                tracing::info!("the page has its renewed certificate");
                known = fresh;
            }
            // Key and certificate may be in the middle of being replaced.
            Err(error) => tracing::warn!(error, "the page keeps its old certificate"),
        }
    }
}

fn read(files: &(PathBuf, PathBuf)) -> Result<Read, String> {
    let of = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok((of(&files.0)?, of(&files.1)?))
}

fn understand((certificate, key): &Read) -> Result<Arc<ServerConfig>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| format!("certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("key: {error}"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: rustls::Error| error.to_string();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
