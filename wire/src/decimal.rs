//! Numbers as the device wrote them: 2.00 is not 2.0, and "not a number" is never 0.

use core::fmt;

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
