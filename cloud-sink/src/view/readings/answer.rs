//! A page of readings as JSON, CSV, Arrow or Parquet.

use std::fmt::Write as _;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use axum::Json;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use parquet::arrow::ArrowWriter;
use serde::Serialize;
use utoipa::ToSchema;
use wire::decimal::Number;
use wire::identity::DeviceId;

use super::super::problem::Problem;
use super::{Cursor, Found};
use crate::export::columns::{Numerics, Waves};
use crate::export::parquet::properties;
use crate::export::reading::{About, Numeric, Wave};
use crate::store::StoreError;

/// Where the next page begins, of what is no JSON.
const NEXT: HeaderName = HeaderName::from_static("wardline-next");

/// A page of readings.
#[derive(Serialize, ToSchema)]
pub(in crate::view) struct Page {
    schema: u32,
    device: String,
    readings: Vec<Row>,
    /// What `after` holds for the next page; none at the end.
    next: Option<String>,
}

/// One reading.
#[derive(Serialize, ToSchema)]
struct Row {
    code: u32,
    name: String,
    unit: String,
    /// UTC nanoseconds; of a run, that of its first sample.
    at_ns: i64,
    /// By whose clock that is: `gateway`, `device` or `guess`.
    dated: &'static str,
    /// How far it may be off, microseconds, if anybody says so.
    error_us: Option<i64>,
    /// Digits as the device wrote them; none if it has no number, or not a valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Why there is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<&'static str>,
    /// Samples of a run: physical = (sample - baseline) / gain.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Samples>,
    /// Measurement-status bits of IEEE 11073.
    status: u16,
    /// Whether it may be taken for a patient's: not made for a test, a demonstration or a repair.
    is_clinical: bool,
    /// Token of the patient.
    patient: Option<String>,
    gateway: String,
    /// Hash of the frame that brought it.
    frame: String,
    /// When it was stored, UTC nanoseconds.
    stored_ns: i64,
}

/// Samples as the device counted them.
#[derive(Serialize, ToSchema)]
struct Samples {
    gain: String,
    baseline: i32,
    rate_numerator: u64,
    rate_denominator: u64,
    /// None where the device says that there is none.
    values: Vec<Option<i32>>,
}

/// In what it is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Json,
    Csv,
    Arrow,
    Parquet,
}

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";

/// By an `Accept`: the first form that it names, JSON if it names none.
pub(super) fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let kinds = accept.split(',').filter_map(|one| one.split(';').next()).map(str::trim);
    let known = kinds.filter_map(|kind| match kind {
        JSON => Some(Form::Json),
        CSV => Some(Form::Csv),
        ARROW => Some(Form::Arrow),
        PARQUET => Some(Form::Parquet),
        _ => None,
    });
    known.into_iter().next().unwrap_or(Form::Json)
}

fn row(about: &About, at_ns: i64, status: u16) -> Row {
    Row {
        code: about.signal.code,
        name: about.signal.label.clone(),
        unit: about.signal.unit.clone(),
        at_ns,
        dated: about.dated.word(),
        error_us: about.error_us(),
        value: None,
        absent: None,
        samples: None,
        status,
        is_clinical: about.is_clinical(status),
        patient: about.patient.as_deref().map(str::to_owned),
        gateway: about.origin.gateway.clone(),
        frame: about.origin.frame.clone(),
        stored_ns: about.origin.stored_ns,
    }
}

fn of_numeric(numeric: &Numeric) -> Row {
    let absent = match numeric.number {
        Number::Is(_) => None,
        Number::Not(state) => Some(state.name()),
    };
    let value = numeric.valid().map(|decimal| decimal.to_string());
    Row { value, absent, ..row(&numeric.about, numeric.at_ns, numeric.status) }
}

fn of_wave(wave: &Wave) -> Row {
    let signal = &wave.about.signal;
    let samples = Samples {
        gain: signal.gain.to_string(),
        baseline: signal.baseline,
        rate_numerator: signal.rate.numerator,
        rate_denominator: signal.rate.denominator,
        values: wave.run.samples.clone(),
    };
    Row { samples: Some(samples), ..row(&wave.about, wave.run.at_ns, wave.run.status) }
}

/// A cell of CSV.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl Found {
    fn rows(&self) -> Vec<Row> {
        self.numerics.iter().map(of_numeric).chain(self.waves.iter().map(of_wave)).collect()
    }

    fn batch(&self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        if self.is_waves {
            let mut waves = Waves::default();
            self.waves.iter().for_each(|wave| waves.push(wave));
            return waves.take();
        }
        let mut numerics = Numerics::default();
        self.numerics.iter().for_each(|numeric| numerics.push(numeric));
        numerics.take()
    }

    pub(super) fn answer(self, form: Form, device: DeviceId) -> Result<Response, Problem> {
        let next = self.next.as_ref().and_then(Cursor::write);
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "readings cannot be written");
            Problem::from(StoreError::Shape("columns do not fit"))
        };
        let (kind, bytes) = match form {
            Form::Json => {
                let (device, readings) = (device.to_string(), self.rows());
                return Ok(Json(Page { schema: 1, device, readings, next }).into_response());
            }
            Form::Csv => (CSV, self.csv().into_bytes()),
            Form::Arrow => {
                let batch = self.batch().map_err(|error| failed(&error))?;
                (ARROW, arrow(&batch).map_err(|error| failed(&error))?)
            }
            Form::Parquet => {
                let batch = self.batch().map_err(|error| failed(&error))?;
                (PARQUET, in_parquet(&batch).map_err(|error| failed(&error))?)
            }
        };
        let mut response = ([(CONTENT_TYPE, kind)], bytes).into_response();
        if let Some(next) = next.and_then(|next| next.parse().ok()) {
            response.headers_mut().insert(NEXT, next);
        }
        Ok(response)
    }

    fn csv(&self) -> String {
        let mut text = String::from(
            "code,name,unit,at_ns,dated,error_us,value,absent,samples,status,is_clinical,patient,\
             gateway,frame,stored_ns\n",
        );
        for row in self.rows() {
            let samples = row.samples.map(|samples| {
                let one = |sample: &Option<i32>| sample.map_or("E".into(), |one| one.to_string());
                samples.values.iter().map(one).collect::<Vec<String>>().join(" ")
            });
            let error = row.error_us.map(|error| error.to_string()).unwrap_or_default();
            let written = writeln!(
                text,
                "{},{},{},{},{},{error},{},{},{},{},{},{},{},{},{}",
                row.code,
                cell(&row.name),
                cell(&row.unit),
                row.at_ns,
                row.dated,
                row.value.unwrap_or_default(),
                row.absent.unwrap_or_default(),
                samples.unwrap_or_default(),
                row.status,
                row.is_clinical,
                cell(&row.patient.unwrap_or_default()),
                row.gateway,
                row.frame,
                row.stored_ns,
            );
            // A text takes everything.
            let _: std::fmt::Result = written;
        }
        text
    }
}

fn arrow(batch: &RecordBatch) -> Result<Vec<u8>, arrow_schema::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.into_inner()
}

fn in_parquet(batch: &RecordBatch) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties()))?;
    writer.write(batch)?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_is_given() {
        let of =
            |accept: &'static str| form(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert_eq!(of("text/html, application/vnd.apache.parquet;q=0.9, */*"), Form::Parquet);
        assert_eq!((of("*/*"), form(&HeaderMap::new())), (Form::Json, Form::Json));
        assert_eq!((of(ARROW), of(CSV)), (Form::Arrow, Form::Csv));
    }
}
