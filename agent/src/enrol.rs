//! Enrolment: keys are made here and never leave; the sink answers a request with a grant, which a
//! person carries, or which comes over TLS for a one-time token or a signature.

use std::sync::Arc;

use anyhow::{Context, bail};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use wire::enrol::{Endorsement, sign_request};
use wire::hex::{hex, unhex};
use wire::keyring::{Keyring, Roots};

use crate::clock::floor::Floor;
use crate::config::Config;
use crate::seal::keep;
use crate::seal::keyring::{
    has_key, load_keyring, load_roots, load_signing_key, next_key, store, take_enrolled,
};
use crate::uplink::tls;

mod endpoint;

pub mod renew;

pub mod token;

use token::Token;

/// What the gateway asks of the sink; holds no secret.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    /// Version of this structure.
    pub schema: u32,
    /// Name.
    pub gateway: String,
    /// Ed25519 public key, hexadecimal.
    pub signing_key: String,
    /// Certificate request, PEM.
    pub csr: String,
    /// That the key before this one names it as its successor, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsement: Option<String>,
}

/// What the sink answers; holds no secret.
#[derive(Debug, Deserialize, Serialize)]
pub struct Grant {
    /// Version of this structure.
    pub schema: u32,
    /// Name.
    pub gateway: String,
    /// The Ed25519 public key that was enrolled, hexadecimal.
    pub signing_key: String,
    /// Certificate, PEM.
    pub certificate: String,
    /// CA of the site, PEM.
    pub ca: String,
    /// Root keys, hexadecimal.
    pub roots: Vec<String>,
    /// Root signatures that are needed.
    pub roots_needed: u8,
    /// Keyring, hexadecimal.
    pub keyring: String,
    /// Where the certificate is renewed, if the site has an endpoint.
    #[serde(default)]
    pub sink: Option<String>,
}

/// A request for a certificate over the key that this gateway has for TLS.
///
/// # Errors
/// That key cannot be kept.
pub fn request(config: &Config, signing: &SigningKey) -> anyhow::Result<Request> {
    let tls = tls::key(&config.broker.key)?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, config.gateway.as_str());
    Ok(Request {
        schema: 1,
        gateway: config.gateway.to_string(),
        signing_key: hex(signing.verifying_key().as_bytes()),
        csr: params.serialize_request(&tls)?.pem()?,
        endorsement: None,
    })
}

/// A request for the next signing key, which the present one names as its successor.
///
/// # Errors
/// There is no present one, or the next one cannot be kept.
pub fn request_for_successor(config: &Config) -> anyhow::Result<Request> {
    let files = config.key_files();
    let present = load_signing_key(&files.signing())?;
    let next = next_key(&files)?;
    let said = Endorsement { gateway: config.gateway, successor: next.verifying_key() };
    let endorsement = Some(hex(&said.sign(&present)));
    Ok(Request { endorsement, ..request(config, &next)? })
}

/// Whether a grant may bring other roots than those that are pinned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pins {
    /// Only such that follow from the pinned ones: what comes by itself.
    Keep,
    /// The first ones, too, or where none can be read any more: what a person brings.
    First,
    /// A person says so, who has compared their words.
    Replace,
}

/// Takes what the sink has answered. The online sink has no say in which roots are believed. The
/// keyring is on the medium before the roots, and all else before the certificate, so that a power
/// cut leaves what was there before, or the whole.
///
/// # Errors
/// It is no grant, not for this gateway and a key that is here, or by other roots; nothing has
/// changed then.
pub fn install(config: &Config, text: &str, pins: Pins) -> anyhow::Result<()> {
    let grant: Grant = serde_json::from_str(text).context("this is no grant")?;
    if grant.gateway != config.gateway.as_str() {
        bail!("the grant is for gateway {}, this is {}", grant.gateway, config.gateway);
    }
    let files = config.key_files();
    let mut roots = vec![grant.roots_needed];
    for root in &grant.roots {
        let root = unhex(root).filter(|root| root.len() == 32).context("a root key is no key")?;
        roots.extend(root);
    }
    let document = unhex(&grant.keyring).context("the keyring is not hexadecimal")?;
    let roots = Roots::from_bytes(&roots).context("the grant names too few root keys, or none")?;
    let pinned = match load_roots(&files.roots()) {
        Ok(pinned) if Keyring::verify(&document, &pinned).is_ok() => pinned.after(&document)?,
        Err(_) if pins != Pins::Keep => roots,
        _ if pins == Pins::Replace => roots,
        _ => bail!(
            "the grant's keyring is not by this gateway's roots; nothing has changed. If the site \
             has new ones, compare their words and add --new-roots"
        ),
    };
    let keyring = Keyring::verify(&document, &pinned)?;
    let is_ours = |key: &VerifyingKey| hex(key.as_bytes()) == grant.signing_key;
    if !has_key(&files, is_ours) {
        bail!("the grant is for key {}, which is not here: provision again", grant.signing_key);
    }
    let known = load_keyring(&files.keyring(), &pinned).ok();
    if known.is_none_or(|known| keyring.is_newer_than(&known)) {
        store(&files.keyring(), &document)?;
    }
    store(&files.roots(), &pinned.to_bytes())?;
    take_enrolled(&files, is_ours)?;
    if let Some(sink) = &grant.sink {
        keep::store(&files.sink(), sink.as_bytes())?;
    }
    for (path, pem) in
        [(&config.broker.ca, &grant.ca), (&config.broker.certificate, &grant.certificate)]
    {
        if path.is_dir() {
            keep::set_aside(path);
        }
        keep::write(path, pem.as_bytes()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Asks the sink for a grant, with a token.
///
/// # Errors
/// The sink cannot be reached, is not the token's, or refuses; in its words.
pub async fn by_token(
    address: &str,
    token: &Token,
    request: &Request,
    floor: &Arc<Floor>,
) -> anyhow::Result<String> {
    let tls = endpoint::pinned(token.authority, floor)?;
    let request = serde_json::to_string(request)?;
    let body = serde_json::json!({ "token": token.secret, "request": request });
    endpoint::post(address, "/v1/enrol", body.to_string(), tls).await
}

/// Asks the sink for a grant, by the signature of the key that is enrolled.
///
/// # Errors
/// The sink cannot be reached or refuses; in its words.
pub async fn by_key(
    config: &Config,
    address: &str,
    request: &Request,
    floor: &Arc<Floor>,
) -> anyhow::Result<String> {
    let files = config.key_files();
    let key = load_signing_key(&files.signing())?;
    let tls = endpoint::of_site(&config.broker.ca, floor)?;
    let signed = sign_request(serde_json::to_string(request)?.as_bytes(), &key);
    let body = serde_json::json!({ "gateway": config.gateway.as_str(), "signed": hex(&signed) });
    endpoint::post(address, "/v1/renew", body.to_string(), tls).await
}

/// Where this gateway renews its certificate, if the site said so.
#[must_use]
pub fn sink(config: &Config) -> Option<String> {
    let bytes = keep::peek(&config.key_files().sink()).ok()?;
    String::from_utf8(bytes).ok()
}
