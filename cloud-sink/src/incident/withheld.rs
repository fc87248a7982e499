//! The end of a lane that somebody on the way holds back: reports name a newest record that does
//! not come, and nothing else of its lane comes either, while reports and all that is sent before
//! this lane get through.
//!
//! A gateway sends what is newest in a lane before what is old, and alerts, vitals and reports
//! before waves: while those get through, a link that is only thin or behind brings something.
//!
//! Shape:  a row of `watched` for each lane whose head is missing, `withheld/GATEWAY/LANE/SINCE`;
//! its value is the moment of the last report that named it. Both are moments of looks.

use std::collections::BTreeMap;

use wire::identity::Lane;
use wire::status::{HealthReport, LaneHealth, counter};
use wire::time::UnixNanos;

use super::rules::KEEP;
use super::{Finding, Kind};
use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, values};

const SECOND_NS: i64 = 1_000_000_000;
/// So long, ten minutes, nothing of the lane has come.
const AFTER_NS: i64 = 600 * SECOND_NS;
/// A longer pause between two reports, and nobody knows what could have come meanwhile. As long as
/// a gateway waits for one record on the thinnest link: what leaves at all has left within it.
const PAUSE_NS: i64 = 180 * SECOND_NS;
/// The lanes that are looked after, in their order of sending. Without health there is silence.
const LANES: [Lane; 3] = [Lane::Alert, Lane::Vital, Lane::Wave];

/// A gateway and one of its lanes.
type Key = (i64, Lane);

/// How long a head has been missing, UTC nanoseconds.
#[derive(Clone, Copy)]
struct Span {
    since: i64,
    last: i64,
}

impl Span {
    const fn is_withheld(self) -> bool {
        self.last.saturating_sub(self.since) >= AFTER_NS
    }
}

fn name_of((gateway, lane): Key, since: i64) -> String {
    format!("withheld/{gateway}/{}/{since}", lane as u8)
}

/// Lanes whose heads are missing, as the store has them.
#[derive(Default)]
pub(super) struct Heads(BTreeMap<Key, Span>);

impl Heads {
    pub(super) fn read(db: &Db) -> Result<Self, StoreError> {
        let sql = "SELECT name, value FROM watched WHERE name LIKE 'withheld/%'";
        let mut missing = BTreeMap::new();
        for row in db.rows(sql, &[])? {
            let (name, last): (String, i64) = (row.at(0)?, row.at(1)?);
            let parts = name.split('/').skip(1).filter_map(|part| part.parse::<i64>().ok());
            let numbers: Vec<i64> = parts.collect();
            let &[gateway, lane, since] = &numbers[..] else { continue };
            let Some(lane) = Lane::from_number(lane.cast_unsigned()) else { continue };
            missing.insert((gateway, lane), Span { since, last });
        }
        Ok(Self(missing))
    }

