//! Availability: in how much of a month each gateway was up and its feed came at once, and how long
//! its readings took.
//!
//! A gateway is up in a minute of which it has made a report, whenever that came, or in which its
//! newest report says that it ran; its feed is up if the report came within a minute. Minutes in a
//! window of maintenance do not count, nor do those before the gateway's first report.

use std::ops::Range;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;
use wire::status::{HealthReport, counter};
use wire::time::UnixNanos;

use crate::store::StoreError;
use crate::store::coverage::MINUTE_NS;
use crate::store::db::{Db, Row, values};
use crate::store::hours::{Delays, GatewayHour, MINUTES};

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Month {
    first: Date,
    /// Minutes since 1970: its first, and the next month's.
    minutes: (i64, i64),
}

/// No month has such a name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no month: write it as 2026-11")]
pub struct NoMonth(String);

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let first = Some(text).filter(|text| text.len() == "2026-11".len());
        let first = first.and_then(|text| format!("{text}-01").parse().ok());
        first.and_then(Self::of).ok_or_else(|| NoMonth(text.into()))
    }
}

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn at(now: UnixNanos) -> Option<Self> {
        let moment = jiff::Timestamp::from_nanosecond(now.0.into()).ok()?;
        Self::of(moment.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    fn of(first: Date) -> Option<Self> {
        let minute = |date: Date| {
            let midnight = date.to_zoned(TimeZone::UTC).ok()?;
            Some(midnight.timestamp().as_second() / 60)
        };
        let after = first.last_of_month().tomorrow().ok()?;
        Some(Self { first, minutes: (minute(first)?, minute(after)?) })
    }

    fn name(self) -> String {
        self.first.strftime("%Y-%m").to_string()
    }
}

/// A gateway's month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Service {
    /// The gateway.
    pub gateway: String,
    /// The ward in which it stands now.
    pub ward: Option<String>,
    /// The month, as 2026-11; it may not be over.
    pub month: String,
    /// Minutes that count.
    pub minutes: u64,
    /// Whether the gateway itself worked.
    pub gateway_up: Share,
    /// Whether its reports came at once: they go before everything that waits but alerts.
    pub feed_up: Share,
    /// From a reading's reception to the end of its commit, of those stored within ten seconds.
    pub live_delay: Delay,
    /// The same of those out of a backlog.
    pub backlog_delay: Delay,
}

/// How much of its minutes something was up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Share {
    /// Minutes in which it was up.
    pub up_minutes: u64,
    /// How often it went down.
    pub failures: u64,
    /// Mean time between failures: minutes up by failures; none without a failure.
    pub mtbf_minutes: Option<f64>,
    /// Mean time to restoration: minutes down by failures; none without a failure.
    pub mttr_minutes: Option<f64>,
}

/// How long readings took: so many milliseconds or less. None if there are no readings, or if it
/// was more than a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Delay {
    /// How many readings.
    pub readings: i64,
    /// Half of them.
    pub p50_ms: Option<i64>,
    /// 95 of 100.
    pub p95_ms: Option<i64>,
    /// 99 of 100.
    pub p99_ms: Option<i64>,
}

impl Share {
    fn of(minutes: impl Iterator<Item = bool>) -> Self {
        let (mut up, mut down, mut failures) = (0u64, 0u64, 0u64);
        let mut was_up = true;
        for is_up in minutes {
            *(if is_up { &mut up } else { &mut down }) += 1;
            failures += u64::from(was_up && !is_up);
            was_up = is_up;
        }
        let by_failure = |minutes: u64| (failures > 0).then(|| minutes as f64 / failures as f64);
        let (mtbf_minutes, mttr_minutes) = (by_failure(up), by_failure(down));
        Self { up_minutes: up, failures, mtbf_minutes, mttr_minutes }
    }
}

impl Delay {
    fn of(readings: i64, within: impl Fn(i64) -> Option<i64>) -> Self {
        Self { readings, p50_ms: within(50), p95_ms: within(95), p99_ms: within(99) }
    }
}

/// A gateway as the store knows it.
struct Gateway {
    id: i64,
    name: String,
    ward: Option<String>,
}

