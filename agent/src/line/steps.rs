//! Steps of the wall clock, as people read of them.

use wire::audit::AuditKind;
use wire::time::ClockState;

use super::Line;
use crate::buffer::disk::Disk;
use crate::seal::Sealer;
use crate::uplink::Hands;

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// The clock's state; a step is logged in both bases of time.
    pub(super) fn look_at_clock(&mut self) -> ClockState {
        let state = self.clock.state();
        if let Some(step) = self.clock.take_step() {
            let utc = |ns: i64| jiff::Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
            tracing::warn!(
                before = %utc(step.before),
                after = %utc(step.after),
                monotonic_ms = step.monotonic.0 / 1_000_000,
                epoch = step.epoch,
                "the wall clock was stepped; order is kept by number"
            );
            let words = format!("from {} to {}", utc(step.before), utc(step.after));
            self.write_down(AuditKind::ClockStep, &format!("epoch {}", step.epoch), words);
        }
        state
    }
}
