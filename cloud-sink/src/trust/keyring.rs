//! The keyring: what the fleet key signs of it, and the keys of this sink that stand in it.
//!
//! Order:  a new private key is on the medium before its public half is published, and an old one
//! stays until nothing can come under it.

use std::fs;

use anyhow::{Context, bail, ensure};
use ed25519_dalek::{SigningKey, VerifyingKey};
use wire::keyring::{Audience, FleetPart, Keyring, Roots, join, root_parts};
use wire::seal::{Recipient, RecipientSecret};
use wire::segment::Suite;

use super::certificates::replace;
use crate::keys::{KeyFolder, RECIPIENTS, random, recipient_files, write_secret};

/// The roots of this site.
///
/// # Errors
/// They are not here, or are none.
pub fn roots(keys: &KeyFolder) -> anyhow::Result<Roots> {
    let bytes = match keys.read("roots") {
        Ok(bytes) => bytes,
        // A site that was made before there could be more than one.
        Err(_) => [&[1][..], &keys.read("root.pub")?].concat(),
    };
    Roots::from_bytes(&bytes).context("roots: names too few keys, or none")
}

/// The roots of this site when it was made: all that came since follow from them.
///
/// # Errors
/// They are not here, or are none.
pub fn first_roots(keys: &KeyFolder) -> anyhow::Result<Roots> {
    match keys.read("roots.first") {
        Ok(bytes) => Roots::from_bytes(&bytes).context("roots.first: names too few keys, or none"),
        Err(_) => roots(keys),
    }
}

/// Writes down the roots of this site; the first ones stay beside them.
///
/// # Errors
/// The file cannot be written.
pub fn keep_roots(keys: &KeyFolder, roots: &Roots) -> anyhow::Result<()> {
    if !keys.path("roots.first").exists() && keys.path("keyring.cbor").exists() {
        let first = self::roots(keys).unwrap_or_else(|_| roots.clone());
        replace(keys, "roots.first", &first.to_bytes())?;
    }
    replace(keys, "roots", &roots.to_bytes())
}

/// Does something with the keys while nobody else does.
///
/// # Errors
/// The folder cannot be locked, or what was done fails.
pub fn locked<T>(keys: &KeyFolder, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let path = keys.path(".lock");
    let file = fs::File::create(&path).with_context(|| path.display().to_string())?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    work()
}

/// The keyring in force, with its bytes.
///
/// # Errors
/// It is not here, or not signed by the roots.
pub fn load(keys: &KeyFolder) -> anyhow::Result<(Vec<u8>, Keyring)> {
    let document = keys.read("keyring.cbor")?;
    let keyring = Keyring::verify(&document, &roots(keys)?).context("keyring.cbor")?;
    Ok((document, keyring))
}

/// Signs the fleet's part anew, changed; its new version.
///
/// # Errors
/// The fleet key is not here, or the keyring is none.
pub fn renew(keys: &KeyFolder, change: impl FnOnce(FleetPart) -> FleetPart) -> anyhow::Result<u64> {
    let (document, keyring) = load(keys)?;
    let version = keyring.fleet.version + 1;
    let fleet = FleetPart { version, ..change(keyring.fleet.clone()) };
    let signed = fleet.sign(&fleet_key(keys, &keyring)?);
    let renewed = join(root_parts(&document)?, signed);
    // What nobody would believe never takes the place of what everybody does.
    let checked = Keyring::verify(&renewed, &roots(keys)?).context("the keyring is not renewed")?;
    ensure!(checked.is_newer_than(&keyring), "the keyring is not renewed: it would not be newer");
    replace(keys, "keyring.cbor", &renewed)?;
    Ok(version)
}

/// The fleet key that waits for the root's signature.
pub(super) const FLEET_NEXT: &str = "fleet-next.key";

