//! Everything that is signed: `COSE_Sign1` with Ed25519, and a purpose that cannot be confused.
//!
//! The purpose is the external authenticated data, so a receipt can never pass for a frame even
//! under one key. Verification takes the received bytes; nothing is encoded again.

use alloc::vec::Vec;
use core::fmt;

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::frame::payload_of;
use crate::identity::KeyId;
use crate::strict::{StrictError, check};

/// What a signature is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Headers, frames and gaps, by a gateway key.
    Record,
    /// Receipts, by a sink's receipt key.
    Receipt,
    /// The root part of a keyring, by the offline root.
    KeyringRoot,
    /// The fleet part of a keyring, by the fleet key.
    KeyringFleet,
    /// Commands, by the command key.
    Command,
    /// Status hints, by a gateway key.
    Status,
    /// Other roots, by the roots before them.
    RootSuccession,
    /// A gateway's next key, by the one before it.
    Endorsement,
    /// What a gateway asks of the sink, by its key.
    Request,
    /// That a gateway's buffer was erased, by its key; or what is erased at a sink, by its own.
    Erasure,
    /// A bundle of evidence, by a sink's receipt key.
    Evidence,
    /// An entry of a gateway's audit trail, by its key.
    Audit,
}

impl Purpose {
    const fn aad(self) -> &'static [u8] {
        match self {
            Self::Record => b"wardline/1/record",
            Self::Receipt => b"wardline/1/receipt",
            Self::KeyringRoot => b"wardline/1/keyring-root",
            Self::KeyringFleet => b"wardline/1/keyring-fleet",
            Self::Command => b"wardline/1/command",
            Self::Status => b"wardline/1/status",
            Self::RootSuccession => b"wardline/1/root-succession",
            Self::Endorsement => b"wardline/1/endorsement",
            Self::Request => b"wardline/1/request",
            Self::Erasure => b"wardline/1/erasure",
            Self::Evidence => b"wardline/1/evidence",
            Self::Audit => b"wardline/1/audit",
        }
    }
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureError {
    /// Not a `COSE_Sign1` of our shape. Refuse.
    Shape(StrictError),
    /// The signature is not by this key over these bytes. Refuse.
    Forged {
        /// The key that was tried.
        key: KeyId,
    },
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "signed part: {error}"),
            Self::Forged { key } => write!(f, "the signature is not by key {key}"),
        }
    }
}

impl core::error::Error for SignatureError {}

/// The id of an Ed25519 public key.
#[must_use]
pub fn signing_key_id(key: &VerifyingKey) -> KeyId {
    key_id(b"ed25519", key.as_bytes())
}

pub(crate) fn key_id(suite: &[u8], public: &[u8]) -> KeyId {
    let digest = Sha256::new().chain_update(suite).chain_update(public).finalize();
    let mut id = KeyId::default();
    id.0.copy_from_slice(&digest[..8]);
    id
}

/// Signs a payload.
#[must_use]
pub fn sign(key: &SigningKey, purpose: Purpose, payload: Vec<u8>) -> Vec<u8> {
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).build();
    CoseSign1Builder::new()
        .protected(protected)
        .payload(payload)
        .create_signature(purpose.aad(), |bytes| key.sign(bytes).to_bytes().to_vec())
        .build()
        .to_vec()
        .expect("a COSE_Sign1 built from plain fields encodes")
}

/// Checks a signature and gives the payload.
///
/// # Errors
/// [`SignatureError`]; the payload must not be used then.
pub fn verify<'a>(
    key: &VerifyingKey,
    purpose: Purpose,
    signed: &'a [u8],
) -> Result<&'a [u8], SignatureError> {
    let payload = payload_of(signed).map_err(SignatureError::Shape)?;
    let forged = SignatureError::Forged { key: signing_key_id(key) };
    let parsed = CoseSign1::from_slice(signed)
        .map_err(|_| SignatureError::Shape(StrictError::Unexpected))?;
    parsed.verify_signature(purpose.aad(), |signature, bytes| {
        let signature = Signature::from_slice(signature).map_err(|_| forged)?;
        key.verify_strict(bytes, &signature).map_err(|_| forged)
    })?;
    Ok(payload)
}

/// Reads a list of fields that must be encoded exactly as we would encode it.
///
/// The library that fills the fields is lenient (tags, arrays for bytes); what it read must give
/// the same bytes again.
///
/// # Errors
/// [`StrictError`].
pub(crate) fn canonical<T>(bytes: &[u8]) -> Result<T, StrictError>
where
    T: serde::de::DeserializeOwned + serde::Serialize,
{
    check(bytes)?;
    let fields: T = serde_cbor::from_slice(bytes).map_err(|_| StrictError::Unexpected)?;
    match serde_cbor::to_vec(&fields) {
        Ok(again) if again == bytes => Ok(fields),
        _ => Err(StrictError::Unexpected),
    }
}
