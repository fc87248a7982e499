//! Writes, syncs and opens that fail.

use super::disk::{EIO, EMFILE, ENOSPC};
use super::*;

#[test]
fn a_failed_sync_seals_the_group_again_exactly_once_under_another_key() {
    let world = World::new(1, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..3, 900, &clock(1));
    let durable = log.lane_health(Lane::Vital).head.unwrap();

    world.disk.fail_sync(1);
    accept(&mut log, Lane::Vital, 3..6, 900, &clock(2));

    for round in 0..2 {
        let all = everything(&mut log, &clock(3));
        check_chain(&all, true);
        assert_eq!(batches(&all), (1..6).map(|number| (number, 1)).collect(), "round {round}");
        let headers: Vec<_> =
            all.iter().filter(|t| t.position.index == 0).map(|t| t.header()).collect();
        let continues = headers[1].continues.unwrap();
        assert_eq!(headers[1].found, Found::Poisoned);
        assert_eq!((continues.segment, continues.index, continues.hash), durable);
        assert_eq!(log.figures().segments_poisoned, [1, 0][round]);
        drop(log);
        world.disk.restart();
        log = world.start(&clock(3));
    }
}

#[test]
fn two_failed_syncs_in_a_row_accept_nothing_and_the_next_commit_still_has_the_group() {
    let world = World::new(2, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Alert, 1..2, 50, &clock(1));
    for number in 2..4 {
        log.append(Lane::Alert, &batch(number, 50), readings(number), &clock(1)).unwrap();
    }
    // The segment, the header of the next one is spared, then its first group.
    world.disk.fail_sync(1);
    world.disk.fail_sync(4);

    assert!(log.commit(&clock(1)).is_err());
    assert_eq!(log.figures().readings_accepted, readings(1));
    log.commit(&clock(1)).unwrap();

    assert_eq!(log.figures().readings_accepted, readings_of(1..4));
    drop(log);
    world.disk.restart();
    let all = everything(&mut world.start(&clock(2)), &clock(2));
    check_chain(&all, true);
    assert_eq!(batches(&all), (1..4).map(|number| (number, 1)).collect());
}

#[test]
fn a_sync_that_failed_at_closing_is_never_tried_again_as_a_success() {
    let world = World::new(3, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..2, 50, &clock(1));
    log.append(Lane::Vital, &batch(2, 50), readings(2), &clock(1)).unwrap();
    world.disk.fail_sync(1);

    log.tend(&clock(2000));
    log.commit(&clock(2000)).unwrap();

    drop(log);
    world.disk.restart();
    let all = everything(&mut world.start(&clock(2001)), &clock(2001));
    assert_eq!(batches(&all), [(1, 1), (2, 1)].into());
}

#[test]
fn what_a_segment_lost_at_closing_is_written_before_what_comes_next() {
    let world = World::new(13, ROOMY);
    let mut log = world.start(&clock(1));
    for number in 1..4 {
        log.append(Lane::Vital, &batch(number, 50), readings(number), &clock(1)).unwrap();
    }
    world.disk.fail_sync(1);

    log.append(Lane::Vital, &batch(4, 50), readings(4), &clock(700)).unwrap();
    log.commit(&clock(700)).unwrap();

    let all = everything(&mut log, &clock(700));
    check_chain(&all, true);
    assert_eq!(batches(&all), (1..5).map(|number| (number, 1)).collect());
}

#[test]
fn what_was_durable_before_a_poison_is_not_sealed_again() {
    let world = World::new(4, ROOMY);
    let mut log = world.start(&clock(1));
    // One group over the end of a segment: closing it makes the first part durable.
    for number in 1..8 {
        let now = clock(if number < 5 { 1 } else { 700 });
        log.append(Lane::Vital, &batch(number, 300), readings(number), &now).unwrap();
    }
    world.disk.fail_sync(1);

    log.commit(&clock(700)).unwrap();

    let all = everything(&mut log, &clock(701));
    check_chain(&all, true);
    assert_eq!(batches(&all), (1..8).map(|number| (number, 1)).collect());
    assert_eq!(log.figures().readings_accepted, readings_of(1..8));
}

