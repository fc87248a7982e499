//! A disk in memory that forgets, tears, refuses, rots and fills up; one seed decides how.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;

use super::super::disk::{Disk, DiskFile};

const SECTOR: usize = 512;
pub(crate) const EIO: i32 = 5;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const ENOSPC: i32 = 28;

/// Numbers from a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % end.max(1) as u64) as usize
    }
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    waiting: Vec<(usize, Vec<u8>)>,
    unreadable: Vec<std::ops::Range<usize>>,
}

#[derive(Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, usize>;

struct State {
    inodes: Vec<Inode>,
    names: Names,
    names_synced: Names,
    names_waiting: Vec<NameChange>,
    operations: u64,
    cut_at: Option<u64>,
    off: bool,
    capacity: usize,
    writes: u64,
    syncs: u64,
    failing_writes: Vec<(u64, i32)>,
    failing_syncs: Vec<u64>,
    failing_opens: Option<i32>,
    renames_refused: bool,
    random: Random,
}

/// A folder of invented files; clones are the same folder.
#[derive(Clone)]
pub(crate) struct Invented(Rc<RefCell<State>>);

pub(crate) struct InventedFile {
    disk: Rc<RefCell<State>>,
    inode: usize,
}

fn errno(number: i32) -> Error {
    Error::from_raw_os_error(number)
}

fn put(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
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
    /// Counts an operation that changes something; the power may go with it.
    fn operate(&mut self) -> Result<bool> {
        if self.off {
            return Err(errno(EIO));
        }
        self.operations += 1;
        self.off = self.cut_at == Some(self.operations);
        Ok(self.off)
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].now.len()).sum()
    }

    fn rename(&mut self, done: NameChange) -> Result<()> {
        let cut = self.operate()?;
        change(&mut self.names, done.clone());
        self.names_waiting.push(done);
        if cut { Err(errno(EIO)) } else { Ok(()) }
    }

    fn write(&mut self, inode: usize, bytes: &[u8], at: usize) {
        put(&mut self.inodes[inode].now, at, bytes);
        self.inodes[inode].waiting.push((at, bytes.to_vec()));
    }

    /// What was waiting reaches the medium in part: nothing, all, or some sectors.
    fn settle_some(&mut self, inode: usize) {
        let taken = std::mem::take(&mut self.inodes[inode].waiting);
        let chance = [0, 100, 50, 90][self.random.below(4)];
        for (at, bytes) in taken {
            let mut from = 0;
            while from < bytes.len() {
                let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                if self.random.below(100) < chance {
                    put(&mut self.inodes[inode].synced, at + from, &bytes[from..to]);
                }
                from = to;
            }
        }
    }
}

