//! Lock: the gateway's side of a line on which a device with a key may be.
//!
//! A device says openly who it is; it is offered a challenge; from then on it counts for what opens
//! with its key under that challenge, and for nothing else.

use wire::identity::DeviceId;
use wire::limits::LINK_TEXT_BYTES_MAX;
use wire::link::{Challenge, ENCODED_BYTES_MAX, Forged, Frame, Kind, LinkKey, Opened, Sealing};
use wire::strict::Room;
use wire::time::MonotonicNanos;

use super::Device;
use super::admission::Proof;

/// Between two offers: a device hears the first one, unless its line damaged it.
const OFFER_EVERY_NANOS: u64 = 100_000_000;

/// A device, and what its line is sealed with.
type Holder = (DeviceId, Sealing);

/// What is agreed on one line.
#[derive(Debug, Default)]
pub struct Lock {
    challenge: Option<Challenge>,
    /// Who has proven to hold its key.
    proven: Option<Holder>,
    /// Who says so, and has not proven it yet: it does not take the other one's place before.
    claimed: Option<Holder>,
    offered: Option<MonotonicNanos>,
}

impl Lock {
    /// A device that has a key says openly who it is.
    pub fn claim(&mut self, device: DeviceId, key: LinkKey) {
        let Some(challenge) = self.challenge() else { return };
        self.claimed = Some((device, Sealing { key, challenge }));
    }

    /// New at the first need of it on this line; none without random numbers, and then nobody can
    /// prove anything.
    fn challenge(&mut self) -> Option<Challenge> {
        if self.challenge.is_none() {
            let mut bytes = [0; 12];
            match getrandom::fill(&mut bytes) {
                Ok(()) => self.challenge = Some(Challenge(bytes)),
                Err(error) => {
                    tracing::error!(%error, "no random numbers: no device can prove itself")
                }
            }
        }
        self.challenge
    }

    /// Whether a device proves itself here by this key.
    #[must_use]
    pub fn is_proven(&self, device: DeviceId, key: &LinkKey) -> bool {
        self.proven.as_ref().is_some_and(|(known, sealing)| *known == device && sealing.key == *key)
    }

    /// Its key is no longer known.
    pub fn forget(&mut self) {
        (self.proven, self.claimed) = (None, None);
    }

    /// Whose frame it is, and what stands in it.
    ///
    /// # Errors
    /// [`Forged`]
    pub fn open(&mut self, frame: &Frame<'_>) -> Result<(DeviceId, Opened), Forged> {
        let open = |holder: &Holder| Ok((holder.0, holder.1.open(frame)?));
        if let Some(Ok(opened)) = self.proven.as_ref().map(open) {
            return Ok(opened);
        }
        let opened = self.claimed.as_ref().map_or(Err(Forged), open)?;
        self.proven = self.claimed.take();
        Ok(opened)
    }

    /// The payload of a query, which offers the challenge where one may be needed.
    #[must_use]
    pub fn query(&self) -> Room<LINK_TEXT_BYTES_MAX> {
        self.challenge.map(|challenge| challenge.write()).unwrap_or_default()
    }

    /// Whether to offer the challenge now.
    pub fn may_offer(&mut self, now: MonotonicNanos) -> bool {
        let since = self.offered.map(|offered| now.0.saturating_sub(offered.0));
        let may =
            self.challenge().is_some() && since.is_none_or(|since| since >= OFFER_EVERY_NANOS);
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
            let sealed = self.proven.as_ref().and_then(|(_, sealing)| sealing.seal(frame));
            sealed.map_or(0, |sealed| sealed.frame().encode(&mut out))
        };
        out[..length].to_vec()
    }
}
