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
    /// As the site wants it; the key is made at the first start. One that is lost is made anew, and
    /// the log says so: patients have other tokens from then on, and collecting goes on.
    #[must_use]
    pub fn at(state: &Path, naming: Naming) -> Self {
        if naming != Naming::Pseudonym {
            return Self { naming, ..Self::default() };
        }
        let path = state.join("keys").join("patients.key");
        let understand = |bytes: &[u8]| {
            <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| "is no key of patients".to_owned())
        };
        match keep::load(&path, understand) {
            Ok(kept) => return Self { naming, key: Zeroizing::new(kept.value) },
            Err(KeepError::Missing { .. }) => {}
            Err(error) => tracing::error!(%error, "patients have new tokens from now on"),
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if let Err(error) = getrandom::fill(&mut key[..]) {
            tracing::error!(%error, "there is no key for tokens: readings are nobody's");
            return Self { naming: Naming::None, key };
        }
        if let Err(error) = keep::store(&path, &key[..]) {
            tracing::error!(%error, "patients have new tokens after the next start");
        }
        Self { naming, key }
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
        let token = at(&here).token("HOSP", "4711");
        assert_eq!(token.len(), TOKEN_BYTES);
        assert_eq!(at(&here).token("HOSP", "4711"), token, "after a restart, too");
        assert_ne!(at(&there).token("HOSP", "4711"), token);
        assert_ne!(at(&here).token("HOME", "4711"), token);
        assert!(at(&here).token("HOSP", "").is_empty());
        assert!(!String::from_utf8_lossy(&token).contains("4711"));

        for name in ["patients.key", "patients.key.2"] {
            std::fs::write(here.path().join("keys").join(name), b"torn").unwrap();
        }
        let fresh = at(&here).token("HOSP", "4711");
        assert!(fresh != token && fresh.len() == TOKEN_BYTES, "a key that is lost stops nothing");
        assert_eq!(at(&here).token("HOSP", "4711"), fresh);
    }

    #[test]
    fn a_site_may_want_identifiers_as_they_are_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let of = |naming| Patients::at(folder.path(), naming);
        assert_eq!(of(Naming::Clear).token("HOSP", "4711"), b"HOSP^4711");
        assert_eq!(of(Naming::Clear).token("", &"x".repeat(33)).len(), TOKEN_BYTES);
        assert_eq!(of(Naming::None).token("HOSP", "4711"), b"");
        assert!(!folder.path().join("keys").exists(), "no key is made that nobody needs");
    }
}
