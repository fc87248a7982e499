//! Small workloads on one disk, and what the log has promised in them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use agent::buffer::{Buffer, Position, Quota, Writer};
use wire::frame::{Record, RecordKind};
use wire::gap::{Cause, Hole};
use wire::identity::{BootId, GatewayId, Lane};
use wire::receipt::{Disposition, Range, Reason};
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

use super::shapes::{At, Sealed, Shapes, batch, number_of};
use crate::disk::InventedDisk;

/// The log on an invented disk.
pub type Log = Buffer<InventedDisk, Shapes>;

/// One thing that happens to a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// A vital batch of less than a sector.
    Small,
    /// A vital batch over several sectors.
    Large,
    /// An alert.
    Alert,
    /// All that was appended becomes durable.
    Commit,
    /// A loss outside is recorded.
    Gap,
    /// The sink receipts all that it is offered.
    Receipt,
    /// Keys grow old; what was receipted long ago is forgotten.
    Expire,
    /// The process is killed and starts again.
    Restart,
    /// The sink has forgotten, and is offered everything again.
    Offer,
}

impl Operation {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Small,
        Self::Large,
        Self::Alert,
        Self::Commit,
        Self::Gap,
        Self::Receipt,
        Self::Expire,
        Self::Restart,
        Self::Offer,
    ];
}

/// Bytes of [`Operation::Large`]: its record covers five sectors.
const LARGE_BYTES: usize = 2000;
const SMALL_BYTES: usize = 60;
/// Longer than a key lives and than receipted segments are kept.
const EXPIRY_SECONDS: u64 = 700;

/// A record as the uplink gets it.
pub struct Taken {
    /// Segment and index.
    pub at: At,
    /// The record.
    pub bytes: Vec<u8>,
}

/// A moment of an exact clock.
#[must_use]
pub fn clock(seconds: u64) -> ClockState {
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(seconds * 1_000_000_000),
        utc: Some(UnixNanos(seconds as i64 * 1_000_000_000)),
        error_us: 1000,
        source: TimeSource::Network,
    }
}

/// What a log has promised to those outside.
#[derive(Clone, Default)]
pub struct Promised {
    /// Batches that a commit has accepted.
    pub accepted: BTreeMap<u64, Lane>,
    /// Batches that the sink has.
    pub receipted: BTreeSet<u64>,
    /// Gap records that the sink has.
    pub gaps: BTreeSet<At>,
}

/// A disk with its log's history.
pub struct Stage {
    /// The disk.
    pub disk: InventedDisk,
    /// All that was sealed for it.
    pub sealed: Rc<RefCell<Sealed>>,
    /// What may not be broken.
    pub promised: Promised,
    /// How much the log may take.
    pub quota: Quota,
    /// Time.
    pub seconds: u64,
    number: u64,
    appended: Vec<(u64, Lane)>,
}

impl Stage {
    /// An empty disk.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self {
            disk: InventedDisk::new(1, 64 << 20),
            sealed: Rc::default(),
            promised: Promised::default(),
            quota,
            seconds: 0,
            number: 0,
            appended: Vec::new(),
        }
    }

    /// The same history on another disk.
    #[must_use]
    pub fn branch(&self, disk: InventedDisk) -> Self {
        Self {
            disk,
            sealed: Rc::new(RefCell::new(self.sealed.borrow().clone())),
            promised: self.promised.clone(),
            quota: self.quota,
            seconds: self.seconds,
            number: self.number,
            appended: Vec::new(),
        }
    }

    /// Starts a log on the disk.
    #[must_use]
    pub fn start(&self) -> Option<Log> {
        let writer = Writer {
            gateway: GatewayId::new("gw-1").expect("a good name"),
            boot: BootId([1; 16]),
            software: "exhaustive".into(),
        };
        let sealer = Shapes(self.sealed.clone());
        let started =
            Buffer::recover(self.disk.clone(), sealer, writer, self.quota, &clock(self.seconds));
        started.ok().map(|(log, _)| log)
    }

    /// Does one thing after the other; ends early when the power goes.
    pub fn play(&mut self, operations: &[Operation]) {
        let Some(mut log) = self.start() else { return };
        for operation in operations {
            self.seconds += 1;
            if *operation == Operation::Restart {
                self.appended.clear();
                drop(log);
                let Some(next) = self.start() else { return };
                log = next;
            } else {
                self.operate(&mut log, *operation);
            }
            if self.disk.is_off() {
                return;
            }
        }
    }

    fn operate(&mut self, log: &mut Log, operation: Operation) {
        match operation {
            Operation::Small => self.append(log, Lane::Vital, SMALL_BYTES),
            Operation::Large => self.append(log, Lane::Vital, LARGE_BYTES),
            Operation::Alert => self.append(log, Lane::Alert, SMALL_BYTES),
            Operation::Commit => self.commit(log),
            Operation::Gap => {
                // An error means that the gap is owed: the log tries again with every commit.
                let _: Result<(), _> = log.append_gap(Lane::Vital, loss(), &clock(self.seconds));
            }
            Operation::Receipt => self.receipt(log),
            Operation::Expire => {
                self.seconds += EXPIRY_SECONDS;
                log.tend(&clock(self.seconds));
            }
            // What could not be renamed is offered by the next start.
            Operation::Offer => drop(log.offer_again()),
            Operation::Restart => {}
        }
    }

    fn append(&mut self, log: &mut Log, lane: Lane, bytes: usize) {
        self.number += 1;
        let plaintext = batch(self.number, bytes);
        if log.append(lane, &plaintext, 1, &clock(self.seconds)).is_ok() {
            self.appended.push((self.number, lane));
        }
    }

    fn commit(&mut self, log: &mut Log) {
        if log.commit(&clock(self.seconds)).is_ok() {
            self.promised.accepted.extend(self.appended.drain(..));
        }
    }

    fn receipt(&mut self, log: &mut Log) {
        let now = clock(self.seconds);
        for taken in everything(log, &now) {
            let Ok(record) = Record::parse(&taken.bytes) else { continue };
            match record.kind {
                RecordKind::Frame => self.promised.receipted.extend(number_of(record.ciphertext)),
                RecordKind::Gap => drop(self.promised.gaps.insert(taken.at)),
                RecordKind::Header => {}
            }
            let (disposition, last_hash) = (Disposition::Stored, record.hash());
            let (segment, index) = taken.at;
            let range =
                Range { first: index, last: index, disposition, reason: Reason::None, last_hash };
            // The rename behind it may meet the cut; the sink has the record all the same.
            let _: Result<_, _> = log.settle(segment, &range, &now);
        }
    }

    /// A batch more becomes durable.
    pub fn accept_one(&mut self, log: &mut Log) -> bool {
        self.append(log, Lane::Vital, SMALL_BYTES);
        self.commit(log);
        self.promised.accepted.contains_key(&self.number)
    }
}

fn loss() -> Hole {
    Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (1, 3),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    }
}

/// Everything that would be sent.
pub fn everything(log: &mut Log, now: &ClockState) -> Vec<Taken> {
    let mut all = Vec::new();
    for lane in Lane::ALL {
        let mut from = Position::default();
        while let Some(record) = log.next_unreceipted(lane, from, now) {
            from = Position { index: record.position.index + 1, ..record.position };
            if let Some(bytes) = log.read(record.position, now) {
                all.push(Taken { at: (record.segment, record.position.index), bytes });
            }
        }
    }
    all
}
