//! Completeness: of what each device had in each hour, how much is stored.
//!
//! What is missing is only what somebody has declared: the device, its gateway for it, or the
//! gateway in a signed gap, which names no device.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wire::time::UnixNanos;

use super::access::Person;
use super::ask::{Named, Words};
use super::problem::{Problem, Refused};
use super::{Shared, fleet};
use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::hours::{HOUR_NS, MINUTES};

/// What a gateway's devices gave, hour by hour.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Completeness {
    schema: u32,
    /// Begin of the first hour, UTC nanoseconds. The last one is not over.
    from_ns: i64,
    devices: Vec<DeviceHours>,
    /// Readings inside the gateway's gaps that end in each hour, at least and at most.
    gaps: Vec<(i64, i64)>,
}

/// One device.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
struct DeviceHours {
    device: String,
    /// Readings that are stored.
    stored: Vec<i64>,
    /// Readings that were lost before the gateway could keep them.
    lost: Vec<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HoursQuery {
    /// So many hours back, this one included.
    #[param(minimum = 1, maximum = 168, default = 24)]
    hours: Option<i64>,
}

const HOURS: i64 = 24;
/// A week.
const HOURS_MAX: i64 = 168;

/// Of what each device had in each hour, how much is stored
#[utoipa::path(get, path = "/v1/gateways/{gateway}/completeness", tag = "line",
    params(("gateway" = String, Path, description = "Its name"), HoursQuery),
    responses((status = 200, body = Completeness), Refused))]
pub(super) async fn of_devices(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Named(gateway): Named<String>,
    Words(query): Words<HoursQuery>,
) -> Result<Json<Completeness>, Problem> {
    let hours = query.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::wrong(format!("hours is 1 to {HOURS_MAX}, and not {hours}")));
    }
    let missing = Problem::not_found(format!("there is no gateway {gateway}"));
    let ask = move |db: &Db| read(db, &person, &gateway, hours, clock::now());
    shared.desk.ask(ask).await?.map(Json).ok_or(missing)
}

/// The last hours of a gateway that somebody sees.
pub(super) fn read(
    db: &Db,
    person: &Person,
    gateway: &str,
    hours: i64,
    now: UnixNanos,
) -> Result<Option<Completeness>, StoreError> {
    let Some(gateway) = fleet::gateway_of(db, person, gateway)? else { return Ok(None) };
    let first = now.0.div_euclid(HOUR_NS) - hours + 1;
    let span = (gateway, first, first + hours);
    let mut devices = BTreeMap::new();
    add(db, STORED, (span, MINUTES), &mut devices, |device| &mut device.stored)?;
    add(db, LOST, (span, HOUR_NS), &mut devices, |device| &mut device.lost)?;
    let (from_ns, devices) = (first * HOUR_NS, devices.into_values().collect());
    Ok(Some(Completeness { schema: 1, from_ns, devices, gaps: gaps(db, span)? }))
}

/// Of both: device, hour since 1970, sum. The last value is an hour's length in the table's unit.
const STORED: &str = "
SELECT device.eui, minute / ?4, CAST(sum(live + late) AS BIGINT)
FROM coverage JOIN device ON device.id = coverage.device
WHERE gateway = ?1 AND minute >= ?2 AND minute < ?3 GROUP BY 1, 2";
const LOST: &str = "
SELECT device.eui, at_ns / ?4, CAST(sum(CASE WHEN note.value BETWEEN 0 AND 1099511627776
             THEN note.value ELSE 1099511627776 END) AS BIGINT)
FROM note JOIN device ON device.id = note.device JOIN evidence ON evidence.id = note.evidence
  JOIN segment ON segment.id = evidence.segment
WHERE gateway = ?1 AND at_ns >= ?2 AND at_ns < ?3 AND kind = 'loss'
  AND note.device IN (SELECT device FROM coverage WHERE coverage.gateway = ?1
                      AND minute >= ?2 / 60000000000 AND minute < ?3 / 60000000000)
