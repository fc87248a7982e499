//! A device's readings, page by page: JSON, CSV, Arrow or Parquet.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use parquet::arrow::ArrowWriter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wire::decimal::Number;
use wire::identity::DeviceId;

use super::Shared;
use super::access::Person;
use super::ask::{Named, Onlooker, Words};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::export::columns::{Numerics, Waves};
use crate::export::parquet::properties;
use crate::export::read::{Place, Reader, Selection};
use crate::export::reading::{About, Numeric, Reading, Wave};
use crate::inventory;
use crate::store::StoreError;
use crate::store::db::Db;

/// Blocks that are read at once.
const BLOCKS: i64 = 256;
const ROWS: u32 = 1_000;
const ROWS_MAX: u32 = 50_000;
/// Samples of one page of runs.
const SAMPLES_MAX: usize = 1_000_000;
/// Where the next page begins, of what is no JSON.
const NEXT: HeaderName = HeaderName::from_static("wardline-next");

/// What is asked of a device.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Query {
    /// Only this MDC code.
    code: Option<u32>,
    /// From this moment on, as 2026-01-31T12:00:00Z.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<jiff::Timestamp>,
    /// Before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<jiff::Timestamp>,
    /// Waveforms in place of numbers.
    #[serde(default)]
    waves: bool,
    /// Rows of a page, about: a block of the store is never cut.
    #[param(minimum = 1, maximum = 50_000)]
    limit: Option<u32>,
    /// Where the page before has ended, as it said.
    #[param(max_length = 80)]
    after: Option<String>,
}

/// A page of readings.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
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
enum Form {
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
fn form(headers: &HeaderMap) -> Form {
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

/// A device's readings. Every request is written down
#[utoipa::path(get, path = "/v1/devices/{device}/readings", tag = "values", params(
    ("device" = String, Path, description = "Its EUI-64"), Query),
    responses((status = 200, content(
        (Page = "application/json"), (String = "text/csv"),
        (String = "application/vnd.apache.arrow.stream"),
        (String = "application/vnd.apache.parquet"))), Refused))]
pub(super) async fn of_device(
    Onlooker(person): Onlooker,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Named(device): Named<String>,
    Words(query): Words<Query>,
) -> Result<Response, Problem> {
    let Some(id) = DeviceId::parse(&device) else {
        return Err(Problem::not_found("a device has 16 hexadecimal digits"));
    };
    let limit = query.limit.unwrap_or(ROWS);
    if !(1..=ROWS_MAX).contains(&limit) {
        return Err(Problem::wrong(format!("limit holds 1 to {ROWS_MAX}")));
    }
    let after = match query.after.as_deref().map(Cursor::parse) {
        None => Cursor::default(),
        Some(Some(after)) => after,
        Some(None) => return Err(Problem::wrong("after holds what the page before has said")),
    };
    let ns = |moment: Option<jiff::Timestamp>| {
        moment.map(|moment| i64::try_from(moment.as_nanosecond())).transpose()
    };
    let bounds = ns(query.from).and_then(|from| Ok((from, ns(query.to)?)));
    let (from_ns, to_ns) =
        bounds.map_err(|_| Problem::wrong("a moment is beyond the year 2262"))?;
    let wanted = Selection { device: Some(id), from_ns, to_ns, code: query.code };
    let form = form(&headers);
    let ask = move |db: &Db| read(db, &person, &wanted, query.waves, (after, limit as usize));
    let found = shared.desk.ask(ask).await?;
    let unknown = || Problem::not_found(format!("there is no device {id}, or you do not see it"));
    found.ok_or_else(unknown)?.answer(form, id)
}

/// Where a page ends: the signal, and the place among its blocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Cursor {
    series: i64,
    place: Option<Place>,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse::<i64>().ok());
        let (series, from, id) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { series, place: Some((from, id)) })
    }

    fn write(&self) -> Option<String> {
        self.place.map(|(from, id)| format!("{}.{from}.{id}", self.series))
    }
}

/// What was found.
#[derive(Default)]
struct Found {
    numerics: Vec<Numeric>,
    waves: Vec<Wave>,
    is_waves: bool,
    next: Option<Cursor>,
}

/// Reads a page; none if nobody may know of the device.
fn read(
    db: &Db,
    person: &Person,
    wanted: &Selection,
    is_waves: bool,
    (after, limit): (Cursor, usize),
) -> Result<Option<Found>, StoreError> {
    let Some(device) = wanted.device else { return Ok(None) };
    let ward = person.ward.as_deref();
    if ward.is_some() && !inventory::is_seen(db, device, ward)? {
        return Ok(None);
    }
    let Some(mut reader) = Reader::open(db, *wanted)? else { return Ok(None) };
    write_down(db, person, device)?;
    // What it said through another ward's gateway is that ward's.
    let own: Option<HashSet<String>> = ward.map(|ward| gateways_of(db, ward)).transpose()?;
    let is_own = |about: &About| own.as_ref().is_none_or(|own| own.contains(&about.origin.gateway));
    let mut found = Found { is_waves, ..Found::default() };
    let mut samples = 0;
    for series in reader.series()?.into_iter().filter(|series| series.1 == is_waves) {
        if series.0 < after.series {
            continue;
        }
        let resumed = after.place.filter(|_| series.0 == after.series);
        let mut place = resumed.unwrap_or((i64::MIN, 0));
        loop {
            let end = reader.of_series(series, place, BLOCKS, |reading| match reading {
                Reading::Numeric(numeric) if is_own(&numeric.about) => found.numerics.push(numeric),
                Reading::Wave(wave) if is_own(&wave.about) => {
                    samples += wave.run.samples.len();
                    found.waves.push(wave);
                }
                _ => {}
            })?;
            let Some(end) = end else { break };
            place = end;
            let rows = found.numerics.len() + found.waves.len();
            if rows >= limit || samples >= SAMPLES_MAX {
                found.next = Some(Cursor { series: series.0, place: Some(place) });
                return Ok(Some(found));
            }
        }
    }
    Ok(Some(found))
}

fn gateways_of(db: &Db, ward: &str) -> Result<HashSet<String>, StoreError> {
    let all = inventory::gateways(db)?.into_iter();
    Ok(all.filter(|one| one.ward.as_deref() == Some(ward)).map(|one| one.name).collect())
}

fn write_down(db: &Db, person: &Person, device: DeviceId) -> Result<(), StoreError> {
    let (who, role) = (person.name.as_str(), person.role.name());
    let (object, words) = (device.to_string(), "took a page of its readings");
    let act = Act { who, role, what: Deed::Values, object: &object, words };
    audit::write(db, &act, clock::now())
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

    fn answer(self, form: Form, device: DeviceId) -> Result<Response, Problem> {
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
    fn a_place_is_read_as_it_was_written() {
        let cursor = Cursor { series: 7, place: Some((-5, 9)) };
        assert_eq!(cursor.write().as_deref().and_then(Cursor::parse), Some(cursor));
        for wrong in ["", "1", "1.2", "1.2.3.4", "a.b.c"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_first_form_that_is_known_is_given() {
        let of =
            |accept: &'static str| form(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert_eq!(of("text/html, application/vnd.apache.parquet;q=0.9, */*"), Form::Parquet);
        assert_eq!((of("*/*"), form(&HeaderMap::new())), (Form::Json, Form::Json));
        assert_eq!((of(ARROW), of(CSV)), (Form::Arrow, Form::Csv));
    }
}
