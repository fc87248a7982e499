//! Only a receipt that names a record's own hash lets a gateway forget it.

use agent::buffer::Settled;
use cloud_sink::receipt::sign;
use cloud_sink::store::{Committed, Signable};
use ed25519_dalek::SigningKey;
use tempfile::tempdir;
use wire::frame::{Record, read_frame_payload};
use wire::identity::{Lane, RecordHash, SegmentId};
use wire::limits::RECEIPT_RANGES_MAX;
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::seal::{SegmentKeys, open_frame, seal_frame, unwrap_secret, verify_frame};
use wire::segment::{Suite, read_header_payload};
use wire::signed::SignatureError;
use wire::time::UnixNanos;

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, fates, receipts, settle};
use crate::site::Site;
use rig::fleet::{Fleet, named};

/// When the sink of these tests signs.
const SIGNED: UnixNanos = UnixNanos(1_767_225_600_000_000_000);

/// A site whose gateway has heard four frames.
fn site() -> Site {
    let mut site = crate::site::site();
    site.gateway.hear_each(&monitor(1, 7), 1..=4, numerics);
    site
}

fn stored(first: u32, last: u32, last_hash: RecordHash) -> Range {
    Range { first, last, disposition: Disposition::Stored, reason: Reason::None, last_hash }
}

fn indexes(gateway: &mut Gateway) -> Vec<u32> {
    gateway.records().iter().map(|sent| sent.index).collect()
}

#[test]
fn a_record_is_settled_only_under_a_range_that_names_its_hash() {
    let Site { mut gateway, folder: _folder, .. } = site();
    let records = gateway.records();
    let (segment, now) = (records[0].segment, gateway.now());
    let mut settle = |segment, range| gateway.buffer.settle(segment, &range, &now).unwrap();

    let strange = [
        settle(segment, stored(0, 2, RecordHash([7; 32]))),
        settle(segment, stored(0, 2, records[1].hash)),
        settle(segment, stored(0, 9, records[4].hash)),
        settle(SegmentId([7; 16]), stored(0, 2, records[2].hash)),
    ];
    let ours = settle(segment, stored(1, 2, records[2].hash));

    assert_eq!(strange, [Settled::Foreign; 4]);
    assert_eq!(ours, Settled::Ours);
    assert_eq!(gateway.buffer.figures().receipts_foreign, 3);
    assert_eq!(indexes(&mut gateway), [0, 3, 4]);
}

#[test]
fn what_was_receipted_is_forgotten_only_when_all_of_it_is() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let records = gateway.records();
    let all = gateway.buffer.backlog_bytes();

    let rounds = sink.take(&records[..3]);
    settle(&mut gateway, &receipts(&fleet, &rounds));
    let some = gateway.buffer.backlog_bytes();
    let mut gateway = gateway.crash_and_start(&fleet);
    let offered = gateway.records().len();
    let rounds = sink.take(&gateway.records());
    settle(&mut gateway, &receipts(&fleet, &rounds));

    assert!(0 < some && some < all);
    assert_eq!(offered, 5, "a closed segment is offered until the last of it has a receipt");
    assert_eq!(gateway.buffer.backlog_bytes(), 0);
    assert_eq!(gateway.records().len(), 0);
    let again = gateway.crash_and_start(&fleet);
    assert_eq!((again.recovery.segments_open, again.recovery.segments_done), (0, 1));
}

#[test]
fn what_a_sink_refused_is_parked_and_never_forgotten() {
    let Site { mut gateway, folder: _folder, .. } = site();
    let records = gateway.records();
    let (segment, now) = (records[0].segment, gateway.now());
    let (disposition, reason) = (Disposition::Refused, Reason::Content);
    let refused = Range { disposition, reason, ..stored(2, 2, records[2].hash) };
    let before = gateway.buffer.backlog_bytes();

    gateway.buffer.settle(segment, &refused, &now).unwrap();

    assert_eq!(indexes(&mut gateway), [0, 1, 3, 4], "parked, not sent again");
    assert_eq!(gateway.buffer.backlog_bytes(), before, "not counted as safe");
    assert_eq!(gateway.buffer.figures().records_refused, 1);
}

#[test]
fn a_receipt_of_another_key_is_refused() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let rounds = sink.take(&gateway.records());
    let thief = SigningKey::from_bytes(&[0x99; 32]);

    let forged = sign(&rounds[0], fleet.epoch, SIGNED, &thief);
    let by_gateway = sign(&rounds[0], fleet.epoch, SIGNED, &gateway.signer);

    for receipt in forged.iter().chain(&by_gateway) {
        let refused = Receipt::verify(&receipt.bytes, &fleet.keyring.fleet.receipt_keys);
        assert!(matches!(refused, Err(SignatureError::Forged { .. })), "{refused:?}");
    }
}

