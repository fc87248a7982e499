//! Receipts: what they let go, and what they do not.

use super::*;

fn one_closed_segment(world: &World) -> (Log, Vec<Taken>) {
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..5, 500, &clock(1));
    log.tend(&clock(700));
    let all = everything(&mut log, &clock(700));
    (log, all)
}

#[test]
fn a_receipt_with_a_foreign_hash_trims_nothing() {
    let world = World::new(1, ROOMY);
    let (mut log, all) = one_closed_segment(&world);
    let before = log.backlog_bytes();

    for taken in &all {
        let mut foreign = receipt(taken, Disposition::Stored);
        foreign.last_hash.0[31] ^= 1;
        let settled = log.settle(taken.segment, &foreign, &clock(701)).unwrap();
        assert_eq!(settled, Settled::Foreign);
        let nobody = log.settle(SegmentId([9; 16]), &foreign, &clock(701)).unwrap();
        assert_eq!(nobody, Settled::Foreign);
    }
    let beyond = Range { last: 9, ..receipt(&all[0], Disposition::Stored) };
    assert_eq!(log.settle(all[0].segment, &beyond, &clock(701)).unwrap(), Settled::Foreign);

    assert_eq!(log.backlog_bytes(), before);
    assert_eq!(everything(&mut log, &clock(701)).len(), all.len());
    assert!(world.files(".done").is_empty());
}

#[test]
fn a_receipt_covers_its_range_and_nothing_beside_it() {
    let world = World::new(2, ROOMY);
    let (mut log, all) = one_closed_segment(&world);

    let middle = Range { first: 2, ..receipt(&all[3], Disposition::Held) };
    log.settle(all[0].segment, &middle, &clock(701)).unwrap();

    let left = everything(&mut log, &clock(701));
    let indexes: Vec<u32> = left.iter().map(|taken| taken.position.index).collect();
    assert_eq!(indexes, [0, 1, 4]);
    let bytes: usize = left.iter().map(|taken| taken.bytes.len()).sum();
    assert_eq!(log.backlog_bytes(), bytes as u64);
}

#[test]
fn a_refused_record_is_neither_trimmed_nor_sent_again() {
    let world = World::new(3, ROOMY);
    let (mut log, all) = one_closed_segment(&world);

    for (at, taken) in all.iter().enumerate() {
        let fate = if at == 2 { Disposition::Refused } else { Disposition::Stored };
        log.settle(taken.segment, &receipt(taken, fate), &clock(701)).unwrap();
    }
    log.tend(&clock(1_000_000));

    assert!(everything(&mut log, &clock(701)).is_empty());
    assert_eq!(world.files(".seg").len(), 1);
    assert_eq!(log.figures().records_refused, 1);
    drop(log);
    assert_eq!(everything(&mut world.start(&clock(2)), &clock(2)).len(), all.len());
}

#[test]
fn a_second_receipt_for_a_finished_segment_changes_nothing() {
    let world = World::new(4, ROOMY);
    let (mut log, all) = one_closed_segment(&world);
    receipt_everything(&mut log, &clock(701));
    assert_eq!(log.backlog_bytes(), 0);

    let again = log.settle(all[1].segment, &receipt(&all[1], Disposition::Stored), &clock(702));

    assert_eq!(again.unwrap(), Settled::Ours);
    assert_eq!(log.backlog_bytes(), 0);
    assert!(log.lane_health(Lane::Vital).oldest_unreceipted.is_none());
}

