//! A simulated patient: four waves at 250 Hz, thirty numerics a second, and alerts, from a seed.
//!
//! The ECG is the model of McSharry, Clifford, Tarassenko and Smith, "A dynamical model for
//! generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 50 (2003) 289-294: a
//! point runs round a limit cycle, once a beat, past five extrema that pull its height: P, Q, R,
//! S, T. One heart drives the rest: each R peak ejects a stroke into a Windkessel (arterial
//! pressure) and, later, into the finger (pleth). Inspiration shortens RR and lowers the stroke.
//!
//! The same seed gives the same output in every run of one build. Sine and exponential come from
//! the platform's library, so a golden file made on one platform need not fit another.

mod body;
mod course;
mod tables;

use std::f64::consts::TAU;

use body::{Breath, Circulation, Heart};
use course::{Drift, Episode, Noise, Trouble};
use tables::{CUFF, DRIFTS, FINGER, LIMITS, RESTLESS};
pub use tables::{EVENT_HIGH, EVENT_LOW, NUMERICS, RATE_HZ, WAVES, WaveRow};
pub use tables::{STATUS_IN_ALARM, STATUS_INVALID, STATUS_MEASURING};
pub use tables::{STATUS_NOT_AVAILABLE, STATUS_QUESTIONABLE};

const STEP_S: f64 = 1.0 / RATE_HZ as f64;
/// The monitor's converter has 14 bits.
const COUNT_MAX: i32 = 16_383;
/// Seconds beyond a limit before an alert begins, and within it before the alert ends.
const BEGINS_AFTER_S: u32 = 5;
const ENDS_AFTER_S: u32 = 3;
/// Seconds between two cuff measurements, and how long the cuff is inflated before each.
const CUFF_EVERY_S: u64 = 180;
const CUFF_INFLATED_S: u64 = 35;

/// What happened in one second.
#[derive(Clone, Debug, PartialEq)]
pub struct Second {
    /// One a row of [`NUMERICS`], in that order.
    pub numerics: Vec<Numeric>,
    /// One a row of [`WAVES`], in that order.
    pub waves: Vec<Wave>,
    /// Alerts that began or ended; mostly none.
    pub alerts: Vec<AlertEdge>,
}

/// One number as the device shows it: `value` x 10^`exponent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric {
    /// MDC code.
    pub code: u32,
    /// MDC unit code.
    pub unit: u32,
    /// Decimal exponent, the device's precision.
    pub exponent: i8,
    /// Mantissa; `None` is NaN.
    pub value: Option<i64>,
    /// Bits `STATUS_*`, numbered from the lowest.
    pub status: u16,
}

/// One second of samples: a value is (sample - `baseline`) x `gain.0` x 10^`gain.1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// MDC code.
    pub code: u32,
    /// MDC unit code.
    pub unit: u32,
    /// Samples a second.
    pub rate_hz: u32,
    /// Units a count, as mantissa and decimal exponent.
    pub gain: (i64, i8),
    /// The count that means zero.
    pub baseline: i32,
    /// Counts, 0..=16383.
    pub samples: Vec<i32>,
}

/// The beginning or the end of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEdge {
    /// [`EVENT_HIGH`] or [`EVENT_LOW`].
    pub code: u32,
    /// MDC code of the numeric that crossed its limit.
    pub source: u32,
    /// 1 high, 2 medium, 3 low.
    pub priority: u8,
    /// False at its end.
    pub begins: bool,
    /// When in this second, 0..=999: the last beat.
    pub offset_ms: u32,
}

