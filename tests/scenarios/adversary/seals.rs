//! What a seal is bound to, against a gateway whose own key is in wrong hands.

use agent::seal::sealer::Seal;
use agent::seal::{SealError, Sealer, SegmentDraft};
use ed25519_dalek::SigningKey;
use tempfile::tempdir;
use wire::frame::{Core, Record, frame_payload, hash_of, join, read_frame_payload};
use wire::identity::{BootId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::seal::{
    OpenError, RecipientSecret, SegmentKeys, SegmentSecret, open_frame, seal_frame, seal_header,
    unwrap_secret, verify_frame, verify_header,
};
use wire::segment::{Found, Header, Suite, header_payload, read_header_payload};
use wire::signed::{Purpose, sign, signing_key_id};

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent, clock};
use crate::sink::{Sink, fates};
use rig::fleet::{Fleet, named};

/// The same header under another suite and name, with the wrapped secrets as they were.
fn called(gateway: &Gateway, header: &Sent, suite: Suite, segment: SegmentId) -> Sent {
    let record = Record::parse(&header.bytes).unwrap();
    let (head, _, wrapped) = read_header_payload(record.payload).unwrap();
    let payload = header_payload(&Header { suite, segment, ..head }.encode(), &wrapped);
    let signed = sign(&gateway.signer, Purpose::Record, payload);
    Sent::read(gateway.id, header.lane, join(&signed, None))
}

fn moved(gateway: &Gateway, frame: &Sent, segment: SegmentId) -> Sent {
    let record = Record::parse(&frame.bytes).unwrap();
    let (core, _, _) = read_frame_payload(record.payload).unwrap();
    let payload = frame_payload(&Core { segment, ..core }.encode(), record.ciphertext);
    let signed = sign(&gateway.signer, Purpose::Record, payload);
    Sent::read(gateway.id, frame.lane, join(&signed, Some(record.ciphertext)))
}

#[test]
fn downgrade_of_a_segment_s_suite_opens_nothing_even_when_its_gateway_signs_it() {
    for (suite, other) in [(Suite::XWing, Suite::X25519), (Suite::X25519, Suite::XWing)] {
        let folder = tempdir().unwrap();
        let (fleet, id) = (Fleet::new(suite), named("gw-1"));
        let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
        gateway.hear_each(&monitor(1, 7), 1..=1, numerics);
        let records = gateway.records();
        let mut sink = Sink::create(&fleet, folder.path(), &[id]);
        let segment = SegmentId([0xD0; 16]);

        sink.take(&[called(&gateway, &records[0], other, segment)]);
        let rounds = sink.take(&[moved(&gateway, &records[1], segment)]);

        let held = (segment, 1, 1, Disposition::Held, Reason::NoKey);
        assert_eq!(fates(&rounds), [held]);
        assert_eq!(sink.readings().values().sum::<u64>(), 0);
    }
}

fn draft(lane: Lane) -> SegmentDraft {
    SegmentDraft {
        lane,
        gateway: named("gw-1"),
        boot: BootId([0xB0; 16]),
        start_count: 1,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        clock: clock(1),
        receipt_seen: 0,
        software: "0.1.0".into(),
    }
}

#[test]
fn downgrade_by_a_keyring_of_the_weaker_suite_alone_seals_nothing() {
    let weaker = Fleet::new(Suite::X25519);
    let signer = Fleet::signer(named("gw-1"));
    let mut seal = Seal::new(signer, weaker.keyring.clone(), Suite::XWing);

    for lane in Lane::ALL {
        let refused = seal.open_segment(draft(lane));
        assert!(matches!(refused, Err(SealError::Recipient { lane: of }) if of == lane));
    }
}

/// One header that wraps one secret for each of these recipients, and what seals under each.
fn two_secrets(fleet: &Fleet, signer: &SigningKey) -> (Vec<u8>, [SegmentKeys; 2], RecipientSecret) {
    let segment = SegmentId([0x2F; 16]);
    let header = Header {
        suite: fleet.suite,
        lane: Lane::Vital,
        gateway: named("gw-1"),
        segment,
        boot: BootId([1; 16]),
        start_count: 1,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        signing_key: signing_key_id(&signer.verifying_key()),
        clock: clock(0),
        receipt_seen: 0,
        software: "0.1.0".into(),
    };
    let (recovery, offline) = RecipientSecret::generate(fleet.suite);
    let sink = fleet.keyring.recipients(Lane::Vital, fleet.suite);
    let mut wrapped = Vec::new();
    let keys = [(1, sink), (2, vec![offline])].map(|(number, recipients)| {
        let secret = SegmentSecret::from_bytes([number; 32]);
        let ephemeral = SegmentSecret::from_bytes([number + 8; 32]);
        let made = seal_header(&header, &secret, &ephemeral, &recipients, signer).unwrap();
        let record = Record::parse(&made.0).unwrap();
        wrapped.extend(read_header_payload(record.payload).unwrap().2);
        made.2
    });
    let signed = sign(signer, Purpose::Record, header_payload(&header.encode(), &wrapped));
    (join(&signed, None), keys, recovery)
}

#[test]
fn commitment_of_a_frame_is_to_one_of_two_secrets_that_its_header_wraps() {
    for suite in [Suite::X25519, Suite::XWing] {
        let (fleet, signer) = (Fleet::new(suite), Fleet::signer(named("gw-1")));
        let (header, keys, recovery) = two_secrets(&fleet, &signer);
        let previous = hash_of(Record::parse(&header).unwrap().signed);
        let core = Core {
            lane: Lane::Vital,
            segment: SegmentId([0x2F; 16]),
            index: 1,
            sequence_first: 1,
            sequence_last: 1,
            previous,
            content_root: [0; 32],
        };
        let frames = keys.map(|keys| {
            let text = vec![0x81, 0x41, 7];
            seal_frame(&keys, &signer, &core, text).unwrap().0
        });
        let key = signer.verifying_key();
        let open = |frame: &[u8], secret: &RecipientSecret| -> Result<Vec<u8>, OpenError> {
            let record = Record::parse(&header).unwrap();
            let (header, core, wrapped) = verify_header(&record, &key).unwrap();
            let secret = unwrap_secret(&header, core, &wrapped, secret).unwrap();
            let record = Record::parse(frame).unwrap();
            let frame = verify_frame(&record, &key).unwrap();
            open_frame(&SegmentKeys::derive(&secret, core), &frame)
        };

        let sink = &fleet.pairs[0].secret;
        assert!(open(&frames[0], sink).is_ok() && open(&frames[1], &recovery).is_ok());
        assert_eq!(open(&frames[0], &recovery), Err(OpenError::Forged { index: 1 }));
        assert_eq!(open(&frames[1], sink), Err(OpenError::Forged { index: 1 }));
        let roots = frames.map(|frame| {
            let record = Record::parse(&frame).unwrap();
            read_frame_payload(record.payload).unwrap().0.content_root
        });
        assert_ne!(roots[0], roots[1], "one text under two secrets has two roots");
    }
}
