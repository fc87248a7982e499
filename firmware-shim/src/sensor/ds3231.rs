//! DS3231: a clock with a battery, and its temperature.
//!
//! Maxim DS3231 data sheet (19-5170), table "timekeeping registers": BCD. A clock whose oscillator
//! has stopped says no date. The chip has no identity; what cannot be a date is none, and the
//! control register, in which an alarm that nobody uses is set, is read back behind each reading.

use embedded_hal_async::i2c::I2c;
use wire::decimal::{Absent, Number};
use wire::link::Value;
use wire::reading::{Channel, STATUS_INVALID};

use super::bus::{expect8, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, Sensor, numeric};

/// Its only address.
const ADDRESS: u8 = 0x68;
const TIME: u8 = 0x00;
const CONTROL: u8 = 0x0E;
/// Interrupts instead of a square wave, and the first alarm: not what the chip has at power-up. The
/// oscillator runs on the battery, too.
const SETTINGS: (u8, u8) = (0b0000_0101, 0b1000_0111);
const STATUS: u8 = 0x0F;
/// The oscillator has stopped: the time is not one.
const HAS_STOPPED: u8 = 1 << 7;
/// Two's complement, 1/4 °C in the highest ten bits.
const TEMPERATURE: u8 = 0x11;
const DAY_SECONDS: i64 = 86_400;
/// Bits of the hour.
const HALF_DAYS: u8 = 1 << 6;
const AFTERNOON: u8 = 1 << 5;

/// The chip.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ds3231;

const CHANNELS: [Channel<'static>; 2] = [
    Channel { label: "clock, seconds since 1970", unit_label: "s", ..numeric(0, 264_320, 0) },
    Channel { label: "clock temperature", ..numeric(0, DEGREE_CELSIUS, -2) },
];

fn bcd(byte: u8) -> Option<i64> {
    let (tens, ones) = (byte >> 4, byte & 0xF);
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

/// Hours of a day; a clock may have been set to count twice twelve.
fn hours(byte: u8) -> Option<i64> {
    if byte & HALF_DAYS == 0 {
        return bcd(byte);
    }
    let hours = bcd(byte & 0x1F).filter(|hours| (1..=12).contains(hours))?;
    Some(hours % 12 + if byte & AFTERNOON == 0 { 0 } else { 12 })
}

/// Days from 1970 to a date of the calendar that is used today; none if there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).ok().filter(|before| *before < lengths.len())?;
    if !(1..=lengths[before]).contains(&day) {
        return None;
    }
    let years = year - 1;
    let leaps = years / 4 - years / 100 + years / 400;
    let since_year_1 = years * 365 + leaps + lengths[..before].iter().sum::<i64>() + day - 1;
    // Days from year 1 to 1970.
    Some(since_year_1 - 719_162)
}

/// Time registers as seconds since 1970, of 2000 to 2199.
///
/// # Errors
/// [`Fault::Implausible`]: no such moment.
pub fn convert(registers: [u8; 7]) -> Result<i64, Fault> {
    let [second, minute, hour, _weekday, day, month, year] = registers;
    let moment = || {
        let century = i64::from(month >> 7) * 100;
        let days = days(2000 + century + bcd(year)?, bcd(month & 0x7F)?, bcd(day)?)?;
        let [second, minute, hour] = [bcd(second)?, bcd(minute)?, hours(hour)?];
        let exists = second < 60 && minute < 60 && hour < 24;
        exists.then_some(days * DAY_SECONDS + hour * 3600 + minute * 60 + second)
    };
    moment().ok_or(Fault::Implausible(u16::from_be_bytes([month, day])))
}

impl Ds3231 {
    /// Seconds since 1970, UTC if it was set so; none if the clock has stopped since it was set, or
    /// was never set to a date.
    ///
    /// # Errors
    /// [`Fault`]; there is no date then.
    pub async fn date<B: I2c>(&self, bus: &mut B) -> Result<Option<i64>, Fault> {
        let registers = read_from(bus, ADDRESS, TIME).await?;
        let [status] = read_from(bus, ADDRESS, STATUS).await?;
        expect8(bus, ADDRESS, CONTROL, SETTINGS).await?;
        Ok(convert(registers).ok().filter(|_| status & HAS_STOPPED == 0))
    }
}

