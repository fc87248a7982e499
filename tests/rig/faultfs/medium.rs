//! The medium: what processes see, what is durable, and what a cut makes of it. No FUSE in here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fuser::Errno;

use crate::random::Random;

/// What is written at once or not at all, bytes.
pub const PIECE_BYTES: usize = 512;
/// The longest sync.
const SYNC_MICROS_MAX: u64 = 3000;
/// The inode of the top folder.
pub const TOP: u64 = 1;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// So many syncs succeed before `syncs_fail` fail with EIO.
    pub syncs_good: u32,
    /// Syncs that fail then; what they were to save is durable or gone, and nobody says which.
    pub syncs_fail: u32,
    /// Nothing can be made or grow: ENOSPC.
    pub full: bool,
    /// Nothing can be changed: EROFS.
    pub read_only: bool,
    /// `fdatasync` says yes and does nothing. Outlasts cuts.
    pub forgets_sync: bool,
}

/// What a cut took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cut {
    /// Pieces of files that were written and not synced.
    pub pieces: u64,
    /// Of those, lost.
    pub pieces_lost: u64,
    /// Names that were made, changed or removed, not durably, and are as before.
    pub names_lost: u64,
}

/// What an inode is.
#[derive(Clone, Debug)]
pub enum Body {
    /// A file.
    File(Content),
    /// A folder.
    Folder(Names),
    /// A socket; whoever listens is elsewhere.
    Socket,
}

/// An inode.
#[derive(Clone, Debug)]
pub struct Node {
    /// Permissions.
    pub mode: u16,
    /// What it is.
    pub body: Body,
}

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// As processes see them.
    pub now: Vec<u8>,
    kept: Vec<u8>,
    /// Pieces that a sync would write.
    dirty: BTreeSet<usize>,
}

/// The names in a folder.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// As processes see them.
    pub now: BTreeMap<String, u64>,
    kept: BTreeMap<String, u64>,
    /// Changes that are not durable, in order.
    waiting: Vec<Change>,
}

/// One change of names; it happens as a whole or not at all.
#[derive(Clone, Debug)]
struct Change {
    inode: u64,
    gone: Option<String>,
    come: Option<String>,
}

/// Files, folders and what goes wrong with them.
#[derive(Debug)]
pub struct Medium {
    /// What goes wrong.
    pub faults: Faults,
    /// Calls that faults made fail.
    pub refused: u64,
    /// The power is gone: nothing changes and nothing becomes durable before the next cut is over.
    pub off: bool,
    nodes: BTreeMap<u64, Node>,
    next: u64,
    random: Random,
}

impl Content {
    fn mark(&mut self, from: usize, to: usize) {
        self.dirty.extend(from / PIECE_BYTES..to.div_ceil(PIECE_BYTES));
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.mark(offset, end);
    }

    fn resize(&mut self, size: usize) {
        self.mark(size.min(self.now.len()), self.kept.len());
        self.now.resize(size, 0);
    }

