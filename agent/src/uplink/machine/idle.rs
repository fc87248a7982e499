//! Nothing is out although something waits: since when, and how often that ended in a round.

use std::time::Instant;

use crate::limits::RECEIPT_DEADLINE;

/// Doublings of the wait between two rounds that changed nothing: up to ten minutes.
const DOUBLINGS_MAX: u32 = 6;

#[derive(Debug, Default)]
pub(super) struct Idle {
    since: Option<Instant>,
    rounds: u32,
}

impl Idle {
    /// Whether it has been `quiet` for so long that everything should be offered again.
    pub(super) fn is_over(&mut self, now: Instant, quiet: bool) -> bool {
        if !quiet {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let wait = RECEIPT_DEADLINE.saturating_mul(1 << self.rounds.min(DOUBLINGS_MAX));
        let over = now.duration_since(since) > wait;
        if over {
            (self.since, self.rounds) = (None, self.rounds + 1);
        }
        over
    }
}
