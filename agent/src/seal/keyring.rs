//! Custody of keys: the gateway's own and the fleet's keyring, each kept twice.
//!
//! Without a signing key a provisional one is made, so that collecting goes on; without a keyring
//! there is nobody to seal to, so nothing is accepted and devices keep what they have.

use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use wire::card::Veil;
use wire::keyring::{Keyring, Roots};
use wire::signed::signing_key_id;
use zeroize::Zeroizing;

use super::keep::{self, KeepError, Kept};

pub use super::keep::store;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// No copy is whole. Provision again.
    #[error("{0}; run `wardline provision` again")]
    Kept(#[from] KeepError),
    /// The kernel gives no random bytes for a new key. Try again.
    #[error("the kernel gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Files of the key folder.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// The folder.
    pub folder: PathBuf,
}

impl KeyFiles {
    /// Below a state folder.
    #[must_use]
    pub fn below(state: &Path) -> Self {
        Self { folder: state.join("keys") }
    }

    /// Ed25519 seed, twice.
    #[must_use]
    pub fn signing(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    /// Ed25519 seed that stands in for a lost one until the sink has enrolled it, twice.
    #[must_use]
    pub fn provisional(&self) -> PathBuf {
        self.folder.join("provisional.key")
    }

    /// Ed25519 seed of the key that is to follow the present one, twice.
    #[must_use]
    pub fn next(&self) -> PathBuf {
        self.folder.join("next.key")
    }

    /// Key under which records lie on this medium, twice.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.folder.join("local.key")
    }

    /// Address of the sink's enrolment endpoint, twice.
    #[must_use]
    pub fn sink(&self) -> PathBuf {
        self.folder.join("sink")
    }

    /// Pinned roots, twice.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.folder.join("roots")
    }

    /// Keyring, twice.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.folder.join("keyring")
    }
}

/// What the key folder gave.
#[derive(Clone, Debug)]
pub struct Custody {
    /// Signs headers, frames and gaps.
    pub signing: SigningKey,
    /// Whether the sink does not know that key yet.
    pub provisional: bool,
    /// Pinned at provisioning; without any, no keyring is believed.
    pub roots: Roots,
    /// In force; `None` if neither copy is whole.
    pub keyring: Option<Keyring>,
    /// Copies that were mended, in words for people.
    pub mended: Vec<String>,
    /// What is missing and what to do, in words for people.
    pub missing: Vec<String>,
}

/// Nobody's signature makes a keyring.
const NO_ROOTS: Roots = Roots { keys: Vec::new(), needed: 1 };

impl Custody {
    /// Takes what the key folder has, mends what is damaged, and makes a provisional signing key
    /// where there is none.
    ///
    /// # Errors
    /// [`CustodyError`] only if a provisional key is needed and cannot be made and kept.
    pub fn open(files: &KeyFiles) -> Result<Self, CustodyError> {
        let (mut mended, mut missing) = (Vec::new(), Vec::new());
        let roots = take(load_kept_roots(&files.roots()), &mut mended).unwrap_or_else(|why| {
            missing.push(format!(
                "no root keys ({why}): no keyring is believed; install the sink's grant again with \
                 `wardline provision --grant`"
            ));
            NO_ROOTS
        });
        let keyring = take(load_kept_keyring(&files.keyring(), &roots), &mut mended);
        let keyring = keyring.map_err(|why| {
            missing.push(format!(
                "no keyring ({why}): nothing can be sealed, devices are held back and keep what \
                 they have; it comes from the broker, or with `wardline provision --grant`"
            ));
        });
        let (signing, provisional) = match take(load_kept_seed(&files.signing()), &mut mended) {
            Ok(key) => (key, false),
            Err(why) => {
                let key = provisional_key(files, &mut mended)?;
                let id = signing_key_id(&key.verifying_key());
                missing.push(format!(
                    "provisional key {id} ({why}): frames wait until this gateway is enrolled \
                     again; `wardline provision`, `wardline-sink enroll --new-key`, `wardline \
                     provision --grant`"
                ));
                (key, true)
            }
        };
        Ok(Self { signing, provisional, roots, keyring: keyring.ok(), mended, missing })
    }
}

