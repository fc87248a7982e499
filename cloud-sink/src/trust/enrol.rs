//! Enrolment: a gateway's request becomes a grant, if somebody vouches for it: a person who has
//! compared the words, a one-time token, or a key of the gateway that is enrolled.

use anyhow::{Context, bail};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use wire::enrol::{Endorsement, verify_request};
use wire::identity::GatewayId;
use wire::signed::signing_key_id;
use wire::time::UnixNanos;
use wire::words;

use super::registry::why_revoked;
use super::{certificates, keyring, token};
use crate::inventory;
use crate::keys::{KeyFolder, hex, unhex};
use crate::limits::KEYS_MAX;
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::query::{self, Enrolment};

/// What a gateway asks for; the same fields as the agent writes.
#[derive(Debug, Deserialize)]
pub struct Request {
    schema: u32,
    gateway: String,
    signing_key: String,
    csr: String,
    /// That the key before this one names it as its successor, hexadecimal.
    #[serde(default)]
    endorsement: Option<String>,
}

/// What it is answered; holds no secret.
#[derive(Debug, Serialize)]
pub struct Grant {
    schema: u32,
    gateway: String,
    signing_key: String,
    certificate: String,
    ca: String,
    roots: Vec<String>,
    roots_needed: u8,
    keyring: String,
    /// Where the gateway renews its certificate by itself.
    sink: Option<String>,
}

/// Who vouches for a request.
#[derive(Clone, Copy, Debug)]
pub enum Voucher<'a> {
    /// A person, who may say that it is the same gateway although it lost its key.
    Person {
        /// Whether they have said so.
        another_key: bool,
    },
    /// Whoever holds a token that a person has made.
    Token(&'a str),
    /// A key that is enrolled has signed the request.
    Key,
}

/// A site's keys, and where gateways find its endpoint.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its folder of keys.
    pub keys: KeyFolder,
    /// Address of its enrolment endpoint, if it has one.
    pub endpoint: Option<String>,
}

/// A request that was granted.
#[derive(Debug)]
pub struct Granted {
    /// Who.
    pub gateway: GatewayId,
    /// Its key, in words for people.
    pub words: String,
    /// Its key's id.
    pub key: String,
    /// What it gets, JSON.
    pub grant: String,
}

fn parse_key(text: &str) -> anyhow::Result<VerifyingKey> {
    let bytes = unhex(text).filter(|bytes| bytes.len() == 32);
    let bytes = bytes.context("the request's key is not 64 hexadecimal digits")?;
    VerifyingKey::try_from(bytes.as_slice()).context("the request's key is no Ed25519 key")
}

/// Grants what a gateway asks for, inside a transaction of commits.
///
/// # Errors
/// The request is none, or nobody vouches for it; nothing has changed then.
pub fn grant(
    site: &Site,
    db: &Db,
    text: &str,
    voucher: Voucher<'_>,
    now: UnixNanos,
) -> anyhow::Result<Granted> {
    let request: Request = serde_json::from_str(text).context("this is no request")?;
    if request.schema != 1 {
        bail!("request of schema {}, this program knows 1", request.schema);
    }
    let gateway = GatewayId::new(&request.gateway)?;
    let key = parse_key(&request.signing_key)?;
    if let Some(why) = why_revoked(db, gateway.as_str())? {
        bail!(
            "gateway {gateway} is revoked ({why}); enrol it under another name, or take that back"
        );
    }
    let (ward, may_add) = match voucher {
        Voucher::Token(secret) => {
            let spent = token::spend(db, secret, (gateway, &key), now)?;
            (spent.ward, spent.another_key)
        }
        Voucher::Person { another_key } => (None, another_key),
        Voucher::Key => (None, false),
    };
    admit(db, (gateway, &key), &request, may_add, now)?;
    if ward.is_some() {
        inventory::place(db, gateway.as_str(), ward.as_deref())?;
    }
    let issued = certificates::answer(&site.keys, gateway, &request.csr, now)?;
    certificates::note(db, gateway, &issued)?;
    let roots = keyring::roots(&site.keys)?;
    let grant = Grant {
        schema: 1,
        gateway: gateway.to_string(),
        signing_key: hex(key.as_bytes()),
        certificate: issued.pem,
        ca: String::from_utf8(site.keys.read("ca.pem")?)?,
        roots: roots.keys.iter().map(|root| hex(root.as_bytes())).collect(),
        roots_needed: u8::try_from(roots.needed).context("more roots than fit")?,
        keyring: hex(&site.keys.read("keyring.cbor")?),
        sink: site.endpoint.clone(),
    };
    let id = signing_key_id(&key);
    let grant = serde_json::to_string_pretty(&grant)?;
    Ok(Granted { gateway, words: words::of_key(id), key: id.to_string(), grant })
}

