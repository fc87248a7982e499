//! An estimate of SpO2 and pulse rate from the two colours: for trials of a line, not for a
//! patient.
//!
//! R = (AC red / DC red) / (AC infrared / DC infrared) over the last four seconds, where AC is the
//! standard deviation; SpO2 = 110 - 25 R, the straight line that application notes give and nobody
//! calibrated for this board. Pulse rate: the middle one of the times between rises of the infrared
//! light through its mean.
//!
//! Limits: 70 to 100 % and 30 to 220 a minute; infrared DC above 10,000, AC from 0.05 to 10 % of
//! it; four seconds of samples without a hole; times between rises that agree within a third.
//! Outside of these there is no number, and inside it is marked as questionable.

use wire::decimal::{Absent, Decimal, Number};
use wire::link::Value;
use wire::reading::{STATUS_INVALID, STATUS_QUESTIONABLE};

const SECOND: u32 = super::HERTZ;
const SECONDS: usize = 4;
/// No finger.
const DC_MIN: i64 = 10_000;
/// AC by DC, millionths.
const PERFUSION: core::ops::RangeInclusive<i64> = 500..=100_000;
const SPO2: core::ops::RangeInclusive<i64> = 70..=100;
const PULSE: core::ops::RangeInclusive<u32> = 30..=220;
/// Rises that are remembered: nine beats in four seconds are more than 120 a minute.
const RISES: usize = 9;
/// What the slow mean follows of each sample: a second's worth.
const MEAN_SHIFT: u32 = 6;

/// Sums of one second and one colour.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    sum: i64,
    squares: i64,
}

/// What is known of the last seconds.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    /// Whole seconds, the newest last, and how many there are.
    seconds: [[Sums; 2]; SECONDS],
    full: usize,
    now: [Sums; 2],
    in_second: u32,
    /// The number of the next sample.
    at: u32,
    /// Slow mean of the infrared light, 64 times; and whether it was above.
    mean: i64,
    above: bool,
    /// When it rose through it, the newest last.
    rises: [u32; RISES],
    risen: usize,
    /// Whether a second has ended since somebody asked.
    due: bool,
}

impl Estimate {
    /// Takes one sample of red and infrared light.
    pub fn take(&mut self, sample: [i32; 2]) {
        for (sums, value) in self.now.iter_mut().zip(sample) {
            let value = i64::from(value);
            (sums.sum, sums.squares) = (sums.sum + value, sums.squares + value * value);
        }
        self.watch(i64::from(sample[1]));
        (self.at, self.in_second) = (self.at.wrapping_add(1), self.in_second + 1);
        if self.in_second == SECOND {
            self.seconds.rotate_left(1);
            self.seconds[SECONDS - 1] = core::mem::take(&mut self.now);
            (self.in_second, self.full, self.due) = (0, (self.full + 1).min(SECONDS), true);
        }
    }

    /// Looks for a rise through the slow mean; a band around it keeps noise from being one.
    fn watch(&mut self, value: i64) {
        if self.at == 0 {
            self.mean = value << MEAN_SHIFT;
        }
        let mean = self.mean >> MEAN_SHIFT;
        self.mean += value - mean;
        let band = mean / 4_000;
        if !self.above && value > mean + band {
            self.above = true;
            self.rises.rotate_left(1);
            self.rises[RISES - 1] = self.at;
            self.risen = (self.risen + 1).min(RISES);
        } else if value < mean - band {
            self.above = false;
        }
    }

    /// SpO2 and pulse rate, once a second.
    pub fn values(&mut self) -> Option<[Value; 2]> {
        core::mem::take(&mut self.due).then(|| [self.spo2(), self.pulse()].map(value))
    }

    /// Mean and standard deviation of a colour.
    fn light(&self, colour: usize) -> (i64, i64) {
        let count = i64::from(SECOND) * SECONDS as i64;
        let of = |sums: &[Sums; 2]| (sums[colour].sum, sums[colour].squares);
        let add = |(a, b): (i64, i64), (c, d): (i64, i64)| (a + c, b + d);
        let (sum, squares) = self.seconds.iter().map(of).fold((0, 0), add);
        let mean = sum / count;
        // The sums are below 400 x 2^36: all of it fits.
        let variance = (squares - sum / count * sum - sum % count * mean) / count;
        (mean, variance.max(0).isqrt())
    }

