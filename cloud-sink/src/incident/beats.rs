//! Rules about gateways: who is silent, and what their reports say.

use wire::identity::DeviceId;
use wire::status::{HealthReport, Start, alarm, counter, supply};
use wire::time::UnixNanos;

use super::rules::KEEP;
use super::withheld::Heads;
use super::{Finding, Kind, expiry};
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::hours::{GatewayHour, HOUR_NS};

const SECOND_NS: i64 = 1_000_000_000;
/// Three reports of the default interval.
const SILENT_AFTER_NS: i64 = 45 * SECOND_NS;
/// So many silent gateways, and half of all, have one cause.
const OUTAGE_GATEWAYS: usize = 3;
/// A device's minutes come within a minute and a report.
const DEVICE_SILENT_AFTER_NS: i64 = 180 * SECOND_NS;
/// A device that has not spoken for so long is no longer expected.
const DEVICE_GONE_AFTER_NS: i64 = 24 * 3600 * SECOND_NS;
/// Age of the oldest record without a receipt.
const LATE_SECONDS: u64 = 300;
/// Room, at the rate of writing since the start.
const ROOM_HOURS: u64 = 48;
const SLOW_SYNC_MICROS: u64 = 250_000;
/// Cards tell their wear in tenths; at 80 % there is time to order one.
const WORN_PERCENT: u64 = 80;
/// A Raspberry Pi slows itself down from 80 °C on.
const HOT_MILLI_CELSIUS: u64 = 80_000;
const CLOCK_ERROR_MICROS: i64 = 1_000_000;
/// A clock of which no bound is known.
const UNKNOWN_ERROR: i64 = i64::MAX;

/// A report that has come since the last look, and what was known before.
struct Beat {
    gateway: i64,
    arrivals: i64,
    bytes: Vec<u8>,
    epoch: i64,
    before: Option<Before>,
}

/// What was known of a gateway at the last look.
struct Before {
    bytes: Vec<u8>,
    epoch: i64,
}

const HEARD: &str = "
INSERT INTO gateway_watched VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gateway)
DO UPDATE SET heard_ns = excluded.heard_ns, arrivals = excluded.arrivals,
  report = excluded.report, epoch = excluded.epoch";

/// Takes the reports that have come since the last look, and what has happened between them.
pub(super) fn hear(
    db: &Db,
    now: UnixNanos,
    happened: &mut Vec<Finding>,
    heads: &mut Heads,
) -> Result<(), StoreError> {
    for beat in beats(db)? {
        let Ok(report) = HealthReport::decode(&beat.bytes) else { continue };
        let heard = values![beat.gateway, now.0, beat.arrivals, &beat.bytes, beat.epoch];
        db.later(HEARD, heard)?;
        let before = beat.before.as_ref();
        let earlier = before.and_then(|before| HealthReport::decode(&before.bytes).ok());
        let earlier = earlier.unwrap_or_default();
        if let Some(before) = before {
            compare(&beat, before, (&earlier, &report), happened);
        }
        // An older report out of the backlog says that the gateway is there, and nothing of now.
        if before.is_none_or(|before| before.bytes != beat.bytes) {
            heads.hear(db, beat.gateway, (&earlier, &report), now)?;
        }
    }
    Ok(())
}

fn beats(db: &Db) -> Result<Vec<Beat>, StoreError> {
    let sql = "SELECT heartbeat.gateway, heartbeat.arrivals, heartbeat.report, heartbeat.epoch,
                 known.report, known.epoch
               FROM heartbeat
                 LEFT JOIN gateway_watched AS known ON known.gateway = heartbeat.gateway
               WHERE known.arrivals IS DISTINCT FROM heartbeat.arrivals";
    let rows = db.rows(sql, &[])?;
    let beats = rows.iter().map(|row| {
        let (gateway, arrivals) = (row.at(0)?, row.at(1)?);
        let before = row.at::<Option<Vec<u8>>>(4)?.zip(row.at(5)?);
        let before = before.map(|(bytes, epoch)| Before { bytes, epoch });
        Ok(Beat { gateway, arrivals, bytes: row.at(2)?, epoch: row.at(3)?, before })
    });
    beats.collect()
}

