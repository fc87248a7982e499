//! O6: what was acknowledged or published is on the disk, whatever a power cut takes then.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use agent::buffer::disk::DiskFile;
use agent::buffer::segment::{FileName, Scan, scan};
use wire::identity::SegmentId;

use crate::disk::InventedDisk;
use crate::world::books::{Place, Reading, SharedBooks};
use crate::world::forger::identity_of;

/// A file's bytes, to be looked at as if they lay on a disk.
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = (offset as usize).min(self.0.len());
        let count = into.len().min(self.0.len() - from);
        into[..count].copy_from_slice(&self.0[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

/// The records of a file as a start would find them.
pub(super) fn found_in(name: &FileName, bytes: Vec<u8>) -> Option<Scan> {
    let mut found = scan(&Bytes(bytes), name.segment).ok()?;
    if let Some(cut) = name.cut {
        found.cut_at(cut);
    }
    Some(found)
}

fn indexes(found: &Scan) -> BTreeSet<u32> {
    let header = found.header.iter().map(|_| 0);
    header.chain(found.places.iter().map(|place| place.index)).collect()
}

/// At the moment of an acknowledgement a power cut that loses all it may loses none of it.
pub fn readings(disk: &InventedDisk, books: &SharedBooks, fresh: &[Reading]) {
    let mut there: BTreeMap<SegmentId, BTreeSet<u32>> = BTreeMap::new();
    for (name, bytes) in disk.durable_files(|_| true) {
        let Some(name) = FileName::parse(&name) else { continue };
        let Some(found) = found_in(&name, bytes) else { continue };
        there.insert(name.segment, indexes(&found));
    }
    let books = &mut *books.borrow_mut();
    for reading in fresh {
        let places = books.sealed.get(reading).cloned().unwrap_or_default();
        // A segment that is not there any more was receipted or declared: O1 looks after it.
        let gone = places.iter().any(|(segment, _)| !there.contains_key(segment));
        let is_there = |(segment, index): &Place| {
            there.get(segment).is_some_and(|there| there.contains(index))
        };
        let declared = places.iter().any(|place| {
            books.gaps.iter().any(|gap| {
                let (first, last) = gap.hole.indexes;
                gap.hole.segment == Some(place.0) && (first..=last).contains(&place.1)
            })
        });
        if !(gone || declared || places.iter().any(is_there)) {
            let what = format!("{reading:?} is acknowledged and not durable: {places:?}");
            books.violate("O6 durable", what);
        }
    }
}

/// At the moment a record is published a power cut that loses all it may leaves it.
pub fn record(disk: &InventedDisk, books: &SharedBooks, bytes: &[u8]) {
    let Some((segment, index, _)) = identity_of(bytes) else { return };
    let is_its = |name: &str| FileName::parse(name).is_some_and(|name| name.segment == segment);
    let mut files = disk.durable_files(is_its).into_iter();
    let file = files.find_map(|(name, bytes)| found_in(&FileName::parse(&name)?, bytes));
    if !file.is_some_and(|found| indexes(&found).contains(&index)) {
        let what = format!("record {index} of {segment} is published and not durable");
        books.borrow_mut().violate("O6 durable", what);
    }
}
