//! The invented disk as the buffer sees it.

use std::cell::RefCell;
use std::io::{ErrorKind, Result};
use std::rc::Rc;

use agent::buffer::disk::{Disk, DiskFile};

use super::{Cut, EIO, ENOSPC, Inode, InventedDisk, NameChange, SECTOR, State, errno, put};

/// One of its files.
pub struct InventedFile {
    disk: Rc<RefCell<State>>,
    inode: usize,
}

impl Disk for InventedDisk {
    type File = InventedFile;

    fn list(&self) -> Result<Vec<(String, u64)>> {
        let state = self.0.borrow();
        let size = |inode: &usize| state.inodes[*inode].now.len() as u64;
        Ok(state.names.iter().map(|(name, inode)| (name.clone(), size(inode))).collect())
    }

    fn open(&self, name: &str) -> Result<InventedFile> {
        let state = self.0.borrow();
        if state.off {
            return Err(errno(EIO));
        }
        let inode = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(InventedFile { disk: self.0.clone(), inode })
    }

    fn create(&self, name: &str) -> Result<InventedFile> {
        let state = &mut *self.0.borrow_mut();
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.name(NameChange::Create(name.into(), inode))?;
        Ok(InventedFile { disk: self.0.clone(), inode })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        if !state.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        state.name(NameChange::Rename(from.into(), to.into()))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        if !state.names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        state.name(NameChange::Remove(name.into()))
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
        let room = if state.ailments.full { 0 } else { state.room_bytes };
        Ok(room.saturating_sub(state.used()) as u64)
    }
}

impl DiskFile for InventedFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let state = &mut *self.disk.borrow_mut();
        if state.off {
            return Err(errno(EIO));
        }
        let misdirected = state.ailments.reads_misdirected > 0;
        state.ailments.reads_misdirected -= u64::from(misdirected);
        let stale = state.ailments.reads_stale > 0;
        state.ailments.reads_stale -= u64::from(stale);
        let inode = &state.inodes[self.inode];
        let from = (offset as usize).min(inode.now.len());
        let to = (from + into.len()).min(inode.now.len());
        if inode.unreadable.iter().any(|bad| bad.start < to && from < bad.end) {
            return Err(errno(EIO));
        }
        into[..to - from].copy_from_slice(&inode.now[from..to]);
        if let (true, Some((at, old))) = (stale, &inode.former) {
            for (position, byte) in (*at..).zip(old) {
                if (from..to).contains(&position) {
                    into[position - from] = *byte;
                }
            }
        }
        if misdirected {
            into[..to - from].rotate_left(SECTOR.min(to - from));
        }
        Ok(to - from)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let state = &mut *self.disk.borrow_mut();
        let cut = state.operate()?;
        let at = offset as usize;
        let more = (at + bytes.len()).saturating_sub(state.inodes[self.inode].now.len());
        if more > 0 && (state.ailments.full || state.used() + more > state.room_bytes) {
            return Err(errno(ENOSPC));
        }
        let fails = state.ailments.writes_fail > 0;
        state.ailments.writes_fail -= u64::from(fails);
        if !(cut || fails) {
            state.write(self.inode, bytes, at);
            return Ok(());
        }
        if cut && state.ailments.cut_after_write {
            state.write(self.inode, bytes, at);
            return Err(errno(EIO));
        }
        if cut || state.ailments.writes_short {
            let part = state.random.below(bytes.len() as u64 + 1) as usize;
            state.write(self.inode, &bytes[..part], at);
        }
        Err(errno(EIO))
    }

    fn sync(&self) -> Result<()> {
        let state = &mut *self.disk.borrow_mut();
        if state.operate()? {
            return Err(errno(EIO));
        }
        state.delay += state.ailments.sync_takes;
        if state.ailments.syncs_fail > 0 {
            state.ailments.syncs_fail -= 1;
            // The kernel forgets what it could not write, and still shows it.
            state.settle_some(self.inode, &mut Cut::default());
            return Err(errno(EIO));
        }
        if state.ailments.lies {
            return Ok(());
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