/// What has happened between two reports of a gateway.
fn compare(
    beat: &Beat,
    before: &Before,
    (earlier, report): (&HealthReport, &HealthReport),
    happened: &mut Vec<Finding>,
) {
    let uptime = |report: &HealthReport| report.counter(counter::UPTIME_SECONDS);
    let restarted = uptime(report) < uptime(earlier);
    // Counters begin anew with the process.
    let grown = |number| {
        let base = if restarted { 0 } else { earlier.counter(number) };
        report.counter(number).saturating_sub(base)
    };
    let mut find = |kind, count: u64, words: String| {
        if count > 0 {
            let (gateway, subject) = (Some(beat.gateway), String::new());
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            happened.push(Finding { kind, gateway, subject, words, count });
        }
    };
    let start = report.said(counter::START).and_then(Start::from_number).map(Start::words);
    let words = format!("the agent has started anew: {}", start.unwrap_or("it does not say why"));
    find(Kind::Restart, u64::from(restarted), words);
    let refused = grown(counter::RECEIPTS_REFUSED);
    find(Kind::Receipts, refused, format!("the gateway refused {refused} receipts"));
    let old = grown(counter::KEYRINGS_REFUSED);
    find(Kind::Rollback, old, format!("the gateway refused {old} keyrings, older or unsigned"));
    let poisoned = grown(counter::SEGMENTS_POISONED);
    find(Kind::Storage, poisoned, format!("{poisoned} syncs have failed"));
    let rebuilds = grown(counter::REBUILDS);
    find(Kind::Stalled, rebuilds, "receipts stayed out, the connection was made anew".into());
    let errors = grown(counter::LINK_ERRORS);
    find(Kind::Line, errors, format!("{errors} link frames did not check"));
    let slow = report.counter(counter::SYNC_MICROS_MAX);
    let is_slow = slow > SLOW_SYNC_MICROS;
    find(Kind::SlowDisk, is_slow.into(), format!("a sync took {} ms", slow / 1000));
    let stepped = !restarted && beat.epoch != before.epoch;
    find(Kind::ClockStep, stepped.into(), "the wall clock was stepped".into());
}

/// What is wrong now.
pub(super) fn judge(db: &Db, now: UnixNanos, lasting: &mut Vec<Finding>) -> Result<(), StoreError> {
    let sql = "SELECT gateway_watched.gateway, heard_ns, gateway_watched.report,
                 heartbeat.error_us, gateway_hour.*
               FROM gateway_watched JOIN heartbeat ON heartbeat.gateway = gateway_watched.gateway
                 LEFT JOIN gateway_hour ON gateway_hour.gateway = gateway_watched.gateway
                   AND hour = ?1
               WHERE NOT EXISTS (SELECT 1 FROM revoked
                 WHERE revoked.gateway = gateway_watched.gateway)";
    let (mut silent, mut all) = (Vec::new(), 0);
    for row in db.rows(sql, values![now.0.div_euclid(HOUR_NS)])? {
        let gateway: i64 = row.at(0)?;
        let since = now.0.saturating_sub(row.at(1)?);
        all += 1;
        if since > SILENT_AFTER_NS {
            silent.push((gateway, since / SECOND_NS));
            continue;
        }
        let report = HealthReport::decode(&row.at::<Vec<u8>>(2)?).unwrap_or_default();
        let clock_error_us: Option<i64> = row.at(3)?;
        reported(gateway, &report, clock_error_us, lasting);
        if clock_error_us.is_some_and(|error| error <= CLOCK_ERROR_MICROS) {
            lasting.extend(slow(db, gateway, &GatewayHour::read(&row, 4)?)?);
        }
        silent_devices(db, gateway, now, lasting)?;
    }
    say_silent(&silent, all, lasting);
    Ok(())
}

fn say_silent(silent: &[(i64, i64)], all: usize, lasting: &mut Vec<Finding>) {
    let subject = String::new;
    if silent.len() >= OUTAGE_GATEWAYS && silent.len() * 2 >= all {
        let words = format!("{} of {all} gateways are silent", silent.len());
        let (kind, count) = (Kind::Outage, silent.len() as i64);
        lasting.push(Finding { kind, gateway: None, subject: subject(), words, count });
        return;
    }
    lasting.extend(silent.iter().map(|(gateway, seconds)| Finding {
        kind: Kind::Silent,
        gateway: Some(*gateway),
        subject: subject(),
        words: format!("no report for {seconds} s"),
        count: 1,
    }));
}

