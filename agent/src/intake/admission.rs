//! Admission: which devices' readings are taken, and how each proves itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use wire::identity::DeviceId;
use wire::link::LinkKey;
use wire::time::MonotonicNanos;

use crate::seal::keep::{self, KeepError};

/// What is known of a device that introduces itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Known {
    /// It has a key, and must prove it.
    Key(LinkKey),
    /// It has none, and is taken without.
    Stranger,
    /// It has none, and is not taken without: in words, what to do.
    Unknown(String),
    /// It is not taken: in words, why and what to do.
    Refused(String),
}

/// How a device whose readings are taken has proven itself; stands with each of its runs.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
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
    /// What was found, and when: a device may say who it is a thousand times a second.
    found: Arc<Mutex<BTreeMap<DeviceId, (MonotonicNanos, Known)>>>,
}

/// What was found counts for so long.
const LASTS_NANOS: u64 = 1_000_000_000;
/// Devices whose keys are remembered; then all are forgotten.
const FOUND_MAX: usize = 1_024;

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
        Self { folder: Some(folder(state)), strangers, found: Arc::default() }
    }

    /// What is known of a device now: a key may come and go while the agent runs, and counts within
    /// a second.
    #[must_use]
    pub fn of(&self, device: DeviceId, now: MonotonicNanos) -> Known {
        let Some(folder) = &self.folder else { return Known::Stranger };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, known)) = found.get(&device)
            && now.0.saturating_sub(since.0) < LASTS_NANOS
        {
            return known.clone();
        }
        if found.len() >= FOUND_MAX {
            found.clear();
        }
        let known = self.look(folder, device);
        found.insert(device, (now, known.clone()));
        known
    }

    fn look(&self, folder: &Path, device: DeviceId) -> Known {
        match load(folder, device) {
            Ok(key) => Known::Key(key),
            Err(KeepError::Missing { .. }) if self.strangers => Known::Stranger,
            Err(KeepError::Missing { .. }) => Known::Unknown(format!(
                "device {device} is not known here: `wardline device add {device}`, or \
                 `strangers = true` in [intake]"
            )),
            Err(error) => Known::Refused(format!(
                "the key of device {device} cannot be read: {error}; look who may read it, or \
                 `wardline device add {device} --replace`"
            )),
        }
    }

    /// Whether somebody may speak for a device that does not speak itself.
    ///
    /// # Errors
    /// In words, why not and what to do.
    pub fn may_be_spoken_for(
        &self,
        device: DeviceId,
        by: Proof,
        now: MonotonicNanos,
    ) -> Result<(), String> {
        match self.of(device, now) {
            Known::Key(_) => Err(format!(
                "device {device} has a key here and speaks for itself; `wardline device remove \
                 {device}` lets others speak for it"
            )),
            Known::Refused(words) => Err(words),
            Known::Unknown(_) if by != Proof::Key => Err(format!(
                "device {device} proves nothing on a port without TLS; give the port a \
                 certificate, or say `strangers = true` in [intake]"
            )),
            Known::Unknown(_) | Known::Stranger => Ok(()),
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

/// The key of a device.
///
/// # Errors
/// [`KeepError::Missing`] if it certainly has none.
pub fn load(folder: &Path, device: DeviceId) -> Result<LinkKey, KeepError> {
    let path = file(folder, device);
    let bytes = keep::peek(&path)?;
    let reason = format!("{} bytes are no key", bytes.len());
    let key = <[u8; LinkKey::BYTES]>::try_from(bytes);
    key.map(LinkKey::new).map_err(|_| KeepError::Lost { path, reason })
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
///
/// # Errors
/// [`KeepError`]; it may still be there.
pub fn remove(folder: &Path, device: DeviceId) -> Result<bool, KeepError> {
    let was_there = !matches!(load(folder, device), Err(KeepError::Missing { .. }));
    keep::remove(&file(folder, device))?;
    Ok(was_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: MonotonicNanos = MonotonicNanos(0);

    #[test]
    fn who_has_a_key_must_prove_it_and_others_are_taken_only_if_they_are_wanted() {
        let state = tempfile::tempdir().unwrap();
        let [strict, open] = [false, true].map(|open| Admission::by_keys(state.path(), open));
        let folder = folder(state.path());
        add(&folder, DeviceId(7), &[9; 32]).unwrap();
        assert_eq!(strict.of(DeviceId(7), AT), Known::Key(LinkKey::new([9; 32])));
        assert_eq!(open.of(DeviceId(7), AT), Known::Key(LinkKey::new([9; 32])));
        assert_eq!(open.of(DeviceId(8), AT), Known::Stranger);
        let Known::Unknown(words) = strict.of(DeviceId(8), AT) else { panic!("it is taken") };
        assert!(words.contains("wardline device add"), "{words}");
        let speaks =
            |who: &Admission, device, by| who.may_be_spoken_for(DeviceId(device), by, AT).is_ok();
        for by in [Proof::Key, Proof::Stranger] {
            assert!(!speaks(&strict, 7, by) && !speaks(&open, 7, by), "it speaks for itself");
            assert_eq!((speaks(&strict, 8, by), speaks(&open, 8, by)), (by == Proof::Key, true));
        }
        assert_eq!(remove(&folder, DeviceId(7)).ok(), Some(true));
        assert_eq!(remove(&folder, DeviceId(7)).ok(), Some(false));
        assert_eq!(open.of(DeviceId(7), MonotonicNanos(LASTS_NANOS)), Known::Stranger);
    }

    #[test]
    fn a_key_that_cannot_be_read_makes_nobody_a_stranger() {
        let state = tempfile::tempdir().unwrap();
        let folder = folder(state.path());
        add(&folder, DeviceId(7), &[9; 32]).unwrap();
        let open = || Admission::by_keys(state.path(), true);
        std::fs::write(folder.join("0000000000000007"), b"torn").unwrap();
        assert_eq!(open().of(DeviceId(7), AT), Known::Key(LinkKey::new([9; 32])), "there are two");
        std::fs::write(folder.join("0000000000000007.2"), b"torn").unwrap();
        assert!(matches!(open().of(DeviceId(7), AT), Known::Refused(_)));
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, b"no folder").unwrap();
        assert!(matches!(open().of(DeviceId(7), AT), Known::Refused(_)));
    }
}
