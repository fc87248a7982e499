//! Coverage: how much each device gave in each minute, and whether it came at once or out of a
//! backlog.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

/// What comes later than this after it was taken is back-filled, nanoseconds: ten times the longest
/// default flush interval of a clinical lane.
const LIVE_WITHIN_NS: i64 = 10_000_000_000;
/// Nanoseconds of a minute.
pub const MINUTE_NS: i64 = 60_000_000_000;

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

    /// A device said that it lost something: it is there, and gave nothing.
    pub(super) fn touch(&mut self, gateway: i64, device: i64, at_ns: i64) {
        self.counts.entry((gateway, at_ns.div_euclid(MINUTE_NS), device)).or_default();
    }

    /// Writes what was counted; belongs to the same transaction as the rows.
    pub(super) fn save(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut keep = tx.prepare_cached(
            "INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gateway, minute, device)
             DO UPDATE SET live = live + excluded.live, late = late + excluded.late",
        )?;
        for ((gateway, minute, device), count) in std::mem::take(&mut self.counts) {
            keep.execute(params![gateway, minute, device, count.live, count.late])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::schema::{ADDITIONS, TABLES};

    #[test]
    fn what_comes_within_ten_seconds_is_live_and_counts_grow_over_commits() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch(TABLES).unwrap();
        db.execute_batch(ADDITIONS).unwrap();
        let (at, mut coverage) = (5 * MINUTE_NS, Coverage::default());
        for _ in 0..2 {
            coverage.add(1, 7, at, at + LIVE_WITHIN_NS);
            coverage.add(1, 7, at + 1, at + 2 + LIVE_WITHIN_NS);
            coverage.add(1, 7, at - 1, at);
            coverage.add(1, 7, at + 2, at - 3_600 * 1_000_000_000);
            let tx = db.transaction().unwrap();
            coverage.save(&tx).unwrap();
            tx.commit().unwrap();
        }

        let mut rows = db.prepare("SELECT minute, live, late FROM coverage ORDER BY 1").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, i64, i64)> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [(4, 2, 0), (5, 4, 2)]);
    }
}
