//! P3 unaltered: no bit of anything that is signed or sealed can change without being noticed.

use tempfile::{TempDir, tempdir};
use wire::frame::{Core, Record, frame_payload, join, read_frame_payload};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::keyring::Keyring;
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::segment::Suite;
use wire::signed::{Purpose, sign};
use wire::time::UnixNanos;

use crate::device::{alert, monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, fates};
use rig::fleet::{Fleet, named};

/// A site with one gateway that has said two small things, and a sink that has the headers.
struct Site {
    fleet: Fleet,
    gateway: Gateway,
    sink: Sink,
    records: Vec<Sent>,
    folder: TempDir,
}

fn site(suite: Suite) -> Site {
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(suite), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let sink = Sink::create(&fleet, folder.path(), &[id]);
    Site { fleet, gateway, sink, records, folder }
}

/// Every record that differs from this one in one bit.
fn flips(sent: &Sent, step: usize) -> impl Iterator<Item = Sent> {
    (0..sent.bytes.len() * 8).step_by(step).map(|bit| {
        let mut bad = sent.clone();
        bad.bytes[bit / 8] ^= 1 << (bit % 8);
        bad
    })
}

/// A gap of this lane behind a record, as its gateway would sign it.
fn gap_behind(gateway: &Gateway, before: &Sent, hole: Hole) -> Sent {
    let (lane, segment) = (before.lane, before.segment);
    let gap = Gap { lane, segment, index: before.index + 1, previous: before.hash, hole };
    let signed = sign(&gateway.signer, Purpose::Record, gap.encode());
    Sent::read(gateway.id, lane, join(&signed, None))
}

fn hole() -> Hole {
    Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (0, 5),
        moments: Some((UnixNanos(0), UnixNanos(1))),
        cause: Cause::Overflow,
        before: None,
        after: None,
    }
}

/// Each of these is refused for a reason that has words, and gives no reading.
fn all_are_refused(sink: &mut Sink, bad: impl Iterator<Item = Sent>) -> usize {
    let before = sink.readings();
    let mut count = 0;
    for sent in bad {
        count += 1;
        match sink.judge(&sent) {
            Err(unsigned) => assert!(unsigned.to_string().len() > 10, "{unsigned}"),
            Ok(disposed) => {
                assert_eq!(disposed.disposition, Disposition::Refused);
                assert_eq!(disposed.reason, Reason::Forged);
            }
        }
        sink.take(&[sent]);
    }
    assert_eq!(sink.readings(), before);
    count
}

#[test]
fn any_flipped_bit_of_a_frame_is_refused_with_a_reason() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    sink.take(&records[..1]);

    let count = all_are_refused(&mut sink, flips(&records[1], 1));

    assert_eq!(count, records[1].bytes.len() * 8);
    assert_eq!(sink.ledger().numerics, 0);
}

#[test]
fn any_flipped_bit_of_a_segment_header_is_refused_with_a_reason() {
    for (suite, step) in [(Suite::X25519, 1), (Suite::XWing, 13)] {
        let Site { mut sink, records, folder: _folder, .. } = site(suite);
        let before = sink.rows();

        all_are_refused(&mut sink, flips(&records[0], step));

        assert_eq!(sink.rows(), before);
        assert!(sink.ledger().unsigned > 0);
    }
}

#[test]
fn any_flipped_bit_of_a_gap_is_refused_with_a_reason() {
    let Site { mut sink, records, gateway, folder: _folder, .. } = site(Suite::X25519);
    sink.take(&records);
    let gap = gap_behind(&gateway, &records[2], hole());
    let before = sink.rows();

    all_are_refused(&mut sink, flips(&gap, 1));
    let after = sink.rows();
    let rounds = sink.take(std::slice::from_ref(&gap));

    assert_eq!(after, before);
    let stored = (gap.segment, 3, 3, Disposition::Stored, Reason::None);
    assert_eq!(fates(&rounds), [stored], "the true one is taken");
}

