//! How the trail lies on the medium.
//!
//! Shape:  three files in turn, each a row of entries: order `u64`, length `u16`, the signed bytes,
//! CRC-32C of all that, big-endian. The order counts every entry that was ever written here.
//! Order:  an entry is durable before the next one is written. A file that is full, or whose
//! writing failed, is followed by another one, in the place of the oldest.
//! Damage: what does not check is stepped over. Behind the newest entry it is a torn end, which is
//! cut off.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Result};

use wire::audit::AuditEntry;
use wire::limits::AUDIT_BYTES_MAX;

use crate::buffer::disk::{Disk, DiskFile};
use crate::buffer::segment::read_around;

const NAMES: [&str; 3] = ["audit-1", "audit-2", "audit-3"];
/// One that has no place yet.
const FRESH: &str = "audit-new";
/// Two files are whole at least: some 800 entries, a year of a quiet gateway.
pub(super) const FILE_BYTES_MAX: u64 = 128 * 1024;
/// Order and length.
const HEAD_BYTES: usize = 8 + 2;
const SUM_BYTES: usize = 4;

/// What the medium has kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Entries with their signed bytes, oldest first.
    pub entries: Vec<(AuditEntry, Vec<u8>)>,
    /// Behind the newest one stood what is none.
    pub torn: bool,
    /// Between others stood what is none.
    pub damaged: bool,
}

/// Reads what the medium has kept, and changes nothing.
///
/// # Errors
/// The disk's.
pub fn read<D: Disk>(disk: &D) -> Result<Kept> {
    Ok(sort(&mut find(disk)?))
}

/// One of the files.
struct Found<F> {
    place: usize,
    file: F,
    seen: Seen,
}

/// What was read of a file.
struct Seen {
    size: u64,
    entries: Vec<(u64, AuditEntry, Vec<u8>)>,
    /// Order of its newest entry; 0 if it has none.
    newest: u64,
    /// End of that.
    end: u64,
    has_holes: bool,
    has_tail: bool,
}

