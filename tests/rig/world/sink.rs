//! A sink of the world: the real verification and store, killed between any two of its steps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use cloud_sink::receipt;
use cloud_sink::store::Store;
use cloud_sink::store::commit::{SqlStore, create};
use cloud_sink::store::db::Location;
use cloud_sink::store::query::{StoreRegistry, enroll};
use cloud_sink::verify::Disposed;
use cloud_sink::verify::dispose::Verifier;
use cloud_sink::verify::keyring::Keys;
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Receipt};
use wire::time::UnixNanos;

use super::forger::Forger;
use super::time::START_NS;
use crate::fleet::Fleet;
use crate::store::open_file;

/// Where a sink ends without a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kill {
    /// With a group in its hands.
    BeforeCommit,
    /// After the commit, before anybody knows of it.
    BeforeReceipt,
}

/// Records in one transaction, and verified ahead of it.
const GROUP_MAX: usize = 128;

/// The sink.
pub struct SinkNode {
    path: PathBuf,
    fleet: Fleet,
    gateway: GatewayId,
    parts: Option<(Verifier<StoreRegistry>, SqlStore)>,
    queue: Vec<(GatewayId, Lane, Vec<u8>)>,
    /// Verified in the last step, to be committed in the next: two threads of the real one.
    verified: Vec<Disposed>,
    /// Where it ends when next it has something to do.
    pub kill: Option<Kill>,
    /// It is away until then.
    pub off_until: Duration,
    /// Its disk is full until then: nothing is committed.
    pub full_until: Duration,
    /// Commits so far.
    pub commits: u64,
    has_backup: bool,
}

/// What one step of a sink says to the world.
#[derive(Default)]
pub struct Said {
    /// It has come (back), with this keyring.
    pub keyring: Option<Vec<u8>>,
    /// Receipts.
    pub receipts: Vec<Vec<u8>>,
}

impl SinkNode {
    /// A sink with an empty store that knows one gateway.
    ///
    /// # Errors
    /// The folder takes no store.
    pub fn create(folder: &Path, fleet: Fleet, gateway: GatewayId) -> Result<Self> {
        let path = folder.join("store.sqlite");
        let location = Location::from(path.as_path());
        create(&location, fleet.epoch)?;
        enroll(&location, gateway, &Fleet::signer(gateway).verifying_key())?;
        Ok(Self {
            path,
            fleet,
            gateway,
            parts: None,
            queue: Vec::new(),
            verified: Vec::new(),
            kill: None,
            off_until: Duration::ZERO,
            full_until: Duration::ZERO,
            commits: 0,
            has_backup: false,
        })
    }