/// The value, and what was mended for it on the list; or why there is none.
fn take<T>(kept: Result<Kept<T>, KeepError>, mended: &mut Vec<String>) -> Result<T, String> {
    let kept = kept.map_err(|error| error.to_string())?;
    mended.extend(kept.mended);
    Ok(kept.value)
}

/// The provisional key, made if there is none yet.
fn provisional_key(files: &KeyFiles, mended: &mut Vec<String>) -> Result<SigningKey, CustodyError> {
    let path = files.provisional();
    if let Ok(key) = take(load_kept_seed(&path), mended) {
        return Ok(key);
    }
    tracing::error!(path = %path.display(), "no signing key: a provisional one is made");
    make_key(&path)
}

/// The key that a request for enrolment names: the gateway's own, or the one that stands in for
/// it; a gateway that has neither gets its own.
///
/// # Errors
/// [`CustodyError`] if a key must be made and cannot be kept.
pub fn key_to_enrol(files: &KeyFiles) -> Result<SigningKey, CustodyError> {
    let provisional = load_kept_seed(&files.provisional());
    match (load_kept_seed(&files.signing()), provisional) {
        (Ok(own), _) => Ok(own.value),
        (Err(KeepError::Missing { .. }), Err(KeepError::Missing { .. })) => {
            make_key(&files.signing())
        }
        (Err(_), _) => provisional_key(files, &mut Vec::new()),
    }
}

/// Takes the key that the sink has enrolled as the gateway's own; `false` if it is not here.
///
/// # Errors
/// [`CustodyError`]; nothing has changed then.
pub fn take_enrolled(
    files: &KeyFiles,
    enrolled: impl Fn(&VerifyingKey) -> bool,
) -> Result<bool, CustodyError> {
    let is_it = |kept: &Kept<SigningKey>| enrolled(&kept.value.verifying_key());
    if load_kept_seed(&files.signing()).is_ok_and(|own| is_it(&own)) {
        return Ok(true);
    }
    for waiting in [files.provisional(), files.next()] {
        let Some(Kept { value: key, .. }) = load_kept_seed(&waiting).ok().filter(is_it) else {
            continue;
        };
        store(&files.signing(), key.as_bytes())?;
        if let Err(error) = keep::remove(&waiting) {
            tracing::warn!(%error, "a key that is in force now could not be removed");
        }
        return Ok(true);
    }
    Ok(false)
}

/// The key that is to follow the present one, made if there is none yet.
///
/// # Errors
/// [`CustodyError`] if it cannot be made and kept.
pub fn next_key(files: &KeyFiles) -> Result<SigningKey, CustodyError> {
    match load_kept_seed(&files.next()) {
        Ok(next) => Ok(next.value),
        Err(_) => make_key(&files.next()),
    }
}

/// Whether such a key is here: in force, provisional, or waiting to follow.
pub fn has_key(files: &KeyFiles, is_it: impl Fn(&VerifyingKey) -> bool) -> bool {
    let mut places = [files.signing(), files.provisional(), files.next()].into_iter();
    places.any(|path| load_kept_seed(&path).is_ok_and(|kept| is_it(&kept.value.verifying_key())))
}