fn find<D: Disk>(disk: &D) -> Result<Vec<Found<D::File>>> {
    let listed = disk.list()?;
    let mut all = Vec::new();
    for (place, name) in NAMES.into_iter().enumerate() {
        if !listed.iter().any(|(known, _)| known == name) {
            continue;
        }
        match disk.open(name) {
            Ok(file) => {
                let seen = look_twice(&file)?;
                all.push(Found { place, file, seen });
            }
            // A folder in its place holds nothing of ours.
            Err(error) if error.kind() == ErrorKind::IsADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// A medium may give back something older once, or of another place: more entries count.
fn look_twice(file: &impl DiskFile) -> Result<Seen> {
    let (seen, again) = (look(file)?, look(file)?);
    Ok(if again.entries.len() > seen.entries.len() { again } else { seen })
}

fn look(file: &impl DiskFile) -> Result<Seen> {
    let size = file.size()?;
    let mut bytes = vec![0; usize::try_from(size.min(FILE_BYTES_MAX)).unwrap_or(0)];
    let length = read_around(file, &mut bytes, 0)?;
    bytes.truncate(length);
    let (mut entries, mut newest, mut end) = (Vec::new(), 0, 0);
    let (mut at, mut has_holes) = (0, false);
    while at < bytes.len() {
        let Some((order, entry, signed)) = entry_at(&bytes[at..]) else {
            at += 1;
            continue;
        };
        has_holes |= at > end;
        at += HEAD_BYTES + signed.len() + SUM_BYTES;
        end = at;
        newest = newest.max(order);
        entries.push((order, entry, signed));
    }
    let has_tail = bytes[end..].iter().any(|byte| *byte != 0);
    Ok(Seen { size, entries, newest, end: end as u64, has_holes, has_tail })
}

/// The whole entry with which these bytes begin.
fn entry_at(bytes: &[u8]) -> Option<(u64, AuditEntry, Vec<u8>)> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let (order, length) = head.split_first_chunk::<8>()?;
    let length = usize::from(u16::from_be_bytes(*length.first_chunk::<2>()?));
    if !(1..=AUDIT_BYTES_MAX).contains(&length) {
        return None;
    }
    let signed = rest.get(..length)?;
    let sum = u32::from_be_bytes(*rest.get(length..)?.first_chunk::<SUM_BYTES>()?);
    if crc32c::crc32c(&bytes[..HEAD_BYTES + length]) != sum {
        return None;
    }
    Some((u64::from_be_bytes(*order), AuditEntry::read(signed).ok()?, signed.to_vec()))
}

fn wrap(order: u64, signed: &[u8]) -> Vec<u8> {
    let length = u16::try_from(signed.len()).unwrap_or(u16::MAX);
    let mut bytes = [&order.to_be_bytes()[..], &length.to_be_bytes(), signed].concat();
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

/// All entries in their order; one that was written twice stands there once.
fn sort<F>(all: &mut [Found<F>]) -> Kept {
    let newest = all.iter().map(|found| found.seen.newest).max().unwrap_or(0);
    let mut kept = Kept::default();
    let mut entries = BTreeMap::new();
    for Found { seen, .. } in all {
        let is_newest = seen.newest == newest;
        kept.torn |= seen.has_tail && is_newest;
        kept.damaged |= seen.has_holes || (seen.has_tail && !is_newest);
        let taken = std::mem::take(&mut seen.entries).into_iter();
        entries.extend(taken.map(|(order, entry, signed)| (order, (entry, signed))));
    }
    kept.entries = entries.into_values().collect();
    kept
}

/// Files that are written.
pub(super) struct Files<F> {
    /// None after a write that failed: nothing is known of the file then.
    file: Option<F>,
    place: usize,
    end: u64,
    /// Order of the newest entry of all.
    order: u64,
    /// Order of the newest entry of each file.
    newest: [u64; NAMES.len()],
    bytes_max: u64,
}

impl<F: DiskFile> Files<F> {
    /// Opens them, and cuts a torn end off.
    pub(super) fn open<D: Disk<File = F>>(disk: &D, bytes_max: u64) -> Result<(Self, Kept)> {
        let mut all = find(disk)?;
        let kept = sort(&mut all);
        let mut files =
            Self { file: None, place: 0, end: 0, order: 0, newest: [0; NAMES.len()], bytes_max };
        all.iter().for_each(|found| files.newest[found.place] = found.seen.newest);
        let last = all.into_iter().max_by_key(|found| found.seen.newest);
        let newest = kept.entries.last().map(|(_, signed)| signed);
        let last = last.filter(|found| found.seen.newest > 0).zip(newest);
        if let Some((Found { place, file, seen }, signed)) = last {
            files.order = seen.newest;
            (files.place, files.end) = (place, seen.end);
            match renew(&file, &seen, signed) {
                Ok(()) => files.file = Some(file),
                Err(error) => {
                    tracing::warn!(%error, "the audit trail goes on in another file");
                    files.order -= 1;
                    files.append(disk, signed)?;
                }
            }
        }
        Ok((files, kept))
    }

    /// Appends an entry; it is durable when this returns.
    ///
    /// # Errors
    /// The disk's: then nothing is known of it, and the same bytes are to be appended again.
    pub(super) fn append<D: Disk<File = F>>(&mut self, disk: &D, signed: &[u8]) -> Result<()> {
        let order = self.order + 1;
        let bytes = wrap(order, signed);
        if self.end + bytes.len() as u64 > self.bytes_max {
            self.file = None;
        }
        if self.file.is_none() {
            self.turn(disk)?;
        }
        let Some(file) = &self.file else { return Err(ErrorKind::NotFound.into()) };
        if let Err(error) = file.write_at(&bytes, self.end).and_then(|()| file.sync()) {
            self.file = None;
            return Err(error);
        }
        self.end += bytes.len() as u64;
        (self.order, self.newest[self.place]) = (order, order);
        Ok(())
    }

    /// Begins a file in the place of the one whose entries are the oldest, never of the newest.
    fn turn<D: Disk<File = F>>(&mut self, disk: &D) -> Result<()> {
        let mut places: Vec<usize> = (0..NAMES.len()).collect();
        places.sort_by_key(|place| self.newest[*place]);
        let mut result = Err(ErrorKind::NotFound.into());
        for place in places.into_iter().take(NAMES.len() - 1) {
            // Another file than the one whose writing failed: nothing is known of that.
            let made = disk.create(FRESH).and_then(|file| {
                disk.rename(FRESH, NAMES[place])?;
                disk.sync_names().map(|()| file)
            });
            match made {
                Ok(file) => {
                    self.newest[place] = 0;
                    (self.file, self.place, self.end) = (Some(file), place, 0);
                    return Ok(());
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

/// Writes the newest entry once more, the same bytes, and zeros over a torn end: what a process
/// that was killed has written last, the medium may have forgotten, and memory shows it still.
fn renew(file: &impl DiskFile, seen: &Seen, signed: &[u8]) -> Result<()> {
    let mut bytes = wrap(seen.newest, signed);
    let at = seen.end.saturating_sub(bytes.len() as u64);
    if seen.has_tail {
        let tail = seen.size.saturating_sub(seen.end).min(FILE_BYTES_MAX);
        bytes.resize(bytes.len() + usize::try_from(tail).unwrap_or(0), 0);
    }
    file.write_at(&bytes, at)?;
    file.sync()
}
