//! Whom a segment's secret is wrapped for, and how: HPKE (RFC 9180), base mode, single shot.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::rand_core::{CryptoRng, TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{OpenError, SegmentSecret};
use crate::identity::KeyId;
use crate::segment::{Header, Suite, Wrapped};
use crate::signed::key_id;

/// A public key that segment secrets are wrapped for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recipient {
    /// Which KEM it belongs to.
    pub suite: Suite,
    /// Its bytes: 1,216 for X-Wing, 32 for X25519.
    pub public: Vec<u8>,
}

/// A private key that opens segment secrets; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecipientSecret {
    #[zeroize(skip)]
    suite: Suite,
    private: Vec<u8>,
    #[zeroize(skip)]
    id: KeyId,
}

impl fmt::Debug for RecipientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientSecret({})", self.id)
    }
}

impl Recipient {
    /// Its key id, bound to the suite: the same bytes under another suite are another key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(&[self.suite as u8], &self.public)
    }
}

impl RecipientSecret {
    /// A new key pair.
    #[must_use]
    pub fn generate(suite: Suite) -> (Self, Recipient) {
        fn pair<K: Kem>() -> (Vec<u8>, Vec<u8>) {
            let (private, public) = K::gen_keypair();
            (private.to_bytes().to_vec(), public.to_bytes().to_vec())
        }
        let (private, public) = match suite {
            Suite::XWing => pair::<XWing>(),
            Suite::X25519 => pair::<X25519HkdfSha256>(),
        };
        let recipient = Recipient { suite, public };
        (Self { suite, private, id: recipient.id() }, recipient)
    }

    /// From kept bytes, with its public half; `None` if they are no key of this suite.
    #[must_use]
    pub fn pair_from_bytes(suite: Suite, private: &[u8]) -> Option<(Self, Recipient)> {
        fn public<K: Kem>(private: &[u8]) -> Option<Vec<u8>> {
            let key = K::PrivateKey::from_bytes(private).ok()?;
            Some(K::sk_to_pk(&key).to_bytes().to_vec())
        }
        let public = match suite {
            Suite::XWing => public::<XWing>(private)?,
            Suite::X25519 => public::<X25519HkdfSha256>(private)?,
        };
        let recipient = Recipient { suite, public };
        let secret = Self { suite, private: private.to_vec(), id: recipient.id() };
        Some((secret, recipient))
    }

    /// From kept bytes; `None` if they are no key of this suite.
    #[must_use]
    pub fn from_bytes(suite: Suite, private: &[u8]) -> Option<Self> {
        Self::pair_from_bytes(suite, private).map(|(secret, _)| secret)
    }

    /// The bytes, for keeping.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.private
    }

    /// Which KEM it belongs to.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Its key id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

/// Why a secret could not be wrapped. The keyring holds a key that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadRecipient {
    /// The key that does not work.
    pub key: KeyId,
}

impl fmt::Display for BadRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipient key {} in the keyring is not usable", self.key)
    }
}

impl core::error::Error for BadRecipient {}

/// Random bytes for ephemeral keys, drawn out of the mixed bytes of one segment.
pub(super) struct Draws {
    from: Hkdf<Sha256>,
    count: u64,
}

impl Draws {
    pub(super) fn new(ephemeral: &SegmentSecret) -> Self {
        Self { from: Hkdf::new(Some(b"wardline/1/ephemeral"), &ephemeral.0), count: 0 }
    }

    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let Ok(()) = self.try_fill_bytes(&mut bytes);
        bytes
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.draw()))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for piece in into.chunks_mut(32) {
            self.from
                .expand(&self.count.to_be_bytes(), piece)
                .expect("32 bytes are less than HKDF's limit");
            self.count += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Draws {}

/// HPKE as the format has it, to one public key: base mode, HKDF-SHA256, AES-256-GCM, one message.
///
/// Gives the encapsulated key and the ciphertext; `None` for what is no key of this KEM.
fn seal_once<K: Kem>(
    public: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    random: &mut impl CryptoRng,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let public = K::PublicKey::from_bytes(public).ok()?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        aad,
        random,
    )
    .ok()?;
    Some((encapsulated.to_bytes().to_vec(), sealed))
}

/// The other way round; `None` for whatever [`seal_once`] did not make for this key.
fn open_once<K: Kem>(
    private: &[u8],
    encapsulated: &[u8],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let private = K::PrivateKey::from_bytes(private).ok()?;
    let encapsulated = K::EncappedKey::from_bytes(encapsulated).ok()?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, K>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        info,
        sealed,
        aad,
    )
    .ok()
}

pub(super) fn wrap(
    secret: &SegmentSecret,
    recipient: &Recipient,
    core: &[u8],
    draws: &mut Draws,
) -> Result<Wrapped, BadRecipient> {
    let info = Sha256::digest(core);
    let public = &recipient.public;
    let pair = match recipient.suite {
        Suite::XWing => seal_once::<XWing>(public, &info, &[], &secret.0, draws),
        Suite::X25519 => seal_once::<X25519HkdfSha256>(public, &info, &[], &secret.0, draws),
    };
    let key = recipient.id();
    let (encapsulated, sealed) = pair.ok_or(BadRecipient { key })?;
    Ok(Wrapped { recipient: key, encapsulated, sealed })
}

/// Opens a segment's secret with one recipient key.
///
/// # Errors
/// [`OpenError::NotForThisKey`] or [`OpenError::Unwrap`].
pub fn unwrap_secret(
    header: &Header,
    core: &[u8],
    wrapped: &[Wrapped],
    secret_key: &RecipientSecret,
) -> Result<SegmentSecret, OpenError> {
    let key = secret_key.id;
    let mine = wrapped.iter().find(|one| one.recipient == key);
    let (Some(one), true) = (mine, header.suite == secret_key.suite) else {
        return Err(OpenError::NotForThisKey { key });
    };
    let info = Sha256::digest(core);
    let (private, enc) = (&secret_key.private, &one.encapsulated);
    let opened = match header.suite {
        Suite::XWing => open_once::<XWing>(private, enc, &info, &[], &one.sealed),
        Suite::X25519 => open_once::<X25519HkdfSha256>(private, enc, &info, &[], &one.sealed),
    };
    let mut opened = opened.ok_or(OpenError::Unwrap { key })?;
    let bytes: Option<[u8; 32]> = opened.as_slice().try_into().ok();
    opened.zeroize();
    bytes.map(SegmentSecret).ok_or(OpenError::Unwrap { key })
}

#[cfg(test)]
mod tests;
