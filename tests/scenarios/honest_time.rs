//! P8: a gateway without a clock collects from the first second, and its readings are put right
//! later, each within the bound that stands with it.

use std::path::Path;
use std::sync::Arc;

use cloud_sink::store::db::Db;
use cloud_sink::store::times;
use tempfile::tempdir;
use wire::identity::BootId;
use wire::link::DataWriter;
use wire::segment::Suite;
use wire::time::{ClockState, DeviceClock, MonotonicNanos, TimeSource, UnixNanos};

use crate::device::{BEGIN_MS, clocked};
use crate::gateway::{ClockOf, Gateway};
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

const SECOND: i64 = 1_000_000_000;
const DAY: u64 = 86_400;
/// Between two readings.
pub const STEP: u64 = 300;

/// True UTC, so many seconds after the story began.
fn truth(seconds: u64) -> i64 {
    BEGIN_MS * 1_000_000 + seconds.cast_signed() * SECOND
}

/// A clock that runs too fast by so many millionths, in a run that began at `begin`; it knows UTC
/// from `known` on.
pub fn drifting(ppm: i64, begin: u64, known: u64) -> ClockOf {
    Arc::new(move |seconds| {
        let run = i128::from(seconds - begin) * i128::from(SECOND) * i128::from(1_000_000 + ppm);
        let is_known = seconds >= known;
        ClockState {
            epoch: u32::from(is_known),
            monotonic: MonotonicNanos((run / 1_000_000) as u64),
            // Wrong by less than what it says.
            utc: is_known.then(|| UnixNanos(truth(seconds) + 200_000_000)),
            error_us: if is_known { 500_000 } else { u64::MAX },
            source: if is_known { TimeSource::Network } else { TimeSource::None },
        }
    })
}

/// A reading that says when it was taken, in seconds after the story began.
pub fn reading(seconds: u64) -> Vec<u8> {
    let mut writer = DataWriter::new(0);
    assert!(writer.numerics(0, &[Ok(seconds.cast_signed())]));
    writer.finish().as_slice().to_vec()
}

/// One run of a gateway, in which it takes a reading every five minutes.
pub fn live(
    fleet: &Fleet,
    folder: &Path,
    boot: u8,
    (begin, end): (u64, u64),
    clock: ClockOf,
) -> Gateway {
    let run = (BootId([boot; 16]), begin, clock);
    let mut gateway = Gateway::start_run(fleet, named("gw-1"), folder, run);
    let device = clocked(u64::from(boot), DeviceClock::None);
    let mut sequence = 0;
    let mut now = begin;
    while now < end {
        sequence += 1;
        gateway.hear(&device, sequence, &reading(now));
        gateway.flush();
        gateway.wait(STEP - 1);
        now += STEP;
    }
    gateway
}

/// Every reading's time, its true time, and the bound that stands with it.
fn stored(db: &Db) -> Vec<(i64, i64, Option<i64>)> {
    let sql = "SELECT numeric.at_ns, numeric.mantissa, frame_time.error_us
               FROM numeric JOIN block ON numeric.id BETWEEN block.first_row AND block.last_row
                 JOIN frame_time ON frame_time.evidence = block.evidence
               WHERE numeric.mantissa IS NOT NULL ORDER BY numeric.mantissa";
    let rows = db.rows(sql, &[]).expect("the store answers");
    let row = |row: &cloud_sink::store::db::Row| {
        (row.at(0).unwrap(), truth(row.at::<i64>(1).unwrap() as u64), row.at(2).unwrap())
    };
    rows.iter().map(row).collect()
}

pub fn put_right(sink: &Sink) {
    let db = sink.db();
    let mut righting = times::Righting::default();
    while righting.look(&db).expect("the store answers") > 0 {}
}

/// Every reading lies within its bound, and no bound is larger than this.
fn check(sink: &Sink, readings: usize, bound_max_us: i64) {
    let all = stored(&sink.db());
    assert_eq!(all.len(), readings);
    for (at, truth, bound) in all {
        let bound = bound.expect("it is put right");
        let off = (at - truth).abs() / 1_000;
        assert!(off <= bound, "{off} us off, and {bound} us were promised");
        assert!(bound <= bound_max_us, "{bound} us is no bound");
    }
}

