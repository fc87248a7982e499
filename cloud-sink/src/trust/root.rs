//! What the offline root signs, on its way: the sink asks, each holder of a root key signs without
//! any network, and the sink puts together what has enough signatures.

use anyhow::{Context, bail, ensure};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use wire::keyring::{Audience, FleetPart, Keyring, RootPart, Roots, join, root_parts};
use wire::seal::Recipient;
use wire::segment::Suite;
use wire::signed::signing_key_id;
use wire::time::UnixNanos;
use wire::words;

use super::certificates::replace;
use super::keyring::{self, FLEET_NEXT};
use crate::clock;
use crate::keys::{KeyFolder, hex, unhex};

/// What is asked of the root, as a file; holds no secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    schema: u32,
    version: u64,
    expires_ns: i64,
    fleet_key: String,
    recovery: Vec<Recovery>,
    /// Other roots, if they are to follow.
    successors: Option<Successors>,
}

/// A recovery key, its public half.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    audience: u8,
    suite: u8,
    public: String,
}

/// Root keys, and how many must sign.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Successors {
    needed: u8,
    keys: Vec<String>,
}

/// What a holder has signed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    schema: u32,
    root_part: String,
    succession: Option<String>,
}

fn verifying(text: &str) -> anyhow::Result<VerifyingKey> {
    let bytes = unhex(text).context("a key is not hexadecimal")?;
    VerifyingKey::try_from(bytes.as_slice()).context("a key is no Ed25519 key")
}

/// Public halves of recovery keys, for a request.
#[must_use]
pub fn recovery_of(keys: &[(Audience, Recipient)]) -> Vec<Recovery> {
    let public = |(audience, recipient): &(Audience, Recipient)| Recovery {
        audience: *audience as u8,
        suite: recipient.suite as u8,
        public: hex(&recipient.public),
    };
    keys.iter().map(public).collect()
}

/// What shall be different from now on.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Another fleet key.
    pub fleet: bool,
    /// Other recovery keys.
    pub recovery: Option<Vec<Recovery>>,
    /// Other root keys, hexadecimal, and how many of them must sign.
    pub roots: Option<(Vec<String>, u8)>,
    /// Days until the keyring ends.
    pub days: u32,
}

/// Asks the root for a new part.
///
/// # Errors
/// A key cannot be made, or the keyring is none.
pub fn request(keys: &KeyFolder, change: Change) -> anyhow::Result<Request> {
    let (_, keyring) = keyring::load(keys)?;
    let fleet_key = match (change.fleet, keys.signing(FLEET_NEXT)) {
        (false, _) => keyring.root.fleet_key,
        (true, Ok(waiting)) => waiting.verifying_key(),
        (true, Err(_)) => keyring::make_signing(keys, FLEET_NEXT)?.verifying_key(),
    };
    let successors = change.roots.map(|(keys, needed)| Successors { needed, keys });
    if let Some(successors) = &successors {
        successors.roots()?;
    }
    let day_ns = 86_400 * 1_000_000_000;
    Ok(Request {
        schema: 1,
        version: keyring.root.version + 1,
        expires_ns: clock::now().0 + i64::from(change.days) * day_ns,
        fleet_key: hex(fleet_key.as_bytes()),
        recovery: change.recovery.unwrap_or_else(|| recovery_of(&keyring.root.recovery)),
        successors,
    })
}

impl Successors {
    fn roots(&self) -> anyhow::Result<Roots> {
        let keys: Vec<_> =
            self.keys.iter().map(|key| verifying(key)).collect::<anyhow::Result<_>>()?;
        let needed = usize::from(self.needed);
        ensure!((1..=keys.len()).contains(&needed), "{needed} of {} roots cannot sign", keys.len());
        Ok(Roots { keys, needed })
    }
}

impl Request {
    fn root_part(&self) -> anyhow::Result<RootPart> {
        ensure!(self.schema == 1, "request of schema {}, this program knows 1", self.schema);
        let recovery = self.recovery.iter().map(|recovery| {
            let audience = match recovery.audience {
                0 => Audience::Clinical,
                1 => Audience::Health,
                other => bail!("a recovery key is for audience {other}, which there is not"),
            };
            let suite = Suite::from_number(recovery.suite.into()).context("an unknown suite")?;
            let public = unhex(&recovery.public).context("a recovery key is not hexadecimal")?;
            Ok((audience, Recipient { suite, public }))
        });
        Ok(RootPart {
            version: self.version,
            expires: UnixNanos(self.expires_ns),
            fleet_key: verifying(&self.fleet_key)?,
            recovery: recovery.collect::<anyhow::Result<_>>()?,
        })
    }

