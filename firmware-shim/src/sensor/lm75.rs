//! LM75 and its family, TMP105 and TMP75 among them: temperature.
//!
//! Texas Instruments TMP105 data sheet (SLLS648D) and NXP LM75B data sheet, section 7.4:
//! temperature and configuration behind a pointer. The chips have no identity: what was written
//! into their settings is read back behind each reading, so that a stuck line or a chip that was
//! reset gives no number.

use embedded_hal_async::i2c::I2c;
use wire::reading::Channel;

use super::bus::{expect8, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, Sensor, numeric};

/// Pointer of the temperature register: left-justified, two's complement.
const TEMPERATURE: u8 = 0;
/// Pointer of the configuration register.
const CONFIGURATION: u8 = 1;

/// MDC_TEMP in MDC_DIM_DEGC, thousandths of a °C.
const THOUSANDTHS: [Channel<'static>; 1] = [numeric(150_344, DEGREE_CELSIUS, -3)];
/// The same in ten-thousandths: 1/16 °C is 625 of these.
const TEN_THOUSANDTHS: [Channel<'static>; 1] = [numeric(150_344, DEGREE_CELSIUS, -4)];

/// How fine a chip measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// LM75, LM75A of some makers: 9 bits, 0.5 °C.
    Nine,
    /// LM75B: 11 bits, 0.125 °C.
    Eleven,
    /// TMP105, TMP75: 12 bits, 1/16 °C.
    Twelve,
}

impl Resolution {
    /// What is written into the configuration register, and which of its bits are ours: neither
    /// what a chip has at power-up nor what a stuck line gives.
    const fn settings(self) -> (u8, u8) {
        match self {
            // Six faults in a row before the alarm pin moves, which nobody uses; 3 are reserved.
            Self::Nine | Self::Eleven => (0b0001_1000, 0b0001_1111),
            // 12 bits, without an end; bit 7 starts a single conversion and reads as it likes.
            Self::Twelve => (0b0110_0000, 0b0111_1111),
        }
    }

    /// Bits below the number, and how many of the channel's units its step is.
    const fn step(self) -> (u32, i64) {
        match self {
            Self::Nine => (7, 500),
            Self::Eleven => (5, 125),
            Self::Twelve => (4, 625),
        }
    }

    /// What such a chip measures.
    #[must_use]
    pub const fn channels(self) -> &'static [Channel<'static>; 1] {
        match self {
            Self::Nine | Self::Eleven => &THOUSANDTHS,
            Self::Twelve => &TEN_THOUSANDTHS,
        }
    }
}

/// Temperature where the chip is.
#[derive(Clone, Copy, Debug)]
pub struct Lm75 {
    address: u8,
    resolution: Resolution,
}

impl Lm75 {
    /// The chip at an address, 0x48 to 0x4F by its pins.
    #[must_use]
    pub const fn new(address: u8, resolution: Resolution) -> Self {
        Self { address, resolution }
    }

    /// Reads the temperature, in the unit of its channel.
    ///
    /// # Errors
    /// [`Fault`]; there is no number then.
    pub async fn temperature<B: I2c>(&self, bus: &mut B) -> Result<i64, Fault> {
        let register = read_from(bus, self.address, TEMPERATURE).await?;
        let temperature = convert(register, self.resolution)?;
        // Only now: a line that got stuck in between, or a chip that was reset, shows here.
        self.settings(bus).await?;
        Ok(temperature)
    }

    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<(), Fault> {
        expect8(bus, self.address, CONFIGURATION, self.resolution.settings()).await
    }
}

/// A temperature register in the unit of the chip's channel.
///
/// # Errors
/// [`Fault::Implausible`]: bits below the resolution are always 0, but those of nine bits, which
/// are undefined.
pub fn convert(register: [u8; 2], resolution: Resolution) -> Result<i64, Fault> {
    let bits = i16::from_be_bytes(register);
    let (below, step) = resolution.step();
    if resolution != Resolution::Nine && bits & ((1 << below) - 1) != 0 {
        return Err(Fault::Implausible(bits.cast_unsigned()));
    }
    Ok(i64::from(bits >> below) * step)
}

