//! The sink's enrolment endpoint, as a gateway asks it: HTTP/1.1 over TLS 1.3.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock::floor::Floor;
use crate::uplink::dates::AtFloor;
use crate::uplink::tls;

/// A grant is some kilobytes; whoever answers with more is no sink.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A sink that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// Believes a server whose certificate leads to an authority of a known hash.
#[derive(Debug)]
struct Pinned([u8; 16]);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        last: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = chain.iter().find(|one| Sha256::digest(one)[..16] == self.0);
        let authority =
            authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(last, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = &provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

fn believing(
    verifier: Arc<dyn ServerCertVerifier>,
    floor: &Arc<Floor>,
) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AtFloor::new(verifier, floor.clone()));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// TLS towards the site whose authority has this hash.
pub(super) fn pinned(authority: [u8; 16], floor: &Arc<Floor>) -> anyhow::Result<ClientConfig> {
    believing(Arc::new(Pinned(authority)), floor)
}

/// TLS towards the site whose authority is in this file.
pub(super) fn of_site(ca: &Path, floor: &Arc<Floor>) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(tls::authorities(ca)?);
    believing(WebPkiServerVerifier::builder_with_provider(roots, provider).build()?, floor)
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Posts JSON; the answer, or why there is none.
pub(super) async fn post(
    address: &str,
    path: &str,
    body: String,
    tls: ClientConfig,
) -> anyhow::Result<String> {
    let asked = tokio::time::timeout(PATIENCE, ask(address, path, body, tls)).await;
    asked.with_context(|| format!("{address} has not answered within {PATIENCE:?}"))?
}

async fn ask(address: &str, path: &str, body: String, tls: ClientConfig) -> anyhow::Result<String> {
    let place: Uri = address.parse().with_context(|| address.to_owned())?;
    let host = place.host().filter(|_| place.scheme_str() == Some("https"));
    let host = host.with_context(|| format!("{address}: the sink is at https://HOST:PORT"))?;
    let port = place.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
    let stream = stream.with_context(|| format!("{address} cannot be reached"))?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
    let stream = stream.with_context(|| format!("{address} is not the site's sink"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    let bytes = bytes.map_err(|error| anyhow::anyhow!("{address}: {error}"))?.to_bytes();
    if status.is_success() {
        return Ok(String::from_utf8(bytes.to_vec())?);
    }
    match serde_json::from_slice::<Refusal>(&bytes) {
        Ok(refusal) => bail!("the sink refuses: {}", refusal.error),
        Err(_) => bail!("the sink answers {status}"),
    }
}