#[test]
fn a_gap_of_a_poisoned_group_is_written_again() {
    let world = World::new(5, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..2, 50, &clock(1));
    log.append_gap(Lane::Vital, overflow(12, 12), &clock(1)).unwrap();
    world.disk.fail_sync(1);

    log.commit(&clock(1)).unwrap();

    assert_eq!(holes(&everything(&mut log, &clock(1))), [(Lane::Vital, overflow(12, 12))]);
    assert_eq!(log.lane_health(Lane::Vital).gap_readings, 12);
    drop(log);
    world.disk.restart();
    let all = everything(&mut world.start(&clock(2)), &clock(2));
    assert_eq!(holes(&all), [(Lane::Vital, overflow(12, 12))]);
}

#[test]
fn a_gap_that_cannot_be_written_is_owed_until_it_can() {
    let world = World::new(11, ROOMY);
    let mut log = world.start(&clock(1));
    world.disk.set_free(0);
    assert!(log.append_gap(Lane::Wave, overflow(3, 3), &clock(1)).is_err());
    log.commit(&clock(1)).unwrap();

    world.disk.set_free(10 << 20);
    log.commit(&clock(2)).unwrap();

    assert_eq!(holes(&everything(&mut log, &clock(2))), [(Lane::Wave, overflow(3, 3))]);
}

#[test]
fn nothing_is_offered_before_it_is_durable() {
    let world = World::new(12, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..2, 50, &clock(1));
    log.append(Lane::Vital, &batch(2, 50), 1, &clock(1)).unwrap();

    assert_eq!(batches(&everything(&mut log, &clock(1))), [(1, 1)].into());
    assert_eq!(log.edge(Lane::Vital).index, 2);
    log.commit(&clock(1)).unwrap();
    assert_eq!(batches(&everything(&mut log, &clock(1))).len(), 2);
}

/// Groups on all lanes, each tried until it is accepted.
fn work_patiently(world: &World, log: &mut Log) {
    let mut number = 0;
    for step in 0..6u64 {
        let now = clock(step * 400);
        let mut closed: Vec<_> = (0..3u64)
            .map(|at| {
                number += 1;
                (Lane::ALL[(step + at) as usize % 4], number, [60, 30_000, 44_000][at as usize])
            })
            .collect();
        closed.reverse();
        for attempt in 0.. {
            assert!(attempt < 6, "still refused at step {step}");
            log.tend(&now);
            while let Some((lane, number, bytes)) = closed.last().copied() {
                if log.append(lane, &batch(number, bytes), readings(number), &now).is_err() {
                    break;
                }
                closed.pop();
            }
            if closed.is_empty() && log.commit(&now).is_ok() {
                break;
            }
        }
    }
    let all = everything(log, &clock(5000));
    assert_eq!(batches(&all), (1..=number).map(|number| (number, 1)).collect());
    assert_eq!(log.figures().readings_accepted, readings_of(1..=number));
    check_chain(&all, true);
    drop(all);
    world.disk.restart();
}

#[test]
fn any_failing_write_or_sync_loses_nothing_and_doubles_nothing() {
    let counts = World::new(6, ROOMY);
    work_patiently(&counts, &mut counts.start(&clock(0)));
    let (writes, syncs) = counts.disk.writes_and_syncs();
    assert!(writes > 40 && syncs > 20, "{writes} writes, {syncs} syncs");
    let write = (1..=writes).map(|nth| (nth, Some([ENOSPC, EIO][nth as usize % 2])));
    for (nth, error) in write.chain((1..=syncs).map(|nth| (nth, None))) {
        let world = World::new(nth, ROOMY);
        let mut log = world.start(&clock(0));
        for again in [0, 1, 4] {
            match error {
                Some(number) => world.disk.fail_write(nth + again, number),
                None => world.disk.fail_sync(nth + again),
            }
        }

        work_patiently(&world, &mut log);

        let all = everything(&mut world.start(&clock(6000)), &clock(6000));
        let expected = (1..=18).map(|number| (number, 1)).collect();
        assert_eq!(batches(&all), expected, "error {error:?} at {nth}");
    }
}

