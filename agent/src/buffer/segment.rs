//! How one segment lies in its file, and how it is read back without any key.
//!
//! Shape:  8 KiB header slot; records, as [`wire::card`] has them; the header's second slot at 120
//! KiB; records from 128 KiB. Behind the last record its block is zeros, so that a block which the
//! medium destroyed is told from one that was never written.
//! Order:  index 0 is the header; frames and gaps follow from 1 without holes.

use std::borrow::Cow;
use std::io::Result;

use wire::card::{self, HEAD_BYTES};
use wire::frame::{Record, RecordKind, hash_of, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{RecordHash, SegmentId};
use wire::limits::{FRAME_BYTES_MAX, HEADER_BYTES_MAX};
use wire::segment::{Header, read_header_payload};

use super::disk::DiskFile;
use crate::limits::SEGMENT_STEP_BYTES;
pub use wire::card::FileName;

/// Bytes before a record's own.
pub(super) const RECORD_HEAD_BYTES: u64 = HEAD_BYTES as u64;
const SLOT_BYTES: u64 = 8 * 1024;
const SECOND_SLOT: u64 = 120 * 1024;
const AFTER_SECOND_SLOT: u64 = SECOND_SLOT + SLOT_BYTES;
const READ_BYTES: usize = 1024 * 1024;
/// What a medium gives back or not, and destroys, as a whole.
const PIECE_BYTES: usize = 4096;

const _: () = assert!(HEADER_BYTES_MAX + HEAD_BYTES <= SLOT_BYTES as usize + HEAD_BYTES);
const _: () = assert!(AFTER_SECOND_SLOT <= SEGMENT_STEP_BYTES);

/// Where the records begin.
pub(super) const RECORDS_START: u64 = SLOT_BYTES;

/// Both places of the header.
pub(super) const HEADER_SLOTS: [u64; 2] = [0, SECOND_SLOT];

/// Bytes that a record of this length takes.
pub(super) const fn padded(length: usize) -> u64 {
    card::padded(length) as u64
}

/// Where a record of this length goes when the last one ended at `at`.
pub(super) const fn place(at: u64, length: usize) -> u64 {
    if at < AFTER_SECOND_SLOT && at + padded(length) > SECOND_SLOT { AFTER_SECOND_SLOT } else { at }
}

/// The blocks that are zeroed before a recycled file takes its first records: where no record
/// before them runs into them.
pub(super) const FIRST_BLOCKS: [u64; 2] = [RECORDS_START, AFTER_SECOND_SLOT];

/// Zeros that belong behind a record which ends at `end`: to the end of the block in which the
/// next one begins.
pub(super) const fn zeros_after(end: u64) -> usize {
    if end == SECOND_SLOT { 0 } else { PIECE_BYTES - end as usize % PIECE_BYTES }
}

/// A block of zeros.
pub(super) const ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// A record with its head and padding, as it is written to a file of this medium.
pub(super) fn wrap(file: &impl DiskFile, segment: SegmentId, index: u32, bytes: &[u8]) -> Vec<u8> {
    card::wrap(&file.veil(), segment, index, bytes)
}

/// Where a record lies, and what a gap would need to say of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Index in the segment.
    pub index: u32,
    /// Offset of its bytes in the file.
    pub offset: u64,
    /// Length of its bytes.
    pub length: u32,
    /// Signed part.
    pub hash: RecordHash,
    /// Signed part of the record before it, as it says.
    pub previous: RecordHash,
    /// Frame or gap.
    pub kind: RecordKind,
    /// Lane sequence of the first reading and of the one after the last; equal if none.
    pub sequences: (u64, u64),
    /// Fewest and most readings that are missing if it is: its own, or those of the gap.
    pub readings: (u64, u64),
}

/// What a segment file holds.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The header, its bytes and its hash, if a slot was whole.
    pub header: Option<HeaderFound>,
    /// Whether both slots of the header were whole.
    pub header_twice: bool,
    /// Frames and gaps in order of their index.
    pub places: Vec<Place>,
    /// Indexes that are missing before a record that is there, ends included.
    pub holes: Vec<(u32, u32)>,
    /// End of the last whole record.
    pub end: u64,
    /// Behind the end stands what is neither a whole record nor zeros.
    pub torn_tail: bool,
    /// Size of the file.
    pub size: u64,
}

