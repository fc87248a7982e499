//! The device wall: what a gateway's devices said last. Every look is written down before anything
//! is shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use wire::decimal::Decimal;
use wire::reading::{STATUS_INVALID, STATUS_NOT_CLINICAL, Status};
use wire::time::{Rate, UnixNanos};

use super::Shared;
use super::access::Person;
use super::ask::{Named, Onlooker, session_of};
use super::fleet::gateway_of;
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::signal::{self, Signal, validity};
use crate::store::StoreError;
use crate::store::coverage::MINUTE_NS;
use crate::store::db::{Db, values};

/// A device that said nothing for so long is no longer on the wall: a day.
const DEVICE_MINUTES: i64 = 24 * 60;
/// Waveforms of so long a time, up to now.
const STRIP_NS: i64 = 10_000_000_000;
/// What a clock may be ahead of ours; what is said to be later is not shown, and never as current.
const AHEAD_NS: i64 = 2_000_000_000;
/// Runs of a strip, at most: a run is a tenth of a second or longer.
const RUNS_MAX: i64 = 200;
/// Samples of a strip, at most: ten seconds at 1 kHz.
const SAMPLES_MAX: usize = 10_000;
/// A look that goes on is written down once a minute.
const LOOK_NS: i64 = MINUTE_NS;

/// The newest values of a gateway's devices.
#[derive(Serialize, ToSchema)]
pub(super) struct Wall {
    schema: u32,
    /// When it was read, UTC nanoseconds.
    now_ns: i64,
    values: Vec<Shown>,
    strips: Vec<Strip>,
}

/// The newest value of a signal.
#[derive(Serialize, ToSchema)]
struct Shown {
    device: String,
    signal: String,
    /// Digits as the device sent them; none if it has no value.
    value: Option<String>,
    unit: String,
    /// When it was measured, UTC nanoseconds.
    at_ns: i64,
    /// Time to the value before it, nanoseconds.
    period_ns: Option<i64>,
    validity: &'static str,
    /// Whether it was made for a demonstration or a test.
    is_demo: bool,
}

/// The newest seconds of a waveform.
#[derive(Serialize, ToSchema)]
struct Strip {
    device: String,
    signal: String,
    unit: String,
    /// Time of the first sample, UTC nanoseconds.
    at_ns: i64,
    samples_per_second: f64,
    /// Physical values; none where the device has none.
    samples: Vec<Option<f64>>,
    /// Whether it was made for a demonstration or a test.
    is_demo: bool,
}

/// Which session has looked at which gateway's values, and when that was written down last.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<(String, i64), i64>>);

impl Looks {
    /// Whether a look is to be written down: it begins, or has gone on for a minute.
    fn is_due(&self, session: &str, gateway: i64, now: UnixNanos) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = looks.get(&(session.to_owned(), gateway));
        last.is_none_or(|last| !(0..LOOK_NS).contains(&now.0.saturating_sub(*last)))
    }

    fn written(&self, session: &str, gateway: i64, now: UnixNanos) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, last| now.0.saturating_sub(*last) < LOOK_NS);
        looks.insert((session.to_owned(), gateway), now.0);
    }
}

/// What a gateway's devices said last. Every look is written down
#[utoipa::path(get, path = "/v1/gateways/{gateway}/values", tag = "values",
    params(("gateway" = String, Path, description = "Its name")),
    responses((status = 200, body = Wall), Refused))]
pub(super) async fn values_of(
    Onlooker(person): Onlooker,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Named(gateway): Named<String>,
) -> Result<Json<Wall>, Problem> {
    let session = session_of(&headers).ok_or_else(Problem::stranger)?;
    let asked = shared.clone();
    let ask = move |db: &Db| {
        let Some(id) = gateway_of(db, &person, &gateway)? else {
            return Ok(Err(Problem::not_found(format!("there is no gateway {gateway}"))));
        };
        write_down(db, &asked.looks, &person, &session, (id, &gateway))?;
        // It may have waited for its turn to write.
        Ok(Ok(Json(read(db, id, clock::now())?)))
    };
    shared.desk.ask(ask).await?
}

