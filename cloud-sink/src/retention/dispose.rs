//! Disposal: walks through what is oldest, and takes what no rule and no hold keeps.

use std::collections::BTreeMap;

use serde::Serialize;
use wire::identity::Lane;
use wire::time::UnixNanos;

use super::Rule;
use super::policy::{Candidate, Policy, PolicyError};
use crate::audit::{self, Act, Deed};
use crate::store::StoreError;
use crate::store::db::{Db, Row, Turn, values};

/// Rows that are looked at in one transaction: commits wait for no longer.
const ROWS_AT_ONCE: i64 = 1000;
/// Who disposes.
const WHO: &str = "retention";

/// What has gone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Disposed {
    /// Rows of readings: blocks of numerics, runs of samples, notes.
    pub rows: u64,
    /// Sealed records whose bytes have gone; their hashes stay.
    pub records: u64,
    /// Whole days that were dropped.
    pub days: u64,
}

/// How it is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Only counts; whole days are counted row by row.
    pub dry: bool,
    /// Trusts the clock, although the newest reading is of long ago.
    pub force: bool,
}

/// A table that is walked through, oldest row first.
struct Walk {
    /// Number, when it was stored or opened, lane, gateway, when that was enrolled, device or when
    /// the record came; then what its deed needs.
    read: &'static str,
    /// Takes one row away.
    take: fn(&Db, &Row) -> Result<(), StoreError>,
    /// Whether these are sealed records.
    is_record: bool,
}

/// The newest row of a table stays: its number must not come again, since feeds and exports go on
/// behind the last one that they have seen.
const WALKS: [Walk; 5] = [
    Walk {
        read:
            "SELECT block.id, coalesce(opened_ns, received_ns), lane, gateway.id, enrolled_ns, eui,
                 first_row, last_row
               FROM block JOIN evidence ON evidence.id = block.evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
                 JOIN series ON series.id = block.series JOIN device ON device.id = series.device
               WHERE block.id > ?1 AND block.id < (SELECT max(id) FROM block)
               ORDER BY block.id LIMIT ?2",
        take: take_block,
        is_record: false,
    },
    Walk {
        read: "SELECT wave.id, coalesce(opened_ns, received_ns), lane, gateway.id, enrolled_ns, eui
               FROM wave JOIN evidence ON evidence.id = wave.evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
                 JOIN series ON series.id = wave.series JOIN device ON device.id = series.device
               WHERE wave.id > ?1 AND wave.id < (SELECT max(id) FROM wave)
               ORDER BY wave.id LIMIT ?2",
        take: |db, row| delete(db, "DELETE FROM wave WHERE id = ?1", row),
        is_record: false,
    },
    // That something was lost or contradicts itself is evidence, and no reading.
    Walk {
        read: "SELECT note.id, coalesce(opened_ns, received_ns), lane, gateway.id, enrolled_ns, eui
               FROM note JOIN evidence ON evidence.id = note.evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
                 JOIN device ON device.id = note.device
               WHERE note.id > ?1 AND note.id < (SELECT max(id) FROM note)
                 AND note.kind NOT IN ('loss', 'conflict')
               ORDER BY note.id LIMIT ?2",
        take: |db, row| delete(db, "DELETE FROM note WHERE id = ?1", row),
        is_record: false,
    },
    Walk {
        read: "SELECT evidence.id, coalesce(opened_ns, received_ns), lane, gateway.id, enrolled_ns,
                 received_ns
               FROM evidence JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
               WHERE evidence.id > ?1 AND disposition = 1 AND length(bytes) > 0
               ORDER BY evidence.id LIMIT ?2",
        take: |db, row| delete(db, "UPDATE evidence SET bytes = ?2 WHERE id = ?1", row),
        is_record: true,
    },
    // What an erasure left of records.
    Walk {
        read: "SELECT evidence.id, coalesce(opened_ns, received_ns), lane, gateway.id, enrolled_ns,
                 received_ns
               FROM remnant JOIN evidence ON evidence.id = remnant.evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
               WHERE remnant.evidence > ?1 ORDER BY remnant.evidence LIMIT ?2",
        take: |db, row| delete(db, "DELETE FROM remnant WHERE evidence = ?1", row),
        is_record: true,
    },
];

fn delete(db: &Db, sql: &'static str, row: &Row) -> Result<(), StoreError> {
    let id: i64 = row.at(0)?;
    let nothing: &[u8] = &[];
    if sql.contains("?2") {
        db.later(sql, values![id, nothing])
    } else {
        db.later(sql, values![id])
    }
}