impl Scan {
    /// Forgets the records behind an index: they were abandoned, see [`FileName::cut`]. Those
    /// before it were durable, so that one that is not there is missing.
    pub fn cut_at(&mut self, cut: u32) {
        self.places.retain(|place| place.index <= cut);
        self.holes.retain(|(first, _)| *first <= cut);
        self.torn_tail = false;
        let reached = self.places.last().map_or(0, |last| last.index);
        let holed = self.holes.last().map_or(0, |(_, last)| *last);
        let next = reached.max(holed) + 1;
        if next <= cut {
            self.holes.push((next, cut));
        }
    }
}

/// Reads one record's bytes back and checks them.
///
/// # Errors
/// The disk's. `Ok(None)` when the bytes do not check.
pub fn read_place(
    file: &impl DiskFile,
    segment: SegmentId,
    place: &Place,
) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; HEAD_BYTES + place.length as usize];
    let count = file.read_at(&mut bytes, place.offset - HEAD_BYTES as u64)?;
    let whole = count == bytes.len();
    let found = whole.then(|| card::check(segment, &bytes)).flatten();
    let found =
        found.filter(|found| (found.index, found.length) == (place.index, place.length as usize));
    let body = found.and_then(|found| card::body(&file.veil(), segment, found, &bytes));
    Ok(body.map(Cow::into_owned))
}

/// What stands for a piece that the medium does not give back: no zeros, which would mean that
/// nothing was ever written there.
const UNREADABLE: u8 = 0xFF;

/// Reads what the medium gives back; a piece that it does not is [`UNREADABLE`].
pub(crate) fn read_around(file: &impl DiskFile, into: &mut [u8], offset: u64) -> Result<usize> {
    let whole = file.read_at(into, offset);
    if whole.is_ok() {
        return whole;
    }
    let size = file.size()?;
    let mut done = 0;
    for piece in into.chunks_mut(PIECE_BYTES) {
        let left = size.saturating_sub(offset + done as u64);
        if left == 0 {
            break;
        }
        let count = file.read_at(piece, offset + done as u64).unwrap_or_else(|_| {
            piece.fill(UNREADABLE);
            piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))
        });
        done += count;
    }
    Ok(done)
}

/// Writes a header's slots again where they no longer hold it.
///
/// # Errors
/// The disk's.
pub(super) fn heal(file: &impl DiskFile, segment: SegmentId, header: &[u8]) -> Result<()> {
    let size = file.size()?;
    for slot in HEADER_SLOTS {
        let good = read_slot(file, segment, slot)?.as_deref() == Some(header);
        if !good && slot + SLOT_BYTES <= size {
            file.write_at(&wrap(file, segment, 0, header), slot)?;
        }
    }
    file.sync()
}

fn read_slot(file: &impl DiskFile, segment: SegmentId, slot: u64) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; SLOT_BYTES as usize];
    let count = read_around(file, &mut bytes, slot)?;
    let found = card::check(segment, &bytes[..count]).filter(|found| found.index == 0);
    let body = found.and_then(|found| card::body(&file.veil(), segment, found, &bytes));
    Ok(body.map(Cow::into_owned))
}

/// A header with its bytes and its hash.
pub type HeaderFound = (Header, Vec<u8>, RecordHash);

/// The header from the first slot that is whole, and whether both are.
///
/// # Errors
/// The disk's.
pub fn scan_header(
    file: &impl DiskFile,
    segment: SegmentId,
) -> Result<(Option<HeaderFound>, bool)> {
    let copies =
        [read_slot(file, segment, HEADER_SLOTS[0])?, read_slot(file, segment, HEADER_SLOTS[1])?];
    let twice = copies[0].is_some() && copies[0] == copies[1];
    let header = copies.into_iter().flatten().find_map(|bytes| {
        let record = Record::parse(&bytes).ok()?;
        let (header, _, _) = read_header_payload(record.payload).ok()?;
        let hash = record.hash();
        (header.segment == segment).then_some((header, bytes, hash))
    });
    Ok((header, twice))
}

