//! A folder of segment files that holds anything: the log must open, take, read and open again.
//!
//! Shape:  an input is a row of entries, each a file: kind of name 1, ordinal 1, lane 1, segment 1,
//! size in units of 4 KiB 1, chunks 1; each chunk: record 1, offset in bytes 4, length 2, its
//! bytes. A chunk that is a record gets the mark, index and checksum that the segment asks for, so
//! that mutations reach what stands behind the checksum.

use std::cell::RefCell;

use agent::buffer::disk::{Disk, DiskFile};
use agent::buffer::segment::FileName;
use agent::buffer::{Buffer, Position, Quota, Writer};
use agent::seal::sealer::Seal;
use wire::batch::{self, Batch};
use wire::identity::{BootId, Lane, SegmentId};
use wire::segment::Suite;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

use crate::disk::InventedDisk;
use crate::fleet::{Fleet, named};

/// A part of a file.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Its index, if it is a record that shall be wrapped.
    pub record: Option<u8>,
    /// Where it begins.
    pub offset: u32,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// One file of an input.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Kind of name: segment, finished, abandoned, spare, anything.
    pub name: u8,
    /// Ordinal.
    pub ordinal: u8,
    /// Lane.
    pub lane: u8,
    /// Every byte of the segment's id.
    pub segment: u8,
    /// Size, 4 KiB.
    pub pages: u8,
    /// What stands in it.
    pub chunks: Vec<Chunk>,
}

/// Files of one input at most, and what all of them take.
const FILES_MAX: usize = 12;
const ROOM_BYTES: usize = 16 * 1024 * 1024;
/// No input holds so many records: reading that does not end is found.
const RECORDS_MAX: u32 = 20_000;
/// Lanes that take a batch after the start.
const TAKES: [Lane; 2] = [Lane::Alert, Lane::Vital];
const PLAIN: u8 = 0xff;

const CLOCK: ClockState = ClockState {
    epoch: 0,
    monotonic: MonotonicNanos(900_000_000_000),
    utc: Some(UnixNanos(1_790_000_000_000_000_000)),
    error_us: 500,
    source: TimeSource::Network,
};

thread_local! {
    static FLEET: RefCell<Option<Fleet>> = const { RefCell::new(None) };
}

/// Writes entries as an input.
#[must_use]
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let Entry { name, ordinal, lane, segment, pages, chunks } = entry;
        out.extend([*name, *ordinal, *lane, *segment, *pages, chunks.len() as u8]);
        for chunk in chunks {
            out.push(chunk.record.unwrap_or(PLAIN));
            out.extend(chunk.offset.to_be_bytes());
            out.extend((chunk.bytes.len() as u16).to_be_bytes());
            out.extend(&chunk.bytes);
        }
    }
    out
}

fn decode(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < FILES_MAX
        && let Some((head, mut rest)) = bytes.split_first_chunk::<6>()
    {
        let [name, ordinal, lane, segment, pages, count] = *head;
        let mut chunks = Vec::new();
        for _ in 0..count {
            let Some((head, more)) = rest.split_first_chunk::<7>() else { break };
            let [record, a, b, c, d, e, f] = *head;
            let length = usize::from(u16::from_be_bytes([e, f])).min(more.len());
            let record = (record != PLAIN).then_some(record);
            let offset = u32::from_be_bytes([a, b, c, d]);
            chunks.push(Chunk { record, offset, bytes: more[..length].to_vec() });
            rest = &more[length..];
        }
        entries.push(Entry { name, ordinal, lane, segment, pages, chunks });
        bytes = rest;
    }
    entries
}

impl Entry {
    fn id(&self) -> SegmentId {
        SegmentId([self.segment; 16])
    }