fn take_block(db: &Db, row: &Row) -> Result<(), StoreError> {
    let (first, last): (i64, i64) = (row.at(6)?, row.at(7)?);
    db.later("DELETE FROM numeric WHERE id BETWEEN ?1 AND ?2", values![first, last])?;
    delete(db, "DELETE FROM block WHERE id = ?1", row)
}

/// Of which lane and ward something went, and how many rows and records.
type Gone = BTreeMap<(u8, Option<String>), (u64, u64)>;

/// Disposes of all that the rules no longer keep, step by step; commits go on between.
///
/// # Errors
/// The clock may be wrong, or a rule is; or the store does not answer: what has gone by then stands
/// in the table of disposals.
pub fn dispose(db: &Db, rules: &[Rule], now: UnixNanos, how: How) -> Result<Disposed, PolicyError> {
    let Some(horizon) = Policy::read(db, rules)?.horizon(now) else {
        return Ok(Disposed::default());
    };
    match Policy::check(db, rules, now) {
        Err(PolicyError::Clock { .. }) if how.force => {}
        checked => checked?,
    }
    let mut disposed = Disposed::default();
    if !how.dry {
        disposed.days = drop_days(db, rules, now)?;
    }
    for walk in &WALKS {
        let mut after = i64::MIN;
        loop {
            let step = Step { rules, walk, after, horizon, now, dry: how.dry };
            let Some(last) = step.go(db, &mut disposed)? else { break };
            after = last;
        }
    }
    if !how.dry && disposed != Disposed::default() {
        let Disposed { rows, records, days } = disposed;
        let words = &format!("{rows} rows, {records} sealed records, {days} whole days");
        let act = Act { who: WHO, role: "", what: Deed::Disposal, object: "", words };
        audit::write(db, &act, now)?;
    }
    Ok(disposed)
}

/// Drops whole days where nobody may need any of them; a hold that has begun by now counts.
fn drop_days(db: &Db, rules: &[Rule], now: UnixNanos) -> Result<u64, StoreError> {
    db.transaction(Turn::Commit, |db| {
        let Some(before) = Policy::read(db, rules)?.whole_days_before(now) else { return Ok(0) };
        let days = db.drop_days(before)?;
        if days > 0 {
            tell(db, (None, None), before, (0, 0), now)?;
        }
        Ok(days)
    })
}

/// The next rows of a walk.
struct Step<'a> {
    rules: &'a [Rule],
    walk: &'a Walk,
    /// Number of the last row that was looked at.
    after: i64,
    horizon: i64,
    now: UnixNanos,
    dry: bool,
}

impl Step<'_> {
    /// Takes what goes; the number of the last row, if there may be more.
    fn go(&self, db: &Db, disposed: &mut Disposed) -> Result<Option<i64>, StoreError> {
        let (going, last) = self.look(db)?;
        if going.is_empty() || self.dry {
            count(&going, self.walk, disposed);
            return Ok(last);
        }
        // Only now do commits wait; a hold that has begun meanwhile counts.
        db.transaction(Turn::Commit, |db| {
            let (going, last) = self.look(db)?;
            going.iter().try_for_each(|(_, _, row)| (self.walk.take)(db, row))?;
            for ((lane, ward), gone) in count(&going, self.walk, disposed) {
                tell(db, (Some(lane), ward.as_deref()), self.horizon, gone, self.now)?;
            }
            Ok(last)
        })
    }

    fn look(&self, db: &Db) -> Result<(Vec<Going>, Option<i64>), StoreError> {
        let policy = Policy::read(db, self.rules)?;
        let rows = db.rows(self.walk.read, values![self.after, ROWS_AT_ONCE])?;
        let is_full = rows.len() as i64 == ROWS_AT_ONCE;
        let (mut going, mut last) = (Vec::new(), None);
        for row in rows {
            let stored: i64 = row.at(1)?;
            // What a wrong clock has stored in the future says nothing of what comes behind it.
            // Rows of readings stand where they were opened, records where they came.
            let came = if self.walk.is_record { row.at(5)? } else { stored };
            if (self.horizon..=self.now.0).contains(&came) {
                return Ok((going, None));
            }
            last = Some(row.at(0)?);
            going.extend(self.goes(&policy, row, stored)?);
        }
        Ok((going, last.filter(|_| is_full)))
    }

    fn goes(&self, policy: &Policy, row: Row, stored_ns: i64) -> Result<Option<Going>, StoreError> {
        let (number, gateway, enrolled): (u8, i64, i64) = (row.at(2)?, row.at(3)?, row.at(4)?);
        let Some(lane) = Lane::from_number(number.into()) else { return Ok(None) };
        let device = if self.walk.is_record { None } else { Some(row.at(5)?) };
        let candidate = Candidate { gateway, lane, device, stored_ns };
        // Nothing was stored before its gateway was enrolled: the clock was wrong then.
        let goes = stored_ns >= enrolled && policy.goes(&candidate, self.now);
        let ward = policy.ward_at(gateway, stored_ns).map(str::to_owned);
        Ok(goes.then_some((number, ward, row)))
    }
}

