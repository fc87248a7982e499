//! A record on its way, and until when its receipt is waited for.

use std::time::{Duration, Instant};

use wire::identity::Lane;

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
