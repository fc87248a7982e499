//! What the gateway says of itself, as a device of its own.

use std::sync::Arc;

use wire::batch::NoteKind;
use wire::identity::Lane;
use wire::time::ClockState;

use super::{Batcher, Said};
use crate::intake::Device;

impl Batcher {
    /// Adds the gateway's own report; it waits for no other.
    pub fn report(&mut self, device: &Arc<Device>, report: Vec<u8>, clock: &ClockState) {
        let received = clock.monotonic;
        let said = Said { device, sequence: 0, gap: false, payload: &report, received, age_ns: 0 };
        self.note(Lane::Health, &said, Some(0), NoteKind::Health(report.clone()), clock);
        self.close(Lane::Health);
    }
}
