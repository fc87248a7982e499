//! The segment header: record 0 of a segment's chain, durable before frame 1, trimmed last.

use alloc::string::String;
use alloc::vec::Vec;

use crate::FORMAT_VERSION;
use crate::frame::RecordKind;
use crate::identity::{BootId, GatewayId, KeyId, Lane, RecordHash, SegmentId};
use crate::limits::RECIPIENTS_MAX;
use crate::strict::{Reader, StrictError, Writer};
use crate::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

/// How segment secrets are wrapped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Suite {
    /// HPKE with X-Wing (X25519 and ML-KEM-768), HKDF-SHA256, AES-256-GCM.
    XWing = 1,
    /// HPKE with X25519 alone, HKDF-SHA256, AES-256-GCM.
    X25519 = 2,
}

impl Suite {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::XWing, Self::X25519].into_iter().find(|suite| *suite as u64 == number)
    }
}

/// What recovery found at the end of the lane before this segment was opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Found {
    /// First segment of the lane on this medium.
    Nothing = 0,
    /// The segment before was closed in order by this process.
    Closed = 1,
    /// The process before ended; every record of the tail was whole.
    WholeTail = 2,
    /// The tail was torn; an uncertain-tail gap follows.
    TornTail = 3,
    /// The segment before was poisoned by a failed `fdatasync`.
    Poisoned = 4,
}

impl Found {
    fn from_number(number: u64) -> Option<Self> {
        [Self::Nothing, Self::Closed, Self::WholeTail, Self::TornTail, Self::Poisoned]
            .into_iter()
            .find(|found| *found as u64 == number)
    }
}

/// The record that a segment continues.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Continues {
    /// Segment of that record.
    pub segment: SegmentId,
    /// Its index. If the segment was poisoned, records from the next index on are abandoned.
    pub index: u32,
    /// Its signed part.
    pub hash: RecordHash,
}

/// The core of a header: every field but the wrapped secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// How the secrets are wrapped.
    pub suite: Suite,
    /// Lane.
    pub lane: Lane,
    /// Gateway.
    pub gateway: GatewayId,
    /// Segment.
    pub segment: SegmentId,
    /// The kernel's run.
    pub boot: BootId,
    /// Starts of the agent on this medium, counted.
    pub start_count: u64,
    /// Lane sequence of the first reading to come.
    pub sequence_next: u64,
    /// The record before, `None` for the first of a lane.
    pub continues: Option<Continues>,
    /// What recovery found there.
    pub found: Found,
    /// The gateway key that signs this segment.
    pub signing_key: KeyId,
    /// The clock when the segment was opened.
    pub clock: ClockState,
    /// Highest receipt seen: store commit number, 0 none.
    pub receipt_seen: u64,
    /// Version of the agent.
    pub software: String,
}

/// A segment secret wrapped for one recipient.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrapped {
    /// Whose key.
    pub recipient: KeyId,
    /// The encapsulated key.
    pub encapsulated: Vec<u8>,
    /// The sealed secret: 32 bytes and the tag.
    pub sealed: Vec<u8>,
}

pub(crate) fn write_clock(w: &mut Writer<Vec<u8>>, clock: &ClockState) {
    w.array(5).uint(clock.epoch.into()).uint(clock.monotonic.0);
    match clock.utc {
        Some(utc) => w.int(utc.0),
        None => w.null(),
    };
    w.uint(clock.error_us).uint(clock.source as u64);
}

pub(crate) fn read_clock(r: &mut Reader<'_>) -> Result<ClockState, StrictError> {
    r.tuple(5)?;
    let clock = ClockState {
        epoch: r.number()?,
        monotonic: MonotonicNanos(r.uint()?),
        utc: if r.null() { None } else { Some(UnixNanos(r.int()?)) },
        error_us: r.uint()?,
        source: TimeSource::from_number(r.uint()?).ok_or(StrictError::Unexpected)?,
    };
    if clock.utc.is_none() == (clock.source == TimeSource::None) {
        Ok(clock)
    } else {
        Err(StrictError::Unexpected)
    }
}

impl Header {
    /// The core's bytes: what the wrapped secrets are bound to.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new(Vec::with_capacity(256));
        w.array(15).uint(FORMAT_VERSION.into()).uint(RecordKind::Header as u64);
        w.uint(self.suite as u64).uint(self.lane as u64).text(self.gateway.as_str());
        w.bytes(&self.segment.0).bytes(&self.boot.0).uint(self.start_count);
        w.uint(self.sequence_next);
        match &self.continues {
            Some(continues) => w
                .array(3)
                .bytes(&continues.segment.0)
                .uint(continues.index.into())
                .bytes(&continues.hash.0),
            None => w.null(),
        };
        w.uint(self.found as u64).bytes(&self.signing_key.0);
        write_clock(&mut w, &self.clock);
        w.uint(self.receipt_seen).text(&self.software);
        w.finish().unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StrictError> {
        let mut r = Reader::new(bytes);
        r.tuple(15)?;
        if r.uint()? != u64::from(FORMAT_VERSION) || r.uint()? != RecordKind::Header as u64 {
            return Err(StrictError::Unexpected);
        }
        let wrong = StrictError::Unexpected;
        let header = Self {
            suite: Suite::from_number(r.uint()?).ok_or(wrong)?,
            lane: Lane::from_number(r.uint()?).ok_or(wrong)?,
            gateway: GatewayId::new(r.text(64)?).map_err(|_| wrong)?,
            segment: SegmentId(r.array_of()?),
            boot: BootId(r.array_of()?),
            start_count: r.uint()?,
            sequence_next: r.uint()?,
            continues: read_continues(&mut r)?,
            found: Found::from_number(r.uint()?).ok_or(wrong)?,
            signing_key: KeyId(r.array_of()?),
            clock: read_clock(&mut r)?,
            receipt_seen: r.uint()?,
            software: r.text(64)?.into(),
        };
        r.done()?;
        Ok(header)
    }
}

fn read_continues(r: &mut Reader<'_>) -> Result<Option<Continues>, StrictError> {
    if r.null() {
        return Ok(None);
    }
    r.tuple(3)?;
    Ok(Some(Continues {
        segment: SegmentId(r.array_of()?),
        index: r.number()?,
        hash: RecordHash(r.array_of()?),
    }))
}

/// The payload of a header record: core, then the wrapped secrets, as two items in a row.
#[must_use]
pub fn header_payload(core: &[u8], wrapped: &[Wrapped]) -> Vec<u8> {
    let mut w = Writer::new(Vec::with_capacity(core.len() + wrapped.len() * 1200));
    w.item(core).array(wrapped.len());
    for one in wrapped {
        w.array(3).bytes(&one.recipient.0).bytes(&one.encapsulated).bytes(&one.sealed);
    }
    w.finish().unwrap_or_default()
}

/// Splits a header's payload into core, its exact bytes and the wrapped secrets.
///
/// # Errors
/// [`StrictError`] for another shape.
pub fn read_header_payload(payload: &[u8]) -> Result<(Header, &[u8], Vec<Wrapped>), StrictError> {
    let mut r = Reader::new(payload);
    let core = r.item()?;
    let count = r.array()?;
    if count > RECIPIENTS_MAX {
        return Err(StrictError::Unexpected);
    }
    let mut wrapped = Vec::with_capacity(count);
    for _ in 0..count {
        r.tuple(3)?;
        wrapped.push(Wrapped {
            recipient: KeyId(r.array_of()?),
            encapsulated: r.bytes()?.to_vec(),
            sealed: r.bytes()?.to_vec(),
        });
    }
    r.done()?;
    Ok((Header::decode(core)?, core, wrapped))
}