/// What a report says is wrong.
fn reported(
    gateway: i64,
    report: &HealthReport,
    clock_error_us: Option<i64>,
    lasting: &mut Vec<Finding>,
) {
    let mut find = |kind, is_wrong: bool, subject: &str, words: String| {
        if is_wrong {
            let (gateway, subject) = (Some(gateway), subject.to_owned());
            lasting.push(Finding { kind, gateway, subject, words, count: 1 });
        }
    };
    let late = report.counter(counter::UNRECEIPTED_SECONDS);
    find(Kind::Late, late > LATE_SECONDS, "", format!("the oldest record waits for {late} s"));
    let uptime = report.counter(counter::UPTIME_SECONDS).max(1);
    let a_second = (report.counter(counter::BYTES_WRITTEN) / uptime).max(1);
    let hours = report.counter(counter::BYTES_FREE) / a_second / 3600;
    let is_low = late > LATE_SECONDS && hours < ROOM_HOURS;
    find(Kind::Room, is_low, "", format!("room for {hours} hours at the present rate"));
    let parked = report.counter(counter::RECORDS_PARKED);
    find(Kind::TooLarge, parked > 0, "", format!("{parked} records are too large for the broker"));
    let is_unknown = clock_error_us.is_none_or(|error| error > CLOCK_ERROR_MICROS);
    let words = match clock_error_us {
        None => "the gateway does not know the time".into(),
        Some(UNKNOWN_ERROR) => "no time service vouches for the gateway's clock".into(),
        Some(error) => format!("the gateway's time may be wrong by {} ms", error / 1000),
    };
    find(Kind::NoClock, is_unknown, "", words);
    let worn = report.counter(counter::WEAR_PERCENT);
    find(Kind::Worn, worn > WORN_PERCENT, "", format!("the medium has used {worn} % of its life"));
    let milli_celsius = report.counter(counter::TEMPERATURE_MILLIKELVIN).saturating_sub(273_150);
    let is_hot = milli_celsius > HOT_MILLI_CELSIUS;
    find(Kind::Machine, is_hot, "heat", format!("it is {} °C hot", milli_celsius / 1000));
    let supplied = |bit: u8| report.counter(counter::SUPPLY) & (1 << bit) != 0;
    let low = supplied(supply::LOW_VOLTAGE);
    find(Kind::Machine, low, "supply", "the supply's voltage is too low".into());
    let slowed = supplied(supply::SLOWED);
    find(Kind::Machine, slowed, "speed", "the processor is slowed down".into());
    for (what, number) in
        [("certificate", counter::CERTIFICATE_SECONDS), ("keyring", counter::KEYRING_SECONDS)]
    {
        let left_s = report.said(number);
        if let Some((within, words)) = left_s.and_then(|left_s| expiry::of_gateway(what, left_s)) {
            find(Kind::Expiry, true, &format!("{what}, {within}"), words);
        }
    }
    let alarms = report.counter(counter::ALARMS);
    for (bit, name) in alarm::NAMES {
        let is_on = alarms & (1 << bit) != 0;
        find(Kind::Gateway, is_on, name, format!("the gateway says: {name}"));
    }
}

/// A line on which readings take too long, whenever there are more of them than at the last look.
fn slow(db: &Db, gateway: i64, hour: &GatewayHour) -> Result<Option<Finding>, StoreError> {
    let Some(delay_ms) = hour.delay_ms().filter(|_| hour.is_slow()) else { return Ok(None) };
    let (name, seen) = (format!("slow {gateway}"), (hour.hour << 32) | hour.slow());
    let known = "SELECT max(value) FROM watched WHERE name = ?1";
    if db.one::<Option<i64>>(known, values![&name])? == Some(seen) {
        return Ok(None);
    }
    db.later(KEEP, values![&name, seen])?;
    Ok(Some(Finding {
        kind: Kind::Slow,
        gateway: Some(gateway),
        subject: String::new(),
        words: format!("readings of this hour took up to {} s", delay_ms / 1000),
        count: 1,
    }))
}

fn silent_devices(
    db: &Db,
    gateway: i64,
    now: UnixNanos,
    lasting: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let sql = "SELECT device, heard_ns FROM device_watched
               WHERE gateway = ?1 AND heard_ns BETWEEN ?2 AND ?3";
    let (from, to) = (now.0 - DEVICE_GONE_AFTER_NS, now.0 - DEVICE_SILENT_AFTER_NS);
    for row in db.rows(sql, values![gateway, from, to])? {
        let device = DeviceId(row.at::<i64>(0)?.cast_unsigned());
        let minutes = (now.0 - row.at::<i64>(1)?) / (60 * SECOND_NS);
        lasting.push(Finding {
            kind: Kind::Device,
            gateway: Some(gateway),
            subject: device.to_string(),
            words: format!("device {device} has said nothing for {minutes} minutes"),
            count: 1,
        });
    }
    Ok(())
}