/// A row that goes, with its lane and ward.
type Going = (u8, Option<String>, Row);

fn count(going: &[Going], walk: &Walk, disposed: &mut Disposed) -> Gone {
    let mut gone = Gone::new();
    for (lane, ward, _) in going {
        let sum = gone.entry((*lane, ward.clone())).or_default();
        *(if walk.is_record { &mut sum.1 } else { &mut sum.0 }) += 1;
    }
    disposed.rows += gone.values().map(|(rows, _)| rows).sum::<u64>();
    disposed.records += gone.values().map(|(_, records)| records).sum::<u64>();
    gone
}

/// Writes down what went: of a lane and ward, or whole days of all.
fn tell(
    db: &Db,
    (lane, ward): (Option<u8>, Option<&str>),
    before: i64,
    (rows, records): (u64, u64),
    now: UnixNanos,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO disposal (at_ns, lane, ward, stored_before_ns, rows_gone, records_gone)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (rows, records) = (rows.cast_signed(), records.cast_signed());
    db.later(sql, values![now.0, lane, ward, before, rows, records])
}

#[cfg(test)]
mod tests {
    use super::super::{end_hold, hold};
    use super::*;
    use crate::store::coverage::MINUTE_NS;

    /// The readings of these stores are of 1970.
    const REALLY: How = How { dry: false, force: true };
    const DAY_NS: i64 = 86_400_000_000_000;
    const NOW: UnixNanos = UnixNanos(20_000 * DAY_NS);

    /// Two gateways, one of a ward; each has a device with a numeric and a waveform of long ago and
    /// one of each of today.
    fn store() -> Db {
        let db = Db::in_memory();
        db.batch(
            "INSERT INTO gateway VALUES (1, 'gw-1', x'', 0), (2, 'gw-2', x'', 0);
             INSERT INTO ward_history VALUES (1, 0, 'ICU');
             INSERT INTO device VALUES (1, '0000000000000001'), (2, '0000000000000002');
             INSERT INTO heard VALUES (1, 1, 1, 1, 1, 9), (2, 1, 1, 2, 1, 9);",
        )
        .unwrap();
        for (gateway, lane, days) in
            [(1, 1, 100), (1, 2, 100), (2, 1, 100), (2, 2, 100), (1, 1, 0), (2, 2, 0)]
        {
            put(&db, gateway, lane, NOW.0 - days * DAY_NS);
        }
        db
    }

    fn put(db: &Db, gateway: i64, lane: i64, stored: i64) {
        let id: i64 = db.one("SELECT coalesce(max(id), 0) + 1 FROM evidence", &[]).unwrap();
        let rows = if lane == 1 {
            format!(
                "INSERT INTO numeric VALUES ({id}, {id}, 0, 1, 0, 0, NULL);
                 INSERT INTO block VALUES ({id}, {id}, {id}, 0, 0, {id}, {id}, NULL, 0, 0);"
            )
        } else {
            format!(
                "INSERT INTO wave VALUES ({id}, {id}, {id}, 0, 0, 1, 0, x'00', NULL, NULL, 0, 0);"
            )
        };
        db.batch(&format!(
            "INSERT INTO segment (id, segment, gateway, lane)
             VALUES ({id}, x'{id:02}', {gateway}, {lane});
             INSERT INTO series VALUES ({id}, {gateway}, {id}, 1, '', '', 0, 0, 1, 1, 0, 0, 0, 0);
             INSERT INTO evidence (id, segment, idx, hash, disposition, reason, received_ns, bytes)
             VALUES ({id}, {id}, 0, x'{id:02}', 1, 0, {stored}, x'FF');{rows}"
        ))
        .unwrap();
    }

    /// Rows of numerics and waveforms, and sealed records that have their bytes.
    fn left(db: &Db) -> (i64, i64, i64) {
        let count = |sql| db.one(sql, &[]).unwrap();
        (
            count("SELECT count(*) FROM numeric"),
            count("SELECT count(*) FROM wave"),
            count("SELECT count(*) FROM evidence WHERE length(bytes) > 0"),
        )
    }

    fn rule(lane: Lane, ward: Option<&str>, days: u32) -> Rule {
        Rule { lane, ward: ward.map(Into::into), days }
    }

