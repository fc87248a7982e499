//! Numbers as the device wrote them: 2.00 is not 2.0, and "not a number" is never 0.

use core::fmt;
use core::str::FromStr;

/// `mantissa` times ten to the `exponent`; the exponent is the precision.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Decimal {
    /// All digits.
    pub mantissa: i64,
    /// Power of ten.
    pub exponent: i8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exponent >= 0 {
            write!(f, "{}", self.mantissa)?;
            let zeros = if self.mantissa == 0 { 0 } else { self.exponent };
            return (0..zeros).try_for_each(|_| f.write_str("0"));
        }
        let places = usize::from(self.exponent.unsigned_abs());
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        let Some(scale) = 10u64.checked_pow(u32::from(self.exponent.unsigned_abs())) else {
            return write!(f, "{sign}0.{digits:0places$}");
        };
        write!(f, "{sign}{}.{:0places$}", digits / scale, digits % scale)
    }
}

/// A text is no decimal number, or has more digits than 64 bits hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotDecimal;

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no decimal number of at most 18 digits")
    }
}

impl core::error::Error for NotDecimal {}

impl FromStr for Decimal {
    type Err = NotDecimal;

    /// Reads a sign, digits and a point, as HL7's NM writes them; every digit is precision.
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (digits, is_negative) = match text.as_bytes() {
            [b'-', digits @ ..] => (digits, true),
            [b'+', digits @ ..] => (digits, false),
            digits => (digits, false),
        };
        let (mut mantissa, mut exponent, mut point) = (0i64, 0i8, false);
        for letter in digits {
            match letter {
                b'.' if !point => point = true,
                b'0'..=b'9' => {
                    let digit = i64::from(letter - b'0');
                    let shifted = mantissa.checked_mul(10).ok_or(NotDecimal)?;
                    mantissa = shifted.checked_add(digit).ok_or(NotDecimal)?;
                    exponent = exponent.checked_sub(point.into()).ok_or(NotDecimal)?;
                }
                _ => return Err(NotDecimal),
            }
        }
        if digits.len() == usize::from(point) {
            return Err(NotDecimal);
        }
        Ok(Self { mantissa: if is_negative { -mantissa } else { mantissa }, exponent })
    }
}

/// Why there is no number. Kept as a state through every stage.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Absent {
    /// Not a number.
    NaN = 0,
    /// Not at this resolution.
    NRes = 1,
    /// Above the range.
    PositiveInfinity = 2,
    /// Below the range.
    NegativeInfinity = 3,
    /// A reserved code.
    Reserved = 4,
    /// The device sent nothing for it.
    Missing = 5,
}

impl Absent {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        use Absent::{Missing, NRes, NaN, NegativeInfinity, PositiveInfinity, Reserved};
        [NaN, NRes, PositiveInfinity, NegativeInfinity, Reserved, Missing]
            .into_iter()
            .find(|state| *state as u64 == number)
    }

    /// The word in tables and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NaN => "not-a-number",
            Self::NRes => "not-at-this-resolution",
            Self::PositiveInfinity => "positive-infinity",
            Self::NegativeInfinity => "negative-infinity",
            Self::Reserved => "reserved",
            Self::Missing => "missing",
        }
    }
}

/// A number or the reason why there is none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Number {
    /// As the device wrote it.
    Is(Decimal),
    /// No number.
    Not(Absent),
}

fn special(mantissa: i32, bits: u32) -> Option<Absent> {
    let top = 1 << (bits - 1);
    match mantissa {
        m if m == top - 1 => Some(Absent::NaN),
        m if m == -top => Some(Absent::NRes),
        m if m == top - 2 => Some(Absent::PositiveInfinity),
        m if m == 2 - top => Some(Absent::NegativeInfinity),
        m if m == 1 - top => Some(Absent::Reserved),
        _ => None,
    }
}

impl Number {
    /// Reads an IEEE 11073-20601 SFLOAT: 4-bit exponent, 12-bit mantissa.
    #[must_use]
    pub fn from_sfloat(raw: u16) -> Self {
        let mantissa = (i32::from(raw) << 20) >> 20;
        let exponent = (raw.cast_signed() >> 12) as i8;
        match special(mantissa, 12) {
            Some(state) => Self::Not(state),
            None => Self::Is(Decimal { mantissa: i64::from(mantissa), exponent }),
        }
    }

    /// Reads an IEEE 11073-20601 FLOAT: 8-bit exponent, 24-bit mantissa.
    #[must_use]
    pub fn from_float(raw: u32) -> Self {
        let mantissa = (raw.cast_signed() << 8) >> 8;
        let exponent = (raw.cast_signed() >> 24) as i8;
        match special(mantissa, 24) {
            Some(state) => Self::Not(state),
            None => Self::Is(Decimal { mantissa: i64::from(mantissa), exponent }),
        }
    }
}

/// The mantissa of what is no number, without its exponent.
const fn special_mantissa(state: Absent, bits: u32) -> Option<i64> {
    let top = 1 << (bits - 1);
    match state {
        Absent::NaN => Some(top - 1),
        Absent::NRes => Some(-top),
        Absent::PositiveInfinity => Some(top - 2),
        Absent::NegativeInfinity => Some(2 - top),
        Absent::Reserved => Some(1 - top),
        Absent::Missing => None,
    }
}

