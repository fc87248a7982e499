//! Coverage: how much each device gave in each minute, and whether it came at once or out of a
//! backlog.

use std::collections::BTreeMap;

use wire::reading::Mode;

use super::StoreError;
use super::db::{Db, values};

/// What comes later than this after it was taken is back-filled, nanoseconds: ten times the longest
/// default flush interval of a clinical lane.
const LIVE_WITHIN_NS: i64 = 10_000_000_000;
/// Nanoseconds of a minute.
pub const MINUTE_NS: i64 = 60_000_000_000;

const KEEP: &str = "
INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gateway, minute, device)
DO UPDATE SET live = coverage.live + excluded.live, late = coverage.late + excluded.late";

/// Of what was counted where it is not: never less than nothing.
const TAKE: &str = "
UPDATE coverage SET
  live = CASE WHEN live > CAST(?4 AS BIGINT) THEN live - CAST(?4 AS BIGINT) ELSE 0 END,
  late = CASE WHEN late > CAST(?5 AS BIGINT) THEN late - CAST(?5 AS BIGINT) ELSE 0 END
WHERE gateway = ?1 AND minute = ?2 AND device = ?3";
/// Moments that a frame brought without a date, as they were counted: by device, once each.
const MOMENTS: &str = "
SELECT device, at_ns FROM (
  SELECT series.device, numeric.at_ns FROM block JOIN series ON series.id = block.series
    JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
  WHERE block.evidence = ?1 AND block.dated = 2 AND series.mode <> ?2
  UNION SELECT series.device, wave.at_ns FROM wave JOIN series ON series.id = wave.series
  WHERE wave.evidence = ?1 AND wave.dated = 2 AND series.mode <> ?2) AS moments
UNION ALL SELECT device, at_ns FROM note
WHERE evidence = ?1 AND dated = 2 AND kind <> 'loss'";

/// Readings of one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    live: i64,
    late: i64,
}

/// What a transaction adds.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// By gateway, minute since 1970, and device.
    counts: BTreeMap<(i64, i64, i64), Count>,
}

impl Coverage {
    /// Counts a reading that was taken at a moment, and stored now; both UTC nanoseconds.
    pub(super) fn add(&mut self, gateway: i64, device: i64, at_ns: i64, now_ns: i64) {
        let key = (gateway, at_ns.div_euclid(MINUTE_NS), device);
        let count = self.counts.entry(key).or_default();
        let is_late = now_ns.saturating_sub(at_ns) > LIVE_WITHIN_NS;
        *(if is_late { &mut count.late } else { &mut count.live }) += 1;
    }

    /// Counts what a frame brought where it belongs: it is moved by so much. Both classes are as of
    /// when it was stored.
    pub(super) fn move_frame(
        db: &Db,
        (evidence, gateway): (i64, i64),
        by_ns: i64,
    ) -> Result<(), StoreError> {
        let sql = "SELECT received_ns FROM evidence WHERE id = ?1";
        let stored_ns: i64 = db.one(sql, values![evidence])?;
        let (mut before, mut after) = (Self::default(), Self::default());
        for row in db.rows(MOMENTS, values![evidence, Mode::Service as u8])? {
            let (device, at_ns): (i64, i64) = (row.at(0)?, row.at(1)?);
            before.add(gateway, device, at_ns, stored_ns);
            after.add(gateway, device, at_ns.saturating_add(by_ns), stored_ns);
        }
        for ((gateway, minute, device), count) in before.counts {
            db.execute(TAKE, values![gateway, minute, device, count.live, count.late])?;
        }
        after.save(db)
    }

    /// A device said that it lost something: it is there, and gave nothing.
    pub(super) fn touch(&mut self, gateway: i64, device: i64, at_ns: i64) {
        self.counts.entry((gateway, at_ns.div_euclid(MINUTE_NS), device)).or_default();
    }

    /// Writes what was counted; belongs to the same transaction as the rows.
    pub(super) fn save(&mut self, db: &Db) -> Result<(), StoreError> {
        for ((gateway, minute, device), count) in std::mem::take(&mut self.counts) {
            db.later(KEEP, values![gateway, minute, device, count.live, count.late])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::Turn;

    #[test]
    fn what_comes_within_ten_seconds_is_live_and_counts_grow_over_commits() {
        let db = Db::in_memory();
        let (at, mut coverage) = (5 * MINUTE_NS, Coverage::default());
        for _ in 0..2 {
            coverage.add(1, 7, at, at + LIVE_WITHIN_NS);
            coverage.add(1, 7, at + 1, at + 2 + LIVE_WITHIN_NS);
            coverage.add(1, 7, at - 1, at);
            coverage.add(1, 7, at + 2, at - 3_600 * 1_000_000_000);
            db.transaction(Turn::Commit, |db| coverage.save(db)).unwrap();
        }

        let rows = db.rows("SELECT minute, live, late FROM coverage ORDER BY 1", &[]).unwrap();
        let rows = rows.iter().map(|row| [0, 1, 2].map(|at| row.at(at).unwrap()));
        assert_eq!(rows.collect::<Vec<[i64; 3]>>(), [[4, 2, 0], [5, 4, 2]]);
    }
}