/// The fleet key that the root names; a promotion that was cut short is finished.
fn fleet_key(keys: &KeyFolder, keyring: &Keyring) -> anyhow::Result<SigningKey> {
    let is_it = |key: &SigningKey| key.verifying_key() == keyring.root.fleet_key;
    if let Ok(key) = keys.signing("fleet.key")
        && is_it(&key)
    {
        return Ok(key);
    }
    match keys.signing(FLEET_NEXT) {
        Ok(key) if is_it(&key) => {
            fs::rename(keys.path(FLEET_NEXT), keys.path("fleet.key"))?;
            fs::File::open(&keys.0)?.sync_all()?;
            Ok(key)
        }
        _ => bail!(
            "neither fleet.key nor {FLEET_NEXT} is the key that the root names: put it back from \
             the backup, or `wardline-sink root request --fleet`"
        ),
    }
}

/// Makes a signing key in the folder.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn make_signing(keys: &KeyFolder, file: &str) -> anyhow::Result<SigningKey> {
    let seed = random()?;
    let path = keys.path(file);
    write_secret(&path, &seed).with_context(|| path.display().to_string())?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Makes a new generation of recipient keys, one of each kind that this sink has.
///
/// # Errors
/// A file cannot be written.
pub fn make_recipients(keys: &KeyFolder) -> anyhow::Result<Vec<(Audience, Recipient)>> {
    let mut made = Vec::new();
    let is_new = !keys.path("keyring.cbor").exists();
    let known = if is_new { Vec::new() } else { load(keys)?.1.fleet.recipients };
    for (audience, suite, name) in RECIPIENTS {
        let files = recipient_files(keys, name)?;
        let newest = files.last().map(|(generation, _)| *generation);
        if newest.is_none() && !is_new {
            // A sink without clinical keys has none to follow.
            continue;
        }
        // One that was made and never came into the keyring is as good as a new one.
        let last = files.last().filter(|(generation, _)| *generation > 1);
        let last = last.map(|(_, file)| public_half(keys, suite, file)).transpose()?;
        if let Some(unused) = last.filter(|last| !known.contains(&(audience, last.clone()))) {
            made.push((audience, unused));
            continue;
        }
        let file = generation_file(name, newest.map_or(1, |newest| newest + 1));
        let (private, public) = RecipientSecret::generate(suite);
        let path = keys.path(&file);
        write_secret(&path, private.as_bytes()).with_context(|| path.display().to_string())?;
        made.push((audience, public));
    }
    Ok(made)
}

/// The first generation has the name alone, later ones their number behind it.
fn generation_file(name: &str, generation: u32) -> String {
    match (generation, name.strip_suffix(".key")) {
        (2.., Some(stem)) => format!("{stem}-{generation}.key"),
        _ => name.to_owned(),
    }
}

/// Recipient keys follow each other: segments are wrapped for the new ones as soon as a gateway has
/// the keyring, and the old ones open what was wrapped before.
///
/// # Errors
/// A key cannot be made, or the keyring cannot be signed.
pub fn rotate_recipients(keys: &KeyFolder) -> anyhow::Result<u64> {
    let made = make_recipients(keys)?;
    if made.is_empty() {
        bail!("{}: holds no recipient key to follow", keys.0.display());
    }
    renew(keys, |fleet| {
        let follows = |(audience, recipient): &(Audience, Recipient)| {
            made.iter().any(|(new, key)| new == audience && key.suite == recipient.suite)
        };
        let kept = fleet.recipients.iter().filter(|old| !follows(old)).cloned();
        let recipients = made.iter().cloned().chain(kept).collect();
        FleetPart { recipients, ..fleet }
    })
}

/// The receipt key that is announced and does not sign yet.
const RECEIPT_NEXT: &str = "receipt-next.key";

/// Announces the next receipt key beside the present one.
///
/// # Errors
/// One is announced already, or the keyring cannot be signed.
pub fn announce_receipt_key(keys: &KeyFolder) -> anyhow::Result<u64> {
    let present = keys.signing("receipt.key")?.verifying_key();
    let next = make_signing(keys, RECEIPT_NEXT)?.verifying_key();
    renew(keys, |fleet| {
        let mut receipt_keys = others(&fleet, keys, &present);
        receipt_keys.extend([present, next]);
        FleetPart { receipt_keys, ..fleet }
    })
}

