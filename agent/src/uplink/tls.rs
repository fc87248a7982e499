//! TLS 1.3 only, mutual, from the files that provisioning made.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use wire::time::UnixNanos;

use super::dates::{AtFloor, begins};
use crate::clock::floor::Floor;
use crate::config::Broker;
use crate::seal::keep;
use crate::seal::place::{Place, PlaceError};

/// When a certificate expires; `None` if the file holds none.
#[must_use]
pub fn expires(certificate: &Path) -> Option<UnixNanos> {
    let pem = std::fs::read(certificate).ok()?;
    let first = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&first).ok()?;
    let end_s = parsed.validity().not_after.timestamp();
    Some(UnixNanos(end_s.saturating_mul(1_000_000_000)))
}

/// How long a certificate lives as a whole, days.
#[must_use]
pub fn life_days(certificate: &Path) -> Option<i64> {
    let pem = std::fs::read(certificate).ok()?;
    let first = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&first).ok()?;
    let life = parsed.validity();
    Some((life.not_after.timestamp() - life.not_before.timestamp()) / 86_400)
}

/// The key of our certificate; a file that cannot be read is set aside for a new one.
///
/// # Errors
/// A new one cannot be kept, or the key lies in a credential that cannot be used here: no other one
/// is made then.
pub fn key(place: &Place) -> anyhow::Result<rcgen::KeyPair> {
    let loaded = place.load_plain(|bytes| {
        let pem = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        rcgen::KeyPair::from_pem(pem).map_err(|error| error.to_string())
    });
    match loaded {
        Ok(pair) => return Ok(pair),
        Err(PlaceError::File(_) | PlaceError::Bad { .. }) => keep::set_aside(&place.file),
        Err(error) => return Err(error.into()),
    };
    let pair = rcgen::KeyPair::generate()?;
    keep::write(&place.file, pair.serialize_pem().as_bytes())?;
    Ok(pair)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// The authorities in a file.
///
/// # Errors
/// It is missing or holds something else; the message names it.
pub(crate) fn authorities(ca: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&read(ca)?) {
        roots
            .add(authority.map_err(|error| wrong(ca, &error))?)
            .map_err(|error| wrong(ca, &error))?;
    }
    Ok(roots)
}

/// A certificate and what leads to its authority.
type Chain = Vec<CertificateDer<'static>>;

fn certificates(path: &Path) -> io::Result<Chain> {
    let chain: Result<Chain, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    chain.map_err(|error| wrong(path, &error))
}

fn secret(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())
}

/// A certificate with its key.
///
/// # Errors
/// A file is missing or holds something else; the message names it.
pub(crate) fn identity(
    certificate: &Path,
    key: &Path,
) -> io::Result<(Chain, PrivateKeyDer<'static>)> {
    let chain = certificates(certificate)?;
    let secret = secret(&read(key)?).map_err(|error| wrong(key, &error))?;
    Ok((chain, secret))
}

/// The lists of revoked certificates in a file: at least one.
///
/// # Errors
/// It is missing or holds none; the message names it. Nobody is believed then: a list that somebody
/// could take away would be none.
fn revoked(crl: &Path) -> io::Result<Vec<CertificateRevocationListDer<'static>>> {
    let lists: Result<Vec<_>, _> =
        CertificateRevocationListDer::pem_slice_iter(&read(crl)?).collect();
    let lists = lists.map_err(|error| wrong(crl, &error))?;
    if lists.is_empty() {
        return Err(wrong(crl, &"holds no list of revoked certificates"));
    }
    Ok(lists)
}

/// Builds the client side of the connection to the broker. It certainly is as late as our own
/// certificate begins. All files are read anew for each connection. A list of revoked certificates
/// counts beyond its own end: a site that is cut off cannot renew it.
///
/// # Errors
/// A file is missing or holds no PEM, or the credential in its place; the message names it.
pub fn client(broker: &Broker, floor: &Arc<Floor>) -> io::Result<ClientConfig> {
    let roots = Arc::new(authorities(&broker.ca)?);
    let chain = certificates(&broker.certificate)?;
    let key = broker.key.load_plain(secret).map_err(io::Error::other)?;
    if let Some(begins) = chain.first().and_then(begins) {
        floor.at_least(begins);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
    let verifier = match &broker.crl {
        Some(crl) => verifier.with_crls(revoked(crl)?),
        None => verifier,
    };
    let asked = broker.crl.as_ref().unwrap_or(&broker.ca);
    let verifier: Arc<dyn ServerCertVerifier> =
        verifier.build().map_err(|error| wrong(asked, &error))?;
    let verifier = Arc::new(AtFloor::new(verifier, floor.clone()));
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(verifier))
        .and_then(|builder| builder.with_client_auth_cert(chain, key))
        .map_err(|error| wrong(&broker.certificate, &error))
}