impl<B: I2c> Sensor<B> for Lm75 {
    fn channels(&self) -> &'static [Channel<'static>] {
        self.resolution.channels()
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        let (settings, _) = self.resolution.settings();
        write(bus, self.address, &[CONFIGURATION, settings]).await?;
        self.settings(bus).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        readings.numerics(0, &[Ok(self.temperature(bus).await?)]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Resolution::{Eleven, Nine, Twelve};
    use super::*;
    use crate::sensor::Blocking;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn};
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    const AT: u8 = 0x48;

    fn found(register: u16, resolution: Resolution) -> Result<i64, Fault> {
        convert(register.to_be_bytes(), resolution)
    }

    #[test]
    fn registers_become_temperatures_as_the_data_sheets_have_them() {
        // TMP105, table "temperature data format".
        for (register, ten_thousandths) in [
            (0x7FF0, 1_279_375),
            (0x6400, 1_000_000),
            (0x5000, 800_000),
            (0x1900, 250_000),
            (0x0040, 2_500),
            (0x0000, 0),
            (0xFFC0, -2_500),
            (0xE700, -250_000),
            (0xC900, -550_000),
        ] {
            assert_eq!(found(register, Twelve), Ok(ten_thousandths), "{register:#x}");
        }
        // NXP LM75B, table 10; National LM75A, table 3.
        for (register, thousandths) in [
            (0x7F00, 127_000),
            (0x7EE0, 126_875),
            (0x7E20, 126_125),
            (0x1900, 25_000),
            (0x0020, 125),
            (0x0000, 0),
            (0xFFE0, -125),
            (0xE700, -25_000),
            (0xC920, -54_875),
        ] {
            assert_eq!(found(register, Eleven), Ok(thousandths), "{register:#x}");
        }
        for (register, thousandths) in [(0x7D00, 125_000), (0x0080, 500), (0xFF80, -500)] {
            assert_eq!(found(register, Nine), Ok(thousandths), "{register:#x}");
        }
        assert_eq!(found(0x192A, Nine), Ok(25_000));
        assert_eq!(found(0x1901, Eleven), Err(Fault::Implausible(0x1901)));
        assert_eq!(found(0xFFFF, Twelve), Err(Fault::Implausible(0xFFFF)));
    }

    #[test]
    fn the_chips_are_set_up_and_read_as_the_data_sheets_say() {
        for (resolution, settings, register, behind, value) in [
            (Eleven, 0x18, [0x24, 0xA0], 0x18, 36_625),
            // Bit 7 reads as it likes.
            (Twelve, 0x60, [0x24, 0x90], 0xE0, 365_625),
        ] {
            let mut mock = Mock::new(&[
                Transaction::write(AT, std::vec![1, settings]),
                Transaction::write_read(AT, std::vec![1], std::vec![settings]),
                Transaction::write_read(AT, std::vec![0], register.to_vec()),
                Transaction::write_read(AT, std::vec![1], std::vec![behind]),
            ]);
            let said = turn(&mut Lm75::new(AT, resolution), &mut Blocking(&mut mock));
            assert_eq!((said.values, said.result), (std::vec![Ok(value)], Ok(())));
            mock.done();
        }
    }

    fn chip(register: [u8; 2]) -> Chip {
        let registers = Registers::of(&[(CONFIGURATION, &[0])]);
        Chip::new(AT, registers.with_fixed(&[(TEMPERATURE, &register)]))
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        for (resolution, register) in [(Eleven, [0x24, 0xA0]), (Twelve, [0x24, 0x90])] {
            no_fault_becomes_a_number(|| Lm75::new(AT, resolution), || chip(register));
        }
    }

    #[test]
    fn nobody_at_the_address_is_named_so() {
        let kind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut sensor = Lm75::new(AT + 1, Twelve);
        let said = turn(&mut sensor, &mut Blocking(chip([0x24, 0x90])));
        assert_eq!(said.result, Err(Fault::Bus(kind)));
    }
}
