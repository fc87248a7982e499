//! The gateway's own audit trail: what happened to it, signed entry after entry.
//!
//! Order:  an entry is durable before it is shipped on the health lane; one whose writing failed is
//! written again, the same bytes. The chain goes on from the last whole entry, and after each start
//! the newest entries are shipped once more: the sink ignores what it has.
//! Bound:  the files keep the newest entries. Kinds that may come in storms are written once an
//! hour each, with a count. While the medium refuses, so many wait, and the rest is counted.
//!
//! Nothing in it says anything of a patient, and it lies on the medium as it is: an erasure, which
//! destroys the medium's key, leaves it whole.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use ed25519_dalek::SigningKey;
use wire::audit::{AuditEntry, AuditKind, BEGIN, entry_hash};
use wire::identity::{BootId, GatewayId};
use wire::time::{ClockState, MonotonicNanos, UnixNanos};

mod begun;
mod command;
mod files;
mod pace;
mod pen;
mod spool;

pub use begun::Begun;
pub use command::{leave, write_down};
pub use files::{Kept, read};
pub use pen::Pen;

use crate::buffer::disk::{Disk, Folder, Lock};
use crate::seal::keep;
use files::Files;
use pace::Pace;

/// Folder of the trail in the state folder.
pub const FOLDER: &str = "audit";
/// Where commands leave what they have done, for the agent.
pub const SPOOL: &str = "audit.spool";

/// What may wait for a medium that refuses.
const WAITING_MAX: usize = 64;
/// Entries that go into one batch of the health lane: 16 KiB at the most.
const AT_ONCE: usize = 16;
/// Entries that are shipped once more after a start: more than a power cut leaves in doubt.
const NEWEST: usize = 32;
/// Entries that are shipped once more when the lane has lost some of its records.
const NEWEST_AGAIN: usize = 256;
/// Between two attempts on a medium that refuses.
const RETRY_NANOS: u64 = 10_000_000_000;
/// Between two looks for what commands have left.
const LOOK_NANOS: u64 = 2_000_000_000;

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deed {
    /// What.
    pub kind: AuditKind,
    /// With which version, key, device or file.
    pub object: String,
    /// In words.
    pub words: String,
}

impl Deed {
    /// Something of a kind.
    #[must_use]
    pub fn new(kind: AuditKind, object: impl Into<String>, words: impl Into<String>) -> Self {
        Self { kind, object: object.into(), words: words.into() }
    }
}

/// When something happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// In which run of the kernel.
    pub boot: BootId,
    /// By its clock.
    pub monotonic: MonotonicNanos,
    /// In UTC, if it was known.
    pub utc: Option<UnixNanos>,
}

impl Moment {
    fn of(entry: &AuditEntry) -> Self {
        Self { boot: entry.boot, monotonic: entry.monotonic, utc: entry.utc }
    }
}

/// Who writes a trail.
#[derive(Clone, Debug)]
pub struct By {
    /// The gateway.
    pub gateway: GatewayId,
    /// The kernel's run.
    pub boot: BootId,
    /// Signs the entries.
    pub signer: SigningKey,
}

impl By {
    fn moment(&self, clock: &ClockState) -> Moment {
        Moment { boot: self.boot, monotonic: clock.monotonic, utc: clock.utc }
    }

    fn sign(&self, (number, previous): (u64, [u8; 32]), deed: Deed, moment: Moment) -> Vec<u8> {
        let Deed { kind, object, words } = deed;
        let Moment { boot, monotonic, utc } = moment;
        let gateway = self.gateway;
        let entry =
            AuditEntry { gateway, number, previous, boot, monotonic, utc, kind, object, words };
        entry.sign(&self.signer)
    }
}

/// A trail that is written.
pub struct Trail<D: Disk> {
    disk: D,
    spool: Option<D>,
    by: By,
    /// Held while another process must not write.
    lock: Option<Lock>,
    opened: Option<Opened<D::File>>,
    begun: Option<(Begun, Moment)>,
    pace: Pace,
    waiting: VecDeque<(Deed, Moment)>,
    /// Signed, and not known to be durable.
    unwritten: Option<Vec<u8>>,
    /// How much was too much to wait.
    lost: u64,
    to_ship: VecDeque<Vec<u8>>,
    /// In a batch that is not durable yet.
    given: Vec<Vec<u8>>,
    /// The medium has refused, and is not asked before.
    retry_at: Option<MonotonicNanos>,
    look_at: Option<MonotonicNanos>,
    file_bytes_max: u64,
}