impl Number {
    /// Mantissa and exponent, if both fit their bits and the mantissa says a number.
    fn parts(self, mantissa_bits: u32, exponent_bits: u32) -> Option<(i64, i8)> {
        let decimal = match self {
            Self::Not(state) => return Some((special_mantissa(state, mantissa_bits)?, 0)),
            Self::Is(decimal) => decimal,
        };
        let limit = 1i64 << (mantissa_bits - 1);
        let range = 1i16 << (exponent_bits - 1);
        let fits = (3 - limit..=limit - 3).contains(&decimal.mantissa)
            && (-range..range).contains(&decimal.exponent.into());
        fits.then_some((decimal.mantissa, decimal.exponent))
    }

    /// The SFLOAT that says the same with the same precision; none if there is no such.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "12 bits are masked")]
    pub fn to_sfloat(self) -> Option<u16> {
        let (mantissa, exponent) = self.parts(12, 4)?;
        Some((mantissa & 0xfff) as u16 | (i16::from(exponent) << 12).cast_unsigned())
    }

    /// The FLOAT that says the same with the same precision; none if there is no such.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "24 bits are masked")]
    pub fn to_float(self) -> Option<u32> {
        let (mantissa, exponent) = self.parts(24, 8)?;
        Some((mantissa & 0xff_ffff) as u32 | (i32::from(exponent) << 24).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    fn text(number: Number) -> std::string::String {
        match number {
            Number::Is(decimal) => decimal.to_string(),
            Number::Not(state) => state.name().to_string(),
        }
    }

    #[test]
    fn precision_survives_reading_sfloat_and_float() {
        for (raw, want) in [
            (0xF3CF, "97.5"),
            (0xF014, "2.0"),
            (0xE0C8, "2.00"),
            (0x1002, "20"),
            (0x0B2E, "-1234"),
            (0x07FF, "not-a-number"),
            (0x37FF, "not-a-number"),
            (0x0800, "not-at-this-resolution"),
        ] {
            assert_eq!(text(Number::from_sfloat(raw)), want);
        }
        assert_eq!(text(Number::from_float(0xFB12_D687)), "12.34567");
        assert_eq!(text(Number::from_float(0xFF00_016E)), "36.6");
        assert_eq!(text(Number::from_float(0x007F_FFFF)), "not-a-number");
    }

    #[test]
    fn published_error_6_a_float_of_01000002_is_twenty_and_an_sfloat_of_1002_too() {
        assert_eq!(text(Number::from_float(0x0100_0002)), "20");
        assert_eq!(text(Number::from_sfloat(4098)), "20");
    }

    #[test]
    fn every_sfloat_comes_back_with_its_precision() {
        let mut numbers = 0;
        for raw in 0..=u16::MAX {
            let number = Number::from_sfloat(raw);
            let again = number.to_sfloat().unwrap();
            match number {
                Number::Is(decimal) => {
                    assert_eq!(again, raw);
                    assert!((-2045..=2045).contains(&decimal.mantissa));
                    numbers += 1;
                }
                Number::Not(_) => assert_eq!(again, raw & 0xfff, "written with exponent 0"),
            }
        }
        assert_eq!(numbers, 65_536 - 5 * 16);
    }

    #[test]
    fn ten_million_floats_come_back_with_their_precision() {
        let mut specials = 0;
        let around = [0x7f_fffd, 0x7f_fffe, 0x7f_ffff, 0x80_0000, 0x80_0001, 0x80_0002, 0x80_0003];
        let edges = (0..=255).flat_map(|exponent: u32| around.map(|m| exponent << 24 | m));
        // A step that is prime to 2^32 goes through all exponents and signs.
        let spread = (0..10_000_000u32).map(|n| n.wrapping_mul(0x9E37_79B1));
        for raw in edges.chain(spread) {
            let number = Number::from_float(raw);
            let again = number.to_float().unwrap();
            match number {
                Number::Is(_) => assert_eq!(again, raw),
                Number::Not(_) => {
                    specials += 1;
                    assert_eq!(again, raw & 0xff_ffff);
                }
            }
        }
        assert!(specials >= 5 * 256);
    }

    #[test]
    fn what_fits_no_sfloat_is_not_rounded_into_one() {
        for (mantissa, exponent) in [(2046, 0), (-2046, 0), (1, 8), (1, -9)] {
            assert_eq!(Number::Is(Decimal { mantissa, exponent }).to_sfloat(), None);
        }
        assert_eq!(Number::Not(Absent::Missing).to_float(), None);
    }

    #[test]
    fn a_written_number_keeps_its_digits() {
        for written in ["97.5", "2.00", "-0.05", "0", "0.00", "12.34567", "999999999999999999"] {
            let decimal: Decimal = written.parse().unwrap();
            assert_eq!(decimal.to_string(), written);
        }
        for (written, mantissa, exponent) in [("+5", 5, 0), (".50", 50, -2), ("7.", 7, 0)] {
            assert_eq!(written.parse(), Ok(Decimal { mantissa, exponent }));
        }
        for wrong in ["", "-", ".", "+.", "1.2.3", "1e3", "0x1", " 1", "--1", "9223372036854775808"]
        {
            assert_eq!(wrong.parse::<Decimal>(), Err(NotDecimal), "{wrong}");
        }
    }

    #[test]
    fn a_decimal_prints_digit_by_digit() {
        for (mantissa, exponent, want) in [
            (-5, -2, "-0.05"),
            (0, -2, "0.00"),
            (7, 2, "700"),
            (0, 3, "0"),
            (1, -20, "0.00000000000000000001"),
        ] {
            assert_eq!(Decimal { mantissa, exponent }.to_string(), want);
        }
    }
}