/// Makes a signing key and keeps it.
///
/// # Errors
/// [`CustodyError`]; the key is then not used.
pub fn make_key(path: &Path) -> Result<SigningKey, CustodyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(CustodyError::Random)?;
    store(path, &seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

fn load_kept_seed(path: &Path) -> Result<Kept<SigningKey>, KeepError> {
    keep::load(path, |bytes| {
        let seed: [u8; 32] = bytes.try_into().map_err(|_| "is no key of 32 bytes".to_owned())?;
        Ok(SigningKey::from_bytes(&seed))
    })
}

/// How many must sign, then 32 bytes each.
fn load_kept_roots(path: &Path) -> Result<Kept<Roots>, KeepError> {
    keep::load(path, |bytes| {
        Roots::from_bytes(bytes).ok_or_else(|| "names too few root keys, or none".to_owned())
    })
}

fn load_kept_keyring(path: &Path, roots: &Roots) -> Result<Kept<Keyring>, KeepError> {
    keep::load(path, |bytes| Keyring::verify(bytes, roots).map_err(|error| error.to_string()))
}

/// How often the medium's key is asked for before another one is made.
const LOCAL_READS: u32 = 3;

/// The veil of this medium; its key is made at the first start. One that is lost is followed by
/// another: what lies under the old one is then damage, and declared as such.
///
/// # Errors
/// [`CustodyError`] if a new one cannot be made and kept.
pub fn local_veil(files: &KeyFiles) -> Result<Veil, CustodyError> {
    for attempt in 1..=LOCAL_READS {
        match load_kept_local(files) {
            Ok(veil) => return Ok(veil),
            Err(KeepError::Missing { .. }) => break,
            // A medium that fails once may give it back yet; what lies under it is worth a wait.
            Err(error) => tracing::error!(%error, attempt, "the medium's key cannot be read"),
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(CustodyError::Random)?;
    store(&files.local(), &*key)?;
    Ok(Veil::of(*key))
}

fn load_kept_local(files: &KeyFiles) -> Result<Veil, KeepError> {
    let kept = keep::load(&files.local(), |bytes| {
        let key: [u8; 32] = bytes.try_into().map_err(|_| "is no key of 32 bytes".to_owned())?;
        Ok(Veil::of(key))
    })?;
    Ok(kept.value)
}

/// The veil of the medium that a buffer folder is on, for looking only; none if its key is not
/// beside it.
#[must_use]
pub fn veil_beside(buffer: &Path) -> Veil {
    let state = std::path::absolute(buffer).ok().and_then(|path| Some(path.parent()?.to_owned()));
    let bytes = state.and_then(|state| keep::peek(&KeyFiles::below(&state).local()).ok());
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    key.map_or_else(Veil::default, Veil::of)
}

/// Loads the gateway's signing key.
///
/// # Errors
/// [`CustodyError::Kept`].
pub fn load_signing_key(path: &Path) -> Result<SigningKey, CustodyError> {
    Ok(load_kept_seed(path)?.value)
}

/// Loads the pinned root keys.
///
/// # Errors
/// [`CustodyError::Kept`].
pub fn load_roots(path: &Path) -> Result<Roots, CustodyError> {
    Ok(load_kept_roots(path)?.value)
}

/// Loads the keyring and checks it against the roots.
///
/// # Errors
/// [`CustodyError::Kept`].
pub fn load_keyring(path: &Path, roots: &Roots) -> Result<Keyring, CustodyError> {
    Ok(load_kept_keyring(path, roots)?.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_signing_key_is_stood_in_for_by_one_and_the_same_provisional_key() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles { folder: folder.path().to_owned() };
        let own = make_key(&files.signing()).unwrap();
        assert!(!Custody::open(&files).unwrap().provisional);
        std::fs::remove_file(files.signing()).unwrap();
        assert_eq!(Custody::open(&files).unwrap().signing, own, "one copy is enough");
        for path in [files.signing(), files.folder.join("signing.key.2")] {
            std::fs::write(path, "rubbish").unwrap();
        }

        let found = Custody::open(&files).unwrap();

        assert!(found.provisional && found.signing != own);
        assert_eq!(Custody::open(&files).unwrap().signing, found.signing);
        assert!(found.missing.iter().any(|words| words.contains("provisional key")));
        assert_eq!(std::fs::read(files.signing()).unwrap(), b"rubbish");
    }
}
