//! P2 no silent loss: whatever comes twice, late, early or in any order is stored exactly once.

use std::sync::Arc;

use agent::intake::{Device, Names};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use wire::batch::Source;
use wire::identity::{Lane, SourceBoot};
use wire::link::DataWriter;
use wire::receipt::{Disposition, Reason};

use crate::device::{across_contexts, alert, in_context, monitor, number, numerics, wave};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, fates, wanted};
use crate::site::{Site, site};
use rig::fleet::Fleet;

/// Something in every clinical lane, over a restart.
fn story(mut gateway: Gateway, fleet: &Fleet) -> Gateway {
    let device = monitor(1, 7);
    for sequence in 0..6 {
        gateway.hear(&device, sequence * 3 + 1, &numerics(sequence * 3 + 1));
        gateway.hear(&device, sequence * 3 + 2, &wave(sequence * 3 + 2));
        gateway.hear(&device, sequence * 3 + 3, &alert(sequence * 3 + 3, "HR LOW"));
        gateway.flush();
        if sequence == 2 {
            gateway = gateway.crash_and_start(fleet);
        }
    }
    gateway
}

/// What the story leaves in the store: heart rate and saturation, six stretches, six alerts.
fn holds_the_story(sink: &Sink) {
    let rows = sink.rows();
    assert_eq!((rows["numeric"], rows["wave"], rows["note"]), (12, 6, 6));
    assert_eq!(sink.heart_rates(), [61, 64, 67, 70, 73, 76]);
    assert_eq!(sink.ledger().samples, 6 * 25);
}

#[test]
fn a_second_delivery_of_everything_adds_no_row_and_is_counted() {
    let Site { fleet, gateway, mut sink, folder: _folder } = site();
    let mut gateway = story(gateway, &fleet);
    let records = gateway.records();
    let first = sink.take(&records);
    let rows = sink.rows();

    let second = sink.take(&records);
    let mut sink = sink.crash_and_start(&fleet);
    let third = sink.take_each(&records);

    holds_the_story(&sink);
    assert_eq!(sink.rows(), rows);
    assert_eq!(sink.ledger().records_double, 2 * records.len() as u64);
    assert_eq!(fates(&second), fates(&first), "a double is receipted like the first");
    assert_eq!(fates(&third).len(), records.len());
    assert!(fates(&third).iter().all(|fate| fate.3 == Disposition::Stored));
}

#[test]
fn frames_that_come_before_their_header_are_held_and_stored_once_it_comes() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let records = gateway.records();
    let segment = records[0].segment;

    let before = sink.take(&records[1..]);
    let (rows, held) = (sink.readings(), sink.books(gateway.id, Lane::Vital));
    let after = sink.take(&records[..1]);

    assert_eq!(fates(&before), [(segment, 1, 3, Disposition::Held, Reason::NoHeader)]);
    assert_eq!(wanted(&before), [segment]);
    assert_eq!((rows["numeric"], held.held), (0, 3));
    let stored = |first, last| (segment, first, last, Disposition::Stored, Reason::None);
    assert_eq!(fates(&after), [stored(0, 0), stored(1, 3)]);
    assert_eq!(wanted(&after), []);
    assert_eq!(sink.heart_rates(), [61, 62, 63]);
    assert_eq!(sink.books(gateway.id, Lane::Vital).held, 0);
}

#[test]
fn frames_are_held_over_a_restart_of_the_sink() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let records = gateway.records();

    sink.take(&records[2..]);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&records[1..2]);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&records[..1]);
    let mut sink = sink.crash_and_start(&fleet);
    let again = sink.take(&records);

    assert_eq!(sink.heart_rates(), [61, 62, 63]);
    let stored = (records[0].segment, 0, 3, Disposition::Stored, Reason::None);
    assert_eq!(fates(&again), [stored]);
}

