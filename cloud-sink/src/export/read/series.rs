//! Readings of one signal in the order of time, from a place on.

use std::collections::HashMap;

use super::super::reading::{Reading, Wave};
use super::{Reader, numeric};
use crate::signal;
use crate::store::StoreError;
use crate::store::db::values;

/// A place among the blocks or runs of a signal: its time and its number.
pub type Place = (i64, i64);

const BLOCKS: &str = "
SELECT id, evidence, series, context, dated, coalesce(place, id), from_ns FROM block
WHERE series = ?1 AND from_ns < ?3 AND to_ns >= ?2
  AND (from_ns > ?4 OR from_ns = ?4 AND id > ?5) ORDER BY from_ns, id LIMIT ?6";
const NUMERICS: &str = "
SELECT block.id, numeric.at_ns, numeric.mantissa, numeric.exponent, numeric.status, numeric.absent,
  numeric.id - block.first_row
FROM (SELECT * FROM block WHERE series = ?1 AND from_ns < ?3 AND to_ns >= ?2
        AND (from_ns > ?4 OR from_ns = ?4 AND id > ?5) ORDER BY from_ns, id LIMIT ?6) AS block
  JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
ORDER BY block.from_ns, block.id, numeric.id";
const RUNS: &str = "
SELECT id, evidence, series, context, dated, coalesce(place, id), at_ns FROM wave
WHERE series = ?1 AND at_ns >= ?2 AND at_ns < ?3 AND (at_ns > ?4 OR at_ns = ?4 AND id > ?5)
ORDER BY at_ns, id LIMIT ?6";
const WAVES: &str = "
SELECT at_ns, sample_first, count, status, samples, invalid, id
FROM wave WHERE series = ?1 AND at_ns >= ?2 AND at_ns < ?3
  AND (at_ns > ?4 OR at_ns = ?4 AND id > ?5)
ORDER BY at_ns, id LIMIT ?6";

impl Reader<'_> {
    /// Reads so many blocks or runs of a signal behind a place; where that ended, or none at the
    /// end.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn of_series(
        &mut self,
        (series, is_wave): (i64, bool),
        after: Place,
        blocks: i64,
        mut each: impl FnMut(Reading),
    ) -> Result<Option<Place>, StoreError> {
        let ((from, to), db, wanted) = (self.wanted.bounds(), self.db, self.wanted);
        let asked = values![series, from, to, after.0, after.1, blocks];
        let heads = db.rows(if is_wave { RUNS } else { BLOCKS }, asked)?;
        let mut abouts = HashMap::with_capacity(heads.len());
        let mut end = None;
        for head in &heads {
            end = Some((head.at(6)?, head.at(0)?));
            abouts.insert(head.at::<i64>(0)?, self.about(head)?);
        }
        if is_wave {
            db.each(WAVES, asked, |row| {
                let Some(about) = abouts.get(&row.at(6)?).cloned() else { return Ok(()) };
                // A damaged block is named by the export; here the others are shown.
                if let Some(run) = signal::run(&row)? {
                    each(Reading::Wave(Wave { about, run }));
                }
                Ok::<_, StoreError>(())
            })?;
            return Ok(end);
        }
        db.each(NUMERICS, asked, |row| {
            let Some(about) = abouts.get(&row.at(0)?) else { return Ok(()) };
            let numeric = numeric(about, &row, 1)?;
            if wanted.has(numeric.at_ns) {
                each(Reading::Numeric(numeric));
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(end)
    }

    /// The signals of the wanted device: number, and whether it is a waveform.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn series(&self) -> Result<Vec<(i64, bool)>, StoreError> {
        let sql = "SELECT id, wave FROM series WHERE device = ?1
                     AND (CAST(?2 AS BIGINT) = -1 OR code = ?2) ORDER BY id";
        let code = self.wanted.code.map_or(-1, i64::from);
        let rows = self.db.rows(sql, values![self.device, code])?;
        rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }
}
