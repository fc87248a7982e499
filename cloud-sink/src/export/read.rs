//! Readings out of the store, in the order in which they were stored: page by page, each with what
//! it needs to be understood alone.

use std::collections::HashMap;
use std::sync::Arc;

use wire::decimal::{Absent, Decimal, Number};
use wire::identity::DeviceId;

use super::reading::{About, Dated, Note, Numeric, Origin, Reading, Wave};
use crate::keys::hex;
use crate::signal::{self, Signal};
use crate::store::StoreError;
use crate::store::db::{Db, Row, Value, values};

mod kind;

mod series;

pub use kind::Kind;
pub use series::Place;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// Of this device; of all without.
    pub device: Option<DeviceId>,
    /// From this moment on, UTC nanoseconds.
    pub from_ns: Option<i64>,
    /// Before this moment.
    pub to_ns: Option<i64>,
    /// Only this code.
    pub code: Option<u32>,
}

impl Selection {
    /// Whether a moment is wanted.
    #[must_use]
    pub fn has(&self, at_ns: i64) -> bool {
        self.from_ns.is_none_or(|from| at_ns >= from) && self.to_ns.is_none_or(|to| at_ns < to)
    }

    fn bounds(&self) -> (i64, i64) {
        (self.from_ns.unwrap_or(i64::MIN), self.to_ns.unwrap_or(i64::MAX))
    }
}

/// Blocks, runs and notes of one page.
const PAGE: i64 = 4096;

/// Reads a store.
pub struct Reader<'a> {
    db: &'a Db,
    wanted: Selection,
    /// The store's number of the wanted device; 0 for all.
    device: i64,
    devices: HashMap<i64, Arc<str>>,
    signals: HashMap<i64, (i64, Arc<Signal>)>,
    patients: HashMap<i64, Arc<str>>,
    origin: Option<Arc<Origin>>,
    /// Rows of a page, at least.
    page: i64,
    /// Whether a damaged run of samples is left out, and said so, rather than the end of it all.
    passes_damage: bool,
}

const ORIGIN: &str = "
SELECT gateway.name, evidence.hash, segment.segment, evidence.idx, evidence.received_ns,
  frame_time.error_us, frame_time.utc_ns
FROM evidence JOIN segment ON segment.id = evidence.segment
  JOIN gateway ON gateway.id = segment.gateway
  LEFT JOIN frame_time ON frame_time.evidence = evidence.id
WHERE evidence.id = ?1";
const BLOCKS: &str = "
SELECT block.id, block.evidence, block.series, block.context, block.dated,
  coalesce(block.place, block.id)
FROM block JOIN series ON series.id = block.series
WHERE block.id > ?1 AND block.id <= ?2 AND (CAST(?3 AS BIGINT) = 0 OR series.device = ?3)
  AND block.to_ns >= ?4 AND block.from_ns < ?5 AND (CAST(?6 AS BIGINT) = -1 OR series.code = ?6)
ORDER BY block.id";
const NUMERICS: &str = "
SELECT block.id, numeric.at_ns, numeric.mantissa, numeric.exponent, numeric.status, numeric.absent,
  numeric.id - block.first_row
FROM block JOIN series ON series.id = block.series
  JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
WHERE block.id > ?1 AND block.id <= ?2 AND (CAST(?3 AS BIGINT) = 0 OR series.device = ?3)
  AND block.to_ns >= ?4 AND block.from_ns < ?5 AND (CAST(?6 AS BIGINT) = -1 OR series.code = ?6)
ORDER BY block.id, numeric.id";
const RUNS: &str = "
SELECT wave.id, wave.evidence, wave.series, wave.context, wave.dated, coalesce(wave.place, wave.id)
FROM wave JOIN series ON series.id = wave.series
WHERE wave.id > ?1 AND wave.id <= ?2 AND (CAST(?3 AS BIGINT) = 0 OR series.device = ?3)
  AND wave.at_ns >= ?4 AND wave.at_ns < ?5 AND (CAST(?6 AS BIGINT) = -1 OR series.code = ?6)
ORDER BY wave.id";
const WAVES: &str = "
SELECT wave.at_ns, wave.sample_first, wave.count, wave.status, wave.samples, wave.invalid, wave.id
FROM wave JOIN series ON series.id = wave.series
WHERE wave.id > ?1 AND wave.id <= ?2 AND (CAST(?3 AS BIGINT) = 0 OR series.device = ?3)
  AND wave.at_ns >= ?4 AND wave.at_ns < ?5 AND (CAST(?6 AS BIGINT) = -1 OR series.code = ?6)
