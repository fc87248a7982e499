//! Ticks: when a device that only counts took its readings, on our own clock, however late they
//! come: a cable that was dead for hours may bring a ring full of them at once.

use std::sync::PoisonError;

use wire::time::{DeviceClock, MonotonicNanos};

use super::{Device, FrameSpan, Run};

/// Clocks of devices drift against ours by this much at most, parts in a million: a processor's
/// own oscillator, which is no crystal, by a hundredth or two.
const DRIFT_PPM: i128 = 20_000;
/// A device whose counting goes back by more has set it anew, or had counted wrongly.
const BACK_NS: i128 = 60_000_000_000;

/// Reception less device time, at its least: there the way and the waiting were shortest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    /// Nanoseconds, since when it is known, and the device's time then.
    least: Option<(i128, MonotonicNanos, i128)>,
    /// The newest frame, and its time.
    newest: Option<(u32, i128)>,
}

impl Ticks {
    /// A device had this time, nanoseconds, in a frame of readings that came now.
    pub fn hear_frame(&mut self, sequence: u32, device_ns: i128, received: MonotonicNanos) {
        if let Some((newest, ns)) = self.newest {
            if sequence <= newest {
                return self.hear(device_ns, received);
            }
            if device_ns < ns - BACK_NS {
                self.least = None;
            }
        }
        self.newest = Some((sequence, device_ns));
        self.hear(device_ns, received);
    }

    /// A device had this time, nanoseconds, when it said something that came now.
    pub fn hear(&mut self, device_ns: i128, received: MonotonicNanos) {
        let offset = i128::from(received.0) - device_ns;
        let least = self.at(device_ns, received).map_or(offset, |known| known.min(offset));
        self.least = Some((least, received, device_ns));
    }

    /// The least offset, as it may have grown by drift since: while the device counted, and no
    /// longer than we did.
    fn at(&self, device_ns: i128, now: MonotonicNanos) -> Option<i128> {
        let (offset, since, then) = self.least?;
        let counted = (device_ns - then).abs().min(i128::from(now.0.saturating_sub(since.0)));
        Some(offset + counted * DRIFT_PPM / 1_000_000)
    }

    /// How long before a reception a device's time was, nanoseconds; nothing, while nothing else is
    /// known.
    #[must_use]
    pub fn age_ns(&self, device_ns: i128, received: MonotonicNanos) -> u64 {
        let Some(offset) = self.at(device_ns, received) else { return 0 };
        let age = i128::from(received.0) - (offset + device_ns);
        u64::try_from(age.max(0)).unwrap_or(AGE_MAX_NS).min(AGE_MAX_NS)
    }
}

/// One tick of a device, nanoseconds.
pub fn tick_ns(device: &Device) -> i128 {
    10i128.pow(device.source.tick_exponent.into())
}

/// Dates frames that came together: those of a device that counts ticks by what is known of its
/// counting, with the newest of them.
pub fn dated(
    device: &Device,
    run: &Run,
    received: MonotonicNanos,
    frames: &[(FrameSpan, Option<i64>)],
) -> Vec<FrameSpan> {
    let plain = |(span, _): &(FrameSpan, Option<i64>)| *span;
    if device.source.clock != DeviceClock::Tick {
        return frames.iter().map(plain).collect();
    }
    let tick_ns = tick_ns(device);
    let ns = |ticks: i64| i128::from(ticks) * tick_ns;
    let mut known = run.ticks.lock().unwrap_or_else(PoisonError::into_inner);
    for (span, ticks) in frames {
        if let Some(ticks) = *ticks {
            known.hear_frame(span.sequence, ns(ticks), received);
        }
    }
    let age = |ticks: Option<i64>| ticks.map_or(0, |ticks| known.age_ns(ns(ticks), received));
    frames.iter().map(|(span, ticks)| FrameSpan { age_ns: age(*ticks), ..*span }).collect()
}

/// A century: a device that says more counts nothing.
pub const AGE_MAX_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> MonotonicNanos {
        MonotonicNanos(1_000 * SECOND + seconds * SECOND)
    }

    fn device(seconds: u64) -> i128 {
        i128::from(seconds * SECOND)
    }

    #[test]
    fn a_ring_that_comes_after_hours_is_dated_when_it_was_measured() {
        let mut ticks = Ticks::default();
        let hours = 3 * 3600;
        (0..60)
            .for_each(|second| ticks.hear_frame(second, device(second.into()), at(second.into())));
        ticks.hear(device(hours), at(hours));
        for second in [60, 5_000, hours] {
            ticks.hear_frame(second as u32, device(second), at(hours));
            assert_eq!(ticks.age_ns(device(second), at(hours)), (hours - second) * SECOND);
        }
    }

    #[test]
    fn what_a_device_kept_over_hours_without_power_is_dated_by_its_last_word() {
        let mut ticks = Ticks::default();
        ticks.hear_frame(1, device(100), at(100));
        let hours = 10 * 3600;
        // It had measured for a minute more when its power went.
        let age = ticks.age_ns(device(160), at(hours));
        let off = (hours - 160) * SECOND - age;
        assert!(off <= 2 * SECOND, "{off}");
    }

    #[test]
    fn what_was_measured_before_our_own_start_has_its_age() {
        let mut ticks = Ticks::default();
        ticks.hear(device(9_000), MonotonicNanos(60 * SECOND));
        assert_eq!(ticks.age_ns(device(1_800), MonotonicNanos(60 * SECOND)), 7_200 * SECOND);
    }

    #[test]
    fn without_an_earlier_word_the_newest_frame_of_a_burst_dates_all() {
        let mut ticks = Ticks::default();
        [10, 20, 30].into_iter().for_each(|second| ticks.hear(device(second), at(100)));
        let ages = [10, 20, 30].map(|second| ticks.age_ns(device(second), at(100)) / SECOND);
        assert_eq!(ages, [20, 10, 0]);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        for ppm in [-15_000i64, -150, 150, 15_000] {
            let mut ticks = Ticks::default();
            for second in 0..100_000u64 {
                let theirs = device(second) + device(second) * i128::from(ppm) / 1_000_000;
                ticks.hear_frame(second as u32, theirs, at(second));
                let off = ticks.age_ns(theirs, at(second));
                assert!(off < SECOND / 100, "{ppm} at {second}: {off}");
            }
        }
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_came_back_dates_nothing_for_long() {
        let mut ticks = Ticks::default();
        ticks.hear_frame(1, device(10), at(10));
        ticks.hear_frame(2, device(4_000_000), at(11));
        assert_eq!(ticks.age_ns(device(4_000_000), at(11)), 0);
        ticks.hear_frame(3, device(12), at(12));
        assert_eq!(ticks.age_ns(device(12), at(12)), 0);
        assert_eq!(ticks.age_ns(i128::MIN / 4, at(12)), AGE_MAX_NS);
        assert_eq!(ticks.age_ns(i128::MAX / 4, at(12)), 0);
    }
}
