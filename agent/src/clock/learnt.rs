//! UTC by a sink's signed time.

use std::time::Duration;

use wire::time::{MonotonicNanos, UnixNanos};

use super::DRIFT_PPM;

/// One moment, as a sink has signed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learnt {
    monotonic: MonotonicNanos,
    utc: i64,
    error_ns: u64,
}

impl Learnt {
    /// A receipt came `now`; what it is for was sent `round_trip` before. The sink's time lies
    /// anywhere between.
    pub(super) fn between(sink: UnixNanos, round_trip: Duration, now: MonotonicNanos) -> Self {
        let half = u64::try_from(round_trip.as_nanos() / 2).unwrap_or(u64::MAX);
        let drift = half / 1_000_000 * DRIFT_PPM;
        let error_ns = half.saturating_add(drift);
        Self { monotonic: now, utc: sink.0.saturating_add_unsigned(half), error_ns }
    }

    /// UTC at another moment of this run.
    pub(super) fn utc_at(&self, monotonic: MonotonicNanos) -> i64 {
        self.utc.saturating_add_unsigned(monotonic.0.saturating_sub(self.monotonic.0))
    }

    /// How far that may be off, microseconds.
    pub(super) fn error_us(&self, monotonic: MonotonicNanos) -> u64 {
        (self.error_at(monotonic) / 1_000).saturating_add(1)
    }

    fn error_at(&self, monotonic: MonotonicNanos) -> u64 {
        let since = monotonic.0.saturating_sub(self.monotonic.0);
        self.error_ns.saturating_add((since / 1_000_000).saturating_mul(DRIFT_PPM))
    }

    /// Whether this is still nearer than what was learnt now. Of two that exclude each other the
    /// newer one counts: the sink's clock was put right.
    pub(super) fn is_better_than(&self, new: &Self, now: MonotonicNanos) -> bool {
        let apart = self.utc_at(now).abs_diff(new.utc);
        let agree = apart <= self.error_at(now).saturating_add(new.error_ns);
        agree && self.error_at(now) < new.error_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn learnt(sink_s: i64, round_trip_ms: u64, now_s: u64) -> Learnt {
        let now = MonotonicNanos(now_s * SECOND);
        Learnt::between(
            UnixNanos(sink_s * SECOND as i64),
            Duration::from_millis(round_trip_ms),
            now,
        )
    }

    #[test]
    fn it_is_good_to_half_the_way_there_and_back_and_grows_worse_by_drift() {
        let at = |seconds: u64| MonotonicNanos(seconds * SECOND);
        let one = learnt(1_000, 40, 10);
        assert_eq!((one.utc_at(at(10)), one.error_us(at(10))), (1_000_020_000_000, 20_003));
        assert_eq!(one.utc_at(at(3_610)) - one.utc_at(at(10)), 3_600 * SECOND as i64);
        assert_eq!(one.error_us(at(3_610)), 20_003 + 360_000);
        // True time at reception is anywhere from the sink's to that and the whole way.
        for true_ns in [1_000_000_000_000, 1_000_040_000_000] {
            assert!(one.utc_at(at(10)).abs_diff(true_ns) <= one.error_us(at(10)) * 1_000);
        }
    }

    #[test]
    fn the_nearer_of_two_stays_until_it_has_drifted_or_is_contradicted() {
        let at = |seconds: u64| MonotonicNanos(seconds * SECOND);
        let near = learnt(1_000, 20, 0);
        assert!(near.is_better_than(&learnt(1_010, 400, 10), at(10)));
        assert!(!near.is_better_than(&learnt(1_010, 20, 10), at(10)), "it has drifted");
        assert!(!near.is_better_than(&learnt(5_000, 400, 10), at(10)), "the sink was wrong");
    }
}