/// Where the trail stands.
struct Opened<F> {
    files: Files<F>,
    number: u64,
    hash: [u8; 32],
    /// The newest entries: what a command has left is not taken in twice.
    recent: VecDeque<(Moment, AuditKind)>,
}

impl<F> Opened<F> {
    /// An entry is durable.
    fn go_on(&mut self, signed: &[u8]) {
        (self.number, self.hash) = (self.number + 1, entry_hash(signed));
        if let Ok(entry) = AuditEntry::read(signed) {
            self.recent.push_back((Moment::of(&entry), entry.kind));
        }
        while self.recent.len() > NEWEST {
            self.recent.pop_front();
        }
    }

    /// Whether this has been written already.
    fn knows(&self, moment: Moment, kind: AuditKind) -> bool {
        self.recent.contains(&(moment, kind))
    }
}

impl Trail<Folder> {
    /// The trail below a state folder, and what commands leave beside it.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn below(state: &Path, by: By) -> io::Result<Self> {
        let folder = |name: &str| -> io::Result<Folder> {
            let path = state.join(name);
            keep::folder(&path)?;
            Folder::open(&path)
        };
        Ok(Self::new(folder(FOLDER)?, by).taking_in(folder(SPOOL)?))
    }
}

impl<D: Disk> Trail<D> {
    /// A trail on a disk, which is read before the first entry is written.
    #[must_use]
    pub fn new(disk: D, by: By) -> Self {
        Self {
            disk,
            spool: None,
            by,
            lock: None,
            opened: None,
            begun: None,
            pace: Pace::default(),
            waiting: VecDeque::new(),
            unwritten: None,
            lost: 0,
            to_ship: VecDeque::new(),
            given: Vec::new(),
            retry_at: None,
            look_at: None,
            file_bytes_max: files::FILE_BYTES_MAX,
        }
    }

    /// The same, taking in what commands leave there.
    #[must_use]
    pub fn taking_in(self, spool: D) -> Self {
        Self { spool: Some(spool), ..self }
    }

    /// A run of the agent begins: said before anything else.
    pub fn begin(&mut self, begun: Begun, clock: &ClockState) {
        self.begun = Some((begun, self.by.moment(clock)));
    }

    /// Something happened; the next turn writes it down.
    pub fn note(&mut self, deed: Deed, clock: &ClockState) {
        if let Some(deed) = self.pace.take(deed, clock.monotonic) {
            self.wait(deed, clock);
        }
    }

    fn wait(&mut self, deed: Deed, clock: &ClockState) {
        if self.waiting.len() >= WAITING_MAX {
            self.lost += 1;
            return;
        }
        let moment = self.by.moment(clock);
        self.waiting.push_back((deed, moment));
    }

    /// Writes down what waits; with `all`, also what is said once an hour.
    pub fn turn(&mut self, clock: &ClockState, all: bool) {
        for deed in self.pace.due(clock.monotonic, all) {
            self.wait(deed, clock);
        }
        if !all && self.retry_at.is_some_and(|at| clock.monotonic < at) {
            return;
        }
        match self.write(clock) {
            Ok(()) => {
                if self.retry_at.take().is_some() {
                    tracing::info!("the audit trail is written again");
                }
            }
            Err(error) => {
                let again = MonotonicNanos(clock.monotonic.0.saturating_add(RETRY_NANOS));
                if self.retry_at.replace(again).is_none() {
                    tracing::error!(%error, "the audit trail cannot be written; trying again");
                }
            }
        }
    }

    fn write(&mut self, clock: &ClockState) -> io::Result<()> {
        self.open()?;
        self.write_waiting(clock)?;
        if self.look_at.is_none_or(|at| at <= clock.monotonic) {
            self.look_at = Some(MonotonicNanos(clock.monotonic.0.saturating_add(LOOK_NANOS)));
            self.take_in(clock)?;
        }
        Ok(())
    }

