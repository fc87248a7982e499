//! The promises of the log, on a disk that breaks every way that a disk breaks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wire::frame::{Core, Record, RecordKind, frame_payload, hash_of, join, read_frame_payload};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{BootId, GatewayId, KeyId, Lane, RecordHash, SegmentId};
use wire::limits::SEGMENT_FRAMES_MAX;
use wire::receipt::{Disposition, Range, Reason};
use wire::segment::{Found, Header, Suite, header_payload, read_header_payload};
use wire::strict::Writer as Cbor;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

use super::settle::Settled;
use super::{Buffer, Position, Quota, Recovery, Writer};
use crate::seal::{SealError, Sealer, SegmentDraft};
use disk::{Invented, Random};

mod cuts;
mod damage;
pub(crate) mod disk;
mod failures;
mod quota;
mod receipts;

/// What was sealed, over all starts on one disk.
#[derive(Default)]
struct Sealed {
    /// Invariant: no pair is in here twice; that would be one nonce for two plaintexts.
    spent: BTreeSet<(SegmentId, u32)>,
    batches: BTreeMap<u64, Vec<(SegmentId, u32)>>,
    gaps: Vec<Gap>,
    segments: u64,
}

/// Seals nothing, but in the right shape.
struct Cheap {
    sealed: Rc<RefCell<Sealed>>,
    open: Vec<SegmentId>,
}

fn sign(payload: &[u8]) -> Vec<u8> {
    let mut cbor = Cbor::new(Vec::new());
    cbor.bytes(payload).bytes(&[7; 64]);
    let mut signed = vec![0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0];
    signed.extend(cbor.finish().unwrap());
    signed
}

impl Sealer for Cheap {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        let sealed = &mut *self.sealed.borrow_mut();
        sealed.segments += 1;
        let mut random = Random::new(sealed.segments);
        let segment = SegmentId(std::array::from_fn(|_| random.below(256) as u8));
        self.open.push(segment);
        let header = Header {
            suite: Suite::X25519,
            lane: draft.lane,
            gateway: draft.gateway,
            segment,
            boot: draft.boot,
            start_count: draft.start_count,
            sequence_next: draft.sequence_next,
            continues: draft.continues,
            found: draft.found,
            signing_key: KeyId::default(),
            clock: draft.clock,
            receipt_seen: draft.receipt_seen,
            software: draft.software,
        };
        let signed = sign(&header_payload(&header.encode(), &[]));
        Ok((segment, join(&signed, None), hash_of(&signed)))
    }

    fn seal(
        &mut self,
        core: &Core,
        plaintext: Vec<u8>,
    ) -> Result<(Vec<u8>, RecordHash), SealError> {
        let sealed = &mut *self.sealed.borrow_mut();
        let place = (core.segment, core.index);
        assert!(self.open.contains(&core.segment), "the keys of this segment are gone");
        assert!(sealed.spent.insert(place), "an index was sealed twice");
        sealed.batches.entry(number_of(&plaintext)).or_default().push(place);
        // Nobody here compares the digest, and making it would be most of the work.
        let signed = sign(&frame_payload(&core.encode(), &[]));
        Ok((join(&signed, Some(&plaintext)), hash_of(&signed)))
    }

    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash) {
        self.sealed.borrow_mut().gaps.push(*gap);
        let signed = sign(&gap.encode());
        (join(&signed, None), hash_of(&signed))
    }

    fn forget(&mut self, segment: SegmentId) {
        self.open.retain(|open| *open != segment);
    }

    fn renew(&mut self, _keyring: wire::keyring::Keyring) {}
}

type Log = Buffer<Invented, Cheap>;

fn number_of(plaintext: &[u8]) -> u64 {
    u64::from_be_bytes(plaintext[..8].try_into().unwrap())
}

/// A batch that nobody can take for another one.
fn batch(number: u64, bytes: usize) -> Vec<u8> {
    let mut plaintext = number.to_be_bytes().to_vec();
    let mut random = Random::new(number);
    while plaintext.len() < bytes.max(9) {
        plaintext.extend((random.below(usize::MAX) as u64).to_be_bytes());
    }
    plaintext.truncate(bytes.max(9));
    plaintext
}

/// How many readings a batch stands for.
fn readings(number: u64) -> u64 {
    number % 7 + 1
}

fn readings_of(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.map(readings).sum()
}

fn clock(seconds: u64) -> ClockState {
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(seconds * 1_000_000_000),
        utc: Some(UnixNanos(seconds as i64 * 1_000_000_000)),
        error_us: 1000,
        source: TimeSource::Network,
    }
}

const ROOMY: Quota = Quota { bytes_max: 64 << 20, free_bytes_min: 0, keep_seconds: 3600 };

/// A disk, and what was sealed for it.
struct World {
    disk: Invented,
    sealed: Rc<RefCell<Sealed>>,
    quota: Quota,
}

impl World {
    fn new(seed: u64, quota: Quota) -> Self {
        Self { disk: Invented::new(seed), sealed: Rc::default(), quota }
    }

    fn try_start(&self, now: &ClockState) -> Option<(Log, Recovery)> {
        let sealer = Cheap { sealed: self.sealed.clone(), open: Vec::new() };
        let writer = Writer {
            gateway: GatewayId::new("gw-test").unwrap(),
            boot: BootId([1; 16]),
            software: "test".into(),
        };
        Buffer::recover(self.disk.clone(), sealer, writer, self.quota, now).ok()
    }

    fn start(&self, now: &ClockState) -> Log {
        self.try_start(now).unwrap().0
    }

