//! The log by itself: one record spoilt, one record refused.

use agent::buffer::disk::{Disk, DiskFile};
use agent::buffer::segment::{FileName, scan};
use agent::buffer::{Buffer, Position, Quota, Writer};
use agent::seal::sealer::Seal;
use wire::frame::{Record, RecordKind};
use wire::gap::Gap;
use wire::identity::{BootId, Lane};
use wire::receipt::{Disposition, Range, Reason};
use wire::segment::Suite;
use wire::time::{ClockState, MonotonicNanos, TimeSource};

use super::demand;
use crate::disk::{InventedDisk, InventedFile};
use crate::fleet::{Fleet, named};

type Log = Buffer<InventedDisk, Seal>;

/// Frames in the log of a trial.
const FRAMES: u32 = 8;

fn clock(seconds: u64) -> ClockState {
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(seconds * 1_000_000_000),
        utc: None,
        error_us: u64::MAX,
        source: TimeSource::None,
    }
}

fn start(disk: &InventedDisk, now: &ClockState) -> Result<Log, String> {
    let (fleet, gateway) = (Fleet::new(Suite::X25519), named("gw-1"));
    let seal = Seal::new(Fleet::signer(gateway), fleet.keyring, Suite::X25519);
    let writer = Writer { gateway, boot: BootId([1; 16]), software: "trial".into() };
    let quota = Quota { bytes_max: 64 << 20, free_bytes_min: 0, keep_seconds: 1_000_000 };
    let log = Buffer::recover(disk.clone(), seal, writer, quota, now);
    log.map(|(log, _)| log).map_err(|error| error.to_string())
}

fn filled(disk: &InventedDisk) -> Result<Log, String> {
    let mut log = start(disk, &clock(1))?;
    for number in 0..FRAMES {
        // An array of one byte string.
        let plaintext = [&[0x81, 0x58, 200][..], &[number as u8; 200]].concat();
        let appended = log.append(Lane::Vital, &plaintext, 1, &clock(2));
        appended.and_then(|()| log.commit(&clock(2))).map_err(|error| error.to_string())?;
    }
    Ok(log)
}

/// Every record of the vital lane that can still be read.
fn readable(log: &mut Log) -> Vec<(Position, Vec<u8>)> {
    let (mut records, mut from) = (Vec::new(), Position::default());
    while let Some(next) = log.next_unreceipted(Lane::Vital, from, &clock(5)) {
        from = Position { index: next.position.index + 1, ..next.position };
        if let Some(bytes) = log.read(next.position, &clock(5)) {
            records.push((next.position, bytes));
        }
    }
    records
}

/// A bit that flips in one record costs that record and no other, and the gap names it alone.
pub(super) fn one_bad_record() -> Result<(), String> {
    for hit in 1..FRAMES {
        let disk = InventedDisk::new(1, 16 << 20);
        drop(filled(&disk)?);
        let name = disk.names().into_iter().find(|name| name.ends_with(".seg"));
        let name = name.ok_or("no segment")?;
        let segment = FileName::parse(&name).ok_or("no name of ours")?.segment;
        let file = disk.open(&name).map_err(|error| error.to_string())?;
        let found = scan(&file, segment).map_err(|error| error.to_string())?;
        let at = found.places[hit as usize - 1].offset + 100;
        let mut byte = [0];
        file.read_at(&mut byte, at).map_err(|error| error.to_string())?;
        file.write_at(&[byte[0] ^ 4], at).map_err(|error| error.to_string())?;

        let mut log = start(&disk, &clock(4))?;
        let first = readable(&mut log);
        log.commit(&clock(5)).map_err(|error| error.to_string())?;
        let records = readable(&mut log);

        let frames = first.iter().filter(|(position, bytes)| {
            position.index > 0
                && Record::parse(bytes).is_ok_and(|record| record.kind == RecordKind::Frame)
        });
        let left = frames.count() as u32;
        demand(left == FRAMES - 1, format!("record {hit} is spoilt and {left} can be read"))?;
        let gaps = records.iter().filter_map(|(_, bytes)| {
            let record = Record::parse(bytes).ok()?;
            if record.kind == RecordKind::Gap { Gap::decode(record.payload).ok() } else { None }
        });
        let indexes: Vec<_> = gaps.map(|gap| gap.hole.indexes).collect();
        demand(indexes == [(hit, hit)], format!("record {hit} is spoilt, the gaps: {indexes:?}"))?;
    }
    Ok(())
}

/// The file of the only segment of the vital lane, and its name.
fn segment_file(disk: &InventedDisk) -> Result<(FileName, InventedFile), String> {
    let vital = |name: &String| FileName::parse(name).filter(|name| name.lane == Lane::Vital);
    let name = disk.names().iter().find_map(vital).ok_or("no segment")?;
    let file = disk.open(&name.to_string()).map_err(|error| error.to_string())?;
    Ok((name, file))
}

/// A length that is no length costs its record, and nothing else.
pub(super) fn spoilt_length() -> Result<(), String> {
    let disk = InventedDisk::new(1, 16 << 20);
    drop(filled(&disk)?);
    let (name, file) = segment_file(&disk)?;
    let found = scan(&file, name.segment).map_err(|error| error.to_string())?;
    for (place, length) in found.places.iter().zip([0u32, 1, u32::MAX, 1 << 20, 15]) {
        let spoilt = file.write_at(&length.to_le_bytes(), place.offset - 12);
        spoilt.map_err(|error| error.to_string())?;
    }
    let frames = readable(&mut start(&disk, &clock(4))?).len();
    demand(frames >= FRAMES as usize - 5, format!("{frames} records can be read"))
}

/// A segment without any header is put aside under a gap that names it.
pub(super) fn both_headers_spoilt() -> Result<(), String> {
    let disk = InventedDisk::new(1, 16 << 20);
    drop(filled(&disk)?);
    drop(start(&disk, &clock(3))?);
    let (name, file) = segment_file(&disk)?;
    for slot in [0, 120 * 1024] {
        file.write_at(&[0xC3; 4096], slot).map_err(|error| error.to_string())?;
    }
    let mut log = start(&disk, &clock(4))?;
    readable(&mut log);
    log.commit(&clock(5)).map_err(|error| error.to_string())?;
    let records = readable(&mut log);
    let named = records.iter().any(|(_, bytes)| {
        let gap = Record::parse(bytes).ok().and_then(|record| Gap::decode(record.payload).ok());
        gap.is_some_and(|gap| gap.hole.segment == Some(name.segment) && gap.hole.readings.1 > 0)
    });
    demand(named, "no gap names the segment that is gone")
}

/// What a sink has refused is parked: offered no more, and not forgotten.
pub(super) fn refused_record() -> Result<(), String> {
    let disk = InventedDisk::new(1, 16 << 20);
    let mut log = filled(&disk)?;
    let records = readable(&mut log);
    let (position, bytes) = records.get(3).ok_or("too few records")?;
    let record = Record::parse(bytes).map_err(|error| error.to_string())?;
    let segment = disk.names().iter().find_map(|name| FileName::parse(name));
    let segment = segment.ok_or("no segment")?.segment;
    let range = Range {
        first: position.index,
        last: position.index,
        disposition: Disposition::Refused,
        reason: Reason::Content,
        last_hash: record.hash(),
    };
    log.settle(segment, &range, &clock(5)).map_err(|error| error.to_string())?;
    let again = readable(&mut log).iter().any(|(offered, _)| offered == position);
    demand(!again, "a refused record is offered again")?;
    demand(log.holds(*position), "a refused record is forgotten")
}
