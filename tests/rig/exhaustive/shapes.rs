//! A sealer that seals nothing, but in the right shape, and remembers what it was given.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use agent::seal::{SealError, Sealer, SegmentDraft};
use wire::frame::{Core, frame_payload, hash_of, join};
use wire::gap::Gap;
use wire::identity::{KeyId, RecordHash, SegmentId};
use wire::keyring::Keyring;
use wire::segment::{Header, Suite, header_payload};
use wire::strict::Writer;

/// Segment and index.
pub type At = (SegmentId, u32);

/// What was sealed, over all starts on one disk.
#[derive(Clone, Default)]
pub struct Sealed {
    /// Never twice the same: that would be one nonce for two plaintexts.
    spent: BTreeSet<At>,
    /// Where each batch was sealed, perhaps more than once.
    pub batches: BTreeMap<u64, Vec<At>>,
    /// Gap records.
    pub gaps: Vec<Gap>,
    /// Indexes that were sealed twice.
    pub reused: Vec<At>,
    segments: u64,
}

/// The sealer of one start.
pub struct Shapes(pub Rc<RefCell<Sealed>>);

/// What the batch of a number holds; nobody can take it for another one.
#[must_use]
pub fn batch(number: u64, bytes: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(bytes).collect()
}

/// The number of a batch, if it is whole.
#[must_use]
pub fn number_of(plaintext: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(plaintext.get(..8)?.try_into().ok()?);
    (batch(number, plaintext.len()) == plaintext).then_some(number)
}

/// COSE_Sign1 with the header {1: -8}, and a signature that nobody checks here.
fn sign(payload: &[u8]) -> Vec<u8> {
    let mut rest = Writer::new(Vec::new());
    rest.bytes(payload).bytes(&[7; 64]);
    let mut signed = vec![0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0];
    signed.extend(rest.finish().expect("a payload is no longer than a record may be"));
    signed
}

impl Sealer for Shapes {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        let sealed = &mut *self.0.borrow_mut();
        sealed.segments += 1;
        let mut segment = [0x5E; 16];
        // The mark of a segment's records is made of its first bytes.
        segment[..8]
            .copy_from_slice(&sealed.segments.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let header = Header {
            suite: Suite::X25519,
            lane: draft.lane,
            gateway: draft.gateway,
            segment: SegmentId(segment),
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
        Ok((header.segment, join(&signed, None), hash_of(&signed)))
    }

    fn seal(
        &mut self,
        core: &Core,
        plaintext: Vec<u8>,
    ) -> Result<(Vec<u8>, RecordHash), SealError> {
        let sealed = &mut *self.0.borrow_mut();
        let at = (core.segment, core.index);
        if !sealed.spent.insert(at) {
            sealed.reused.push(at);
        }
        let number = number_of(&plaintext).expect("batches are made here");
        sealed.batches.entry(number).or_default().push(at);
        let signed = sign(&frame_payload(&core.encode(), &[]));
        Ok((join(&signed, Some(&plaintext)), hash_of(&signed)))
    }

    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash) {
        self.0.borrow_mut().gaps.push(*gap);
        let signed = sign(&gap.encode());
        (join(&signed, None), hash_of(&signed))
    }

    fn forget(&mut self, _segment: SegmentId) {}

    fn renew(&mut self, _keyring: Keyring) {}
}
