//! Numerics, the rows of which there are most.

/// One numeric.
#[derive(Clone, Copy, Debug)]
pub struct NumericRow {
    /// Its series' number.
    pub series: i64,
    /// UTC, nanoseconds.
    pub at_ns: i64,
    /// Digits, if there is a number.
    pub mantissa: Option<i64>,
    /// Power of ten.
    pub exponent: i8,
    /// Measurement status bits.
    pub status: u16,
    /// Why there is no number.
    pub absent: Option<u8>,
}

pub(super) const INSERT: &str = "
INSERT INTO numeric (series, at_ns, mantissa, exponent, status, absent)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