/// Minutes in which the device gave something, as the map of coverage has them: those in which it
/// was measured, each once.
fn check_coverage(sink: &Sink, readings: usize) {
    let sql = "SELECT minute, live + late FROM coverage WHERE live + late > 0 ORDER BY minute";
    let rows = sink.db().rows(sql, &[]).expect("the store answers");
    let minutes: Vec<i64> = rows.iter().map(|row| row.at(0).unwrap()).collect();
    let counts: i64 = rows.iter().map(|row| row.at::<i64>(1).unwrap()).sum();
    assert_eq!((minutes.len(), counts), (readings, readings as i64));
    let of = |at: &i64| at.div_euclid(60 * SECOND);
    let stored: Vec<i64> = stored(&sink.db()).iter().map(|(at, ..)| of(at)).collect();
    assert_eq!(minutes, stored);
}

#[test]
fn a_day_at_1970_is_put_right_within_its_bound_whatever_the_crystal() {
    for ppm in [-100, -37, 0, 100] {
        let folder = tempdir().unwrap();
        let fleet = Fleet::new(Suite::X25519);
        let clock = drifting(ppm, 0, DAY);
        let run = (0, DAY + 3 * STEP);
        let mut gateway = live(&fleet, &folder.path().join("buffer"), 1, run, clock);
        let records = gateway.records();
        let mut sink = Sink::create(&fleet, folder.path(), &[named("gw-1")]);

        let (early, late) = records.split_at(records.len() - 8);
        sink.take(early);
        put_right(&sink);
        assert!(stored(&sink.db()).iter().all(|(_, _, bound)| bound.is_none()), "nothing is known");
        sink.take(late);
        put_right(&sink);

        // Ten seconds of drift in a day, and half a second of the clock itself.
        check(&sink, (DAY / STEP + 3) as usize, 10_000_000);
        check_coverage(&sink, (DAY / STEP + 3) as usize);
    }
}

#[test]
fn runs_that_two_power_cuts_ended_without_a_clock_are_dated_between_their_neighbours() {
    let folder = tempdir().unwrap();
    let (fleet, buffer) = (Fleet::new(Suite::X25519), folder.path().join("buffer"));
    let hour = 3600;
    // It knows the time in the first run, in none of the next two, and again in the last.
    let runs = [
        (1, (0, 2 * hour), drifting(50, 0, 0)),
        (2, (2 * hour + 600, 4 * hour), drifting(-100, 2 * hour + 600, u64::MAX)),
        (3, (5 * hour, 6 * hour), drifting(100, 5 * hour, u64::MAX)),
        (4, (6 * hour + 900, 8 * hour), drifting(0, 6 * hour + 900, 7 * hour)),
    ];
    let mut sink = Sink::create(&fleet, folder.path(), &[named("gw-1")]);
    let mut readings = 0;
    for (boot, (begin, end), clock) in runs {
        let mut gateway = live(&fleet, &buffer, boot, (begin, end), clock);
        readings += (end - begin).div_ceil(STEP) as usize;
        sink.take(&gateway.records());
    }

    put_right(&sink);

    // Nobody knows for how long it was off; no more than all the time between.
    check(&sink, readings, 4 * 3_600_000_000);
    let times: Vec<i64> = stored(&sink.db()).iter().map(|(at, ..)| *at).collect();
    assert!(times.is_sorted(), "what came first is dated first");
}

#[test]
fn each_reading_of_a_batch_has_its_own_time_although_its_device_says_none() {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let run = (BootId([1; 16]), 0, drifting(0, 0, 0));
    let mut gateway = Gateway::start_run(&fleet, named("gw-1"), folder.path(), run);
    let device = clocked(1, DeviceClock::None);
    for second in 0..20 {
        gateway.hear(&device, second + 1, &reading(second.into()));
        gateway.wait(1);
    }
    gateway.flush();
    let records = gateway.records();
    assert!(records.len() <= 2, "a header and one frame: {}", records.len());
    let mut sink = Sink::create(&fleet, folder.path(), &[named("gw-1")]);
    sink.take(&records);
    check(&sink, 20, 600_000);
}