/// Keys of other sinks in the keyring: neither ours nor one that ours followed.
fn others(fleet: &FleetPart, keys: &KeyFolder, present: &VerifyingKey) -> Vec<VerifyingKey> {
    let before = keys.read("receipt-before.pub").unwrap_or_default();
    let is_ours = |key: &&VerifyingKey| *key == present || key.as_bytes()[..] == before[..];
    fleet.receipt_keys.iter().filter(|key| !is_ours(key)).copied().collect()
}

/// Whether a receipt key is announced.
#[must_use]
pub fn receipt_key_waits(keys: &KeyFolder) -> bool {
    keys.path(RECEIPT_NEXT).exists()
}

/// Lets the announced receipt key sign; the one before stays in the keyring until the next change,
/// unless it was stolen.
///
/// # Errors
/// None is announced, or a file cannot be written.
pub fn promote_receipt_key(keys: &KeyFolder, is_stolen: bool) -> anyhow::Result<u64> {
    let present = keys.signing("receipt.key")?.verifying_key();
    let next = keys.signing(RECEIPT_NEXT)?.verifying_key();
    if !is_stolen && !load(keys)?.1.fleet.receipt_keys.contains(&next) {
        // Made and never announced: a power cut came between.
        return renew(keys, |fleet| {
            let mut receipt_keys = fleet.receipt_keys.clone();
            receipt_keys.push(next);
            FleetPart { receipt_keys, ..fleet }
        });
    }
    let version = renew(keys, |fleet| {
        let others = others(&fleet, keys, &present).into_iter().filter(|key| *key != next);
        let mut receipt_keys: Vec<_> = std::iter::once(next).chain(others).collect();
        receipt_keys.extend((!is_stolen).then_some(present));
        FleetPart { receipt_keys, ..fleet }
    })?;
    replace(keys, "receipt-before.pub", present.as_bytes())?;
    fs::rename(keys.path(RECEIPT_NEXT), keys.path("receipt.key"))?;
    fs::File::open(&keys.0)?.sync_all()?;
    Ok(version)
}

/// Another command key; a gateway takes commands under it as soon as it has the keyring.
///
/// # Errors
/// The key cannot be made, or the keyring cannot be signed.
pub fn rotate_command_key(keys: &KeyFolder) -> anyhow::Result<u64> {
    let _: std::io::Result<()> = fs::remove_file(keys.path("command-next.key"));
    let next = make_signing(keys, "command-next.key")?;
    let version = renew(keys, |fleet| FleetPart { command_key: next.verifying_key(), ..fleet })?;
    fs::rename(keys.path("command-next.key"), keys.path("command.key"))?;
    fs::File::open(&keys.0)?.sync_all()?;
    Ok(version)
}

/// A recipient key of this sink.
#[derive(Clone, Debug)]
pub struct OwnRecipient {
    /// What it opens.
    pub audience: Audience,
    /// Its public half.
    pub public: Recipient,
    /// Its file in the folder of keys.
    pub file: String,
    /// Which of its kind it is, the first one 1.
    pub generation: u32,
    /// Whether the keyring names it: segments are wrapped for it.
    pub is_newest: bool,
}

/// The recipient keys of this sink, with what the keyring says of them.
///
/// # Errors
/// A file is no key.
pub fn own_recipients(keys: &KeyFolder, keyring: &Keyring) -> anyhow::Result<Vec<OwnRecipient>> {
    let mut found = Vec::new();
    for (audience, suite, name) in RECIPIENTS {
        for (generation, file) in recipient_files(keys, name)? {
            let public = public_half(keys, suite, &file)?;
            let listed = |(of, key): &(Audience, Recipient)| *of == audience && *key == public;
            let is_newest = keyring.fleet.recipients.iter().any(listed);
            found.push(OwnRecipient { audience, public, file, generation, is_newest });
        }
    }
    Ok(found)
}

fn public_half(keys: &KeyFolder, suite: Suite, file: &str) -> anyhow::Result<Recipient> {
    let bytes = keys.read(file)?;
    let pair = RecipientSecret::pair_from_bytes(suite, &bytes);
    let (_, public) = pair.with_context(|| format!("{}: is no key", keys.path(file).display()))?;
    Ok(public)
}