fn write_down(
    db: &Db,
    looks: &Looks,
    person: &Person,
    session: &str,
    (id, gateway): (i64, &str),
) -> Result<(), StoreError> {
    let now = clock::now();
    if looks.is_due(session, id, now) {
        let (who, role) = (person.name.as_str(), person.role.name());
        let words = "looked at its devices' values, for up to a minute";
        let act = Act { who, role, what: Deed::Values, object: gateway, words };
        audit::write(db, &act, now)?;
        looks.written(session, id, now);
    }
    Ok(())
}

fn read(db: &Db, gateway: i64, now: UnixNanos) -> Result<Wall, StoreError> {
    let sql = "SELECT DISTINCT device.id, device.eui FROM coverage
                 JOIN device ON device.id = coverage.device
               WHERE gateway = ?1 AND minute >= ?2 ORDER BY device.eui";
    let since = now.0.div_euclid(MINUTE_NS) - DEVICE_MINUTES;
    let (mut shown, mut strips) = (Vec::new(), Vec::new());
    for row in db.rows(sql, values![gateway, since])? {
        let (id, device): (i64, String) = (row.at(0)?, row.at(1)?);
        for signal in signal::of_device(db, id)? {
            if signal.is_wave {
                strips.extend(strip(db, gateway, &device, &signal, now)?);
            } else {
                shown.extend(newest(db, gateway, &device, &signal, now)?);
            }
        }
    }
    Ok(Wall { schema: 1, now_ns: now.0, values: shown, strips })
}

/// Of what came through this gateway: the device may have been another ward's since.
fn newest(
    db: &Db,
    gateway: i64,
    device: &str,
    signal: &Signal,
    now: UnixNanos,
) -> Result<Option<Shown>, StoreError> {
    let sql = "SELECT first_row, last_row FROM block
                 JOIN evidence ON evidence.id = block.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE series = ?1 AND gateway = ?2 AND from_ns BETWEEN ?3 AND ?4
               ORDER BY from_ns DESC LIMIT 1";
    let from = now.0 - DEVICE_MINUTES * MINUTE_NS;
    let asked = values![signal.id, gateway, from, now.0 + AHEAD_NS];
    let Some(block) = db.row(sql, asked)? else { return Ok(None) };
    let (first, last): (i64, i64) = (block.at(0)?, block.at(1)?);
    let sql = "SELECT at_ns, mantissa, exponent, status, absent FROM numeric
               WHERE id BETWEEN ?1 AND ?2 AND at_ns <= ?3 ORDER BY at_ns DESC, id DESC LIMIT 2";
    let rows = db.rows(sql, values![first, last, now.0 + AHEAD_NS])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (at_ns, status): (i64, Status) = (row.at(0)?, row.at(3)?);
    let mantissa = row.at::<Option<i64>>(1)?.filter(|_| status & STATUS_INVALID == 0);
    let exponent = row.at(2)?;
    let before: Option<i64> = rows.get(1).map(|row| row.at(0)).transpose()?;
    Ok(Some(Shown {
        device: device.to_owned(),
        signal: signal.label.clone(),
        value: mantissa.map(|mantissa| Decimal { mantissa, exponent }.to_string()),
        unit: signal.unit.clone(),
        at_ns,
        period_ns: before.map(|before| at_ns - before),
        validity: validity(status, row.at::<Option<i64>>(4)?.map(i64::cast_unsigned)),
        is_demo: signal.mode != 0 || status & STATUS_NOT_CLINICAL != 0,
    }))
}

fn per_second(rate: Rate) -> f64 {
    rate.numerator as f64 / rate.denominator.max(1) as f64
}

fn strip(
    db: &Db,
    gateway: i64,
    device: &str,
    signal: &Signal,
    now: UnixNanos,
) -> Result<Option<Strip>, StoreError> {
    let sql = "SELECT at_ns, sample_first, count, status, samples, invalid FROM wave
                 JOIN evidence ON evidence.id = wave.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE series = ?1 AND gateway = ?2 AND at_ns BETWEEN ?3 AND ?4
               ORDER BY at_ns, wave.id LIMIT ?5";
    let (mut from, mut samples) = (None, Vec::new());
    let asked = values![signal.id, gateway, now.0 - STRIP_NS, now.0 + AHEAD_NS, RUNS_MAX];
    for row in db.rows(sql, asked)? {
        let Some(run) = signal::run(&row)? else { continue };
        from.get_or_insert(run.at_ns);
        samples.extend(run.samples.iter().map(|sample| sample.map(|raw| physical(raw, signal))));
    }
    samples.truncate(SAMPLES_MAX);
    Ok(from.map(|at_ns| Strip {
        device: device.to_owned(),
        signal: signal.label.clone(),
        unit: signal.unit.clone(),
        at_ns,
        samples_per_second: per_second(signal.rate),
        samples,
        is_demo: signal.mode != 0,
    }))
}

