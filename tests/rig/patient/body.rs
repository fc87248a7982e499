//! The body: a heart that paces, breath that modulates it, vessels that carry the pulse.

use std::collections::VecDeque;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_3, PI, TAU};

use super::STEP_S;
use super::course::Noise;

/// Intervals that a monitor averages for its heart rate.
const INTERVALS_AVERAGED: usize = 8;
/// Compliance of the large arteries, mL/mmHg.
const COMPLIANCE: f64 = 1.4;
/// Time the pulse takes from the R peak to the wrist and to the finger, seconds.
const WRIST_S: f64 = 0.17;
const FINGER_S: f64 = 0.25;

/// The ECG of McSharry et al. (2003), equation 1, integrated with Runge and Kutta's fourth order.
///
/// Invariant: `x` and `y` stay near the unit circle; one turn is one beat, R at angle 0.
#[derive(Clone, Debug)]
pub(super) struct Heart {
    point: [f64; 3],
    interval_s: f64,
    /// Angle, height, width of P, Q, R, S, T at the present rate.
    extrema: [(f64, f64, f64); 5],
    /// Millivolts a unit of height.
    millivolts: f64,
    intervals_s: VecDeque<f64>,
}

impl Heart {
    /// A heart at rest, its angle just past an R peak.
    pub(super) fn new(bpm: f64, noise: &mut Noise) -> Self {
        let mut heart = Self {
            point: [1.0, 0.0, 0.04],
            interval_s: 60.0 / bpm,
            extrema: [(0.0, 0.0, 0.0); 5],
            millivolts: noise.between(21.0, 32.0),
            intervals_s: VecDeque::new(),
        };
        heart.begin(60.0 / bpm);
        heart
    }

    /// Begins a beat at its R peak: the next one comes after `interval_s`.
    pub(super) fn begin(&mut self, interval_s: f64) {
        self.intervals_s.push_back(self.interval_s);
        if self.intervals_s.len() > INTERVALS_AVERAGED {
            self.intervals_s.pop_front();
        }
        self.interval_s = interval_s;
        // A fast heart spends more of its turn on each extremum.
        let widen = interval_s.recip().sqrt();
        let spread = widen.sqrt();
        self.extrema = [
            (-FRAC_PI_3 * spread, 1.2, 0.25 * widen),
            (-PI / 12.0 * widen, -5.0, 0.1 * widen),
            (0.0, 30.0, 0.1 * widen),
            (PI / 12.0 * widen, -7.5, 0.1 * widen),
            (FRAC_PI_2 * spread, 0.75, 0.4 * widen),
        ];
    }

    /// Beats a minute over the last whole intervals.
    pub(super) fn rate_bpm(&self) -> f64 {
        60.0 * self.intervals_s.len() as f64 / self.intervals_s.iter().sum::<f64>()
    }

    /// One sample: millivolts, and how far into this step an R peak fell, 0..1.
    pub(super) fn step(&mut self, wander: f64) -> (f64, Option<f64>) {
        let before = self.point;
        let along = |slope: [f64; 3], by: f64| [0, 1, 2].map(|i| before[i] + by * slope[i]);
        let first = self.slope(before, wander);
        let second = self.slope(along(first, STEP_S / 2.0), wander);
        let third = self.slope(along(second, STEP_S / 2.0), wander);
        let fourth = self.slope(along(third, STEP_S), wander);
        self.point = [0, 1, 2].map(|i| {
            before[i] + STEP_S / 6.0 * (first[i] + 2.0 * (second[i] + third[i]) + fourth[i])
        });
        let [x, y, z] = self.point;
        let passed = x > 0.0 && before[1] < 0.0 && y >= 0.0;
        (self.millivolts * z, passed.then(|| before[1] / (before[1] - y)))
    }

    fn slope(&self, [x, y, z]: [f64; 3], wander: f64) -> [f64; 3] {
        let pull = 1.0 - x.hypot(y);
        let turn = TAU / self.interval_s;
        let angle = y.atan2(x);
        let mut rise = wander - z;
        for (at, height, width) in self.extrema {
            let mut off = angle - at;
            if off > PI {
                off -= TAU;
            } else if off < -PI {
                off += TAU;
            }
            let widths = off / width;
            if widths.abs() < 6.0 {
                rise -= height * off * (-0.5 * widths * widths).exp();
            }
        }
        [pull * x - turn * y, pull * y + turn * x, rise]
    }
}

/// Breathing: air in the chest, breath by breath.
#[derive(Clone, Debug)]
pub(super) struct Breath {
    /// 0..1 through one breath, which begins with its inspiration.
    phase: f64,
    rate_hz: f64,
    depth: f64,
    shown: f64,
}

impl Breath {
    /// Quiet breathing at this rate.
    pub(super) fn new(breaths: f64) -> Self {
        Self { phase: 0.0, rate_hz: breaths / 60.0, depth: 1.0, shown: breaths }
    }

    /// Breaths a minute, averaged over the last few.
    pub(super) fn rate(&self) -> f64 {
        self.shown
    }

