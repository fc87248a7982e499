//! Units: MDC codes, UCUM, and the exact decimal factors between them.
//!
//! Source: `data/units.csv`, ISO/IEEE 11073-10101. Units of one base differ by a power of ten and
//! by nothing else; degrees Fahrenheit and Celsius, or kPa and mm\[Hg\], have no exact decimal
//! factor and are never turned into each other.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use wire::decimal::Decimal;

/// One unit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Unit {
    /// MDC code.
    pub unit: u32,
    /// Reference id of ISO/IEEE 11073-10101.
    pub refid: String,
    /// The same in UCUM.
    pub ucum: String,
    base: String,
    power: i8,
}

/// There is no exact decimal factor between two units. Keep the value in its own unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no exact decimal factor leads from unit {from} to unit {to}")]
pub struct NotExact {
    /// From this one.
    pub from: u32,
    /// To that one.
    pub to: u32,
}

static TABLE: &str = include_str!("../../data/units.csv");

fn table() -> &'static HashMap<u32, Unit> {
    static UNITS: OnceLock<HashMap<u32, Unit>> = OnceLock::new();
    UNITS.get_or_init(|| {
        let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
        let units = reader.deserialize().map(|unit| unit.map(|unit: Unit| (unit.unit, unit)));
        units
            .collect::<Result<_, _>>()
            .expect("the table is a part of the program, and a test reads it")
    })
}

/// What the table says of a unit.
#[must_use]
pub fn unit_of(unit: u32) -> Option<&'static Unit> {
    table().get(&unit)
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Unit> {
    table().values()
}

/// Whether an exact factor leads from one unit to the other.
pub(super) fn agree(from: u32, to: u32) -> bool {
    let base = |unit| unit_of(unit).map(|unit| unit.base.as_str());
    from == to || base(from).is_some_and(|from| Some(from) == base(to))
}

/// The same quantity in another unit, all digits kept.
///
/// # Errors
/// [`NotExact`]: the value is then kept as it is.
pub fn convert(value: Decimal, from: u32, to: u32) -> Result<Decimal, NotExact> {
    if from == to {
        return Ok(value);
    }
    let not_exact = NotExact { from, to };
    let (source, target) = unit_of(from).zip(unit_of(to)).ok_or(not_exact)?;
    if source.base != target.base {
        return Err(not_exact);
    }
    let exponent = i16::from(value.exponent) + i16::from(source.power) - i16::from(target.power);
    let exponent = i8::try_from(exponent).map_err(|_| not_exact)?;
    Ok(Decimal { exponent, ..value })
}