/// One person in a bed, with a monitor, a ventilator and a pump.
#[derive(Clone, Debug)]
pub struct Patient {
    noise: Noise,
    samples: u64,
    /// Breaths a minute at rest.
    breaths: f64,
    episode: Episode,
    heart: Heart,
    breath: Breath,
    circulation: Circulation,
    drifts: [Drift; DRIFTS.len()],
    pump_ml_per_h: f64,
    syringe_ml: f64,
    delivered_ml: f64,
    /// NaN until the first measurement.
    cuff: [f64; 4],
    alarms: [Alarm; LIMITS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Alarm {
    active: bool,
    /// Seconds for which the value has contradicted `active`.
    contradicted_s: u32,
}

impl Patient {
    /// The patient of this seed, lying still.
    pub fn new(seed: u64) -> Self {
        let mut noise = Noise(seed);
        let breaths = noise.between(11.0, 18.0);
        let drifts = DRIFTS.map(|(low, high, spread)| {
            let centre = noise.between(low, high);
            let value = centre;
            Drift { centre, value, spread }
        });
        let [.., bpm, mean_mmhg] = drifts.map(|drift| drift.centre);
        Self {
            samples: 0,
            breaths,
            episode: Episode::first(&mut noise),
            heart: Heart::new(bpm, &mut noise),
            breath: Breath::new(breaths),
            circulation: Circulation::new(mean_mmhg),
            drifts,
            pump_ml_per_h: noise.between(2.0, 12.0).round(),
            syringe_ml: noise.between(20.0, 50.0),
            delivered_ml: 0.0,
            cuff: [f64::NAN; 4],
            alarms: [Alarm::default(); LIMITS.len()],
            noise,
        }
    }

    /// Advances by one second and says what the monitor shows.
    pub fn second(&mut self) -> Second {
        self.episode.advance(self.now_s(), &mut self.noise);
        for drift in &mut self.drifts {
            drift.advance(&mut self.noise);
        }
        let mut waves = WAVES.map(|(code, unit, rate_hz, gain, baseline)| {
            let samples = Vec::with_capacity(RATE_HZ as usize);
            Wave { code, unit, rate_hz, gain, baseline, samples }
        });
        let counts_a_unit = WAVES.map(|wave| 10f64.powi(-i32::from(wave.3.1)) / wave.3.0 as f64);
        for _ in 0..RATE_HZ {
            let values = self.sample();
            for ((wave, counts), value) in waves.iter_mut().zip(counts_a_unit).zip(values) {
                let count = (value * counts).round() as i32 + wave.baseline;
                wave.samples.push(count.clamp(0, COUNT_MAX));
            }
        }
        self.infuse();
        self.measure_cuff();

        let mut numerics = self.numerics();
        let alerts = self.alerts(&mut numerics);
        Second { numerics, waves: waves.into(), alerts }
    }

    fn now_s(&self) -> f64 {
        self.samples as f64 * STEP_S
    }

    fn suffers(&self, trouble: Trouble) -> f64 {
        if self.episode.kind == trouble { self.episode.strength(self.now_s()) } else { 0.0 }
    }

    /// One sample of each wave, in the units of [`WAVES`].
    fn sample(&mut self) -> [f64; 4] {
        let (fast, slow) = (self.suffers(Trouble::Fast), self.suffers(Trouble::Slow));
        let (high, low) = (self.suffers(Trouble::High), self.suffers(Trouble::Low));
        let [.., heart_bpm, mean_mmhg] = self.drifts.map(|drift| drift.value);
        let bpm = toward(138.0, fast, toward(40.0, slow, heart_bpm));
        let mean_mmhg = toward(140.0, high, toward(47.0, low, mean_mmhg));
        let breaths = toward(31.0, fast, self.breaths);
        let (restless, off) = (self.suffers(Trouble::Restless), self.suffers(Trouble::ProbeOff));
        let before_s = self.now_s();
        self.samples += 1;
        let now_s = self.now_s();

        let air = self.breath.step(breaths, &mut self.noise);
        // Mayer waves, near 0.1 Hz: what the baroreflex does to vessels and pace.
        let mayer = (TAU * 0.095 * now_s).sin() + 0.6 * (TAU * 0.113 * now_s).cos();
        let (millivolt, r_peak) = self.heart.step(5e-3 * (air - 0.5));
        let stroke_ml = 72.0 * (75.0 / bpm).powf(0.4);
        if let Some(share) = r_peak {
            let interval_s = 60.0 / bpm * (1.0 + 0.07 * (0.4 - air) + 0.018 * mayer);
            self.heart.begin(interval_s);
            let at_s = before_s + share * STEP_S;
            self.circulation.eject(at_s, interval_s, stroke_ml * (1.04 - 0.1 * air));
        }
        let resistance = mean_mmhg * 60.0 / (stroke_ml * bpm) * (1.0 + 0.03 * mayer);
        let (mmhg, pulse) = self.circulation.step(now_s, resistance);

        let pleth = toward(12.0, off, 45.0 + pulse * (1.0 - 0.4 * restless));
        let hum = 0.004 * (TAU * 50.0 * now_s + 0.3).sin();
        let noise = &mut self.noise;
        [
            millivolt + hum + noise.gauss() * (0.008 + 0.05 * restless),
            pleth + noise.gauss() * (0.15 + 1.5 * restless),
            1.1 * air - 0.5 + 4e-4 * pulse + noise.gauss() * (0.004 + 0.08 * restless),
            mmhg + noise.gauss() * 0.25,
        ]
    }

    fn infuse(&mut self) {
        let ml = self.pump_ml_per_h / 3600.0;
        self.delivered_ml += ml;
        self.syringe_ml -= ml;
        if self.syringe_ml <= 0.0 {
            self.syringe_ml = 50.0;
        }
        // Now and then somebody turns the pump.
        if self.noise.between(0.0, 240.0) < 1.0 {
            let turned = self.pump_ml_per_h + self.noise.between(-2.0, 2.0);
            self.pump_ml_per_h = ((turned * 2.0).round() / 2.0).clamp(1.0, 20.0);
        }
    }

    fn seconds_to_cuff(&self) -> u64 {
        let elapsed_s = self.samples / u64::from(RATE_HZ);
        (CUFF_EVERY_S - elapsed_s % CUFF_EVERY_S) % CUFF_EVERY_S
    }

    fn measure_cuff(&mut self) {
        if self.seconds_to_cuff() == 0 {
            let [sys, dia, mean] = self.circulation.pressures_mmhg();
            let error = 3.0 * self.noise.gauss();
            self.cuff = [sys - 4.0 + error, dia + 2.0 + error, mean + error, self.heart.rate_bpm()];
        }
    }

    /// In the order of [`NUMERICS`]; NaN where there is no value.
    fn values(&mut self) -> [f64; 30] {
        let bpm = self.heart.rate_bpm();
        let [sys, dia, mean] = self.circulation.pressures_mmhg();
        let [core, cvp, perfusion, saturation, st, co2, lungs, rest_bpm, _] =
            self.drifts.map(|drift| drift.value);
        let mut spo2 = toward(84.0, self.suffers(Trouble::Desaturated), saturation).min(100.0);
        let (mut pulse_bpm, mut perfusion) = (bpm + 0.4 * self.noise.gauss(), perfusion);
        if self.suffers(Trouble::ProbeOff) > 0.0 {
            (spo2, pulse_bpm, perfusion) = (f64::NAN, f64::NAN, f64::NAN);
        }
        let breaths = self.breath.rate();
        let tidal_ml =
            480.0 * (self.breaths / breaths).powf(0.3) * (1.0 + 0.02 * self.noise.gauss());
        let minute_l = tidal_ml * breaths / 1000.0;
        let etco2 = co2 * (0.48 * self.breaths / minute_l).sqrt();
        // The ST segment sags when the heart races.
        let st = st - 0.001 * (bpm - rest_bpm).max(0.0);
        let peak = 5.0 + tidal_ml / lungs + 4.0;
        let [cuff_sys, cuff_dia, cuff_mean, cuff_bpm] = self.cuff;
        let rate = self.pump_ml_per_h;
        #[rustfmt::skip]
        let values = [
            bpm, pulse_bpm, spo2, perfusion, sys, dia, mean,
            cvp, self.circulation.output(), cuff_sys, cuff_dia, cuff_mean, cuff_bpm,
            0.6 * st, st, breaths, breaths + 0.2 * self.noise.gauss(), core, core - 3.1,
            etco2, 0.0, 40.0 + 0.3 * self.noise.gauss(), tidal_ml, minute_l, peak, 5.0,
            rate, self.delivered_ml, self.syringe_ml, 60.0 * self.syringe_ml / rate,
        ];
        values
    }

    fn numerics(&mut self) -> Vec<Numeric> {
        let values = self.values();
        let row = |index: usize| {
            let ((code, unit, exponent), value) = (NUMERICS[index], values[index]);
            let scaled = (value * 10f64.powi(-i32::from(exponent))).round();
            let mut status = 0;
            if value.is_nan() {
                status |=
                    if FINGER.contains(&index) { STATUS_INVALID } else { STATUS_NOT_AVAILABLE };
            } else if self.suffers(Trouble::Restless) > 0.0 && RESTLESS.contains(&index) {
                status |= STATUS_QUESTIONABLE;
            }
            if CUFF.contains(&index) && (1..=CUFF_INFLATED_S).contains(&self.seconds_to_cuff()) {
                status |= STATUS_MEASURING;
            }
            let value = (!value.is_nan()).then_some(scaled as i64);
            Numeric { code, unit, exponent, value, status }
        };
        (0..NUMERICS.len()).map(row).collect()
    }

    /// Moves every alarm on and marks the numerics in alarm.
    fn alerts(&mut self, numerics: &mut [Numeric]) -> Vec<AlertEdge> {
        let last_second_s = self.now_s() - 1.0;
        let beat_s = (self.circulation.last_stroke_s() - last_second_s).clamp(0.0, 0.999);
        let mut edges = Vec::new();
        for (alarm, (index, code, limit, priority)) in self.alarms.iter_mut().zip(LIMITS) {
            let beyond = numerics[index].value.is_some_and(|value| {
                if code == EVENT_HIGH { value > limit } else { value < limit }
            });
            let wait_s = if alarm.active { ENDS_AFTER_S } else { BEGINS_AFTER_S };
            alarm.contradicted_s =
                if beyond == alarm.active { 0 } else { alarm.contradicted_s + 1 };
            if alarm.contradicted_s == wait_s {
                *alarm = Alarm { active: beyond, contradicted_s: 0 };
                let (source, offset_ms) = (numerics[index].code, (beat_s * 1000.0) as u32);
                edges.push(AlertEdge { code, source, priority, begins: beyond, offset_ms });
            }
            if alarm.active {
                numerics[index].status |= STATUS_IN_ALARM;
            }
        }
        edges
    }
}

/// From `rest` toward `ill`, by `strength` 0..1.
fn toward(ill: f64, strength: f64, rest: f64) -> f64 {
    rest + (ill - rest) * strength
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MINUTES_S: usize = 600;

    fn watch(seed: u64, seconds: usize) -> Vec<Second> {
        let mut patient = Patient::new(seed);
        (0..seconds).map(|_| patient.second()).collect()
    }

    /// One wave of all these seconds, in its unit.
    fn wave(seconds: &[Second], index: usize) -> Vec<f64> {
        let units = |wave: &Wave, sample: i32| {
            f64::from(sample - wave.baseline) * wave.gain.0 as f64 * 10f64.powi(wave.gain.1.into())
        };
        let waves = seconds.iter().map(|second| &second.waves[index]);
        waves.flat_map(|wave| wave.samples.iter().map(|&sample| units(wave, sample))).collect()
    }

    /// Sample numbers of the R peaks: highest within 200 ms and well above the T wave.
    fn r_peaks(ecg: &[f64]) -> Vec<usize> {
        let top = ecg.iter().copied().fold(f64::MIN, f64::max);
        (25..ecg.len() - 25)
            .filter(|&at| {
                let (before, after) = (&ecg[at - 25..at], &ecg[at..=at + 25]);
                ecg[at] > 0.6 * top
                    && before.iter().all(|&earlier| earlier < ecg[at])
                    && after.iter().all(|&later| later <= ecg[at])
            })
            .collect()
    }

    fn value(second: &Second, code: u32) -> Option<f64> {
        let numeric = second
            .numerics
            .iter()
            .find(|numeric| numeric.code == code)
            .expect("each second has every numeric");
        numeric.value.map(|value| value as f64 * 10f64.powi(numeric.exponent.into()))
    }

    #[test]
    fn the_same_seed_gives_the_same_patient_and_another_seed_another() {
        let (one, again, other) = (watch(1, 60), watch(1, 60), watch(2, 60));

        assert_eq!(one, again);
        assert_ne!(one, other);
    }

    #[test]
    fn every_second_has_each_numeric_and_each_wave_in_the_order_of_the_tables() {
        for second in watch(3, 60) {
            let numerics: Vec<_> =
                second.numerics.iter().map(|n| (n.code, n.unit, n.exponent)).collect();
            let waves: Vec<_> = second
                .waves
                .iter()
                .map(|w| (w.code, w.unit, w.rate_hz, w.gain, w.baseline))
                .collect();

            assert_eq!(numerics, NUMERICS);
            assert_eq!(waves, WAVES);
            assert!(second.waves.iter().all(|wave| wave.samples.len() == RATE_HZ as usize));
        }
    }

    #[test]
    fn the_heart_rate_shown_agrees_with_the_r_peaks_in_the_ecg() {
        for seed in 0..3 {
            let seconds = watch(seed, TEN_MINUTES_S);
            let peaks = r_peaks(&wave(&seconds, 0));
            for (now, second) in seconds.iter().enumerate().skip(20).take(570) {
                let end = (now + 1) * RATE_HZ as usize;
                let past = peaks.partition_point(|&peak| peak < end);
                let span = &peaks[past - 9..past];
                let bpm = 60.0 * 8.0 * f64::from(RATE_HZ) / (span[8] - span[0]) as f64;
                let shown = value(second, 147_842).expect("the ECG stays on");
                assert!((shown - bpm).abs() <= 3.0, "seed {seed} s {now}: {shown} {bpm}");
            }
        }
    }

    #[test]
    fn the_ecg_has_one_tall_qrs_a_beat_over_little_noise() {
        for seed in 0..20 {
            // The first fifteen seconds are always untroubled.
            let ecg = wave(&watch(seed, 15), 0);
            let peaks = r_peaks(&ecg);
            let rough = |at: usize| ecg[at + 1] - 2.0 * ecg[at] + ecg[at - 1];
            // Between the T wave and the next P wave nothing happens but noise.
            let quiet: Vec<f64> = peaks
                .windows(2)
                .map(|pair| rough(pair[0] + (pair[1] - pair[0]) * 65 / 100))
                .collect();
            let noise = (quiet.iter().map(|v| v * v).sum::<f64>() / quiet.len() as f64).sqrt();

            for &peak in &peaks {
                let trough = ecg[peak..peak + 20].iter().copied().fold(f64::MAX, f64::min);
                assert!((0.7..2.8).contains(&(ecg[peak] - trough)), "seed {seed}");
                assert!(ecg[peak] - trough > 20.0 * noise, "seed {seed} noise {noise}");
            }
            assert!((12..=26).contains(&peaks.len()), "seed {seed}: {} beats", peaks.len());
        }
    }

    #[test]
    fn each_pressure_pulse_follows_its_beat() {
        let seconds = watch(4, 15);
        let (ecg, pressure) = (wave(&seconds, 0), wave(&seconds, 3));

        for peak in r_peaks(&ecg).into_iter().skip(2) {
            let Some(after) = pressure.get(peak..peak + 120) else {
                continue;
            };
            let foot =
                (0..120).min_by(|&a, &b| after[a].total_cmp(&after[b])).expect("there are samples");
            assert!((30..60).contains(&foot), "foot {} ms after R", foot * 4);
        }
    }

    #[test]
    fn every_value_stays_in_what_a_body_and_a_monitor_can_show() {
        #[rustfmt::skip]
        let bounds = [
            (147_842, 30.0, 180.0), (149_530, 30.0, 180.0), (150_456, 75.0, 100.0),
            (150_488, 0.05, 10.0), (150_037, 55.0, 230.0), (150_038, 20.0, 160.0),
            (150_039, 35.0, 190.0), (150_087, 0.0, 20.0), (150_276, 2.0, 12.0),
            (131_842, -0.3, 0.3), (151_578, 6.0, 40.0), (150_368, 35.0, 39.0),
            (151_728, 20.0, 50.0), (152_196, 36.0, 44.0), (151_980, 300.0, 600.0),
            (152_004, 3.0, 18.0), (151_973, 10.0, 30.0), (157_784, 1.0, 20.0),
            (157_872, 0.0, 50.0), (157_916, 0.0, 3000.0),
        ];
        for second in (10..13).flat_map(|seed| watch(seed, TEN_MINUTES_S)) {
            for (code, low, high) in bounds {
                let shown = value(&second, code).unwrap_or(low);
                assert!((low..=high).contains(&shown), "{code}: {shown}");
            }
            for wave in &second.waves {
                assert!(wave.samples.iter().all(|s| (1..COUNT_MAX).contains(s)), "{}", wave.code);
            }
            let pressure = |code| value(&second, code).expect("the line stays in");
            assert!(pressure(150_038) < pressure(150_039));
            assert!(pressure(150_039) < pressure(150_037));
        }
    }

    #[test]
    fn ten_minutes_have_absent_and_doubtful_values_and_alerts() {
        for seed in 20..25 {
            let seconds = watch(seed, TEN_MINUTES_S);
            let numerics = || seconds.iter().flat_map(|second| &second.numerics);
            let has = |bit: u16| numerics().any(|numeric| numeric.status & bit != 0);

            let absent = seconds.iter().filter(|s| value(s, 150_456).is_none()).count();
            assert!((5..=40).contains(&absent), "seed {seed}: {absent} s without SpO2");
            assert!(has(STATUS_INVALID) && has(STATUS_QUESTIONABLE) && has(STATUS_MEASURING));
            assert!(has(STATUS_NOT_AVAILABLE) && has(STATUS_IN_ALARM));
            for source in [147_842, 150_456, 150_037, 150_039] {
                let edges = seconds.iter().flat_map(|second| &second.alerts);
                assert!(edges.clone().any(|e| e.source == source), "seed {seed} {source}");
            }
        }
    }

    #[test]
    fn an_alert_begins_before_it_ends_and_marks_its_numeric_meanwhile() {
        for seed in 0..3 {
            let mut active = std::collections::BTreeSet::new();
            for second in watch(seed, TEN_MINUTES_S) {
                for edge in &second.alerts {
                    let key = (edge.source, edge.code);
                    assert!(edge.offset_ms < 1000 && (1..=3).contains(&edge.priority));
                    assert!([EVENT_HIGH, EVENT_LOW].contains(&edge.code));
                    assert!(if edge.begins { active.insert(key) } else { active.remove(&key) });
                }
                for numeric in &second.numerics {
                    let marked = numeric.status & STATUS_IN_ALARM != 0;
                    assert_eq!(marked, active.iter().any(|key| key.0 == numeric.code));
                }
            }
        }
    }
}