    fn spo2(&self) -> Option<i64> {
        let [(red, red_ac), (infrared, infrared_ac)] = [self.light(0), self.light(1)];
        let perfusion = (infrared_ac * 1_000_000).checked_div(infrared)?;
        if self.full < SECONDS || infrared < DC_MIN || !PERFUSION.contains(&perfusion) {
            return None;
        }
        let ratio_thousandths = (red_ac * infrared * 1_000).checked_div(infrared_ac * red)?;
        let spo2 = (110_000 - 25 * ratio_thousandths + 500).div_euclid(1_000);
        Some(spo2).filter(|spo2| SPO2.contains(spo2))
    }

    fn pulse(&self) -> Option<i64> {
        self.spo2()?;
        let recent = |rise: &&u32| self.at.wrapping_sub(**rise) <= SECOND * SECONDS as u32;
        let rises = &self.rises[RISES - self.risen..];
        let rises = &rises[rises.len() - rises.iter().rev().take_while(recent).count()..];
        let mut times = [0; RISES - 1];
        let times = times.get_mut(..rises.len().checked_sub(1)?)?;
        for (time, pair) in times.iter_mut().zip(rises.windows(2)) {
            *time = pair[1].wrapping_sub(pair[0]);
        }
        times.sort_unstable();
        let (shortest, longest) = (*times.first()?, *times.last()?);
        let middle = times[times.len() / 2];
        let agrees = longest - shortest <= middle / 3;
        let rate = (60 * SECOND + middle / 2).checked_div(middle)?;
        (agrees && PULSE.contains(&rate)).then_some(rate.into())
    }
}

fn value(number: Option<i64>) -> Value {
    Err(match number {
        Some(mantissa) => (Number::Is(Decimal { mantissa, exponent: 0 }), STATUS_QUESTIONABLE),
        None => (Number::Not(Absent::Missing), STATUS_INVALID),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds of a finger: so many beats a minute, R in thousandths, AC in millionths of DC.
    fn finger(beats: f64, ratio: f64, perfusion: f64, dc: f64) -> (Option<i64>, Option<i64>) {
        let mut estimate = Estimate::default();
        for at in 0..1_000 {
            let beat = (f64::from(at) * beats / 6_000.0 * core::f64::consts::TAU).sin();
            let red = dc * 0.8 * (1.0 + beat * perfusion * ratio);
            let infrared = dc * (1.0 + beat * perfusion);
            estimate.take([red as i32, infrared as i32]);
        }
        (estimate.spo2(), estimate.pulse())
    }

    #[test]
    fn a_finger_of_known_colour_and_pulse_is_estimated_so() {
        for (beats, ratio, spo2) in [(72.0, 0.5, 98), (45.0, 0.8, 90), (180.0, 1.2, 80)] {
            let (found, pulse) = finger(beats, ratio, 0.01, 100_000.0);
            assert!(found.is_some_and(|found| (found - spo2).abs() <= 1), "{found:?}, {spo2}");
            let off = pulse.map(|pulse| (pulse as f64 - beats).abs());
            assert!(off.is_some_and(|off| off <= beats * 0.03), "{pulse:?}, {beats}");
        }
    }

    #[test]
    fn outside_of_the_limits_there_is_no_number() {
        assert_eq!(finger(72.0, 0.5, 0.01, 900.0), (None, None), "no finger");
        assert_eq!(finger(72.0, 0.5, 0.000_1, 100_000.0), (None, None), "no pulse");
        assert_eq!(finger(72.0, 0.5, 0.3, 100_000.0), (None, None), "a finger that moves");
        assert_eq!(finger(72.0, 2.4, 0.01, 100_000.0), (None, None), "50 %");
        assert_eq!(finger(400.0, 0.5, 0.01, 100_000.0).1, None);
    }

    #[test]
    fn a_number_comes_once_a_second_after_four_and_is_questionable() {
        let mut estimate = Estimate::default();
        let mut said = 0;
        for at in 0..800 {
            let beat = (f64::from(at) * 0.075).sin() * 500.0;
            estimate.take([80_000 + (beat * 0.4) as i32, 100_000 + beat as i32]);
            if let Some([spo2, _]) = estimate.values() {
                said += 1;
                match spo2 {
                    Err((Number::Is(_), STATUS_QUESTIONABLE)) => assert!(said >= 4),
                    Err((Number::Not(_), STATUS_INVALID)) => assert!(said < 4, "{said}"),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(said, 8);
    }
}