    /// Takes what has come since the last look: of a lane of which anything came nobody holds all
    /// back. Where that was held back before, only its head counts.
    pub(super) fn came(&mut self, db: &Db, (from, to): (i64, i64)) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let sql = "SELECT DISTINCT segment.gateway, segment.lane
                   FROM evidence JOIN segment ON segment.id = evidence.segment
                   WHERE evidence.id > ?1 AND evidence.id <= ?2";
        for row in db.rows(sql, values![from, to])? {
            let Some(lane) = Lane::from_number(row.at(1)?) else { continue };
            self.doubt(db, (row.at(0)?, lane))?;
        }
        Ok(())
    }

    /// Takes a new report of a gateway, after the one before it.
    pub(super) fn hear(
        &mut self,
        db: &Db,
        gateway: i64,
        (before, report): (&HealthReport, &HealthReport),
        now: UnixNanos,
    ) -> Result<(), StoreError> {
        let here = heads_here(db, report)?;
        // What the broker does not take waits for another one, and has an incident of its own.
        let mut may_come = report.counter(counter::RECORDS_PARKED) == 0;
        for lane in LANES {
            let Some(said) = of(report, lane) else { continue };
            let key = (gateway, lane);
            if said.head.is_none_or(|(_, _, hash)| here.contains(&hash.0)) {
                self.forget(db, key)?;
            } else if may_come {
                self.miss(db, key, now)?;
            } else {
                self.doubt(db, key)?;
            }
            may_come &= is_through(of(before, lane), said);
        }
        Ok(())
    }

    /// The head of a lane is missing, and could have come.
    fn miss(&mut self, db: &Db, key: Key, now: UnixNanos) -> Result<(), StoreError> {
        let known = self.0.get(&key).copied().filter(|known| {
            let pause = now.0.saturating_sub(known.last);
            known.is_withheld() || (0..=PAUSE_NS).contains(&pause)
        });
        let span = match known {
            Some(Span { since, last }) => Span { since, last: last.max(now.0) },
            None => {
                self.forget(db, key)?;
                Span { since: now.0, last: now.0 }
            }
        };
        db.later(KEEP, values![&name_of(key, span.since), span.last])?;
        self.0.insert(key, span);
        Ok(())
    }

    /// What is missing of a lane may be on its way.
    fn doubt(&mut self, db: &Db, key: Key) -> Result<(), StoreError> {
        if self.0.get(&key).is_some_and(|span| !span.is_withheld()) {
            self.forget(db, key)?;
        }
        Ok(())
    }

    fn forget(&mut self, db: &Db, key: Key) -> Result<(), StoreError> {
        if let Some(span) = self.0.remove(&key) {
            let delete = "DELETE FROM watched WHERE name = ?1";
            db.later(delete, values![&name_of(key, span.since)])?;
        }
        Ok(())
    }

    /// Which lanes are held back now.
    pub(super) fn judge(&self, db: &Db, lasting: &mut Vec<Finding>) -> Result<(), StoreError> {
        for ((gateway, lane), span) in self.0.iter().filter(|(_, span)| span.is_withheld()) {
            let revoked = "SELECT 1 FROM revoked WHERE gateway = ?1";
            if db.row(revoked, values![*gateway])?.is_some() {
                continue;
            }
            let since = clock::words(span.since);
            lasting.push(Finding {
                kind: Kind::Withheld,
                gateway: Some(*gateway),
                subject: lane.name().to_owned(),
                words: format!(
                    "nothing of lane {lane} has come since {since}, although the gateway reports \
                     a newer record and all else gets through"
                ),
                count: 1,
            });
        }
        Ok(())
    }
}

fn of(report: &HealthReport, lane: Lane) -> Option<&LaneHealth> {
    report.lanes.iter().find(|said| said.lane == lane)
}

/// Hashes of those heads of a report that have come, whatever became of them.
fn heads_here(db: &Db, report: &HealthReport) -> Result<Vec<[u8; 32]>, StoreError> {
    let [alert, vital, wave] = LANES.map(|lane| of(report, lane)?.head.map(|(_, _, hash)| hash.0));
    if alert.is_none() && vital.is_none() && wave.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT hash FROM evidence WHERE hash IN (?1, ?2, ?3)";
    db.rows(sql, values![alert, vital, wave])?.iter().map(|row| row.at(0)).collect()
}

/// Whether all that a lane held at the report before has its receipt by now, so that nothing old of
/// it stands before other lanes.
fn is_through(before: Option<&LaneHealth>, now: &LaneHealth) -> bool {
    let Some((oldest, index)) = now.oldest_unreceipted else { return true };
    match before.map(|before| before.head) {
        None => false,
        Some(None) => true,
        Some(Some((segment, last, _))) if segment == oldest => index > last,
        // It stands in a later segment, if that is the one which is written now.
        Some(Some(_)) => now.head.is_some_and(|(newest, _, _)| newest == oldest),
    }
}

#[cfg(test)]
mod tests {
    use wire::identity::{RecordHash, SegmentId};

    use super::*;

    /// Index of a lane's head, and of its oldest record without a receipt.
    type Stands = (Lane, u8, Option<u8>);

