//! The frame: signed part and ciphertext, the same bytes on disk, on the wire and as evidence.
//!
//! A record is a CBOR array. `[signed part, ciphertext]` is a frame; `[signed part]` is a segment
//! header or a gap. The signed part is a `COSE_Sign1`; its payload begins with the version and the
//! kind. The chain names a record by SHA-256 of its signed part.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::FORMAT_VERSION;
use crate::identity::{Lane, RecordHash, SegmentId};
use crate::limits::{CIPHERTEXT_BYTES_MIN, FRAME_BYTES_MAX};
use crate::strict::{Reader, StrictError, Writer};

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum RecordKind {
    /// First record of a segment.
    Header = 0,
    /// A sealed batch.
    Frame = 1,
    /// What is missing.
    Gap = 2,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordError {
    /// Larger than any record. Refuse.
    TooLarge {
        /// Bytes that came.
        got_bytes: usize,
    },
    /// Not strict CBOR of this shape. Refuse.
    Shape(StrictError),
    /// Another version. Hold, it may be from a newer gateway.
    Version {
        /// Version that came.
        version: u64,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { got_bytes } => {
                write!(f, "record of {got_bytes} bytes, at most {FRAME_BYTES_MAX} are allowed")
            }
            Self::Shape(error) => write!(f, "record: {error}"),
            Self::Version { version } => write!(f, "record of unknown version {version}"),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<StrictError> for RecordError {
    fn from(error: StrictError) -> Self {
        Self::Shape(error)
    }
}

/// A record, borrowed and not yet verified.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it says it is.
    pub kind: RecordKind,
    /// The whole `COSE_Sign1`.
    pub signed: &'a [u8],
    /// Payload inside the signed part.
    pub payload: &'a [u8],
    /// Ciphertext with tag; empty unless a frame.
    pub ciphertext: &'a [u8],
}

/// `COSE_Sign1` with EdDSA as the only header field: the bytes before the payload.
const SIGN1_HEAD: [u8; 6] = [0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0];

impl<'a> Record<'a> {
    /// Parses without copying.
    ///
    /// # Errors
    /// [`RecordError`]; nothing in the bytes was trusted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(RecordError::TooLarge { got_bytes: bytes.len() });
        }
        let mut outer = Reader::new(bytes);
        let parts = outer.array()?;
        let signed = outer.bytes()?;
        let ciphertext = if parts == 2 { outer.bytes()? } else { &[] };
        outer.done()?;
        let payload = payload_of(signed)?;
        let mut inner = Reader::new(payload);
        inner.array()?;
        let version = inner.uint()?;
        if version != u64::from(FORMAT_VERSION) {
            return Err(RecordError::Version { version });
        }
        let kind = match (inner.uint()?, parts) {
            (0, 1) => RecordKind::Header,
            (1, 2) if ciphertext.len() >= CIPHERTEXT_BYTES_MIN => RecordKind::Frame,
            (2, 1) => RecordKind::Gap,
            _ => return Err(RecordError::Shape(StrictError::Unexpected)),
        };
        Ok(Self { kind, signed, payload, ciphertext })
    }

    /// What the next record of the chain names.
    #[must_use]
    pub fn hash(&self) -> RecordHash {
        hash_of(self.signed)
    }
}

/// What a record of a version that is not ours still says of itself.
///
/// In every version: the outer array, the `COSE_Sign1` around the payload, the version, kind, lane,
/// segment and index at their places in the core, and behind a frame's core the digest of its
/// ciphertext.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Foreign<'a> {
    /// The whole `COSE_Sign1`.
    pub signed: &'a [u8],
    /// Lane.
    pub lane: Lane,
    /// Segment.
    pub segment: SegmentId,
    /// Position in the segment; the header is 0.
    pub index: u32,
}

impl<'a> Foreign<'a> {
    /// Reads what every version has in common; nothing of it is trusted before its signature.
    ///
    /// # Errors
    /// [`RecordError`] if it has not even that.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(RecordError::TooLarge { got_bytes: bytes.len() });
        }
        let wrong = StrictError::Unexpected;
        let mut outer = Reader::new(bytes);
        let parts = outer.array()?;
        let signed = outer.bytes()?;
        let ciphertext = if parts == 2 { Some(outer.bytes()?) } else { None };
        outer.done()?;
        let payload = payload_of(signed)?;
        let mut core = Reader::new(payload);
        core.array()?;
        let (_version, kind) = (core.uint()?, core.uint()?);
        if kind == RecordKind::Header as u64 {
            core.uint()?;
        }
        let lane = Lane::from_number(core.uint()?).ok_or(wrong)?;
        if kind == RecordKind::Header as u64 {
            core.text(64)?;
        }
        let segment = SegmentId(core.array_of()?);
        let index = if kind == RecordKind::Header as u64 { 0 } else { core.number()? };
        match ciphertext {
            None if kind == RecordKind::Frame as u64 => return Err(wrong.into()),
            None => {}
            Some(ciphertext) => {
                let mut payload = Reader::new(payload);
                payload.item()?;
                if payload.array_of::<32>()?[..] != Sha256::digest(ciphertext)[..] {
                    return Err(wrong.into());
                }
            }
        }
        Ok(Self { signed, lane, segment, index })
    }
}

