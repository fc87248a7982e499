//! Full: what goes first, and what is said of it.

use super::*;

const STEP: u64 = crate::limits::SEGMENT_STEP_BYTES;

/// One closed segment in a lane with these batches.
fn segment(log: &mut Log, lane: Lane, numbers: std::ops::Range<u64>, at: u64) {
    accept(log, lane, numbers, 2000, &clock(at));
    log.tend(&clock(at + 601));
}

fn tight(steps: u64) -> Quota {
    Quota { bytes_max: steps * STEP, free_bytes_min: 0, keep_seconds: 1_000_000 }
}

#[test]
fn receipted_segments_go_first_and_without_a_gap() {
    let world = World::new(1, tight(5));
    let mut log = world.start(&clock(0));
    segment(&mut log, Lane::Wave, 1..3, 0);
    segment(&mut log, Lane::Vital, 3..5, 1000);
    let vital: Vec<_> = everything(&mut log, &clock(1700));
    for taken in vital.iter().filter(|taken| taken.lane == Lane::Vital) {
        log.settle(taken.segment, &receipt(taken, Disposition::Stored), &clock(1700)).unwrap();
    }
    segment(&mut log, Lane::Vital, 5..7, 2000);
    segment(&mut log, Lane::Alert, 7..9, 3000);
    assert_eq!(world.files(".done").len(), 1);

    accept(&mut log, Lane::Vital, 9..10, 2000, &clock(4000));

    let all = everything(&mut log, &clock(4000));
    assert!(world.files(".done").is_empty());
    assert!(holes(&all).is_empty());
    assert_eq!(batches(&all).keys().copied().collect::<Vec<_>>(), [1, 2, 5, 6, 7, 8, 9]);
    assert!(log.file_bytes() <= 5 * STEP);
}

#[test]
fn then_the_oldest_of_the_lowest_lane_goes_under_a_gap_with_exact_counts() {
    let world = World::new(2, tight(6));
    let mut log = world.start(&clock(0));
    segment(&mut log, Lane::Alert, 1..3, 0);
    segment(&mut log, Lane::Wave, 3..6, 1000);
    segment(&mut log, Lane::Vital, 6..8, 2000);
    segment(&mut log, Lane::Wave, 8..11, 3000);
    let before = everything(&mut log, &clock(3700));
    let oldest_wave = before.iter().find(|taken| taken.lane == Lane::Wave).unwrap().segment;
    // Its header and one of its batches have a receipt: they are not missing.
    for index in [0, 2] {
        let stored = before.iter().find(|taken| taken.place() == (oldest_wave, index)).unwrap();
        log.settle(oldest_wave, &receipt(stored, Disposition::Stored), &clock(3700)).unwrap();
    }

    accept(&mut log, Lane::Wave, 11..12, 2000, &clock(4000));
    accept(&mut log, Lane::Vital, 12..13, 2000, &clock(4000));

    let all = everything(&mut log, &clock(4000));
    let holes = holes(&all);
    assert_eq!(holes.len(), 1);
    let (lane, hole) = holes[0];
    assert_eq!((lane, hole.segment, hole.cause), (Lane::Wave, Some(oldest_wave), Cause::Evicted));
    assert_eq!(hole.readings, (readings(3) + readings(5), readings(3) + readings(5)));
    assert_eq!(hole.indexes, (1, 3));
    let ends = (1, readings(3) + readings(4) + readings(5));
    assert_eq!(hole.sequences, Some(ends));
    let last = before.iter().find(|taken| taken.place() == (oldest_wave, 3)).unwrap();
    let header = before.iter().find(|taken| taken.place() == (oldest_wave, 0)).unwrap();
    let ends = (Some(header.record().hash()), Some(last.record().hash()));
    assert_eq!((hole.before, hole.after), ends);
    assert_eq!(log.lane_health(Lane::Wave).gap_readings, readings(3) + readings(5));
    check_chain(&all, false);
}

