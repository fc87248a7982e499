//! What the sink signs after its durable commit; the only thing that lets a gateway forget.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::FORMAT_VERSION;
use crate::frame::payload_of;
use crate::identity::{GatewayId, RecordHash, SegmentId, StoreEpoch};
use crate::limits::{RECEIPT_BYTES_MAX, RECEIPT_RANGES_MAX};
use crate::signed::canonical;
use crate::signed::{Purpose, SignatureError, sign, verify};
use crate::strict::StrictError;
use crate::time::UnixNanos;

/// What became of a record at the sink.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Disposition {
    /// Decoded and committed. May be trimmed.
    Stored = 1,
    /// Signature good, bytes durable, not decoded yet. May be trimmed.
    Held = 2,
    /// Not taken. Parked at the gateway and reported; never trimmed for this.
    Refused = 3,
}

impl Disposition {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Stored, Self::Held, Self::Refused].into_iter().find(|d| *d as u8 == number)
    }

    /// The word in tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Held => "held",
            Self::Refused => "refused",
        }
    }
}

/// Why a record was held or refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Reason {
    /// Nothing to explain.
    None = 0,
    /// A version that the sink does not know yet. Held.
    Version = 1,
    /// No key that opens it: destroyed, or sealed to somebody else. Held.
    NoKey = 2,
    /// The speaker is revoked or suspect. Held for a person.
    Suspect = 3,
    /// The segment's header has not come yet. Held; the header is wanted.
    NoHeader = 4,
    /// The tag, the ciphertext or the content root does not fit. Refused.
    Forged = 5,
    /// It opens, but what is inside is no batch. Refused.
    Content = 6,
    /// It belongs to another gateway or lane than it came from. Refused.
    Misplaced = 7,
}

impl Reason {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        use Reason::{Content, Forged, Misplaced, NoHeader, NoKey, None, Suspect, Version};
        [None, Version, NoKey, Suspect, NoHeader, Forged, Content, Misplaced]
            .into_iter()
            .find(|reason| *reason as u8 == number)
    }

    /// The words in tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Version => "unknown version",
            Self::NoKey => "no key opens it",
            Self::Suspect => "suspect speaker",
            Self::NoHeader => "segment header missing",
            Self::Forged => "forged or damaged",
            Self::Content => "content is no batch",
            Self::Misplaced => "wrong gateway or lane",
        }
    }
}

/// Neighbouring records of one segment with one fate.
///
/// Invariant: `first <= last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// First index.
    pub first: u32,
    /// Last index.
    pub last: u32,
    /// Fate.
    pub disposition: Disposition,
    /// Why, unless stored.
    pub reason: Reason,
    /// Signed part of the record at `last`; the gateway compares it with its own.
    pub last_hash: RecordHash,
}

/// What a sink has made durable for one gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Whose records.
    pub gateway: GatewayId,
    /// Life of the store; a restored store starts another.
    pub store_epoch: StoreEpoch,
    /// Grows by every commit of that life.
    pub commit: u64,
    /// The sink's clock at the commit.
    pub sink_time: UnixNanos,
    /// Ranges by segment.
    pub segments: Vec<(SegmentId, Vec<Range>)>,
    /// Segments whose header the sink lacks: send it again.
    pub headers_wanted: Vec<SegmentId>,
}

#[derive(Serialize, Deserialize)]
struct RangeWire(u32, u32, u8, u8, ByteArray<32>);

#[derive(Serialize, Deserialize)]
struct SegmentWire(ByteArray<16>, Vec<RangeWire>);

#[derive(Serialize, Deserialize)]
struct ReceiptWire(u8, String, ByteArray<16>, u64, i64, Vec<SegmentWire>, Vec<ByteArray<16>>);

impl Receipt {
    /// Signs it.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let range = |range: &Range| {
            let (disposition, reason) = (range.disposition as u8, range.reason as u8);
            RangeWire(range.first, range.last, disposition, reason, range.last_hash.0.into())
        };
        let segments = self.segments.iter();
        let wire = ReceiptWire(
            FORMAT_VERSION,
            self.gateway.as_str().into(),
            self.store_epoch.0.into(),
            self.commit,
            self.sink_time.0,
            segments
                .map(|(id, r)| SegmentWire(id.0.into(), r.iter().map(range).collect()))
                .collect(),
            self.headers_wanted.iter().map(|id| id.0.into()).collect(),
        );
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::Receipt, payload)
    }

    /// Reads a receipt that one of `keys` has signed.
    ///
    /// # Errors
    /// [`SignatureError`]: it is no receipt, or none of the keys has signed it.
    pub fn verify(bytes: &[u8], keys: &[VerifyingKey]) -> Result<Self, SignatureError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(SignatureError::Shape(StrictError::Unexpected));
        }
        let mut result = Err(SignatureError::Shape(StrictError::Unexpected));
        for key in keys {
            result = verify(key, Purpose::Receipt, bytes);
            if result.is_ok() {
                break;
            }
        }
        result?;
        let payload = payload_of(bytes).map_err(SignatureError::Shape)?;
        Self::decode(payload).map_err(SignatureError::Shape)
    }

    fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let wrong = StrictError::Unexpected;
        let wire: ReceiptWire = canonical(payload).map_err(|_| wrong)?;
        if wire.0 != FORMAT_VERSION {
            return Err(wrong);
        }
        let count: usize = wire.5.iter().map(|segment| segment.1.len()).sum();
        if count > RECEIPT_RANGES_MAX {
            return Err(wrong);
        }
        let range = |r: RangeWire| {
            (r.0 <= r.1).then_some(())?;
            Some(Range {
                first: r.0,
                last: r.1,
                disposition: Disposition::from_number(r.2)?,
                reason: Reason::from_number(r.3)?,
                last_hash: RecordHash(*r.4),
            })
        };
        let segment = |s: SegmentWire| {
            let ranges: Option<Vec<Range>> = s.1.into_iter().map(range).collect();
            Some((SegmentId(*s.0), ranges?))
        };
        let segments: Option<Vec<_>> = wire.5.into_iter().map(segment).collect();
        Ok(Self {
            gateway: GatewayId::new(&wire.1).map_err(|_| wrong)?,
            store_epoch: StoreEpoch(*wire.2),
            commit: wire.3,
            sink_time: UnixNanos(wire.4),
            segments: segments.ok_or(wrong)?,
            headers_wanted: wire.6.into_iter().map(|id| SegmentId(*id)).collect(),
        })
    }
}