#[test]
fn finished_segments_are_forgotten_in_time_and_their_files_recycled() {
    let world = World::new(5, Quota { keep_seconds: 1000, ..ROOMY });
    let mut log = world.start(&clock(0));
    let mut written = 0;
    for round in 0..6 {
        let at = round * 3000;
        accept(&mut log, Lane::Vital, round * 2 + 1..round * 2 + 3, 3000, &clock(at));
        log.tend(&clock(at + 601));
        receipt_everything(&mut log, &clock(at + 602));
        log.tend(&clock(at + 900));
        let kept = world.files(".done").len();
        log.tend(&clock(at + 2000));
        assert!(kept >= 1, "kept for a while");
        assert_eq!(world.files(".done").len(), 1, "only the end of the chain stays");
        written = log.figures().bytes_written;
    }

    assert!(world.disk.names().len() <= 3, "{:?}", world.disk.names());
    assert!(written < 5 * crate::limits::SEGMENT_STEP_BYTES, "files are not filled anew");
}

#[test]
fn a_recycled_file_never_shows_its_former_life() {
    let world = World::new(6, Quota { keep_seconds: 0, ..ROOMY });
    let mut log = world.start(&clock(0));
    for round in 0..8 {
        let at = round * 3000;
        // Each life is shorter than the one before, so that the old records stand behind it.
        let count = 9 - round;
        accept(&mut log, Lane::Vital, round * 10 + 1..round * 10 + 1 + count, 3000, &clock(at));
        let all = everything(&mut log, &clock(at));
        let mine: Vec<u64> = batches(&all).into_keys().filter(|n| *n > round * 10).collect();
        assert_eq!(mine.len() as u64, count);
        assert!(batches(&all).keys().all(|number| *number > round * 10), "round {round}");
        log.tend(&clock(at + 601));
        drop(log);
        log = world.start(&clock(at + 602));
        let all = everything(&mut log, &clock(at + 602));
        assert_eq!(batches(&all).into_keys().collect::<Vec<_>>(), mine, "round {round}");
        assert!(holes(&all).is_empty());
        receipt_everything(&mut log, &clock(at + 603));
        log.tend(&clock(at + 604));
    }
}

#[test]
fn the_chain_goes_on_after_everything_was_receipted_and_forgotten() {
    for seed in 0..10 {
        let world = World::new(seed, Quota { keep_seconds: 0, ..ROOMY });
        let mut log = world.start(&clock(0));
        accept(&mut log, Lane::Alert, 1..4, 300, &clock(0));
        log.tend(&clock(700));
        receipt_everything(&mut log, &clock(701));
        log.tend(&clock(100_000));
        let head = log.lane_health(Lane::Alert);
        drop(log);
        world.disk.restart();

        let mut log = world.start(&clock(10));
        accept(&mut log, Lane::Alert, 4..5, 300, &clock(11));

        let all = everything(&mut log, &clock(12));
        let newest = all.iter().rfind(|taken| taken.position.index == 0).unwrap().header();
        let continues = newest.continues.unwrap();
        assert_eq!((continues.segment, continues.index, continues.hash), head.head.unwrap());
        assert_eq!(newest.sequence_next, head.sequence_next);
        assert_eq!(newest.start_count, 2);
    }
}

#[test]
fn a_store_that_forgot_is_offered_everything_again() {
    let world = World::new(8, ROOMY);
    let (mut log, all) = one_closed_segment(&world);
    receipt_everything(&mut log, &clock(701));
    accept(&mut log, Lane::Vital, 9..10, 500, &clock(702));
    receipt_everything(&mut log, &clock(703));
    assert!(everything(&mut log, &clock(703)).is_empty());

    log.offer_again().unwrap();

    let again = everything(&mut log, &clock(704));
    assert_eq!(again.len(), all.len() + 2);
    receipt_everything(&mut log, &clock(705));
    assert_eq!(log.backlog_bytes(), 0);
}

#[test]
fn a_poisoned_segment_is_finished_by_the_receipts_for_its_durable_part() {
    let world = World::new(9, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..3, 100, &clock(1));
    receipt_everything(&mut log, &clock(2));

    world.disk.fail_sync(1);
    accept(&mut log, Lane::Vital, 3..4, 100, &clock(3));

    assert_eq!(world.files(".done").len(), 1);
    assert_eq!(batches(&everything(&mut log, &clock(4))), [(3, 1)].into());
}