/// Reads a whole segment: checks checksums and shapes, needs no key.
///
/// Cost:   one pass over the file; the memory of one megabyte and of the places.
///
/// # Errors
/// Only when the disk cannot be read at all; damage is part of the result.
pub fn scan(file: &impl DiskFile, segment: SegmentId) -> Result<Scan> {
    let size = file.size()?;
    let (header, header_twice) = scan_header(file, segment)?;
    let mut scan = Scan {
        header,
        header_twice,
        places: Vec::new(),
        holes: Vec::new(),
        end: RECORDS_START,
        torn_tail: false,
        size,
    };
    walk(file, segment, &mut scan)?;
    scan.torn_tail |= is_spoilt_after(file, &scan)?;
    // No file of ours is ever so short: its end was cut off.
    scan.torn_tail |= size < SEGMENT_STEP_BYTES;
    Ok(scan)
}

/// Whether the block in which the next record would begin is not zeros.
fn is_spoilt_after(file: &impl DiskFile, scan: &Scan) -> Result<bool> {
    for at in [scan.end, place(scan.end, FRAME_BYTES_MAX)] {
        let mut bytes = vec![0; zeros_after(at)];
        let count = if at < scan.size { read_around(file, &mut bytes, at)? } else { 0 };
        if bytes[..count].iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A sliding window over a file.
struct Window<'a, F> {
    file: &'a F,
    bytes: Vec<u8>,
    start: u64,
    size: u64,
    /// The file has nothing behind `bytes`.
    last: bool,
}

impl<F: DiskFile> Window<'_, F> {
    /// At least `wanted` bytes from `at`, fewer only at the end of the file.
    fn at(&mut self, at: u64, wanted: usize) -> Result<&[u8]> {
        let held = self.start + self.bytes.len() as u64;
        if at < self.start || (at + wanted as u64 > held && !self.last) {
            let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
            self.bytes.resize(READ_BYTES.max(wanted).min(left.saturating_add(1)), 0);
            let count = read_around(self.file, &mut self.bytes, at)?;
            self.last = count < self.bytes.len();
            self.bytes.truncate(count);
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).unwrap_or_default())
    }
}

fn walk(file: &impl DiskFile, segment: SegmentId, scan: &mut Scan) -> Result<()> {
    let mut window = Window { file, bytes: Vec::new(), start: 0, size: scan.size, last: false };
    let (veil, mut at) = (file.veil(), RECORDS_START);
    while at + RECORD_HEAD_BYTES <= scan.size {
        if (SECOND_SLOT..AFTER_SECOND_SLOT).contains(&at) {
            at = AFTER_SECOND_SLOT;
            continue;
        }
        let bytes = window.at(at, HEAD_BYTES + FRAME_BYTES_MAX)?;
        if let Some(found) = card::check(segment, bytes)
            && let Some(body) = card::body(&veil, segment, found, bytes)
            && let Some(place) = describe(&body, found.index, at)
        {
            admit(scan, place);
            at += padded(found.length);
            scan.end = at;
            scan.torn_tail = false;
            continue;
        }
        scan.torn_tail |= card::begins(segment, bytes);
        at += card::to_next(segment, bytes) as u64;
    }
    Ok(())
}

fn admit(scan: &mut Scan, place: Place) {
    let expected = scan.places.last().map_or(1, |last| last.index + 1);
    if place.index < expected {
        return;
    }
    if place.index > expected {
        scan.holes.push((expected, place.index - 1));
    }
    scan.places.push(place);
}

fn describe(bytes: &[u8], index: u32, at: u64) -> Option<Place> {
    let record = Record::parse(bytes).ok()?;
    let (previous, sequences, readings, stated) = match record.kind {
        RecordKind::Header => return None,
        RecordKind::Frame => {
            let (core, _, _) = read_frame_payload(record.payload).ok()?;
            let (first, end) = (core.sequence_first, core.sequence_last.checked_add(1)?);
            (core.previous, (first, end), (end - first, end - first), core.index)
        }
        RecordKind::Gap => {
            let gap = Gap::decode(record.payload).ok()?;
            (gap.previous, (0, 0), gap.hole.readings, gap.index)
        }
    };
    (stated == index).then(|| Place {
        index,
        offset: at + RECORD_HEAD_BYTES,
        length: bytes.len() as u32,
        hash: hash_of(record.signed),
        previous,
        kind: record.kind,
        sequences,
        readings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_crosses_the_second_header() {
        assert_eq!(place(8192, 100), 8192);
        assert_eq!(place(SECOND_SLOT - 100, 200), AFTER_SECOND_SLOT);
        assert_eq!(place(AFTER_SECOND_SLOT, 60_000), AFTER_SECOND_SLOT);
    }
}
