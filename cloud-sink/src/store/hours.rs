//! Hours of gateways: in which minutes each was up, in which its reports came at once, and how long
//! its readings took from their reception to the end of the commit.
//!
//! Minutes count in the hour in which a report was made, delays in the hour in which it was stored.

use std::collections::BTreeMap;

use super::StoreError;
use super::coverage::MINUTE_NS;
use super::db::{Db, Row, Value};

/// Minutes of an hour, each one bit.
pub const MINUTES: i64 = 60;
/// Nanoseconds of an hour.
pub const HOUR_NS: i64 = MINUTES * MINUTE_NS;
/// A report is due each 15 s and leaves a few seconds later; what comes after a minute comes late.
const REPORT_LIVE_WITHIN_NS: i64 = MINUTE_NS;

/// Longest delay of each class, milliseconds; one class more is for what takes longer.
///
/// The first ones, up to ten seconds, are live; the others came out of a backlog.
const LONGEST_MS: [i64; 14] = [
    250, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 60_000, 300_000, 900_000, 3_600_000,
    14_400_000, 86_400_000,
];
const LIVE_CLASSES: usize = 8;
const CLASSES: usize = LONGEST_MS.len() + 1;

/// Minutes in which reports came at once: without so many an hour says nothing of its delays.
const MINUTES_THAT_SAY: u32 = 10;
/// Slow readings without which a line is not slow. One connection made anew is five slow seconds:
/// under a hundredth of ten minutes if a device speaks often, and fewer than these if it does not.
const SLOW_READINGS: i64 = 7;
/// Within so long, milliseconds, 99 of 100 live readings of an hour are to be stored.
const GOOD_MS: i64 = 5_000;
/// The first class of what is not live; most readings in it make a line slow, too.
const NEARLY_LIVE_MS: i64 = LONGEST_MS[LIVE_CLASSES];

const KEEP: &str = "
INSERT INTO gateway_hour
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON CONFLICT (gateway, hour) DO UPDATE SET
  up = gateway_hour.up | excluded.up, live = gateway_hour.live | excluded.live,
  d0 = gateway_hour.d0 + excluded.d0, d1 = gateway_hour.d1 + excluded.d1,
  d2 = gateway_hour.d2 + excluded.d2, d3 = gateway_hour.d3 + excluded.d3,
  d4 = gateway_hour.d4 + excluded.d4, d5 = gateway_hour.d5 + excluded.d5,
  d6 = gateway_hour.d6 + excluded.d6, d7 = gateway_hour.d7 + excluded.d7,
  d8 = gateway_hour.d8 + excluded.d8, d9 = gateway_hour.d9 + excluded.d9,
  d10 = gateway_hour.d10 + excluded.d10, d11 = gateway_hour.d11 + excluded.d11,
  d12 = gateway_hour.d12 + excluded.d12, d13 = gateway_hour.d13 + excluded.d13,
  d14 = gateway_hour.d14 + excluded.d14";

/// An hour of a gateway, as a query for `gateway_hour.*` has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GatewayHour {
    /// Minutes since 1970 by 60.
    pub hour: i64,
    /// Minutes of which there is a report, as bits.
    pub up: i64,
    /// Those whose report came at once.
    pub live: i64,
    /// How long readings took.
    pub delays: Delays,
}

impl GatewayHour {
    /// From a row that has it from a column on; nothing, if there is no such hour.
    ///
    /// # Errors
    /// The store holds something else there.
    pub fn read(row: &Row, column: usize) -> Result<Self, StoreError> {
        let mut delays = Delays::default();
        for (class, count) in delays.0.iter_mut().enumerate() {
            *count = row.at::<Option<i64>>(column + 4 + class)?.unwrap_or(0);
        }
        let [hour, up, live] = [1, 2, 3].map(|at| row.at::<Option<i64>>(column + at));
        let (hour, up, live) = (hour?.unwrap_or(0), up?.unwrap_or(0), live?.unwrap_or(0));
        Ok(Self { hour, up, live, delays })
    }

