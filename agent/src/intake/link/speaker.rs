//! Who speaks on a line, and whether it is believed.

use wire::identity::DeviceId;
use wire::link::{Frame, Kind};
use wire::time::MonotonicNanos;

use super::Session;
use crate::intake::Device;
use crate::intake::admission::{Known, Proof};
use crate::intake::complaints::Complaint;
use crate::intake::lock::Claim;

/// Between two looks whether the present device may still speak.
const LOOK_NANOS: u64 = 1_000_000_000;
/// Introductions of other runs on one line, in each ten seconds.
const INTRODUCTIONS_MAX: u32 = 32;
const INTRODUCTIONS_NANOS: u64 = 10_000_000_000;

/// Who has spoken on a line.
#[derive(Debug, Default)]
pub struct Speakers {
    looked: MonotonicNanos,
    /// Since when introductions are counted, and how many there were.
    introduced: (MonotonicNanos, u32),
}

impl Speakers {
    /// Another run introduces itself: whether it may, so soon behind others.
    pub fn may_introduce(&mut self, now: MonotonicNanos) -> bool {
        let (since, count) = self.introduced;
        if now.0.saturating_sub(since.0) >= INTRODUCTIONS_NANOS {
            self.introduced = (now, 1);
            return true;
        }
        self.introduced.1 = count.saturating_add(1);
        count < INTRODUCTIONS_MAX
    }
}

impl Session {
    /// Whether anybody whose readings are taken speaks here.
    #[must_use]
    pub const fn has_device(&self) -> bool {
        self.device.is_some()
    }

    /// Whether a device that says who it is is believed; if it could prove it, it is asked to.
    pub(super) fn admits(&mut self, device: DeviceId, prover: Option<DeviceId>, boot: u32) -> bool {
        match self.registry.admission.of(device, self.received) {
            Known::Key(key)
                if prover == Some(device) && self.lock.is_proven(device, boot, &key) =>
            {
                true
            }
            Known::Key(key) => {
                self.dismiss_unless(device, Proof::Key);
                match self.lock.claim(device, boot, key, self.received) {
                    // It introduces itself: sealed words follow.
                    Claim::Proven => {}
                    Claim::Offer => self.offer(boot),
                    Claim::Late => {
                        let words = format!(
                            "device {device} does not prove its key: write the key into it that \
                             `wardline device add {device} --replace` prints, or forget it here by \
                             `wardline device remove {device}`"
                        );
                        self.complain(device, words);
                        self.offer(boot);
                    }
                }
                false
            }
            Known::Stranger if prover.is_none() => true,
            Known::Stranger => {
                self.lock.forget();
                false
            }
            Known::Unknown(why) | Known::Refused(why) => {
                self.dismiss_unless(device, Proof::Unasked);
                self.lock.forget();
                self.complain(device, why);
                false
            }
        }
    }

    fn complain(&self, device: DeviceId, words: String) {
        let complaints = &self.registry.complaints;
        complaints.say(Complaint::Stranger, device.to_string(), words, self.received);
    }

    /// A device that is present and was not taken so is no longer taken.
    fn dismiss_unless(&mut self, device: DeviceId, proof: Proof) {
        let is_it = |present: &Device| present.source.device == device && present.proof != proof;
        if self.device.as_deref().is_some_and(is_it) {
            self.dismiss();
        }
    }

    /// What was heard so far goes out; then nobody is here.
    fn dismiss(&mut self) {
        self.close_chunk();
        self.lock.forget();
        (self.device, self.run, self.expected, self.asked) = (None, None, None, false);
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
        self.look_at_present();
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

    /// A key may have been added, taken away or changed since the device introduced itself.
    fn look_at_present(&mut self) {
        let Some(device) = self.device.clone() else { return };
        if self.received.0.saturating_sub(self.speakers.looked.0) < LOOK_NANOS {
            return;
        }
        self.speakers.looked = self.received;
        let (id, boot) = (device.source.device, device.source.boot.0);
        let may_stay = match self.registry.admission.of(id, self.received) {
            Known::Key(key) => device.proof == Proof::Key && self.lock.is_proven(id, boot, &key),
            Known::Stranger => device.proof != Proof::Key,
            Known::Unknown(_) | Known::Refused(_) => false,
        };
        if !may_stay {
            tracing::warn!(device = %id, "a device must introduce itself anew: its key is another");
            self.dismiss();
        }
    }
}
