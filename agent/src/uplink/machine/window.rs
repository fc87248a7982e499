//! How much may be out without a receipt, and how much of that may be backlog: so much that its
//! receipts come little later than the quickest did, since live records wait behind it at the sink.

use std::time::Duration;

use super::flight::Flight;
use crate::limits::{QUEUE_LONG, QUEUE_SHORT, WINDOW_ALERT_RESERVE_BYTES, WINDOW_OLD_BYTES_MIN};

/// Invariant: `used_bytes` and `old_bytes` are the sums over what was sent and has not landed.
#[derive(Debug)]
pub(super) struct Window {
    most_bytes: usize,
    used_bytes: usize,
    old_most_bytes: usize,
    old_bytes: usize,
    /// The time to the receipt of a record that waited for nothing, as far as is known.
    quickest: Option<Duration>,
}

impl Window {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            used_bytes: 0,
            old_most_bytes: WINDOW_OLD_BYTES_MIN,
            old_bytes: 0,
            quickest: None,
        }
    }

    /// A new connection is a new way to the sink.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.most_bytes);
    }

    /// Nothing is out any more.
    pub(super) fn clear(&mut self) {
        (self.used_bytes, self.old_bytes) = (0, 0);
    }

    /// Whether there is room for more than live alerts.
    pub(super) fn is_open(&self) -> bool {
        self.room() > WINDOW_ALERT_RESERVE_BYTES
    }

    /// Whether there is room for live alerts.
    pub(super) fn takes_alerts(&self) -> bool {
        self.room() > 0
    }

    /// Whether there is room for backlog.
    pub(super) fn takes_backlog(&self) -> bool {
        self.is_open() && self.old_bytes < self.old_most_bytes
    }

    fn room(&self) -> usize {
        self.most_bytes.saturating_sub(self.used_bytes)
    }

    pub(super) fn sent(&mut self, flight: &Flight) {
        self.used_bytes += flight.bytes();
        self.old_bytes += flight.old_bytes();
    }

    pub(super) fn landed(&mut self, flight: &Flight) {
        self.used_bytes -= flight.bytes();
        self.old_bytes -= flight.old_bytes();
    }

    /// A receipt came so long after its record was sent: what came soon lets the backlog's part
    /// double in a round, what came late halves it.
    pub(super) fn receipted(&mut self, flight: &Flight, took: Duration) {
        let quickest = self.quickest.map_or(took, |quickest| quickest.min(took));
        self.quickest = Some(quickest);
        let waited = took - quickest;
        if waited < QUEUE_SHORT {
            let ceiling = self.most_bytes.saturating_sub(WINDOW_ALERT_RESERVE_BYTES);
            self.old_most_bytes = (self.old_most_bytes + flight.old_bytes()).min(ceiling);
        } else if waited > QUEUE_LONG {
            // So little cannot be what the receipt waited for: the way itself has become longer.
            if self.old_most_bytes == WINDOW_OLD_BYTES_MIN {
                self.quickest = Some(took);
            }
            let less = self.old_most_bytes.saturating_sub(flight.old_bytes() / 2);
            self.old_most_bytes = less.max(WINDOW_OLD_BYTES_MIN);
        }
    }
}

const _: () = assert!(QUEUE_SHORT.as_millis() < QUEUE_LONG.as_millis());
