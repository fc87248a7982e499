//! Timeline: the numbers of a sensor's samples, by their time; what was never said is counted.

use wire::reading::{Channel, ChannelKind};
use wire::time::Rate;

/// Samples of a sensor's waveforms, which have one rate.
///
/// Invariant: every sample before `told_to` was said, or counted as missing; `next` is the number
/// of the first one behind it.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    rate: Option<Rate>,
    next: u64,
    /// Ticks, milliseconds.
    told_to: i64,
    /// Whether samples may be missing behind that.
    is_broken: bool,
}

/// A hole that lasts for so long is declared before it ends.
const HOLE_MS: i64 = 1_000;

/// Samples that are said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Said {
    /// The number of the first one.
    pub first: u64,
    /// When it was taken, ticks.
    pub at: i64,
    /// How many are missing before it.
    pub missing: u64,
}

impl Timeline {
    /// Of a sensor that is read for the first time now.
    #[must_use]
    pub fn new(channels: &[Channel<'_>], now: i64) -> Self {
        let rate = channels.iter().find_map(|channel| match channel.kind {
            ChannelKind::Wave { rate, .. } => Some(rate),
            ChannelKind::Numeric { .. } => None,
        });
        Self { rate, next: 0, told_to: now, is_broken: true }
    }

    /// Samples may be missing from now on until some are said.
    pub const fn breaks(&mut self) {
        self.is_broken = true;
    }

    fn span_ms(&self, samples: u32) -> i64 {
        let of = |rate: Rate| u64::from(samples) * 1000 * rate.denominator / rate.numerator;
        self.rate.map_or(0, |rate| of(rate).cast_signed())
    }

    /// Counts what was not said up to a moment as missing.
    pub fn skip_to(&mut self, moment: i64) -> u64 {
        let (Some(rate), Ok(passed)) = (self.rate, u64::try_from(moment - self.told_to)) else {
            return 0;
        };
        let missing = passed * rate.numerator / (1000 * rate.denominator);
        // Whole samples: the rest of the time belongs to the next one.
        self.told_to += (missing * 1000 * rate.denominator / rate.numerator).cast_signed();
        self.next += missing;
        missing
    }

    /// The same of a hole that has not ended for a second.
    pub fn skip_old_hole(&mut self, now: i64) -> u64 {
        let is_old = self.is_broken && now - self.told_to >= HOLE_MS;
        if is_old { self.skip_to(now) } else { 0 }
    }

    /// So many samples are said now, and so many newer ones still wait in the chip.
    pub fn say(&mut self, count: u32, behind: u32, now: i64) -> Said {
        let end = now - self.span_ms(behind);
        let at = end - self.span_ms(count);
        let missing = if core::mem::take(&mut self.is_broken) { self.skip_to(at) } else { 0 };
        let first = self.next;
        (self.next, self.told_to) = (self.next + u64::from(count), end.max(self.told_to));
        Said { first, at, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::decimal::Decimal;

    fn hundred_hertz() -> Timeline {
        let kind = ChannelKind::Wave {
            rate: Rate::hertz(100),
            gain: Decimal { mantissa: 1, exponent: 0 },
            baseline: 0,
            bits: 8,
        };
        Timeline::new(&[Channel { code: 0, unit: 0, kind, label: "", unit_label: "" }], 1_000)
    }

    #[test]
    fn what_is_not_said_between_two_samples_is_missing_and_keeps_its_numbers() {
        let mut line = hundred_hertz();
        assert_eq!(line.say(10, 0, 1_100), Said { first: 0, at: 1_000, missing: 0 });
        assert_eq!(
            line.say(10, 0, 1_203),
            Said { first: 10, at: 1_103, missing: 0 },
            "a clock drifts"
        );
        line.breaks();
        assert_eq!(line.skip_to(1_258), 5);
        assert_eq!(line.skip_to(1_259), 0, "the rest of the time is kept");
        assert_eq!(line.say(10, 2, 1_500), Said { first: 20 + 5 + 12, at: 1_380, missing: 12 });
        assert_eq!(line.say(2, 0, 1_500).first, 47);
    }

    #[test]
    fn a_hole_that_does_not_end_is_declared_while_it_grows() {
        let mut line = hundred_hertz();
        line.say(10, 0, 1_100);
        assert_eq!(line.skip_old_hole(9_000), 0, "there is none");
        line.breaks();
        assert_eq!(
            [2_000, 2_100, 2_200, 3_200].map(|now| line.skip_old_hole(now)),
            [0, 100, 0, 110]
        );
    }

    #[test]
    fn a_sensor_without_waveforms_misses_none() {
        let mut line = Timeline::new(&[], 0);
        assert_eq!((line.skip_to(1_000_000), line.say(0, 0, 5).missing), (0, 0));
    }
}