GROUP BY 1, 2";
const GAPS: &str = "
SELECT to_ns / ?4, CAST(sum(readings_min) AS BIGINT), CAST(sum(readings_max) AS BIGINT) FROM gap
WHERE gateway = ?1 AND to_ns >= ?2 AND to_ns < ?3 GROUP BY 1";

fn add(
    db: &Db,
    sql: &'static str,
    ((gateway, first, end), hour): ((i64, i64, i64), i64),
    devices: &mut BTreeMap<String, DeviceHours>,
    row_of: fn(&mut DeviceHours) -> &mut Vec<i64>,
) -> Result<(), StoreError> {
    let hours = (end - first) as usize;
    for row in db.rows(sql, values![gateway, first * hour, end * hour, hour])? {
        let device: String = row.at(0)?;
        let none = || vec![0; hours];
        let entry = devices.entry(device.clone()).or_insert_with(|| DeviceHours {
            device,
            stored: none(),
            lost: none(),
        });
        let at = usize::try_from(row.at::<i64>(1)? - first).ok();
        if let Some(cell) = at.and_then(|at| row_of(entry).get_mut(at)) {
            *cell += row.at::<i64>(2)?;
        }
    }
    Ok(())
}

fn gaps(db: &Db, (gateway, first, end): (i64, i64, i64)) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut hours = vec![(0, 0); (end - first) as usize];
    for row in db.rows(GAPS, values![gateway, first * HOUR_NS, end * HOUR_NS, HOUR_NS])? {
        let at = usize::try_from(row.at::<i64>(0)? - first).ok();
        if let Some(cell) = at.and_then(|at| hours.get_mut(at)) {
            *cell = (row.at(1)?, row.at(2)?);
        }
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use super::super::access::Role;
    use super::*;

    const NOW_HOUR: i64 = 500_000;

    #[test]
    fn each_hour_holds_what_is_stored_and_what_was_declared() {
        let db = Db::in_memory();
        let (minute, hour_ns) = (NOW_HOUR * 60, NOW_HOUR * HOUR_NS);
        db.batch(&format!(
            "INSERT INTO gateway VALUES (1, 'gw-1', x'', 0), (2, 'gw-2', x'', 0);
             INSERT INTO device VALUES (1, 'A'), (2, 'B');
             INSERT INTO segment (id, segment, gateway, lane) VALUES (1, x'01', 1, 1);
             INSERT INTO evidence (id, segment, idx, hash, disposition, reason, received_ns, bytes)
             VALUES (1, 1, 1, x'01', 1, 0, 0, x'');
             INSERT INTO coverage VALUES (1, {minute}, 1, 5, 2), (1, {before}, 1, 30, 0),
               (1, {before}, 2, 0, 0), (2, {minute}, 1, 99, 0), (1, {long_ago}, 1, 99, 0);
             INSERT INTO note (evidence, device, at_ns, kind, value)
             VALUES (1, 2, {then}, 'loss', 4), (1, 2, {then}, 'event', 99);
             INSERT INTO gap (evidence, gateway, lane, readings_min, readings_max, from_ns, to_ns,
               cause) VALUES (1, 1, 1, 3, 5, {hour_ns}, {hour_ns}, 'eviction');",
            before = minute - 1,
            long_ago = minute - 61,
            then = hour_ns - 1,
        ))
        .unwrap();
        let ada = |ward: Option<&str>| Person {
            name: "ada".into(),
            role: Role::Viewer,
            ward: ward.map(Into::into),
        };
        let ask = |person: &Person| {
            read(&db, person, "gw-1", 2, UnixNanos(hour_ns + HOUR_NS - 1)).unwrap()
        };

        let hours = |device: &str, stored: [i64; 2], lost: [i64; 2]| DeviceHours {
            device: device.into(),
            stored: stored.into(),
            lost: lost.into(),
        };
        let told = ask(&ada(None)).unwrap();
        assert_eq!(told.from_ns, (NOW_HOUR - 1) * HOUR_NS);
        assert_eq!(told.devices, [hours("A", [30, 7], [0, 0]), hours("B", [0, 0], [4, 0])]);
        assert_eq!(told.gaps, [(0, 0), (3, 5)]);
        assert_eq!(ask(&ada(Some("ICU"))), None);
    }
}
