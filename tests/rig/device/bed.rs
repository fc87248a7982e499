//! A bed: a simulated patient whose monitor speaks in real time.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;
use wire::batch::ChannelInfo;
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::DeviceId;
use wire::reading::{Alert, ChannelKind, Mode, Status};
use wire::time::Rate;

use super::{About, Device, Speech};
use crate::patient::{NUMERICS, Numeric, Patient, RATE_HZ, STATUS_INVALID, Second, WAVES};

/// How the monitor names what it shows, and the unit; in the order of [`NUMERICS`].
#[rustfmt::skip]
const NUMERIC_LABELS: [(&str, &str); NUMERICS.len()] = [
    ("HR", "bpm"), ("PULSE", "bpm"), ("SpO2", "%"), ("PI", "%"),
    ("ABPSys", "mmHg"), ("ABPDias", "mmHg"), ("ABPMean", "mmHg"), ("CVP", "mmHg"), ("CO", "L/min"),
    ("NBPSys", "mmHg"), ("NBPDias", "mmHg"), ("NBPMean", "mmHg"), ("NBPPulse", "bpm"),
    ("ST-I", "mV"), ("ST-II", "mV"), ("RESP", "/min"), ("RRCO2", "/min"),
    ("Tcore", "Cel"), ("Tskin", "Cel"), ("EtCO2", "mmHg"), ("FiCO2", "mmHg"), ("FiO2", "%"),
    ("TV", "mL"), ("MV", "L/min"), ("Ppeak", "cmH2O"), ("PEEP", "cmH2O"),
    ("PumpRate", "mL/h"), ("PumpDone", "mL"), ("PumpLeft", "mL"), ("PumpTime", "min"),
];
const WAVE_LABELS: [(&str, &str); WAVES.len()] =
    [("II", "mV"), ("Pleth", "%"), ("Resp", "Ohm"), ("ABP", "mmHg")];
/// The patient's converter.
const BITS: u8 = 14;
/// Waves go out ten times a second.
const PARTS: usize = 10;
const SECOND_NS: i64 = 1_000_000_000;

/// One bed.
pub struct Bed {
    device: Device,
    speech: Speech,
    patient: Patient,
    boot: u32,
    samples: u64,
}

/// When a bed begins, for how long it speaks and what interrupts it.
#[derive(Clone, Debug)]
pub struct Shift {
    /// When.
    pub begins: Instant,
    /// The same moment in UTC nanoseconds, whole milliseconds.
    pub begins_ns: i64,
    /// How long.
    pub seconds: u64,
    /// After this second the monitor is switched off and on, which gives a new boot.
    pub restart_after: Option<u64>,
    /// Ends the shift early.
    pub stop: watch::Receiver<bool>,
}

impl Bed {
    /// Bed `number` with the patient of `seed`, speaking through `device`.
    #[must_use]
    pub fn new(number: u32, seed: u64, device: Device) -> Self {
        let about = About {
            device: DeviceId(0x0242_ACFF_FE00_0000 + u64::from(number)),
            tick_exponent: 6,
            mode: Mode::Demo,
            model: "Wardline simulated monitor 1".into(),
        };
        let mixed = (seed ^ u64::from(number) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let boot = (mixed >> 24) as u32 | 1;
        let (speech, patient) = (Speech::new(about), Patient::new(mixed));
        Self { device, speech, patient, boot, samples: 0 }
    }

    /// Writes down how much is said, and not what.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.speech.count_only();
        self
    }

    /// Speaks through one shift, then waits for the last acknowledgement and says what was said.
    ///
    /// # Errors
    /// Something does not fit a frame, or not everything was acknowledged after `patience`.
    pub async fn work(
        mut self,
        mut shift: Shift,
        patience: Duration,
    ) -> Result<(super::Said, super::Progress)> {
        self.introduce().await?;
        self.advise(shift.begins_ns, true).await?;
        let mut second = 0;
        while second < shift.seconds && !*shift.stop.borrow() {
            let begins = shift.begins + Duration::from_secs(second);
            let begins_ns = shift.begins_ns + second as i64 * SECOND_NS;
            let shown = self.patient.second();
            self.show(&shown, begins, begins_ns, &mut shift.stop).await?;
            if shift.restart_after == Some(second) {
                self.boot = self.boot.wrapping_add(2);
                self.introduce().await?;
            }
            second += 1;
        }
        self.advise(shift.begins_ns + second as i64 * SECOND_NS, false).await?;
        let progress = self.device.finish(patience).await?;
        Ok((self.speech.into_said(), progress))
    }

    async fn introduce(&mut self) -> Result<()> {
        let utterance = self.speech.introduce(self.boot, &channels())?;
        self.device.say(utterance).await
    }

