//! HPKE's key schedule after the text of RFC 9180, sections 4.1, 5.1 and 5.2, in the mode base.
//!
//! It makes what a sender with a *published* shared secret would send, so that the product's own
//! opening can be asked of vectors that know no HPKE. The test of each KEM is then a test of this.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// DHKEM(X25519, HKDF-SHA256).
pub const X25519: u16 = 0x0020;
/// X-Wing.
pub const XWING: u16 = 0x647a;

fn extract(suite: &[u8], salt: &[u8], label: &[u8], key: &[u8]) -> [u8; 32] {
    let labeled = [b"HPKE-v1".as_slice(), suite, label, key].concat();
    Hkdf::<Sha256>::extract(Some(salt), &labeled).0.into()
}

fn expand<const N: usize>(suite: &[u8], key: &[u8; 32], label: &[u8], info: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).unwrap().to_be_bytes();
    let labeled = [length.as_slice(), b"HPKE-v1", suite, label, info].concat();
    let mut output = [0; N];
    Hkdf::<Sha256>::from_prk(key).unwrap().expand(&labeled, &mut output).unwrap();
    output
}

/// What DHKEM makes of a Diffie-Hellman result and both public keys, as they were sent.
pub fn dhkem(result: &[u8; 32], encapsulated: &[u8], recipient: &[u8]) -> [u8; 32] {
    let suite = [b"KEM".as_slice(), &X25519.to_be_bytes()].concat();
    let key = extract(&suite, b"", b"eae_prk", result);
    expand(&suite, &key, b"shared_secret", &[encapsulated, recipient].concat())
}

/// The first message under a KEM's shared secret: HKDF-SHA256, AES-256-GCM, nothing beside it.
pub fn seal(kem: u16, shared: &[u8; 32], info: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let suite = [b"HPKE".as_slice(), &kem.to_be_bytes(), &[0, 1, 0, 2]].concat();
    let mut context = vec![0];
    context.extend(extract(&suite, b"", b"psk_id_hash", b""));
    context.extend(extract(&suite, b"", b"info_hash", info));
    let secret = extract(&suite, shared, b"secret", b"");
    let key: [u8; 32] = expand(&suite, &secret, b"key", &context);
    let nonce: [u8; 12] = expand(&suite, &secret, b"base_nonce", &context);
    Aes256Gcm::new(&key.into()).encrypt(&Nonce::from(nonce), plaintext).unwrap()
}

/// What the product calls info: the digest of a header's core.
pub fn info_of(core: &[u8]) -> [u8; 32] {
    Sha256::digest(core).into()
}
