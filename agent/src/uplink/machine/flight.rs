//! A record on its way, and until when its receipt is waited for.

use std::time::Instant;

use wire::identity::Lane;

use crate::buffer::RecordAt;
use crate::limits::{RECEIPT_DEADLINE, THIN_LINK_DEADLINE};

/// One record without a receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) lane: Lane,
    pub(super) record: RecordAt,
    pub(super) sent_at: Instant,
    /// When the peer's kernel was known to have all of it.
    pub(super) left_at: Option<Instant>,
}

impl Flight {
    pub(super) fn new(lane: Lane, record: RecordAt, sent_at: Instant) -> Self {
        Self { lane, record, sent_at, left_at: None }
    }

    /// From when on it is late: a deadline after the last byte moved, while it leaves; then a
    /// deadline and as long as it took to leave, since its receipt comes back over the same link.
    /// Never after the deadline of the thinnest link.
    pub(super) fn late_at(&self, moved_at: Instant) -> Instant {
        let due = match self.left_at {
            None => self.sent_at.max(moved_at) + RECEIPT_DEADLINE,
            Some(left_at) => left_at + left_at.duration_since(self.sent_at) + RECEIPT_DEADLINE,
        };
        due.min(self.sent_at + THIN_LINK_DEADLINE)
    }
}
