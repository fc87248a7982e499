//! Custody of keys: the gateway's own and the fleet's keyring, each stored twice.
//!
//! Shape:  a file `NAME` and a file `NAME.2`, each 32 bytes SHA-256 of the rest, then the rest;
//! mode 0600. The first copy that checks wins; a damaged one is written again from it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use wire::keyring::{Keyring, KeyringError, Roots};

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// Neither copy is whole. Provision again.
    #[error("{path}: neither copy is whole ({reason}); run `wardline provision` again")]
    Lost {
        /// The first copy's path.
        path: PathBuf,
        /// What the first copy said.
        reason: String,
    },
    /// The keyring does not verify.
    #[error("{path}: {error}; fetch the keyring again")]
    Keyring {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: KeyringError,
    },
    /// Writing failed.
    #[error("{path}: {error}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn second(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".2");
    name.into()
}

fn read_copy(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let (sum, rest) = bytes.split_at_checked(32).ok_or("too short")?;
    if Sha256::digest(rest)[..] == *sum { Ok(rest.to_vec()) } else { Err("checksum".into()) }
}

fn write_copy(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&Sha256::digest(bytes))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Stores bytes twice.
///
/// # Errors
/// [`CustodyError::Write`]; at least one older copy is then still whole.
pub fn store(path: &Path, bytes: &[u8]) -> Result<(), CustodyError> {
    for path in [path.to_owned(), second(path)] {
        write_copy(&path, bytes).map_err(|error| CustodyError::Write { path, error })?;
    }
    Ok(())
}

/// Loads bytes that were stored twice; mends the copy that is damaged.
///
/// # Errors
/// [`CustodyError::Lost`].
pub fn load(path: &Path) -> Result<Vec<u8>, CustodyError> {
    let copies = [read_copy(path), read_copy(&second(path))];
    match copies {
        [Ok(bytes), Ok(_)] => Ok(bytes),
        [Ok(bytes), Err(_)] => {
            mend(&second(path), &bytes);
            Ok(bytes)
        }
        [Err(_), Ok(bytes)] => {
            mend(path, &bytes);
            Ok(bytes)
        }
        [Err(reason), Err(_)] => Err(CustodyError::Lost { path: path.to_owned(), reason }),
    }
}

fn mend(path: &Path, bytes: &[u8]) {
    let mended = write_copy(path, bytes).is_ok();
    tracing::warn!(path = %path.display(), mended, "one copy was damaged");
}

/// Loads the gateway's signing key.
///
/// # Errors
/// [`CustodyError::Lost`].
pub fn load_signing_key(path: &Path) -> Result<SigningKey, CustodyError> {
    let bytes = load(path)?;
    let seed: Result<[u8; 32], _> = bytes.try_into();
    let lost = |_| CustodyError::Lost { path: path.to_owned(), reason: "length".into() };
    Ok(SigningKey::from_bytes(&seed.map_err(lost)?))
}

/// Loads the pinned root keys: how many must sign, then 32 bytes each.
///
/// # Errors
/// [`CustodyError::Lost`].
pub fn load_roots(path: &Path) -> Result<Roots, CustodyError> {
    let bytes = load(path)?;
    let lost = || CustodyError::Lost { path: path.to_owned(), reason: "no root keys".into() };
    let (needed, rest) = bytes.split_first().ok_or_else(lost)?;
    let keys: Result<Vec<VerifyingKey>, _> =
        rest.chunks(32).map(|key| VerifyingKey::try_from(key).map_err(|_| lost())).collect();
    Ok(Roots { keys: keys?, needed: usize::from(*needed) })
}

/// Loads the keyring and checks it against the roots.
///
/// # Errors
/// [`CustodyError`].
pub fn load_keyring(path: &Path, roots: &Roots) -> Result<Keyring, CustodyError> {
    let document = load(path)?;
    Keyring::verify(&document, roots)
        .map_err(|error| CustodyError::Keyring { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_damaged_copy_of_a_key_is_mended_from_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        store(&path, b"secret").unwrap();
        fs::write(&path, b"rubbish").unwrap();

        assert_eq!(load(&path).unwrap(), b"secret");
        assert_eq!(read_copy(&path).unwrap(), b"secret");

        fs::write(&path, b"rubbish").unwrap();
        fs::write(second(&path), b"").unwrap();
        assert!(matches!(load(&path), Err(CustodyError::Lost { .. })));
    }
}
