//! The keeper: looks after the keys while the sink runs. What changes in the folder of keys takes
//! effect without a restart; recipient keys follow each other by the calendar.

use std::cell::RefCell;
use std::fs;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use tokio::sync::watch;
use wire::keyring::Keyring;
use wire::time::UnixNanos;

use super::keyring::{self, OwnRecipient};
use super::{retire, shared};
use crate::audit::{self, Act, Deed};
use crate::keys::KeyFolder;
use crate::store::db::{Db, values};

/// Old recipient keys stay so long in any case: a backlog of three days, a backup, a late look.
const KEEP_DAYS: i64 = 35;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Looks after keys.
pub struct Keeper {
    keys: KeyFolder,
    /// Between two generations of recipient keys, days; 0 if only people make them.
    rotate_days: u32,
    keyring: watch::Sender<Vec<u8>>,
    receipt: watch::Sender<SigningKey>,
    /// Why the store's keyring was not taken, as it was said last.
    said: RefCell<String>,
}

/// Where a running sink learns of its keys.
pub struct Kept {
    /// The keyring to publish.
    pub keyring: watch::Receiver<Vec<u8>>,
    /// The key that signs receipts.
    pub receipt: watch::Receiver<SigningKey>,
}

impl Keeper {
    /// Takes what is in the folder.
    ///
    /// # Errors
    /// The keyring or the receipt key is missing.
    pub fn begin(keys: KeyFolder, rotate_days: u32) -> anyhow::Result<(Self, Kept)> {
        let (document, receipt) = (keys.read("keyring.cbor")?, keys.signing("receipt.key")?);
        let (keyring, of_keyring) = watch::channel(document);
        let (receipt, of_receipt) = watch::channel(receipt);
        let kept = Kept { keyring: of_keyring, receipt: of_receipt };
        Ok((Self { keys, rotate_days, keyring, receipt, said: RefCell::default() }, kept))
    }

    /// Looks once; what has changed, in words.
    ///
    /// # Errors
    /// A key cannot be read, made or destroyed. The next look tries again.
    pub fn look(&self, db: &Db, now: UnixNanos) -> anyhow::Result<Vec<String>> {
        let taken = keyring::locked(&self.keys, || Ok(self.take_newer(db)))?;
        if let Some(words) = &taken {
            write(db, words, now)?;
            // At once: whatever comes of the rest, the older one is published no longer.
            self.show(db, now)?;
        }
        let mut done = keyring::locked(&self.keys, || self.follow(db, now))?;
        done.extend(destroy_old(&self.keys, db, now)?);
        for words in &done {
            write(db, words, now)?;
        }
        self.show(db, now)?;
        Ok(taken.into_iter().chain(done).collect())
    }

    /// Takes a newer keyring that another sink has out of its own folder. One that does not hold
    /// here is said once, and ours stays.
    fn take_newer(&self, db: &Db) -> Option<String> {
        let (taken, why) = match shared::take_newer(&self.keys, db) {
            Ok(taken) => (taken, String::new()),
            Err(error) => (None, format!("{error:#}")),
        };
        if !why.is_empty() && *self.said.borrow() != why {
            tracing::error!(error = why, "the store's keyring is not taken");
        }
        *self.said.borrow_mut() = why;
        taken
    }

    /// Lets keys follow whose time has come.
    fn follow(&self, db: &Db, now: UnixNanos) -> anyhow::Result<Vec<String>> {
        let mut done = Vec::new();
        let (_, in_force) = keyring::load(&self.keys)?;
        if self.is_due(&in_force, now)? {
            let version = keyring::rotate_recipients(&self.keys)?;
            done.push(format!("recipient keys follow each other, keyring {version}"));
        }
        if keyring::receipt_key_waits(&self.keys) && retire::who_lacks(db, &in_force)?.is_none() {
            let version = keyring::promote_receipt_key(&self.keys, false)?;
            done.push(format!("the next receipt key signs, keyring {version}"));
        }
        Ok(done)
    }