#[test]
fn a_disk_without_space_accepts_nothing_and_goes_on_when_there_is_space() {
    let world = World::new(7, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..3, 40_000, &clock(1));
    world.disk.set_free(0);

    let mut refused = 0;
    for number in 3..12 {
        let plaintext = batch(number, 40_000);
        let written = log.append(Lane::Vital, &plaintext, readings(number), &clock(2));
        refused += u32::from(written.and_then(|()| log.commit(&clock(2))).is_err());
    }
    let held = everything(&mut log, &clock(2));
    world.disk.set_free(10 << 20);
    accept(&mut log, Lane::Vital, 20..24, 40_000, &clock(3));

    assert!(refused > 4, "{refused}");
    let all = everything(&mut log, &clock(3));
    assert_eq!(batches(&all).len(), batches(&held).len() + 4);
    assert!(batches(&all).values().all(|count| *count == 1));
    assert!(world.files(".seg").len() < 4, "refused attempts leave no files");
    check_chain(&all, true);
}

#[test]
fn failed_openings_leave_no_files_behind() {
    let world = World::new(8, ROOMY);
    let mut log = world.start(&clock(1));
    for _ in 0..20 {
        world.disk.fail_sync(1);
        world.disk.fail_sync(2);
        let _: Result<_, _> = log.append(Lane::Vital, &batch(1, 50), 1, &clock(1));
    }

    assert!(world.disk.names().len() < 4, "{:?}", world.disk.names());
}

#[test]
fn a_file_that_cannot_be_opened_just_now_is_not_lost() {
    let world = World::new(9, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..4, 300, &clock(1));
    drop(log);
    let mut log = world.start(&clock(2));
    accept(&mut log, Lane::Vital, 4..5, 300, &clock(2));
    drop(log);
    let mut log = world.start(&clock(3));

    world.disk.fail_opens(Some(EMFILE));
    assert!(batches(&everything(&mut log, &clock(3))).is_empty());
    world.disk.fail_opens(None);

    let all = everything(&mut log, &clock(3));
    assert_eq!(batches(&all), (1..5).map(|number| (number, 1)).collect());
    assert!(holes(&all).is_empty());
}

#[test]
fn keys_of_segments_that_never_began_or_were_poisoned_are_wiped() {
    let world = World::new(10, ROOMY);
    let mut log = world.start(&clock(1));
    for number in 1..9 {
        world.disk.fail_sync(1 + number % 3);
        let written = log.append(Lane::Vital, &batch(number, 50), 1, &clock(1));
        let _: Result<_, _> = written.and_then(|()| log.commit(&clock(1)));
    }

    assert!(log.sealer_mut().open.len() <= 1);
}

#[test]
fn what_a_killed_process_wrote_is_durable_before_it_is_shown() {
    for seed in 0..20 {
        let world = World::new(seed, ROOMY);
        let mut log = world.start(&clock(1));
        accept(&mut log, Lane::Vital, 1..3, 100, &clock(1));
        log.append(Lane::Vital, &batch(3, 100), readings(3), &clock(1)).unwrap();
        drop(log);

        let shown = batches(&everything(&mut world.start(&clock(2)), &clock(2)));
        world.disk.restart();

        assert!(shown.contains_key(&3), "the page cache outlives a process");
        let found = batches(&everything(&mut world.start(&clock(3)), &clock(3)));
        assert_eq!(found, shown, "seed {seed}");
    }
}

#[test]
fn a_cut_whose_name_was_refused_is_named_as_soon_as_the_medium_takes_it() {
    let world = World::new(12, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..3, 100, &clock(1));
    log.append(Lane::Vital, &batch(3, 100), readings(3), &clock(1)).unwrap();
    world.disk.fail_sync(1);
    world.disk.refuse_renames(true);
    log.commit(&clock(1)).unwrap_err();
    world.disk.refuse_renames(false);

    log.tend(&clock(2));
    log.commit(&clock(2)).unwrap();
    drop(log);

    let all = everything(&mut world.start(&clock(3)), &clock(3));
    assert_eq!(batches(&all), (1..4).map(|number| (number, 1)).collect());
    check_chain(&all, true);
}