    fn file_name(&self) -> String {
        let lane = Lane::ALL[usize::from(self.lane) % Lane::ALL.len()];
        let (ordinal, segment) = (u64::from(self.ordinal), self.id());
        let name = FileName { ordinal, lane, segment, cut: None, done: false };
        match self.name % 6 {
            0 => name.to_string(),
            1 => FileName { done: true, ..name }.to_string(),
            2 => FileName { cut: Some(u32::from(self.pages) % 8), ..name }.to_string(),
            3 => format!("spare-{ordinal:012}"),
            4 => format!("fresh-{ordinal:012}"),
            _ => format!("{name}.bad"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::from(self.pages) * 4096];
        for chunk in &self.chunks {
            let part = match chunk.record {
                Some(index) => wrapped(self.id(), index.into(), &chunk.bytes),
                None => chunk.bytes.clone(),
            };
            let room = bytes.get_mut(chunk.offset as usize..).unwrap_or_default();
            let length = part.len().min(room.len());
            room[..length].copy_from_slice(&part[..length]);
        }
        bytes
    }
}

/// A record as it lies in a segment file.
fn wrapped(segment: SegmentId, index: u32, bytes: &[u8]) -> Vec<u8> {
    let id = segment.0;
    let length = (bytes.len() as u32).to_le_bytes();
    let summed = [&id[..], &index.to_le_bytes(), &length, bytes].concat();
    let mark = [id[0] ^ b'W', id[1] ^ b'L', id[2] ^ b'R', id[3] ^ b'1'];
    [&mark[..], &length, &index.to_le_bytes(), &crc32c(&summed).to_le_bytes(), bytes].concat()
}

/// CRC-32C, bit by bit.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82F6_3B78 & (sum & 1).wrapping_neg())
        })
    })
}

fn open(disk: &InventedDisk) -> Buffer<InventedDisk, Seal> {
    let sealer = FLEET.with_borrow_mut(|fleet| {
        let fleet = fleet.get_or_insert_with(|| Fleet::new(Suite::X25519));
        Seal::new(Fleet::signer(named("gw-1")), fleet.keyring.clone(), fleet.suite)
    });
    let quota = Quota { bytes_max: 64 << 20, free_bytes_min: 0, keep_seconds: 3600 };
    let writer = Writer { gateway: named("gw-1"), boot: BootId([1; 16]), software: "fuzz".into() };
    let opened = Buffer::recover(disk.clone(), sealer, writer, quota, &CLOCK);
    opened.expect("a folder that can be listed can be opened").0
}

/// Reads whatever would be sent; every record of it.
fn read_all(log: &mut Buffer<InventedDisk, Seal>) {
    let mut left = RECORDS_MAX;
    for lane in Lane::ALL {
        let mut from = Position::default();
        while let Some(at) = log.next_unreceipted(lane, from, &CLOCK) {
            assert!(at.position >= from, "reading goes back");
            drop(log.read(at.position, &CLOCK));
            from = Position { index: at.position.index.saturating_add(1), ..at.position };
            left = left.checked_sub(1).expect("reading comes to an end");
        }
    }
}

/// A folder of any bytes: opens, takes batches, is read to its end, and opens again.
pub fn recovery(bytes: &[u8]) {
    let disk = InventedDisk::new(1, ROOM_BYTES);
    for entry in decode(bytes) {
        let planted = disk.create(&entry.file_name()).and_then(|file| {
            file.write_at(&entry.bytes(), 0)?;
            file.sync()
        });
        planted.expect("an empty disk takes a few files");
    }
    disk.sync_names().expect("nothing ails the disk");
    let empty = Batch { clock: CLOCK, shapes: Vec::new(), blocks: Vec::new() };
    let plaintext = batch::encode(&empty).expect("nothing fits a frame");
    let mut log = open(&disk);
    for lane in TAKES {
        log.append(lane, &plaintext, 1, &CLOCK).expect("a log that opened takes a batch");
    }
    log.commit(&CLOCK).expect("what was taken becomes durable");
    assert_eq!(log.figures().readings_accepted, TAKES.len() as u64);
    read_all(&mut log);
    log.commit(&CLOCK).expect("gaps become durable");
    drop(log);
    read_all(&mut open(&disk));
}