    /// Another sink over the same store.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            path: self.path.clone(),
            fleet: self.fleet.copy(),
            gateway: self.gateway,
            parts: None,
            queue: Vec::new(),
            verified: Vec::new(),
            kill: None,
            off_until: self.off_until,
            full_until: self.full_until,
            commits: 0,
            has_backup: false,
        }
    }

    /// Whether it takes records.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.parts.is_some()
    }

    /// Whether there is a copy of the store to be put back.
    #[must_use]
    pub const fn has_backup(&self) -> bool {
        self.has_backup
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What somebody has who stole its receipt key.
    #[must_use]
    pub fn robbed(&self) -> Forger {
        let (key, epoch) = (self.fleet.receipt.clone(), self.fleet.epoch);
        Forger { key, epoch, gateway: self.gateway }
    }

    /// What a receipt of this sink says is stored: segment, first and last index.
    #[must_use]
    pub fn signed_for(&self, receipt: &[u8]) -> Vec<(SegmentId, u32, u32)> {
        let key = self.fleet.receipt.verifying_key();
        let Ok(receipt) = Receipt::verify(receipt, &[key]) else { return Vec::new() };
        let ranges = receipt.segments.into_iter().flat_map(|(segment, ranges)| {
            let kept = ranges.into_iter().filter(|r| r.disposition != Disposition::Refused);
            kept.map(move |range| (segment, range.first, range.last))
        });
        ranges.collect()
    }

    /// A record arrives; without a sink there is nobody to take it.
    pub fn deliver(&mut self, lane: Lane, bytes: Vec<u8>) {
        if self.parts.is_some() {
            self.queue.push((self.gateway, lane, bytes));
        }
    }

    /// Ends without a word.
    pub fn end(&mut self, off_until: Duration) {
        (self.parts, self.off_until, self.kill) = (None, off_until, None);
        self.queue.clear();
        self.verified.clear();
    }

    /// Ends without a word, and may start at once.
    pub fn stop(&mut self) {
        self.end(self.off_until);
    }

    /// Somebody makes a copy of the store.
    ///
    /// # Errors
    /// The files cannot be copied.
    pub fn back_up(&mut self) -> Result<()> {
        self.stop();
        open_file(&self.path)?.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        std::fs::copy(&self.path, self.path.with_extension("backup"))?;
        self.has_backup = true;
        Ok(())
    }

    /// Somebody puts yesterday's copy back, and says so by a new life.
    ///
    /// # Errors
    /// The files cannot be copied.
    pub fn restore(&mut self) -> Result<()> {
        self.has_backup = false;
        self.stop();
        self.fleet = self.fleet.reborn();
        for end in ["sqlite-wal", "sqlite-shm"] {
            let _: std::io::Result<()> = std::fs::remove_file(self.path.with_extension(end));
        }
        std::fs::copy(self.path.with_extension("backup"), &self.path)?;
        let db = open_file(&self.path)?;
        db.execute("UPDATE meta SET value = ?1 WHERE key = 'store_epoch'", [self.fleet.epoch.0])?;
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        let recipients = self.fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
        let location = Location::from(self.path.as_path());
        let registry = StoreRegistry::open(&location)?;
        let mut after = 0;
        loop {
            let held = registry.reopen(after, true)?;
            let Some(last) = held.last() else { break };
            after = last.row;
            self.queue.extend(held.into_iter().map(|held| (held.gateway, held.lane, held.bytes)));
        }
        let verifier = Verifier::new(registry, Keys::new(recipients, self.fleet.store_key));
        self.parts = Some((verifier, SqlStore::open(&location)?));
        Ok(())
    }

    /// Takes what has come, as its two threads do.
    ///
    /// # Errors
    /// The store fails for no reason of the world's.
    pub fn step(&mut self, now: Duration) -> Result<Said> {
        let mut said = Said::default();
        if self.parts.is_none() {
            if now >= self.off_until {
                self.start()?;
                said.keyring = Some(self.fleet.document.clone());
            }
            return Ok(said);
        }
        if now >= self.full_until {
            self.commit(now, &mut said)?;
        }
        if let Some((verifier, _)) = &mut self.parts {
            let room = GROUP_MAX.saturating_sub(self.verified.len()).min(self.queue.len());
            let group = self.queue.drain(..room);
            let verified = group
                .filter_map(|(gateway, lane, bytes)| verifier.dispose(gateway, lane, bytes).ok());
            self.verified.extend(verified);
        }
        Ok(said)
    }

    fn commit(&mut self, now: Duration, said: &mut Said) -> Result<()> {
        let Some((_, store)) = self.parts.as_mut().filter(|_| !self.verified.is_empty()) else {
            return Ok(());
        };
        if self.kill == Some(Kill::BeforeCommit) {
            self.end(now + Duration::from_secs(2));
            return Ok(());
        }
        let verified = std::mem::take(&mut self.verified);
        let committed = store.commit(&verified)?;
        let epoch = store.epoch();
        self.commits += 1;
        if self.kill == Some(Kill::BeforeReceipt) {
            self.end(now + Duration::from_secs(2));
            return Ok(());
        }
        let time = UnixNanos(START_NS + now.as_nanos() as i64);
        let receipts = receipt::sign(&committed, epoch, time, &self.fleet.receipt);
        said.receipts = receipts.into_iter().map(|receipt| receipt.bytes).collect();
        self.queue.extend(committed.parked);
        Ok(())
    }
}
