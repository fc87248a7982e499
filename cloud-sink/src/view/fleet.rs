//! Fleet: one row a gateway, from its newest report and from what only a sink can know.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use wire::status::{HealthReport, Start, alarm, counter};
use wire::time::UnixNanos;

use super::access::Person;
use crate::store::StoreError;
use crate::store::coverage::MINUTE_NS;
use crate::store::db::{Db, Value, values};
use crate::store::hours::{GatewayHour, HOUR_NS};

/// A report is due each 15 s; one that is missed makes a gateway late, three make it dark.
const LATE_AFTER_NS: i64 = 20_000_000_000;
const DARK_AFTER_NS: i64 = 45_000_000_000;
/// A record that waits for so many seconds makes its gateway late although it reports.
const LATE_RECORD_SECONDS: u64 = 60;
const SECONDS_OF_DAY: u64 = 86_400;
/// A device that has said nothing for so many minutes is not counted.
const DEVICE_MINUTES: i64 = 10;

/// How a gateway is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Reports, and nothing waits for long.
    Online,
    /// A report is missing, or records wait.
    Late,
    /// Three reports are missing.
    Dark,
    /// Enrolled, and never heard.
    New,
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct GatewayRow {
    pub(super) name: String,
    /// Where it stands, if that was said.
    pub(super) ward: Option<String>,
    state: State,
    /// When its newest report came, UTC nanoseconds.
    pub(super) heard_ns: Option<i64>,
    /// Age of its oldest record without a receipt, by that report; seconds.
    pub(super) unreceipted_s: u64,
    pub(super) backlog_bytes: u64,
    /// Days until its buffer is full at the rate since its start, if the link stays away.
    pub(super) room_days: Option<u64>,
    /// Devices that spoke lately.
    pub(super) devices: u64,
    /// Readings inside its gaps, at most.
    pub(super) readings_lost: u64,
    /// Incidents that are open.
    incidents: u64,
    /// How far its clock may be off, microseconds; none if it does not know the time.
    pub(super) clock_error_us: Option<i64>,
    /// Within how many milliseconds 99 of 100 live readings of this hour were stored.
    pub(super) live_delay_ms: Option<i64>,
    uptime_s: u64,
    memory_bytes: u64,
    /// Longest `fdatasync` of its newest report's time, microseconds.
    pub(super) sync_us: u64,
    connects: u64,
    software: String,
    /// Why its agent was started last.
    started: Option<&'static str>,
    /// Its machine: hottest part, °C.
    pub(super) celsius: Option<f64>,
    /// Used part of its medium's life, percent.
    pub(super) wear_percent: Option<u64>,
    pub(super) memory_available: Option<u64>,
    pub(super) disk_free: Option<u64>,
    /// Days until its certificate expires.
    pub(super) certificate_days: Option<u64>,
    /// What it says is wrong.
    alarms: Vec<&'static str>,
}

/// A gateway's number, if there is one of this name that somebody sees.
pub(super) fn gateway_of(db: &Db, person: &Person, name: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM gateway LEFT JOIN gateway_ward ON gateway_ward.gateway = gateway.id
               WHERE name = ?1 AND (CAST(?2 AS TEXT) IS NULL OR ward = ?2)";
    db.row(sql, values![name, person.ward.as_deref()])?.map(|row| row.at(0)).transpose()
}

/// All gateways, by name.
pub(super) fn read(db: &Db, now: UnixNanos) -> Result<Vec<GatewayRow>, StoreError> {
    let minute = now.0.div_euclid(MINUTE_NS) - DEVICE_MINUTES;
    let devices = counts(db, DEVICES, values![minute])?;
    let lost = counts(db, LOST, &[])?;
    let incidents = counts(db, INCIDENTS, &[])?;
    let sql = "SELECT gateway.id, gateway.name, heard_ns, gateway_watched.report,
                 heartbeat.error_us, gateway_ward.ward, gateway_hour.*
               FROM gateway LEFT JOIN gateway_watched ON gateway_watched.gateway = gateway.id
                 LEFT JOIN heartbeat ON heartbeat.gateway = gateway.id
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = gateway.id
                 LEFT JOIN gateway_hour ON gateway_hour.gateway = gateway.id AND hour = ?1
               ORDER BY gateway.name";
    let rows = db.rows(sql, values![now.0.div_euclid(HOUR_NS)])?;
    let shown = rows.iter().map(|row| {
        let id: i64 = row.at(0)?;
        let of = |counts: &HashMap<i64, u64>| counts.get(&id).copied().unwrap_or(0);
        let report: Option<Vec<u8>> = row.at(3)?;
        let report = report.and_then(|bytes| HealthReport::decode(&bytes).ok()).unwrap_or_default();
        let mut shown = GatewayRow::reported(row.at(1)?, &report);
        shown.heard_ns = row.at(2)?;
        shown.clock_error_us = row.at(4)?;
        shown.ward = row.at(5)?;
        shown.live_delay_ms = GatewayHour::read(row, 6)?.delay_ms();
        shown.state = state(shown.heard_ns, shown.unreceipted_s, now);
        (shown.devices, shown.readings_lost) = (of(&devices), of(&lost));
        shown.incidents = of(&incidents);
        Ok(shown)
    });
    shown.collect()
}

