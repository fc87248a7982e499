//! What the line writes into the gateway's audit trail, and how its entries are shipped.

use wire::audit::AuditKind;
use wire::time::{ClockState, MonotonicNanos};

use super::Line;
use crate::audit::{Deed, Pen, Trail};
use crate::buffer::disk::Disk;
use crate::seal::Sealer;
use crate::uplink::Hands;

/// Between two times that entries are shipped again because the lane has lost records.
const AGAIN_NANOS: u64 = 3_600_000_000_000;

/// What was noticed of figures that only grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noticed {
    holes_damaged: u64,
    receipts_foreign: u64,
    health_evictions: u64,
    shipped_again: Option<MonotonicNanos>,
}

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// Something happened.
    pub(super) fn write_down(&mut self, kind: AuditKind, object: &str, words: String) {
        let Some(trail) = &mut self.audit else { return };
        let clock = self.clock.state();
        trail.note(Deed::new(kind, object, words), &clock);
    }

    /// A pen for the rest of the agent.
    #[must_use]
    pub fn pen(&self) -> Pen {
        self.pen.clone()
    }

    /// Writes down what has happened since the last turn; with `all`, all that there is to say.
    pub(super) fn keep_trail(&mut self, clock: &ClockState, all: bool) {
        let (figures, noticed) = (self.buffer.figures(), self.noticed);
        let holes = figures.holes_damaged - noticed.holes_damaged;
        let foreign = figures.receipts_foreign - noticed.receipts_foreign;
        self.noticed.holes_damaged = figures.holes_damaged;
        self.noticed.receipts_foreign = figures.receipts_foreign;
        if holes > 0 {
            let words = format!("{holes} gaps stand for records that were damaged");
            self.write_down(AuditKind::Integrity, "medium", words);
        }
        if foreign > 0 {
            let words = format!("{foreign} ranges of receipts name other records than ours");
            self.write_down(AuditKind::Integrity, "receipt", words);
        }
        let written = self.pen.take();
        let Some(trail) = &mut self.audit else { return };
        written.into_iter().for_each(|deed| trail.note(deed, clock));
        trail.turn(clock, all);
    }

    /// Puts entries that are durable into the health lane's batch; whether there were any.
    pub(super) fn ship_trail(&mut self, clock: &ClockState) -> bool {
        // Without a keyring nothing can be sealed.
        if self.trust.keyring.is_none() {
            return false;
        }
        let evictions = self.buffer.figures().health_evictions;
        let Some(trail) = &mut self.audit else { return false };
        let since = self.noticed.shipped_again.map(|last| clock.monotonic.0.saturating_sub(last.0));
        let may_again = self.uplink.is_up() && since.is_none_or(|since| since >= AGAIN_NANOS);
        if evictions > self.noticed.health_evictions && may_again {
            self.noticed.health_evictions = evictions;
            self.noticed.shipped_again = Some(clock.monotonic);
            if let Err(error) = trail.ship_again() {
                tracing::warn!(%error, "entries of the audit trail may be missing at the sink");
            }
        }
        let entries = trail.give();
        let is_any = !entries.is_empty();
        for entry in entries {
            self.batcher.entry(self.health.device(), entry, clock);
        }
        is_any
    }

    /// What was given to the health lane is durable there.
    pub(super) fn trail_is_sealed(&mut self) {
        self.audit.iter_mut().for_each(Trail::are_sealed);
    }

    /// What was given to the health lane is not there, and is given again.
    pub(super) fn trail_is_given_up(&mut self) {
        self.audit.iter_mut().for_each(Trail::are_given_up);
    }
}
