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
        self.say_of_itself(device, report, clock);
        self.close(Lane::Health);
    }

    /// Adds an entry of the gateway's own audit trail; a report that comes next goes with it.
    pub fn entry(&mut self, device: &Arc<Device>, entry: Vec<u8>, clock: &ClockState) {
        self.say_of_itself(device, entry, clock);
    }

    fn say_of_itself(&mut self, device: &Arc<Device>, bytes: Vec<u8>, clock: &ClockState) {
        let received = clock.monotonic;
        let said = Said { device, sequence: 0, gap: false, payload: &bytes, received, age_ns: 0 };
        self.note(Lane::Health, &said, Some(0), NoteKind::Health(bytes.clone()), clock);
    }
}
