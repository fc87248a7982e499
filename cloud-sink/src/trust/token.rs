//! One-time tokens: whoever holds one may enrol one gateway, once, until a date.
//!
//! Shape:  `wl1-SECRET-AUTHORITY`, both 32 hexadecimal digits: 128 random bits, and the first half
//! of the SHA-256 of the site's CA certificate, by which the gateway knows whom it speaks with. The
//! store holds a digest of the secret.

use anyhow::{Context, bail};
use ed25519_dalek::VerifyingKey;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use wire::identity::GatewayId;
use wire::time::UnixNanos;

use crate::keys::{KeyFolder, hex, random};
use crate::store::db::{Db, values};

/// A token is good for so long, unless a person says otherwise, days.
pub const DAYS: u32 = 14;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The first half of the hash of a site's authority.
fn authority(keys: &KeyFolder) -> anyhow::Result<String> {
    let pem = keys.read("ca.pem")?;
    let der = CertificateDer::from_pem_slice(&pem).context("ca.pem holds no certificate")?;
    Ok(hex(&Sha256::digest(&der)[..16]))
}

/// For whom a token is, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The gateway.
    pub gateway: GatewayId,
    /// The ward in which it will stand.
    pub ward: Option<&'a str>,
    /// Days until it is worth nothing.
    pub days: u32,
    /// Whether it may add a key to a gateway that has one: it lost its own.
    pub another_key: bool,
}

/// Makes a token; only its holder knows it.
///
/// # Errors
/// The store does not answer, or there is no CA.
pub fn make(
    keys: &KeyFolder,
    db: &Db,
    wanted: Wanted<'_>,
    now: UnixNanos,
) -> anyhow::Result<String> {
    let secret = hex(&random()?[..16]);
    let expires = now.0 + i64::from(wanted.days) * DAY_NS;
    let insert = "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
    let Wanted { gateway, ward, another_key, .. } = wanted;
    let another = i64::from(another_key);
    db.execute(insert, values![digest(&secret), gateway.as_str(), ward, expires, another])?;
    Ok(format!("wl1-{secret}-{}", authority(keys)?))
}

/// Whether there is such a token.
pub(super) fn is_known(db: &Db, secret: &str) -> anyhow::Result<bool> {
    let sql = "SELECT 1 FROM token WHERE digest = ?1";
    Ok(db.row(sql, values![digest(secret)])?.is_some())
}

/// What a token was made for.
#[derive(Debug)]
pub(super) struct Spent {
    pub ward: Option<String>,
    pub another_key: bool,
}

/// Takes a token for one key, and says for which ward it was made. The same key may show it again:
/// the answer may have been lost.
pub(super) fn spend(
    db: &Db,
    secret: &str,
    (gateway, key): (GatewayId, &VerifyingKey),
    now: UnixNanos,
) -> anyhow::Result<Spent> {
    let sql = "SELECT gateway, ward, expires_ns, used_by, another_key FROM token
               WHERE digest = ?1";
    let row = db.row(sql, values![digest(secret)])?;
    let row =
        row.context("there is no such token; make one with `wardline-sink enroll --token`")?;
    let (of, expires): (String, i64) = (row.at(0)?, row.at(2)?);
    let used_by: Option<Vec<u8>> = row.at(3)?;
    if of != gateway.as_str() {
        bail!("the token is for gateway {of}, not for {gateway}");
    }
    if used_by.is_some_and(|other| other != key.as_bytes()) {
        bail!("the token was used, for another key; if nobody of yours did that, call security");
    }
    if expires < now.0 {
        bail!("the token has expired; make another with `wardline-sink enroll --token {gateway}`");
    }
    let update = "UPDATE token SET used_by = ?2 WHERE digest = ?1";
    db.execute(update, values![digest(secret), key.to_bytes()])?;
    db.execute("DELETE FROM token WHERE expires_ns < ?1", values![now.0])?;
    // One that nobody has used must not let another one in later.
    let others = "DELETE FROM token WHERE gateway = ?1 AND used_by IS NULL";
    db.execute(others, values![gateway.as_str()])?;
    Ok(Spent { ward: row.at(1)?, another_key: row.at::<i64>(4)? != 0 })
}
