//! The oracles: written apart from the product, they look at what is left of a world.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use agent::buffer::disk::DiskFile;
use agent::buffer::segment::{FileName, scan};
use anyhow::Result;
use cloud_sink::store::sqlite::open_for_reading;
use rusqlite::Connection;
use wire::batch::wave;
use wire::identity::{DeviceId, Lane, SegmentId};
use wire::reading::Mode;
use wire::receipt::Disposition;

use crate::disk::InventedDisk;
use crate::world::World;
use crate::world::bedside::{
    Kind, MARK, SAMPLES, STRANGE_CODE, kind, number_at, numeric, samples, ticks,
};
use crate::world::books::{Books, Place, Reading, SharedBooks};

/// Examples of one violation that are reported.
const EXAMPLES_MAX: usize = 3;

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

/// O6: at the moment of an acknowledgement a power cut that loses all it may loses none of it.
pub fn durable(disk: &InventedDisk, books: &SharedBooks, fresh: &[Reading]) {
    let mut indexes: BTreeMap<SegmentId, BTreeSet<u32>> = BTreeMap::new();
    for (name, bytes) in disk.durable_files() {
        let Some(name) = FileName::parse(&name) else { continue };
        let Ok(found) = scan(&Bytes(bytes), name.segment) else { continue };
        let places = found.places.iter().map(|place| place.index);
        indexes.insert(name.segment, places.collect());
    }
    let books = &mut *books.borrow_mut();
    for reading in fresh {
        let places = books.sealed.get(reading).cloned().unwrap_or_default();
        // A segment that is not there any more was receipted or declared: O1 looks after it.
        let gone = places.iter().any(|(segment, _)| !indexes.contains_key(segment));
        let there = |(segment, index): &Place| {
            indexes.get(segment).is_some_and(|there| there.contains(index))
        };
        let declared = places.iter().any(|place| {
            books.gaps.iter().any(|gap| {
                let (first, last) = gap.hole.indexes;
                gap.hole.segment == Some(place.0) && (first..=last).contains(&place.1)
            })
        });
        if !(gone || declared || places.iter().any(there)) {
            let what = format!("{reading:?} is acknowledged and not durable: {places:?}");
            books.violate("O6 durable", what);
        }
    }
}

/// What the sink's store holds of the world.
struct Stored {
    readings: BTreeMap<Reading, u64>,
    gaps: BTreeSet<Place>,
    /// Records whose bytes wait for a header: listed as held, not opened.
    held: BTreeSet<Place>,
    /// Lane sequences that have come, by lane: first and last of each frame, ascending.
    sequences: BTreeMap<u8, Vec<(u64, u64)>>,
    wrong: Vec<String>,
}

impl Stored {
    /// Whether a frame is missing by number: later numbers of its lane have come, and its own not.
    fn shows_missing(&self, (lane, first, last): (Lane, u64, u64)) -> bool {
        let Some(come) = self.sequences.get(&(lane as u8)) else { return false };
        let later = come.iter().any(|(from, _)| *from > last);
        later && !come.iter().any(|(from, to)| *from <= last && first <= *to)
    }
}

fn device_of(eui: &str) -> Option<DeviceId> {
    u64::from_str_radix(&eui.replace('-', ""), 16).ok().map(DeviceId)
}

fn stored(db: &Connection) -> Result<Stored> {
    let mut all = Stored {
        readings: BTreeMap::new(),
        gaps: BTreeSet::new(),
        held: BTreeSet::new(),
        sequences: BTreeMap::new(),
        wrong: Vec::new(),
    };
    numerics(db, &mut all)?;
    waves(db, &mut all)?;
    alerts(db, &mut all)?;
    let mut statement = db.prepare(
        "SELECT segment.segment, evidence.idx FROM gap JOIN evidence ON evidence.id = gap.evidence
           JOIN segment ON segment.id = evidence.segment",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        all.gaps.insert((SegmentId(row.get(0)?), row.get(1)?));
    }
    let mut statement = db.prepare(
        "SELECT segment.segment, evidence.idx FROM evidence
           JOIN segment ON segment.id = evidence.segment WHERE disposition <> ?1",
    )?;
    let mut rows = statement.query([Disposition::Stored as u8])?;
    while let Some(row) = rows.next()? {
        all.held.insert((SegmentId(row.get(0)?), row.get(1)?));
    }
    let mut statement = db.prepare(
        "SELECT segment.lane, sequence_first, sequence_last FROM evidence
           JOIN segment ON segment.id = evidence.segment WHERE sequence_first IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(1)?, row.get(2)?);
        let come = all.sequences.entry(row.get(0)?).or_default();
        come.push((first.cast_unsigned(), last.cast_unsigned()));
    }
    Ok(all)
}