#[test]
fn frames_that_a_sink_holds_without_their_header_go_with_it() {
    let world = World::new(2, tight(6));
    let mut log = world.start(&clock(0));
    segment(&mut log, Lane::Alert, 1..3, 0);
    segment(&mut log, Lane::Wave, 3..6, 1000);
    segment(&mut log, Lane::Vital, 6..8, 2000);
    segment(&mut log, Lane::Wave, 8..11, 3000);
    let before = everything(&mut log, &clock(3700));
    let wave = before.iter().find(|taken| taken.lane == Lane::Wave).unwrap().segment;
    let held = before.iter().find(|taken| taken.place() == (wave, 2)).unwrap();
    log.settle(wave, &receipt(held, Disposition::Held), &clock(3700)).unwrap();

    accept(&mut log, Lane::Wave, 11..12, 2000, &clock(4000));
    accept(&mut log, Lane::Vital, 12..13, 2000, &clock(4000));

    let all = everything(&mut log, &clock(4000));
    let (_, hole) = holes(&all)[0];
    let three = readings_of(3..6);
    assert_eq!((hole.indexes, hole.readings), ((0, 3), (three, three)));
}

#[test]
fn a_gap_is_durable_before_what_it_names_is_deleted() {
    let world = World::new(3, tight(4));
    let mut log = world.start(&clock(0));
    for at in 0..3 {
        segment(&mut log, Lane::Wave, at * 3 + 1..at * 3 + 4, at * 1000);
    }
    // Whatever the gap is written into cannot be made durable: nothing may be deleted.
    (2..200).for_each(|nth| world.disk.fail_sync(nth));

    let mut refused = 0;
    for number in 20..40 {
        let written = log.append(Lane::Vital, &batch(number, 44_000), 1, &clock(4000));
        refused += u32::from(written.is_err());
    }

    let all = everything(&mut log, &clock(4000));
    assert!(refused > 0);
    assert!((1..10).all(|number| batches(&all).contains_key(&number)));
    assert!(holes(&all).is_empty());
}

#[test]
fn an_eviction_whose_gap_is_poisoned_still_leaves_a_gap() {
    for nth in 1..9 {
        let world = World::new(nth, tight(6));
        let mut log = world.start(&clock(0));
        for at in 0..4 {
            segment(&mut log, Lane::Wave, at * 3 + 1..at * 3 + 4, at * 1000);
        }
        accept(&mut log, Lane::Wave, 13..14, 100, &clock(4000));
        world.disk.fail_sync(nth);

        for number in 20..23 {
            let written = log.append(Lane::Vital, &batch(number, 2000), 1, &clock(4001));
            let _: Result<_, _> = written.and_then(|()| log.commit(&clock(4001)));
        }

        let all = everything(&mut log, &clock(4002));
        let visible = all.iter().map(Taken::place).collect();
        let gone: Vec<u64> = (1..14).filter(|n| !batches(&all).contains_key(n)).collect();
        assert!(!gone.is_empty());
        for number in gone {
            let place = world.sealed.borrow().batches[&number][0];
            assert!(world.is_in_a_gap(place, &visible), "sync {nth}, batch {number}");
        }
    }
}

#[test]
fn the_gap_of_an_eviction_never_takes_the_index_of_the_frame_that_needed_the_room() {
    let world = World::new(4, tight(8));
    let mut log = world.start(&clock(0));
    let mut number = 0;
    for step in 0..120 {
        let now = clock(step * 20);
        number += 1;
        log.tend(&now);
        accept(&mut log, Lane::Wave, number..number + 1, 44_000, &now);
        assert!(log.file_bytes() <= 9 * STEP, "step {step}: {}", log.file_bytes() / STEP);
    }

    let all = everything(&mut log, &clock(2400));
    let missing: u64 = (1..=number).filter(|n| !batches(&all).contains_key(n)).map(readings).sum();
    let visible = all.iter().map(Taken::place).collect();
    assert!(missing > 0);
    assert!(batches(&all).contains_key(&number));
    for number in (1..=number).filter(|n| !batches(&all).contains_key(n)) {
        let place = world.sealed.borrow().batches[&number][0];
        assert!(world.is_in_a_gap(place, &visible), "{number}");
    }
    let gone: u64 = holes(&all).iter().map(|(_, hole)| hole.readings.0).sum();
    let most: u64 = holes(&all).iter().map(|(_, hole)| hole.readings.1).sum();
    assert_eq!(
        (gone, most),
        (missing, missing),
        "evicted gaps are counted in the gap that is left"
    );
    check_chain(&all, false);
}

