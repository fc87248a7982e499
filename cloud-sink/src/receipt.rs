//! Receipt: tells the gateway what is safely stored, signed, after the commit and never before.

use ed25519_dalek::SigningKey;
use wire::identity::{GatewayId, SegmentId, StoreEpoch};
use wire::limits::RECEIPT_RANGES_MAX;
use wire::receipt::{Range, Receipt};
use wire::time::UnixNanos;
use wire::topic::{Level, Topic};

use crate::store::Committed;

/// A signed receipt and where it goes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Topic.
    pub topic: String,
    /// Signed bytes.
    pub bytes: Vec<u8>,
}

/// Signs for a commit, at a moment after it; a gateway with many ranges gets several receipts.
#[must_use]
pub fn sign(
    committed: &Committed,
    epoch: StoreEpoch,
    sink_time: UnixNanos,
    key: &SigningKey,
) -> Vec<Outgoing> {
    let mut receipts = Vec::new();
    for signable in &committed.gateways {
        let mut wanted = signable.headers_wanted.clone();
        for segments in split(&signable.segments) {
            let receipt = Receipt {
                gateway: signable.gateway,
                store_epoch: epoch,
                commit: committed.commit,
                sink_time,
                segments,
                headers_wanted: std::mem::take(&mut wanted),
            };
            let topic = topic(signable.gateway);
            receipts.push(Outgoing { topic, bytes: receipt.sign(key) });
        }
    }
    receipts
}

fn topic(gateway: GatewayId) -> String {
    Topic { gateway, level: Level::Receipt }.to_string()
}

fn split(segments: &[(SegmentId, Vec<Range>)]) -> Vec<Vec<(SegmentId, Vec<Range>)>> {
    let mut receipts = vec![Vec::new()];
    let mut count = 0;
    for (segment, ranges) in segments {
        for part in ranges.chunks(RECEIPT_RANGES_MAX) {
            if count + part.len() > RECEIPT_RANGES_MAX {
                receipts.push(Vec::new());
                count = 0;
            }
            count += part.len();
            if let Some(last) = receipts.last_mut() {
                last.push((*segment, part.to_vec()));
            }
        }
    }
    receipts
}
