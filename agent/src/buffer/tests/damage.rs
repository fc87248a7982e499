//! Bits that flip, blocks that cannot be read, files that are not ours.

use super::super::disk::Disk;
use super::super::segment::{FileName, HEADER_SLOTS, scan};
use super::*;

/// A closed segment of an earlier process, its file and all of its records.
fn written(world: &World) -> (String, Vec<Taken>) {
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..8, 700, &clock(1));
    let all = everything(&mut log, &clock(1));
    drop(log);
    // A later segment, so that the damaged one is not the newest.
    let mut log = world.start(&clock(2));
    accept(&mut log, Lane::Vital, 8..9, 700, &clock(2));
    (world.files(".seg").remove(0), all)
}

fn places(world: &World, name: &str) -> Vec<super::super::segment::Place> {
    let segment = FileName::parse(name).unwrap().segment;
    scan(&world.disk.open(name).unwrap(), segment).unwrap().places
}

#[test]
fn a_flipped_bit_in_any_record_becomes_a_gap_and_the_rest_stays_readable() {
    let mut random = Random::new(1);
    for round in 0..60 {
        let world = World::new(1, ROOMY);
        let (name, all) = written(&world);
        let hit = 1 + random.below(7);
        let place = places(&world, &name)[hit - 1];
        let at = place.offset as usize - 16 + random.below(place.length as usize + 16);
        let bit = 1 << random.below(8);
        world.disk.rot(&name, |bytes| bytes[at] ^= bit);

        let mut log = world.start(&clock(3));
        let left = everything(&mut log, &clock(3));
        log.commit(&clock(3)).unwrap();
        let left_again = everything(&mut log, &clock(3));

        let what = format!("round {round}, record {hit}, byte {at}");
        let expected: Vec<u64> = (1..9).filter(|number| *number != hit as u64).collect();
        assert_eq!(batches(&left).into_keys().collect::<Vec<_>>(), expected, "{what}");
        let holes = holes(&left_again);
        assert_eq!(holes.len(), 1, "{what}");
        let count = readings(hit as u64);
        assert_eq!((holes[0].1.readings, holes[0].1.cause), ((count, count), Cause::Damaged));
        assert_eq!(holes[0].1.indexes, (hit as u32, hit as u32));
        assert_eq!(holes[0].1.before, Some(all[hit - 1].record().hash()));
        assert_eq!(holes[0].1.after, Some(all[hit].record().hash()));
    }
}

#[test]
fn a_destroyed_block_is_declared_even_if_it_held_all_records_of_the_newest_segment() {
    for (recycled, lanes) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let world = World::new(9, ROOMY);
        if recycled {
            world.disk.plant("spare-000000000000", vec![0x5A; 256 * 1024]);
            world.disk.plant("spare-000000000001", vec![0x5A; 256 * 1024]);
        }
        let mut log = world.start(&clock(1));
        accept(&mut log, Lane::Alert, 1..4, 100, &clock(1));
        let name = world.files(".seg").remove(0);
        drop(log);
        if lanes == 2 {
            let mut log = world.start(&clock(2));
            accept(&mut log, Lane::Alert, 4..5, 100, &clock(2));
        }
        world.disk.rot(&name, |bytes| bytes[8192..12288].fill(0xC3));

        let mut log = world.start(&clock(3));
        let all = everything(&mut log, &clock(3));
        log.commit(&clock(3)).unwrap();

        let gaps = holes(&everything(&mut log, &clock(3)));
        assert!([1, 2, 3].iter().all(|number| !batches(&all).contains_key(number)));
        assert_eq!(gaps.len(), 1, "recycled {recycled}, {lanes} segments");
        if lanes == 2 {
            // The next segment says how far this one went.
            assert_eq!((gaps[0].1.indexes, gaps[0].1.readings.0), ((1, 3), readings_of(1..4)));
            continue;
        }
        assert_eq!(gaps[0].1.indexes, (1, SEGMENT_FRAMES_MAX));
        // The next start asks no more.
        drop(log);
        let mut log = world.start(&clock(4));
        assert_eq!(holes(&everything(&mut log, &clock(4))).len(), 1);
    }
}

#[test]
fn a_destroyed_block_before_the_cut_of_an_abandoned_segment_is_declared() {
    let world = World::new(9, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Alert, 1..4, 100, &clock(1));
    world.disk.fail_sync(1);
    accept(&mut log, Lane::Alert, 4..5, 100, &clock(2));
    drop(log);
    let name = world.files("-3.seg").remove(0);
    world.disk.rot(&name, |bytes| bytes[8192..12288].fill(0xC3));

    let mut log = world.start(&clock(3));
    everything(&mut log, &clock(3));
    log.commit(&clock(3)).unwrap();

    let gaps = holes(&everything(&mut log, &clock(3)));
    assert_eq!(gaps.iter().map(|(_, hole)| hole.indexes).collect::<Vec<_>>(), [(1, 3)]);
}

