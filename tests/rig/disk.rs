//! A disk in memory that forgets, tears, refuses, rots, fills up and hesitates, as it is told.
//!
//! Each file has two images: what the process sees, and what survives a power cut. A write reaches
//! the first at once, and the second when it is synced, or sector by sector by chance when the
//! power goes; names likewise.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

mod file;
mod images;

use crate::random::Random;
pub use file::InventedFile;
pub use images::Images;

const SECTOR: usize = 512;
/// Most of a file is zeros, whose damage shows little: so often another place is tried.
const ZEROS_SPARED: usize = 64;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

#[derive(Clone, Default)]
struct Inode {
    now: Rc<Vec<u8>>,
    synced: Rc<Vec<u8>>,
    waiting: Vec<(usize, Vec<u8>)>,
    unreadable: Vec<Range<usize>>,
    /// What the last write has written over, and where.
    former: Option<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, usize>;

/// What a disk does wrong from now on, until it is told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ailments {
    /// The power goes with this operation from now, 1 being the next.
    pub cut_in: Option<u64>,
    /// A write that goes with the power reaches the memory whole, to be torn as any that waits.
    pub cut_after_write: bool,
    /// So many syncs fail.
    pub syncs_fail: u64,
    /// So many writes fail with EIO.
    pub writes_fail: u64,
    /// Of a failing write, a part is written.
    pub writes_short: bool,
    /// Nothing can be written: no room.
    pub full: bool,
    /// Nothing can be written: read-only.
    pub read_only: bool,
    /// So many reads give the bytes of another place.
    pub reads_misdirected: u64,
    /// So many reads give what the last write has written over.
    pub reads_stale: u64,
    /// Each sync takes this long.
    pub sync_takes: Duration,
    /// The disk says that it has synced, and has not.
    pub lies: bool,
}

/// What a power cut did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    /// Writes that were lost as a whole.
    pub writes_lost: u64,
    /// Writes that survived in part.
    pub writes_torn: u64,
    /// Creations, renames and removals that were lost.
    pub names_lost: u64,
}

struct State {
    inodes: Vec<Inode>,
    names: Names,
    names_synced: Names,
    names_waiting: Vec<NameChange>,
    ailments: Ailments,
    off: bool,
    room_bytes: usize,
    operations: u64,
    delay: Duration,
    random: Random,
}

/// A folder of invented files; clones are the same folder.
#[derive(Clone)]
pub struct InventedDisk(Rc<RefCell<State>>);

fn errno(number: i32) -> Error {
    Error::from_raw_os_error(number)
}

fn put(bytes: &mut Rc<Vec<u8>>, at: usize, part: &[u8]) {
    let bytes = Rc::make_mut(bytes);
    bytes.resize(bytes.len().max(at + part.len()), 0);
    bytes[at..at + part.len()].copy_from_slice(part);
}

fn change(names: &mut Names, change: NameChange) {
    match change {
        NameChange::Create(name, inode) => drop(names.insert(name, inode)),
        NameChange::Remove(name) => drop(names.remove(&name)),
        NameChange::Rename(from, to) => {
            let inode = names.remove(&from);
            inode.map(|inode| names.insert(to, inode));
        }
    }
}

impl State {
    /// Counts an operation that changes something; whether the power goes with it.
    fn operate(&mut self) -> Result<bool> {
        if self.off {
            return Err(errno(EIO));
        }
        if self.ailments.read_only {
            return Err(errno(EROFS));
        }
        self.operations += 1;
        if let Some(left) = &mut self.ailments.cut_in {
            *left = left.saturating_sub(1);
            self.off = *left == 0;
        }
        Ok(self.off)
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].now.len()).sum()
    }

    fn name(&mut self, done: NameChange) -> Result<()> {
        let cut = self.operate()?;
        change(&mut self.names, done.clone());
        self.names_waiting.push(done);
        if cut { Err(errno(EIO)) } else { Ok(()) }
    }

    fn write(&mut self, inode: usize, bytes: &[u8], at: usize) {
        let now = &self.inodes[inode].now;
        let old = now.get(at..(at + bytes.len()).min(now.len())).unwrap_or_default().to_vec();
        self.inodes[inode].former = Some((at, old));
        put(&mut self.inodes[inode].now, at, bytes);
        self.inodes[inode].waiting.push((at, bytes.to_vec()));
    }

    /// Of what was waiting, nothing, all or some sectors reach the medium.
    fn settle_some(&mut self, inode: usize, cut: &mut Cut) {
        let taken = std::mem::take(&mut self.inodes[inode].waiting);
        let chance = [0, 100, 50, 90][self.random.below(4) as usize];
        for (at, bytes) in taken {
            let (mut from, mut kept, mut lost) = (0, 0, 0);
            while from < bytes.len() {
                let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                if self.random.below(100) < chance {
                    put(&mut self.inodes[inode].synced, at + from, &bytes[from..to]);
                    kept += 1;
                } else {
                    lost += 1;
                }
                from = to;
            }
            cut.writes_lost += u64::from(kept == 0 && lost > 0);
            cut.writes_torn += u64::from(kept > 0 && lost > 0);
        }
    }

    fn pick(&mut self, ending: &str) -> Option<usize> {
        let files: Vec<usize> = self
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(ending))
            .map(|(_, inode)| *inode)
            .collect();
        self.random.pick(&files).copied()
    }
}