    fn hash_of(lane: Lane, head: u8) -> RecordHash {
        RecordHash([lane as u8 * 64 + head; 32])
    }

    fn report(lanes: &[Stands], parked: u64) -> HealthReport {
        let lanes = lanes.iter().map(|(lane, head, oldest)| {
            let segment = SegmentId([*lane as u8; 16]);
            LaneHealth {
                lane: *lane,
                head: Some((segment, u32::from(*head), hash_of(*lane, *head))),
                oldest_unreceipted: oldest.map(|oldest| (segment, u32::from(oldest))),
                sequence_next: 1,
                backlog_bytes: 0,
                gap_readings: 0,
            }
        });
        let counters = vec![(counter::RECORDS_PARKED, parked)];
        HealthReport { lanes: lanes.collect(), counters, ..HealthReport::default() }
    }

    /// A gateway, and what its last report said.
    struct Story {
        db: Db,
        before: HealthReport,
        records: i64,
    }

    impl Story {
        fn begin() -> Self {
            let db = Db::in_memory();
            db.batch("INSERT INTO gateway VALUES (1, 'gw-1', x'', 0)").unwrap();
            for lane in LANES {
                let insert = "INSERT INTO segment (id, segment, gateway, lane)
                              VALUES (?1, ?2, 1, ?3)";
                let (id, number) = (lane as i64 + 1, lane as u8);
                db.execute(insert, values![id, [number; 16], number]).unwrap();
            }
            Self { db, before: HealthReport::default(), records: 0 }
        }

        /// A report is looked at this second; the lanes that are withheld then.
        fn hear(&mut self, second: i64, report: HealthReport) -> Vec<String> {
            let now = UnixNanos(second * SECOND_NS);
            let mut heads = Heads::read(&self.db).unwrap();
            heads.hear(&self.db, 1, (&self.before, &report), now).unwrap();
            self.before = report;
            let mut lasting = Vec::new();
            heads.judge(&self.db, &mut lasting).unwrap();
            lasting.into_iter().map(|finding| finding.subject).collect()
        }

        /// The same report comes every 15 seconds; the second at which a lane is called withheld.
        fn hear_each(
            &mut self,
            seconds: std::ops::RangeInclusive<i64>,
            lanes: &[Stands],
        ) -> Option<i64> {
            seconds.step_by(15).find(|second| !self.hear(*second, report(lanes, 0)).is_empty())
        }

