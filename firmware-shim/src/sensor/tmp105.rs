//! TMP105, and the chips of the LM75 family with its 12 bits and settings: temperature.
//!
//! Texas Instruments TMP105 data sheet: pointer register, temperature register, configuration
//! register. The chip has no identity: what was written into its settings is read back behind each
//! reading, so that a stuck line or a chip that was reset gives no number.

use embedded_hal_async::i2c::I2c;
use wire::link::Value;
use wire::reading::{Channel, ChannelKind};

use super::{Fault, Readings, Sensor, bus};

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
pub const TEMPERATURE_CHANNEL: Channel<'static> = Channel {
    code: 150_344,
    unit: 268_192,
    kind: ChannelKind::Numeric { exponent: EXPONENT },
    label: "",
    unit_label: "",
};

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
    pub async fn temperature<B: I2c>(&self, bus_: &mut B) -> Result<i64, Fault> {
        let mut register = [0; 2];
        bus_.write_read(self.address, &[TEMPERATURE], &mut register).await.map_err(bus)?;
        let temperature = convert(register)?;
        // Only now: a line that got stuck in between, or a chip that was reset, shows here.
        self.settings(bus_).await?;
        Ok(temperature)
    }

    async fn settings<B: I2c>(&self, bus_: &mut B) -> Result<(), Fault> {
        let mut found = [0];
        bus_.write_read(self.address, &[CONFIGURATION], &mut found).await.map_err(bus)?;
        match found[0] & SETTINGS_MASK {
            SETTINGS => Ok(()),
            found => Err(Fault::Identity { expected: SETTINGS.into(), found: found.into() }),
        }
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

    async fn start(&mut self, bus_: &mut B) -> Result<(), Fault> {
        bus_.write(self.address, &[CONFIGURATION, SETTINGS]).await.map_err(bus)?;
        self.settings(bus_).await
    }

    async fn read(&mut self, bus_: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let value: Value = Ok(self.temperature(bus_).await?);
        readings.numerics(0, &[value]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ring::Ring;
    use crate::sampler::Sampler;
    use crate::sensor::simulated::{Broken, Chip, Registers};
    use crate::sensor::{Blocking, block_on};
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec::Vec;
    use wire::decimal::{Absent, Number};
    use wire::link::{Entries, Entry};
    use wire::reading::STATUS_INVALID;

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
        let expected = [
            Transaction::write(AT, std::vec![1, 0x60]),
            Transaction::write_read(AT, std::vec![1], std::vec![0x60]),
            Transaction::write_read(AT, std::vec![0], std::vec![0x24, 0x90]),
            Transaction::write_read(AT, std::vec![1], std::vec![0xE0]),
        ];
        let mut mock = Mock::new(&expected);
        let (values, result) = read(&mut Blocking(&mut mock));
        assert_eq!((values, result), (std::vec![Ok(365_625)], Ok(())));
        mock.done();
    }

    /// What one turn says, and what became of it.
    fn read<B: I2c>(bus: &mut B) -> (Vec<Value>, Result<(), Fault>) {
        let mut sensor = Tmp105::new(AT);
        let mut sampler = Sampler::new::<B, _>(&sensor, 0, 0);
        let mut ring = Ring::<200>::default();
        let (taken, result) = block_on(sampler.sample((0, 0), (&mut sensor, bus), &mut ring));
        let record = ring.record(taken.expect("a record")).expect("it waits");
        let entries = Entries::read(record.payload).expect("it is well formed");
        let values = entries.flat_map(|entry| match entry {
            Entry::Numerics(numerics) => numerics.values().collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        (values.collect(), result)
    }

    fn chip() -> Registers {
        let mut registers = Registers::default();
        registers.set(TEMPERATURE, &[0x24, 0x90]);
        registers.set(CONFIGURATION, &[0]);
        registers
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        let no_value: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        for broken in Broken::ALL {
            // A fault may come at any byte of the first turn.
            for after in 0..Chip::bytes_of(|chip| drop(read(chip)), AT, chip()) {
                let mut bus = Blocking(Chip::breaking(AT, chip(), broken, after));
                let (values, result) = read(&mut bus);
                let is_right = values == [Ok(365_625)];
                assert!(values == [no_value] || is_right, "{broken:?} after {after}: {values:?}");
                // A chip that was reset before it was set up is as good as new.
                let may_be_right = broken == Broken::Reset;
                assert!(result.is_err() || may_be_right && is_right, "{broken:?} after {after}");
            }
        }
        let mut good = Blocking(Chip::new(AT, chip()));
        assert_eq!(read(&mut good), (std::vec![Ok(365_625)], Ok(())));
    }

    #[test]
    fn nobody_at_the_address_is_named_so() {
        let mut other = Blocking(Chip::new(AT + 1, chip()));
        let kind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        assert_eq!(read(&mut other).1, Err(Fault::Bus(kind)));
    }
}