    #[test]
    fn what_is_old_goes_by_lane_and_ward_and_its_hash_stays() {
        let db = store();
        assert_eq!(dispose(&db, &[], NOW, REALLY).unwrap(), Disposed::default());
        let rules = [rule(Lane::Vital, None, 90), rule(Lane::Vital, Some("ICU"), 365)];
        let dry = dispose(&db, &rules, NOW, How { dry: true, ..REALLY }).unwrap();
        assert_eq!((dry, left(&db)), (Disposed { rows: 1, records: 1, days: 0 }, (3, 3, 6)));

        assert_eq!(dispose(&db, &rules, NOW, REALLY).unwrap(), dry);
        assert_eq!(left(&db), (2, 3, 5), "numerics of the gateway without a ward");
        assert_eq!(db.one::<i64>("SELECT count(hash) FROM evidence", &[]).unwrap(), 6);
        assert_eq!(dispose(&db, &rules, NOW, REALLY).unwrap(), Disposed::default(), "once");

        let rules = [rule(Lane::Vital, None, 90), rule(Lane::Wave, None, 90)];
        dispose(&db, &rules, NOW, REALLY).unwrap();
        assert_eq!(left(&db), (1, 1, 2), "what is of today stays");
        let told: i64 = db.one("SELECT CAST(sum(rows_gone) AS BIGINT) FROM disposal", &[]).unwrap();
        let written: i64 = db.one("SELECT count(*) FROM audit", &[]).unwrap();
        assert_eq!((told, written), (4, 2));
    }

    #[test]
    fn what_is_held_stays_until_the_hold_ends() {
        let rules = [rule(Lane::Vital, None, 90), rule(Lane::Wave, None, 90)];
        for (device, ward) in [(Some(wire::identity::DeviceId(1)), None), (None, Some("ICU"))] {
            let db = store();
            let id = hold(&db, device, ward, "claim 7", NOW).unwrap();
            dispose(&db, &rules, NOW, REALLY).unwrap();
            assert_eq!(left(&db), (2, 2, 4), "of gateway 1 everything: {device:?} {ward:?}");
            assert!(end_hold(&db, id, NOW).unwrap() && !end_hold(&db, id, NOW).unwrap());
            dispose(&db, &rules, NOW, REALLY).unwrap();
            assert_eq!(left(&db), (1, 1, 2));
        }
    }

    #[test]
    fn a_wrong_clock_and_a_ward_that_nobody_knows_dispose_of_nothing() {
        let db = store();
        let rules = [rule(Lane::Vital, None, 90), rule(Lane::Wave, None, 90)];
        let carefully = dispose(&db, &rules, NOW, How::default());
        assert!(matches!(carefully, Err(PolicyError::Clock { .. })), "the readings are of 1970");
        let minute = NOW.0 / MINUTE_NS - 2 * 24 * 60 + 1;
        db.batch(&format!("INSERT INTO coverage VALUES (2, {minute}, 2, 1, 0)")).unwrap();
        assert_eq!(dispose(&db, &rules, NOW, How::default()).unwrap().rows, 4);

        let rules = [rule(Lane::Wave, None, 0), rule(Lane::Wave, Some("icu"), 365)];
        let unknown = dispose(&db, &rules, NOW, REALLY);
        assert!(matches!(unknown, Err(PolicyError::Ward(ward)) if ward == "icu"));
    }

    #[test]
    fn what_a_wrong_clock_has_stored_neither_goes_nor_keeps_what_is_behind_it() {
        let db = store();
        db.batch("UPDATE evidence SET received_ns = 1 WHERE id = 1").unwrap();
        let future = NOW.0 + 365 * DAY_NS;
        db.batch(&format!("UPDATE evidence SET received_ns = {future} WHERE id = 2")).unwrap();
        db.batch(&format!("UPDATE gateway SET enrolled_ns = {}", NOW.0 - 200 * DAY_NS)).unwrap();
        let rules = [rule(Lane::Vital, None, 90), rule(Lane::Wave, None, 90)];
        dispose(&db, &rules, NOW, REALLY).unwrap();
        assert_eq!(left(&db), (2, 2, 4), "of four old rows, one of 1970 and one of next year stay");
    }

    #[test]
    fn what_was_opened_late_is_kept_from_then_on() {
        let db = store();
        db.batch(&format!("UPDATE evidence SET opened_ns = {} WHERE id = 1", NOW.0)).unwrap();
        let rules = [rule(Lane::Vital, None, 90)];
        let count = dispose(&db, &rules, NOW, How { dry: true, ..REALLY }).unwrap();
        assert_eq!((count.rows, count.records), (0, 1), "a record behind it goes, no block does");
    }
}