#[test]
fn an_unreadable_last_block_is_not_taken_for_one_that_was_never_written() {
    let world = World::new(9, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Alert, 1..4, 100, &clock(1));
    let name = world.files(".seg").remove(0);
    drop(log);
    world.disk.make_unreadable(&name, 8192..12288);

    let mut log = world.start(&clock(3));
    log.commit(&clock(3)).unwrap();

    let gaps = holes(&everything(&mut log, &clock(3)));
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].1.indexes, (1, SEGMENT_FRAMES_MAX));
}

#[test]
fn a_bit_that_flips_while_the_log_is_open_is_found_when_the_record_is_read() {
    let world = World::new(2, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..6, 700, &clock(1));
    let name = world.files(".seg").remove(0);
    let place = places(&world, &name)[2];
    world.disk.rot(&name, |bytes| bytes[place.offset as usize + 200] ^= 4);

    let left = everything(&mut log, &clock(2));
    log.commit(&clock(2)).unwrap();

    assert_eq!(batches(&left).into_keys().collect::<Vec<_>>(), [1, 2, 4, 5]);
    let holes = holes(&everything(&mut log, &clock(2)));
    assert_eq!(holes.len(), 1);
    assert_eq!(holes[0].1.readings, (readings(3), readings(3)));
    let lost = Position { index: 3, ..left[0].position };
    assert!(!log.holds(lost) && log.holds(left[0].position));
}

#[test]
fn what_is_damaged_does_not_keep_a_segment_from_being_finished() {
    let world = World::new(3, ROOMY);
    let (name, _) = written(&world);
    let place = places(&world, &name)[6];
    let mut log = world.start(&clock(3));
    let mut all = everything(&mut log, &clock(3));
    world.disk.rot(&name, |bytes| bytes[place.offset as usize + 200] ^= 4);
    let last = all.remove(7);
    for taken in &all {
        log.settle(taken.segment, &receipt(taken, Disposition::Stored), &clock(3)).unwrap();
    }

    assert!(log.read(last.position, &clock(3)).is_none());

    assert_eq!(world.files(".done").len(), 2);
}

#[test]
fn an_unreadable_block_costs_the_records_in_it_and_no_other() {
    let world = World::new(4, ROOMY);
    let (name, _) = written(&world);
    let place = places(&world, &name)[3];
    let start = place.offset as usize + 100;
    world.disk.make_unreadable(&name, start..start + 1);

    let left = everything(&mut world.start(&clock(3)), &clock(3));

    let numbers: Vec<u64> = batches(&left).into_keys().collect();
    assert!(numbers.len() >= 2 && numbers.contains(&8), "{numbers:?}");
    assert!(!numbers.contains(&4));
}

#[test]
fn a_damaged_header_slot_is_healed_from_the_other() {
    for slot in HEADER_SLOTS {
        let world = World::new(5, ROOMY);
        let (name, all) = written(&world);
        let whole = world.disk.bytes(&name);
        world.disk.rot(&name, |bytes| bytes[slot as usize + 90] ^= 1);

        let left = everything(&mut world.start(&clock(3)), &clock(3));

        assert_eq!(left.len(), all.len() + 2);
        assert!(holes(&left).is_empty());
        assert!(world.disk.bytes(&name) == whole, "slot {slot} is not as before");
    }
}

#[test]
fn a_segment_without_a_header_is_quarantined_under_a_gap_and_the_start_goes_on() {
    for newest in [false, true] {
        let world = World::new(6, ROOMY);
        written(&world);
        let name = world.files(".seg").remove(usize::from(newest));
        let segment = FileName::parse(&name).unwrap().segment;
        world.disk.rot(&name, |bytes| {
            HEADER_SLOTS.iter().for_each(|slot| bytes[*slot as usize + 90] ^= 1);
        });

        let mut log = world.start(&clock(3));
        accept(&mut log, Lane::Vital, 20..21, 50, &clock(3));
        everything(&mut log, &clock(3));
        log.commit(&clock(3)).unwrap();

        let all = everything(&mut log, &clock(3));
        let lost = if newest { 8..9 } else { 1..8 };
        let count = readings_of(lost.clone());
        assert!(lost.clone().all(|number| !batches(&all).contains_key(&number)));
        assert_eq!(batches(&all)[&20], 1);
        assert_eq!(holes(&all).len(), 1);
        let hole = holes(&all)[0].1;
        assert_eq!((hole.segment, hole.readings), (Some(segment), (count, count)));
        assert_eq!(world.files(".bad").len(), 1);
        assert_eq!(log.figures().files_quarantined, 1);
        // The records still said where the chain stood.
        let headers: Vec<_> =
            all.iter().filter(|t| t.position.index == 0).map(|t| t.header()).collect();
        let newest = headers.last().unwrap();
        assert_eq!(newest.sequence_next, readings_of(1..9) + 1);
        check_chain(&all, false);
        drop(log);
        assert_eq!(holes(&everything(&mut world.start(&clock(4)), &clock(4))).len(), 1);
    }
}