#[test]
fn the_ranges_of_a_mixed_commit_are_exact() {
    let Site { mut gateway, mut sink, fleet, folder: _folder } = site();
    gateway.hear_each(&monitor(2, 1), 1..=6, numerics);
    let first = gateway.records();
    let mut gateway = gateway.crash_and_start(&fleet);
    gateway.hear_each(&monitor(2, 1), 7..=9, numerics);
    let all = gateway.records();
    let second = &all[first.len()..];
    let mut forged = first[5].clone();
    forged.bytes[60] ^= 1;
    let chosen = [0, 1, 2, 4, 7, 8].map(|at| first[at].clone());

    let group: Vec<Sent> =
        chosen.into_iter().chain([forged]).chain(second[1..].iter().cloned()).collect();
    let rounds = sink.take(&group);
    let receipt = &receipts(&fleet, &rounds)[0];

    let (known, unknown) = (first[0].segment, second[0].segment);
    let held = Range {
        disposition: Disposition::Held,
        reason: Reason::NoHeader,
        ..stored(1, 3, second[3].hash)
    };
    let ranges =
        vec![stored(0, 2, first[2].hash), stored(4, 4, first[4].hash), stored(7, 8, first[8].hash)];
    let mut wanted = vec![(known, ranges), (unknown, vec![held])];
    wanted.sort_by_key(|(segment, _)| *segment);
    assert_eq!(receipt.segments, wanted);
    assert_eq!(receipt.headers_wanted, [unknown]);
    assert_eq!((receipt.gateway, receipt.store_epoch), (gateway.id, fleet.epoch));
    assert_eq!(receipt.commit, 1);
}

/// The same frame once more at its index, truly sealed, but with another lane sequence.
fn twin(site: &Site, header: &Sent, sent: &Sent) -> Sent {
    let record = Record::parse(&header.bytes).unwrap();
    let (head, core, wrapped) = read_header_payload(record.payload).unwrap();
    let secret = unwrap_secret(&head, core, &wrapped, &site.fleet.pairs[0].secret).unwrap();
    let keys = SegmentKeys::derive(&secret, core);
    let record = Record::parse(&sent.bytes).unwrap();
    let frame = verify_frame(&record, &site.gateway.signer.verifying_key()).unwrap();
    let plaintext = open_frame(&keys, &frame).unwrap();
    let (mut core, _, _) = read_frame_payload(record.payload).unwrap();
    core.sequence_last += 1;
    let (bytes, _) = seal_frame(&keys, &site.gateway.signer, &core, plaintext).unwrap();
    Sent::read(sent.gateway, sent.lane, bytes)
}

#[test]
fn a_range_joins_only_records_that_follow_each_other() {
    let mut site = site();
    let records = site.gateway.records();
    let twin = twin(&site, &records[0], &records[2]);

    let group = [records[0].clone(), records[1].clone(), twin, records[3].clone()];
    let rounds = site.sink.take(&group);
    settle(&mut site.gateway, &receipts(&site.fleet, &rounds));

    let offered = indexes(&mut site.gateway);
    assert!(offered.contains(&2), "the sink has another record 2 than ours: {offered:?}");
}

#[test]
fn a_commit_with_many_ranges_gives_several_receipts_that_all_verify() {
    let fleet = Fleet::new(Suite::X25519);
    let count = 2 * RECEIPT_RANGES_MAX as u32 + 9;
    let range = |at: u32| stored(2 * at, 2 * at, RecordHash([3; 32]));
    let (many, few) = (SegmentId([1; 16]), SegmentId([2; 16]));
    let segments = vec![(many, (0..count).map(range).collect()), (few, vec![range(0), range(1)])];
    let headers_wanted = vec![SegmentId([5; 16])];
    let one = Signable { gateway: named("gw-1"), segments: segments.clone(), headers_wanted };
    let committed = Committed { commit: 7, gateways: vec![one], parked: Vec::new() };

    let receipts = receipts(&fleet, &[committed]);

    assert_eq!(receipts.len(), 3);
    assert_eq!(receipts[0].headers_wanted, [SegmentId([5; 16])]);
    let flat = |segments: &[(SegmentId, Vec<Range>)]| -> Vec<(SegmentId, u32)> {
        let each = |(id, ranges): &(SegmentId, Vec<Range>)| {
            ranges.iter().map(|range| (*id, range.first)).collect::<Vec<_>>()
        };
        segments.iter().flat_map(each).collect()
    };
    let signed: Vec<_> = receipts.iter().flat_map(|one| flat(&one.segments)).collect();
    assert_eq!(signed, flat(&segments));
}

#[test]
fn every_gateway_gets_a_receipt_of_its_own() {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let names = ["gw-2", "gw-1", "gw-3"].map(named);
    let mut sink = Sink::create(&fleet, folder.path(), &names);
    let mut gateways = names.map(|id| {
        let mut gateway = Gateway::start(&fleet, id, &folder.path().join(id.as_str()));
        gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
        gateway
    });
    let mut mixed = Vec::new();
    let records = [0, 1, 2].map(|at: usize| gateways[at].records());
    (0..3).for_each(|at| mixed.extend(records.iter().map(|list| list[at].clone())));

    let rounds = sink.take(&mixed);
    let receipts = receipts(&fleet, &rounds);
    gateways.iter_mut().for_each(|gateway| settle(gateway, &receipts));

    assert_eq!(receipts.len(), 3);
    assert_eq!(fates(&rounds).len(), 3);
    for gateway in &mut gateways {
        assert_eq!(gateway.records_of(Lane::Vital).len(), 0, "{}", gateway.id);
    }
}
