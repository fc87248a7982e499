//! A device's readings, page by page: JSON, CSV, Arrow or Parquet.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use wire::identity::DeviceId;

use super::Shared;
use super::access::Person;
use super::ask::{Named, Onlooker, Words};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::export::read::{Place, Reader, Selection};
use crate::export::reading::{About, Numeric, Reading, Wave};
use crate::inventory;
use crate::store::StoreError;
use crate::store::db::Db;

mod answer;

use answer::{Page, form};

/// Blocks that are read at once.
const BLOCKS: i64 = 256;
const ROWS: u32 = 1_000;
const ROWS_MAX: u32 = 50_000;
/// Samples of one page of runs.
const SAMPLES_MAX: usize = 1_000_000;

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
}