#[test]
fn a_damaged_segment_stays_where_it_is_until_its_gap_is_durable() {
    let world = World::new(11, ROOMY);
    let (name, _) = written(&world);
    world.disk.rot(&name, |bytes| {
        HEADER_SLOTS.iter().for_each(|slot| bytes[*slot as usize + 90] ^= 1);
    });
    let mut log = world.start(&clock(3));
    (1..100).for_each(|nth| world.disk.fail_sync(nth));

    everything(&mut log, &clock(3));
    assert!(world.files(".bad").is_empty());
    drop(log);
    world.disk.restart();
    world.disk.heal();
    let mut log = world.start(&clock(4));
    everything(&mut log, &clock(4));

    let holes = holes(&everything(&mut log, &clock(4)));
    assert_eq!(holes.len(), 1);
    assert_eq!(holes[0].1.readings.0, readings_of(1..8));
    assert_eq!(world.files(".bad").len(), 1);
}

#[test]
fn the_open_segment_that_loses_its_header_takes_nothing_more() {
    let world = World::new(7, ROOMY);
    let mut log = world.start(&clock(1));
    accept(&mut log, Lane::Vital, 1..4, 100, &clock(1));
    let header = everything(&mut log, &clock(1))[0].position;
    let name = world.files(".seg").remove(0);
    world.disk.rot(&name, |bytes| {
        HEADER_SLOTS.iter().for_each(|slot| bytes[*slot as usize + 90] ^= 1);
    });
    log.append(Lane::Vital, &batch(4, 100), readings(4), &clock(2)).unwrap();

    assert!(log.read(header, &clock(2)).is_none());
    log.commit(&clock(2)).unwrap();
    accept(&mut log, Lane::Vital, 5..6, 100, &clock(3));

    let all = everything(&mut log, &clock(3));
    assert_eq!(batches(&all), [(4, 1), (5, 1)].into());
    let count = readings_of(1..4);
    assert_eq!(holes(&all)[0].1.readings, (count, count));
}

#[test]
fn a_gap_for_damage_is_recorded_once_however_often_the_segment_is_loaded() {
    let world = World::new(8, ROOMY);
    let (name, _) = written(&world);
    let place = places(&world, &name)[2];
    world.disk.rot(&name, |bytes| bytes[place.offset as usize + 200] ^= 4);
    let mut log = world.start(&clock(3));

    for _ in 0..3 {
        everything(&mut log, &clock(3));
        let closed = log.segments.values_mut().filter(|segment| segment.is_closed());
        closed.for_each(|segment| segment.places = None);
    }
    log.commit(&clock(3)).unwrap();

    assert_eq!(holes(&everything(&mut log, &clock(3))).len(), 1);
}

#[test]
fn no_file_in_the_folder_stops_the_start() {
    let world = World::new(9, ROOMY);
    let (name, _) = written(&world);
    let whole = world.disk.bytes(&name);
    let other = |ordinal: &str, lane: &str| format!("{ordinal}-{lane}-{:032x}.seg", 77);
    for strange in ["", "lost+found", ".seg", "000000000001-vital-zz.seg", "spare-", "fresh-x"] {
        world.disk.plant(&format!("{strange} "), vec![1; 100]);
        world.disk.plant(strange, vec![1; 100]);
    }
    world.disk.plant("spare-18446744073709551615", vec![1; 300_000]);
    world.disk.plant(&other("18446744073709551615", "vital"), whole.clone());
    world.disk.plant(&other("000000000050", "alert"), Vec::new());
    world.disk.plant(&other("000000000051", "wave"), whole.clone());
    world.disk.plant(&other("000000000052", "health"), vec![0xff; 100_000]);
    let twin = name.replace("000000000001", "000000000060");
    world.disk.plant(&twin, whole[..30_000].to_vec());
    world.disk.plant(&name.replace(".seg", ".done"), whole[..9000].to_vec());

    let (mut log, found) = world.try_start(&clock(3)).unwrap();
    accept(&mut log, Lane::Vital, 20..21, 50, &clock(3));
    accept(&mut log, Lane::Alert, 21..22, 50, &clock(3));

    let all = everything(&mut log, &clock(3));
    assert!(found.strangers >= 6, "{found:?}");
    for number in (1..9).chain(20..22) {
        assert!(batches(&all).contains_key(&number), "{number}");
    }
}

#[test]
fn a_file_cut_short_keeps_what_it_still_holds() {
    let world = World::new(10, ROOMY);
    let (name, all) = written(&world);
    let end = places(&world, &name)[4].offset as usize + 50;
    world.disk.rot(&name, |bytes| bytes.truncate(end));

    let left = everything(&mut world.start(&clock(3)), &clock(3));

    let numbers: Vec<u64> = batches(&left).into_keys().collect();
    assert_eq!(numbers, [1, 2, 3, 4, 8]);
    assert!(left.len() > all.len() - 4);
}
