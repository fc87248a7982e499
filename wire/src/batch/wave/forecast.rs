//! What the next sample of a waveform is expected to be, and the shares of every alternative.

use super::WaveError;
use super::range::{Decoder, Encoder};

/// Sixteen times the binary logarithm of `value`, straight between powers of two.
fn log16(value: u64) -> i32 {
    let value = value.max(16);
    let exponent = value.ilog2();
    (exponent * 16).cast_signed() + ((value >> (exponent - 4)) & 15) as i32
}

/// `65536 × 2^(−i/16)`.
const EXP2: [u32; 16] = [
    65536, 62757, 60097, 57549, 55109, 52772, 50535, 48393, 46341, 44376, 42495, 40693, 38968,
    37316, 35734, 34219,
];

/// How restless the previous channel is around one sample, against its own mean.
pub(super) struct Lead<'a> {
    previous: Option<&'a [i32]>,
    /// Sum of the bends over the block divided by its samples, in the unit of one bend.
    mean: u64,
}

impl<'a> Lead<'a> {
    pub(super) fn new(previous: Option<&'a [i32]>) -> Self {
        let mut lead = Self { previous, mean: 0 };
        if let Some(channel) = previous {
            let sum: u64 = (0..channel.len()).map(|index| bend(channel, index)).sum();
            lead.mean = sum * 16 / (channel.len() as u64).max(1);
        }
        lead
    }

    /// What to add to the logarithm of the scale.
    pub(super) fn at(&self, index: usize) -> i32 {
        let Some(channel) = self.previous else {
            return 0;
        };
        let near = bend(channel, index - 1) + 2 * bend(channel, index) + bend(channel, index + 1);
        let floor = ((self.mean * 5) >> 4) + 8;
        ((log16(near * 4 + floor) - log16(self.mean + floor)).clamp(-32, 48)) >> 1
    }
}

/// Size of the second difference around a sample.
fn bend(channel: &[i32], index: usize) -> u64 {
    let last = channel.len() - 1;
    let at = |index: usize| i64::from(channel[index.min(last)]);
    (at(index + 1) - 2 * at(index) + at(index.saturating_sub(1))).unsigned_abs().min(1 << 28)
}

const PREDICTORS: usize = 7;

/// Quarter steps beyond which a predictor is simply far off; keeps products inside 64 bits.
const FAR: i64 = 1 << 28;

/// What the block has taught so far about the next sample.
pub(super) struct Model {
    /// The last four samples, newest first; before the block, its first sample.
    past: [i64; 4],
    /// Recent squared error of each predictor, in sixteenths of a squared step.
    energy: [i64; PREDICTORS],
    /// Guesses of each predictor for the sample under way, in quarter steps.
    guesses: [i64; PREDICTORS],
    /// The predictor that learns.
    echo: Echo,
}

impl Model {
    pub(super) fn new(first: i32) -> Self {
        Self {
            past: [i64::from(first); 4],
            energy: [64; PREDICTORS],
            guesses: [0; PREDICTORS],
            echo: Echo::new(),
        }
    }

    /// The next sample, in sixteenths of a step.
    pub(super) fn expect(&mut self) -> i64 {
        let [a, b, c, d] = self.past;
        self.guesses = [
            4 * a,
            8 * a - 4 * b,
            2 * a + b + c,
            12 * (a - b) + 4 * c,
            4 * a + 2 * (b - c),
            a + b + c + d,
            4 * a + self.echo.guess(),
        ];
        let logs = self.energy.map(|energy| log16((energy + 16).cast_unsigned()));
        let least = logs.iter().fold(i32::MAX, |least, log| least.min(*log));
        let (mut sum, mut total) = (0_i64, 0_u32);
        for (guess, log) in self.guesses.iter().zip(logs) {
            let behind = ((log - least) * 5) >> 2;
            let weight = i64::from((EXP2[(behind & 15) as usize] >> 4) >> (behind >> 4).min(31));
            sum += weight * (guess - 4 * a).clamp(-FAR, FAR);
            total += weight as u32;
        }
        // Times the reciprocal, because 64-bit division is slow on small machines.
        let expected = 16 * a + ((sum * i64::from((1 << 31) / total)) >> 29);
        expected.clamp(i64::from(i32::MIN) * 16, i64::from(i32::MAX) * 16)
    }

