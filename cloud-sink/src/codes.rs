//! Names, LOINC and UCUM for device codes; joined on export, never stored with a reading.
//!
//! Source: `data/codes.csv`. MDC codes and names as published in NIST RTMMS 2019; pairs with LOINC
//! as published by HL7 (PoCD, PHD), the German MII and ISiK profiles, where `pairing` says
//! `verified`. Only those are exported: the others wait for a clinician. Plausible ranges are ours:
//! what a sensor can mean, not what is healthy. Unknown codes pass through unchanged.
//!
//! LOINC is a registered trademark of Regenstrief Institute; UCUM is copyright of Regenstrief
//! Institute and the UCUM Organization. Both are used under their licences.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use wire::decimal::Decimal;

mod units;

pub use units::{NotExact, Unit, convert, unit_of};

/// One pair of a code and a unit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct CodeRow {
    /// `num`, `pump`, `wave` or `device`.
    pub group: String,
    /// Plain name.
    pub label: String,
    /// Reference id of ISO/IEEE 11073-10101; empty if it was not verified.
    pub refid: String,
    /// The code.
    pub code: u32,
    /// Partition and term.
    pub term: String,
    /// Reference id of the unit.
    pub unit_refid: String,
    /// The unit's code, if one is fixed.
    pub unit: Option<u32>,
    /// UCUM unit, empty if the table has none.
    pub ucum: String,
    loinc: String,
    loinc_also: String,
    pairing: String,
    /// Lowest value that a sensor can mean, in this unit.
    pub low: Option<i64>,
    /// Highest.
    pub high: Option<i64>,
}

impl CodeRow {
    /// LOINC codes of the same meaning that somebody has published as such.
    pub fn loinc(&self) -> impl Iterator<Item = &str> {
        let both = [self.loinc.as_str(), self.loinc_also.as_str()];
        let verified = self.pairing == "verified";
        both.into_iter().filter(move |loinc| verified && !loinc.is_empty())
    }

    /// Whether a number in this row's unit is one that a sensor can mean.
    #[must_use]
    pub fn is_plausible(&self, value: Decimal) -> bool {
        let at_least = |bound: i64| compare(value, bound).is_ge();
        let at_most = |bound: i64| compare(value, bound).is_le();
        self.low.is_none_or(at_least) && self.high.is_none_or(at_most)
    }
}

/// A decimal beside a whole number, exactly.
fn compare(value: Decimal, bound: i64) -> std::cmp::Ordering {
    let power = |n: i8| 10i128.checked_pow(n.unsigned_abs().into());
    match (power(value.exponent), value.exponent >= 0) {
        (Some(scale), true) => match i128::from(value.mantissa).checked_mul(scale) {
            Some(value) => value.cmp(&bound.into()),
            None => value.mantissa.cmp(&0),
        },
        (Some(scale), false) => match i128::from(bound).checked_mul(scale) {
            Some(bound) => i128::from(value.mantissa).cmp(&bound),
            None => 0.cmp(&bound),
        },
        (None, true) => value.mantissa.cmp(&0),
        (None, false) => 0.cmp(&bound),
    }
}

static TABLE: &str = include_str!("../data/codes.csv");

/// Every row.
fn rows() -> &'static [CodeRow] {
    static ROWS: OnceLock<Vec<CodeRow>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
        let rows = reader.deserialize().collect::<Result<_, _>>();
        rows.expect("the table is a part of the program, and a test reads it")
    })
}

fn by_code() -> &'static HashMap<u32, Vec<&'static CodeRow>> {
    static BY_CODE: OnceLock<HashMap<u32, Vec<&'static CodeRow>>> = OnceLock::new();
    BY_CODE.get_or_init(|| {
        let mut by_code: HashMap<u32, Vec<&CodeRow>> = HashMap::new();
        for row in rows() {
            by_code.entry(row.code).or_default().push(row);
        }
        by_code
    })
}

/// What the table says of a code.
#[must_use]
pub fn code(code: u32) -> Option<&'static CodeRow> {
    by_code().get(&code)?.first().copied()
}

/// What the table says of a code in a unit; none if the unit is another quantity's, or one that
/// no exact factor leads to.
#[must_use]
pub fn code_in(code: u32, unit: u32) -> Option<&'static CodeRow> {
    let rows = by_code().get(&code)?;
    let same = rows.iter().find(|row| row.unit == Some(unit));
    same.or_else(|| rows.iter().find(|row| row.unit.is_none_or(|own| units::agree(unit, own))))
        .copied()
}

/// UCUM of a unit code; the code itself in brackets when the table has none.
#[must_use]
pub fn unit(unit: u32) -> String {
    match unit_of(unit) {
        Some(unit) => unit.ucum.clone(),
        None => format!("[MDC {unit}]"),
    }
}

#[cfg(test)]
mod tests;
