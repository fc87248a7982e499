//! Verify: nothing reaches the store as a reading unless signature, key, tag and content hold.

use ed25519_dalek::VerifyingKey;
use wire::batch::Batch;
use wire::frame::Core;
use wire::gap::Gap;
use wire::identity::{GatewayId, Lane, RecordHash, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::segment::Header;

pub mod dispose;

pub mod keyring;

/// What was enrolled under a gateway's name.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Its number in the store.
    pub row: i64,
    /// Its keys: more than one if it lost one and was enrolled again.
    pub keys: Vec<VerifyingKey>,
}

/// A gateway that was enrolled, and which of its keys has signed.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its number in the store.
    pub row: i64,
    /// Its name.
    pub id: GatewayId,
    /// The key.
    pub key: VerifyingKey,
}

/// A batch that passed every check. Only [`dispose::Verifier`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was verified.
    #[must_use]
    pub const fn inside(&self) -> &T {
        &self.0
    }
}

/// What a record turned out to be.
#[derive(Debug)]
pub enum Content {
    /// A segment header, and its secret as the store keeps it, if a key of ours opened it.
    Header {
        /// The header.
        header: Box<Header>,
        /// The secret under the store's key.
        kept_secret: Option<Vec<u8>>,
    },
    /// A frame and, unless it is held or refused, its batch.
    Frame {
        /// Its core.
        core: Core,
        /// What it says.
        batch: Option<Box<Verified<Batch>>>,
    },
    /// A gap.
    Gap(Box<Gap>),
    /// A record of a version that this program does not know.
    Foreign,
}

/// A record that a known gateway has signed, and what becomes of it.
#[derive(Debug)]
pub struct Disposed {
    /// Whose.
    pub gateway: Gateway,
    /// The lane it belongs to.
    pub lane: Lane,
    /// Its segment.
    pub segment: SegmentId,
    /// Its index.
    pub index: u32,
    /// Its signed part.
    pub hash: RecordHash,
    /// The signed part before it, as it says.
    pub previous: Option<RecordHash>,
    /// What it is.
    pub content: Content,
    /// What becomes of it.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
    /// Its bytes, verbatim.
    pub bytes: Vec<u8>,
}

/// Why bytes are not even kept: no known gateway has signed them. Counted and sampled.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unsigned {
    /// The topic or the bytes have no shape of ours.
    #[error("no record: {0}")]
    Shape(String),
    /// The gateway was never enrolled.
    #[error("gateway {0} is not enrolled")]
    Unknown(GatewayId),
    /// It came on another lane's topic than it belongs to, which anybody on the way can do.
    #[error("a record of lane {0} on another lane's topic")]
    Misplaced(Lane),
    /// The signature is not the gateway's.
    #[error("{0}")]
    Signature(String),
}