impl InventedDisk {
    /// An empty disk with room for so much.
    #[must_use]
    pub fn new(seed: u64, room_bytes: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            inodes: Vec::new(),
            names: Names::new(),
            names_synced: Names::new(),
            names_waiting: Vec::new(),
            ailments: Ailments::default(),
            off: false,
            room_bytes,
            operations: 0,
            delay: Duration::ZERO,
            random: Random::new(seed),
        })))
    }

    /// Another card with what is durable on this one.
    #[must_use]
    pub fn clone_card(&self, seed: u64) -> Self {
        let state = self.0.borrow();
        let mut copy = State {
            inodes: state.inodes.clone(),
            names: state.names_synced.clone(),
            names_synced: state.names_synced.clone(),
            names_waiting: Vec::new(),
            ailments: Ailments::default(),
            off: false,
            room_bytes: state.room_bytes,
            operations: 0,
            delay: Duration::ZERO,
            random: Random::new(seed),
        };
        for inode in &mut copy.inodes {
            *inode = Inode {
                now: inode.synced.clone(),
                synced: inode.synced.clone(),
                ..Inode::default()
            };
        }
        Self(Rc::new(RefCell::new(copy)))
    }

    /// Changes what it does wrong.
    pub fn ail(&self, change: impl FnOnce(&mut Ailments)) {
        change(&mut self.0.borrow_mut().ailments);
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.borrow().off
    }

    /// Time that operations have taken since the last question.
    pub fn take_delay(&self) -> Duration {
        std::mem::take(&mut self.0.borrow_mut().delay)
    }

    /// Operations that changed something, ever.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    /// Files, and bytes in them.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        let state = self.0.borrow();
        (state.names.len(), state.used())
    }

    /// The power goes, if it has not yet, and comes back.
    pub fn cut_power(&self) -> Cut {
        let state = &mut *self.0.borrow_mut();
        let mut cut = Cut::default();
        (0..state.inodes.len()).for_each(|inode| state.settle_some(inode, &mut cut));
        let waiting = std::mem::take(&mut state.names_waiting);
        let kept = state.random.below(waiting.len() as u64 + 1) as usize;
        cut.names_lost = (waiting.len() - kept) as u64;
        for done in waiting.into_iter().take(kept) {
            change(&mut state.names_synced, done);
        }
        state.names = state.names_synced.clone();
        for inode in &mut state.inodes {
            inode.now = inode.synced.clone();
        }
        // Nobody holds a file over a power cut: what has no name is gone.
        let named: Vec<usize> = state.names.values().copied().collect();
        for (number, inode) in state.inodes.iter_mut().enumerate() {
            if !named.contains(&number) {
                *inode = Inode::default();
            }
        }
        (state.off, state.ailments.cut_in) = (false, None);
        cut
    }

    /// Flips one bit of a file with this ending, where something is written; whether there was one.
    pub fn rot(&self, ending: &str) -> bool {
        self.spoil(ending, 1, |random, bytes| bytes[0] ^= 1 << random.below(8))
    }

    /// Destroys a block of 4 KiB in a file with this ending; whether there was one.
    pub fn destroy_block(&self, ending: &str) -> bool {
        self.spoil(ending, 4096, |random, bytes| bytes.fill_with(|| random.number() as u8))
    }

    fn spoil(&self, ending: &str, length: usize, with: impl Fn(&mut Random, &mut [u8])) -> bool {
        let state = &mut *self.0.borrow_mut();
        let Some(inode) = state.pick(ending) else { return false };
        let size = state.inodes[inode].synced.len() / length;
        if size == 0 {
            return false;
        }
        let mut at = state.random.below(size as u64) as usize * length;
        for _ in 0..ZEROS_SPARED {
            if state.inodes[inode].synced[at..at + length].iter().any(|byte| *byte != 0) {
                break;
            }
            at = state.random.below(size as u64) as usize * length;
        }
        let mut random = Random::new(state.random.number());
        let inode = &mut state.inodes[inode];
        with(&mut random, &mut Rc::make_mut(&mut inode.synced)[at..at + length]);
        if inode.now.len() >= at + length {
            let spoilt = &inode.synced[at..at + length];
            Rc::make_mut(&mut inode.now)[at..at + length].copy_from_slice(spoilt);
        }
        true
    }

    /// Makes 4 KiB of a file unreadable; whether there was one.
    pub fn make_unreadable(&self, ending: &str) -> bool {
        let state = &mut *self.0.borrow_mut();
        let Some(inode) = state.pick(ending) else { return false };
        let at = state.random.below(state.inodes[inode].now.len() as u64 / 4096) as usize * 4096;
        state.inodes[inode].unreadable.push(at..at + 4096);
        true
    }

    /// What was unreadable can be read again.
    pub fn make_readable(&self) {
        self.0.borrow_mut().inodes.iter_mut().for_each(|inode| inode.unreadable.clear());
    }

    /// The files that are `wanted` as a power cut would leave them that loses all it may lose.
    #[must_use]
    pub fn durable_files(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
        let state = self.0.borrow();
        let file =
            |(name, inode): (&String, &usize)| (name.clone(), state.inodes[*inode].synced.to_vec());
        state.names_synced.iter().filter(|(name, _)| wanted(name)).map(file).collect()
    }

    /// Names of all files, as a process sees them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.borrow().names.keys().cloned().collect()
    }

    /// A file's bytes, as a process sees them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        state.names.get(name).map(|inode| state.inodes[*inode].now.to_vec())
    }

    /// Whether some bytes stand anywhere on the disk, in either image.
    #[must_use]
    pub fn contains(&self, needle: &[u8]) -> bool {
        let state = self.0.borrow();
        let found = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        state.inodes.iter().any(|inode| found(&inode.now) || found(&inode.synced))
    }
}
