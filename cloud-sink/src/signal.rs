//! Signals of a device as they are shown and written: name, unit, validity, decoded waveforms.

use wire::batch::wave;
use wire::decimal::{Absent, Decimal};
use wire::reading::{STATUS_INVALID, STATUS_NOT_CLINICAL, STATUS_QUESTIONABLE, Status};
use wire::time::Rate;

use crate::codes;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// One signal of a device.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Number in the store.
    pub id: i64,
    /// MDC code.
    pub code: u32,
    /// The device's own name for it, or the code's.
    pub label: String,
    /// UCUM unit, or the device's own word.
    pub unit: String,
    /// MDC code of the unit; 0 if the device has none for it.
    pub unit_code: u32,
    /// Whether it is a waveform.
    pub is_wave: bool,
    /// Samples a second.
    pub rate: Rate,
    /// Physical = (sample - baseline) / gain.
    pub gain: Decimal,
    /// See above.
    pub baseline: i32,
    /// Bits of a sample.
    pub bits: u8,
    /// 0 clinical, 1 demo, else service.
    pub mode: u8,
}

/// All signals of a device.
///
/// # Errors
/// The store does not answer.
pub fn of_device(db: &Db, device: i64) -> Result<Vec<Signal>, StoreError> {
    let sql = "SELECT id, code, unit, label, unit_label, wave, rate_numerator, rate_denominator,
                 gain_mantissa, gain_exponent, baseline, bits, mode
               FROM series WHERE device = ?1 ORDER BY id";
    db.rows(sql, values![device])?.iter().map(signal).collect()
}

fn signal(row: &Row) -> Result<Signal, StoreError> {
    let code: u32 = row.at(1)?;
    let (label, unit_label): (String, String) = (row.at(3)?, row.at(4)?);
    let known = codes::code(code).filter(|known| !known.refid.is_empty());
    let name = known.map(|known| known.refid.clone());
    let fallback = name.unwrap_or_else(|| format!("MDC_{code}"));
    Ok(Signal {
        id: row.at(0)?,
        code,
        label: if label.is_empty() { fallback } else { label },
        unit: match (unit_label.is_empty(), row.at(2)?) {
            (false, _) => unit_label,
            (true, 0) => String::new(),
            (true, unit) => codes::unit(unit),
        },
        unit_code: row.at(2)?,
        is_wave: row.at(5)?,
        rate: Rate {
            numerator: row.at::<i64>(6)?.cast_unsigned(),
            denominator: row.at::<i64>(7)?.cast_unsigned(),
        },
        gain: Decimal { mantissa: row.at(8)?, exponent: row.at(9)? },
        baseline: row.at(10)?,
        bits: row.at(11)?,
        mode: row.at(12)?,
    })
}

/// What a value's status says of it, in one word.
#[must_use]
pub fn validity(status: Status, absent: Option<u64>) -> &'static str {
    match absent.and_then(Absent::from_number) {
        Some(state) => state.name(),
        None if status & STATUS_INVALID != 0 => "invalid",
        None if status & STATUS_NOT_CLINICAL != 0 => "not clinical",
        None if status & STATUS_QUESTIONABLE != 0 => "questionable",
        None => "valid",
    }
}

/// A stored run of samples.
#[derive(Clone, Debug)]
pub struct Run {
    /// Time of the first sample, UTC nanoseconds.
    pub at_ns: i64,
    /// Number of the first sample in its waveform.
    pub first: u64,
    /// Status of all.
    pub status: Status,
    /// The device's integers; none where it says that there is none.
    pub samples: Vec<Option<i32>>,
}

/// Decodes a row of a waveform, `at_ns, sample_first, count, status, samples, invalid`; none if the
/// block is damaged.
///
/// # Errors
/// The row is another table's.
pub fn run(row: &Row) -> Result<Option<Run>, StoreError> {
    let (at_ns, first): (i64, i64) = (row.at(0)?, row.at(1)?);
    let (count, status): (i64, Status) = (row.at(2)?, row.at(3)?);
    let (packed, invalid): (Vec<u8>, Option<Vec<u8>>) = (row.at(4)?, row.at(5)?);
    let count = usize::try_from(count).map_err(|_| StoreError::Shape("samples below none"))?;
    let Ok(samples) = wave::decode(&packed, count, None) else { return Ok(None) };
    let is_valid = valid_samples(count, invalid.as_deref());
    let samples = samples
        .into_iter()
        .zip(is_valid)
        .map(|(sample, valid)| Some(sample).filter(|_| valid && status & STATUS_INVALID == 0));
    Ok(Some(Run { at_ns, first: first.cast_unsigned(), status, samples: samples.collect() }))
}

impl Run {
    /// The time of its n-th sample, UTC nanoseconds.
    #[must_use]
    pub fn time_of(&self, n: usize, rate: Rate) -> i64 {
        self.at_ns + rate.nanos_of(self.first + n as u64) - rate.nanos_of(self.first)
    }
}

fn valid_samples(count: usize, invalid: Option<&[u8]>) -> Vec<bool> {
    let mut valid = vec![true; count];
    for hole in invalid.unwrap_or_default().chunks_exact(8) {
        let word = |at: usize| {
            u32::from_le_bytes([hole[at], hole[at + 1], hole[at + 2], hole[at + 3]]) as usize
        };
        valid.iter_mut().skip(word(0)).take(word(4)).for_each(|valid| *valid = false);
    }
    valid
}
