//! Ticks: when a device that only counts took its readings, on our own clock, however late they
//! come: a cable that was dead for hours may bring a ring full of them at once.

use wire::time::MonotonicNanos;

/// Clocks of devices drift against ours by this much at most, parts in a million.
const DRIFT_PPM: i128 = 200;

/// Reception less device time, at its least: there the way and the waiting were shortest.
///
/// Invariant: no moment is later than the reception for which it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    /// Nanoseconds, and since when it is known.
    least: Option<(i128, MonotonicNanos)>,
}

impl Ticks {
    /// A device had this time, nanoseconds, in a frame that came now.
    pub fn hear(&mut self, device_ns: i128, received: MonotonicNanos) {
        let offset = i128::from(received.0) - device_ns;
        let least = self.at(received).map_or(offset, |known| known.min(offset));
        self.least = Some((least, received));
    }

    /// The least offset, as it may have grown since by drift.
    fn at(&self, now: MonotonicNanos) -> Option<i128> {
        let (offset, since) = self.least?;
        Some(offset + i128::from(now.0.saturating_sub(since.0)) * DRIFT_PPM / 1_000_000)
    }

    /// When a device's time was; its reception, while nothing else is known.
    #[must_use]
    pub fn moment(&self, device_ns: i128, received: MonotonicNanos) -> MonotonicNanos {
        let Some(offset) = self.at(received) else { return received };
        let moment = u64::try_from((offset + device_ns).max(0)).unwrap_or(u64::MAX);
        MonotonicNanos(moment.min(received.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;

    fn at(seconds: u64) -> MonotonicNanos {
        MonotonicNanos(1_000 * SECOND + seconds * SECOND)
    }

    fn device(seconds: u64) -> i128 {
        i128::from(seconds * SECOND)
    }

    #[test]
    fn a_ring_that_comes_after_hours_is_dated_when_it_was_measured() {
        let mut ticks = Ticks::default();
        (0..60).for_each(|second| ticks.hear(device(second), at(second)));
        let hours = 3 * 3600;
        for second in [60, 5_000, hours] {
            ticks.hear(device(second), at(hours));
            let off = ticks.moment(device(second), at(hours)).0.abs_diff(at(second).0);
            let drift = 3 * HOUR / 1_000_000 * DRIFT_PPM as u64;
            assert!(off <= drift, "{second}: off by {off} ns");
        }
    }

    #[test]
    fn without_an_earlier_word_the_newest_frame_of_a_burst_dates_all() {
        let mut ticks = Ticks::default();
        [10, 20, 30].into_iter().for_each(|second| ticks.hear(device(second), at(100)));
        let moments = [10, 20, 30].map(|second| ticks.moment(device(second), at(100)));
        assert_eq!(moments, [at(80), at(90), at(100)]);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        for ppm in [-150i64, 150] {
            let mut ticks = Ticks::default();
            for second in 0..100_000u64 {
                let theirs = device(second) + device(second) * i128::from(ppm) / 1_000_000;
                ticks.hear(theirs, at(second));
                let off = at(second).0 - ticks.moment(theirs, at(second)).0;
                assert!(off < SECOND / 100, "{ppm} at {second}: {off}");
            }
        }
    }

    #[test]
    fn no_moment_is_after_its_reception() {
        let mut ticks = Ticks::default();
        assert_eq!(ticks.moment(device(7), at(1)), at(1));
        ticks.hear(device(10), at(10));
        assert_eq!(ticks.moment(device(500), at(11)), at(11));
        assert_eq!(ticks.moment(i128::MIN / 4, at(11)), MonotonicNanos(0));
        assert_eq!(ticks.moment(i128::MAX / 4, at(11)), at(11));
    }
}
