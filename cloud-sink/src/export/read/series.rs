//! Readings of one signal in the order of time, from a place on.

use super::super::reading::{Reading, Wave};
use super::{Kind, Reader, numeric};
use crate::signal;
use crate::store::StoreError;
use crate::store::db::values;

/// A place among the blocks or runs of a signal: its time and its number.
pub type Place = (i64, i64);

const BLOCKS: &str = "
SELECT block.id, block.evidence, block.series, block.context, block.dated, numeric.at_ns,
  numeric.mantissa, numeric.exponent, numeric.status, numeric.absent, numeric.id - block.first_row,
  block.from_ns
FROM (SELECT * FROM block WHERE series = ?1 AND from_ns < ?3 AND to_ns >= ?2
        AND (from_ns > ?4 OR from_ns = ?4 AND id > ?5) ORDER BY from_ns, id LIMIT ?6) AS block
  JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
ORDER BY block.from_ns, block.id, numeric.id";
const WAVES: &str = "
SELECT at_ns, sample_first, count, status, samples, invalid, id, evidence, series, context, dated
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
        let ((from, to), mut end, db) = (self.wanted.bounds(), None, self.db);
        let asked = values![series, from, to, after.0, after.1, blocks];
        if is_wave {
            db.each(WAVES, asked, |row| {
                end = Some((row.at(0)?, row.at(6)?));
                let about = self.about(&row, 7, (Kind::Waves, row.at(6)?))?;
                // A damaged block is named by the export; here the others are shown.
                if let Some(run) = signal::run(&row)? {
                    each(Reading::Wave(Wave { about, run }));
                }
                Ok::<_, StoreError>(())
            })?;
            return Ok(end);
        }
        let mut block = None;
        db.each(BLOCKS, asked, |row| {
            let id: i64 = row.at(0)?;
            if !matches!(&block, Some((known, _)) if *known == id) {
                end = Some((row.at(11)?, id));
                block = Some((id, self.about(&row, 1, (Kind::Numerics, id))?));
            }
            let Some((_, about)) = &block else { return Ok(()) };
            let numeric = numeric(about, &row)?;
            if self.wanted.has(numeric.at_ns) {
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