/// Temperature registers as hundredths of a °C.
///
/// # Errors
/// [`Fault::Implausible`]: the six lowest bits are always 0.
pub fn temperature(registers: [u8; 2]) -> Result<i64, Fault> {
    let bits = i16::from_be_bytes(registers);
    if bits & 0x3F != 0 {
        return Err(Fault::Implausible(bits.cast_unsigned()));
    }
    Ok(i64::from(bits >> 6) * 25)
}

impl<B: I2c> Sensor<B> for Ds3231 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        60_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        write(bus, ADDRESS, &[CONTROL, SETTINGS.0]).await?;
        expect8(bus, ADDRESS, CONTROL, SETTINGS).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let temperature = temperature(read_from(bus, ADDRESS, TEMPERATURE).await?)?;
        let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        let date = self.date(bus).await?.map_or(none, Ok);
        readings.numerics(0, &[date, Ok(temperature)]);
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

    /// 2026-11-27 22:30:59.
    const MOMENT: [u8; 7] = [0x59, 0x30, 0x22, 0x06, 0x27, 0x11, 0x26];
    const SECONDS: i64 = 1_795_818_659;

    #[test]
    fn registers_become_seconds_and_what_is_no_date_becomes_none() {
        assert_eq!(convert(MOMENT), Ok(SECONDS));
        assert_eq!(convert([0, 0, 0, 1, 0x01, 0x01, 0x00]), Ok(946_684_800), "2000");
        assert_eq!(convert([0, 0, 0, 1, 0x29, 0x02, 0x24]), Ok(1_709_164_800), "a leap day");
        assert_eq!(convert([0, 0, 0, 1, 0x01, 0x81, 0x00]), Ok(4_102_444_800), "2100");
        for (hour, seconds) in [(0x72, 43_200), (0x52, 0), (0x71, 82_800), (0x51, 39_600)] {
            assert_eq!(convert([0, 0, hour, 1, 1, 1, 0]), Ok(946_684_800 + seconds), "{hour:#x}");
        }
        for wrong in [
            [0, 0, 0x53, 1, 1, 1, 0],
            [0x60, 0, 0, 1, 1, 1, 0],
            [0, 0, 0x24, 1, 1, 1, 0],
            [0x0A, 0, 0, 1, 1, 1, 0],
            [0, 0, 0, 1, 0x31, 0x04, 0x24],
            [0, 0, 0, 1, 0x29, 0x02, 0x23],
            [0, 0, 0, 1, 1, 0x13, 0],
            [0; 7],
            [0xFF; 7],
        ] {
            assert!(convert(wrong).is_err(), "{wrong:x?}");
        }
        // Data sheet, section "temperature registers".
        assert_eq!(temperature([0b0001_1001, 0b0100_0000]), Ok(2_525));
        assert_eq!(temperature([0xFF, 0xC0]), Ok(-25));
        assert!(temperature([0xFF, 0xFF]).is_err());
    }

    fn read(register: u8, bytes: &[u8]) -> Transaction {
        Transaction::write_read(ADDRESS, std::vec![register], bytes.to_vec())
    }

    #[test]
    fn the_chip_is_read_as_the_data_sheet_says_and_a_clock_that_stopped_says_no_date() {
        let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        for (status, date) in [(0x08, Ok(SECONDS)), (0x88, none)] {
            let mut mock = Mock::new(&[
                Transaction::write(ADDRESS, std::vec![0x0E, 0x05]),
                read(0x0E, &[0x05]),
                read(0x11, &[0x19, 0x40]),
                read(0x00, &MOMENT),
                read(0x0F, &[status]),
                read(0x0E, &[0x05]),
            ]);
            let said = turn(&mut Ds3231, &mut Blocking(&mut mock));
            assert_eq!((said.values, said.result), (std::vec![date, Ok(2_525)], Ok(())));
            mock.done();
        }
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        let registers = Registers::of(&[(CONTROL, &[0x1C])]);
        let registers = registers.with_fixed(&[
            (TIME, &MOMENT),
            (STATUS, &[0x08]),
            (TEMPERATURE, &[0x19, 0x40]),
        ]);
        no_fault_becomes_a_number(|| Ds3231, || Chip::new(ADDRESS, registers.clone()));
    }
}