    /// Makes pieces durable of which `survives` says so, and forgets that the others are not.
    fn settle(&mut self, mut survives: impl FnMut() -> bool) -> Cut {
        let mut cut = Cut::default();
        if self.now.len() != self.kept.len() && survives() {
            self.kept.resize(self.now.len(), 0);
        }
        for piece in std::mem::take(&mut self.dirty) {
            cut.pieces += 1;
            if !survives() {
                cut.pieces_lost += 1;
                continue;
            }
            let from = piece * PIECE_BYTES;
            let to = (from + PIECE_BYTES).min(self.now.len()).min(self.kept.len());
            if from < to {
                self.kept[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        cut
    }
}

impl Names {
    fn change(&mut self, inode: u64, gone: Option<&str>, come: Option<&str>) {
        let change = Change { inode, gone: gone.map(str::to_owned), come: come.map(str::to_owned) };
        apply(&mut self.now, &change);
        self.waiting.push(change);
    }

    /// What came after a lost change of the same name or inode is lost with it, as in a journal.
    fn settle(&mut self, mut survives: impl FnMut() -> bool) -> u64 {
        let (mut names, mut inodes) = (BTreeSet::new(), BTreeSet::new());
        let mut lost = 0;
        for change in std::mem::take(&mut self.waiting) {
            let touched = || change.gone.iter().chain(&change.come);
            let hangs = inodes.contains(&change.inode) || touched().any(|n| names.contains(n));
            if !hangs && survives() {
                apply(&mut self.kept, &change);
                continue;
            }
            lost += 1;
            inodes.insert(change.inode);
            names.extend(touched().cloned());
        }
        lost
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: &Change) {
    if let Some(gone) = &change.gone {
        names.remove(gone);
    }
    if let Some(come) = &change.come {
        names.insert(come.clone(), change.inode);
    }
}

impl Medium {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        let top = Node { mode: 0o755, body: Body::Folder(Names::default()) };
        Self {
            faults: Faults::default(),
            refused: 0,
            off: false,
            nodes: BTreeMap::from([(TOP, top)]),
            next: TOP + 1,
            random: Random::new(seed),
        }
    }

    /// An inode.
    pub fn node(&self, inode: u64) -> Result<&Node, Errno> {
        self.nodes.get(&inode).ok_or(Errno::ENOENT)
    }

    /// The names in a folder.
    pub fn names(&self, folder: u64) -> Result<&Names, Errno> {
        match &self.node(folder)?.body {
            Body::Folder(names) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The inode behind a name.
    pub fn find(&self, folder: u64, name: &str) -> Result<u64, Errno> {
        self.names(folder)?.now.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// Bytes in all files, as processes see them.
    pub fn used_bytes(&self) -> u64 {
        let size = |node: &Node| match &node.body {
            Body::File(content) => content.now.len() as u64,
            _ => 0,
        };
        self.nodes.values().map(size).sum()
    }

    /// Makes a new inode with a name that is free.
    pub fn make(&mut self, folder: u64, name: &str, node: Node) -> Result<u64, Errno> {
        self.may_change(true)?;
        let inode = self.next;
        let names = self.names_mut(folder)?;
        if names.now.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        names.change(inode, None, Some(name));
        self.next += 1;
        self.nodes.insert(inode, node);
        Ok(inode)
    }

    /// Takes a name away; open files go on until the next cut.
    pub fn remove(&mut self, folder: u64, name: &str) -> Result<(), Errno> {
        self.may_change(false)?;
        let inode = self.find(folder, name)?;
        if self.names(inode).is_ok_and(|names| !names.now.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.names_mut(folder)?.change(inode, Some(name), None);
        Ok(())
    }

    /// Gives an inode another name in the same folder, in the place of what had that name.
    pub fn rename(&mut self, folder: u64, from: &str, to: &str) -> Result<(), Errno> {
        self.may_change(false)?;
        let inode = self.find(folder, from)?;
        self.names_mut(folder)?.change(inode, Some(from), Some(to));
        Ok(())
    }

    /// Writes.
    pub fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        let grows = self.content(inode)?.now.len() < offset + bytes.len();
        self.may_change(grows)?;
        self.content_mut(inode)?.write(offset, bytes);
        Ok(())
    }

    /// Cuts short or makes longer.
    pub fn resize(&mut self, inode: u64, size: usize) -> Result<(), Errno> {
        let grows = self.content(inode)?.now.len() < size;
        self.may_change(grows)?;
        self.content_mut(inode)?.resize(size);
        Ok(())
    }

    /// Changes permissions, durably at once.
    pub fn permit(&mut self, inode: u64, mode: u16) -> Result<(), Errno> {
        self.may_change(false)?;
        self.nodes.get_mut(&inode).ok_or(Errno::ENOENT)?.mode = mode;
        Ok(())
    }

    /// Makes a file or the names of a folder durable.
    pub fn sync(&mut self, inode: u64, data_only: bool) -> Result<(), Errno> {
        self.may_change(false)?;
        let fails = self.faults.syncs_good == 0 && self.faults.syncs_fail > 0;
        let Self { faults, random, nodes, .. } = self;
        let node = nodes.get_mut(&inode).ok_or(Errno::ENOENT)?;
        if fails {
            if let Body::File(content) = &mut node.body {
                content.settle(|| random.once_in(2));
            }
            faults.syncs_fail -= 1;
            self.refused += 1;
            return Err(Errno::EIO);
        }
        faults.syncs_good = faults.syncs_good.saturating_sub(1);
        if faults.forgets_sync && data_only {
            return Ok(());
        }
        match &mut node.body {
            Body::File(content) => drop(content.settle(|| true)),
            Body::Folder(names) => drop(names.settle(|| true)),
            Body::Socket => {}
        }
        Ok(())
    }

    /// A sync takes as long as on a card, so that cuts come in the middle of one.
    pub fn sync_time(&mut self) -> Duration {
        Duration::from_micros(self.random.below(SYNC_MICROS_MAX))
    }

    /// The power goes, if it has not yet, and comes back.
    pub fn cut(&mut self) -> Cut {
        let mut cut = Cut::default();
        self.off = false;
        self.faults = Faults { forgets_sync: self.faults.forgets_sync, ..Faults::default() };
        let Self { nodes, random, .. } = self;
        // How much was on its way is different at each cut: nothing of it, some, or all.
        let quarters = random.below(5);
        let mut survives = || random.below(4) < quarters;
        for node in nodes.values_mut() {
            match &mut node.body {
                Body::File(content) => {
                    let of_file = content.settle(&mut survives);
                    content.now.clone_from(&content.kept);
                    cut.pieces += of_file.pieces;
                    cut.pieces_lost += of_file.pieces_lost;
                }
                Body::Folder(names) => {
                    cut.names_lost += names.settle(&mut survives);
                    names.now.clone_from(&names.kept);
                }
                Body::Socket => {}
            }
        }
        self.forget_nameless();
        cut
    }

    /// Nobody holds a file over a power cut: what has no name is gone.
    fn forget_nameless(&mut self) {
        let mut named = BTreeSet::from([TOP]);
        let mut folders = vec![TOP];
        while let Some(folder) = folders.pop() {
            let Ok(names) = self.names(folder) else { continue };
            for inode in names.now.values() {
                if named.insert(*inode) {
                    folders.push(*inode);
                }
            }
        }
        self.nodes.retain(|inode, _| named.contains(inode));
    }

    fn may_change(&mut self, grows: bool) -> Result<(), Errno> {
        if self.off {
            return Err(Errno::EIO);
        }
        let refusal = match self.faults {
            Faults { read_only: true, .. } => Errno::EROFS,
            Faults { full: true, .. } if grows => Errno::ENOSPC,
            _ => return Ok(()),
        };
        self.refused += 1;
        Err(refusal)
    }

    fn names_mut(&mut self, folder: u64) -> Result<&mut Names, Errno> {
        match self.nodes.get_mut(&folder).map(|node| &mut node.body) {
            Some(Body::Folder(names)) => Ok(names),
            Some(_) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// The bytes of a file.
    pub fn content(&self, inode: u64) -> Result<&Content, Errno> {
        match &self.node(inode)?.body {
            Body::File(content) => Ok(content),
            _ => Err(Errno::EISDIR),
        }
    }

    fn content_mut(&mut self, inode: u64) -> Result<&mut Content, Errno> {
        match self.nodes.get_mut(&inode).map(|node| &mut node.body) {
            Some(Body::File(content)) => Ok(content),
            Some(_) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Node {
        Node { mode: 0o600, body: Body::File(Content::default()) }
    }

    /// A medium with a file of two durable pieces of 1, and its inode.
    fn settled(seed: u64) -> (Medium, u64) {
        let mut medium = Medium::new(seed);
        let inode = medium.make(TOP, "a", file()).unwrap();
        medium.write(inode, 0, &[1; 2 * PIECE_BYTES]).unwrap();
        medium.sync(inode, true).unwrap();
        medium.sync(TOP, false).unwrap();
        (medium, inode)
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        for seed in 0..100 {
            let (mut medium, inode) = settled(seed);

            medium.cut();

            assert_eq!(medium.find(TOP, "a").unwrap(), inode);
            assert_eq!(medium.content(inode).unwrap().now, [1; 2 * PIECE_BYTES]);
        }
    }

    #[test]
    fn each_piece_that_was_not_synced_survives_or_not() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let (mut medium, inode) = settled(seed);
            medium.write(inode, 0, &[2; 2 * PIECE_BYTES]).unwrap();

            medium.cut();

            let now = &medium.content(inode).unwrap().now;
            assert!(now.chunks(PIECE_BYTES).all(|piece| piece.iter().all(|b| *b == piece[0])));
            seen.insert((now[0], now[PIECE_BYTES]));
        }
        assert_eq!(seen.len(), 4, "both, none and either: {seen:?}");
    }

    #[test]
    fn nothing_becomes_durable_once_the_power_is_gone() {
        let (mut medium, inode) = settled(1);
        medium.off = true;

        assert!(medium.write(inode, 0, &[2]).is_err() && medium.sync(inode, true).is_err());
        medium.cut();
        medium.write(inode, 0, &[2]).unwrap();
    }

    #[test]
    fn a_name_without_a_sync_of_its_folder_may_be_gone() {
        let mut kept = 0;
        for seed in 0..100 {
            let mut medium = Medium::new(seed);
            let inode = medium.make(TOP, "a", file()).unwrap();
            medium.write(inode, 0, &[1]).unwrap();
            medium.sync(inode, false).unwrap();

            medium.cut();

            kept += u32::from(medium.find(TOP, "a").is_ok());
        }
        assert!((10..90).contains(&kept), "{kept}");
    }

    #[test]
    fn what_a_failed_sync_lost_no_later_sync_brings_back() {
        let mut lost = 0;
        for seed in 0..100 {
            let (mut medium, inode) = settled(seed);
            medium.write(inode, 0, &[2; PIECE_BYTES]).unwrap();
            medium.faults.syncs_fail = 1;
            assert!(medium.sync(inode, true).is_err());
            medium.sync(inode, true).unwrap();

            medium.cut();

            lost += u32::from(medium.content(inode).unwrap().now[0] == 1);
        }
        assert!((10..90).contains(&lost), "{lost}");
    }

    #[test]
    fn a_full_or_read_only_medium_changes_nothing() {
        let (mut medium, inode) = settled(1);
        medium.faults.full = true;
        assert!(medium.make(TOP, "b", file()).is_err());
        assert!(medium.write(inode, 2 * PIECE_BYTES, &[3]).is_err());
        medium.write(inode, 0, &[3]).unwrap();
        medium.faults.read_only = true;

        assert!(medium.write(inode, 0, &[4]).is_err() && medium.remove(TOP, "a").is_err());
        assert_eq!(medium.refused, 4);
    }
}
