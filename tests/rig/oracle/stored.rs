//! What a sink's store holds, read with plain SQL.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use wire::batch::wave;
use wire::identity::{DeviceId, Lane, SegmentId};
use wire::reading::Mode;
use wire::receipt::Disposition;

use crate::world::bedside::{
    Kind, LOSS_CAUSE, MARK, SAMPLES, STRANGE_CODE, kind, number_at, numeric, samples, ticks,
};
use crate::world::books::{Place, Reading};

/// What the sink's store holds of the world.
pub(super) struct Stored {
    pub(super) readings: BTreeMap<Reading, u64>,
    pub(super) gaps: BTreeSet<Place>,
    /// Records whose bytes wait for a header: listed as held, not opened.
    pub(super) held: BTreeSet<Place>,
    /// Lane sequences that have come, by lane: first and last of each frame, ascending.
    sequences: BTreeMap<u8, Vec<(u64, u64)>>,
    pub(super) wrong: Vec<String>,
    /// Digest of the evidence of each record.
    pub(super) evidence: BTreeMap<Place, [u8; 32]>,
}

impl Stored {
    /// Whether a frame is missing by number: later numbers of its lane have come, and its own not.
    pub(super) fn shows_missing(&self, (lane, first, last): (Lane, u64, u64)) -> bool {
        let Some(come) = self.sequences.get(&(lane as u8)) else { return false };
        let later = come.iter().any(|(from, _)| *from > last);
        later && !come.iter().any(|(from, to)| *from <= last && first <= *to)
    }
}

fn device_of(eui: &str) -> Option<DeviceId> {
    u64::from_str_radix(&eui.replace('-', ""), 16).ok().map(DeviceId)
}

pub(super) fn read(db: &Connection) -> Result<Stored> {
    let mut all = Stored {
        readings: BTreeMap::new(),
        gaps: BTreeSet::new(),
        held: BTreeSet::new(),
        sequences: BTreeMap::new(),
        wrong: Vec::new(),
        evidence: BTreeMap::new(),
    };
    numerics(db, &mut all)?;
    waves(db, &mut all)?;
    alerts(db, &mut all)?;
    losses(db, &mut all)?;
    records(db, &mut all)?;
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
        let fits = !matches!(kind, Kind::Wave | Kind::Alert | Kind::Loss)
            && strange != (kind == Kind::Numeric);
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

fn losses(db: &Connection, all: &mut Stored) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT device.eui, note.value, note.code FROM note JOIN device ON device.id = note.device
         WHERE note.kind = 'loss'",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (eui, value, cause): (String, i64, u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number = u32::try_from(value).ok().filter(|number| kind(*number) == Kind::Loss);
        let (Some(number), Some(device)) = (number, device_of(&eui)) else {
            all.wrong.push(format!("{eui} lost {value}, which it never said"));
            continue;
        };
        if cause != LOSS_CAUSE {
            all.wrong.push(format!("loss {number} of {eui}: cause {cause}"));
        }
        *all.readings.entry(Reading { device, number }).or_default() += 1;
    }
    Ok(())
}

fn records(db: &Connection, all: &mut Stored) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT segment.segment, evidence.idx, evidence.bytes FROM evidence
           JOIN segment ON segment.id = evidence.segment",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (place, bytes): (_, Vec<u8>) = ((SegmentId(row.get(0)?), row.get(1)?), row.get(2)?);
        all.evidence.insert(place, Sha256::digest(bytes).into());
    }
    Ok(())
}
