//! P3 unaltered: a record counts only in the name of who made it, in the place it was made for.

use tempfile::{TempDir, tempdir};
use wire::frame::{Core, hash_of, join};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{GatewayId, Lane, RecordHash};
use wire::receipt::{Disposition, Reason};
use wire::seal::{SegmentSecret, seal_frame, seal_header};
use wire::segment::{Found, Header, Suite};
use wire::signed::{Purpose, sign, signing_key_id};

use crate::device::{alert, monitor, numerics, wave};
use crate::gateway::{Gateway, Sent, clock};
use crate::sink::{Sink, fates};
use rig::fleet::{Fleet, named};

const SUITE: Suite = Suite::X25519;

/// Two gateways that are both enrolled.
struct Site {
    fleet: Fleet,
    one: Gateway,
    other: Gateway,
    sink: Sink,
    folder: TempDir,
}

fn site() -> Site {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(SUITE);
    let (one, other) = (named("gw-1"), named("gw-2"));
    let sink = Sink::create(&fleet, folder.path(), &[one, other]);
    let one = Gateway::start(&fleet, one, &folder.path().join("one"));
    let other = Gateway::start(&fleet, other, &folder.path().join("other"));
    Site { fleet, one, other, sink, folder }
}

/// A header, a frame and a gap of the vital lane.
fn three_kinds(gateway: &mut Gateway) -> Vec<Sent> {
    gateway.hear_each(&monitor(1, 7), 1..=1, numerics);
    let hole = Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (3, 3),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    };
    gateway.buffer.append_gap(Lane::Vital, hole, &gateway.now()).unwrap();
    gateway.flush();
    gateway.records_of(Lane::Vital)
}

#[test]
fn a_record_on_another_gateways_topic_is_not_kept() {
    let Site { mut one, other, mut sink, folder: _folder, .. } = site();
    let records = three_kinds(&mut one);
    let before = sink.rows();

    let moved: Vec<Sent> = records.iter().map(|sent| sent.on(other.id, sent.lane)).collect();
    sink.take(&moved);

    assert_eq!(sink.rows(), before);
    assert_eq!(sink.dropped.len(), 3);
    for reason in &sink.dropped {
        assert!(reason.to_string().contains("the signature is not by key"), "{reason}");
    }
}

#[test]
fn a_record_on_another_lanes_topic_gives_no_reading() {
    let Site { mut one, mut sink, folder: _folder, .. } = site();
    let records = three_kinds(&mut one);
    sink.take(&records[..1]);
    let before = sink.readings();

    for sent in &records {
        let moved = sent.on(sent.gateway, Lane::Wave);
        if let Ok(judged) = sink.judge(&moved) {
            assert_eq!(judged.disposition, Disposition::Refused);
            assert_eq!(judged.reason, Reason::Misplaced);
        }
        sink.take(&[moved]);
    }

    assert_eq!(sink.readings(), before);
}

#[test]
fn a_record_on_another_lanes_topic_does_not_shut_out_the_true_one() {
    let Site { mut one, mut sink, folder: _folder, .. } = site();
    let records = three_kinds(&mut one);

    for sent in &records {
        sink.take(&[sent.on(sent.gateway, Lane::Wave)]);
    }
    let rounds = sink.take(&records);

    let segment = records[0].segment;
    assert_eq!(fates(&rounds), [(segment, 0, 2, Disposition::Stored, Reason::None)]);
    assert_eq!(sink.heart_rates(), [61]);
    let books = sink.books(one.id, Lane::Vital);
    assert_eq!((books.present, books.linked, books.refused), (3, 3, 0));
}

/// A gateway whose key is in wrong hands: it signs whatever it likes, in another's segment.
struct Thief<'a> {
    gateway: &'a Gateway,
    fleet: &'a Fleet,
    victim: &'a Sent,
}

impl Thief<'_> {
    fn send(&self, bytes: Vec<u8>) -> Sent {
        Sent::read(self.gateway.id, self.victim.lane, bytes)
    }

    fn header(&self) -> Sent {
        let header = Header {
            suite: SUITE,
            lane: self.victim.lane,
            gateway: self.gateway.id,
            segment: self.victim.segment,
            boot: wire::identity::BootId([1; 16]),
            start_count: 1,
            sequence_next: 1,
            continues: None,
            found: Found::Nothing,
            signing_key: signing_key_id(&self.gateway.signer.verifying_key()),
            clock: clock(0),
            receipt_seen: 0,
            software: "0.1.0".to_owned(),
        };
        let secret = SegmentSecret::from_bytes([3; 32]);
        let recipients = self.fleet.keyring.recipients(self.victim.lane, SUITE);
        let ephemeral = SegmentSecret::from_bytes([4; 32]);
        let sealed = seal_header(&header, &secret, &ephemeral, &recipients, &self.gateway.signer);
        self.send(sealed.unwrap().0)
    }

    fn frame(&self, index: u32, previous: RecordHash) -> Sent {
        let core = Core {
            lane: self.victim.lane,
            segment: self.victim.segment,
            index,
            sequence_first: 1,
            sequence_last: 1,
            previous,
            content_root: [0; 32],
        };
        let keys = wire::seal::SegmentKeys::derive(&SegmentSecret::from_bytes([3; 32]), b"any");
        let sealed = seal_frame(&keys, &self.gateway.signer, &core, vec![0x80]);
        self.send(sealed.unwrap().0)
    }

    fn gap(&self, index: u32, previous: RecordHash) -> Sent {
        let hole = Hole {
            segment: Some(self.victim.segment),
            indexes: (1, 1),
            sequences: Some((1, 2)),
            readings: (2, 2),
            moments: None,
            cause: Cause::Evicted,
            before: None,
            after: None,
        };
        let (lane, segment) = (self.victim.lane, self.victim.segment);
        let gap = Gap { lane, segment, index, previous, hole };
        let signed = sign(&self.gateway.signer, Purpose::Record, gap.encode());
        assert_eq!(hash_of(&signed).0.len(), 32);
        self.send(join(&signed, None))
    }
}

