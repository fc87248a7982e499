//! What the gateway itself notes about a device's runs: how it has proven itself, and what was lost
//! when a run ended.

use std::sync::Arc;

use wire::batch::{NoteKind, Source};
use wire::identity::{Lane, SourceBoot};
use wire::time::{ClockState, DeviceClock};

use super::{Batcher, Said};
use crate::intake::Device;
use crate::intake::admission::Proof;

/// Cause of a loss that the gateway declares: the device began anew, and what it held is gone.
const LOSS_DEVICE_RESET: u8 = 65;
/// The number under which that stands in the run that ended; a device's own end before it.
const RUN_ENDED: i64 = 1 << 32;
/// Code of the event by which a run is labelled; a private one. Its value is 1 if the device holds
/// its key, 0 if it has none.
const EVENT_PROOF: u32 = 0xF0F1_0001;
/// The number under which that stands in its run, less its value.
const PROOF_NOTED: i64 = RUN_ENDED + 1;

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
        let source = Source { boot: SourceBoot(boot), ..device.source };
        let device = &Arc::new(Device { source, ..device.clone() });
        let what = NoteKind::Loss { readings, cause: LOSS_DEVICE_RESET };
        self.note_run(device, RUN_ENDED, None, what, clock, order);
    }

    /// Labels a device's run with how the device has proven itself, where anybody asks.
    pub fn label_run(&mut self, device: &Arc<Device>, clock: &ClockState, order: u64) {
        let value = match device.proof {
            Proof::Unasked => return,
            Proof::Stranger => 0,
            Proof::Key => 1,
        };
        let what = NoteKind::Event { code: EVENT_PROOF, value };
        // It is the gateway's word, at the gateway's time: the device's dates nothing by it.
        let source = Source { clock: DeviceClock::None, ..device.source };
        let device = &Arc::new(Device { source, ..Device::clone(device) });
        self.note_run(device, PROOF_NOTED + value, Some(0), what, clock, order);
    }

    fn note_run(
        &mut self,
        device: &Arc<Device>,
        sequence: i64,
        time: Option<i64>,
        what: NoteKind,
        clock: &ClockState,
        order: u64,
    ) {
        self.order = order;
        let received = clock.monotonic;
        let said = Said { device, sequence, gap: true, payload: &[], received, age_ns: 0 };
        self.close_full(&said);
        self.note(Lane::Vital, &said, time, what, clock);
    }
}
