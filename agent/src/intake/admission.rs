//! Admission: which devices' readings are taken, and how each proves itself.

use std::path::{Path, PathBuf};

use wire::identity::DeviceId;
use wire::link::LinkKey;

use crate::seal::keep::{self, KeepError};

/// What is known of a device that introduces itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Known {
    /// It has a key, and must prove it.
    Key(LinkKey),
    /// It has none, and is taken without.
    Stranger,
    /// It is not taken: in words, why and what to do.
    Refused(String),
}

/// How a device whose readings are taken has proven itself; stands with each of its runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Proof {
    /// Nobody asks here.
    #[default]
    Unasked,
    /// It has no key.
    Stranger,
    /// It holds its key.
    Key,
}

impl Proof {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unasked => "",
            Self::Stranger => "stranger",
            Self::Key => "proven",
        }
    }
}

/// Whom a gateway takes readings from: who has a key here, and strangers if they are wanted.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Keys of devices; none: nobody is asked.
    folder: Option<PathBuf>,
    strangers: bool,
}

/// Where keys of devices are, below the state folder.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("keys").join("devices")
}

fn file(folder: &Path, device: DeviceId) -> PathBuf {
    folder.join(device.to_string())
}

impl Admission {
    /// By the keys below a state folder.
    #[must_use]
    pub fn by_keys(state: &Path, strangers: bool) -> Self {
        Self { folder: Some(folder(state)), strangers }
    }

    /// What is known of a device now: a key may come and go while the agent runs.
    #[must_use]
    pub fn of(&self, device: DeviceId) -> Known {
        let Some(folder) = &self.folder else { return Known::Stranger };
        match load(folder, device) {
            Ok(key) => Known::Key(key),
            Err(KeepError::Missing { .. }) if self.strangers => Known::Stranger,
            Err(KeepError::Missing { .. }) => Known::Refused(format!(
                "device {device} is not known here: `wardline device add {device}`, or \
                 `strangers = true` in [intake]"
            )),
            Err(error) => Known::Refused(format!(
                "the key of device {device} cannot be read: {error}; `wardline device add` it again"
            )),
        }
    }

    /// How a device that was taken has proven itself.
    #[must_use]
    pub fn proof(&self, has_key: bool) -> Proof {
        match (&self.folder, has_key) {
            (_, true) => Proof::Key,
            (Some(_), false) => Proof::Stranger,
            (None, false) => Proof::Unasked,
        }
    }
}

fn load(folder: &Path, device: DeviceId) -> Result<LinkKey, KeepError> {
    let understand = |bytes: &[u8]| match bytes.try_into() {
        Ok(bytes) => Ok(LinkKey::new(bytes)),
        Err(_) => Err(format!("{} bytes are no key", bytes.len())),
    };
    Ok(keep::load(&file(folder, device), understand)?.value)
}

/// Keeps a device's key.
///
/// # Errors
/// [`KeepError`]; an older key is then still there.
pub fn add(folder: &Path, device: DeviceId, key: &[u8; LinkKey::BYTES]) -> Result<(), KeepError> {
    let wrong = |error| KeepError::Write { path: folder.to_owned(), error };
    keep::folder(folder).map_err(wrong)?;
    keep::store(&file(folder, device), key)
}

/// Forgets a device's key; whether there was one.
#[must_use]
pub fn remove(folder: &Path, device: DeviceId) -> bool {
    let was_there = !matches!(load(folder, device), Err(KeepError::Missing { .. }));
    keep::remove(&file(folder, device));
    was_there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_key_must_prove_it_and_others_are_taken_only_if_they_are_wanted() {
        let state = tempfile::tempdir().unwrap();
        let [strict, open] = [false, true].map(|open| Admission::by_keys(state.path(), open));
        let folder = folder(state.path());
        add(&folder, DeviceId(7), &[9; 32]).unwrap();
        assert_eq!(strict.of(DeviceId(7)), Known::Key(LinkKey::new([9; 32])));
        assert_eq!(open.of(DeviceId(8)), Known::Stranger);
        let Known::Refused(words) = strict.of(DeviceId(8)) else { panic!("a stranger is taken") };
        assert!(words.contains("wardline device add"), "{words}");
        assert!(remove(&folder, DeviceId(7)) && !remove(&folder, DeviceId(7)));
        assert_eq!(open.of(DeviceId(7)), Known::Stranger);
    }

    #[test]
    fn a_key_that_cannot_be_read_makes_nobody_a_stranger() {
        let state = tempfile::tempdir().unwrap();
        let folder = folder(state.path());
        add(&folder, DeviceId(7), &[9; 32]).unwrap();
        for name in ["0000000000000007", "0000000000000007.2"] {
            std::fs::write(folder.join(name), b"torn").unwrap();
        }
        let open = Admission::by_keys(state.path(), true);
        assert!(matches!(open.of(DeviceId(7)), Known::Refused(_)));
    }
}
