//! Power cuts at every operation of a workload that opens, recycles, finishes and evicts.

use super::*;

/// What a workload knows that the log promised.
#[derive(Default)]
struct Promised {
    accepted: BTreeMap<u64, Lane>,
    receipted: BTreeSet<u64>,
    gaps_receipted: BTreeSet<(SegmentId, u32)>,
}

/// Two hours in a few steps: segments expire, are receipted, forgotten, recycled and evicted.
fn work(log: &mut Log, seed: u64, promised: &mut Promised, first: u64) -> u64 {
    let mut random = Random::new(seed);
    let (mut number, mut seconds) = (first, first * 10);
    for step in 0..14 {
        seconds += [1, 5, 700][random.below(3)];
        let now = clock(seconds);
        log.tend(&now);
        let mut group = Vec::new();
        for _ in 0..=random.below(3) {
            let lane = Lane::ALL[random.below(4)];
            let bytes = [20, 700, 3000, 40_000][random.below(4)];
            number += 1;
            if log.append(lane, &batch(number, bytes), readings(number), &now).is_err() {
                return number;
            }
            group.push((number, lane));
        }
        if log.commit(&now).is_err() {
            return number;
        }
        promised.accepted.extend(group);
        if step % 3 == 2 {
            receipt_some(log, &mut random, promised, &now);
        }
    }
    number
}

fn receipt_some(log: &mut Log, random: &mut Random, promised: &mut Promised, now: &ClockState) {
    let lane = Lane::ALL[random.below(4)];
    for taken in everything(log, now).iter().filter(|taken| taken.lane == lane) {
        if taken.record().kind == RecordKind::Frame {
            promised.receipted.insert(number_of(taken.record().ciphertext));
        } else {
            promised.gaps_receipted.insert(taken.place());
        }
        // The rename behind it may meet the cut; the sink has stored the record all the same.
        let range = receipt(taken, Disposition::Stored);
        let _: Result<Settled, super::super::AppendError> = log.settle(taken.segment, &range, now);
    }
}

fn check(world: &World, log: &mut Log, promised: &Promised, now: &ClockState, what: &str) {
    let all = everything(log, now);
    let counts = batches(&all);
    let visible = all.iter().map(Taken::place).chain(promised.gaps_receipted.iter().copied());
    let visible: BTreeSet<_> = visible.collect();
    check_chain(&all, false);
    for (number, count) in &counts {
        assert_eq!(*count, 1, "{what}: batch {number} is there twice");
    }
    for (number, lane) in &promised.accepted {
        let there = counts.contains_key(number) || promised.receipted.contains(number);
        let places = world.sealed.borrow().batches[number].clone();
        let in_gap = || places.iter().any(|place| world.is_in_a_gap(*place, &visible));
        assert!(there || in_gap(), "{what}: batch {number} of {lane} is lost in silence");
    }
    for (_, hole) in holes(&all) {
        assert!(
            hole.cause != Cause::Damaged || hole.readings.0 == 0,
            "{what}: a power cut is no damage: {hole:?}"
        );
    }
}

fn cut_everywhere(seed: u64, quota: Quota, every: usize) -> usize {
    let whole = World::new(seed, quota);
    let mut log = whole.start(&clock(0));
    work(&mut log, seed, &mut Promised::default(), 0);
    let operations = whole.disk.operations();
    let mut cuts = 0;
    for cut in (1 + seed % every as u64..=operations).step_by(every) {
        let world = World::new(seed ^ (cut << 8), quota);
        world.disk.cut_at(cut);
        let mut promised = Promised::default();
        let mut number = 0;
        if let Some((mut log, _)) = world.try_start(&clock(0)) {
            number = work(&mut log, seed, &mut promised, 0);
        }
        world.disk.restart();
        let what = format!("seed {seed}, cut {cut}");
        let now = clock(20_000);
        let mut log = world.start(&now);
        check(&world, &mut log, &promised, &now, &what);
        // Life goes on, and the next start finds all of it again.
        work(&mut log, seed + 1, &mut promised, number + 5000);
        drop(log);
        world.disk.restart();
        let now = clock(90_000);
        let mut log = world.start(&now);
        check(&world, &mut log, &promised, &now, &format!("{what}, second start"));
        cuts += 1;
    }
    cuts
}

#[test]
fn what_was_committed_survives_a_power_cut_at_any_operation() {
    let quota = Quota { keep_seconds: 0, ..ROOMY };

    let cuts = cut_everywhere(1, quota, 1) + cut_everywhere(2, quota, 5);

    assert!(cuts > 100, "{cuts}");
}

#[test]
fn a_power_cut_while_room_is_made_loses_nothing_in_silence() {
    let quota = Quota { bytes_max: 5 * 256 * 1024, free_bytes_min: 0, keep_seconds: 1_000_000 };

    let cuts = cut_everywhere(3, quota, 1) + cut_everywhere(4, quota, 5);

    assert!(cuts > 100, "{cuts}");
}

#[test]
fn a_torn_tail_becomes_an_uncertain_gap_that_continues_the_chain() {
    let mut torn = 0;
    for seed in 0..60 {
        let world = World::new(seed, ROOMY);
        let mut log = world.start(&clock(1));
        accept(&mut log, Lane::Vital, 1..4, 600, &clock(1));
        log.append(Lane::Vital, &batch(9, 6000), 1, &clock(2)).unwrap();
        drop(log);

        world.disk.restart();
        let (mut log, found) = world.try_start(&clock(3)).unwrap();
        accept(&mut log, Lane::Vital, 20..21, 100, &clock(4));

        let all = everything(&mut log, &clock(4));
        check_chain(&all, true);
        assert!([1, 2, 3, 20].iter().all(|number| batches(&all)[number] == 1));
        assert_eq!(holes(&all).len(), found.torn_tails, "seed {seed}");
        torn += found.torn_tails;
        for (_, hole) in holes(&all) {
            assert_eq!((hole.cause, hole.readings.0), (Cause::UncertainTail, 0));
            assert_eq!(hole.indexes, (4, SEGMENT_FRAMES_MAX));
        }
    }
    assert!(torn > 5, "{torn}");
}

#[test]
fn a_process_never_appends_to_a_segment_of_another() {
    let world = World::new(1, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..3, 100, &clock(1));
    drop(log);

    let mut log = world.start(&clock(2));
    accept(&mut log, Lane::Vital, 3..4, 100, &clock(2));

    let all = everything(&mut log, &clock(2));
    let headers: Vec<_> =
        all.iter().filter(|t| t.position.index == 0).map(|t| t.header()).collect();
    check_chain(&all, true);
    assert_eq!(headers.len(), 2);
    assert_eq!((headers[0].found, headers[1].found), (Found::Nothing, Found::WholeTail));
    assert_eq!(headers[1].start_count, headers[0].start_count + 1);
}
