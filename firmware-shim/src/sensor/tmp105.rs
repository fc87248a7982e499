//! TMP105, and the chips of the LM75 family with its 12 bits and settings: temperature.
//!
//! Texas Instruments TMP105 data sheet: pointer register, temperature register, configuration
//! register. The chip has no identity: what was written into its settings is read back behind each
//! reading, so that a stuck line or a chip that was reset gives no number.

use embedded_hal_async::i2c::I2c;
use wire::reading::Channel;

use super::bus::{expect8, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, Sensor, numeric};

/// Pointer of the temperature register: 12 bits, left-justified, two's complement, 1/16 °C.
const TEMPERATURE: u8 = 0;
/// Pointer of the configuration register.
const CONFIGURATION: u8 = 1;
/// Converter resolution of 12 bits; continuous conversion, comparator mode.
const SETTINGS: u8 = 0b0110_0000;
/// Bit 7 starts a single conversion and reads as it likes.
const SETTINGS_MASK: u8 = 0b0111_1111;
/// 1/16 °C is 625 of these: ten to this power of °C.
const EXPONENT: i8 = -4;

/// Body surface or ambient temperature, according to where it is: the code says which.
#[derive(Clone, Copy, Debug)]
pub struct Tmp105 {
    address: u8,
    channels: &'static [Channel<'static>],
}

/// MDC_TEMP in MDC_DIM_DEGC.
pub const TEMPERATURE_CHANNEL: Channel<'static> = numeric(150_344, DEGREE_CELSIUS, EXPONENT);

impl Tmp105 {
    /// The chip at an address, 0x48 to 0x4F by its pins; its readings are plain temperatures.
    #[must_use]
    pub const fn new(address: u8) -> Self {
        Self { address, channels: &[TEMPERATURE_CHANNEL] }
    }

    /// Reads the temperature, ten-thousandths of a °C.
    ///
    /// # Errors
    /// [`Fault`]; there is no number then.
    pub async fn temperature<B: I2c>(&self, bus: &mut B) -> Result<i64, Fault> {
        let temperature = convert(read_from(bus, self.address, TEMPERATURE).await?)?;
        // Only now: a line that got stuck in between, or a chip that was reset, shows here.
        self.settings(bus).await?;
        Ok(temperature)
    }

    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<(), Fault> {
        expect8(bus, self.address, CONFIGURATION, (SETTINGS, SETTINGS_MASK)).await
    }
}

/// A temperature register as a mantissa in ten-thousandths of a °C.
///
/// # Errors
/// [`Fault::Implausible`]: the four lowest bits are always 0.
pub fn convert(register: [u8; 2]) -> Result<i64, Fault> {
    let bits = i16::from_be_bytes(register);
    if bits & 0xF != 0 {
        return Err(Fault::Implausible(bits.cast_unsigned()));
    }
    Ok(i64::from(bits >> 4) * 625)
}

impl<B: I2c> Sensor<B> for Tmp105 {
    fn channels(&self) -> &'static [Channel<'static>] {
        self.channels
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        write(bus, self.address, &[CONFIGURATION, SETTINGS]).await?;
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
    use super::*;
    use crate::sensor::Blocking;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn};
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    const AT: u8 = 0x48;

    #[test]
    fn registers_become_temperatures_as_the_data_sheet_has_them() {
        // Data sheet, table "temperature data format".
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
            assert_eq!(convert(u16::to_be_bytes(register)), Ok(ten_thousandths), "{register:#x}");
        }
        assert_eq!(convert([0xFF, 0xFF]), Err(Fault::Implausible(0xFFFF)));
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let mut mock = Mock::new(&[
            Transaction::write(AT, std::vec![1, 0x60]),
            Transaction::write_read(AT, std::vec![1], std::vec![0x60]),
            Transaction::write_read(AT, std::vec![0], std::vec![0x24, 0x90]),
            Transaction::write_read(AT, std::vec![1], std::vec![0xE0]),
        ]);
        let said = turn(&mut Tmp105::new(AT), &mut Blocking(&mut mock));
        assert_eq!((said.values, said.result), (std::vec![Ok(365_625)], Ok(())));
        mock.done();
    }

    fn chip() -> Chip {
        let registers = Registers::of(&[(CONFIGURATION, &[0])]);
        Chip::new(AT, registers.with_fixed(&[(TEMPERATURE, &[0x24, 0x90])]))
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        no_fault_becomes_a_number(|| Tmp105::new(AT), chip);
    }

    #[test]
    fn nobody_at_the_address_is_named_so() {
        let kind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let said = turn(&mut Tmp105::new(AT + 1), &mut Blocking(chip()));
        assert_eq!(said.result, Err(Fault::Bus(kind)));
    }
}
