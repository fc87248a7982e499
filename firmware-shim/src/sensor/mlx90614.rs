//! MLX90614: temperature of a surface by its infrared light, and of the chip itself.
//!
//! Melexis MLX90614 data sheet (3901090614), sections 8.4 and 8.7: words of 16 bits over SMBus,
//! each with a packet error code. The chip has no identity but the code, which covers its address;
//! a stuck line never gives a right one.

use embedded_hal_async::i2c::I2c;
use wire::decimal::{Absent, Number};
use wire::link::Value;
use wire::reading::{Channel, STATUS_INVALID};

use super::bus::read_from;
use super::{DEGREE_CELSIUS, Fault, Readings, SKIN_TEMPERATURE, Sensor, numeric};

/// Temperature of the chip, 0.02 K.
const CHIP: u8 = 0x06;
/// Temperature of the surface, 0.02 K.
const SURFACE: u8 = 0x07;
/// Emissivity, in EEPROM cell 4; the maker's is 1.0.
const EMISSIVITY: u8 = 0x24;
/// The chip found an error in itself.
const IS_WRONG: u16 = 1 << 15;
/// Surface -70.01 to 382.19 °C (section 8.4.5.1 of the data sheet), words.
const RANGE: core::ops::RangeInclusive<u16> = 0x27AD..=0x7FFF;
/// 0 °C, hundredths of a kelvin.
const ZERO: i64 = 27_315;

/// The chip.
#[derive(Clone, Copy, Debug)]
pub struct Mlx90614 {
    address: u8,
}

const CHANNELS: [Channel<'static>; 2] = [
    numeric(SKIN_TEMPERATURE, DEGREE_CELSIUS, -2),
    Channel { label: "chip", ..numeric(0, DEGREE_CELSIUS, -2) },
];

impl Mlx90614 {
    /// The chip at an address, 0x5A unless it was changed.
    #[must_use]
    pub const fn new(address: u8) -> Self {
        Self { address }
    }

    async fn word<B: I2c>(&self, bus: &mut B, register: u8) -> Result<u16, Fault> {
        let [low, high, code] = read_from(bus, self.address, register).await?;
        let said = [self.address << 1, register, self.address << 1 | 1, low, high];
        let word = u16::from_le_bytes([low, high]);
        if packet_error_code(&said) == code { Ok(word) } else { Err(Fault::Implausible(word)) }
    }
}

/// SMBus 1.1, section 5.4: x^8 + x^2 + x + 1.
fn packet_error_code(bytes: &[u8]) -> u8 {
    let step = |code: u8| if code & 0x80 == 0 { code << 1 } else { code << 1 ^ 0x07 };
    bytes.iter().fold(0, |code, byte| (0..8).fold(code ^ byte, |code, _| step(code)))
}

/// A word as hundredths of a °C.
pub fn convert(word: u16) -> Value {
    if RANGE.contains(&word) {
        return Ok(i64::from(word) * 2 - ZERO);
    }
    let absent = match word {
        word if word & IS_WRONG != 0 => Absent::NaN,
        _ => Absent::NegativeInfinity,
    };
    Err((Number::Not(absent), STATUS_INVALID))
}

impl<B: I2c> Sensor<B> for Mlx90614 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        // A cell that was never written, or one for which no surface is warm.
        match self.word(bus, EMISSIVITY).await? {
            0 => Err(Fault::Identity { expected: 0xFFFF, found: 0 }),
            _ => Ok(()),
        }
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let surface = convert(self.word(bus, SURFACE).await?);
        let chip = convert(self.word(bus, CHIP).await?);
        readings.numerics(0, &[surface, chip]);
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
    use std::vec::Vec;

    const AT: u8 = 0x5A;

    #[test]
    fn a_word_is_checked_as_the_data_sheet_does() {
        // Data sheet, figure 8: reading RAM 07 gives D2 3A with the code 30.
        assert_eq!(packet_error_code(&[0xB4, 0x07, 0xB5, 0xD2, 0x3A]), 0x30);
    }

    #[test]
    fn words_become_temperatures_as_the_data_sheet_has_them() {
        assert_eq!(convert(0x27AD), Ok(-7_001));
        assert_eq!(convert(0x3AF7), Ok(2_875));
        assert_eq!(convert(0x7FFF), Ok(38_219));
        let not = |absent| Err((Number::Not(absent), STATUS_INVALID));
        assert_eq!(convert(0x8000), not(Absent::NaN));
        assert_eq!(convert(0x27AC), not(Absent::NegativeInfinity));
    }

    fn with_code(register: u8, [low, high]: [u8; 2]) -> Vec<u8> {
        let code = packet_error_code(&[AT << 1, register, AT << 1 | 1, low, high]);
        std::vec![low, high, code]
    }

    #[test]
    fn the_chip_is_read_as_the_data_sheet_says() {
        let words = [(EMISSIVITY, [0xFF, 0xFF]), (SURFACE, [0xD2, 0x3A]), (CHIP, [0x10, 0x39])];
        let read = words.map(|(register, word)| {
            Transaction::write_read(AT, std::vec![register], with_code(register, word))
        });
        let mut mock = Mock::new(&read);
        let said = turn(&mut Mlx90614::new(AT), &mut Blocking(&mut mock));
        assert_eq!((said.values, said.result), (std::vec![Ok(2_801), Ok(1_901)], Ok(())));
        mock.done();
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        let word = |register, word| with_code(register, word);
        let (emissivity, surface) = (word(EMISSIVITY, [0xFF, 0xFF]), word(SURFACE, [0xD2, 0x3A]));
        let registers = [(EMISSIVITY, &emissivity[..]), (SURFACE, &surface)];
        let temperature = word(CHIP, [0x10, 0x39]);
        let registers = Registers::of(&registers).with_fixed(&[(CHIP, &temperature)]);
        no_fault_becomes_a_number(|| Mlx90614::new(AT), || Chip::new(AT, registers.clone()));
    }
}
