//! The store-and-forward log: accepted means durable, and only a receipt lets it forget.
//!
//! Order:  `append` writes, `commit` makes durable (one `fdatasync` a lane and group), and only
//! then does a record exist for anybody else. A failed sync poisons its segment for ever; the
//! batches of the group are still in memory and are sealed again under a new key.

use std::collections::{BTreeMap, VecDeque};

use wire::gap::Hole;
use wire::identity::{BootId, GatewayId, Lane, RecordHash, SegmentId};
use wire::segment::{Continues, Found};
use wire::status::LaneHealth;
use wire::time::ClockState;

pub mod disk;

pub mod segment;

mod append;
mod erase;
mod evict;
mod open;
mod read;
mod recover;
mod settle;

pub use append::AppendError;
pub use erase::Erased;
pub use read::RecordAt;
pub use recover::Recovery;
pub use settle::Settled;

use crate::seal::Sealer;
use disk::Disk;
use segment::{FileName, Place};

/// How much the buffer may take.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// All files together, bytes.
    pub bytes_max: u64,
    /// What the file system must keep free, bytes.
    pub free_bytes_min: u64,
    /// How long a receipted segment stays while there is room, seconds.
    pub keep_seconds: u64,
}

/// Who writes, for the headers.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Gateway.
    pub gateway: GatewayId,
    /// The kernel's run.
    pub boot: BootId,
    /// Version of the agent.
    pub software: String,
}

/// Where a record is: segment by its order on this medium, and index.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The segment's ordinal.
    pub ordinal: u64,
    /// The record's index; 0 is the header.
    pub index: u32,
}

/// Neighbouring numbers as ranges, ends included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Adds a range and joins what touches.
    pub fn insert(&mut self, first: u32, last: u32) {
        let (mut first, mut last) = (first, last);
        self.0.retain(|(a, b)| {
            let touches = *a <= last.saturating_add(1) && first <= b.saturating_add(1);
            if touches {
                first = first.min(*a);
                last = last.max(*b);
            }
            !touches
        });
        let at = self.0.partition_point(|(a, _)| *a < first);
        self.0.insert(at, (first, last));
    }

    /// Whether a number is inside.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.covers(number, number)
    }

    /// Whether a whole range is inside.
    #[must_use]
    pub fn covers(&self, first: u32, last: u32) -> bool {
        self.0.iter().any(|(a, b)| *a <= first && last <= *b)
    }

    /// The smallest number that is not inside.
    #[must_use]
    pub fn first_missing(&self) -> u32 {
        match self.0.first() {
            Some((0, last)) => last.saturating_add(1),
            _ => 0,
        }
    }
}

/// One segment on the medium.
///
/// Invariant: `places` is loaded while the segment is open; its indexes ascend.
#[derive(Debug)]
struct Segment {
    name: FileName,
    file_bytes: u64,
    header: Option<(RecordHash, u32)>,
    /// The record that the header continues.
    before: Option<RecordHash>,
    opened: Option<ClockState>,
    /// Frames and gaps; `None` until somebody needs them.
    places: Option<Vec<Place>>,
    /// Newest durable index while open; `None` once closed.
    durable: Option<u32>,
    /// Records behind this index were abandoned, whatever the medium says of them.
    cut: Option<u32>,
    receipted: Ranges,
    refused: Ranges,
    /// Records that are gone and stand in a gap already.
    declared: Ranges,
    unreceipted_bytes: u64,
}

impl Segment {
    fn new(name: FileName, file_bytes: u64) -> Self {
        Self {
            file_bytes,
            header: None,
            before: None,
            opened: None,
            places: None,
            durable: None,
            cut: name.cut,
            receipted: Ranges::default(),
            refused: Ranges::default(),
            declared: Ranges::default(),
            unreceipted_bytes: if name.done { 0 } else { file_bytes },
            name,
        }
    }

    /// Bytes of the records that no receipt covers, as far as they are known.
    fn count_unreceipted(&self) -> u64 {
        let (Some((_, header)), Some(places)) = (self.header, &self.places) else {
            return self.file_bytes;
        };
        let open = |index: &u32| !self.receipted.contains(*index);
        let records = places.iter().filter(|place| open(&place.index));
        let header = if open(&0) { header.into() } else { 0 };
        header + records.map(|place| u64::from(place.length)).sum::<u64>()
    }

    fn is_closed(&self) -> bool {
        self.durable.is_none()
    }
}

/// A segment that takes records.
struct Open<F> {
    ordinal: u64,
    segment: SegmentId,
    file: F,
    end: u64,
    allocated: u64,
    next_index: u32,
    opened: ClockState,
    dirty: bool,
}

/// Where a lane's chain stands.
#[derive(Clone, Debug, Default)]
struct Head {
    last: Option<(SegmentId, u32, RecordHash)>,
    sequence_next: u64,
    found: Option<Found>,
    gap_readings: u64,
}

