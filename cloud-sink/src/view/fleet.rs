//! Fleet: one row a gateway, from its newest report and from what only a sink can know.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::Serialize;
use wire::status::{HealthReport, alarm, counter};
use wire::time::UnixNanos;

use crate::store::coverage::MINUTE_NS;

/// A report is due each 15 s; one that is missed makes a gateway late, three make it dark.
const LATE_AFTER_NS: i64 = 20_000_000_000;
const DARK_AFTER_NS: i64 = 45_000_000_000;
/// A record that waits for so many seconds makes its gateway late although it reports.
const LATE_RECORD_SECONDS: u64 = 60;
const SECONDS_OF_DAY: u64 = 86_400;
/// A device that has said nothing for so many minutes is not counted.
const DEVICE_MINUTES: i64 = 10;

/// How a gateway is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct GatewayRow {
    pub(super) name: String,
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
    uptime_s: u64,
    memory_bytes: u64,
    /// Longest `fdatasync` of its newest report's time, microseconds.
    pub(super) sync_us: u64,
    connects: u64,
    software: String,
    /// What it says is wrong.
    alarms: Vec<&'static str>,
}

/// All gateways, by name.
pub(super) fn read(db: &Connection, now: UnixNanos) -> Result<Vec<GatewayRow>, rusqlite::Error> {
    let minute = now.0.div_euclid(MINUTE_NS) - DEVICE_MINUTES;
    let devices = counts(db, DEVICES, [minute])?;
    let lost = counts(db, "SELECT gateway, sum(readings_max) FROM gap GROUP BY 1", [])?;
    let incidents = counts(db, INCIDENTS, [])?;
    let mut statement = db.prepare_cached(
        "SELECT gateway.id, gateway.name, heard_ns, gateway_watched.report, heartbeat.error_us
         FROM gateway LEFT JOIN gateway_watched ON gateway_watched.gateway = gateway.id
           LEFT JOIN heartbeat ON heartbeat.gateway = gateway.id
         ORDER BY gateway.name",
    )?;
    let rows = statement.query_map([], |row| {
        let id: i64 = row.get(0)?;
        let of = |counts: &HashMap<i64, u64>| counts.get(&id).copied().unwrap_or(0);
        let report: Option<Vec<u8>> = row.get(3)?;
        let report = report.and_then(|bytes| HealthReport::decode(&bytes).ok()).unwrap_or_default();
        let mut shown = GatewayRow::reported(row.get(1)?, &report);
        shown.heard_ns = row.get(2)?;
        shown.clock_error_us = row.get(4)?;
        shown.state = state(shown.heard_ns, shown.unreceipted_s, now);
        (shown.devices, shown.readings_lost) = (of(&devices), of(&lost));
        shown.incidents = of(&incidents);
        Ok(shown)
    })?;
    rows.collect()
}

const DEVICES: &str = "
SELECT id, (SELECT count(DISTINCT device) FROM coverage
            WHERE coverage.gateway = gateway.id AND minute >= ?1) FROM gateway";
const INCIDENTS: &str = "
SELECT gateway, count(*) FROM incident WHERE closed_ns IS NULL AND gateway IS NOT NULL GROUP BY 1";

fn counts(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<HashMap<i64, u64>, rusqlite::Error> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| {
        let count: Option<i64> = row.get(1)?;
        Ok((row.get(0)?, count.unwrap_or(0).cast_unsigned()))
    })?;
    rows.collect()
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
            state: State::New,
            heard_ns: None,
            unreceipted_s: report.counter(counter::UNRECEIPTED_SECONDS),
            backlog_bytes: report.lanes.iter().map(|lane| lane.backlog_bytes).sum(),
            room_days: report.counter(counter::BYTES_FREE).checked_div(a_day),
            devices: 0,
            readings_lost: 0,
            incidents: 0,
            clock_error_us: None,
            uptime_s,
            memory_bytes: report.counter(counter::MEMORY_BYTES),
            sync_us: report.counter(counter::SYNC_MICROS_MAX),
            connects: report.counter(counter::CONNECTS),
            software: report.software.clone(),
            alarms: alarm::NAMES.iter().filter(|(bit, _)| is_on(*bit)).map(|(_, w)| *w).collect(),
        }
    }
}
