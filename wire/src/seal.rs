//! Seal and open, side by side: everything that decides whether a byte is secret and true.
//!
//! A segment has one secret, wrapped by HPKE for each recipient. From it come the AES-256 key, the
//! base nonce and the salt key. Frame `i` is encrypted under nonce = base XOR `i` with its core
//! as associated data. The content root commits to each block of the batch under its own salt.

use alloc::vec::Vec;
use core::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::{SigningKey, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::frame::{Core, Record, frame_payload, join, read_frame_payload};
use crate::identity::{KeyId, RecordHash};
use crate::segment::{Header, Wrapped, header_payload, read_header_payload};
use crate::signed::{Purpose, SignatureError, sign, signing_key_id, verify};
use crate::strict::{Reader, StrictError};

mod recipient;
mod remnant;

pub use recipient::{BadRecipient, Recipient, RecipientSecret, unwrap_secret};
use recipient::{Draws, wrap};
pub use remnant::Remnant;

/// Why sealed bytes do not open. Each means: keep the bytes, use nothing of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// Not a record of the expected kind and shape.
    Shape(StrictError),
    /// The signature does not hold.
    Signature(SignatureError),
    /// The ciphertext is not the one that was signed.
    Ciphertext,
    /// The tag does not fit: other bytes, key or core than were sealed.
    Forged {
        /// Index of the frame.
        index: u32,
    },
    /// The blocks are not those that the content root names.
    ContentRoot,
    /// No wrapped secret for this key.
    NotForThisKey {
        /// The key that was tried.
        key: KeyId,
    },
    /// The wrapped secret does not open: it was made for another header or key.
    Unwrap {
        /// The key that was tried.
        key: KeyId,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "not a sealed record: {error}"),
            Self::Signature(error) => write!(f, "{error}"),
            Self::Ciphertext => f.write_str("the ciphertext is not the one that was signed"),
            Self::Forged { index } => write!(f, "the tag of frame {index} does not fit"),
            Self::ContentRoot => f.write_str("the blocks are not those that the root names"),
            Self::NotForThisKey { key } => write!(f, "no secret is wrapped for key {key}"),
            Self::Unwrap { key } => write!(f, "the secret for key {key} does not open"),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<StrictError> for OpenError {
    fn from(error: StrictError) -> Self {
        Self::Shape(error)
    }
}

impl From<SignatureError> for OpenError {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

/// The 32 bytes that open one segment; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SegmentSecret([u8; 32]);

impl fmt::Debug for SegmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentSecret(..)")
    }
}

impl SegmentSecret {
    /// Mixes the kernel's random bytes with what makes this start unique, so that a stuck
    /// generator alone repeats no key (RFC 8937 in spirit).
    #[must_use]
    pub fn mix(random: &[u8; 32], unique: &[&[u8]]) -> Self {
        let mut info = Sha256::new();
        for part in unique {
            info.update((part.len() as u64).to_be_bytes());
            info.update(part);
        }
        let mut secret = [0; 32];
        Hkdf::<Sha256>::new(Some(b"wardline/1/segment-secret"), random)
            .expand(&info.finalize(), &mut secret)
            .expect("32 bytes are less than HKDF's limit");
        Self(secret)
    }

    /// Takes a secret that was kept under another protection.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for keeping under another protection.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What opens and seals the frames of one segment; wiped when dropped.
pub struct SegmentKeys {
    cipher: Aes256Gcm,
    base_nonce: [u8; 12],
    salt_key: [u8; 32],
}

impl Drop for SegmentKeys {
    fn drop(&mut self) {
        self.base_nonce.zeroize();
        self.salt_key.zeroize();
    }
}

impl fmt::Debug for SegmentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentKeys(..)")
    }
}

