//! How much the link is given at a time: what the broker has acknowledged quickly doubles it, what
//! it acknowledged late halves it, so that on a thin link an alert waits for seconds, not minutes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{PACE_BYTES, PACE_QUICK, PACE_SLOW, PUBLISHES_MAX, THIN_LINK_DEADLINE};

/// What was given to the link and not acknowledged by the broker, oldest first.
///
/// Invariant: `used_bytes` is the sum of the bytes of `out`.
pub(super) struct Pace {
    out: VecDeque<(Instant, usize)>,
    used_bytes: usize,
    most_bytes: usize,
    ceiling_bytes: usize,
}

impl Pace {
    pub(super) fn new(ceiling_bytes: usize) -> Self {
        Self { out: VecDeque::new(), used_bytes: 0, most_bytes: PACE_BYTES.1, ceiling_bytes }
    }

    /// A new connection is a new link.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.ceiling_bytes);
    }

    /// Whether the link has enough to carry for now.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= PUBLISHES_MAX || self.used_bytes >= self.most_bytes
    }

    /// Whether more is held back for an acknowledgement that does not come: nothing has moved for
    /// a deadline, or something has for longer than the thinnest link may take.
    pub(super) fn is_stuck(&self, now: Instant, moved_at: Instant, patience: Duration) -> bool {
        let Some((oldest, _)) = self.out.front().filter(|_| self.is_full()) else { return false };
        let due = (*oldest).max(moved_at) + patience;
        now > due.min(*oldest + THIN_LINK_DEADLINE)
    }

    pub(super) fn gave(&mut self, now: Instant, bytes: usize) {
        self.out.push_back((now, bytes));
        self.used_bytes += bytes;
    }

    /// The broker has the oldest.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        let Some((since, bytes)) = self.out.pop_front() else { return };
        self.used_bytes -= bytes;
        let took = now.duration_since(since);
        if took < PACE_QUICK {
            self.most_bytes = (self.most_bytes + bytes).min(self.ceiling_bytes);
        } else if took > PACE_SLOW {
            self.most_bytes = (self.most_bytes / 2).max(PACE_BYTES.0);
        }
    }

    /// Whoever has a receipt was acknowledged, whether the broker has said so or not.
    pub(super) fn at_most(&mut self, now: Instant, records: usize) {
        while self.out.len() > records {
            self.acknowledged(now);
        }
    }
}

const _: () = assert!(PACE_QUICK.as_millis() < PACE_SLOW.as_millis());