    /// Within how many milliseconds 99 of 100 live readings were stored, if there is enough to say
    /// so; on a line on which most are too late to be live, how late those are.
    #[must_use]
    pub fn delay_ms(&self) -> Option<i64> {
        let (live, nearly) = (self.delays.live_readings(), self.delays.0[LIVE_CLASSES]);
        let is_enough = self.live.count_ones() >= MINUTES_THAT_SAY;
        let delay = match nearly > live.max(SLOW_READINGS) {
            true => Some(NEARLY_LIVE_MS),
            false => self.delays.live_within(99),
        };
        delay.filter(|delay| is_enough && (*delay <= GOOD_MS || self.slow() >= SLOW_READINGS))
    }

    /// Whether the line is slow.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.delay_ms().is_some_and(|delay| delay > GOOD_MS)
    }

    /// Readings that took too long, and did not come out of a backlog.
    #[must_use]
    pub fn slow(&self) -> i64 {
        let classes = self.delays.classes().take(LIVE_CLASSES + 1);
        classes.filter(|(longest, _)| *longest > Some(GOOD_MS)).map(|(_, count)| count).sum()
    }
}

/// How many readings took how long.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delays([i64; CLASSES]);

impl Delays {
    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(count, other)| *count += other);
    }

    fn count(&mut self, delay_ns: i64) {
        let milliseconds = delay_ns.div_euclid(1_000_000);
        self.0[LONGEST_MS.partition_point(|longest| *longest < milliseconds)] += 1;
    }

    /// What came live, class by class: longest delay in milliseconds, and how many.
    fn live(&self) -> impl Iterator<Item = (Option<i64>, i64)> + '_ {
        self.classes().take(LIVE_CLASSES)
    }

    fn classes(&self) -> impl Iterator<Item = (Option<i64>, i64)> + '_ {
        LONGEST_MS.into_iter().map(Some).chain([None]).zip(self.0)
    }

    /// Live readings.
    #[must_use]
    pub fn live_readings(&self) -> i64 {
        self.live().map(|(_, count)| count).sum()
    }

    /// Readings out of a backlog.
    #[must_use]
    pub fn late_readings(&self) -> i64 {
        self.0[LIVE_CLASSES..].iter().sum()
    }

    /// Within how many milliseconds so many percent of the live readings were stored.
    #[must_use]
    pub fn live_within(&self, percent: i64) -> Option<i64> {
        within(percent, self.live_readings(), self.live())
    }

    /// The same of those out of a backlog; none if it is more than a day.
    #[must_use]
    pub fn late_within(&self, percent: i64) -> Option<i64> {
        within(percent, self.late_readings(), self.classes().skip(LIVE_CLASSES))
    }
}

fn within(
    percent: i64,
    all: i64,
    classes: impl Iterator<Item = (Option<i64>, i64)>,
) -> Option<i64> {
    let mut seen = 0;
    let mut reached = classes.skip_while(|(_, count)| {
        seen += count;
        seen * 100 < all * percent
    });
    reached.next().filter(|_| all > 0)?.0
}

/// What is known of one hour.
#[derive(Debug, Default)]
struct Hour {
    up: i64,
    live: i64,
    delays: Delays,
}

/// What commits add.
#[derive(Debug, Default)]
pub(super) struct Hours {
    /// By gateway, and hour since 1970.
    hours: BTreeMap<(i64, i64), Hour>,
    /// Readings of the commit that is under way: gateway, and when each was taken.
    taken: Vec<(i64, i64)>,
}

impl Hours {
    /// A gateway's report has come. All moments are UTC nanoseconds.
    pub(super) fn report(&mut self, gateway: i64, made_ns: i64, now_ns: i64) {
        let minute = made_ns.div_euclid(MINUTE_NS);
        let hour = self.hours.entry((gateway, minute.div_euclid(MINUTES))).or_default();
        let bit = 1 << minute.rem_euclid(MINUTES);
        hour.up |= bit;
        if now_ns.saturating_sub(made_ns) <= REPORT_LIVE_WITHIN_NS {
            hour.live |= bit;
        }
    }

    /// A gateway took a reading at a moment, which is about to be stored.
    pub(super) fn take(&mut self, gateway: i64, taken_ns: i64) {
        self.taken.push((gateway, taken_ns));
    }