    pub(super) fn learn(&mut self, sample: i64) {
        for (energy, guess) in self.energy.iter_mut().zip(self.guesses) {
            let miss = (4 * sample - guess).clamp(-FAR, FAR);
            *energy += (miss * miss - *energy) >> 2;
        }
        self.echo.learn(sample - self.past[0], 4 * sample - self.guesses[PREDICTORS - 1]);
        self.past = [sample, self.past[0], self.past[1], self.past[2]];
    }
}

/// Slopes the learning predictor looks back on.
const ECHO_SLOPES: usize = 8;
/// Largest slope and miss it learns from, in steps and quarter steps.
const ECHO_FAR: i64 = 1 << 20;

/// A predictor that learns how slopes return, as in mains hum.
struct Echo {
    /// Newest first, in steps.
    slopes: [i64; ECHO_SLOPES],
    /// What each slope counts, in 1/65536.
    weights: [i64; ECHO_SLOPES],
    /// Sum of the squares of `slopes`.
    power: i64,
}

impl Echo {
    fn new() -> Self {
        Self { slopes: [0; ECHO_SLOPES], weights: [0; ECHO_SLOPES], power: 0 }
    }

    /// What to add to the last sample, in quarter steps.
    fn guess(&self) -> i64 {
        let pairs = self.weights.iter().zip(&self.slopes);
        (pairs.map(|(weight, slope)| weight * slope).sum::<i64>() >> 14).clamp(-FAR, FAR)
    }

    /// Normalised least mean squares with a step of one eighth.
    fn learn(&mut self, slope: i64, miss: i64) {
        let miss = miss.clamp(-ECHO_FAR, ECHO_FAR);
        let gain = (miss << 20).div_euclid(self.power + 64);
        for (weight, slope) in self.weights.iter_mut().zip(&self.slopes) {
            *weight = (*weight + ((gain * slope) >> 9)).clamp(-(1 << 20), 1 << 20);
        }
        let slope = slope.clamp(-ECHO_FAR, ECHO_FAR);
        let last = self.slopes[ECHO_SLOPES - 1];
        self.power += slope * slope - last * last;
        self.slopes.copy_within(..ECHO_SLOPES - 1, 1);
        self.slopes[0] = slope;
    }
}

/// How far off the expectation usually is.
pub(super) struct Scale {
    /// Mean size of the error, over about five samples, in 1/4096 step.
    short: i64,
    /// The same over about a hundred samples.
    long: i64,
    /// Samples learned.
    age: usize,
}

impl Scale {
    pub(super) fn new() -> Self {
        Self { short: 3 << 12, long: 3 << 12, age: 0 }
    }

    pub(super) fn forecast(&self, expected: i64, lead: i32) -> Forecast {
        let scale = (11 * self.short + 4 * self.long) >> 4;
        Forecast::new(expected, log16(scale.cast_unsigned()) + lead, lead)
    }

    pub(super) fn learn(&mut self, sample: i64, forecast: &Forecast) {
        let miss = (16 * sample - forecast.expected).abs();
        let damp = ((forecast.lead * 3) >> 2) + 48;
        let factor = i64::from(EXP2[(damp & 15) as usize]);
        let size = ((miss * factor) >> (8 + (damp >> 4))) << 3;
        self.short += ((size - self.short) * RATE[self.age.min(3)]) >> 12;
        self.long += ((size - self.long) * RATE[self.age.min(95)]) >> 12;
        self.age += 1;
    }
}

/// `4096 / (i + 2)`: how much the sample of age `i` counts in a mean.
const RATE: [i64; 96] = {
    let mut rate = [0; 96];
    let mut age = 0;
    while age < 96 {
        rate[age] = 4096 / (age as i64 + 2);
        age += 1;
    }
    rate
};

/// Symbols on each side of the middle one; beyond them lies the escape.
const REACH: i64 = 64;
/// What the curve shares out of 65536; the rest gives each symbol and both escapes at least one.
const SHARE: u64 = 65536 - (2 * REACH as u64 + 4);
/// Steps of the tail table: sixteenths of the mean error size.
const TAIL_STEPS: usize = 256;

/// `SHARE ×` the probability of an error above `i/16` mean sizes: 15/32 of a logistic, 16/32 of a
/// Laplace and 1/32 of a Laplace curve four times as wide.
const TAIL: [u32; TAIL_STEPS + 1] = {
    let (mut logistic, mut laplace, mut wide) = (1_u64 << 32, 1_u64 << 32, 1_u64 << 32);
    let mut tail = [0; TAIL_STEPS + 1];
    let mut step = 0;
    while step <= TAIL_STEPS {
        let bell = (logistic << 31) / ((1 << 32) + logistic);
        let mix = (30 * bell + 8 * laplace + wide / 2) >> 5;
        tail[step] = ((SHARE * mix) >> 32) as u32;
        // e^(−ln 4 / 16), e^(−1/16) and e^(−1/64), times 2³².
        logistic = (logistic * 3_938_502_376) >> 32;
        laplace = (laplace * 4_034_754_899) >> 32;
        wide = (wide * 4_228_379_853) >> 32;
        step += 1;
    }
    tail
};

