//! Somebody who has the broker, and perhaps a key, and signs receipts that no sink has signed.

use ed25519_dalek::SigningKey;
use wire::frame::{Record, RecordKind, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{GatewayId, RecordHash, SegmentId, StoreEpoch};
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::segment::read_header_payload;
use wire::time::UnixNanos;

use crate::fleet::named;

/// What is wrong with a forged receipt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Forgery {
    /// Everything is right but the key.
    #[default]
    Stranger,
    /// The right key signed it, for another gateway.
    OtherGateway,
    /// A stolen key signed it; the hash is right in its first eight bytes only.
    StolenKey,
}

/// What a forger has.
pub struct Forger {
    /// The receipt key, stolen.
    pub key: SigningKey,
    /// The store's life.
    pub epoch: StoreEpoch,
    /// The victim.
    pub gateway: GatewayId,
}

/// Segment, index and hash of a record, as anybody on the way can see them.
#[must_use]
pub fn identity_of(bytes: &[u8]) -> Option<(SegmentId, u32, RecordHash)> {
    let record = Record::parse(bytes).ok()?;
    let (segment, index) = match record.kind {
        RecordKind::Header => (read_header_payload(record.payload).ok()?.0.segment, 0),
        RecordKind::Frame => {
            let (core, _, _) = read_frame_payload(record.payload).ok()?;
            (core.segment, core.index)
        }
        RecordKind::Gap => {
            let gap = Gap::decode(record.payload).ok()?;
            (gap.segment, gap.index)
        }
    };
    Some((segment, index, record.hash()))
}

impl Forger {
    /// A receipt that says a record is stored.
    #[must_use]
    pub fn receipt(&self, how: Forgery, record: &[u8]) -> Option<Vec<u8>> {
        let (segment, index, mut last_hash) = identity_of(record)?;
        if how == Forgery::StolenKey {
            last_hash.0[8] ^= 1;
        }
        let range = Range {
            first: index,
            last: index,
            disposition: Disposition::Stored,
            reason: Reason::None,
            last_hash,
        };
        let other = how == Forgery::OtherGateway;
        let receipt = Receipt {
            gateway: if other { named("gw-2") } else { self.gateway },
            store_epoch: self.epoch,
            commit: 1,
            sink_time: UnixNanos(1),
            segments: vec![(segment, vec![range])],
            headers_wanted: Vec::new(),
        };
        let stranger = SigningKey::from_bytes(&[0x77; 32]);
        let key = if how == Forgery::Stranger { &stranger } else { &self.key };
        Some(receipt.sign(key))
    }
}