ORDER BY wave.id";
const NOTES: &str = "
SELECT id, evidence, device, context, dated, at_ns, kind, code, source, phase, state, priority,
  value, text, coalesce(place, id)
FROM note
WHERE id > ?1 AND id <= ?2 AND (CAST(?3 AS BIGINT) = 0 OR device = ?3) AND at_ns >= ?4
  AND at_ns < ?5 AND CAST(?6 AS BIGINT) = -1
ORDER BY id";

/// A token as people and programs see it: what is no plain text is a hash.
fn token(bytes: &[u8]) -> Arc<str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|letter| letter.is_ascii_graphic()) => text.into(),
        _ => hex(bytes).into(),
    }
}

impl<'a> Reader<'a> {
    /// Reads what is wanted; none if the store does not know the device.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn open(db: &'a Db, wanted: Selection) -> Result<Option<Self>, StoreError> {
        let device = match wanted.device {
            None => 0,
            Some(device) => {
                let sql = "SELECT id FROM device WHERE eui = ?1";
                match db.row(sql, values![&device.to_string()])? {
                    Some(row) => row.at(0)?,
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(Self {
            db,
            wanted,
            device,
            devices: HashMap::new(),
            signals: HashMap::new(),
            patients: HashMap::new(),
            origin: None,
            page: PAGE,
            passes_damage: false,
        }))
    }

    /// The last row of a kind, up to which an export goes.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn last(&self, kind: Kind) -> Result<i64, StoreError> {
        Ok(self.db.one::<Option<i64>>(kind.last(), &[])?.unwrap_or(0))
    }

    /// The same in pages of at least so many rows, and without what is damaged.
    #[must_use]
    pub fn by(self, page: i64) -> Self {
        Self { page, passes_damage: true, ..self }
    }