    /// What somebody signs who signs this, line by line.
    ///
    /// # Errors
    /// It is no request.
    pub fn words(&self) -> anyhow::Result<Vec<String>> {
        let part = self.root_part()?;
        let fleet = words::of_key(signing_key_id(&part.fleet_key));
        let mut lines = vec![
            format!("version {}, to {}", part.version, clock::words(part.expires.0)),
            format!("fleet key: {fleet}"),
        ];
        for (audience, recovery) in &part.recovery {
            lines.push(format!("recovery key, {audience:?}: {}", words::of_key(recovery.id())));
        }
        if let Some(successors) = &self.successors {
            let roots = successors.roots()?;
            lines.push(format!("root keys from now on, {} must sign:", roots.needed));
            let each = roots.keys.iter().map(|key| words::of_key(signing_key_id(key)));
            lines.extend(each.map(|words| format!("  {words}")));
        }
        Ok(lines)
    }

    /// Signs it, with one root key: of those that are, or of those that follow.
    ///
    /// # Errors
    /// It is no request.
    pub fn sign(&self, key: &SigningKey) -> anyhow::Result<Part> {
        let root_part = hex(&self.root_part()?.sign(key));
        let succession = match &self.successors {
            Some(successors) => Some(hex(&successors.roots()?.sign_as_successors(key))),
            None => None,
        };
        Ok(Part { schema: 1, root_part, succession })
    }
}

/// Puts a keyring together out of what holders have signed, and takes it.
///
/// # Errors
/// Too few have signed; nothing has changed then.
pub fn install(keys: &KeyFolder, parts: &[Part]) -> anyhow::Result<(u64, u64)> {
    let (document, keyring) = keyring::load(keys)?;
    let roots = keyring::roots(keys)?;
    let bytes = |text: &str| unhex(text).context("a part is not hexadecimal");
    // Successions of before stay: gateways that were away for long follow through them.
    let mut signed = successions(&document)?;
    for part in parts {
        ensure!(part.schema == 1, "part of schema {}, this program knows 1", part.schema);
        signed.push(bytes(&part.root_part)?);
        if let Some(succession) = &part.succession {
            signed.push(bytes(succession)?);
        }
    }
    let version = keyring.fleet.version + 1;
    let fleet = FleetPart { version, ..keyring.fleet.clone() };
    let (fresh, promotes) = match try_sign(keys, "fleet.key", &signed, &fleet, &roots) {
        Ok(fresh) => (fresh, false),
        Err(why) => match try_sign(keys, FLEET_NEXT, &signed, &fleet, &roots) {
            Ok(fresh) => (fresh, true),
            Err(_) => return Err(why),
        },
    };
    let (document, fresh) = fresh;
    ensure!(fresh.is_newer_than(&keyring), "this root part is not newer than the one in force");
    replace(keys, "keyring.cbor", &document)?;
    keyring::keep_roots(keys, &roots.after(&document)?)?;
    if promotes {
        std::fs::rename(keys.path(FLEET_NEXT), keys.path("fleet.key"))?;
        std::fs::File::open(&keys.0)?.sync_all()?;
    }
    Ok(fresh.versions())
}

type Fresh = (Vec<u8>, Keyring);

fn try_sign(
    keys: &KeyFolder,
    file: &str,
    signed: &[Vec<u8>],
    fleet: &FleetPart,
    roots: &Roots,
) -> anyhow::Result<Fresh> {
    let document = join(signed.to_vec(), fleet.sign(&keys.signing(file)?));
    let keyring = Keyring::verify(&document, roots)?;
    Ok((document, keyring))
}

/// The parts of a document that name other roots, by which older gateways come to ours.
fn successions(document: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(root_parts(document)?.into_iter().filter(|part| Roots::is_succession(part)).collect())
}
