//! Where a private key of the gateway lies: in a file of ours, or in a credential of systemd.
//!
//! Order:  a file that is there counts, so that a key that follows is in force at once; where there
//! is none, the credential counts. Both hold the same bytes. A note beside the file remembers that
//! the key lies in a credential: who is not given that makes no other key.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::keep::{self, KeepError, Kept};

/// What the names of our credentials begin with; the name of the key's file follows.
const PREFIX: &str = "wardline.";
/// Where systemd looks for sealed credentials.
const SEALED: &str = "/etc/credstore.encrypted";
/// Bits of a mode that let others than the file's owner at it.
const OTHERS: u32 = 0o077;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is no file that is whole, and no credential in its place. Make the key, or bring it.
    #[error(transparent)]
    File(#[from] KeepError),
    /// The file is there and holds no such key. Make another one.
    #[error("{file}: {why}")]
    Bad {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// systemd gives the credential and it holds no such key. Seal the key again.
    #[error(
        "the systemd credential {name} cannot be used ({why}): seal the key again with \
         `systemd-creds encrypt`, or put its file back to {file}"
    )]
    Broken {
        /// The credential's name.
        name: String,
        /// What is wrong.
        why: String,
        /// Where the key's file would count.
        file: PathBuf,
    },
    /// The key lies in a credential that this process has not got. Give it.
    #[error(
        "the key lies in the systemd credential {name}, which is not given here: see \"Keys in \
         credentials\" in docs/operations.md; if that key is gone for good, remove {note}"
    )]
    NotGiven {
        /// The credential's name.
        name: String,
        /// What remembers it.
        note: PathBuf,
    },
}

/// Where one private key lies, or may lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its file.
    pub file: PathBuf,
    credentials: Option<PathBuf>,
}

/// What a look at a place shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The key's name, which is its file's.
    pub key: String,
    /// Where it is, in words for people.
    pub place: String,
    /// That others may get at its file and what to do, in words for people.
    pub exposed: Option<String>,
}

impl From<PathBuf> for Place {
    /// A file in whose place no credential stands.
    fn from(file: PathBuf) -> Self {
        Self::new(file, None)
    }
}

impl Place {
    /// A key's file, and the folder in which systemd gives this process credentials, if it does.
    #[must_use]
    pub const fn new(file: PathBuf, credentials: Option<PathBuf>) -> Self {
        Self { file, credentials }
    }

    /// Loads a key that is kept twice; one in a credential has the form of one copy.
    ///
    /// # Errors
    /// [`PlaceError`]; everything is left as it is.
    pub fn load<T>(
        &self,
        understand: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Kept<T>, PlaceError> {
        match keep::load(&self.file, &understand) {
            Err(missing @ KeepError::Missing { .. }) => {
                let value = self.stand_in(|bytes| understand(keep::whole(bytes)?))?;
                Ok(Kept { value: value.ok_or(missing)?, mended: None })
            }
            loaded => Ok(loaded?),
        }
    }

    /// Reads the same and mends nothing.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn peek(&self) -> Result<Vec<u8>, PlaceError> {
        match keep::peek(&self.file) {
            Err(missing @ KeepError::Missing { .. }) => {
                let value = self.stand_in(|bytes| keep::whole(bytes).map(<[u8]>::to_vec))?;
                Ok(value.ok_or(missing)?)
            }
            peeked => Ok(peeked?),
        }
    }

