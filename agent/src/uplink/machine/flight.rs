//! A record on its way, and until when its receipt is waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::identity::{Lane, SegmentId};

use crate::buffer::RecordAt;
use crate::limits::THIN_LINK_DEADLINE;

/// One record without a receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) lane: Lane,
    pub(super) record: RecordAt,
    /// Whether it was accepted since the link came up.
    pub(super) live: bool,
    pub(super) sent_at: Instant,
    /// When the peer's kernel was known to have all of it.
    pub(super) left_at: Option<Instant>,
}

impl Flight {
    pub(super) fn new(lane: Lane, record: RecordAt, live: bool, sent_at: Instant) -> Self {
        Self { lane, record, live, sent_at, left_at: None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.record.bytes as usize
    }

    pub(super) fn old_bytes(&self) -> usize {
        if self.live { 0 } else { self.bytes() }
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