fn books(sink: &Sink, gateway: GatewayId) -> [u64; 7] {
    let of = sink.books(gateway, Lane::Vital);
    [of.present, of.missing, of.linked, of.waiting, of.forked, of.held, of.refused]
}

#[test]
fn a_gateway_cannot_write_into_anothers_segment() {
    let Site { mut one, other, mut sink, fleet, folder: _folder } = site();
    one.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = one.records();
    sink.take(&records);
    let (before, readings) = (books(&sink, one.id), sink.readings());
    let thief = Thief { gateway: &other, fleet: &fleet, victim: &records[0] };

    let frame = thief.frame(9, records[2].hash);
    let judged = sink.judge(&frame).unwrap();
    sink.take_each(&[frame, thief.gap(7, records[1].hash)]);

    assert_eq!(judged.reason, Reason::Misplaced);
    assert_eq!(sink.readings(), readings, "nothing of it is stored");
    assert_eq!(books(&sink, one.id), before, "the owner's books are as they were");
}

#[test]
fn a_gateway_cannot_take_over_anothers_segment() {
    let Site { mut one, other, mut sink, fleet, folder: _folder } = site();
    one.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = one.records();
    sink.take(&records[..2]);
    let thief = Thief { gateway: &other, fleet: &fleet, victim: &records[0] };

    sink.take(&[thief.header()]);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&records[2..]);

    assert_eq!(sink.heart_rates(), [61, 62], "the owner goes on as if nothing had been");
    assert_eq!(books(&sink, one.id), [3, 0, 3, 0, 0, 0, 0]);
}

#[test]
fn a_gateway_cannot_claim_a_segment_before_its_owner_does() {
    let Site { mut one, other, mut sink, fleet, folder: _folder } = site();
    one.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = one.records();
    let thief = Thief { gateway: &other, fleet: &fleet, victim: &records[0] };

    sink.take_each(&[thief.frame(1, records[0].hash), thief.header()]);
    sink.take(&records);

    assert_eq!(sink.heart_rates(), [61, 62]);
    assert_eq!(books(&sink, one.id), [3, 0, 3, 0, 0, 0, 0]);
}

#[test]
fn a_second_header_of_one_segment_does_not_replace_the_first() {
    let Site { mut one, mut sink, fleet, folder: _folder, .. } = site();
    one.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = one.records();
    sink.take(&records[..2]);
    let thief = Thief { gateway: &one, fleet: &fleet, victim: &records[0] };

    sink.take(&[thief.header()]);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&records[2..]);

    assert_eq!(sink.heart_rates(), [61, 62]);
}

#[test]
fn a_held_frame_is_held_in_its_own_lane() {
    let Site { mut one, mut sink, folder: _folder, .. } = site();
    one.hear_each(&monitor(1, 7), 1..=1, numerics);
    let records = one.records();

    sink.take(&[records[1].on(one.id, Lane::Wave)]);
    sink.take(&records);

    assert_eq!(sink.books(one.id, Lane::Wave).present, 0);
    assert_eq!(sink.books(one.id, Lane::Vital).present, 2);
    assert_eq!(sink.heart_rates(), [61]);
}

#[test]
fn every_lane_keeps_to_its_own_topic() {
    let Site { mut one, mut sink, folder: _folder, .. } = site();
    let device = monitor(1, 7);
    one.hear(&device, 1, &numerics(1));
    one.hear(&device, 2, &wave(2));
    one.hear(&device, 3, &alert(3, "HR LOW"));
    one.flush();
    let records = one.records();

    for lane in Lane::ALL {
        let strangers = records.iter().filter(|sent| sent.lane != lane);
        let moved: Vec<Sent> = strangers.map(|sent| sent.on(one.id, lane)).collect();
        sink.take(&moved);
    }

    assert_eq!(sink.readings().values().sum::<u64>(), 0);
}