/// Takes the key of a request as one of the gateway's.
fn admit(
    db: &Db,
    (gateway, key): (GatewayId, &VerifyingKey),
    request: &Request,
    may_add: bool,
    now: UnixNanos,
) -> anyhow::Result<()> {
    let endorser = endorser(db, gateway, key, request)?;
    let taken = match (query::enroll_key(db, gateway, key)?, may_add || endorser.is_some()) {
        (Enrolment::Known, _) => true,
        (Enrolment::Another, true) => query::add_key(db, gateway, key)?,
        (Enrolment::Another, false) => false,
    };
    if !taken {
        bail!(
            "gateway {gateway} is enrolled with another key; if this is the same gateway and it \
             lost its key, compare the key id {} with what it shows, and add --new-key (at most \
             {KEYS_MAX} keys)",
            signing_key_id(key)
        );
    }
    if let Some(before) = endorser {
        retire(db, gateway, &before, key, now)?;
    }
    Ok(())
}

/// The enrolled key that names this one as its successor, if the request says so.
fn endorser(
    db: &Db,
    gateway: GatewayId,
    key: &VerifyingKey,
    request: &Request,
) -> anyhow::Result<Option<VerifyingKey>> {
    let Some(said) = &request.endorsement else { return Ok(None) };
    let said = unhex(said).context("the endorsement is not hexadecimal")?;
    for known in query::keys_that_speak(db, gateway)? {
        if let Ok(endorsement) = Endorsement::verify(&said, &known)
            && endorsement == (Endorsement { gateway, successor: *key })
            && known != *key
        {
            return Ok(Some(known));
        }
    }
    bail!("the endorsement is by no key of {gateway} that is enrolled and has no successor")
}

/// From the first record under its successor on, a key speaks no more.
fn retire(
    db: &Db,
    gateway: GatewayId,
    before: &VerifyingKey,
    successor: &VerifyingKey,
    now: UnixNanos,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO key_end (gateway, signing_key, successor, at_ns)
                  SELECT id, ?2, ?3, CAST(?4 AS BIGINT) FROM gateway WHERE name = ?1
                  ON CONFLICT (gateway, signing_key) DO UPDATE
                  SET successor = excluded.successor, at_ns = excluded.at_ns
                  WHERE key_end.start_count IS NULL";
    let (before, successor) = (before.to_bytes(), successor.to_bytes());
    db.execute(insert, values![gateway.as_str(), before, successor, now.0])?;
    Ok(())
}

/// The request that an enrolled key of a gateway has signed.
///
/// # Errors
/// It is none, or by no key of that gateway.
pub fn signed_request(db: &Db, gateway: &str, signed: &[u8]) -> anyhow::Result<String> {
    let gateway = GatewayId::new(gateway)?;
    for key in query::keys_that_speak(db, gateway)? {
        if let Ok(request) = verify_request(signed, &key) {
            let text = String::from_utf8(request.to_vec())?;
            let asked: Request = serde_json::from_str(&text).context("this is no request")?;
            if asked.gateway != gateway.as_str() {
                bail!("{gateway} asks in the name of {}", asked.gateway);
            }
            return Ok(text);
        }
    }
    bail!(
        "no key of {gateway} that is enrolled has signed this request: carry one by hand, \
         `wardline provision`, then `wardline-sink enroll --new-key`"
    )
}
