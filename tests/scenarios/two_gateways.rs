//! P2 no silent loss: a device that talks to several gateways is stored once and whole.

use tempfile::{TempDir, tempdir};
use wire::segment::Suite;

use crate::device::{monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

struct Site {
    fleet: Fleet,
    one: Gateway,
    other: Gateway,
    sink: Sink,
    folder: TempDir,
}

fn site() -> Site {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let (one, other) = (named("gw-1"), named("gw-2"));
    let sink = Sink::create(&fleet, folder.path(), &[one, other]);
    let one = Gateway::start(&fleet, one, &folder.path().join("one"));
    let other = Gateway::start(&fleet, other, &folder.path().join("other"));
    Site { fleet, one, other, sink, folder }
}

fn numbers(last: i64) -> Vec<i64> {
    (61..=60 + last).collect()
}

#[test]
fn readings_that_two_gateways_deliver_are_stored_once() {
    let Site { fleet, mut one, mut other, mut sink, folder: _folder } = site();
    one.hear_all(&monitor(1, 7), 1..=8, numerics);
    other.hear_all(&monitor(1, 7), 6..=14, numerics);

    sink.take(&other.records());
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&one.records());

    assert_eq!(sink.heart_rates(), numbers(14));
}

#[test]
fn a_device_that_changes_gateways_with_every_frame_is_stored_whole() {
    let Site { mut one, mut other, mut sink, folder: _folder, .. } = site();
    for sequence in 1..=12 {
        let gateway = if sequence % 2 == 0 { &mut one } else { &mut other };
        gateway.hear_each(&monitor(1, 7), sequence..=sequence, numerics);
    }

    let (mut ours, theirs) = (one.records(), other.records());
    ours.extend(theirs);
    sink.take(&ours);

    assert_eq!(sink.heart_rates(), numbers(12));
}

#[test]
fn a_device_that_leaves_and_comes_back_within_one_batch_is_stored_whole() {
    let Site { mut one, mut other, mut sink, folder: _folder, .. } = site();
    let (first, second) = (monitor(1, 7), monitor(1, 7));
    for sequence in 1..=3 {
        one.hear(&first, sequence, &numerics(sequence));
    }
    for sequence in 7..=9 {
        one.hear(&second, sequence, &numerics(sequence));
    }
    one.flush();
    other.hear_all(&monitor(1, 7), 4..=6, numerics);

    sink.take(&one.records());
    sink.take(&other.records());

    assert_eq!(sink.heart_rates(), numbers(9));
}

#[test]
fn a_device_that_leaves_and_comes_back_in_the_next_batch_is_stored_whole() {
    let Site { mut one, mut other, mut sink, folder: _folder, .. } = site();
    one.hear_all(&monitor(1, 7), 1..=3, numerics);
    one.hear_all(&monitor(1, 7), 7..=9, numerics);
    other.hear_all(&monitor(1, 7), 4..=6, numerics);

    sink.take(&one.records());
    sink.take(&other.records());

    assert_eq!(sink.heart_rates(), numbers(9));
}