/// Where the next sample is expected and how far off it may be.
pub(super) struct Forecast {
    /// In sixteenths of a step.
    expected: i64,
    /// The whole step nearest to it.
    centre: i64,
    /// What the previous channel added to the logarithm of the scale.
    lead: i32,
    /// Bits of the error that are coded as they are.
    plain_bits: u32,
    /// Multiplier and shift that turn sixteenths of a step into 1/256 of a tail step.
    inverse: i64,
    inverse_shift: u32,
}

impl Forecast {
    fn new(expected: i64, scale_log: i32, lead: i32) -> Self {
        // From 1/16 step up, and far above any error 32-bit samples can make.
        let scale_log = scale_log.clamp(8 * 16, 47 * 16 + 15).cast_unsigned();
        let exponent = scale_log >> 4;
        Self {
            expected,
            centre: (expected + 8) >> 4,
            lead,
            plain_bits: exponent.saturating_sub(14),
            inverse: i64::from((1_u32 << 20) / (33 + 2 * (scale_log & 15))),
            inverse_shift: exponent - 5,
        }
    }

    /// Where the share of `symbol` begins, in 1/65536.
    fn start(&self, symbol: i64) -> u32 {
        let edge = 16 * ((symbol << self.plain_bits) + self.centre) - 8 - self.expected;
        let distance = (edge.abs() * self.inverse) >> self.inverse_shift;
        let distance = distance.min((TAIL_STEPS as i64) << 8) as usize;
        let step = (distance >> 8).min(TAIL_STEPS - 1);
        let part = (distance - (step << 8)) as u32;
        let tail = TAIL[step] - (((TAIL[step] - TAIL[step + 1]) * part) >> 8);
        let below = if edge < 0 { tail } else { SHARE as u32 - tail };
        below + (symbol + REACH) as u32 + 1
    }

    pub(super) fn write(&self, sample: i64, coder: &mut Encoder) {
        let error = sample - self.centre;
        let symbol = error >> self.plain_bits;
        if symbol < -REACH {
            coder.share(0, self.start(-REACH));
            coder.wide(((-REACH << self.plain_bits) - 1 - error).cast_unsigned());
        } else if symbol > REACH {
            let start = self.start(REACH + 1);
            coder.share(start, 65536 - start);
            coder.wide((error - ((REACH + 1) << self.plain_bits)).cast_unsigned());
        } else {
            let start = self.start(symbol);
            coder.share(start, self.start(symbol + 1) - start);
            coder.plain(error.cast_unsigned(), self.plain_bits);
        }
    }

    pub(super) fn read(&self, coder: &mut Decoder<'_>) -> Result<i64, WaveError> {
        let target = coder.target();
        let (symbol, start, end) = self.search(target);
        coder.take(start, end - start)?;
        let error = if symbol < -REACH {
            (-REACH << self.plain_bits) - 1 - coder.wide()?.cast_signed()
        } else if symbol > REACH {
            coder.wide()?.cast_signed() + ((REACH + 1) << self.plain_bits)
        } else {
            (symbol << self.plain_bits) + coder.plain(self.plain_bits)?.cast_signed()
        };
        Ok(self.centre + error)
    }

    /// The symbol whose share holds `target`, with its start and end; small symbols first.
    fn search(&self, target: u32) -> (i64, u32, u32) {
        let (mut low, mut low_start) = (-REACH - 1, 0);
        let (mut high, mut high_start) = (REACH + 2, 65536);
        let (mut probe, mut stride) = (0_i64, 1_i64);
        while high - low > 1 {
            let start = self.start(probe);
            if target < start {
                (high, high_start) = (probe, start);
            } else {
                (low, low_start) = (probe, start);
            }
            probe = if low == -REACH - 1 {
                (high - stride).max(-REACH)
            } else if high == REACH + 2 {
                (low + stride).min(REACH + 1)
            } else {
                (low + high) >> 1
            };
            stride *= 2;
        }
        (low, low_start, high_start)
    }
}