/// A month of one gateway, or of all by name.
///
/// # Errors
/// The store does not answer.
pub fn read(
    db: &Db,
    gateway: Option<i64>,
    month: Month,
    now: UnixNanos,
) -> Result<Vec<Service>, StoreError> {
    let sql = "SELECT id, name, ward FROM gateway
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = gateway.id
               WHERE CAST(?1 AS BIGINT) IS NULL OR id = ?1 ORDER BY name";
    let rows = db.rows(sql, values![gateway])?;
    let services = rows.iter().map(|row| {
        let gateway = Gateway { id: row.at(0)?, name: row.at(1)?, ward: row.at(2)? };
        service(db, gateway, month, now)
    });
    services.collect()
}

fn service(db: &Db, gateway: Gateway, month: Month, now: UnixNanos) -> Result<Service, StoreError> {
    let (from, to) = span(db, gateway.id, month, now)?;
    let (first, end) = (month.minutes.0 / MINUTES, month.minutes.1 / MINUTES);
    let mut hours = vec![GatewayHour::default(); (end - first) as usize];
    let mut delays = Delays::default();
    let sql = "SELECT * FROM gateway_hour WHERE gateway = ?1 AND hour >= ?2 AND hour < ?3";
    for row in db.rows(sql, values![gateway.id, first, end])? {
        let hour = GatewayHour::read(&row, 0)?;
        delays.add(&hour.delays);
        let at = usize::try_from(hour.hour - first).ok();
        if let Some(place) = at.and_then(|at| hours.get_mut(at)) {
            *place = hour;
        }
    }
    let ran = ran(db, gateway.id)?;
    let windows = windows(db, &gateway, (from, to))?;
    let counted = |minute: &i64| windows.iter().all(|(from, to)| !(from..to).contains(&minute));
    let is_on = |minute: i64, which: fn(&GatewayHour) -> i64| {
        let hour = &hours[(minute / MINUTES - first) as usize];
        which(hour) & (1 << (minute % MINUTES)) != 0
    };
    let counted = || (from..to).filter(counted);
    let was_up = |minute| ran.contains(&minute) || is_on(minute, |hour| hour.up | hour.live);
    Ok(Service {
        gateway_up: Share::of(counted().map(was_up)),
        feed_up: Share::of(counted().map(|minute| is_on(minute, |hour| hour.live))),
        gateway: gateway.name,
        ward: gateway.ward,
        month: month.name(),
        minutes: counted().count() as u64,
        live_delay: Delay::of(delays.live_readings(), |p| delays.live_within(p)),
        backlog_delay: Delay::of(delays.late_readings(), |p| delays.late_within(p)),
    })
}

/// The minutes in which a gateway's newest report says that its agent ran; the reports of an outage
/// come last of all that waits, and the oldest may have gone.
fn ran(db: &Db, gateway: i64) -> Result<Range<i64>, StoreError> {
    let sql = "SELECT heard_ns, report FROM gateway_watched WHERE gateway = ?1";
    let Some(row) = db.row(sql, values![gateway])? else { return Ok(0..0) };
    let heard: i64 = row.at(0)?;
    let report = HealthReport::decode(&row.at::<Vec<u8>>(1)?).unwrap_or_default();
    let seconds = i64::try_from(report.counter(counter::UPTIME_SECONDS)).unwrap_or(0);
    let from = heard.saturating_sub(seconds.saturating_mul(1_000_000_000));
    Ok(from.div_euclid(MINUTE_NS) + 1..heard.div_euclid(MINUTE_NS))
}

/// The minutes of a month for which a gateway can answer.
fn span(db: &Db, gateway: i64, month: Month, now: UnixNanos) -> Result<(i64, i64), StoreError> {
    let (from, to) = month.minutes;
    // The reports of the last minute are still on their way.
    let to = to.min(now.0.div_euclid(MINUTE_NS) - 1);
    let sql = "SELECT hour, up FROM gateway_hour WHERE gateway = ?1 AND up <> 0 AND hour >= (
                 SELECT enrolled_ns / 3600000000000 FROM gateway WHERE id = ?1)
               ORDER BY hour LIMIT 1";
    let first = |row: Row| {
        let (hour, up): (i64, i64) = (row.at(0)?, row.at(1)?);
        Ok(hour * MINUTES + i64::from(up.trailing_zeros()))
    };
    let first: Option<Result<i64, StoreError>> = db.row(sql, values![gateway])?.map(first);
    let first = first.transpose()?.unwrap_or(to);
    let from = from.max(first);
    Ok((from, to.max(from)))
}