/// SHA-256 of a signed part.
#[must_use]
pub fn hash_of(signed: &[u8]) -> RecordHash {
    RecordHash(Sha256::digest(signed).into())
}

/// The payload of a strictly encoded `COSE_Sign1` with exactly our header, unverified.
///
/// # Errors
/// [`StrictError`] if the bytes have another shape.
pub fn payload_of(signed: &[u8]) -> Result<&[u8], StrictError> {
    let rest = signed.strip_prefix(&SIGN1_HEAD).ok_or(StrictError::Unexpected)?;
    let mut reader = Reader::new(rest);
    let payload = reader.bytes()?;
    reader.array_of::<64>()?;
    reader.done()?;
    Ok(payload)
}

/// Joins a signed part and, for a frame, its ciphertext.
#[must_use]
pub fn join(signed: &[u8], ciphertext: Option<&[u8]>) -> Vec<u8> {
    let room = signed.len() + ciphertext.map_or(0, <[u8]>::len) + 16;
    let mut writer = Writer::new(Vec::with_capacity(room));
    writer.array(1 + usize::from(ciphertext.is_some())).bytes(signed);
    if let Some(ciphertext) = ciphertext {
        writer.bytes(ciphertext);
    }
    writer.finish().unwrap_or_default()
}

/// The core of a frame: what is authenticated and visible to all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Core {
    /// Lane.
    pub lane: Lane,
    /// Segment, and so key, gateway and boot.
    pub segment: SegmentId,
    /// Position in the segment; the header is 0.
    pub index: u32,
    /// Lane sequence of the first reading.
    pub sequence_first: u64,
    /// Lane sequence of the last reading.
    pub sequence_last: u64,
    /// Signed part of the record before.
    pub previous: RecordHash,
    /// Merkle root over the salted blocks.
    pub content_root: [u8; 32],
}

impl Core {
    /// The bytes that are both signed and bound to the ciphertext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new(Vec::with_capacity(112));
        w.array(9).uint(FORMAT_VERSION.into()).uint(RecordKind::Frame as u64);
        w.uint(self.lane as u64).bytes(&self.segment.0).uint(self.index.into());
        w.uint(self.sequence_first).uint(self.sequence_last);
        w.bytes(&self.previous.0).bytes(&self.content_root);
        w.finish().unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StrictError> {
        let mut r = Reader::new(bytes);
        r.tuple(9)?;
        if r.uint()? != u64::from(FORMAT_VERSION) || r.uint()? != RecordKind::Frame as u64 {
            return Err(StrictError::Unexpected);
        }
        let core = Self {
            lane: Lane::from_number(r.uint()?).ok_or(StrictError::Unexpected)?,
            segment: SegmentId(r.array_of()?),
            index: r.number()?,
            sequence_first: r.uint()?,
            sequence_last: r.uint()?,
            previous: RecordHash(r.array_of()?),
            content_root: r.array_of()?,
        };
        r.done()?;
        if core.sequence_last < core.sequence_first || core.index == 0 {
            return Err(StrictError::Unexpected);
        }
        Ok(core)
    }
}

/// The payload of a frame: core, then the digest of the ciphertext, as two items in a row.
#[must_use]
pub fn frame_payload(core: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let mut w = Writer::new(Vec::with_capacity(core.len() + 34));
    w.item(core).bytes(&Sha256::digest(ciphertext));
    w.finish().unwrap_or_default()
}

/// Splits a frame's payload into core, its exact bytes and the digest of the ciphertext.
///
/// # Errors
/// [`StrictError`] for another shape.
pub fn read_frame_payload(payload: &[u8]) -> Result<(Core, &[u8], [u8; 32]), StrictError> {
    let mut reader = Reader::new(payload);
    let bytes = reader.item()?;
    let digest = reader.array_of()?;
    reader.done()?;
    Ok((Core::decode(bytes)?, bytes, digest))
}