impl SegmentKeys {
    /// Derives key, base nonce and salt key from the secret and the header core's exact bytes.
    #[must_use]
    pub fn derive(secret: &SegmentSecret, header_core: &[u8]) -> Self {
        let expander = Hkdf::<Sha256>::new(Some(&Sha256::digest(header_core)), &secret.0);
        let mut key = [0; 32];
        let (mut base_nonce, mut salt_key) = ([0; 12], [0; 32]);
        let short = "the outputs are less than HKDF's limit";
        expander.expand(b"wardline/1/key", &mut key).expect(short);
        expander.expand(b"wardline/1/nonce", &mut base_nonce).expect(short);
        expander.expand(b"wardline/1/salt", &mut salt_key).expect(short);
        let cipher = Aes256Gcm::new(&key.into());
        key.zeroize();
        Self { cipher, base_nonce, salt_key }
    }

    /// Nonce of a frame: base XOR index, 96 bits big-endian.
    fn nonce(&self, index: u32) -> [u8; 12] {
        let mut nonce = self.base_nonce;
        for (byte, part) in nonce[8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= part;
        }
        nonce
    }

    /// Salt of a block: 16 bytes that must be shown to prove it, and tell nothing of the others.
    #[must_use]
    pub fn salt(&self, index: u32, block: u32) -> [u8; 16] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.salt_key)
            .expect("HMAC takes a key of any length");
        mac.update(&index.to_be_bytes());
        mac.update(&block.to_be_bytes());
        let mut salt = [0; 16];
        salt.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        salt
    }

    /// Content root of a batch's plaintext.
    ///
    /// # Errors
    /// [`StrictError`] if the plaintext is no array of byte strings.
    pub fn content_root(&self, index: u32, plaintext: &[u8]) -> Result<[u8; 32], StrictError> {
        Ok(merkle_root(&self.leaves(index, plaintext)?))
    }

    fn leaves(&self, index: u32, plaintext: &[u8]) -> Result<Vec<[u8; 32]>, StrictError> {
        let mut reader = Reader::new(plaintext);
        let count = reader.array()?;
        let mut leaves = Vec::with_capacity(count);
        for block in 0..count as u32 {
            leaves.push(leaf(&self.salt(index, block), reader.bytes()?));
        }
        reader.done()?;
        Ok(leaves)
    }
}

fn leaf(salt: &[u8; 16], block: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(salt).chain_update(block).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// What shows that a block stands under a content root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockProof {
    /// The block's salt.
    pub salt: [u8; 16],
    /// From the leaf to the root: whether the neighbour stands to the left, and its hash.
    pub path: Vec<(bool, [u8; 32])>,
}

impl BlockProof {
    /// Whether this block stands under this root.
    #[must_use]
    pub fn holds(&self, root: &[u8; 32], block: &[u8]) -> bool {
        let climb = |hash: [u8; 32], (is_left, other): &(bool, [u8; 32])| {
            if *is_left { node(other, &hash) } else { node(&hash, other) }
        };
        self.path.iter().fold(leaf(&self.salt, block), climb) == *root
    }
}

fn merkle_path(leaves: &[[u8; 32]], at: usize, path: &mut Vec<(bool, [u8; 32])>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    if at < left.len() {
        merkle_path(left, at, path);
        path.push((false, merkle_root(right)));
    } else {
        merkle_path(right, at - left.len(), path);
        path.push((true, merkle_root(left)));
    }
}

/// Merkle root as in RFC 6962 section 2.1, over leaves that are hashed already.
fn merkle_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            node(&merkle_root(left), &merkle_root(right))
        }
    }
}

/// Seals one batch as the frame that `core` describes; fills in the content root.
///
/// Order:  an index must never be given twice to the same keys, whatever happens to the result.
/// Errors: [`StrictError`] if the plaintext is no batch.
///
/// # Errors
/// As above.
pub fn seal_frame(
    keys: &SegmentKeys,
    signer: &SigningKey,
    core: &Core,
    plaintext: Vec<u8>,
) -> Result<(Vec<u8>, RecordHash), StrictError> {
    let content_root = keys.content_root(core.index, &plaintext)?;
    let core_bytes = Core { content_root, ..*core }.encode();
    let mut ciphertext = plaintext;
    ciphertext.reserve_exact(16);
    let nonce = Nonce::from(keys.nonce(core.index));
    keys.cipher
        .encrypt_in_place(&nonce, &core_bytes, &mut ciphertext)
        .expect("a batch is far below AES-GCM's limit");
    let signed = sign(signer, Purpose::Record, frame_payload(&core_bytes, &ciphertext));
    Ok((join(&signed, Some(&ciphertext)), crate::frame::hash_of(&signed)))
}