    /// Reads where the trail stands, once no other process writes it.
    fn open(&mut self) -> io::Result<()> {
        if self.opened.is_some() {
            return Ok(());
        }
        if self.lock.is_none() {
            let lock = self.disk.lock()?;
            let another = || io::Error::other("another process writes it");
            self.lock = Some(lock.ok_or_else(another)?);
        }
        let (files, mut kept) = Files::open(&self.disk, self.file_bytes_max)?;
        kept.entries.retain(|(entry, _)| entry.gateway == self.by.gateway);
        let last = kept.entries.last();
        let (number, hash) =
            last.map_or((0, BEGIN), |(entry, signed)| (entry.number, entry_hash(signed)));
        if let Some((begun, moment)) = self.begun.take() {
            for deed in begun.deeds(&kept, &self.by.signer).into_iter().rev() {
                self.waiting.push_front((deed, moment));
            }
        }
        let newest = kept.entries.split_off(kept.entries.len().saturating_sub(NEWEST));
        let recent = newest.iter().map(|(entry, _)| (Moment::of(entry), entry.kind)).collect();
        self.to_ship = newest.into_iter().map(|(_, signed)| signed).collect();
        self.opened = Some(Opened { files, number, hash, recent });
        Ok(())
    }

    fn write_waiting(&mut self, clock: &ClockState) -> io::Result<()> {
        loop {
            let Some(opened) = &self.opened else { return Ok(()) };
            let place = (opened.number + 1, opened.hash);
            let signed = match self.unwritten.take() {
                Some(signed) => signed,
                None => match self.take_next(clock) {
                    Some((deed, moment)) => self.by.sign(place, deed, moment),
                    None => return Ok(()),
                },
            };
            let Some(opened) = &mut self.opened else { return Ok(()) };
            if let Err(error) = opened.files.append(&self.disk, &signed) {
                self.unwritten = Some(signed);
                return Err(error);
            }
            opened.go_on(&signed);
            self.to_ship.push_back(signed);
            while self.to_ship.len() > NEWEST_AGAIN {
                self.to_ship.pop_front();
            }
        }
    }

    /// What is to be written next; at the end, how much did not wait.
    fn take_next(&mut self, clock: &ClockState) -> Option<(Deed, Moment)> {
        if let Some(next) = self.waiting.pop_front() {
            return Some(next);
        }
        if self.lost == 0 {
            return None;
        }
        let lost = std::mem::take(&mut self.lost);
        let words = format!("{lost} things more happened than wait for a medium that refuses");
        let deed = Deed::new(AuditKind::Integrity, "audit trail", words);
        Some((deed, self.by.moment(clock)))
    }

    /// Takes in what commands have left: each is durable here before it is taken away there, and
    /// is known by its moment after a power cut in between.
    fn take_in(&mut self, clock: &ClockState) -> io::Result<()> {
        let Some(spool) = &self.spool else { return Ok(()) };
        let slips = spool::slips(spool)?;
        let is_any = !slips.is_empty();
        for (name, slip) in slips {
            let aside = format!("{name}.bad");
            let is_slip = slip.is_some();
            if let Some((deed, moment)) = slip
                && !self.opened.as_ref().is_some_and(|opened| opened.knows(moment, deed.kind))
            {
                self.waiting.push_back((deed, moment));
                self.write_waiting(clock)?;
            }
            let Some(spool) = &self.spool else { return Ok(()) };
            if is_slip {
                spool.remove(&name)?;
            } else {
                tracing::warn!(file = name, "a command has left what nobody can read");
                spool.rename(&name, &aside)?;
            }
        }
        let Some(spool) = self.spool.as_ref().filter(|_| is_any) else { return Ok(()) };
        spool.sync_names()
    }

    /// Entries that are to be shipped, so many at most; they are in doubt until
    /// [`Trail::are_sealed`].
    pub fn give(&mut self) -> Vec<Vec<u8>> {
        let count = self.to_ship.len().min(AT_ONCE);
        let some: Vec<_> = self.to_ship.drain(..count).collect();
        self.given.extend(some.iter().cloned());
        some
    }

    /// What was given is durable in the health lane.
    pub fn are_sealed(&mut self) {
        self.given.clear();
    }

    /// What was given is not in the health lane, and is given again.
    pub fn are_given_up(&mut self) {
        for entry in self.given.drain(..).rev() {
            self.to_ship.push_front(entry);
        }
    }

    /// The newest entries are shipped once more: the lane has lost some of its records.
    ///
    /// # Errors
    /// The medium does not give them back.
    pub fn ship_again(&mut self) -> io::Result<()> {
        let mut ours = read(&self.disk)?.entries;
        ours.retain(|(entry, _)| entry.gateway == self.by.gateway);
        let newest = ours.split_off(ours.len().saturating_sub(NEWEST_AGAIN));
        self.to_ship = newest.into_iter().map(|(_, signed)| signed).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
