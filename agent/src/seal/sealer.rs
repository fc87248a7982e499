//! The real sealer: HPKE for the segment secret, AES-256-GCM for frames, Ed25519 over all.

use ed25519_dalek::SigningKey;
use wire::frame::{Core, hash_of, join};
use wire::gap::Gap;
use wire::identity::{RecordHash, SegmentId};
use wire::keyring::Keyring;
use wire::seal::{SegmentKeys, SegmentSecret, seal_frame, seal_header};
use wire::segment::{Header, Suite};
use wire::signed::{Purpose, sign, signing_key_id};

use super::{SealError, Sealer, SegmentDraft};

/// Seals with the gateway's key to the keyring's recipients.
pub struct Seal {
    signer: SigningKey,
    keyring: Option<Keyring>,
    suite: Suite,
    open: Vec<(SegmentId, SegmentKeys)>,
    opened: u64,
    random: Random,
}

/// Where random bytes come from: the kernel, in everything that runs outside tests.
type Random = fn(&mut [u8]) -> Result<(), SealError>;

fn kernel(bytes: &mut [u8]) -> Result<(), SealError> {
    getrandom::fill(bytes).map_err(SealError::Random)
}

impl Seal {
    /// A sealer for one process lifetime; without a keyring it waits for one.
    #[must_use]
    pub fn new(signer: SigningKey, keyring: impl Into<Option<Keyring>>, suite: Suite) -> Self {
        let keyring = keyring.into();
        Self { signer, keyring, suite, open: Vec::new(), opened: 0, random: kernel }
    }

    /// The same with another source of random bytes, to show what a stuck one does.
    #[must_use]
    pub fn with_random(self, random: Random) -> Self {
        Self { random, ..self }
    }
}

/// A segment's name, its secret and the seed of its ephemeral keys: bytes from the kernel's
/// generator, mixed with all that makes this segment unique, so that a stuck generator alone
/// repeats none of them.
fn name_and_secrets(
    random: &[u8; 32],
    draft: &SegmentDraft,
    opened: u64,
) -> (SegmentId, SegmentSecret, SegmentSecret) {
    let head = draft.continues.map(|c| c.hash.0).unwrap_or_default();
    let mix = |purpose: &[u8]| {
        SegmentSecret::mix(
            random,
            &[
                purpose,
                draft.gateway.as_str().as_bytes(),
                &draft.boot.0,
                &draft.start_count.to_be_bytes(),
                &draft.clock.monotonic.0.to_be_bytes(),
                &draft.clock.utc.map_or(0, |utc| utc.0).to_be_bytes(),
                &head,
                &[draft.lane as u8],
                &opened.to_be_bytes(),
            ],
        )
    };
    let mut name = [0; 16];
    name.copy_from_slice(&mix(b"name").as_bytes()[..16]);
    (SegmentId(name), mix(b"secret"), mix(b"ephemeral"))
}

impl Sealer for Seal {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        let mut bytes = [0; 32];
        (self.random)(&mut bytes)?;
        self.opened += 1;
        let (segment, secret, ephemeral) = name_and_secrets(&bytes, &draft, self.opened);
        zeroize::Zeroize::zeroize(&mut bytes);
        let lane = draft.lane;
        let keyring = self.keyring.as_ref().ok_or(SealError::Keyring)?;
        let recipients = keyring.recipients(lane, self.suite);
        if recipients.is_empty() {
            return Err(SealError::Recipient { lane });
        }
        let header = Header {
            suite: self.suite,
            lane,
            gateway: draft.gateway,
            segment,
            boot: draft.boot,
            start_count: draft.start_count,
            sequence_next: draft.sequence_next,
            continues: draft.continues,
            found: draft.found,
            signing_key: signing_key_id(&self.signer.verifying_key()),
            clock: draft.clock,
            receipt_seen: draft.receipt_seen,
            software: draft.software,
        };
        let sealed = seal_header(&header, &secret, &ephemeral, &recipients, &self.signer);
        let (bytes, hash, keys) = sealed.map_err(|_| SealError::Recipient { lane })?;
        self.open.push((segment, keys));
        Ok((segment, bytes, hash))
    }

    fn seal(
        &mut self,
        core: &Core,
        plaintext: Vec<u8>,
    ) -> Result<(Vec<u8>, RecordHash), SealError> {
        let segment = core.segment;
        let keys = self.open.iter().find(|(id, _)| *id == segment).map(|(_, keys)| keys);
        let keys = keys.ok_or(SealError::Closed { segment })?;
        seal_frame(keys, &self.signer, core, plaintext).map_err(SealError::Batch)
    }

    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash) {
        let signed = sign(&self.signer, Purpose::Record, gap.encode());
        (join(&signed, None), hash_of(&signed))
    }

    fn forget(&mut self, segment: SegmentId) {
        self.open.retain(|(id, _)| *id != segment);
    }

    fn renew(&mut self, keyring: Keyring) {
        self.keyring = Some(keyring);
    }
}
