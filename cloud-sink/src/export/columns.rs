//! Readings as columns: numbers, runs of samples, and notes; times in UTC nanoseconds, words by
//! dictionary.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Float64Array, Int8Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use wire::decimal::{Decimal, Number};

use super::reading::{Note, Numeric, Wave};

mod block;

use block::{Common, Words, moment, moments, words};

/// Numbers on their way into a batch.
#[derive(Debug, Default)]
pub struct Numerics {
    common: Common,
    times: Vec<i64>,
    mantissas: Vec<Option<i64>>,
    exponents: Vec<i8>,
    values: Vec<Option<f64>>,
    statuses: Vec<u16>,
    absent: Words,
}

/// The nearest number with a point in it: for sums and plots; the digits stand beside it.
fn nearest(Decimal { mantissa, exponent }: Decimal) -> f64 {
    // Written and read, the nearest one is found; a product of two would be off by the last bit.
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
}

/// The same for what most devices send: at most 15 digits and few places are exact in a double, and
/// one division rounds once.
fn quick(decimal: Decimal) -> f64 {
    const EXACT: u64 = 1 << 53;
    let Decimal { mantissa, exponent } = decimal;
    match exponent {
        0 if mantissa.unsigned_abs() < EXACT => mantissa as f64,
        -15..=-1 if mantissa.unsigned_abs() < EXACT => {
            mantissa as f64 / 10f64.powi(i32::from(-exponent))
        }
        _ => nearest(decimal),
    }
}