fn physical(raw: i32, signal: &Signal) -> f64 {
    let gain = signal.gain.mantissa as f64 * 10f64.powi(signal.gain.exponent.into());
    let gain = if gain == 0.0 { 1.0 } else { gain };
    // Four digits are more than a strip shows.
    ((f64::from(raw) - f64::from(signal.baseline)) / gain * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_when_it_begins_and_once_a_minute_for_each_person_and_gateway() {
        let (looks, second) = (Looks::default(), 1_000_000_000);
        let at = |seconds: i64| UnixNanos(1_700_000_000 * second + seconds * second);
        assert!(looks.is_due("ada", 1, at(0)));
        looks.written("ada", 1, at(0));
        assert!(!looks.is_due("ada", 1, at(59)));
        assert!(looks.is_due("ada", 2, at(59)) && looks.is_due("eve", 1, at(59)));
        assert!(looks.is_due("ada", 1, at(60)));
        assert!(looks.is_due("ada", 1, at(-5)), "the clock was set back");
    }

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

    #[test]
    fn the_wall_shows_the_newest_value_of_each_signal_as_the_device_sent_it() {
        let db = Db::in_memory();
        let (now, minute) = (NOW.0, NOW.0 / MINUTE_NS);
        let series = |id: u32, code: u32, mode: u8| {
            format!(
                "INSERT INTO series VALUES ({id}, 1, {code}, 262688, '', '', 0, 0, 1, 1, 0, 0, 0,
                   {mode});"
            )
        };
        db.batch(&format!(
            "INSERT INTO device VALUES (1, '0242ACFFFE000001'), (2, '0242ACFFFE000002');
             INSERT INTO coverage VALUES (1, {minute}, 1, 4, 0), (2, {minute}, 2, 4, 0),
               (4, {minute}, 1, 4, 0);
             INSERT INTO segment (id, segment, gateway, lane) VALUES (1, x'01', 1, 1),
               (2, x'02', 4, 1);
             INSERT INTO evidence (id, segment, idx, hash, disposition, reason, received_ns, bytes)
             VALUES (1, 1, 0, x'01', 1, 0, 0, x''), (2, 2, 0, x'02', 1, 0, 0, x'');
             {}{}{}
             INSERT INTO numeric VALUES (1, 1, {now} - 9000, 970, -1, 0, NULL),
               (2, 1, {now} - 4000, 975, -1, 0, NULL), (3, 1, {now} - 90000, 1, 0, 0, NULL),
               (4, 2, {now}, NULL, 0, 0, 0), (5, 1, {now} + 3600000000000, 990, -1, 0, NULL);
             INSERT INTO block (id, evidence, series, from_ns, to_ns, first_row,
               last_row) VALUES (1, 1, 1, {now} - 9000, {now} - 4000, 1, 2),
               (2, 1, 1, {now} - 90000, {now} - 90000, 3, 3), (3, 1, 2, {now}, {now}, 4, 4),
               (4, 1, 1, {now} + 3600000000000, {now} + 3600000000000, 5, 5);",
            series(1, 150_456, 0),
            series(2, 147_842, 1),
            series(3, 1, 0),
        ))
        .unwrap();

        let wall = read(&db, 1, NOW).unwrap();
        let [saturation, rate] = &wall.values[..] else { panic!("one signal has said nothing") };
        assert_eq!(saturation.value.as_deref(), Some("97.5"), "newest, and not an hour ahead");
        assert_eq!((saturation.at_ns, saturation.period_ns), (now - 4000, Some(5000)));
        assert_eq!((saturation.validity, saturation.is_demo), ("valid", false));
        assert_eq!((rate.value.as_deref(), rate.is_demo), (None, true));
        assert_ne!(rate.validity, "valid");
        assert!(read(&db, 3, NOW).unwrap().values.is_empty(), "another gateway's devices");
        let moved = read(&db, 4, NOW).unwrap();
        assert!(moved.values.is_empty(), "it said these through another gateway");
    }
}
