//! A thermometer whose readings have a number of their own, so that a test knows each again in the
//! store.

use embedded_hal_async::i2c::I2c;
use firmware_shim::sensor::lm75::{Lm75, Resolution};
use firmware_shim::sensor::{Fault, Readings, Sensor};
use wire::reading::{Channel, ChannelKind};

/// Temperature, then boot times a million and the reading's number in that run.
const CHANNELS: [Channel<'static>; 2] = [
    Resolution::Twelve.channels()[0],
    Channel {
        code: 0,
        unit: 0,
        kind: ChannelKind::Numeric { exponent: 0 },
        label: "number",
        unit_label: "",
    },
];
const OF_A_BOOT: i64 = 1_000_000;
/// From here on, ten-thousandths of a degree, nothing is taken: a test's word to stop.
const STOP: i64 = 1_250_000;
/// Twenty a second: a chip would give the same value some times, which the test does not mind.
const PERIOD: u32 = 50;

pub struct Numbered {
    chip: Lm75,
    number: i64,
}

impl Numbered {
    pub fn new(chip: Lm75, boot: u32) -> Self {
        Self { chip, number: i64::from(boot) * OF_A_BOOT }
    }
}

impl<B: I2c> Sensor<B> for Numbered {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        PERIOD
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        self.chip.start(bus).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let temperature = self.chip.temperature(bus).await?;
        if temperature < STOP {
            self.number += 1;
            readings.numerics(0, &[Ok(temperature), Ok(self.number)]);
        }
        Ok(())
    }
}