    /// What was taken is stored now. It is written with the next commit; a sink that is killed
    /// before does not count it.
    pub(super) fn committed(&mut self, now_ns: i64) {
        let hour = now_ns.div_euclid(HOUR_NS);
        for (gateway, taken) in self.taken.drain(..) {
            let known = self.hours.entry((gateway, hour)).or_default();
            known.delays.count(now_ns.saturating_sub(taken));
        }
    }

    /// Writes what was counted.
    pub(super) fn save(&mut self, db: &Db) -> Result<(), StoreError> {
        for ((gateway, hour), known) in std::mem::take(&mut self.hours) {
            let first = [gateway, hour, known.up, known.live];
            let values: Vec<Value<'_>> =
                first.into_iter().chain(known.delays.0).map(Value::from).collect();
            db.later(KEEP, &values)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::Turn;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn minutes_and_delays_of_a_gateway_grow_over_commits() {
        let (db, mut hours) = (Db::in_memory(), Hours::default());
        let start = 7 * HOUR_NS;
        let commit = |hours: &mut Hours, now| {
            db.transaction(Turn::Commit, |db| hours.save(db)).unwrap();
            hours.committed(now);
        };
        hours.report(1, start, start + 2 * SECOND_NS);
        hours.report(1, start + 59 * MINUTE_NS, start + 61 * MINUTE_NS);
        hours.take(1, start - 900_000_000);
        hours.take(1, start - 4 * 3600 * SECOND_NS);
        commit(&mut hours, start);
        hours.report(1, start + MINUTE_NS, start + MINUTE_NS);
        hours.take(1, start + SECOND_NS);
        commit(&mut hours, start + SECOND_NS + 250_000_000);
        commit(&mut hours, start);

        let rows = db.rows("SELECT * FROM gateway_hour", &[]).unwrap();
        assert_eq!(rows.len(), 1);
        let GatewayHour { hour, up, live, delays } = GatewayHour::read(&rows[0], 0).unwrap();
        assert_eq!((hour, up, live), (7, (1 << 59) | 3, 3));
        assert_eq!((delays.0[0], delays.0[2], delays.0[12]), (1, 1, 1));
    }

    #[test]
    fn an_hour_with_one_connection_made_anew_is_not_slow_whatever_speaks() {
        // Readings a second, by ten; live minutes; slow ones of 5 to 10 s, and of 10 to 60 s.
        let hour = |rate: i64, minutes: i64, slow: i64, slower: i64| {
            let mut delays = Delays::default();
            delays.0[2] = minutes * 60 * rate / 10;
            (delays.0[7], delays.0[8]) = (slow, slower);
            GatewayHour { live: (1 << minutes) - 1, delays, ..GatewayHour::default() }
        };
        for rate in [1, 10, 20, 500] {
            let reconnect = 5 * rate / 10;
            assert!(!hour(rate, 9, reconnect, reconnect).is_slow(), "{rate}");
            assert!(!hour(rate, 10, reconnect, reconnect).is_slow(), "{rate}");
            assert!(hour(rate, 10, 10 * rate + 7, 0).is_slow(), "{rate}");
        }
        let later = hour(10, 0, 0, 900);
        assert_eq!(later.delay_ms(), None, "a backlog that drains, in an hour without a report");
        let all = GatewayHour { live: (1 << 15) - 1, ..later };
        assert_eq!((all.delay_ms(), all.is_slow()), (Some(60_000), true), "all take 10 to 60 s");
    }

    #[test]
    fn a_percentile_is_the_longest_delay_of_its_class_and_none_beyond_a_day() {
        let mut delays = Delays::default();
        assert_eq!((delays.live_within(99), delays.late_within(50)), (None, None));
        (0..98).for_each(|_| delays.count(800_000_000));
        delays.count(4 * SECOND_NS);
        delays.count(10 * SECOND_NS);
        assert_eq!(delays.live_readings(), 100);
        assert_eq!([50, 95, 99].map(|p| delays.live_within(p)), [1000, 1000, 5000].map(Some));
        delays.count(10 * SECOND_NS + 1_000_000);
        delays.count(25 * 3600 * SECOND_NS);
        assert_eq!((delays.late_within(50), delays.late_within(99)), (Some(60_000), None));
        delays.count(-SECOND_NS);
        assert_eq!(delays.0[0], 1, "a clock that was stepped takes no time away");
    }
}