        /// A record of a lane comes, and the sink looks.
        fn take(&mut self, lane: Lane, index: u8) {
            let insert = "INSERT INTO evidence (segment, idx, hash, disposition, reason,
                            received_ns, bytes) VALUES (?1, ?2, ?3, 1, 0, 0, ?4)";
            let (segment, hash) = (lane as i64 + 1, hash_of(lane, index).0);
            self.db.execute(insert, values![segment, index, hash, Vec::new()]).unwrap();
            let range = (self.records, self.records + 1);
            self.records = range.1;
            Heads::read(&self.db).unwrap().came(&self.db, range).unwrap();
        }
    }

    #[test]
    fn a_lane_is_withheld_once_nothing_of_it_came_for_ten_minutes_and_until_its_head_is_here() {
        let mut story = Story::begin();
        story.take(Lane::Alert, 9);
        let stands = [(Lane::Alert, 9, None), (Lane::Vital, 5, Some(3)), (Lane::Wave, 8, Some(1))];

        assert_eq!(story.hear_each(0..=1200, &stands), Some(600));
        let silent = story.hear(9000, report(&stands, 0));
        story.take(Lane::Vital, 4);
        let without_head = story.hear(9015, report(&stands, 0));
        story.take(Lane::Vital, 6);
        let later = [(Lane::Alert, 9, None), (Lane::Vital, 6, Some(3)), (Lane::Wave, 8, Some(1))];
        let over = story.hear(9030, report(&later, 0));

        assert_eq!(silent, ["vital"], "what waits behind vitals is not");
        assert_eq!(without_head, ["vital"]);
        assert_eq!(over, [] as [&str; 0], "a later head is a head");
    }

    #[test]
    fn what_its_gateway_takes_for_receipted_is_withheld_all_the_same() {
        let stands = [(Lane::Alert, 9, None), (Lane::Vital, 5, None)];
        let mut story = Story::begin();
        story.take(Lane::Vital, 5);

        assert_eq!(story.hear_each(0..=1200, &stands), Some(600));
        assert_eq!(story.hear(1300, report(&stands, 0)), ["alert"]);
        let insert = "INSERT INTO revoked VALUES (1, 0, 'stolen', NULL)";
        story.db.batch(insert).unwrap();
        assert_eq!(story.hear(1315, report(&stands, 0)), [] as [&str; 0]);
    }

    #[test]
    fn a_lane_of_which_something_comes_now_and_then_is_late_and_not_withheld() {
        let stands = [(Lane::Vital, 50, Some(3))];
        let mut story = Story::begin();

        for round in 0..6u8 {
            let from = i64::from(round) * 585;
            assert_eq!(story.hear_each(from..=from + 570, &stands), None, "{round}");
            story.take(Lane::Vital, 3 + round);
        }
    }

    #[test]
    fn while_a_gateway_is_not_heard_nothing_is_withheld() {
        let stands = [(Lane::Vital, 5, Some(3))];
        let mut story = Story::begin();

        assert_eq!(story.hear_each(0..=585, &stands), None);
        assert_eq!(story.hear_each(4000..=4585, &stands), None, "an outage of an hour");
        assert_eq!(story.hear_each(4600..=5200, &stands), Some(4600), "it goes on");
    }

    #[test]
    fn what_waits_behind_others_or_is_too_large_for_the_broker_is_not_withheld() {
        let mut story = Story::begin();
        let mut told = Vec::new();
        story.take(Lane::Vital, 60);
        for round in 0..100i64 {
            // An old vital goes at every report, and always another one waits before the waves.
            let oldest = u8::try_from(round % 40).unwrap();
            let behind = [(Lane::Vital, 60, Some(oldest)), (Lane::Wave, 7, Some(0))];
            told.extend(story.hear(round * 15, report(&behind, 0)));
        }
        for round in 100..200i64 {
            told.extend(story.hear(round * 15, report(&[(Lane::Wave, 7, Some(0))], 1)));
        }
        assert_eq!(told, [] as [&str; 0]);

        let through = [(Lane::Vital, 60, Some(60)), (Lane::Wave, 7, Some(0))];
        assert_eq!(story.hear_each(3000..=4000, &through), None, "the last vital waits, too");
        let all = [(Lane::Vital, 60, None), (Lane::Wave, 7, Some(0))];
        assert_eq!(story.hear_each(4005..=5000, &all), Some(4605));
    }

    #[test]
    fn a_lane_is_through_when_all_of_the_report_before_is_receipted() {
        let segment = |number: u8| SegmentId([number; 16]);
        let at = |head: (u8, u32), oldest: Option<(u8, u32)>| LaneHealth {
            lane: Lane::Vital,
            head: Some((segment(head.0), head.1, RecordHash([0; 32]))),
            oldest_unreceipted: oldest.map(|(of, index)| (segment(of), index)),
            sequence_next: 1,
            backlog_bytes: 0,
            gap_readings: 0,
        };
        let before = at((1, 7), Some((1, 2)));
        let none = LaneHealth { head: None, oldest_unreceipted: None, ..before };

        for (now, wanted) in [
            (at((1, 7), None), true),
            (at((1, 9), Some((1, 8))), true),
            (at((1, 9), Some((1, 7))), false),
            (at((2, 3), Some((2, 0))), true),
            (at((2, 3), Some((1, 7))), false),
            (at((3, 3), Some((2, 0))), false),
        ] {
            assert_eq!(is_through(Some(&before), &now), wanted, "{now:?}");
        }
        let busy = at((1, 9), Some((1, 0)));
        assert!(is_through(Some(&none), &busy) && !is_through(None, &busy));
    }
}
