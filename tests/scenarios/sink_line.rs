//! The sink's own two threads: what they commit is signed for, and signed for only when committed.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use cloud_sink::line::{Committer, verify_all};
use cloud_sink::receive::driver::{Answer, Incoming};
use tempfile::tempdir;
use tokio::sync::{mpsc, watch};
use wire::identity::SegmentId;
use wire::receipt::{Disposition, Receipt};
use wire::segment::Suite;

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

/// How long both threads together may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs deliveries through both threads; ends when `enough` of the receipts says so.
fn run(
    fleet: &Fleet,
    sink: Sink,
    sent: &[Sent],
    enough: impl Fn(&[Receipt]) -> bool,
) -> Vec<Receipt> {
    let (verifier, store) = sink.into_parts();
    let (incoming, to_verify) = mpsc::channel(64);
    let (to_store, verified) = mpsc::channel(64);
    let (answers, mut answered) = mpsc::channel(256);
    let (key, again) = (fleet.receipt.clone(), incoming.downgrade());
    let committer = Committer::new(store, watch::channel(key).1, answers, again);
    let verifying = thread::spawn(move || verify_all(verifier, to_verify, &to_store));
    let committing = thread::spawn(move || committer.run(verified));
    for one in sent {
        let (gateway, lane, bytes) = (one.gateway, one.lane, one.bytes.clone());
        incoming.blocking_send(Incoming { gateway, lane, bytes, ticket: None }).unwrap();
    }
    let (mut receipts, until) = (Vec::new(), Instant::now() + PATIENCE);
    while !enough(&receipts) {
        assert!(Instant::now() < until, "not signed for in time: {receipts:?}");
        if let Ok(Answer::Receipt(signed)) = answered.try_recv() {
            let keys = &fleet.keyring.fleet.receipt_keys;
            receipts.push(Receipt::verify(&signed.bytes, keys).unwrap());
        }
        thread::yield_now();
    }
    drop((incoming, answered));
    verifying.join().unwrap();
    committing.join().unwrap();
    receipts
}

/// Every record that some receipts call stored.
fn stored(receipts: &[Receipt]) -> BTreeSet<(SegmentId, u32)> {
    let segments = receipts.iter().flat_map(|receipt| &receipt.segments);
    let ranges = segments.flat_map(|(id, ranges)| ranges.iter().map(move |range| (*id, range)));
    let stored = ranges.filter(|(_, range)| range.disposition == Disposition::Stored);
    stored.flat_map(|(id, range)| (range.first..=range.last).map(move |at| (id, at))).collect()
}

#[test]
fn everything_is_signed_for_once_it_is_stored_even_if_it_came_before_its_header() {
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=20, numerics);
    let mut records = gateway.records();
    let sink = Sink::create(&fleet, folder.path(), &[id]);
    let location = sink.location().clone();
    let wanted: BTreeSet<_> = records.iter().map(|sent| (sent.segment, sent.index)).collect();
    records.rotate_left(1);

    let receipts = run(&fleet, sink, &records, |receipts| stored(receipts) == wanted);

    assert_eq!(stored(&receipts), wanted);
    assert_eq!(receipts[0].headers_wanted, [records[0].segment]);
    assert!(receipts.is_sorted_by_key(|receipt| receipt.commit));
    let sink = Sink::open(&fleet, &location);
    assert_eq!(sink.heart_rates(), (61..=80).collect::<Vec<i64>>());
}