    /// Where a page of a kind ends, which is with a frame; none at the end.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn page_end(
        &self,
        kind: Kind,
        (after, until): (i64, i64),
    ) -> Result<Option<i64>, StoreError> {
        let end: Option<i64> = self.db.one(kind.page(), values![after, until, self.page])?;
        let Some(end) = end else { return Ok(None) };
        let next: Option<i64> = self.db.one(kind.next_frame(), values![end])?;
        Ok(Some(next.map_or(until, |next| until.min(next - 1))))
    }

    /// Reads a page of a kind behind `after` and up to `until`; where it ended, or none at the end.
    ///
    /// # Errors
    /// The store does not answer, a block is damaged, or what is done with a reading fails.
    pub fn page(
        &mut self,
        kind: Kind,
        (after, until): (i64, i64),
        each: impl FnMut(Reading) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<i64>> {
        let Some(end) = self.page_end(kind, (after, until))? else { return Ok(None) };
        self.rows(kind, (after, end), each)?;
        Ok(Some(end))
    }

    /// Reads the rows of a kind behind `after` and up to `end`.
    ///
    /// # Errors
    /// As [`Reader::page`].
    pub fn rows(
        &mut self,
        kind: Kind,
        (after, end): (i64, i64),
        mut each: impl FnMut(Reading) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (from, to) = self.wanted.bounds();
        let code = self.wanted.code.map_or(-1, i64::from);
        let asked = values![after, end, self.device, from, to, code];
        let (db, wanted, passes_damage) = (self.db, self.wanted, self.passes_damage);
        match kind {
            Kind::Numerics => {
                let abouts = self.abouts(BLOCKS, asked)?;
                db.each(NUMERICS, asked, |row| {
                    let Some(about) = abouts.get(&row.at(0)?) else { return Ok(()) };
                    let numeric = numeric(about, &row, 1)?;
                    if wanted.has(numeric.at_ns) {
                        each(Reading::Numeric(numeric))?;
                    }
                    Ok::<_, anyhow::Error>(())
                })?;
            }
            Kind::Waves => {
                let abouts = self.abouts(RUNS, asked)?;
                db.each(WAVES, asked, |row| {
                    let Some(about) = abouts.get(&row.at(6)?).cloned() else { return Ok(()) };
                    match signal::run(&row)? {
                        Some(run) => each(Reading::Wave(Wave { about, run }))?,
                        None if passes_damage => {
                            let label = &about.signal.label;
                            tracing::error!(label, "a stored waveform is damaged, and left out");
                        }
                        None => {
                            let label = &about.signal.label;
                            anyhow::bail!(
                                "a stored waveform of {label} is damaged; verify the evidence"
                            );
                        }
                    }
                    Ok(())
                })?;
            }
            Kind::Notes => {
                for row in db.rows(NOTES, asked)? {
                    each(Reading::Note(self.note(&row)?))?;
                }
            }
        }
        Ok(())
    }

    /// What blocks or runs of samples have in common, by their number. It is asked before their
    /// rows: a connection answers one question after the other.
    fn abouts(
        &mut self,
        sql: &'static str,
        asked: &[Value<'_>],
    ) -> Result<HashMap<i64, Arc<About>>, StoreError> {
        let rows = self.db.rows(sql, asked)?;
        rows.iter().map(|row| Ok((row.at(0)?, self.about(row)?))).collect()
    }

    /// Of a row of a number, then evidence, series, context, `dated` and place.
    fn about(&mut self, row: &Row) -> Result<Arc<About>, StoreError> {
        let origin = self.origin(row.at(1)?)?;
        let (device, signal) = self.signal(row.at(2)?)?;
        let patient = self.patient(row.at(3)?)?;
        let (dated, place) = (Dated::of(row.at(4)?), row.at(5)?);
        Ok(Arc::new(About { device, signal, patient, dated, origin, place }))
    }

    fn note(&mut self, row: &Row) -> Result<Note, StoreError> {
        let origin = self.origin(row.at(1)?)?;
        Ok(Note {
            place: row.at(14)?,
            origin,
            device: self.device(row.at(2)?)?,
            patient: self.patient(row.at(3)?)?,
            dated: Dated::of(row.at(4)?),
            at_ns: row.at(5)?,
            kind: row.at(6)?,
            codes: [row.at(7)?, row.at(8)?],
            levels: [row.at(9)?, row.at(10)?, row.at(11)?],
            value: row.at(12)?,
            text: row.at(13)?,
        })
    }

    fn origin(&mut self, evidence: i64) -> Result<Arc<Origin>, StoreError> {
        if let Some(known) = self.origin.as_ref().filter(|known| known.evidence == evidence) {
            return Ok(known.clone());
        }
        let row = self.db.row(ORIGIN, values![evidence])?;
        let row = row.ok_or(StoreError::Shape("a reading without its record"))?;
        let (hash, segment): (Vec<u8>, Vec<u8>) = (row.at(1)?, row.at(2)?);
        let origin = Arc::new(Origin {
            evidence,
            gateway: row.at(0)?,
            frame: hex(&hash),
            place: (hex(&segment), row.at(3)?),
            stored_ns: row.at(4)?,
            error_us: row.at(5)?,
            taken_ns: row.at(6)?,
        });
        self.origin = Some(origin.clone());
        Ok(origin)
    }

    fn device(&mut self, id: i64) -> Result<Arc<str>, StoreError> {
        if let Some(known) = self.devices.get(&id) {
            return Ok(known.clone());
        }
        let eui: String = self.db.one("SELECT eui FROM device WHERE id = ?1", values![id])?;
        let eui: Arc<str> = eui.into();
        self.devices.insert(id, eui.clone());
        Ok(eui)
    }

    fn signal(&mut self, series: i64) -> Result<(Arc<str>, Arc<Signal>), StoreError> {
        if !self.signals.contains_key(&series) {
            let sql = "SELECT device FROM series WHERE id = ?1";
            let device: i64 = self.db.one(sql, values![series])?;
            for signal in signal::of_device(self.db, device)? {
                self.signals.insert(signal.id, (device, Arc::new(signal)));
            }
        }
        let known = self.signals.get(&series).cloned();
        let (device, signal) = known.ok_or(StoreError::Shape("a reading without its signal"))?;
        Ok((self.device(device)?, signal))
    }

    fn patient(&mut self, context: Option<i64>) -> Result<Option<Arc<str>>, StoreError> {
        let Some(context) = context else { return Ok(None) };
        if let Some(known) = self.patients.get(&context) {
            return Ok(Some(known.clone()));
        }
        let sql = "SELECT token FROM context WHERE id = ?1";
        let bytes: Vec<u8> = self.db.one(sql, values![context])?;
        let text = token(&bytes);
        self.patients.insert(context, text.clone());
        Ok(Some(text))
    }
}

/// A number out of time, digits, exponent, status, state and place from a column on.
fn numeric(about: &Arc<About>, row: &Row, at: usize) -> Result<Numeric, StoreError> {
    let (mantissa, exponent): (Option<i64>, i8) = (row.at(at + 1)?, row.at(at + 2)?);
    let absent = row.at::<Option<u64>>(at + 4)?.and_then(Absent::from_number);
    let number = match (mantissa, absent) {
        (Some(mantissa), None) => Number::Is(Decimal { mantissa, exponent }),
        (_, absent) => Number::Not(absent.unwrap_or(Absent::Missing)),
    };
    let (at_ns, status, place) = (row.at(at)?, row.at(at + 3)?, row.at(at + 5)?);
    Ok(Numeric { about: about.clone(), place, at_ns, number, status })
}