#[test]
fn frames_before_their_header_in_one_group_are_stored_once() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let mut records = gateway.records();

    records.rotate_left(1);
    records.extend(records.clone());
    sink.take(&records);

    assert_eq!(sink.heart_rates(), [61, 62, 63]);
    assert_eq!(sink.books(gateway.id, Lane::Vital).held, 0);
}

/// Swaps at random; a failing seed is printed by the assertion.
fn shuffled(records: &[Sent], seed: u8) -> Vec<Sent> {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut below = |bound: usize| (random.next_u64() % bound as u64) as usize;
    let mut mixed: Vec<Sent> = records.iter().chain(records).cloned().collect();
    for at in (1..mixed.len()).rev() {
        mixed.swap(at, below(at + 1));
    }
    mixed
}

#[test]
fn any_order_with_doubles_gives_the_same_rows() {
    let Site { fleet, gateway, folder, .. } = site();
    let mut gateway = story(gateway, &fleet);
    let records = gateway.records();

    for seed in 0..12 {
        let place = folder.path().join(format!("seed-{seed}"));
        std::fs::create_dir(&place).unwrap();
        let mut sink = Sink::create(&fleet, &place, &[gateway.id]);
        let mixed = shuffled(&records, seed);
        let (first, second) = mixed.split_at(mixed.len() / 2);
        first.chunks(1 + usize::from(seed)).for_each(|group| drop(sink.take(group)));
        let mut sink = sink.crash_and_start(&fleet);
        second.chunks(1 + usize::from(seed)).for_each(|group| drop(sink.take(group)));

        holds_the_story(&sink);
        let books = sink.ledger().lanes;
        let sums = books.iter().fold((0, 0, 0), |sum, lane| {
            (sum.0 + lane.linked, sum.1 + lane.held, sum.2 + lane.missing)
        });
        assert_eq!(sums, (records.len() as u64, 0, 0), "seed {seed}");
    }
}

#[test]
fn readings_that_a_device_repeats_after_a_crash_are_stored_once() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let device = monitor(1, 7);
    gateway.hear_all(&device, 1..=5, numerics);
    gateway.hear_all(&device, 6..=8, numerics);
    sink.take(&gateway.records());

    let mut gateway = gateway.crash_and_start(&fleet);
    gateway.hear_all(&monitor(1, 7), 4..=12, numerics);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&gateway.records());

    assert_eq!(sink.heart_rates(), (61..=72).collect::<Vec<i64>>());
}

#[test]
fn waves_and_alerts_that_a_device_repeats_are_stored_once() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let device = monitor(1, 7);
    gateway.hear_all(&device, 1..=6, wave);
    gateway.hear(&device, 7, &alert(7, "HR LOW"));
    gateway.flush();

    let mut gateway = gateway.crash_and_start(&fleet);
    let device = monitor(1, 7);
    gateway.hear_all(&device, 4..=6, wave);
    gateway.hear(&device, 7, &alert(7, "HR LOW"));
    gateway.hear_all(&device, 8..=9, wave);
    sink.take(&gateway.records());

    assert_eq!(sink.ledger().samples, 8 * 25);
    assert_eq!(sink.rows()["note"], 1);
}

#[test]
fn a_new_run_of_a_device_begins_a_new_count() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_all(&monitor(1, 7), 1..=3, numerics);
    gateway.hear_all(&monitor(1, 8), 1..=3, numerics);
    gateway.hear_all(&monitor(2, 7), 1..=3, numerics);

    sink.take(&gateway.records());

    assert_eq!(sink.heart_rates(), [61, 61, 61, 62, 62, 62, 63, 63, 63]);
}

#[test]
fn a_context_that_comes_back_within_one_batch_loses_nothing() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let device = monitor(1, 7);
    for (sequence, token) in [(1, b"bed-1"), (2, b"bed-2"), (3, b"bed-1"), (4, b"bed-2")] {
        gateway.hear(&device, sequence, &in_context(sequence, token));
    }
    gateway.flush();

    sink.take(&gateway.records());

    assert_eq!(sink.heart_rates(), [61, 62, 63, 64]);
}

