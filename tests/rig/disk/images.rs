//! Every disk that a power cut may leave behind, one after the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::{Ailments, Inode, InventedDisk, NameChange, SECTOR, State, change, put};
use crate::random::Random;

/// A file whose bytes or length are not settled.
struct Unsettled {
    inode: usize,
    sizes: Vec<usize>,
    sectors: Vec<Sector>,
}

/// Five hundred and twelve bytes that a cut leaves in any one of several versions.
struct Sector {
    at: usize,
    versions: Vec<Vec<u8>>,
}

/// The disks that a cut may leave, of which each is named by one number.
pub struct Images<'a> {
    disk: &'a InventedDisk,
    names: Vec<NameChange>,
    files: Vec<Unsettled>,
    count: u64,
}

fn sector_of(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut sector = bytes.get(at..(at + SECTOR).min(bytes.len())).unwrap_or_default().to_vec();
    sector.resize(SECTOR, 0);
    sector
}

impl Unsettled {
    fn new(number: usize, inode: &Inode) -> Option<Self> {
        let mut bytes = inode.synced.clone();
        let mut sectors: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for (at, written) in &inode.waiting {
            let reached = at / SECTOR * SECTOR..at + written.len();
            let before: Vec<_> =
                reached.clone().step_by(SECTOR).map(|at| sector_of(&bytes, at)).collect();
            put(&mut bytes, *at, written);
            for (at, before) in reached.step_by(SECTOR).zip(before) {
                let after = sector_of(&bytes, at);
                if after != before {
                    sectors.entry(at).or_insert_with(|| vec![before]).push(after);
                }
            }
        }
        let mut sizes = vec![inode.synced.len(), bytes.len().midpoint(inode.synced.len())];
        sizes.push(bytes.len());
        sizes.dedup();
        let sectors: Vec<_> =
            sectors.into_iter().map(|(at, versions)| Sector { at, versions }).collect();
        (sizes.len() > 1 || !sectors.is_empty()).then_some(Self { inode: number, sizes, sectors })
    }

    fn choices(&self) -> impl Iterator<Item = usize> {
        let sectors = self.sectors.iter().map(|sector| sector.versions.len());
        std::iter::once(self.sizes.len()).chain(sectors)
    }

    fn settled(&self, synced: &[u8], mut choose: impl FnMut(usize) -> usize) -> Vec<u8> {
        let mut bytes = synced.to_vec();
        bytes.resize(self.sizes[choose(self.sizes.len())], 0);
        for sector in &self.sectors {
            let version = &sector.versions[choose(sector.versions.len())];
            let to = (sector.at + SECTOR).min(bytes.len());
            if let Some(into) = bytes.get_mut(sector.at..to) {
                into.copy_from_slice(&version[..into.len()]);
            }
        }
        bytes
    }
}

impl Images<'_> {
    /// How many there are, the same ones included that come about in two ways.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The disk of a number below [`Images::count`]; 0 is the one that has lost all it may lose.
    #[must_use]
    pub fn image(&self, number: u64) -> InventedDisk {
        let mut left = number;
        let mut choose = |of: usize| {
            let chosen = left % of as u64;
            left /= of as u64;
            chosen as usize
        };
        let state = self.disk.0.borrow();
        let mut names = state.names_synced.clone();
        let kept = choose(self.names.len() + 1);
        self.names[..kept].iter().cloned().for_each(|done| change(&mut names, done));
        let mut inodes = vec![Inode::default(); state.inodes.len()];
        for (number, inode) in state.inodes.iter().enumerate() {
            let unsettled = self.files.iter().find(|file| file.inode == number);
            let bytes = unsettled.map(|file| file.settled(&inode.synced, &mut choose));
            if names.values().any(|named| *named == number) {
                let bytes = bytes.map_or_else(|| inode.synced.clone(), Rc::new);
                inodes[number] = Inode { now: bytes.clone(), synced: bytes, ..Inode::default() };
            }
        }
        InventedDisk(Rc::new(RefCell::new(State {
            inodes,
            names: names.clone(),
            names_synced: names,
            names_waiting: Vec::new(),
            ailments: Ailments::default(),
            off: false,
            room_bytes: state.room_bytes,
            operations: 0,
            delay: std::time::Duration::ZERO,
            random: Random::new(number),
        })))
    }
}

impl InventedDisk {
    /// The disks that a power cut may leave just now: any beginning of what names have waited for,
    /// and of each sector of each file any version that was ever written to it since its last sync.
    #[must_use]
    pub fn images(&self) -> Images<'_> {
        let state = self.0.borrow();
        let names = state.names_waiting.clone();
        let files: Vec<Unsettled> = state
            .inodes
            .iter()
            .enumerate()
            .filter(|(_, inode)| !inode.waiting.is_empty())
            .filter_map(|(number, inode)| Unsettled::new(number, inode))
            .collect();
        let choices = files.iter().flat_map(Unsettled::choices).map(|of| of as u64);
        let count = choices.fold(names.len() as u64 + 1, u64::saturating_mul);
        Images { disk: self, names, files, count }
    }

    /// The same disk in another process's hands, after the one that wrote was killed: what waits
    /// still waits, and power is there.
    #[must_use]
    pub fn outlived(&self) -> Self {
        let state = self.0.borrow();
        Self(Rc::new(RefCell::new(State {
            inodes: state.inodes.clone(),
            names: state.names.clone(),
            names_synced: state.names_synced.clone(),
            names_waiting: state.names_waiting.clone(),
            ailments: Ailments::default(),
            off: false,
            room_bytes: state.room_bytes,
            operations: 0,
            delay: std::time::Duration::ZERO,
            random: Random::new(0),
        })))
    }

    /// One number for all that is durable: names, sizes, and every sector that is not zeros.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let state = self.0.borrow();
        for (name, inode) in &state.names_synced {
            let bytes = &state.inodes[*inode].synced;
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update((bytes.len() as u64).to_le_bytes());
            for (at, sector) in bytes.chunks(SECTOR).enumerate() {
                if sector != &[0; SECTOR][..sector.len()] {
                    hasher.update((at as u64).to_le_bytes());
                    hasher.update(sector);
                }
            }
            hasher.update([0xFF; 8]);
        }
        hasher.finalize().into()
    }
}