    /// One sample: air in the chest, 0 empty, about 1 full.
    pub(super) fn step(&mut self, breaths: f64, noise: &mut Noise) -> f64 {
        self.phase += self.rate_hz * STEP_S;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.shown += 0.3 * (60.0 * self.rate_hz - self.shown);
            self.rate_hz = breaths / 60.0 * (1.0 + 0.04 * noise.gauss());
            self.depth = 1.0 + 0.08 * noise.gauss();
        }
        let inspiration = 0.36;
        if self.phase < inspiration {
            self.depth * 0.5 * (1.0 - (PI * self.phase / inspiration).cos())
        } else {
            let out = (self.phase - inspiration) / (1.0 - inspiration);
            self.depth * (0.5 * (1.0 + (PI * out).cos())).powf(1.5)
        }
    }
}

/// One stroke on its way.
#[derive(Clone, Copy, Debug)]
struct Stroke {
    at_s: f64,
    ejection_s: f64,
    volume_ml: f64,
}

impl Stroke {
    /// Flow, mL/s, and the notch and the wave that follow the closing valve, per mL of stroke.
    fn at(&self, since_s: f64, notch_width_s: f64) -> (f64, f64) {
        let mut flow = 0.0;
        if (0.0..self.ejection_s).contains(&since_s) {
            // Skewed: it rises faster than it falls; the factor makes the whole flow `volume_ml`.
            let share = (since_s / self.ejection_s).powf(0.72);
            flow = 1.920 * self.volume_ml / self.ejection_s * (PI * share).sin().powi(2);
        }
        let closed = (since_s - self.ejection_s) / notch_width_s;
        let wave = (closed - 3.0) / 1.8;
        let echo = 0.08 * (-0.5 * wave * wave).exp() - 0.07 * (-0.5 * closed * closed).exp();
        (flow, echo * self.volume_ml)
    }
}

/// Arteries and finger: a Windkessel each, fed by the same strokes at their own delay.
#[derive(Clone, Debug)]
pub(super) struct Circulation {
    strokes: VecDeque<Stroke>,
    artery_mmhg: f64,
    finger_ml: f64,
    finger_mean_ml: f64,
    /// Highest, lowest, sum and count of pressure in this beat.
    beat: (f64, f64, f64, u32),
    /// Systolic, diastolic, mean, averaged over some beats.
    shown_mmhg: [f64; 3],
    /// Volume of a stroke times beats a minute, averaged, L/min.
    output: f64,
}

impl Circulation {
    /// Vessels filled to this mean pressure.
    pub(super) fn new(mean_mmhg: f64) -> Self {
        Self {
            strokes: VecDeque::new(),
            artery_mmhg: mean_mmhg,
            finger_ml: 35.0,
            finger_mean_ml: 35.0,
            beat: (f64::MIN, f64::MAX, 0.0, 0),
            shown_mmhg: [mean_mmhg + 25.0, mean_mmhg - 15.0, mean_mmhg],
            output: 5.0,
        }
    }

    /// Systolic, diastolic, mean, mmHg.
    pub(super) fn pressures_mmhg(&self) -> [f64; 3] {
        self.shown_mmhg
    }

    /// Cardiac output, L/min.
    pub(super) fn output(&self) -> f64 {
        self.output
    }

    /// Moment of the last stroke, seconds.
    pub(super) fn last_stroke_s(&self) -> f64 {
        self.strokes.back().map_or(0.0, |stroke| stroke.at_s)
    }

    /// The heart ejects one stroke; the beat before it is measured.
    pub(super) fn eject(&mut self, at_s: f64, interval_s: f64, volume_ml: f64) {
        let (high, low, sum, count) = self.beat;
        if count > 0 && !self.strokes.is_empty() {
            let measured = [high, low, sum / f64::from(count)];
            for (shown, new) in self.shown_mmhg.iter_mut().zip(measured) {
                *shown += 0.3 * (new - *shown);
            }
        }
        self.beat = (f64::MIN, f64::MAX, 0.0, 0);
        self.output += 0.1 * (volume_ml * 0.06 / interval_s - self.output);
        let ejection_s = 0.3 * interval_s.sqrt();
        self.strokes.push_back(Stroke { at_s, ejection_s, volume_ml });
        if self.strokes.len() > 3 {
            self.strokes.pop_front();
        }
    }

    /// One sample: arterial pressure, mmHg, and pulse volume in the finger about its mean, mL.
    pub(super) fn step(&mut self, now_s: f64, resistance: f64) -> (f64, f64) {
        let (mut flow, mut notch, mut finger_flow, mut finger_notch) = (0.0, 0.0, 0.0, 0.0);
        for stroke in &self.strokes {
            let (wrist, echo) = stroke.at(now_s - stroke.at_s - WRIST_S, 0.022);
            let (finger, finger_echo) = stroke.at(now_s - stroke.at_s - FINGER_S, 0.035);
            flow += wrist;
            notch += echo;
            finger_flow += finger;
            finger_notch += finger_echo;
        }
        self.artery_mmhg += STEP_S / COMPLIANCE * (flow - self.artery_mmhg / resistance);
        self.finger_ml += STEP_S * (finger_flow - self.finger_ml / 0.4);
        self.finger_mean_ml += STEP_S / 4.0 * (self.finger_ml - self.finger_mean_ml);

        let mmhg = self.artery_mmhg + 0.03 * flow + notch;
        let (high, low, sum, count) = self.beat;
        self.beat = (high.max(mmhg), low.min(mmhg), sum + mmhg, count + 1);
        (mmhg, self.finger_ml - self.finger_mean_ml + finger_notch)
    }
}