impl Numerics {
    /// The columns.
    #[must_use]
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            words("device", false),
            words("gateway", false),
            Field::new("code", DataType::UInt32, false),
            words("name", false),
            words("unit", false),
            moment("time"),
            Field::new("mantissa", DataType::Int64, true),
            Field::new("exponent", DataType::Int8, false),
            Field::new("value", DataType::Float64, true),
            Field::new("status", DataType::UInt16, false),
            words("absent", true),
            words("mode", false),
            words("patient", true),
            words("dated", false),
            Field::new("time_error_us", DataType::Int64, true),
            moment("stored"),
            words("frame", false),
        ]))
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, numeric: &Numeric) {
        self.common.push(&numeric.about);
        self.times.push(numeric.at_ns);
        self.statuses.push(numeric.status);
        let (decimal, absent) = match numeric.number {
            Number::Is(decimal) => (Some(decimal), None),
            Number::Not(state) => (None, Some(state.name())),
        };
        self.mantissas.push(decimal.map(|decimal| decimal.mantissa));
        self.exponents.push(decimal.map_or(0, |decimal| decimal.exponent));
        self.values.push(numeric.valid().map(quick));
        self.absent.push(absent);
    }

    /// All that wait, as one batch.
    ///
    /// # Errors
    /// Columns do not fit together.
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let Self { mut common, times, mantissas, exponents, values, statuses, mut absent } =
            std::mem::take(self);
        let columns: Vec<ArrayRef> = vec![
            common.device.take()?,
            common.gateway.take()?,
            Arc::new(UInt32Array::from(common.codes)),
            common.name.take()?,
            common.unit.take()?,
            moments(times),
            Arc::new(Int64Array::from(mantissas)),
            Arc::new(Int8Array::from(exponents)),
            Arc::new(Float64Array::from(values)),
            Arc::new(UInt16Array::from(statuses)),
            absent.take()?,
            common.mode.take()?,
            common.patient.take()?,
            common.dated.take()?,
            Arc::new(Int64Array::from(common.errors)),
            moments(common.stored),
            common.frame.take()?,
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

/// Runs of samples on their way into a batch.
#[derive(Debug, Default)]
pub struct Waves {
    common: Common,
    times: Vec<i64>,
    firsts: Vec<u64>,
    rates: (Vec<u64>, Vec<u64>),
    gains: (Vec<i64>, Vec<i8>),
    baselines: Vec<i32>,
    bits: Vec<u8>,
    statuses: Vec<u16>,
    samples: Vec<Option<Vec<Option<i32>>>>,
    samples_len: usize,
}

impl Waves {
    /// The columns.
    #[must_use]
    pub fn schema() -> SchemaRef {
        let sample = Field::new_list_field(DataType::Int32, true);
        Arc::new(Schema::new(vec![
            words("device", false),
            words("gateway", false),
            Field::new("code", DataType::UInt32, false),
            words("name", false),
            words("unit", false),
            moment("time"),
            Field::new("sample_first", DataType::UInt64, false),
            Field::new("rate_numerator", DataType::UInt64, false),
            Field::new("rate_denominator", DataType::UInt64, false),
            Field::new("gain_mantissa", DataType::Int64, false),
            Field::new("gain_exponent", DataType::Int8, false),
            Field::new("baseline", DataType::Int32, false),
            Field::new("bits", DataType::UInt8, false),
            Field::new("status", DataType::UInt16, false),
            words("mode", false),
            words("patient", true),
            words("dated", false),
            Field::new("time_error_us", DataType::Int64, true),
            moment("stored"),
            words("frame", false),
            Field::new("samples", DataType::List(Arc::new(sample)), false),
        ]))
    }

    /// Samples that wait.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.samples_len
    }

    /// Adds one.
    pub fn push(&mut self, wave: &Wave) {
        let signal = &wave.about.signal;
        self.common.push(&wave.about);
        self.times.push(wave.run.at_ns);
        self.firsts.push(wave.run.first);
        self.rates.0.push(signal.rate.numerator);
        self.rates.1.push(signal.rate.denominator);
        self.gains.0.push(signal.gain.mantissa);
        self.gains.1.push(signal.gain.exponent);
        self.baselines.push(signal.baseline);
        self.bits.push(signal.bits);
        self.statuses.push(wave.run.status);
        self.samples_len += wave.run.samples.len();
        self.samples.push(Some(wave.run.samples.clone()));
    }

    /// All that wait, as one batch.
    ///
    /// # Errors
    /// Columns do not fit together.
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut taken = std::mem::take(self);
        let common = &mut taken.common;
        let samples = ListArray::from_iter_primitive::<Int32Type, _, _>(taken.samples);
        let columns: Vec<ArrayRef> = vec![
            common.device.take()?,
            common.gateway.take()?,
            Arc::new(UInt32Array::from(std::mem::take(&mut common.codes))),
            common.name.take()?,
            common.unit.take()?,
            moments(taken.times),
            Arc::new(UInt64Array::from(taken.firsts)),
            Arc::new(UInt64Array::from(taken.rates.0)),
            Arc::new(UInt64Array::from(taken.rates.1)),
            Arc::new(Int64Array::from(taken.gains.0)),
            Arc::new(Int8Array::from(taken.gains.1)),
            Arc::new(Int32Array::from(taken.baselines)),
            Arc::new(UInt8Array::from(taken.bits)),
            Arc::new(UInt16Array::from(taken.statuses)),
            common.mode.take()?,
            common.patient.take()?,
            common.dated.take()?,
            Arc::new(Int64Array::from(std::mem::take(&mut common.errors))),
            moments(std::mem::take(&mut common.stored)),
            common.frame.take()?,
            Arc::new(samples),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

/// Notes on their way into a batch.
#[derive(Debug, Default)]
pub struct Notes {
    device: Words,
    gateway: Words,
    times: Vec<i64>,
    kind: Words,
    codes: [Vec<Option<u32>>; 2],
    levels: [Vec<Option<u8>>; 3],
    values: Vec<Option<i64>>,
    texts: Vec<Option<String>>,
    patient: Words,
    dated: Words,
    stored: Vec<i64>,
    frame: Words,
}

impl Notes {
    /// The columns.
    #[must_use]
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            words("device", false),
            words("gateway", false),
            moment("time"),
            words("kind", false),
            Field::new("code", DataType::UInt32, true),
            Field::new("source", DataType::UInt32, true),
            Field::new("phase", DataType::UInt8, true),
            Field::new("state", DataType::UInt8, true),
            Field::new("priority", DataType::UInt8, true),
            Field::new("value", DataType::Int64, true),
            Field::new("text", DataType::Utf8, true),
            words("patient", true),
            words("dated", false),
            moment("stored"),
            words("frame", false),
        ]))
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, note: &Note) {
        self.device.push(Some(&note.device));
        self.gateway.push(Some(&note.origin.gateway));
        self.times.push(note.at_ns);
        self.kind.push(Some(&note.kind));
        self.codes.iter_mut().zip(note.codes).for_each(|(column, code)| column.push(code));
        self.levels.iter_mut().zip(note.levels).for_each(|(column, level)| column.push(level));
        self.values.push(note.value);
        self.texts.push(note.text.clone());
        self.patient.push(note.patient.as_deref());
        self.dated.push(Some(note.dated.word()));
        self.stored.push(note.origin.stored_ns);
        self.frame.push(Some(&note.origin.frame));
    }

    /// All that wait, as one batch.
    ///
    /// # Errors
    /// Columns do not fit together.
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut taken = std::mem::take(self);
        let [codes, sources] = taken.codes;
        let [phases, states, priorities] = taken.levels;
        let columns: Vec<ArrayRef> = vec![
            taken.device.take()?,
            taken.gateway.take()?,
            moments(taken.times),
            taken.kind.take()?,
            Arc::new(UInt32Array::from(codes)),
            Arc::new(UInt32Array::from(sources)),
            Arc::new(UInt8Array::from(phases)),
            Arc::new(UInt8Array::from(states)),
            Arc::new(UInt8Array::from(priorities)),
            Arc::new(Int64Array::from(taken.values)),
            Arc::new(StringArray::from(taken.texts)),
            taken.patient.take()?,
            taken.dated.take()?,
            moments(taken.stored),
            taken.frame.take()?,
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}
