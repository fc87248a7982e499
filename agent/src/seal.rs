//! Seal: closes batches, encrypts and signs them, and keeps the keys.

use wire::frame::Core;
use wire::gap::Gap;
use wire::identity::{BootId, GatewayId, Lane, RecordHash, SegmentId};
use wire::keyring::Keyring;
use wire::segment::{Continues, Found};
use wire::time::ClockState;

pub mod batcher;

pub mod keep;

pub mod keyring;

pub mod place;

pub mod sealer;

/// What a segment's header says before it has an identity and keys.
#[derive(Clone, Debug)]
pub struct SegmentDraft {
    /// Lane.
    pub lane: Lane,
    /// Gateway.
    pub gateway: GatewayId,
    /// The kernel's run.
    pub boot: BootId,
    /// Starts of the agent on this medium.
    pub start_count: u64,
    /// Lane sequence of the first reading to come.
    pub sequence_next: u64,
    /// The record before.
    pub continues: Option<Continues>,
    /// What stood at the end of the lane.
    pub found: Found,
    /// The clock.
    pub clock: ClockState,
    /// Highest receipt seen.
    pub receipt_seen: u64,
    /// Version of the agent.
    pub software: String,
}

/// Why nothing can be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The kernel gives no random bytes. Try again.
    #[error("the kernel gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// There is no keyring: nobody to seal to. It comes from the broker, or with a grant.
    #[error("there is no keyring, so nothing can be sealed; see `wardline status`")]
    Keyring,
    /// The keyring has no usable key for this lane. Renew it.
    #[error("the keyring has no usable recipient for lane {lane}; renew the keyring")]
    Recipient {
        /// The lane.
        lane: Lane,
    },
    /// The plaintext is no batch: our own mistake, reported and never sent.
    #[error("a batch was not well-formed: {0}")]
    Batch(wire::strict::StrictError),
    /// The segment's keys are gone. Open another segment.
    #[error("segment {segment} is not open")]
    Closed {
        /// The segment.
        segment: SegmentId,
    },
}

/// The seam between the log and the cryptography; tests may put a cheap one here.
pub trait Sealer {
    /// Begins a segment: new identity, new secret, signed header.
    ///
    /// # Errors
    /// [`SealError`].
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError>;

    /// Seals one batch at an index that was never given before.
    ///
    /// # Errors
    /// [`SealError`].
    fn seal(&mut self, core: &Core, plaintext: Vec<u8>)
    -> Result<(Vec<u8>, RecordHash), SealError>;

    /// Signs a gap record.
    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash);

    /// Wipes a segment's keys.
    fn forget(&mut self, segment: SegmentId);

    /// Takes a newer keyring; open segments keep the keys that they have.
    fn renew(&mut self, keyring: Keyring);
}