impl Invented {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            inodes: Vec::new(),
            names: Names::new(),
            names_synced: Names::new(),
            names_waiting: Vec::new(),
            operations: 0,
            cut_at: None,
            off: false,
            capacity: usize::MAX / 2,
            writes: 0,
            syncs: 0,
            failing_writes: Vec::new(),
            failing_syncs: Vec::new(),
            failing_opens: None,
            renames_refused: false,
            random: Random::new(seed),
        })))
    }

    /// The power goes at this operation, counted from the beginning.
    pub(crate) fn cut_at(&self, operation: u64) {
        self.0.borrow_mut().cut_at = Some(operation);
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    pub(crate) fn writes_and_syncs(&self) -> (u64, u64) {
        let state = self.0.borrow();
        (state.writes, state.syncs)
    }

    /// The power goes, if it has not yet, and comes back: what was not synced survives in part.
    pub(crate) fn restart(&self) {
        let state = &mut *self.0.borrow_mut();
        (0..state.inodes.len()).for_each(|inode| state.settle_some(inode));
        let kept = state.random.below(state.names_waiting.len() + 1);
        for done in std::mem::take(&mut state.names_waiting).into_iter().take(kept) {
            change(&mut state.names_synced, done);
        }
        state.names = state.names_synced.clone();
        state.inodes.iter_mut().for_each(|inode| inode.now = inode.synced.clone());
        (state.off, state.cut_at) = (false, None);
    }

    /// The n-th write from now on fails, 1 is the next.
    pub(crate) fn fail_write(&self, nth: u64, number: i32) {
        let at = self.0.borrow().writes + nth;
        self.0.borrow_mut().failing_writes.push((at, number));
    }

    /// The n-th sync of a file from now on fails, 1 is the next.
    pub(crate) fn fail_sync(&self, nth: u64) {
        let at = self.0.borrow().syncs + nth;
        self.0.borrow_mut().failing_syncs.push(at);
    }

    pub(crate) fn heal(&self) {
        self.0.borrow_mut().failing_syncs.clear();
    }

    pub(crate) fn fail_opens(&self, number: Option<i32>) {
        self.0.borrow_mut().failing_opens = number;
    }

    pub(crate) fn refuse_renames(&self, refuse: bool) {
        self.0.borrow_mut().renames_refused = refuse;
    }

    pub(crate) fn set_free(&self, bytes: usize) {
        let used = self.0.borrow().used();
        self.0.borrow_mut().capacity = used + bytes;
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.borrow().names.keys().cloned().collect()
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn rot(&self, name: &str, with: impl Fn(&mut Vec<u8>)) {
        let state = &mut *self.0.borrow_mut();
        let inode = &mut state.inodes[state.names[name]];
        with(&mut inode.now);
        inode.synced = inode.now.clone();
    }

    pub(crate) fn plant(&self, name: &str, bytes: Vec<u8>) {
        let state = &mut *self.0.borrow_mut();
        state.inodes.push(Inode { now: bytes.clone(), synced: bytes, ..Inode::default() });
        state.names.insert(name.into(), state.inodes.len() - 1);
        state.names_synced.insert(name.into(), state.inodes.len() - 1);
    }

    pub(crate) fn make_unreadable(&self, name: &str, range: std::ops::Range<usize>) {
        let state = &mut *self.0.borrow_mut();
        state.inodes[state.names[name]].unreadable.push(range);
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.inodes[state.names[name]].now.clone()
    }
}

impl Disk for Invented {
    type File = InventedFile;

    fn list(&self) -> Result<Vec<(String, u64)>> {
        let state = self.0.borrow();
        let size = |inode: &usize| state.inodes[*inode].now.len() as u64;
        Ok(state.names.iter().map(|(name, inode)| (name.clone(), size(inode))).collect())
    }

    fn open(&self, name: &str) -> Result<InventedFile> {
        let state = self.0.borrow();
        if let Some(number) = state.failing_opens {
            return Err(errno(number));
        }
        let inode = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(InventedFile { disk: self.0.clone(), inode })
    }

    fn create(&self, name: &str) -> Result<InventedFile> {
        let state = &mut *self.0.borrow_mut();
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.rename(NameChange::Create(name.into(), inode))?;
        Ok(InventedFile { disk: self.0.clone(), inode })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        if !state.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        if state.renames_refused {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        state.rename(NameChange::Rename(from.into(), to.into()))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        if !state.names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        state.rename(NameChange::Remove(name.into()))
    }

    fn sync_names(&self) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        if state.operate()? {
            return Err(errno(EIO));
        }
        state.names_waiting.clear();
        state.names_synced = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> Result<u64> {
        let state = self.0.borrow();
        Ok(state.capacity.saturating_sub(state.used()) as u64)
    }
}

impl DiskFile for InventedFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let state = self.disk.borrow();
        let inode = &state.inodes[self.inode];
        let from = (offset as usize).min(inode.now.len());
        let to = (from + into.len()).min(inode.now.len());
        if inode.unreadable.iter().any(|bad| bad.start < to && from < bad.end) {
            return Err(errno(EIO));
        }
        into[..to - from].copy_from_slice(&inode.now[from..to]);
        Ok(to - from)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let state = &mut *self.disk.borrow_mut();
        let cut = state.operate()?;
        state.writes += 1;
        let at = offset as usize;
        let more = (at + bytes.len()).saturating_sub(state.inodes[self.inode].now.len());
        let full = state.used() + more > state.capacity;
        let count = state.writes;
        let failing = state.failing_writes.iter().find(|(nth, _)| *nth == count);
        let number = failing.map(|(_, number)| *number).or(full.then_some(ENOSPC));
        let number = number.or(cut.then_some(EIO));
        let Some(number) = number else {
            state.write(self.inode, bytes, at);
            return Ok(());
        };
        let part = if full { 0 } else { state.random.below(bytes.len() + 1) };
        state.write(self.inode, &bytes[..part], at);
        Err(errno(number))
    }

    fn sync(&self) -> Result<()> {
        let state = &mut *self.disk.borrow_mut();
        let cut = state.operate()?;
        state.syncs += 1;
        if cut {
            return Err(errno(EIO));
        }
        let count = state.syncs;
        if state.failing_syncs.contains(&count) {
            // The kernel forgets what it could not write, and still shows it.
            state.settle_some(self.inode);
            return Err(errno(EIO));
        }
        let inode = &mut state.inodes[self.inode];
        for (at, bytes) in std::mem::take(&mut inode.waiting) {
            put(&mut inode.synced, at, &bytes);
        }
        Ok(())
    }

    fn size(&self) -> Result<u64> {
        Ok(self.disk.borrow().inodes[self.inode].now.len() as u64)
    }
}