/// A frame whose signature holds and whose ciphertext is the signed one.
#[derive(Clone, Copy, Debug)]
pub struct SignedFrame<'a> {
    /// Its core.
    pub core: Core,
    core_bytes: &'a [u8],
    ciphertext: &'a [u8],
}

/// Checks a frame's signature and that its ciphertext is the signed one.
///
/// # Errors
/// [`OpenError`].
pub fn verify_frame<'a>(
    record: &Record<'a>,
    key: &VerifyingKey,
) -> Result<SignedFrame<'a>, OpenError> {
    verify(key, Purpose::Record, record.signed)?;
    stored_frame(record)
}

/// A frame that was verified before it was stored.
///
/// # Errors
/// [`OpenError`], if it was changed since so that its ciphertext is not the signed one.
pub fn stored_frame<'a>(record: &Record<'a>) -> Result<SignedFrame<'a>, OpenError> {
    let (core, core_bytes, digest) = read_frame_payload(record.payload)?;
    if Sha256::digest(record.ciphertext)[..] != digest {
        return Err(OpenError::Ciphertext);
    }
    Ok(SignedFrame { core, core_bytes, ciphertext: record.ciphertext })
}

/// Opens a verified frame and checks its content root; returns the plaintext.
///
/// # Errors
/// [`OpenError::Forged`] or [`OpenError::ContentRoot`].
pub fn open_frame(keys: &SegmentKeys, frame: &SignedFrame<'_>) -> Result<Vec<u8>, OpenError> {
    let index = frame.core.index;
    let mut plaintext = frame.ciphertext.to_vec();
    keys.cipher
        .decrypt_in_place(&Nonce::from(keys.nonce(index)), frame.core_bytes, &mut plaintext)
        .map_err(|_| OpenError::Forged { index })?;
    if keys.content_root(index, &plaintext)? != frame.core.content_root {
        return Err(OpenError::ContentRoot);
    }
    Ok(plaintext)
}

/// Seals a segment's secret for its recipients and signs the header.
///
/// `ephemeral` is mixed as the secret is, for another purpose: the ephemeral keys come out of it,
/// so that a stuck generator alone repeats none.
///
/// # Errors
/// [`BadRecipient`] if a recipient's key is unusable or of another suite than the header says.
pub fn seal_header(
    header: &Header,
    secret: &SegmentSecret,
    ephemeral: &SegmentSecret,
    recipients: &[Recipient],
    signer: &SigningKey,
) -> Result<(Vec<u8>, RecordHash, SegmentKeys), BadRecipient> {
    let core = header.encode();
    let mut draws = Draws::new(ephemeral);
    let mut wrapped = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        if recipient.suite != header.suite {
            return Err(BadRecipient { key: recipient.id() });
        }
        wrapped.push(wrap(secret, recipient, &core, &mut draws)?);
    }
    let signed = sign(signer, Purpose::Record, header_payload(&core, &wrapped));
    let keys = SegmentKeys::derive(secret, &core);
    Ok((join(&signed, None), crate::frame::hash_of(&signed), keys))
}

/// Checks a header's signature.
///
/// # Errors
/// [`OpenError`].
pub fn verify_header<'a>(
    record: &Record<'a>,
    key: &VerifyingKey,
) -> Result<(Header, &'a [u8], Vec<Wrapped>), OpenError> {
    let payload = verify(key, Purpose::Record, record.signed)?;
    let (header, core, wrapped) = read_header_payload(payload)?;
    if header.signing_key != signing_key_id(key) {
        return Err(OpenError::Shape(StrictError::Unexpected));
    }
    Ok((header, core, wrapped))
}

#[cfg(test)]
mod tests;