#[test]
fn a_context_that_changes_within_one_frame_loses_nothing() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_all(&monitor(1, 7), 1..=3, across_contexts);

    sink.take(&gateway.records());

    assert_eq!(sink.ledger().numerics, 6);
    assert_eq!(sink.heart_rates(), [61, 62, 63]);
}

#[test]
fn a_device_that_comes_back_and_repeats_within_one_batch_is_stored_once() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let (before, after) = (monitor(1, 7), monitor(1, 7));
    for sequence in 1..=4 {
        gateway.hear(&before, sequence, &numerics(sequence));
    }
    gateway.hear_all(&after, 3..=6, numerics);

    sink.take(&gateway.records());

    assert_eq!(sink.heart_rates(), [61, 62, 63, 64, 65, 66]);
}

#[test]
fn a_device_that_forgot_its_boot_and_begins_again_loses_nothing() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let other = |sequence: u32| number(sequence, 200 + i64::from(sequence));
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    sink.take(&gateway.records());
    let mut gateway = gateway.crash_and_start(&fleet);
    gateway.hear_all(&monitor(1, 7), 1..=3, other);
    gateway.hear_all(&monitor(1, 7), 1..=3, numerics);
    let mut sink = sink.crash_and_start(&fleet);

    sink.take(&gateway.records());
    let mut gateway = gateway.crash_and_start(&fleet);
    gateway.hear_all(&monitor(1, 7), 1..=3, other);
    sink.take(&gateway.records());

    assert_eq!(sink.heart_rates(), [61, 201, 62, 202, 63, 203], "both kept, each once");
    assert_eq!(sink.ledger().notes, 1, "and said");
}

#[test]
fn a_patient_that_a_person_assigns_stands_with_readings_until_its_end() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let device = monitor(1, 7);
    let source = Source { boot: SourceBoot(77), ..device.source };
    let person = Device { port: "nurse".into(), names: Names::Assigned, ..Device::silent(source) };
    let person = Arc::new(person);
    let say = |token: &[u8]| {
        let mut writer = DataWriter::new(0);
        assert!(writer.context(token));
        writer.finish().as_slice().to_vec()
    };
    gateway.hear(&device, 1, &numerics(1));
    gateway.hear(&person, 1, &say(b"one"));
    gateway.hear(&device, 2, &numerics(2));
    gateway.hear(&person, 2, &say(b"two"));
    gateway.hear(&device, 3, &numerics(3));
    gateway.hear(&person, 3, &say(b""));
    gateway.hear(&device, 4, &numerics(4));
    gateway.flush();
    sink.take(&gateway.records());
    let db = sink.db();
    let whose = "SELECT numeric.mantissa, context.token
                 FROM numeric JOIN block ON numeric.id BETWEEN block.first_row AND block.last_row
                   LEFT JOIN context ON context.id = block.context
                 WHERE numeric.mantissa < 100 ORDER BY 1";
    let whose: Vec<(i64, Option<Vec<u8>>)> = db
        .rows(whose, &[])
        .unwrap()
        .iter()
        .map(|row| (row.at(0).unwrap(), row.at(1).unwrap()))
        .collect();
    let wanted = [(61, None), (62, Some(b"one")), (63, Some(b"two")), (64, None)];
    assert_eq!(whose, wanted.map(|(value, token)| (value, token.map(|token| token.to_vec()))));
    let notes = "SELECT phase, text FROM note WHERE kind = 'association' ORDER BY id";
    let notes: Vec<(u8, String)> = db
        .rows(notes, &[])
        .unwrap()
        .iter()
        .map(|row| (row.at(0).unwrap(), row.at(1).unwrap()))
        .collect();
    assert_eq!(notes, [0, 5, 0, 5].map(|phase| (phase, "nurse".to_owned())));
}
