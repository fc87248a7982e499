//! P3 unaltered: what a record says came before it is a stored fact, and shown.

use wire::frame::{Core, Record, read_frame_payload};
use wire::gap::{Cause, Hole};
use wire::identity::{Lane, RecordHash};
use wire::receipt::Disposition;
use wire::seal::{SegmentKeys, open_frame, seal_frame, unwrap_secret, verify_frame};
use wire::segment::read_header_payload;

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::fates;
use crate::site::{Site, site};

/// The same frame with another core, truly sealed: a clone of the gateway could have made it.
fn resealed(site: &Site, header: &Sent, sent: &Sent, change: impl FnOnce(&mut Core)) -> Sent {
    let record = Record::parse(&header.bytes).unwrap();
    let (head, head_core, wrapped) = read_header_payload(record.payload).unwrap();
    let secret = unwrap_secret(&head, head_core, &wrapped, &site.fleet.pairs[0].secret).unwrap();
    let keys = SegmentKeys::derive(&secret, head_core);
    let signer = &site.gateway.signer;
    let record = Record::parse(&sent.bytes).unwrap();
    let frame = verify_frame(&record, &signer.verifying_key()).unwrap();
    let plaintext = open_frame(&keys, &frame).unwrap();
    let (mut core, _, _) = read_frame_payload(record.payload).unwrap();
    change(&mut core);
    let (bytes, _) = seal_frame(&keys, signer, &core, plaintext).unwrap();
    Sent::read(sent.gateway, sent.lane, bytes)
}

#[test]
fn a_whole_chain_over_restarts_is_linked() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    for start in 0..3 {
        let first = start * 10 + 1;
        gateway.hear_each(&monitor(1, 7), first..first + 4, numerics);
        gateway = gateway.crash_and_start(&fleet);
    }

    sink.take(&gateway.records());

    let books = sink.books(gateway.id, Lane::Vital);
    assert_eq!((books.present, books.linked), (15, 15));
    assert_eq!((books.missing, books.waiting, books.bridged, books.forked), (0, 0, 0, 0));
}

#[test]
fn a_record_that_is_missing_is_counted_and_its_follower_waits() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=4, numerics);
    let records = gateway.records();
    let lost = records.iter().position(|sent| sent.index == 2).unwrap();
    let rest: Vec<Sent> = records.iter().filter(|sent| sent.index != 2).cloned().collect();

    sink.take(&rest);
    let before = sink.books(gateway.id, Lane::Vital);
    sink.take(&records[lost..=lost]);
    let after = sink.books(gateway.id, Lane::Vital);

    assert_eq!((before.present, before.missing, before.waiting), (4, 1, 1));
    assert_eq!((after.present, after.missing, after.waiting, after.linked), (5, 0, 0, 5));
}

#[test]
fn a_frame_with_a_wrong_predecessor_is_kept_and_shown_as_waiting() {
    let mut site = site();
    site.gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = site.gateway.records();
    let unknown = RecordHash([0xAB; 32]);
    let odd = resealed(&site, &records[0], &records[2], |core| core.previous = unknown);
    site.sink.take(&records[..2]);

    let rounds = site.sink.take(&[odd]);

    assert_eq!(fates(&rounds)[0].3, Disposition::Stored, "accepting never waits");
    let books = site.sink.books(site.gateway.id, Lane::Vital);
    assert_eq!((books.present, books.linked, books.waiting), (3, 2, 1));
}

#[test]
fn two_records_on_one_predecessor_are_both_kept_and_shown_as_forked() {
    let mut site = site();
    site.gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = site.gateway.records();
    let twin = resealed(&site, &records[0], &records[2], |core| core.sequence_last += 1);
    assert_ne!(twin.hash, records[2].hash);

    site.sink.take(&records);
    let rounds = site.sink.take(&[twin]);

    assert_eq!(fates(&rounds)[0].3, Disposition::Stored);
    let books = site.sink.books(site.gateway.id, Lane::Vital);
    assert_eq!((books.present, books.linked, books.forked), (4, 2, 2));
    assert_eq!(site.sink.heart_rates(), [61, 62], "a repeat is evidence, never a second row");
}

#[test]
fn a_gateway_that_starts_twice_from_one_image_is_shown_as_forked() {
    let Site { fleet, mut gateway, mut sink, folder } = site();
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let common = gateway.records();
    let (image, copy) = (folder.path().join("buffer"), folder.path().join("copy"));
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(&image).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let mut clone = Gateway::start(&fleet, gateway.id, &copy);
    let mut gateway = gateway.crash_and_start(&fleet);

    gateway.hear_each(&monitor(1, 7), 3..=3, numerics);
    clone.hear_each(&monitor(2, 1), 1..=1, numerics);
    sink.take(&gateway.records());
    sink.take(&clone.records());

    let books = sink.books(gateway.id, Lane::Vital);
    assert_eq!(books.present, common.len() as u64 + 4);
    assert_eq!(books.forked, 2, "both headers continue the same record");
    assert_eq!(sink.heart_rates(), [61, 61, 62, 63], "both branches are kept");
}

#[test]
fn a_record_behind_a_declared_gap_is_bridged() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let records = gateway.records();
    let gone = &records[2];
    let hole = Hole {
        segment: Some(gone.segment),
        indexes: (gone.index, gone.index),
        sequences: Some((3, 4)),
        readings: (2, 2),
        moments: None,
        cause: Cause::Damaged,
        before: gone.previous,
        after: Some(gone.hash),
    };
    gateway.buffer.append_gap(Lane::Vital, hole, &gateway.now()).unwrap();
    gateway.flush();
    let all = gateway.records();

    let rest: Vec<Sent> = all.into_iter().filter(|sent| sent.hash != gone.hash).collect();
    sink.take(&rest);

    let books = sink.books(gateway.id, Lane::Vital);
    assert_eq!((books.linked, books.bridged, books.waiting), (3, 1, 0));
    assert_eq!((sink.ledger().gap_records, sink.ledger().gap_readings), (1, 2));
}
