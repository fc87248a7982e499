//! The end of a device's run: what it held then is a loss of that run.

use std::sync::Arc;

use wire::batch::{NoteKind, Source};
use wire::identity::{Lane, SourceBoot};
use wire::time::ClockState;

use super::{Batcher, Said};
use crate::intake::Device;

/// Cause of a loss that the gateway declares: the device began anew, and what it held is gone.
const LOSS_DEVICE_RESET: u8 = 65;
/// The number under which that stands in the run that ended; a device's own end before it.
const RUN_ENDED: i64 = 1 << 32;
impl Batcher {
    /// Declares what a device held at most when one of its runs ended.
    pub fn end_run(
        &mut self,
        device: &Device,
        boot: u32,
        readings: u64,
        clock: &ClockState,
        order: u64,
    ) {
        self.order = order;
        self.close_full(0);
        let source = Source { boot: SourceBoot(boot), ..device.source };
        let device = &Arc::new(Device { source, ..device.clone() });
        let received = clock.monotonic;
        let said =
            Said { device, sequence: RUN_ENDED, gap: true, payload: &[], received, age_ns: 0 };
        let what = NoteKind::Loss { readings, cause: LOSS_DEVICE_RESET };
        self.note(Lane::Vital, &said, None, what, clock);
    }
}
