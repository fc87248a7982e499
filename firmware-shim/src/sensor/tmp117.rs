//! TMP117: temperature of the body's surface, ±0.1 °C.
//!
//! Texas Instruments TMP117 data sheet (SNOSD82), section 7.6: registers of 16 bits behind a
//! pointer. The identity is read at the start; the settings and the chip's word that a conversion
//! ended are read with each reading.

use embedded_hal_async::i2c::I2c;
use wire::decimal::{Absent, Number};
use wire::link::Value;
use wire::reading::{Channel, STATUS_INVALID};

use super::bus::{expect16, is, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, SKIN_TEMPERATURE, Sensor, numeric};

/// Two's complement, 1/128 °C.
const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;
const IDENTITY: u8 = 0x0F;
/// The highest four bits are the revision.
const IDENTITY_IS: (u16, u16) = (0x0117, 0x0FFF);
/// Continuous conversion, one a second, each the mean of eight; the pin says that one ended, which
/// is not what the chip has at power-up.
const SETTINGS: (u16, u16) = (0x0224, 0x0FFC);
/// A conversion has ended since the last look.
const IS_READY: u16 = 1 << 13;
/// What the register holds before the first conversion ends: -256 °C.
const NONE_YET: i16 = i16::MIN;
/// 1/128 °C is 78,125 of these: ten to this power of °C.
const EXPONENT: i8 = -7;
/// Turns without a new conversion before the chip counts as dead: it may drift by a few per cent.
const STALE_MAX: u8 = 2;

/// The chip.
#[derive(Clone, Copy, Debug)]
pub struct Tmp117 {
    address: u8,
    /// A conversion has ended, as the last look of the turn before said: looking takes it away.
    was_ready: bool,
    stale: u8,
}

const CHANNELS: [Channel<'static>; 1] = [numeric(SKIN_TEMPERATURE, DEGREE_CELSIUS, EXPONENT)];

impl Tmp117 {
    /// The chip at an address, 0x48 to 0x4B by its pin.
    #[must_use]
    pub const fn new(address: u8) -> Self {
        Self { address, was_ready: false, stale: 0 }
    }

    /// Checks the settings; whether a conversion has ended since the last look.
    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<bool, Fault> {
        let found = u16::from_be_bytes(read_from(bus, self.address, CONFIGURATION).await?);
        is(found & SETTINGS.1, SETTINGS.0)?;
        Ok(found & IS_READY != 0)
    }
}

/// A temperature register as ten-millionths of a °C; none before the first conversion.
#[must_use]
pub fn convert(register: [u8; 2]) -> Option<i64> {
    let bits = i16::from_be_bytes(register);
    (bits != NONE_YET).then(|| i64::from(bits) * 78_125)
}

impl<B: I2c> Sensor<B> for Tmp117 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        (self.was_ready, self.stale) = (false, 0);
        expect16(bus, self.address, IDENTITY, IDENTITY_IS).await?;
        let [high, low] = SETTINGS.0.to_be_bytes();
        write(bus, self.address, &[CONFIGURATION, high, low]).await?;
        expect16(bus, self.address, CONFIGURATION, SETTINGS).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let is_ready = self.settings(bus).await?;
        let register = read_from(bus, self.address, TEMPERATURE).await?;
        // A line that got stuck in between, or a chip that was reset, shows here.
        let will_be_ready = self.settings(bus).await?;
        self.stale = if is_ready || self.was_ready { 0 } else { self.stale + 1 };
        self.was_ready = will_be_ready;
        if self.stale > STALE_MAX {
            return Err(Fault::Silent);
        }
        let value: Value = convert(register).ok_or((Number::Not(Absent::Missing), STATUS_INVALID));
        readings.numerics(0, &[value]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::sensor::Blocking;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn, turns};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    const AT: u8 = 0x48;

    #[test]
    fn registers_become_temperatures_as_the_data_sheet_has_them() {
        // Data sheet, table 7-1.
        for (register, ten_millionths) in [
            (0x8001, -2_559_921_875),
            (0xF380, -250_000_000),
            (0xFFF0, -1_250_000),
            (0xFFFF, -78_125),
            (0x0000, 0),
            (0x0001, 78_125),
            (0x0010, 1_250_000),
            (0x0080, 10_000_000),
            (0x0C80, 250_000_000),
            (0x3200, 1_000_000_000),
            (0x7FFF, 2_559_921_875),
        ] {
            let found = convert(u16::to_be_bytes(register));
            assert_eq!(found, Some(ten_millionths), "{register:#x}");
        }
        assert_eq!(convert([0x80, 0x00]), None);
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let pair = |register, high, low| {
            Transaction::write_read(AT, std::vec![register], std::vec![high, low])
        };
        let mut mock = Mock::new(&[
            pair(0x0F, 0x31, 0x17),
            Transaction::write(AT, std::vec![0x01, 0x02, 0x24]),
            pair(0x01, 0x02, 0x24),
            pair(0x01, 0x22, 0x24),
            pair(0x00, 0x12, 0x80),
            pair(0x01, 0x02, 0x24),
        ]);
        let said = turn(&mut Tmp117::new(AT), &mut Blocking(&mut mock));
        assert_eq!((said.values, said.result), (std::vec![Ok(370_000_000)], Ok(())));
        mock.done();
    }

    fn chip(identity: &[u8], settings: &[u8]) -> Chip {
        let registers = Registers::of(&[(CONFIGURATION, &[0x22, 0x20])]);
        let mut registers =
            registers.with_fixed(&[(TEMPERATURE, &[0x12, 0x80]), (IDENTITY, identity)]);
        if !settings.is_empty() {
            registers = registers.with_fixed(&[(CONFIGURATION, settings)]);
        }
        Chip::new(AT, registers)
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        no_fault_becomes_a_number(|| Tmp117::new(AT), || chip(&[0x01, 0x17], &[]));
    }

    #[test]
    fn another_chip_and_one_that_converts_nothing_are_named() {
        let said = turn(&mut Tmp117::new(AT), &mut Blocking(chip(&[0x01, 0x16], &[])));
        assert_eq!(said.result, Err(Fault::Identity { expected: 0x117, found: 0x116 }));
        // The settings are right, and the bit never comes.
        let said =
            turns(&mut Tmp117::new(AT), &mut Blocking(chip(&[0x01, 0x17], &[0x02, 0x24])), 4);
        assert_eq!(said[2].result, Ok(()));
        assert_eq!(said[3].result, Err(Fault::Silent));
    }
}
