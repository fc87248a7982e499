//! "Here is missing N, from, to, because": loss is data. Signed, never sealed, names no device.

use alloc::vec::Vec;

use crate::FORMAT_VERSION;
use crate::frame::RecordKind;
use crate::identity::{Lane, RecordHash, SegmentId};
use crate::limits::GAP_BYTES_MAX;
use crate::strict::{Reader, StrictError, Writer};
use crate::time::UnixNanos;

/// Why readings are missing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Cause {
    /// Deleted to make room, oldest of the lowest lane first.
    Evicted = 1,
    /// `fdatasync` failed and the batch could not be sealed again.
    Poisoned = 2,
    /// The medium gave back other bytes than were written.
    Damaged = 3,
    /// A queue was full.
    Overflow = 4,
    /// A torn tail after a power cut: 0 to one commit group, none of it accepted.
    UncertainTail = 5,
    /// Erased by a person, with everything else on the medium.
    Erased = 6,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Evicted,
        Self::Poisoned,
        Self::Damaged,
        Self::Overflow,
        Self::UncertainTail,
        Self::Erased,
    ];

    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| *cause as u64 == number)
    }

    /// The word in tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Poisoned => "poisoned",
            Self::Damaged => "damaged",
            Self::Overflow => "overflow",
            Self::UncertainTail => "uncertain-tail",
            Self::Erased => "erased",
        }
    }
}

/// What is missing: records of one segment, or readings that never reached one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hole {
    /// The segment whose records are gone; `None` if the readings never reached one.
    pub segment: Option<SegmentId>,
    /// Its records, by index, ends included.
    pub indexes: (u32, u32),
    /// Readings by lane sequence, ends included; `None` where the numbers are gone too.
    pub sequences: Option<(u64, u64)>,
    /// Fewest and most readings missing.
    pub readings: (u64, u64),
    /// Earliest and latest moment of what is missing, as the gateway knew them.
    pub moments: Option<(UnixNanos, UnixNanos)>,
    /// Why.
    pub cause: Cause,
    /// Signed part before the hole, if known.
    pub before: Option<RecordHash>,
    /// Signed part after the hole, if known.
    pub after: Option<RecordHash>,
}

/// A gap as a record of a lane's chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Lane that lost something.
    pub lane: Lane,
    /// The segment that holds this record.
    pub segment: SegmentId,
    /// Its index there.
    pub index: u32,
    /// Signed part of the record before.
    pub previous: RecordHash,
    /// What is missing.
    pub hole: Hole,
}

impl Gap {
    /// The payload that is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new(Vec::new());
        w.array(16).uint(FORMAT_VERSION.into()).uint(RecordKind::Gap as u64);
        w.uint(self.lane as u64).bytes(&self.segment.0).uint(self.index.into());
        w.bytes(&self.previous.0);
        let hole = &self.hole;
        optional(&mut w, hole.segment.map(|id| id.0).as_ref().map(<[u8; 16]>::as_slice));
        w.uint(hole.indexes.0.into()).uint(hole.indexes.1.into());
        match hole.sequences {
            Some((first, last)) => w.array(2).uint(first).uint(last),
            None => w.null(),
        };
        w.uint(hole.readings.0).uint(hole.readings.1);
        match hole.moments {
            Some((from, to)) => w.array(2).int(from.0).int(to.0),
            None => w.null(),
        };
        w.uint(hole.cause as u64);
        for hash in [&hole.before, &hole.after] {
            optional(&mut w, hash.as_ref().map(|hash| hash.0.as_slice()));
        }
        w.finish().unwrap_or_default()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`StrictError`] for anything but a gap of this version.
    pub fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let mut r = Reader::new(payload);
        r.tuple(16)?;
        if r.uint()? != u64::from(FORMAT_VERSION) || r.uint()? != RecordKind::Gap as u64 {
            return Err(StrictError::Unexpected);
        }
        let lane = Lane::from_number(r.uint()?).ok_or(StrictError::Unexpected)?;
        let (segment, index) = (SegmentId(r.array_of()?), r.number()?);
        let previous = RecordHash(r.array_of()?);
        let hole = Hole {
            segment: if r.null() { None } else { Some(SegmentId(r.array_of()?)) },
            indexes: (r.number()?, r.number()?),
            sequences: pair(&mut r, Reader::uint)?,
            readings: (r.uint()?, r.uint()?),
            moments: pair(&mut r, Reader::int)?.map(|(a, b)| (UnixNanos(a), UnixNanos(b))),
            cause: Cause::from_number(r.uint()?).ok_or(StrictError::Unexpected)?,
            before: if r.null() { None } else { Some(RecordHash(r.array_of()?)) },
            after: if r.null() { None } else { Some(RecordHash(r.array_of()?)) },
        };
        r.done()?;
        let ordered = hole.indexes.0 <= hole.indexes.1
            && hole.readings.0 <= hole.readings.1
            && hole.sequences.is_none_or(|(first, last)| first <= last);
        if !ordered || index == 0 || payload.len() > GAP_BYTES_MAX {
            return Err(StrictError::Unexpected);
        }
        Ok(Self { lane, segment, index, previous, hole })
    }
}

fn optional(w: &mut Writer<Vec<u8>>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => w.bytes(bytes),
        None => w.null(),
    };
}

type ReadOne<'a, T> = fn(&mut Reader<'a>) -> Result<T, StrictError>;

fn pair<'a, T>(r: &mut Reader<'a>, one: ReadOne<'a, T>) -> Result<Option<(T, T)>, StrictError> {
    if r.null() {
        return Ok(None);
    }
    r.tuple(2)?;
    Ok(Some((one(r)?, one(r)?)))
}
