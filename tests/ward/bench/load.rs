//! Loads for measurements: monitors as the agent's own stages see them.

use std::sync::Arc;

use agent::intake::admission::Proof;
use agent::intake::{Device, Introduction, Registry};
use agent::seal::batcher::{Batcher, Closed, Said};
use anyhow::{Context, Result};
use rig::patient::{NUMERICS, Patient, Second, WAVES};
use wire::decimal::Decimal;
use wire::identity::DeviceId;
use wire::link::{DataWriter, Hello, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{ClockState, DeviceClock, MonotonicNanos, Rate, TimeSource, UnixNanos};

/// 2026-01-01T00:00:00Z.
pub const START_NS: i64 = 1_767_225_600_000_000_000;

/// The gateway's clock at a second of the load.
pub fn clock(second: u64) -> ClockState {
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(1_000_000_000 + second * 1_000_000_000),
        utc: Some(UnixNanos(START_NS + second.cast_signed() * 1_000_000_000)),
        error_us: 1000,
        source: TimeSource::Network,
    }
}

/// A monitor's channels: thirty numerics, then four waves.
pub fn monitor_channels() -> Vec<Channel<'static>> {
    let numeric = NUMERICS.iter().map(|(code, unit, exponent)| Channel {
        code: *code,
        unit: *unit,
        kind: ChannelKind::Numeric { exponent: *exponent },
        label: "",
        unit_label: "",
    });
    let wave = WAVES.iter().map(|(code, unit, rate_hz, _, baseline)| Channel {
        code: *code,
        unit: *unit,
        kind: ChannelKind::Wave {
            rate: Rate::hertz((*rate_hz).into()),
            gain: Decimal { mantissa: 200, exponent: 0 },
            baseline: *baseline,
            bits: 14,
        },
        label: "",
        unit_label: "",
    });
    numeric.chain(wave).collect()
}

/// Introduces a device that has these channels.
pub fn introduce(number: u64, channels: &[Channel<'_>], shapes: &Registry) -> Result<Arc<Device>> {
    let mut introduction = Introduction::default();
    let parts = channels.chunks(5).count() as u8;
    let about =
        (DeviceId(0x0012_3400_0000_0000 + number), DeviceClock::UtcSynchronised, 6, Mode::Demo);
    let mut device = None;
    for (part, list) in channels.chunks(5).enumerate() {
        let first = (part * 5) as u16;
        let payload = write_hello(about, parts, "bench", first, list).context("hello too long")?;
        let hello = Hello::read(payload.as_slice())?;
        device = introduction.take(7, part as u32, (&hello, Proof::Unasked), shapes);
    }
    Ok(Arc::new(device.context("the introduction is not complete")?))
}

/// Beds that speak for a second at a time.
pub struct Ward {
    beds: Vec<(Arc<Device>, Patient, u32)>,
    waves: bool,
}

impl Ward {
    /// This many beds, each with a patient of its own.
    pub fn new(beds: u64, waves: bool) -> Result<Self> {
        let shapes = Registry::default();
        let channels = monitor_channels();
        let bed = |number| {
            // Four minutes in, so that every channel has had its first value (cuffs take three).
            let mut patient = Patient::new(number);
            (0..240).for_each(|_| drop(patient.second()));
            Ok((introduce(number, &channels, &shapes)?, patient, 100_000))
        };
        Ok(Self { beds: (0..beds).map(bed).collect::<Result<_>>()?, waves })
    }

    /// Everything that the beds say in one second, as closed batches.
    pub fn second(&mut self, batcher: &mut Batcher, number: u64) -> Result<Vec<Closed>> {
        let now = clock(number);
        for (bed, (device, patient, sequence)) in self.beds.iter_mut().enumerate() {
            let said = patient.second();
            let millis = now.utc.map_or(0, |utc| utc.0) / 1_000_000 + (bed as i64 * 37) % 900;
            for payload in payloads(&said, millis, number, self.waves) {
                *sequence += 1;
                let said = Said {
                    device,
                    sequence: (*sequence).into(),
                    gap: false,
                    payload: &payload,
                    received: now.monotonic,
                    age_ns: 0,
                };
                batcher.take(&said, &now, u64::from(*sequence))?;
            }
        }
        batcher.close_due(MonotonicNanos(u64::MAX), true);
        Ok(batcher.take_closed())
    }
}

/// One second of a monitor as payloads of link frames.
fn payloads(said: &Second, millis: i64, second: u64, waves: bool) -> Vec<Vec<u8>> {
    let mut writer = DataWriter::new(millis);
    let absent = wire::decimal::Number::Not(wire::decimal::Absent::NaN);
    let values: Vec<_> = said.numerics.iter().map(|n| n.value.ok_or((absent, n.status))).collect();
    writer.numerics(0, &values);
    let mut all = vec![writer.finish().as_slice().to_vec()];
    if waves {
        for part in 0..10usize {
            for (number, wave) in said.waves.iter().enumerate() {
                let samples: Vec<_> =
                    wave.samples[part * 25..part * 25 + 25].iter().map(|s| Some(*s)).collect();
                let mut writer = DataWriter::new(millis + part as i64 * 100);
                let first = second * 250 + part as u64 * 25;
                writer.wave(30 + number as u16, first, 0, &[&samples]);
                all.push(writer.finish().as_slice().to_vec());
            }
        }
    }
    all
}
