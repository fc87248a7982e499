//! INA219: voltage and current of a supply.
//!
//! Texas Instruments INA219 data sheet (SBOS448G), section 8.6: registers of 16 bits behind a
//! pointer. The chip has no identity: its settings, which are not those of power-up, are read back
//! behind each reading. The current is worked out here, so that nothing depends on a register that
//! a reset makes 0.

use embedded_hal_async::i2c::I2c;
use wire::decimal::{Absent, Number};
use wire::link::Value;
use wire::reading::{Channel, STATUS_INVALID};

use super::bus::{expect16, read_from, write};
use super::{Fault, Readings, Sensor, numeric};

const CONFIGURATION: u8 = 0;
/// 10 µV, two's complement.
const SHUNT: u8 = 1;
/// 4 mV in the highest 13 bits.
const BUS: u8 = 2;
/// Up to 32 V, shunt up to ±320 mV, each the mean of 8, without an end.
const SETTINGS: u16 = 0x3DDF;
/// Reading it takes [`IS_READY`] back.
const POWER: u8 = 3;
/// A conversion has ended since then.
const IS_READY: u16 = 1 << 1;
/// Turns without a conversion, which takes 9 ms, before the chip counts as dead.
const STALE_MAX: u8 = 2;
/// Of the voltage.
const LIMIT: u16 = 32_000 / 4;

/// The chip.
#[derive(Clone, Copy, Debug)]
pub struct Ina219 {
    address: u8,
    shunt_milliohms: u16,
    stale: u8,
}

const CHANNELS: [Channel<'static>; 2] = [
    Channel { label: "supply voltage", unit_label: "V", ..numeric(0, 0, -3) },
    Channel { label: "supply current", unit_label: "A", ..numeric(0, 0, -6) },
];

impl Ina219 {
    /// The chip at an address, 0x40 to 0x4F by its pins, beside a shunt of so many thousandths of
    /// an ohm; 100 on most boards.
    #[must_use]
    pub const fn new(address: u8, shunt_milliohms: u16) -> Self {
        Self { address, shunt_milliohms, stale: 0 }
    }
}

/// Shunt register and resistance as microamperes.
pub fn current(register: [u8; 2], shunt_milliohms: u16) -> Value {
    let ten_microvolts = i64::from(i16::from_be_bytes(register));
    (ten_microvolts * 10_000)
        .checked_div(shunt_milliohms.into())
        .ok_or((Number::Not(Absent::Missing), STATUS_INVALID))
}

/// Bus register as millivolts; none before the first conversion.
///
/// # Errors
/// [`Fault::Implausible`]: more than the chip measures.
pub fn voltage(register: [u8; 2]) -> Result<Option<i64>, Fault> {
    let bits = u16::from_be_bytes(register);
    match bits >> 3 {
        steps if steps > LIMIT => Err(Fault::Implausible(bits)),
        steps => Ok((bits & IS_READY != 0).then(|| i64::from(steps) * 4)),
    }
}

impl<B: I2c> Sensor<B> for Ina219 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        self.stale = 0;
        let [high, low] = SETTINGS.to_be_bytes();
        write(bus, self.address, &[CONFIGURATION, high, low]).await?;
        expect16(bus, self.address, CONFIGURATION, (SETTINGS, u16::MAX)).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let shunt = read_from(bus, self.address, SHUNT).await?;
        let voltage = voltage(read_from(bus, self.address, BUS).await?)?;
        let _power: [u8; 2] = read_from(bus, self.address, POWER).await?;
        expect16(bus, self.address, CONFIGURATION, (SETTINGS, u16::MAX)).await?;
        self.stale = if voltage.is_some() { 0 } else { self.stale + 1 };
        if self.stale > STALE_MAX {
            return Err(Fault::Silent);
        }
        let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        let values = match voltage {
            Some(voltage) => [Ok(voltage), current(shunt, self.shunt_milliohms)],
            None => [none; 2],
        };
        readings.numerics(0, &values);
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

    const AT: u8 = 0x40;

    #[test]
    fn registers_become_volts_and_amperes_as_the_data_sheet_has_them() {
        // Data sheet, table 7: 320 mV is 0x7D00; -320 mV is 0x8300.
        assert_eq!(current([0x7D, 0x00], 100), Ok(3_200_000));
        assert_eq!(current([0x83, 0x00], 100), Ok(-3_200_000));
        assert_eq!(current([0x07, 0xD0], 2), Ok(10_000_000));
        assert!(current([0, 1], 0).is_err());
        // Section 8.5.1: 11.98 V is 0x5D98, with the bit for ready.
        assert_eq!(voltage([0x5D, 0x9A]), Ok(Some(11_980)));
        assert_eq!(voltage([0x5D, 0x98]), Ok(None));
        assert_eq!(voltage([0xFF, 0xFF]), Err(Fault::Implausible(0xFFFF)));
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let read = |register, high, low| {
            Transaction::write_read(AT, std::vec![register], std::vec![high, low])
        };
        let mut mock = Mock::new(&[
            Transaction::write(AT, std::vec![0, 0x3D, 0xDF]),
            read(0, 0x3D, 0xDF),
            read(1, 0x07, 0xD0),
            read(2, 0x5D, 0x9A),
            read(3, 0x09, 0x60),
            read(0, 0x3D, 0xDF),
        ]);
        let said = turn(&mut Ina219::new(AT, 100), &mut Blocking(&mut mock));
        assert_eq!((said.values, said.result), (std::vec![Ok(11_980), Ok(200_000)], Ok(())));
        mock.done();
    }

    #[test]
    fn a_chip_that_converts_nothing_more_is_named() {
        let registers = Registers::of(&[(CONFIGURATION, &[0x39, 0x9F])]);
        let registers = registers.with_fixed(&[(SHUNT, &[0, 1]), (BUS, &[0x5D, 0x98])]);
        let mut chip = Blocking(Chip::new(AT, registers));
        let said = turns(&mut Ina219::new(AT, 100), &mut chip, 4);
        assert_eq!((said[2].result, said[3].result), (Ok(()), Err(Fault::Silent)));
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        let registers = Registers::of(&[(CONFIGURATION, &[0x39, 0x9F])]);
        let registers = registers.with_fixed(&[(SHUNT, &[0x07, 0xD0]), (BUS, &[0x5D, 0x9A])]);
        no_fault_becomes_a_number(|| Ina219::new(AT, 100), || Chip::new(AT, registers.clone()));
    }
}