impl Head {
    fn continues(&self) -> Option<Continues> {
        self.last.map(|(segment, index, hash)| Continues { segment, index, hash })
    }
}

/// What a record is made from, so that it can be made again under another key.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Content {
    Batch { plaintext: Vec<u8>, readings: u64 },
    Gap(Hole),
}

/// What was appended and is not yet durable.
///
/// Invariant: what is `written` stands behind the durable part of its lane's open segment; in a
/// lane, nothing is written while something older is not.
struct Pending {
    number: u64,
    lane: Lane,
    content: Content,
    written: bool,
}

/// Figures of the buffer since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Bytes handed to the disk, padding, zeros and headers included.
    pub bytes_written: u64,
    /// Bytes of sealed records.
    pub bytes_sealed: u64,
    /// Segments lost to a failed sync.
    pub segments_poisoned: u64,
    /// Files that hold nothing readable.
    pub files_quarantined: u64,
    /// Receipt ranges whose hash is not ours.
    pub receipts_foreign: u64,
    /// Records that a sink refused.
    pub records_refused: u64,
    /// Readings accepted.
    pub readings_accepted: u64,
    /// Gaps for records that were damaged on the medium.
    pub holes_damaged: u64,
    /// Gaps for records of the health lane that gave way to others.
    pub health_evictions: u64,
}

/// The log of one gateway.
pub struct Buffer<D: Disk, S> {
    disk: D,
    sealer: S,
    writer: Writer,
    quota: Quota,
    start_count: u64,
    segments: BTreeMap<u64, Segment>,
    by_id: BTreeMap<SegmentId, u64>,
    open: [Option<Open<D::File>>; 4],
    heads: [Head; 4],
    pending: Vec<Pending>,
    pending_next: u64,
    /// Files for the next segments. The last one is the reserve of [`Buffer::reserved`].
    spares: Vec<(String, u64)>,
    quarantined: Vec<(String, u64)>,
    ordinal_next: u64,
    receipt_seen: u64,
    figures: Figures,
    reading: Option<(u64, D::File)>,
    /// Closed segments whose places are in memory, the least needed first.
    loaded: VecDeque<u64>,
    /// Names were changed since they were last made durable.
    names_dirty: bool,
    /// What is written now may use the reserve, and nothing is evicted for it.
    reserved: bool,
}

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Figures since the start.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Starts of the agent on this medium, this one included.
    pub fn start_count(&self) -> u64 {
        self.start_count
    }

    /// The sealer, for a change of keys.
    pub fn sealer_mut(&mut self) -> &mut S {
        &mut self.sealer
    }

    /// Bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        let others = self.spares.iter().chain(&self.quarantined);
        let others: u64 = others.map(|(_, size)| size).sum();
        others + self.segments.values().map(|segment| segment.file_bytes).sum::<u64>()
    }

    /// Bytes that may still be written before something is evicted.
    pub fn free_bytes(&self) -> u64 {
        let disk = self.disk.free_bytes().unwrap_or(0).saturating_sub(self.quota.free_bytes_min);
        let kept: u64 = self.segments.values().filter(|s| s.name.done).map(|s| s.file_bytes).sum();
        let quota = self.quota.bytes_max.saturating_sub(self.file_bytes());
        quota.min(disk) + kept
    }

    /// Bytes without a receipt, all lanes.
    pub fn backlog_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.unreceipted_bytes).sum()
    }

    /// The clock when the oldest record without a receipt was being collected.
    pub fn oldest_unreceipted(&self) -> Option<ClockState> {
        let open = self.segments.values().filter(|s| !s.name.done && s.unreceipted_bytes > 0);
        open.filter_map(|segment| segment.opened).min_by_key(|clock| clock.monotonic)
    }

    /// Where a lane's chain stands, for the health report.
    pub fn lane_health(&self, lane: Lane) -> LaneHealth {
        let head = &self.heads[lane as usize];
        let mine = || self.segments.values().filter(move |segment| segment.name.lane == lane);
        let oldest = mine().find(|segment| !segment.name.done && segment.unreceipted_bytes > 0);
        LaneHealth {
            lane,
            head: head.last,
            oldest_unreceipted: oldest
                .map(|segment| (segment.name.segment, segment.receipted.first_missing())),
            sequence_next: head.sequence_next,
            backlog_bytes: mine().map(|segment| segment.unreceipted_bytes).sum(),
            gap_readings: head.gap_readings,
        }
    }

    /// Whether a record is still here to be sent.
    pub fn holds(&self, position: Position) -> bool {
        self.segments.get(&position.ordinal).is_some_and(|segment| {
            let gone = segment.declared.contains(position.index);
            !gone && segment.cut.is_none_or(|cut| position.index <= cut)
        })
    }

    fn is_head(&self, segment: &Segment) -> bool {
        let head = &self.heads[segment.name.lane as usize];
        head.last.is_some_and(|(id, _, _)| id == segment.name.segment)
    }
}

#[cfg(test)]
pub(crate) mod tests;
