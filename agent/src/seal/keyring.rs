//! Custody of keys: the gateway's own and the fleet's keyring, each kept twice.
//!
//! Without a signing key a provisional one is made, so that collecting goes on; without a keyring
//! there is nobody to seal to, so nothing is accepted and devices keep what they have.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use wire::card::Veil;
use wire::keyring::{Keyring, Roots};
use wire::signed::signing_key_id;
use zeroize::Zeroizing;

use super::keep::{self, KeepError, Kept};
use super::place::{Place, PlaceError};

pub use super::keep::store;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// No copy is whole. Provision again.
    #[error("{0}; run `wardline provision` again")]
    Kept(#[from] KeepError),
    /// A key in a credential cannot be had, and no other one takes its place. Do as it says.
    #[error(transparent)]
    Credential(PlaceError),
    /// The kernel gives no random bytes for a new key. Try again.
    #[error("the kernel gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl From<PlaceError> for CustodyError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::File(error) => Self::Kept(error),
            error => Self::Credential(error),
        }
    }
}

/// Files of the key folder, and the credentials that may stand in for some of them.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// The folder.
    pub folder: PathBuf,
    /// Where systemd gives this process credentials, if it does.
    pub credentials: Option<PathBuf>,
}

impl KeyFiles {
    /// Below a state folder.
    #[must_use]
    pub fn below(state: &Path) -> Self {
        Self { folder: state.join("keys"), credentials: None }
    }

    /// In the state folder that a buffer folder is in.
    #[must_use]
    pub fn beside(buffer: &Path) -> Option<Self> {
        Some(Self::below(std::path::absolute(buffer).ok()?.parent()?))
    }

    /// The same where systemd may give keys as credentials.
    #[must_use]
    pub fn given(self, credentials: Option<PathBuf>) -> Self {
        Self { credentials, ..self }
    }

