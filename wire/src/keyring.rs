//! Which keys the fleet trusts: signed by the offline root and, below it, by the fleet key.
//!
//! The document is `[[root part, ...], fleet part]`: one signature over the root part for each
//! root key that took part, all over the same payload, and one over the fleet part by the fleet
//! key that the root part names. Among the root parts may stand successions: other roots, named by
//! those before them.

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::FORMAT_VERSION;
use crate::frame::payload_of;
use crate::identity::{Lane, StoreEpoch};
use crate::limits::KEYRING_BYTES_MAX;
use crate::seal::Recipient;
use crate::segment::Suite;
use crate::signed::canonical;
use crate::signed::{Purpose, SignatureError, sign, verify};
use crate::strict::StrictError;
use crate::time::UnixNanos;

mod succession;

/// What a recipient key may open.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Audience {
    /// Alert, vital and wave lanes.
    Clinical = 0,
    /// The health lane.
    Health = 1,
}

impl Audience {
    /// Who may open a lane.
    #[must_use]
    pub const fn of(lane: Lane) -> Self {
        match lane {
            Lane::Health => Self::Health,
            Lane::Alert | Lane::Vital | Lane::Wave => Self::Clinical,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::Clinical, Self::Health].into_iter().find(|a| *a as u8 == number)
    }
}

/// What the offline root signs, and nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootPart {
    /// Only grows.
    pub version: u64,
    /// After this an alarm is raised; collecting never stops.
    pub expires: UnixNanos,
    /// Signs the fleet part.
    pub fleet_key: VerifyingKey,
    /// Offline keys that open everything when the sink's are lost.
    pub recovery: Vec<(Audience, Recipient)>,
}

/// What the fleet key signs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FleetPart {
    /// Only grows.
    pub version: u64,
    /// The sink's recipient keys, newest first.
    pub recipients: Vec<(Audience, Recipient)>,
    /// Keys that sign receipts, one a sink.
    pub receipt_keys: Vec<VerifyingKey>,
    /// Signs commands.
    pub command_key: VerifyingKey,
    /// Oldest and newest format version that the sink takes.
    pub formats: (u8, u8),
    /// The store's life.
    pub store_epoch: StoreEpoch,
}

/// A keyring whose signatures hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keyring {
    /// From the root.
    pub root: RootPart,
    /// From the fleet.
    pub fleet: FleetPart,
}

/// The root keys that a gateway was given at provisioning, and how many of them must sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Roots {
    /// Pinned keys.
    pub keys: Vec<VerifyingKey>,
    /// Signatures that are needed.
    pub needed: usize,
}

impl Roots {
    /// As they are kept: how many must sign, then 32 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let needed = u8::try_from(self.needed).unwrap_or(u8::MAX);
        self.keys.iter().fold(alloc::vec![needed], |mut bytes, key| {
            bytes.extend_from_slice(key.as_bytes());
            bytes
        })
    }

    /// From kept bytes; `None` if they name no key, or fewer than must sign.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (needed, rest) = bytes.split_first()?;
        let keys: Result<Vec<_>, _> = rest.chunks(32).map(VerifyingKey::try_from).collect();
        let (keys, needed) = (keys.ok()?, usize::from(*needed));
        (1..=keys.len()).contains(&needed).then_some(Self { keys, needed })
    }
}

/// Why a keyring is refused. The last good one stays in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyringError {
    /// Not a keyring.
    Shape(StrictError),
    /// Too few root keys have signed it.
    Root {
        /// Signatures that hold.
        good: usize,
        /// Signatures that are needed.
        needed: usize,
    },
    /// The fleet part is not by the fleet key that the root names.
    Fleet(SignatureError),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "keyring: {error}"),
            Self::Root { good, needed } => {
                write!(f, "keyring: {good} root signatures hold, {needed} are needed")
            }
            Self::Fleet(error) => write!(f, "keyring: fleet part: {error}"),
        }
    }
}

impl core::error::Error for KeyringError {}

#[derive(Serialize, Deserialize)]
struct RecipientWire(u8, u8, ByteBuf);

#[derive(Serialize, Deserialize)]
struct RootWire(u8, u64, i64, ByteArray<32>, Vec<RecipientWire>);

#[derive(Serialize, Deserialize)]
struct FleetWire(
    u8,
    u64,
    Vec<RecipientWire>,
    Vec<ByteArray<32>>,
    ByteArray<32>,
    (u8, u8),
    ByteArray<16>,
);

#[derive(Serialize, Deserialize)]
struct Document(Vec<ByteBuf>, ByteBuf);

const WRONG: StrictError = StrictError::Unexpected;

fn recipient_to_wire((audience, recipient): &(Audience, Recipient)) -> RecipientWire {
    RecipientWire(*audience as u8, recipient.suite as u8, recipient.public.clone().into())
}

fn recipient_from_wire(wire: RecipientWire) -> Result<(Audience, Recipient), StrictError> {
    let audience = Audience::from_number(wire.0).ok_or(WRONG)?;
    let suite = Suite::from_number(wire.1.into()).ok_or(WRONG)?;
    let length = match suite {
        Suite::XWing => 1216,
        Suite::X25519 => 32,
    };
    if wire.2.len() != length {
        return Err(WRONG);
    }
    Ok((audience, Recipient { suite, public: wire.2.into_vec() }))
}

fn verifying(bytes: &[u8; 32]) -> Result<VerifyingKey, StrictError> {
    VerifyingKey::from_bytes(bytes).map_err(|_| WRONG)
}