#[test]
fn a_segment_that_holds_only_a_gap_is_evicted_under_a_gap_that_includes_it() {
    let world = World::new(5, tight(6));
    let mut log = world.start(&clock(0));
    log.append_gap(Lane::Wave, overflow(40, 44), &clock(0)).unwrap();
    log.commit(&clock(0)).unwrap();
    log.tend(&clock(700));
    for (at, lane) in [Lane::Alert, Lane::Vital, Lane::Health].into_iter().enumerate() {
        accept(&mut log, lane, at as u64 + 1..at as u64 + 2, 100, &clock(800));
    }
    log.tend(&clock(1500));
    accept(&mut log, Lane::Wave, 10..11, 100, &clock(1600));

    accept(&mut log, Lane::Alert, 11..12, 100, &clock(1600));

    let all = everything(&mut log, &clock(1600));
    assert_eq!(holes(&all).len(), 1);
    assert_eq!(holes(&all)[0].1.readings, (40, 44));
    assert_eq!(holes(&all)[0].1.cause, Cause::Evicted);
}

#[test]
fn a_start_on_a_full_disk_makes_room_with_its_reserve() {
    let world = World::new(6, ROOMY);
    let mut log = world.start(&clock(0));
    for at in 0..4 {
        segment(&mut log, Lane::Wave, at * 3 + 1..at * 3 + 4, at * 1000);
    }
    drop(log);
    world.disk.restart();
    world.disk.set_free(0);

    let mut log = world.start(&clock(5000));
    accept(&mut log, Lane::Alert, 50..51, 100, &clock(5000));

    let all = everything(&mut log, &clock(5000));
    assert_eq!(batches(&all)[&50], 1);
    assert!(!holes(&all).is_empty());
    assert_eq!(holes(&all)[0].1.readings.0, readings_of(1..4));
    assert_eq!(holes(&all)[0].0, Lane::Wave);
}

#[test]
fn a_key_that_an_eviction_opened_has_the_clock_of_now() {
    let world = World::new(7, tight(5));
    let mut log = world.start(&clock(0));
    for at in 0..3 {
        segment(&mut log, Lane::Wave, at * 3 + 1..at * 3 + 4, at * 1000);
    }

    accept(&mut log, Lane::Alert, 50..51, 100, &clock(9000));
    accept(&mut log, Lane::Vital, 51..52, 100, &clock(9000));

    let all = everything(&mut log, &clock(9000));
    let gap = all.iter().find(|taken| taken.record().kind == RecordKind::Gap).unwrap();
    let header = all.iter().find(|taken| taken.place() == (gap.segment, 0)).unwrap().header();
    assert_eq!(header.clock, clock(9000));
}

#[test]
fn a_small_quota_is_kept_with_every_lane_busy() {
    let world = World::new(8, tight(32));
    let mut log = world.start(&clock(0));
    for step in 0..150 {
        let lane = Lane::ALL[step as usize % 4];
        accept(&mut log, lane, step..step + 1, 44_000, &clock(step));
        assert!(log.file_bytes() <= 34 * STEP, "step {step}: {}", log.file_bytes() / STEP);
    }
    let all = everything(&mut log, &clock(200));
    let waves = holes(&all).iter().filter(|(lane, _)| *lane == Lane::Wave).count();
    assert!(waves > 0);
    assert!(holes(&all).iter().all(|(lane, _)| *lane != Lane::Alert));
}

#[test]
fn segments_of_a_long_outage_do_not_stay_in_memory() {
    let world = World::new(9, Quota { bytes_max: 1 << 30, ..ROOMY });
    let mut log = world.start(&clock(0));
    for at in 0..40 {
        segment(&mut log, Lane::Vital, at * 2 + 1..at * 2 + 3, at * 1000);
    }

    let loaded = log.segments.values().filter(|segment| segment.places.is_some()).count();
    assert!(loaded <= 13, "{loaded}");
    let all = everything(&mut log, &clock(50_000));
    check_chain(&all, true);
    assert_eq!(batches(&all).len(), 80);
}
