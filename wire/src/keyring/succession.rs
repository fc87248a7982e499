//! Other root keys than those that a gateway was given: named by those before them, in the same
//! document, so that gateways which were away for long follow through all of them.

use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{Document, KeyringError, Roots, WRONG, verifying};
use crate::FORMAT_VERSION;
use crate::frame::payload_of;
use crate::limits::KEYRING_BYTES_MAX;
use crate::signed::{Purpose, canonical, sign, verify};
use crate::strict::StrictError;

/// Successions that are followed in one document: roots that go round in a circle end here.
const SUCCESSIONS_MAX: usize = 16;

#[derive(Serialize, Deserialize)]
struct SuccessionWire(u8, u8, Vec<ByteArray<32>>);

impl Roots {
    /// Names these roots as successors, signed by one key of those before them.
    #[must_use]
    pub fn sign_as_successors(&self, key: &SigningKey) -> Vec<u8> {
        let keys = self.keys.iter().map(|key| (*key.as_bytes()).into()).collect();
        let needed = u8::try_from(self.needed).unwrap_or(u8::MAX);
        let wire = SuccessionWire(FORMAT_VERSION, needed, keys);
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::RootSuccession, payload)
    }

    /// Whether a part of a document is shaped like a succession; nothing is said of who signed it.
    #[must_use]
    pub fn is_succession(part: &[u8]) -> bool {
        payload_of(part).is_ok_and(|payload| Self::decode(payload).is_ok())
    }

    fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let wire: SuccessionWire = canonical(payload).map_err(|_| WRONG)?;
        let keys: Result<Vec<_>, _> = wire.2.iter().map(|key| verifying(key)).collect();
        let (keys, needed) = (keys?, usize::from(wire.1));
        if wire.0 != FORMAT_VERSION || !(1..=keys.len()).contains(&needed) {
            return Err(WRONG);
        }
        Ok(Self { keys, needed })
    }

    /// How many of these roots have signed a payload for a purpose.
    pub(super) fn have_signed(&self, parts: &[ByteBuf], purpose: Purpose, payload: &[u8]) -> usize {
        let signed = |key: &&VerifyingKey| {
            let mut held = parts.iter().filter_map(|part| verify(key, purpose, part).ok());
            held.any(|other| other == payload)
        };
        let mut good: Vec<_> =
            self.keys.iter().filter(signed).map(VerifyingKey::as_bytes).collect();
        good.sort_unstable();
        good.dedup();
        good.len()
    }

    pub(super) fn follow(&self, parts: &[ByteBuf]) -> Self {
        let mut roots = self.clone();
        for _ in 0..SUCCESSIONS_MAX {
            let named = parts.iter().filter_map(|part| payload_of(part).ok()).find_map(|payload| {
                let good = roots.have_signed(parts, Purpose::RootSuccession, payload);
                let enough = good >= roots.needed.max(1);
                enough.then(|| Self::decode(payload).ok()).flatten().filter(|named| *named != roots)
            });
            let Some(named) = named else { break };
            roots = named;
        }
        roots
    }

    /// The roots that stand at the end of a document's successions: these, if it has none.
    ///
    /// # Errors
    /// [`KeyringError::Shape`].
    pub fn after(&self, document: &[u8]) -> Result<Self, KeyringError> {
        if document.len() > KEYRING_BYTES_MAX {
            return Err(KeyringError::Shape(WRONG));
        }
        let parsed: Document = canonical(document).map_err(|_| KeyringError::Shape(WRONG))?;
        Ok(self.follow(&parsed.0))
    }
}