const DEVICES: &str = "
SELECT id, (SELECT count(DISTINCT device) FROM coverage
            WHERE coverage.gateway = gateway.id AND minute >= ?1) FROM gateway";
const LOST: &str = "SELECT gateway, CAST(sum(readings_max) AS BIGINT) FROM gap GROUP BY 1";
const INCIDENTS: &str = "
SELECT gateway, count(*) FROM incident WHERE closed_ns IS NULL AND gateway IS NOT NULL GROUP BY 1";

fn counts(
    db: &Db,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<HashMap<i64, u64>, StoreError> {
    let rows = db.rows(sql, values)?;
    let counts = rows.iter().map(|row| {
        let count: Option<i64> = row.at(1)?;
        Ok((row.at(0)?, count.unwrap_or(0).cast_unsigned()))
    });
    counts.collect()
}

fn state(heard_ns: Option<i64>, unreceipted_s: u64, now: UnixNanos) -> State {
    let Some(heard) = heard_ns else { return State::New };
    let silent = now.0.saturating_sub(heard);
    if silent > DARK_AFTER_NS {
        State::Dark
    } else if silent > LATE_AFTER_NS || unreceipted_s > LATE_RECORD_SECONDS {
        State::Late
    } else {
        State::Online
    }
}

/// 0 °C is 273.15 K.
fn celsius(millikelvin: u64) -> f64 {
    (millikelvin as f64 - 273_150.0) / 1000.0
}

impl GatewayRow {
    /// What a report says.
    fn reported(name: String, report: &HealthReport) -> Self {
        let alarms = report.counter(counter::ALARMS);
        let is_on = |bit: u8| alarms & (1 << bit) != 0;
        let uptime_s = report.counter(counter::UPTIME_SECONDS);
        let written = report.counter(counter::BYTES_WRITTEN);
        let a_day = written.saturating_mul(SECONDS_OF_DAY).checked_div(uptime_s).unwrap_or(0);
        Self {
            name,
            ward: None,
            state: State::New,
            heard_ns: None,
            unreceipted_s: report.counter(counter::UNRECEIPTED_SECONDS),
            backlog_bytes: report.lanes.iter().map(|lane| lane.backlog_bytes).sum(),
            room_days: report.counter(counter::BYTES_FREE).checked_div(a_day),
            devices: 0,
            readings_lost: 0,
            incidents: 0,
            clock_error_us: None,
            live_delay_ms: None,
            uptime_s,
            memory_bytes: report.counter(counter::MEMORY_BYTES),
            sync_us: report.counter(counter::SYNC_MICROS_MAX),
            connects: report.counter(counter::CONNECTS),
            software: report.software.clone(),
            started: report.said(counter::START).and_then(Start::from_number).map(Start::words),
            celsius: report.said(counter::TEMPERATURE_MILLIKELVIN).map(celsius),
            wear_percent: report.said(counter::WEAR_PERCENT),
            memory_available: report.said(counter::MEMORY_AVAILABLE),
            disk_free: report.said(counter::DISK_FREE),
            certificate_days: report
                .said(counter::CERTIFICATE_SECONDS)
                .map(|rest| rest / SECONDS_OF_DAY),
            alarms: alarm::NAMES.iter().filter(|(bit, _)| is_on(*bit)).map(|(_, w)| *w).collect(),
        }
    }
}