#[test]
fn any_flipped_bit_of_a_receipt_is_refused() {
    let Site { fleet, records, gateway, folder: _folder, .. } = site(Suite::X25519);
    let range = |sent: &Sent| Range {
        first: 0,
        last: sent.index,
        disposition: Disposition::Stored,
        reason: Reason::None,
        last_hash: sent.hash,
    };
    let receipt = Receipt {
        gateway: gateway.id,
        store_epoch: fleet.epoch,
        commit: 300,
        sink_time: UnixNanos(1_767_225_601_000_000_000),
        segments: vec![(records[0].segment, vec![range(&records[2])])],
        headers_wanted: vec![SegmentId([9; 16])],
    };
    let keys = &fleet.keyring.fleet.receipt_keys;
    let good = receipt.sign(&fleet.receipt);

    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refused = Receipt::verify(&bad, keys).unwrap_err();
        assert!(refused.to_string().len() > 10, "bit {bit}: {refused}");
    }

    assert_eq!(Receipt::verify(&good, keys), Ok(receipt));
}

#[test]
fn any_flipped_bit_of_a_keyring_is_refused() {
    let fleet = Fleet::new(Suite::X25519);

    for bit in 0..fleet.document.len() * 8 {
        let mut bad = fleet.document.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refused = Keyring::verify(&bad, &fleet.roots).unwrap_err();
        assert!(refused.to_string().starts_with("keyring: "), "bit {bit}: {refused}");
    }

    assert_eq!(Keyring::verify(&fleet.document, &fleet.roots), Ok(fleet.keyring));
}

#[test]
fn bytes_that_are_cut_off_or_too_long_are_not_kept() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    let before = sink.rows();
    let frame = &records[1];
    let mut bad: Vec<Sent> = Vec::new();
    for length in 0..frame.bytes.len() {
        bad.push(Sent { bytes: frame.bytes[..length].to_vec(), ..frame.clone() });
    }
    for more in [1, 65_536] {
        let mut bytes = frame.bytes.clone();
        bytes.resize(bytes.len() + more, 0);
        bad.push(Sent { bytes, ..frame.clone() });
    }

    for group in bad.chunks(128) {
        sink.take(group);
    }

    assert_eq!(sink.rows(), before);
    assert_eq!(sink.ledger().unsigned, bad.len() as u64);
}

#[test]
fn a_frame_that_was_damaged_on_the_way_does_not_shut_out_the_true_one() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    let (header, frame) = (&records[0], &records[1]);
    let mut damaged = frame.clone();
    *damaged.bytes.last_mut().unwrap() ^= 1;
    sink.take(std::slice::from_ref(header));

    let first = sink.take(&[damaged]);
    let second = sink.take(std::slice::from_ref(frame));

    assert_eq!(fates(&first), [], "the gateway would park what is good");
    let stored = (frame.segment, 1, 1, Disposition::Stored, Reason::None);
    assert_eq!(fates(&second), [stored]);
    assert_eq!(sink.heart_rates(), [61]);
}

#[test]
fn the_ciphertext_of_another_frame_is_refused() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    sink.take(&records[..1]);
    let (one, other) = (&records[1], &records[2]);
    let signed = Record::parse(&one.bytes).unwrap().signed;
    let ciphertext = Record::parse(&other.bytes).unwrap().ciphertext;
    let spliced = Sent { bytes: join(signed, Some(ciphertext)), ..one.clone() };

    all_are_refused(&mut sink, std::iter::once(spliced));

    assert_eq!(sink.ledger().numerics, 0);
}

/// A frame whose core is changed and which its own gateway signs again.
fn signed_again(gateway: &Gateway, sent: &Sent, change: impl FnOnce(&mut Core)) -> Sent {
    let record = Record::parse(&sent.bytes).unwrap();
    let (mut core, _, _) = read_frame_payload(record.payload).unwrap();
    change(&mut core);
    let payload = frame_payload(&core.encode(), record.ciphertext);
    let signed = sign(&gateway.signer, Purpose::Record, payload);
    Sent::read(sent.gateway, core.lane, join(&signed, Some(record.ciphertext)))
}

