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
    keyring: Keyring,
    suite: Suite,
    open: Vec<(SegmentId, SegmentKeys)>,
}

impl Seal {
    /// A sealer for one process lifetime.
    #[must_use]
    pub fn new(signer: SigningKey, keyring: Keyring, suite: Suite) -> Self {
        Self { signer, keyring, suite, open: Vec::new() }
    }

    /// Takes a newer keyring; open segments keep the keys that they have.
    pub fn renew(&mut self, keyring: Keyring) {
        self.keyring = keyring;
    }
}

fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SealError::Random)?;
    Ok(bytes)
}

/// 32 bytes from the kernel's generator, mixed with all that makes this start unique.
fn secret(draft: &SegmentDraft, segment: SegmentId) -> Result<SegmentSecret, SealError> {
    let mut kernel: [u8; 32] = random()?;
    let head = draft.continues.map(|c| c.hash.0).unwrap_or_default();
    let secret = SegmentSecret::mix(
        &kernel,
        &[
            draft.gateway.as_str().as_bytes(),
            &draft.boot.0,
            &draft.start_count.to_be_bytes(),
            &draft.clock.monotonic.0.to_be_bytes(),
            &draft.clock.utc.map_or(0, |utc| utc.0).to_be_bytes(),
            &head,
            &segment.0,
            &std::process::id().to_be_bytes(),
        ],
    );
    zeroize::Zeroize::zeroize(&mut kernel);
    Ok(secret)
}

impl Sealer for Seal {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        let segment = SegmentId(random()?);
        let secret = secret(&draft, segment)?;
        let lane = draft.lane;
        let recipients = self.keyring.recipients(lane, self.suite);
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
        let (bytes, hash, keys) = seal_header(&header, &secret, &recipients, &self.signer)
            .map_err(|_| SealError::Recipient { lane })?;
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
}