impl RootPart {
    /// Signs with one root key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let recovery = self.recovery.iter().map(recipient_to_wire).collect();
        let fleet = (*self.fleet_key.as_bytes()).into();
        let wire = RootWire(FORMAT_VERSION, self.version, self.expires.0, fleet, recovery);
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::KeyringRoot, payload)
    }

    fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let wire: RootWire = canonical(payload).map_err(|_| WRONG)?;
        if wire.0 != FORMAT_VERSION {
            return Err(WRONG);
        }
        let recovery: Result<Vec<_>, _> = wire.4.into_iter().map(recipient_from_wire).collect();
        Ok(Self {
            version: wire.1,
            expires: UnixNanos(wire.2),
            fleet_key: verifying(&wire.3)?,
            recovery: recovery?,
        })
    }
}

impl FleetPart {
    /// Signs with the fleet key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let wire = FleetWire(
            FORMAT_VERSION,
            self.version,
            self.recipients.iter().map(recipient_to_wire).collect(),
            self.receipt_keys.iter().map(|key| (*key.as_bytes()).into()).collect(),
            (*self.command_key.as_bytes()).into(),
            self.formats,
            self.store_epoch.0.into(),
        );
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::KeyringFleet, payload)
    }

    fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let wire: FleetWire = canonical(payload).map_err(|_| WRONG)?;
        if wire.0 != FORMAT_VERSION {
            return Err(WRONG);
        }
        let recipients: Result<Vec<_>, _> = wire.2.into_iter().map(recipient_from_wire).collect();
        let receipt_keys: Result<Vec<_>, _> = wire.3.iter().map(|key| verifying(key)).collect();
        Ok(Self {
            version: wire.1,
            recipients: recipients?,
            receipt_keys: receipt_keys?,
            command_key: verifying(&wire.4)?,
            formats: wire.5,
            store_epoch: StoreEpoch(*wire.6),
        })
    }
}

/// Joins signed parts into the document that is published.
#[must_use]
pub fn join(root_parts: Vec<Vec<u8>>, fleet_part: Vec<u8>) -> Vec<u8> {
    let roots = root_parts.into_iter().map(ByteBuf::from).collect();
    let document = Document(roots, ByteBuf::from(fleet_part));
    serde_cbor::to_vec(&document).expect("plain bytes encode")
}

/// The root parts of a document, for signing a new fleet part below them.
///
/// # Errors
/// [`KeyringError::Shape`].
pub fn root_parts(document: &[u8]) -> Result<Vec<Vec<u8>>, KeyringError> {
    let parsed: Document = canonical(document).map_err(|_| KeyringError::Shape(WRONG))?;
    Ok(parsed.0.into_iter().map(ByteBuf::into_vec).collect())
}

impl Keyring {
    /// Reads a document and checks it down from the pinned roots.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn verify(document: &[u8], roots: &Roots) -> Result<Self, KeyringError> {
        if document.len() > KEYRING_BYTES_MAX {
            return Err(KeyringError::Shape(WRONG));
        }
        let parsed: Document = canonical(document).map_err(|_| KeyringError::Shape(WRONG))?;
        let roots = roots.follow(&parsed.0);
        let needed = roots.needed.max(1);
        let (good, payload) = most_signed(&parsed.0, &roots);
        let Some(payload) = payload.filter(|_| good >= needed) else {
            return Err(KeyringError::Root { good, needed });
        };
        let root = RootPart::decode(payload).map_err(KeyringError::Shape)?;
        let payload = verify(&root.fleet_key, Purpose::KeyringFleet, &parsed.1)
            .map_err(KeyringError::Fleet)?;
        let fleet = FleetPart::decode(payload).map_err(KeyringError::Shape)?;
        Ok(Self { root, fleet })
    }

    /// Whom a lane's secrets are wrapped for: the sink's newest key and the recovery key.
    #[must_use]
    pub fn recipients(&self, lane: Lane, suite: Suite) -> Vec<Recipient> {
        let wanted = |(audience, recipient): &&(Audience, Recipient)| {
            *audience == Audience::of(lane) && recipient.suite == suite
        };
        let sink = self.fleet.recipients.iter().find(wanted);
        let recovery = self.root.recovery.iter().find(wanted);
        sink.into_iter().chain(recovery).map(|(_, recipient)| recipient.clone()).collect()
    }

    /// Whether this one may replace `other`: no version falls, and something grows.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.versions(), other.versions());
        mine.0 >= theirs.0 && mine.1 >= theirs.1 && mine != theirs
    }

    /// Version of the root part and of the fleet part.
    #[must_use]
    pub const fn versions(&self) -> (u64, u64) {
        (self.root.version, self.fleet.version)
    }
}

/// The payload that most distinct root keys have signed, the newest of equals, and their number.
fn most_signed<'a>(parts: &'a [ByteBuf], roots: &Roots) -> (usize, Option<&'a [u8]>) {
    let payloads = parts.iter().filter_map(|part| payload_of(part).ok());
    let signers = |payload: &[u8]| roots.have_signed(parts, Purpose::KeyringRoot, payload);
    let version = |payload: &[u8]| RootPart::decode(payload).map_or(0, |root| root.version);
    payloads
        .map(|payload| (signers(payload), version(payload), payload))
        .max_by_key(|(good, version, _)| (*good, *version))
        .map_or((0, None), |(good, _, payload)| (good, Some(payload)))
}
