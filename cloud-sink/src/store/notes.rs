//! Rows of what is neither numeric nor wave: notes, the gateway's health and trail, gaps.

use wire::batch::{Note, NoteKind};
use wire::gap::Gap;
use wire::reading::{SOURCE_ASSOCIATION, SOURCE_WORDS};
use wire::status::{HealthReport, counter};

use super::StoreError;
use super::at::At;
use super::db::{Db, values};
use super::hours::Hours;
use super::trails;
use crate::verify::{Content, Disposed};

pub(super) fn insert_note(db: &Db, at: &At<'_>, note: &Note, place: i64) -> Result<(), StoreError> {
    let (kind, code, source, levels, value, text) = match &note.what {
        NoteKind::Alert { code, source, levels, text } => {
            let kind = match *source {
                SOURCE_WORDS => "words",
                SOURCE_ASSOCIATION => "association",
                _ => "alert",
            };
            (kind, Some(*code), Some(*source), Some(*levels), None, Some(text.as_str()))
        }
        NoteKind::Event { code, value } => ("event", Some(*code), None, None, Some(*value), None),
        NoteKind::Loss { readings, cause } => {
            let readings = i64::try_from(*readings).unwrap_or(i64::MAX);
            ("loss", Some(u32::from(*cause)), None, None, Some(readings), None)
        }
        NoteKind::Health(_) => return Ok(()),
    };
    db.later(
        "INSERT INTO note (evidence, device, at_ns, kind, code, source, phase, state, priority,
           value, text, context, dated, place)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        values![
            at.evidence,
            at.device,
            at.moment_of(note),
            kind,
            code,
            source,
            levels.map(|levels| levels[0]),
            levels.map(|levels| levels[1]),
            levels.map(|levels| levels[2]),
            value,
            text,
            at.context,
            at.dated_of(note),
            place,
        ],
    )?;
    Ok(())
}

/// Notes that a device used a number again with other words; `value` is the first such number.
pub(super) fn insert_conflict(db: &Db, at: &At<'_>, number: i64) -> Result<(), StoreError> {
    tracing::warn!(number, "a device said something else under a number that is stored: both kept");
    db.later(
        "INSERT INTO note (evidence, device, at_ns, kind, value, text)
         VALUES (?1, ?2, ?3, 'conflict', ?4, ?5)",
        values![
            at.evidence,
            at.device,
            at.received(),
            number,
            "the device used a boot and sequence again with other content; both are kept"
        ],
    )?;
    Ok(())
}

const BEAT: &str = "
INSERT INTO heartbeat VALUES (?1, 0, -1, ?2, 0, NULL)
ON CONFLICT (gateway) DO UPDATE SET arrivals = heartbeat.arrivals + 1";
const NEWEST: &str = "
UPDATE heartbeat SET sequence = ?2, report = ?3, epoch = ?4, error_us = ?5
WHERE gateway = ?1 AND sequence < ?2";
/// Live, a device is heard now, whatever clocks say; out of a backlog, when the report was made.
const SPOKE: &str = "
INSERT INTO device_watched VALUES (?1, ?2, CASE
  WHEN ?3 >= (SELECT sequence FROM heartbeat WHERE gateway = ?1) THEN CAST(?4 AS BIGINT)
  ELSE CAST(?5 AS BIGINT) END) ON CONFLICT (gateway, device)
DO UPDATE SET heard_ns = CASE
  WHEN ?3 >= (SELECT sequence FROM heartbeat WHERE gateway = ?1)
    OR excluded.heard_ns > device_watched.heard_ns
  THEN excluded.heard_ns ELSE device_watched.heard_ns END";
const LOOKED: &str = "
INSERT INTO counter VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value";

/// Keeps a gateway's newest report; an older one, out of its backlog, says only that it is there
/// and which devices spoke. An entry of its trail is kept, and is no sign of life.
pub(super) fn insert_health(
    db: &Db,
    hours: &mut Hours,
    at: &At<'_>,
    record: &Disposed,
) -> Result<(), StoreError> {
    let Content::Frame { core, .. } = &record.content else { return Ok(()) };
    let (gateway, clock) = (record.gateway.row, at.batch.clock);
    for note in &at.block.notes {
        let NoteKind::Health(report) = &note.what else { continue };
        if trails::insert(db, at.evidence, &record.gateway, report)? {
            continue;
        }
        db.later(BEAT, values![gateway, Vec::new()])?;
        let error = clock.utc.map(|_| i64::try_from(clock.error_us).unwrap_or(i64::MAX));
        let sequence = core.sequence_first.cast_signed();
        db.later(NEWEST, values![gateway, sequence, report, clock.epoch, error])?;
        // What we cannot read is the newer program's; its bytes are kept.
        let report = HealthReport::decode(report).unwrap_or_default();
        let made = at.received().min(at.now);
        // A clock for which nobody vouches dates no report: the newest one is of now.
        let vouched = clock.utc.is_some() && clock.error_us <= VOUCHED_MICROS;
        let newest = "SELECT sequence <= ?2 FROM heartbeat WHERE gateway = ?1";
        let is_now = !vouched && db.one::<bool>(newest, values![gateway, sequence])?;
        hours.report(gateway, if is_now { at.now } else { made }, at.now);
        for device in &report.devices {
            let device = device.device.0.cast_signed();
            db.later(SPOKE, values![gateway, device, sequence, at.now, made])?;
        }
        let looks = report.counter(counter::LOOKS);
        if looks > 0 {
            let looks = i64::try_from(looks).unwrap_or(i64::MAX).min(LOOKS_MAX);
            db.later(LOOKED, values![&format!("looks {gateway}"), looks])?;
        }
    }
    Ok(())
}

/// A clock that is off by no more dates its gateway's reports.
const VOUCHED_MICROS: u64 = 1_000_000;
/// Looks in one report that are believed, so that no sum overflows.
const LOOKS_MAX: i64 = 1 << 20;

/// Writes what a gap says.
pub(super) fn insert_gap(
    db: &Db,
    evidence: i64,
    gateway: i64,
    gap: &Gap,
) -> Result<(), StoreError> {
    let hole = &gap.hole;
    db.later(
        "INSERT INTO gap (evidence, gateway, lane, hole_segment, index_first, index_last,
           sequence_first, sequence_last, readings_min, readings_max, from_ns, to_ns, cause,
           before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        values![
            evidence,
            gateway,
            gap.lane as u8,
            hole.segment.map(|id| id.0),
            hole.indexes.0,
            hole.indexes.1,
            hole.sequences.map(|(first, _)| first.cast_signed()),
            hole.sequences.map(|(_, last)| last.cast_signed()),
            hole.readings.0.cast_signed(),
            hole.readings.1.cast_signed(),
            hole.moments.map(|(from, _)| from.0),
            hole.moments.map(|(_, to)| to.0),
            hole.cause.name(),
            hole.before.map(|hash| hash.0),
            hole.after.map(|hash| hash.0),
        ],
    )?;
    Ok(())
}