    /// Whether the newest recipient key is old enough for another one.
    fn is_due(&self, keyring: &Keyring, now: UnixNanos) -> anyhow::Result<bool> {
        if self.rotate_days == 0 || !self.keys.path("fleet.key").exists() {
            return Ok(false);
        }
        let own = keyring::own_recipients(&self.keys, keyring)?;
        let newest = own.iter().filter(|own| own.is_newest);
        let made = newest.map(|own| made_at(&self.keys, own)).collect::<Result<Vec<_>, _>>()?;
        let age = made.iter().max().map_or(0, |made| now.0 - made.0);
        Ok(age > i64::from(self.rotate_days) * DAY_NS)
    }

    /// Gives the running sink what is in the folder now, and the store's history the keyring.
    fn show(&self, db: &Db, now: UnixNanos) -> anyhow::Result<()> {
        let (document, keyring) = keyring::load(&self.keys)?;
        let (root, fleet) = keyring.versions();
        let (root, fleet) = (root.cast_signed(), fleet.cast_signed());
        let known = "SELECT 1 FROM keyring WHERE root_version = ?1 AND fleet_version = ?2";
        if db.row(known, values![root, fleet])?.is_none() {
            let insert = "INSERT INTO keyring VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            db.execute(insert, values![root, fleet, now.0, &document])?;
        }
        let receipt = self.keys.signing("receipt.key")?;
        self.keyring.send_if_modified(|known| {
            let is_new = *known != document;
            *known = document;
            is_new
        });
        self.receipt.send_if_modified(|known| {
            let is_new = known.verifying_key() != receipt.verifying_key();
            *known = receipt;
            is_new
        });
        Ok(())
    }
}

fn write(db: &Db, words: &str, now: UnixNanos) -> anyhow::Result<()> {
    let act = Act { who: "wardline-sink", role: "sink", what: Deed::Keys, object: "", words };
    Ok(audit::write(db, &act, now)?)
}

/// When a recipient key was made.
fn made_at(keys: &KeyFolder, own: &OwnRecipient) -> anyhow::Result<UnixNanos> {
    let path = keys.path(&own.file);
    let made = fs::metadata(&path).and_then(|file| file.modified());
    let made = made.with_context(|| path.display().to_string())?;
    let since = made.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// When a recipient key was followed by the next of its kind.
fn followed_at(
    keys: &KeyFolder,
    own: &OwnRecipient,
    all: &[OwnRecipient],
) -> anyhow::Result<Option<UnixNanos>> {
    let follows = |next: &&OwnRecipient| {
        next.audience == own.audience
            && next.public.suite == own.public.suite
            && next.generation > own.generation
    };
    let made = all.iter().filter(follows).map(|next| made_at(keys, next));
    Ok(made.collect::<anyhow::Result<Vec<_>>>()?.into_iter().min())
}

/// Destroys recipient keys that are old enough and that nothing waits for; in words.
///
/// # Errors
/// The store does not answer, or a file cannot be overwritten.
pub fn destroy_old(keys: &KeyFolder, db: &Db, now: UnixNanos) -> anyhow::Result<Vec<String>> {
    let (_, keyring) = keyring::load(keys)?;
    let mut done = Vec::new();
    let all = keyring::own_recipients(keys, &keyring)?;
    for own in all.iter().filter(|own| !own.is_newest) {
        let followed = followed_at(keys, own, &all)?;
        let is_young = followed.is_none_or(|at| now.0 - at.0 < KEEP_DAYS * DAY_NS);
        let key = own.public.id();
        if is_young || retire::why_kept(db, &keyring, own.audience, key)?.is_some() {
            continue;
        }
        destroy(keys, &own.file)?;
        done.push(format!("recipient key {key} is destroyed: nothing can come under it"));
    }
    Ok(done)
}

/// Overwrites a key's file and takes it away. What a flash medium keeps behind our back stays
/// there: a folder of keys belongs on an encrypted one.
///
/// # Errors
/// As the system says.
pub fn destroy(keys: &KeyFolder, file: &str) -> anyhow::Result<()> {
    let path = keys.path(file);
    let length = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
    let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
    let overwritten = fs::OpenOptions::new().write(true).open(&path).and_then(|mut file| {
        use std::io::Write;
        file.write_all(&zeros)?;
        file.sync_all()
    });
    overwritten.with_context(|| path.display().to_string())?;
    fs::remove_file(&path)?;
    fs::File::open(&keys.0)?.sync_all()?;
    Ok(())
}
