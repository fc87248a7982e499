//! A record on its way, and until when its receipt is waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::identity::{Lane, SegmentId};

use super::cursors::Age;
use crate::buffer::RecordAt;
use crate::limits::THIN_LINK_DEADLINE;

/// One record without a receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) lane: Lane,
    pub(super) record: RecordAt,
    /// How old it was when it was sent.
    pub(super) age: Age,
    pub(super) sent_at: Instant,
    /// When the peer's kernel was known to have all of it.
    pub(super) left_at: Option<Instant>,
}

impl Flight {
    pub(super) fn new(lane: Lane, record: RecordAt, age: Age, sent_at: Instant) -> Self {
        Self { lane, record, age, sent_at, left_at: None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.record.bytes as usize
    }

    pub(super) fn old_bytes(&self) -> usize {
        if self.age == Age::Old { self.bytes() } else { 0 }
    }

    /// From when on it is late: so long after the last byte moved while it leaves, and so long
    /// after it has left; never after the deadline of the thinnest link.
    pub(super) fn late_at(&self, moved_at: Instant, patience: Duration) -> Instant {
        let begins = self.left_at.unwrap_or(self.sent_at.max(moved_at));
        (begins + patience).min(self.sent_at + THIN_LINK_DEADLINE)
    }
}

/// What is out, by segment and index.
pub(super) type Flights = BTreeMap<(SegmentId, u32), Flight>;

/// What is late of it, in the order in which it was sent.
pub(super) fn late(out: &Flights, is_late: impl Fn(&Flight) -> bool) -> Vec<(SegmentId, u32)> {
    let mut late: Vec<_> = out.iter().filter(|(_, flight)| is_late(flight)).collect();
    late.sort_unstable_by_key(|(key, flight)| {
        (flight.sent_at, flight.lane as u8, flight.record.position, **key)
    });
    late.into_iter().map(|(key, _)| *key).collect()
}