fn numerics(db: &Connection, all: &mut Stored) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT device.eui, numeric.at_ns, numeric.mantissa, numeric.exponent, numeric.absent,
           numeric.status, series.mode, series.code
         FROM numeric JOIN series ON series.id = numeric.series
           JOIN device ON device.id = series.device",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (eui, at): (String, i64) = (row.get(0)?, row.get(1)?);
        let found = ((row.get(2)?, row.get(3)?, row.get(4)?), row.get(5)?, row.get(6)?);
        let (Some(number), Some(device)) = (number_at(at / 1_000_000), device_of(&eui)) else {
            all.wrong.push(format!("a numeric of {eui} at {at}, when none was taken"));
            continue;
        };
        let said = (numeric(number), 0i64, Mode::Demo as i64);
        let kind = kind(number);
        let strange = row.get::<_, u32>(7)? == STRANGE_CODE;
        let fits = !matches!(kind, Kind::Wave | Kind::Alert) && strange != (kind == Kind::Numeric);
        if found != said || !fits {
            all.wrong.push(format!("numeric {number} of {eui}: {found:?}, said {said:?}"));
        }
        *all.readings.entry(Reading { device, number }).or_default() += 1;
    }
    Ok(())
}

fn waves(db: &Connection, all: &mut Stored) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT device.eui, wave.sample_first, wave.count, wave.samples, wave.at_ns
         FROM wave JOIN series ON series.id = wave.series JOIN device ON device.id = series.device",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (eui, first, count): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (packed, at): (Vec<u8>, i64) = (row.get(3)?, row.get(4)?);
        let found = wave::decode(&packed, count as usize, None).unwrap_or_default();
        let Some(device) = device_of(&eui) else { continue };
        for (part, samples_found) in found.chunks(SAMPLES as usize).enumerate() {
            let number = (first as u64 / SAMPLES) as u32 + part as u32;
            let time = part > 0 || at == ticks(number) * 1_000_000;
            if samples_found != samples(number) || kind(number) != Kind::Wave || !time {
                all.wrong.push(format!("wave {number} of {eui} at {at}: {samples_found:?}"));
            }
            *all.readings.entry(Reading { device, number }).or_default() += 1;
        }
    }
    Ok(())
}

fn alerts(db: &Connection, all: &mut Stored) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT device.eui, note.text, note.at_ns FROM note JOIN device ON device.id = note.device
         WHERE note.kind = 'alert'",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (eui, text, at): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number = text.strip_prefix(MARK).and_then(|number| number.parse().ok());
        let (Some(number), Some(device)) = (number, device_of(&eui)) else { continue };
        if at != ticks(number) * 1_000_000 {
            all.wrong.push(format!("alert {number} of {eui} at {at}"));
        }
        *all.readings.entry(Reading { device, number }).or_default() += 1;
    }
    Ok(())
}

/// Looks at everything that is left: O1 ledger, O2 bytes, O4 chain, O8 bounded, O9 secret.
///
/// # Errors
/// The store cannot be read.
pub fn judge(world: &mut World) -> Result<()> {
    let found = stored(&open_for_reading(world.store())?)?;
    let (mut in_gaps, mut missing) = (0, 0);
    let books = world.books();
    let mut violations = Vec::new();
    {
        let books: &Books = &books.borrow();
        for reading in &books.accepted {
            if found.readings.contains_key(reading) {
                continue;
            }
            let places = books.sealed.get(reading).map_or(&[][..], Vec::as_slice);
            let frames = || places.iter().filter_map(|place| books.frames.get(place));
            if places.iter().any(|place| books.is_in_a_gap(*place, &found.gaps)) {
                in_gaps += 1;
            } else if world.was_restored()
                && (frames().any(|frame| found.shows_missing(*frame))
                    || places.iter().any(|place| found.held.contains(place)))
            {
                // Its number is missing, or its bytes wait for a header that nobody has any more.
                missing += 1;
            } else {
                let gaps: Vec<_> = places.iter().map(|place| books.covering(*place)).collect();
                let what = format!("{reading:?}, sealed at {places:?}, in gaps {gaps:?}");
                violations.push(("O1 lost", what));
            }
        }
    }
    for (reading, count) in found.readings.iter().filter(|(_, count)| **count > 1) {
        violations.push(("O1 duplicated", format!("{reading:?} is stored {count} times")));
    }
    violations.extend(found.wrong.into_iter().map(|wrong| ("O2 altered", wrong)));
    if world.is_marked(MARK.trim().as_bytes()) {
        violations.push(("O9 secret", "a patient's mark is on the disk or the network".into()));
    }
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for (oracle, what) in violations {
        let count = shown.entry(oracle).or_default();
        *count += 1;
        if *count <= EXAMPLES_MAX {
            books.borrow_mut().violate(oracle, what);
        }
    }
    world.count_said(in_gaps, missing);
    Ok(())
}