    /// The names of all files that end so.
    fn files(&self, end: &str) -> Vec<String> {
        self.disk.names().into_iter().filter(|name| name.ends_with(end)).collect()
    }

    /// Whether a record is gone under a gap that is among `visible`, or under one that is itself
    /// gone under such a gap.
    fn is_in_a_gap(&self, place: (SegmentId, u32), visible: &BTreeSet<(SegmentId, u32)>) -> bool {
        let covering = |gap: &&Gap| {
            let (first, last) = gap.hole.indexes;
            gap.hole.segment == Some(place.0) && (first..=last).contains(&place.1)
        };
        let gaps: Vec<Gap> = self.sealed.borrow().gaps.iter().filter(covering).copied().collect();
        gaps.iter()
            .map(|gap| (gap.segment, gap.index))
            .any(|at| at != place && (visible.contains(&at) || self.is_in_a_gap(at, visible)))
    }
}

/// A record as the uplink gets it.
struct Taken {
    lane: Lane,
    position: Position,
    segment: SegmentId,
    bytes: Vec<u8>,
}

impl Taken {
    fn record(&self) -> Record<'_> {
        Record::parse(&self.bytes).unwrap()
    }

    fn header(&self) -> Header {
        read_header_payload(self.record().payload).unwrap().0
    }

    fn gap(&self) -> Gap {
        Gap::decode(self.record().payload).unwrap()
    }

    fn place(&self) -> (SegmentId, u32) {
        (self.segment, self.position.index)
    }
}

/// A loss that no segment ever held.
fn overflow(fewest: u64, most: u64) -> Hole {
    Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (fewest, most),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    }
}

/// Everything that would be sent.
fn everything(log: &mut Log, now: &ClockState) -> Vec<Taken> {
    let mut all = Vec::new();
    for lane in Lane::ALL {
        let mut from = Position::default();
        while let Some(record) = log.next_unreceipted(lane, from, now) {
            from = Position { index: record.position.index + 1, ..record.position };
            if let Some(bytes) = log.read(record.position, now) {
                let (position, segment) = (record.position, record.segment);
                all.push(Taken { lane, position, segment, bytes });
            }
        }
    }
    all
}

/// How often each batch is there; each byte of it is checked.
fn batches(all: &[Taken]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for taken in all.iter().filter(|taken| taken.record().kind == RecordKind::Frame) {
        let plaintext = taken.record().ciphertext;
        let number = number_of(plaintext);
        assert_eq!(plaintext, batch(number, plaintext.len()), "batch {number} was altered");
        *counts.entry(number).or_default() += 1;
    }
    counts
}

fn holes(all: &[Taken]) -> Vec<(Lane, Hole)> {
    let gaps = all.iter().filter(|taken| taken.record().kind == RecordKind::Gap);
    gaps.map(|taken| (taken.gap().lane, taken.gap().hole)).collect()
}

/// Every record follows the one before it, segments and lane sequences included, and names its
/// lane, segment and index; batches stand in the order in which they were given.
/// `complete`: nothing may be missing in between either.
fn check_chain(all: &[Taken], complete: bool) {
    for lane in Lane::ALL {
        let mut last: Option<(SegmentId, u32, RecordHash)> = None;
        let (mut sequence_next, mut newest) = (None, 0);
        for taken in all.iter().filter(|taken| taken.lane == lane) {
            let (record, place) = (taken.record(), taken.place());
            let (named, previous) = match record.kind {
                RecordKind::Header => {
                    let header = taken.header();
                    if let (Some(last), Some(c), true) = (last, header.continues, complete) {
                        assert_eq!((c.segment, c.index, c.hash), last, "{lane} header");
                    }
                    ((header.lane, header.segment, 0), None)
                }
                RecordKind::Frame => {
                    let core = read_frame_payload(record.payload).unwrap().0;
                    let number = number_of(record.ciphertext);
                    assert!(number > newest, "{lane}: batch {number} after {newest}");
                    newest = number;
                    if complete && let Some(next) = sequence_next {
                        assert_eq!(core.sequence_first, next, "{lane} sequence");
                    }
                    sequence_next = Some(core.sequence_last + 1);
                    ((core.lane, core.segment, core.index), Some(core.previous))
                }
                RecordKind::Gap => {
                    let gap = taken.gap();
                    ((gap.lane, gap.segment, gap.index), Some(gap.previous))
                }
            };
            assert_eq!(named, (lane, place.0, place.1));
            if let (Some((segment, index, hash)), Some(previous)) = (last, previous)
                && (complete || (segment, index + 1) == place)
            {
                assert_eq!((segment, index + 1), place, "{lane} index");
                assert_eq!(hash, previous, "{lane} previous");
            }
            last = Some((place.0, place.1, record.hash()));
        }
    }
}

fn receipt(taken: &Taken, disposition: Disposition) -> Range {
    let index = taken.position.index;
    let last_hash = taken.record().hash();
    Range { first: index, last: index, disposition, reason: Reason::None, last_hash }
}

/// Receipts all that is there.
fn receipt_everything(log: &mut Log, now: &ClockState) {
    for taken in everything(log, now) {
        let range = receipt(&taken, Disposition::Stored);
        assert_eq!(log.settle(taken.segment, &range, now).unwrap(), Settled::Ours);
    }
}

/// Appends batches in one group and commits.
fn accept(
    log: &mut Log,
    lane: Lane,
    numbers: std::ops::Range<u64>,
    bytes: usize,
    now: &ClockState,
) {
    for number in numbers {
        log.append(lane, &batch(number, bytes), readings(number), now).unwrap();
    }
    log.commit(now).unwrap();
}
