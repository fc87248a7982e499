//! Patients: their identifiers are replaced here, before anything is sealed, unless the site wants
//! otherwise.

use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use std::path::Path;

use crate::seal::keep::{self, KeepError};

/// What becomes of a patient's identifier.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// A keyed hash, under a key that never leaves the gateway.
    #[default]
    Pseudonym,
    /// As the device says it, sealed like everything else.
    Clear,
    /// Nothing: readings belong to nobody.
    None,
}

/// A token's bytes: 128 bits of a hash.
const TOKEN_BYTES: usize = 16;
/// An identifier that is longer is replaced in any case.
const CLEAR_BYTES_MAX: usize = 32;
const KEY_BYTES: usize = 32;

/// Replaces identifiers of patients.
#[derive(Clone, Debug)]
pub struct Patients {
    naming: Naming,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl Default for Patients {
    /// Takes identifiers as they are: where nobody is asked, nothing is known of sites.
    fn default() -> Self {
        Self { naming: Naming::Clear, key: Zeroizing::new([0; KEY_BYTES]) }
    }
}

impl Patients {
    /// As the site wants it; the key is made at the first start.
    ///
    /// # Errors
    /// [`KeepError`]: neither copy of the key is whole, or it cannot be kept.
    pub fn at(state: &Path, naming: Naming) -> Result<Self, KeepError> {
        if naming != Naming::Pseudonym {
            return Ok(Self { naming, ..Self::default() });
        }
        let path = state.join("keys").join("patients.key");
        let understand = |bytes: &[u8]| {
            <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| "is no key of patients".to_owned())
        };
        let key = match keep::load(&path, understand) {
            Ok(kept) => kept.value,
            Err(KeepError::Missing { .. }) => {
                let mut key = [0; KEY_BYTES];
                getrandom::fill(&mut key).map_err(|error| KeepError::Write {
                    path: path.clone(),
                    error: std::io::Error::other(error.to_string()),
                })?;
                keep::store(&path, &key)?;
                key
            }
            Err(error) => return Err(error),
        };
        Ok(Self { naming, key: Zeroizing::new(key) })
    }

    /// What stands with readings of a patient, by who gives the identifier and the identifier.
    #[must_use]
    pub fn token(&self, authority: &str, id: &str) -> Vec<u8> {
        match (authority.is_empty(), id.is_empty()) {
            (_, true) => Vec::new(),
            (true, false) => self.token_of(id.as_bytes()),
            (false, false) => self.token_of(format!("{authority}^{id}").as_bytes()),
        }
    }

    /// The same of an identifier in a device's own words; empty is nobody.
    #[must_use]
    pub fn token_of(&self, id: &[u8]) -> Vec<u8> {
        match self.naming {
            _ if id.is_empty() => Vec::new(),
            Naming::None => Vec::new(),
            Naming::Clear if id.len() <= CLEAR_BYTES_MAX => id.to_vec(),
            Naming::Clear | Naming::Pseudonym => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&self.key[..])
                    .expect("a key of any length is taken");
                mac.update(b"wardline patient\0");
                mac.update(id);
                mac.finalize().into_bytes()[..TOKEN_BYTES].to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_has_one_token_at_a_gateway_and_another_one_at_the_next() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for folder in [&here, &there] {
            std::fs::create_dir(folder.path().join("keys")).unwrap();
        }
        let at = |folder: &tempfile::TempDir| Patients::at(folder.path(), Naming::Pseudonym);
        let token = at(&here).unwrap().token("HOSP", "4711");
        assert_eq!(token.len(), TOKEN_BYTES);
        assert_eq!(at(&here).unwrap().token("HOSP", "4711"), token, "after a restart, too");
        assert_ne!(at(&there).unwrap().token("HOSP", "4711"), token);
        assert_ne!(at(&here).unwrap().token("HOME", "4711"), token);
        assert!(at(&here).unwrap().token("HOSP", "").is_empty());
        assert!(!String::from_utf8_lossy(&token).contains("4711"));
    }

    #[test]
    fn a_site_may_want_identifiers_as_they_are_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let of = |naming| Patients::at(folder.path(), naming).unwrap();
        assert_eq!(of(Naming::Clear).token("HOSP", "4711"), b"HOSP^4711");
        assert_eq!(of(Naming::Clear).token("", &"x".repeat(33)).len(), TOKEN_BYTES);
        assert_eq!(of(Naming::None).token("HOSP", "4711"), b"");
        assert!(!folder.path().join("keys").exists(), "no key is made that nobody needs");
    }
}
