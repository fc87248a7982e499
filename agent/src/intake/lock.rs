//! Lock: the gateway's side of a line on which a device with a key may be.
//!
//! A device says openly who it is; it is offered a challenge; from then on its run counts for what
//! opens with its key under that challenge, and for nothing else. Another run has another
//! challenge, so that nothing of one before comes back.

use wire::identity::DeviceId;
use wire::limits::LINK_TEXT_BYTES_MAX;
use wire::link::{Challenge, ENCODED_BYTES_MAX, Forged, Frame, Kind, LinkKey, Opened, Sealing};
use wire::strict::Room;
use wire::time::MonotonicNanos;

use super::Device;
use super::admission::Proof;

/// Between two offers: a device hears the first one, unless its line damaged it.
const OFFER_EVERY_NANOS: u64 = 100_000_000;
/// A device that does not prove itself for so long has another key, or none.
const PATIENCE_NANOS: u64 = 10_000_000_000;

/// A run of a device, and what it is sealed with.
#[derive(Debug)]
struct Holder {
    device: DeviceId,
    boot: u32,
    sealing: Sealing,
    since: MonotonicNanos,
}

impl Holder {
    fn is(&self, device: DeviceId, boot: u32, key: &LinkKey) -> bool {
        (self.device, self.boot) == (device, boot) && self.sealing.key == *key
    }

    fn open(&self, frame: &Frame<'_>) -> Result<(DeviceId, Opened), Forged> {
        if frame.boot != self.boot {
            return Err(Forged);
        }
        Ok((self.device, self.sealing.open(frame)?))
    }
}

/// What is agreed on one line.
#[derive(Debug, Default)]
pub struct Lock {
    /// Who has proven to hold its key.
    proven: Option<Holder>,
    /// Who says so, and has not proven it yet: it does not take the other one's place before.
    claimed: Option<Holder>,
    /// What was offered to whoever seals, and said openly nothing yet.
    to_anybody: Option<Challenge>,
    offered: Option<MonotonicNanos>,
    /// When something sealed was opened last.
    heard: Option<MonotonicNanos>,
}

/// What to do about a device that says openly who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// It has proven that: nothing.
    Proven,
    /// It is to be offered its challenge.
    Offer,
    /// The same, and it should have proven itself long ago.
    Late,
}

impl Lock {
    /// A device that has a key says openly who it is.
    pub fn claim(
        &mut self,
        device: DeviceId,
        boot: u32,
        key: LinkKey,
        now: MonotonicNanos,
    ) -> Claim {
        let heard = self.heard.map(|heard| now.0.saturating_sub(heard.0));
        let is_here = heard.is_some_and(|since| since < PATIENCE_NANOS);
        // Who proved it long ago may have begun anew meanwhile, and know of no challenge.
        if is_here && self.is_proven(device, boot, &key) {
            return Claim::Proven;
        }
        let known = self.claimed.as_ref().filter(|holder| holder.is(device, boot, &key));
        if let Some(holder) = known {
            let is_late = now.0.saturating_sub(holder.since.0) >= PATIENCE_NANOS;
            return if is_late { Claim::Late } else { Claim::Offer };
        }
        if let Some(challenge) = self.to_anybody.take().or_else(random) {
            let sealing = Sealing { key, challenge };
            self.claimed = Some(Holder { device, boot, sealing, since: now });
        }
        Claim::Offer
    }

    /// Whether a device has proven itself here by this key, in this run.
    #[must_use]
    pub fn is_proven(&self, device: DeviceId, boot: u32, key: &LinkKey) -> bool {
        self.proven.as_ref().is_some_and(|holder| holder.is(device, boot, key))
    }

    /// Nobody has proven anything any more: a key was taken away, or is another one now.
    pub fn forget(&mut self) {
        (self.proven, self.claimed) = (None, None);
    }

    /// Whose frame it is, and what stands in it.
    ///
    /// # Errors
    /// [`Forged`]
    pub fn open(
        &mut self,
        frame: &Frame<'_>,
        now: MonotonicNanos,
    ) -> Result<(DeviceId, Opened), Forged> {
        if let Some(Ok(opened)) = self.proven.as_ref().map(|holder| holder.open(frame)) {
            self.heard = Some(now);
            return Ok(opened);
        }
        let opened = self.claimed.as_ref().map_or(Err(Forged), |holder| holder.open(frame))?;
        (self.proven, self.heard) = (self.claimed.take(), Some(now));
        Ok(opened)
    }

    /// The payload of a query, which offers a challenge where one may be needed: that of whoever
    /// has not proven itself yet, or of whoever has.
    #[must_use]
    pub fn query(&self) -> Room<LINK_TEXT_BYTES_MAX> {
        let holder = self.claimed.as_ref().or(self.proven.as_ref());
        let challenge = holder.map(|holder| holder.sealing.challenge).or(self.to_anybody);
        challenge.map(|challenge| challenge.write()).unwrap_or_default()
    }

    /// Whether to offer a challenge now.
    pub fn may_offer(&mut self, now: MonotonicNanos) -> bool {
        if self.claimed.is_none() && self.proven.is_none() && self.to_anybody.is_none() {
            self.to_anybody = random();
        }
        let since = self.offered.map(|offered| now.0.saturating_sub(offered.0));
        let may = since.is_none_or(|since| since >= OFFER_EVERY_NANOS);
        if may {
            self.offered = Some(now);
        }
        may
    }

    /// A word to a device as bytes: sealed if it has a key, but for the question by which that is
    /// agreed.
    #[must_use]
    pub fn encode(&self, frame: &Frame<'_>, device: Option<&Device>) -> Vec<u8> {
        let mut out = [0; ENCODED_BYTES_MAX];
        let has_key = device.is_some_and(|device| device.proof == Proof::Key);
        let length = if !has_key || frame.kind == Kind::Query {
            frame.encode(&mut out)
        } else {
            let sealed = self.proven.as_ref().and_then(|holder| holder.sealing.seal(frame));
            sealed.map_or(0, |sealed| sealed.frame().encode(&mut out))
        };
        out[..length].to_vec()
    }
}

/// None without random numbers, and then nobody can prove anything.
fn random() -> Option<Challenge> {
    let mut bytes = [0; 12];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Some(Challenge(bytes)),
        Err(error) => {
            tracing::error!(%error, "no random numbers: no device can prove itself");
            None
        }
    }
}
