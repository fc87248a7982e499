//! The vault: secrets of accounts as the store keeps them. Who has a copy of the store and not the
//! sink's keys has nobody's codes.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest, Sha256};

use crate::store::StoreError;

/// What the key is for: no other use of the store's key comes to the same.
const PURPOSE: &[u8] = b"wardline: secrets of accounts";
const NONCE_BYTES: usize = 12;

/// Seals and opens secrets, each for one name.
pub struct Vault(Aes256Gcm);

impl Vault {
    /// The vault of a sink, by its store's key.
    #[must_use]
    pub fn new(store_key: &[u8; 32]) -> Self {
        let key: [u8; 32] =
            Sha256::new().chain_update(PURPOSE).chain_update(store_key).finalize().into();
        Self(Aes256Gcm::new(&key.into()))
    }

    /// A secret for the store.
    pub(super) fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(StoreError::Random)?;
        let payload = Payload { msg: secret, aad: name.as_bytes() };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::Shape("a secret is not sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The secret again; none if it is another name's, or another sink's.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        self.0.decrypt(&Nonce::from(*nonce), payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_name_and_sink_only() {
        let vault = Vault::new(&[1; 32]);
        let sealed = vault.seal("ada", b"secret").unwrap();
        assert_eq!(vault.open("ada", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(vault.open("eve", &sealed), None);
        assert_eq!(Vault::new(&[2; 32]).open("ada", &sealed), None);
        assert_eq!(vault.open("ada", &sealed[..11]), None);
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
    }
}