    /// Says that the patient is simulated, from the first moment to the last.
    async fn advise(&mut self, time_ns: i64, begins: bool) -> Result<()> {
        let (phase, state) = if begins { (0, 1) } else { (5, 0) };
        let text = "simulated patient, \"demo\"";
        let alert = Alert { code: 0, source: 0, phase, state, priority: 1, text };
        let utterance = self.speech.alert(time_ns, &alert)?;
        self.device.say(utterance).await
    }

    /// Says one second, each part when it has passed.
    async fn show(
        &mut self,
        shown: &Second,
        begins: Instant,
        begins_ns: i64,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<()> {
        let origin_ns = begins_ns - Rate::hertz(RATE_HZ.into()).nanos_of(self.samples);
        let size = RATE_HZ as usize / PARTS;
        for part in 0..PARTS {
            let passed = begins + Duration::from_millis(1000 / PARTS as u64) * (part as u32 + 1);
            tokio::select! {
                () = tokio::time::sleep_until(passed.into()) => {}
                // The second is said to its end, only faster.
                _ = stop.wait_for(|stop| *stop) => {}
            }
            let samples: Vec<Vec<Option<i32>>> = shown
                .waves
                .iter()
                .map(|wave| wave.samples[part * size..][..size].iter().copied().map(Some).collect())
                .collect();
            let samples: Vec<&[Option<i32>]> = samples.iter().map(Vec::as_slice).collect();
            let first = self.samples;
            for utterance in self.speech.waves(NUMERICS.len(), origin_ns, first, &samples)? {
                self.device.say(utterance).await?;
            }
            self.samples += size as u64;
        }
        let numbers: Vec<(Number, Status)> = shown.numerics.iter().map(number).collect();
        for utterance in self.speech.numerics(begins_ns + SECOND_NS, 0, &numbers)? {
            self.device.say(utterance).await?;
        }
        for edge in &shown.alerts {
            let (phase, state) = if edge.begins { (0, 1) } else { (5, 0) };
            let priority = 4 - edge.priority.clamp(1, 3);
            let text = format!("limit {}", if edge.begins { "crossed" } else { "kept again" });
            let (code, source, text) = (edge.code, edge.source, text.as_str());
            let alert = Alert { code, source, phase, state, priority, text };
            let time_ns = begins_ns + i64::from(edge.offset_ms) * 1_000_000;
            let utterance = self.speech.alert(time_ns, &alert)?;
            self.device.say(utterance).await?;
        }
        Ok(())
    }
}

fn number(numeric: &Numeric) -> (Number, Status) {
    let number = match numeric.value {
        Some(mantissa) => Number::Is(Decimal { mantissa, exponent: numeric.exponent }),
        None if numeric.status & STATUS_INVALID != 0 => Number::Not(Absent::NaN),
        None => Number::Not(Absent::Missing),
    };
    (number, numeric.status)
}

/// All channels of the monitor: numerics first, then waves.
#[must_use]
pub fn channels() -> Vec<ChannelInfo> {
    let numerics = NUMERICS.iter().zip(NUMERIC_LABELS).map(|(row, (label, unit_label))| {
        let (code, unit, exponent) = *row;
        let kind = ChannelKind::Numeric { exponent };
        ChannelInfo { code, unit, kind, label: label.into(), unit_label: unit_label.into() }
    });
    let waves = WAVES.iter().zip(WAVE_LABELS).map(|(row, (label, unit_label))| {
        let (code, unit, rate_hz, units_a_count, baseline) = *row;
        let (rate, gain) = (Rate::hertz(rate_hz.into()), counts_a_unit(units_a_count));
        let kind = ChannelKind::Wave { rate, gain, baseline, bits: BITS };
        ChannelInfo { code, unit, kind, label: label.into(), unit_label: unit_label.into() }
    });
    numerics.chain(waves).collect()
}

/// The reciprocal of a mantissa and an exponent, exactly; the mantissa divides a power of ten.
fn counts_a_unit((mantissa, exponent): (i64, i8)) -> Decimal {
    let found = (0..18i8).find_map(|digits| {
        let power = 10i64.pow(digits.unsigned_abs().into());
        let exponent = -exponent - digits;
        (power % mantissa == 0).then(|| Decimal { mantissa: power / mantissa, exponent })
    });
    let Decimal { mantissa, exponent } = found.expect("the table's gains are of twos and fives");
    // Without an exponent where there need be none: 200, not 2e2.
    match u32::try_from(exponent).ok().and_then(|zeros| 10i64.checked_pow(zeros)) {
        Some(power) => Decimal { mantissa: mantissa * power, exponent: 0 },
        None => Decimal { mantissa, exponent },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_a_count_become_counts_a_unit_exactly() {
        for (given, want) in [((5, -3), 200), ((25, -3), 40), ((1, -3), 1000), ((5, -2), 20)] {
            assert_eq!(counts_a_unit(given), Decimal { mantissa: want, exponent: 0 });
        }
        assert_eq!(counts_a_unit((4, 0)), Decimal { mantissa: 25, exponent: -2 });
    }
}