/// Windows of maintenance as minutes, cut to those that matter.
fn windows(
    db: &Db,
    gateway: &Gateway,
    (from, to): (i64, i64),
) -> Result<Vec<(i64, i64)>, StoreError> {
    if from >= to {
        return Ok(Vec::new());
    }
    let sql = "SELECT from_ns, to_ns FROM maintenance WHERE to_ns > ?1 AND from_ns < ?2
                 AND (gateway IS NULL OR gateway = ?3)
                 AND (ward IS NULL OR ward = CAST(?4 AS TEXT))";
    let ward = gateway.ward.as_deref();
    let span = values![from * MINUTE_NS, to * MINUTE_NS, &gateway.name, ward];
    let rows = db.rows(sql, span)?;
    let windows = rows.iter().map(|row| {
        let (from, to): (i64, i64) = (row.at(0)?, row.at(1)?);
        Ok((from.div_euclid(MINUTE_NS), to.div_euclid(MINUTE_NS) + 1))
    });
    windows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MINUTES: i64 = 24 * 60;

    fn november() -> Month {
        "2026-11".parse().expect("a month")
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        let month = november();
        assert_eq!(month.minutes.1 - month.minutes.0, 30 * DAY_MINUTES);
        assert_eq!(month.name(), "2026-11");
        assert_eq!(Month::at(UnixNanos(month.minutes.0 * MINUTE_NS)), Some(month));
        assert_eq!(Month::at(UnixNanos(month.minutes.1 * MINUTE_NS - 1)), Some(month));
        for wrong in ["2026-13", "2026", "november", "2026-11-01", ""] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    /// A gateway that is heard from the first day's hour 1 on: up for two hours but for ten
    /// minutes, live in the first of them.
    fn heard() -> Db {
        let (db, first) = (Db::in_memory(), november().minutes.0 / 60);
        let (all, last_fifty) = ((1i64 << 60) - 1, ((1i64 << 50) - 1) << 10);
        db.batch(&format!(
            "INSERT INTO gateway VALUES (1, 'gw-1', x'', {enrolled}), (2, 'gw-2', x'', 0);
             INSERT INTO gateway_ward VALUES (1, 'ICU');
             INSERT INTO gateway_hour VALUES
               (1, 400000, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
               (1, {one}, {all}, {all}, 0, 0, 97, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0),
               (1, {two}, {last_fifty}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);",
            enrolled = first * 3_600_000_000_000,
            one = first + 1,
            two = first + 2,
        ))
        .expect("rows");
        db
    }

    fn at_hour_three() -> UnixNanos {
        UnixNanos((november().minutes.0 + 181) * MINUTE_NS)
    }

    #[test]
    fn a_month_counts_from_the_first_report_on() {
        let services = read(&heard(), None, november(), at_hour_three()).expect("an answer");
        let one = &services[0];
        assert_eq!((one.minutes, one.gateway.as_str()), (120, "gw-1"));
        let gateway = Share {
            up_minutes: 110,
            failures: 1,
            mtbf_minutes: Some(110.0),
            mttr_minutes: Some(10.0),
        };
        assert_eq!(one.gateway_up, gateway);
        assert_eq!((one.feed_up.up_minutes, one.feed_up.failures), (60, 1));
        let delays = [one.live_delay.p50_ms, one.live_delay.p99_ms, one.backlog_delay.p99_ms];
        assert_eq!(delays, [Some(1000), Some(1500), Some(60_000)]);
        assert_eq!((services[1].minutes, services[1].gateway_up), (0, Share::default()));
    }

    #[test]
    fn what_is_down_in_a_window_of_maintenance_does_not_count() {
        let (db, start) = (heard(), november().minutes.0);
        db.batch(&format!(
            "INSERT INTO maintenance (gateway, ward, reason, from_ns, to_ns)
             VALUES (NULL, 'ICU', 'a new card', {from}, {to}), ('gw-2', NULL, 'other', 0, {to});",
            from = (start + 120) * MINUTE_NS,
            to = (start + 129) * MINUTE_NS + 1,
        ))
        .expect("a window");
        let services = read(&db, Some(1), november(), at_hour_three()).expect("an answer");
        assert_eq!((services.len(), services[0].minutes), (1, 110));
        assert_eq!(services[0].gateway_up, Share { up_minutes: 110, ..Share::default() });
    }
}
