//! LM75 and its family with 9 or 11 bits: temperature. TMP105 and TMP75, with 12, are in
//! [`tmp105`](super::tmp105).
//!
//! NXP LM75B data sheet, section 7.4: temperature, configuration, hysteresis and limit behind a
//! pointer. The chip has no identity: what was written into its settings is read back behind each
//! reading, so that a stuck line or a chip that was reset gives no number.

use embedded_hal_async::i2c::I2c;
use wire::reading::Channel;

use super::bus::{expect8, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, Sensor, numeric};

/// Pointer of the temperature register: left-justified, two's complement.
const TEMPERATURE: u8 = 0;
/// Pointer of the configuration register.
const CONFIGURATION: u8 = 1;
/// Six faults in a row before the alarm pin moves, which nobody uses: neither what a chip has at
/// power-up nor what a stuck line gives.
const SETTINGS: u8 = 0b0001_1000;
/// The highest three are reserved.
const SETTINGS_MASK: u8 = 0b0001_1111;

/// How fine a chip measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// LM75, LM75A of some makers: 0.5 °C.
    Nine,
    /// LM75B: 0.125 °C.
    Eleven,
}

/// Temperature where the chip is, in thousandths of a °C.
#[derive(Clone, Copy, Debug)]
pub struct Lm75 {
    address: u8,
    resolution: Resolution,
}

/// MDC_TEMP in MDC_DIM_DEGC.
const CHANNELS: [Channel<'static>; 1] = [numeric(150_344, DEGREE_CELSIUS, -3)];

impl Lm75 {
    /// The chip at an address, 0x48 to 0x4F by its pins.
    #[must_use]
    pub const fn new(address: u8, resolution: Resolution) -> Self {
        Self { address, resolution }
    }

    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<(), Fault> {
        expect8(bus, self.address, CONFIGURATION, (SETTINGS, SETTINGS_MASK)).await
    }
}

/// A temperature register as thousandths of a °C.
///
/// # Errors
/// [`Fault::Implausible`]: of the finer chip, bits below the resolution are always 0; the others
/// leave them undefined.
pub fn convert(register: [u8; 2], resolution: Resolution) -> Result<i64, Fault> {
    let bits = i16::from_be_bytes(register);
    match resolution {
        Resolution::Nine => Ok(i64::from(bits >> 7) * 500),
        Resolution::Eleven if bits & 0x1F != 0 => Err(Fault::Implausible(bits.cast_unsigned())),
        Resolution::Eleven => Ok(i64::from(bits >> 5) * 125),
    }
}

impl<B: I2c> Sensor<B> for Lm75 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        write(bus, self.address, &[CONFIGURATION, SETTINGS]).await?;
        self.settings(bus).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let register = read_from(bus, self.address, TEMPERATURE).await?;
        let temperature = convert(register, self.resolution)?;
        self.settings(bus).await?;
        readings.numerics(0, &[Ok(temperature)]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::sensor::Blocking;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    const AT: u8 = 0x4F;

    #[test]
    fn registers_become_temperatures_as_the_data_sheet_has_them() {
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
            let found = convert(u16::to_be_bytes(register), Resolution::Eleven);
            assert_eq!(found, Ok(thousandths), "{register:#x}");
        }
        for (register, thousandths) in [(0x7D00, 125_000), (0x0080, 500), (0xFF80, -500)] {
            let found = convert(u16::to_be_bytes(register), Resolution::Nine);
            assert_eq!(found, Ok(thousandths), "{register:#x}");
        }
        assert_eq!(convert([0x19, 0x2A], Resolution::Nine), Ok(25_000));
        assert_eq!(convert([0x19, 0x01], Resolution::Eleven), Err(Fault::Implausible(0x1901)));
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let mut mock = Mock::new(&[
            Transaction::write(AT, std::vec![1, 0x18]),
            Transaction::write_read(AT, std::vec![1], std::vec![0x18]),
            Transaction::write_read(AT, std::vec![0], std::vec![0x24, 0xA0]),
            Transaction::write_read(AT, std::vec![1], std::vec![0x18]),
        ]);
        let said = turn(&mut Lm75::new(AT, Resolution::Eleven), &mut Blocking(&mut mock));
        assert_eq!((said.values, said.result), (std::vec![Ok(36_625)], Ok(())));
        mock.done();
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        let registers = Registers::of(&[(CONFIGURATION, &[0])]);
        let registers = registers.with_fixed(&[(TEMPERATURE, &[0x24, 0xA0])]);
        let chip = || Chip::new(AT, registers.clone());
        no_fault_becomes_a_number(|| Lm75::new(AT, Resolution::Eleven), chip);
    }
}