#[test]
fn a_frame_that_is_moved_into_another_segment_is_refused_as_forged() {
    let Site { mut sink, records, gateway, fleet, folder: _folder } = site(Suite::X25519);
    let mut gateway = gateway.crash_and_start(&fleet);
    gateway.hear_each(&monitor(1, 7), 3..=3, numerics);
    let all = gateway.records();
    let target = all.iter().rfind(|sent| sent.index == 0).unwrap();
    sink.take(&all);
    let before = sink.readings();

    let spliced = signed_again(&gateway, &records[1], |core| core.segment = target.segment);
    let rounds = sink.take(std::slice::from_ref(&spliced));

    let refused = (target.segment, 1, 1, Disposition::Refused, Reason::Forged);
    assert_eq!(fates(&rounds), [refused]);
    assert_eq!(sink.readings(), before);
    assert_eq!(sink.ledger().kept[0].reason, "forged or damaged");
}

#[test]
fn no_field_of_a_frame_can_be_changed_even_by_who_may_sign() {
    let Site { mut sink, records, gateway, folder: _folder, .. } = site(Suite::X25519);
    sink.take(&records[..1]);
    let changes: [fn(&mut Core); 5] = [
        |core| core.index += 5,
        |core| core.sequence_first -= 1,
        |core| core.sequence_last += 1,
        |core| core.previous.0[0] ^= 1,
        |core| core.content_root[31] ^= 1,
    ];

    for change in changes {
        let bad = signed_again(&gateway, &records[1], change);
        let judged = sink.judge(&bad).unwrap();
        assert_eq!(judged.disposition, Disposition::Refused);
        assert_eq!(judged.reason, Reason::Forged);
    }
}

#[test]
fn a_record_of_nobody_enrolled_is_not_kept() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    let before = sink.rows();
    let stranger: GatewayId = named("gw-9");

    let moved: Vec<Sent> = records.iter().map(|sent| sent.on(stranger, sent.lane)).collect();
    sink.take(&moved);

    assert_eq!(sink.rows(), before);
    assert_eq!(sink.ledger().unsigned, 3);
    assert_eq!(sink.dropped[0].to_string(), "gateway gw-9 is not enrolled");
}

#[test]
fn an_alert_in_a_frame_is_as_well_protected_as_a_number() {
    let Site { mut sink, mut gateway, folder: _folder, .. } = site(Suite::X25519);
    gateway.hear(&monitor(1, 7), 3, &alert(3, "HR LOW"));
    gateway.flush();
    let alerts = gateway.records_of(Lane::Alert);
    sink.take(&alerts[..1]);

    all_are_refused(&mut sink, flips(&alerts[1], 5));
    let found = sink.readings();

    assert_eq!(found["note"], 0);
}

#[test]
fn a_damaged_frame_is_not_held_while_its_header_is_missing() {
    let Site { mut sink, records, folder: _folder, .. } = site(Suite::X25519);
    let mut damaged = records[1].clone();
    *damaged.bytes.last_mut().unwrap() ^= 1;

    let judged = sink.judge(&damaged).map(|disposed| disposed.disposition);

    assert!(!matches!(judged, Ok(Disposition::Held | Disposition::Stored)), "{judged:?}");
}

#[test]
fn a_sink_without_the_key_holds_what_is_whole_and_nothing_else() {
    let folder = tempdir().unwrap();
    let (mut fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    fleet.pairs.clear();
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);

    let rounds = sink.take(&records[..2]);
    let mut damaged = records[2].clone();
    *damaged.bytes.last_mut().unwrap() ^= 1;
    let judged = sink.judge(&damaged).map(|disposed| disposed.disposition);

    let segment = records[0].segment;
    let header = (segment, 0, 0, Disposition::Stored, Reason::None);
    let frame = (segment, 1, 1, Disposition::Held, Reason::NoKey);
    assert_eq!(fates(&rounds), [header, frame]);
    assert_eq!(sink.readings().values().sum::<u64>(), 0);
    assert!(!matches!(judged, Ok(Disposition::Held | Disposition::Stored)), "{judged:?}");
}