    /// Ed25519 seed, twice, or a credential.
    #[must_use]
    pub fn signing(&self) -> Place {
        Place::new(self.folder.join("signing.key"), self.credentials.clone())
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

    /// Key under which records lie on this medium, twice, or a credential.
    #[must_use]
    pub fn local(&self) -> Place {
        Place::new(self.folder.join("local.key"), self.credentials.clone())
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
        let (signing, provisional) = match take(files.signing().load(seed), &mut mended) {
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
fn take<T>(kept: Result<Kept<T>, impl Display>, mended: &mut Vec<String>) -> Result<T, String> {
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
/// [`CustodyError`] if a key must be made and cannot be kept, or if the gateway's own lies in a
/// credential that cannot be used here: no other one is made then.
pub fn key_to_enrol(files: &KeyFiles) -> Result<SigningKey, CustodyError> {
    let provisional = load_kept_seed(&files.provisional());
    match (files.signing().load(seed), provisional) {
        (Ok(own), _) => Ok(own.value),
        (Err(PlaceError::File(KeepError::Missing { path })), Err(KeepError::Missing { .. })) => {
            make_key(&path)
        }
        (Err(PlaceError::File(_)), _) => provisional_key(files, &mut Vec::new()),
        (Err(error), _) => Err(error.into()),
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
    if files.signing().load(seed).is_ok_and(|own| is_it(&own)) {
        return Ok(true);
    }
    for waiting in [files.provisional(), files.next()] {
        let Some(Kept { value: key, .. }) = load_kept_seed(&waiting).ok().filter(is_it) else {
            continue;
        };
        store(&files.signing().file, key.as_bytes())?;
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
    let is_it = |kept: Kept<SigningKey>| is_it(&kept.value.verifying_key());
    let mut others = [files.provisional(), files.next()].into_iter();
    files.signing().load(seed).is_ok_and(is_it)
        || others.any(|path| load_kept_seed(&path).is_ok_and(is_it))
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
    keep::load(path, seed)
}

fn seed(bytes: &[u8]) -> Result<SigningKey, String> {
    Ok(SigningKey::from_bytes(&key_bytes(bytes)?))
}

fn key_bytes(bytes: &[u8]) -> Result<[u8; 32], String> {
    bytes.try_into().map_err(|_| "is no key of 32 bytes".to_owned())
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
/// [`CustodyError`] if a new one cannot be made and kept; [`CustodyError::Credential`] if it lies
/// in a credential that cannot be used here: under any other key everything on the medium would be
/// taken for damage, so nobody may go on.
pub fn local_veil(files: &KeyFiles) -> Result<Veil, CustodyError> {
    let place = files.local();
    for attempt in 1..=LOCAL_READS {
        match place.load(veil) {
            Ok(kept) => return Ok(kept.value),
            Err(PlaceError::File(KeepError::Missing { .. })) => break,
            // A medium that fails once may give it back yet; what lies under it is worth a wait.
            Err(PlaceError::File(error)) => {
                tracing::error!(%error, attempt, "the medium's key cannot be read");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(CustodyError::Random)?;
    store(&place.file, &*key)?;
    Ok(Veil::of(*key))
}

fn veil(bytes: &[u8]) -> Result<Veil, String> {
    Ok(Veil::of(key_bytes(bytes)?))
}

/// The veil of a medium, for looking only; none if it has no key that is whole.
///
/// # Errors
/// [`PlaceError`]: its key lies in a credential that cannot be used here.
pub fn veil_to_look(files: &KeyFiles) -> Result<Veil, PlaceError> {
    match files.local().peek() {
        Ok(bytes) => Ok(veil(&bytes).unwrap_or_default()),
        Err(PlaceError::File(_)) => Ok(Veil::default()),
        Err(error) => Err(error),
    }
}

/// The veil of the medium that a buffer folder is on, for looking only; none if its key is not
/// beside it.
#[must_use]
pub fn veil_beside(buffer: &Path) -> Veil {
    let veil = KeyFiles::beside(buffer).and_then(|files| veil_to_look(&files).ok());
    veil.unwrap_or_default()
}

/// Loads the gateway's signing key.
///
/// # Errors
/// [`CustodyError::Kept`], or [`CustodyError::Credential`].
pub fn load_signing_key(place: &Place) -> Result<SigningKey, CustodyError> {
    Ok(place.load(seed)?.value)
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
        let files = KeyFiles { folder: folder.path().to_owned(), credentials: None };
        let signing = files.signing().file;
        let own = make_key(&signing).unwrap();
        assert!(!Custody::open(&files).unwrap().provisional);
        std::fs::remove_file(&signing).unwrap();
        assert_eq!(Custody::open(&files).unwrap().signing, own, "one copy is enough");
        for path in [signing.clone(), files.folder.join("signing.key.2")] {
            std::fs::write(path, "rubbish").unwrap();
        }

        let found = Custody::open(&files).unwrap();

        assert!(found.provisional && found.signing != own);
        assert_eq!(Custody::open(&files).unwrap().signing, found.signing);
        assert!(found.missing.iter().any(|words| words.contains("provisional key")));
        assert_eq!(std::fs::read(signing).unwrap(), b"rubbish");
    }

    /// Files of a gateway with a key of its own and one for its medium, both in credentials.
    fn sealed() -> (KeyFiles, SigningKey, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let given = folder.path().join("given");
        let files = KeyFiles::below(folder.path()).given(Some(given.clone()));
        for folder in [&given, &files.folder] {
            std::fs::create_dir(folder).unwrap();
        }
        let own = make_key(&files.signing().file).unwrap();
        local_veil(&files).unwrap();
        for name in ["signing.key", "local.key"] {
            let file = files.folder.join(name);
            std::fs::rename(&file, given.join(format!("wardline.{name}"))).unwrap();
            keep::remove(&file).unwrap();
        }
        (files, own, folder)
    }

    #[test]
    fn keys_in_credentials_are_used_and_no_others_are_made() {
        let (files, own, _folder) = sealed();
        let sealed = std::fs::read(files.folder.join("../given/wardline.local.key")).unwrap();

        let found = Custody::open(&files).unwrap();

        assert!(found.signing == own && !found.provisional);
        assert_eq!(key_to_enrol(&files).unwrap(), own);
        assert!(has_key(&files, |key| *key == own.verifying_key()));
        assert!(take_enrolled(&files, |key| *key == own.verifying_key()).unwrap());
        assert_eq!(files.local().peek().unwrap(), sealed[32..]);
        assert_eq!(format!("{:?}", local_veil(&files).unwrap()), "Veil(key)");
        assert_eq!(std::fs::read_dir(&files.folder).unwrap().count(), 0);
    }

    #[test]
    fn a_key_that_follows_counts_before_the_one_in_the_credential() {
        let (files, own, _folder) = sealed();
        let next = next_key(&files).unwrap();
        assert!(take_enrolled(&files, |key| *key == next.verifying_key()).unwrap());

        let found = Custody::open(&files).unwrap();

        assert!(found.signing == next && next != own && !found.provisional);
        assert!(files.signing().file.exists() && !files.next().exists());
    }

    #[test]
    fn a_bad_credential_stops_no_collecting_but_what_lies_under_the_medium_s_key_is_not_risked() {
        let (files, _, _folder) = sealed();
        for name in ["wardline.signing.key", "wardline.local.key"] {
            std::fs::write(files.folder.join("../given").join(name), "rubbish").unwrap();
        }

        let found = Custody::open(&files).unwrap();

        assert!(found.provisional);
        assert!(found.missing.iter().any(|words| words.contains("wardline.signing.key")));
        for error in [key_to_enrol(&files).unwrap_err(), local_veil(&files).unwrap_err()] {
            assert!(matches!(error, CustodyError::Credential(_)), "{error}");
        }
        assert!(veil_to_look(&files).is_err());
        assert!(!files.signing().file.exists() && !files.local().file.exists());
    }

    #[test]
    fn who_is_not_given_the_credentials_makes_no_other_keys() {
        let (files, _, _folder) = sealed();
        files.signing().remember();
        files.local().remember();
        let bare = files.clone().given(None);

        for error in [
            load_signing_key(&bare.signing()).unwrap_err(),
            key_to_enrol(&bare).unwrap_err(),
            local_veil(&bare).unwrap_err(),
        ] {
            assert!(error.to_string().contains("not given here"), "{error}");
        }
        assert!(!files.signing().file.exists() && !files.local().file.exists());
    }
}