    /// Loads a key that is kept once, as it is.
    ///
    /// # Errors
    /// [`PlaceError`]; everything is left as it is.
    pub fn load_plain<T>(
        &self,
        understand: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, PlaceError> {
        let bad = |why: String| PlaceError::Bad { file: self.file.clone(), why };
        match keep::read(&self.file) {
            Ok(bytes) => understand(&bytes).map_err(bad),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let missing = KeepError::Missing { path: self.file.clone() };
                Ok(self.stand_in(understand)?.ok_or(missing)?)
            }
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// The key in the credential; none if it lies in no credential, as far as we know.
    fn stand_in<T>(
        &self,
        understand: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, PlaceError> {
        let found = match self.credential().map(|path| keep::read(&path)) {
            Some(Ok(bytes)) => understand(&bytes),
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
            Some(Err(_)) | None if self.note().exists() => {
                return Err(PlaceError::NotGiven { name: self.name(), note: self.note() });
            }
            Some(Err(_)) | None => return Ok(None),
        };
        let (name, file) = (self.name(), self.file.clone());
        found.map(Some).map_err(|why| PlaceError::Broken { name, why, file })
    }

    /// Remembers beside the file that the key lies in a credential, if it does.
    pub fn remember(&self) {
        let note = self.note();
        if keep::mode(&self.file).is_some() || !self.is_given() || note.exists() {
            return;
        }
        let words = format!("this key lies in the systemd credential {}\n", self.name());
        if let Err(error) = keep::write(&note, words.as_bytes()) {
            let note = note.display();
            tracing::warn!(%note, %error, "nobody will know that a key lies in a credential");
        }
    }

    /// Where the sealed credential of this key lies by systemd's own rules, if the key is given in
    /// one, or was.
    #[must_use]
    pub fn sealed(&self) -> Option<PathBuf> {
        let is_in_one = self.is_given() || self.note().exists();
        is_in_one.then(|| Path::new(SEALED).join(self.name()))
    }

    /// Where the key is, for people; `missing` says what it means that it is nowhere.
    #[must_use]
    pub fn look(&self, missing: &str) -> Seen {
        let mode = keep::mode(&self.file);
        let place = match mode {
            Some(mode) => format!("file, mode {mode:04o}"),
            None if self.is_given() => "systemd credential".to_owned(),
            None if self.note().exists() => "systemd credential, not given here".to_owned(),
            None => format!("missing: {missing}"),
        };
        let exposed = mode.filter(|mode| mode & OTHERS != 0).map(|mode| {
            let file = self.file.display();
            format!("others may get at the key {file} (mode {mode:04o}): `chmod 600 {file}*`")
        });
        Seen { key: self.key(), place, exposed }
    }

    fn key(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The credential's name.
    fn name(&self) -> String {
        format!("{PREFIX}{}", self.key())
    }

    fn credential(&self) -> Option<PathBuf> {
        Some(self.credentials.as_ref()?.join(self.name()))
    }

    fn is_given(&self) -> bool {
        self.credential().is_some_and(|path| path.exists())
    }

    fn note(&self) -> PathBuf {
        keep::with_end(&self.file, ".credential")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place for a key with its credentials, and the folder of both.
    fn place() -> (Place, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.key");
        (Place::new(file, Some(folder.path().to_owned())), folder)
    }

    fn any(bytes: &[u8]) -> Result<Vec<u8>, String> {
        Ok(bytes.to_vec())
    }

    /// The key as it is kept twice, moved into a credential.
    fn seal(place: &Place, bytes: &[u8]) {
        keep::store(&place.file, bytes).unwrap();
        std::fs::rename(&place.file, place.credential().unwrap()).unwrap();
        keep::remove(&place.file).unwrap();
    }

    #[test]
    fn a_file_counts_before_a_credential_and_a_credential_before_nothing() {
        let (place, _folder) = place();
        let missing = place.load(any).unwrap_err();
        assert!(matches!(missing, PlaceError::File(KeepError::Missing { .. })), "{missing}");
        seal(&place, b"sealed");
        assert_eq!(place.load(any).unwrap().value, b"sealed");
        assert_eq!(place.peek().unwrap(), b"sealed");
        assert!(!place.file.exists(), "nothing is made of it");

        keep::store(&place.file, b"newer").unwrap();

        assert_eq!(place.load(any).unwrap().value, b"newer");
        assert_eq!(place.peek().unwrap(), b"newer");
        assert_eq!(Place::from(place.file.clone()).load(any).unwrap().value, b"newer");
    }

    #[test]
    fn a_plain_key_is_read_as_it_is() {
        let (place, _folder) = place();
        std::fs::write(place.credential().unwrap(), "sealed").unwrap();
        assert_eq!(place.load_plain(any).unwrap(), b"sealed");

        std::fs::write(&place.file, "newer").unwrap();

        assert_eq!(place.load_plain(any).unwrap(), b"newer");
        let bad = place.load_plain(|_| Err::<(), _>("odd".to_owned())).unwrap_err();
        assert!(matches!(bad, PlaceError::Bad { .. }), "a bad file is not passed over: {bad}");
    }

    #[test]
    fn a_credential_that_is_no_key_is_named_with_its_cure() {
        let (place, _folder) = place();
        std::fs::write(place.credential().unwrap(), "rubbish").unwrap();

        for words in [
            place.load(any).unwrap_err().to_string(),
            place.peek().unwrap_err().to_string(),
            place.load_plain(|_| Err::<(), _>("odd".to_owned())).unwrap_err().to_string(),
        ] {
            assert!(words.contains("wardline.some.key") && words.contains("seal the key again"));
        }
        std::fs::remove_file(place.credential().unwrap()).unwrap();
        std::fs::create_dir(place.credential().unwrap()).unwrap();
        let words = place.load_plain(any).unwrap_err().to_string();
        assert!(words.contains("wardline.some.key"), "{words}");
    }

    #[test]
    fn who_is_not_given_a_credential_is_told_where_the_key_lies() {
        let (place, folder) = place();
        seal(&place, b"sealed");
        place.remember();
        let elsewhere = Place::from(place.file.clone());

        let words = elsewhere.load(any).unwrap_err().to_string();

        assert!(words.contains("wardline.some.key, which is not given here"), "{words}");
        assert_eq!(elsewhere.look("made later").place, "systemd credential, not given here");
        let sealed = Path::new("/etc/credstore.encrypted/wardline.some.key");
        assert_eq!(elsewhere.sealed().as_deref(), Some(sealed));
        std::fs::remove_file(folder.path().join("some.key.credential")).unwrap();
        let missing = elsewhere.load(any).unwrap_err();
        assert!(matches!(missing, PlaceError::File(KeepError::Missing { .. })), "{missing}");
        assert_eq!(elsewhere.sealed(), None);
    }

    #[test]
    fn a_look_says_where_a_key_is_and_whether_others_get_at_it() {
        use std::os::unix::fs::PermissionsExt;

        let (place, _folder) = place();
        assert_eq!(place.look("made later").place, "missing: made later");
        seal(&place, b"sealed");
        let seen = place.look("made later");
        assert_eq!((seen.key.as_str(), seen.place.as_str()), ("some.key", "systemd credential"));
        keep::store(&place.file, b"newer").unwrap();
        let seen = place.look("made later");
        assert_eq!((seen.place.as_str(), seen.exposed), ("file, mode 0600", None));

        let second = keep::with_end(&place.file, ".2");
        std::fs::set_permissions(second, std::fs::Permissions::from_mode(0o644)).unwrap();

        let seen = place.look("made later");
        assert_eq!(seen.place, "file, mode 0644");
        assert!(seen.exposed.unwrap().contains("chmod 600"));
    }
}
