//! Who speaks on a line, and whether it is believed.

use wire::identity::DeviceId;
use wire::link::{Frame, Kind};

use super::Session;
use crate::intake::Device;
use crate::intake::admission::{Known, Proof};
use crate::intake::complaints::Complaint;

impl Session {
    /// Whether a device that says who it is is believed; if it could prove it, it is asked to.
    pub(super) fn admits(&mut self, device: DeviceId, prover: Option<DeviceId>, boot: u32) -> bool {
        match self.registry.admission.of(device) {
            Known::Key(key) => {
                let is_proven = prover == Some(device) && self.lock.is_proven(device, &key);
                if !is_proven {
                    self.lock.claim(device, key);
                    self.offer(boot);
                }
                is_proven
            }
            Known::Stranger if prover.is_none() => true,
            Known::Stranger => {
                self.lock.forget();
                false
            }
            Known::Refused(why) => {
                self.lock.forget();
                let complaints = &self.registry.complaints;
                complaints.say(Complaint::Stranger, device.to_string(), why, self.received);
                false
            }
        }
    }

    pub(super) fn offer(&mut self, boot: u32) {
        if self.lock.may_offer(self.received) {
            self.ask(boot);
        }
    }

    /// Asks who speaks, and for all that it holds.
    pub(super) fn ask(&mut self, boot: u32) {
        let payload = self.lock.query();
        self.answer(Frame { kind: Kind::Query, boot, sequence: 0, payload: payload.as_slice() });
    }

    /// Whether a frame of readings is the present device's own; if it may be, but nobody can tell
    /// yet, the device is asked.
    pub(super) fn is_own(&mut self, frame: &Frame<'_>, prover: Option<DeviceId>) -> bool {
        let known = self.device.as_ref().filter(|device| device.source.boot.0 == frame.boot);
        let holder =
            |device: &Device| Some(device.source.device).filter(|_| device.proof == Proof::Key);
        let is_own = known.is_some_and(|device| holder(device) == prover);
        if known.is_none() || prover.is_some() && !is_own {
            self.ask(frame.boot);
        } else if !is_own {
            // Somebody speaks openly in the place of a device that does not.
            self.link_errors += 1;
        }
        is_own
    }
}
