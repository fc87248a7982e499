//! What is kept twice: a small file of which one whole copy is enough.
//!
//! Shape:  a file `NAME` and a file `NAME.2`, each 32 bytes SHA-256 of the rest, then the rest;
//! mode 0600.
//! Order:  the first copy is written before the second: where both are whole, the first is newer.
//! A copy that is not whole is set aside as `NAME.bad-1` to `.bad-9` and written again from the
//! other; it is never deleted, only the ninth is replaced.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::buffer::disk::{make_folder, sync_parent};

/// Largest file that is kept twice, bytes; a keyring has at most 64 KiB.
const BYTES_MAX: u64 = 1024 * 1024;
/// Bad copies that are set aside of one file.
const ASIDE_MAX: u32 = 9;

/// Something that was kept, and what had to be done for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept<T> {
    /// What it is.
    pub value: T,
    /// What was mended, in words for people.
    pub mended: Option<String>,
}

/// Why something that is kept twice cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no copy at all.
    #[error("{path}: is not there")]
    Missing {
        /// The first copy.
        path: PathBuf,
    },
    /// Neither copy is whole.
    #[error("{path}: neither copy is whole ({reason})")]
    Lost {
        /// The first copy.
        path: PathBuf,
        /// What the first copy said.
        reason: String,
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

/// Both places of a file.
fn copies(path: &Path) -> [PathBuf; 2] {
    [path.to_owned(), with_end(path, ".2")]
}

pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Reads a file of ours whole; what is no plain file or too long for one is an error.
///
/// # Errors
/// As the system says.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "is no file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "is too long"));
    }
    Ok(bytes)
}

fn read_copy(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = read(path).map_err(|error| error.to_string())?;
    whole(&bytes).map(<[u8]>::to_vec)
}

/// What the bytes of a copy hold, if their checksum is right.
pub(super) fn whole(bytes: &[u8]) -> Result<&[u8], String> {
    let (sum, rest) = bytes.split_at_checked(32).ok_or("too short")?;
    if Sha256::digest(rest)[..] == *sum { Ok(rest) } else { Err("checksum".into()) }
}

/// Who may do what with a file and its second copy, both taken together; none if there is neither.
pub fn mode(path: &Path) -> Option<u32> {
    let metas = copies(path).into_iter().filter_map(|path| fs::metadata(path).ok());
    let modes = metas.filter(fs::Metadata::is_file).map(|meta| meta.mode() & 0o7777);
    modes.reduce(|all, mode| all | mode)
}

fn write_copy(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, &[&Sha256::digest(bytes)[..], bytes].concat())
}

/// Writes a file that only we may read, in the place of what stood there before.
///
/// # Errors
/// As the system says; the old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = with_end(path, ".new");
    if fresh.is_dir() {
        set_aside(&fresh);
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_parent(path)
}

/// Makes a folder of mode 0700, lasting; what stands in its place and is none is set aside.
///
/// # Errors
/// As the system says.
pub fn folder(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok() && !path.is_dir() {
        set_aside(path);
    }
    make_folder(path)
}

/// Gives something that cannot be used another name; where it is then, if that was possible.
pub fn set_aside(path: &Path) -> Option<PathBuf> {
    path.symlink_metadata().ok()?;
    let places = (1..=ASIDE_MAX).map(|number| with_end(path, &format!(".bad-{number}")));
    let last = with_end(path, &format!(".bad-{ASIDE_MAX}"));
    let aside = places.into_iter().find(|aside| aside.symlink_metadata().is_err());
    let aside = aside.unwrap_or(last);
    let moved = fs::rename(path, &aside);
    tracing::warn!(path = %path.display(), aside = %aside.display(), ?moved, "set aside");
    moved.is_ok().then_some(aside)
}

/// Stores bytes twice; what stands there and is not whole is set aside.
///
/// # Errors
/// [`KeepError::Write`]; at least one older copy is then still whole.
pub fn store(path: &Path, bytes: &[u8]) -> Result<(), KeepError> {
    for path in copies(path) {
        if read_copy(&path).is_err() {
            set_aside(&path);
        }
        write_copy(&path, bytes).map_err(|error| KeepError::Write { path, error })?;
    }
    Ok(())
}

/// Deletes what was stored twice.
///
/// # Errors
/// [`KeepError::Write`]: a copy is still there.
pub fn remove(path: &Path) -> Result<(), KeepError> {
    for path in copies(path) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(KeepError::Write { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads what was stored twice and mends nothing, whoever else writes it just now.
///
/// # Errors
/// [`KeepError::Missing`] if there is certainly no copy; [`KeepError::Lost`] else.
pub fn peek(path: &Path) -> Result<Vec<u8>, KeepError> {
    let [first, second] = copies(path);
    let found = read_copy(&first).or_else(|reason| read_copy(&second).map_err(|_| reason));
    found.map_err(|reason| {
        let is_absent = |path: &Path| {
            matches!(path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound)
        };
        let path = path.to_owned();
        if is_absent(&first) && is_absent(&second) {
            KeepError::Missing { path }
        } else {
            KeepError::Lost { path, reason }
        }
    })
}

/// Loads what was stored twice. A copy counts if its checksum holds and `understand` takes it; a
/// copy that does not, or is older than the other, is written again.
///
/// # Errors
/// [`KeepError`]; both copies are left as they are.
pub fn load<T>(
    path: &Path,
    understand: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Kept<T>, KeepError> {
    let paths = copies(path);
    let found = paths.each_ref().map(|path| {
        let bytes = read_copy(path)?;
        understand(&bytes).map(|value| (value, bytes))
    });
    match found {
        [Ok((value, bytes)), Ok((_, second))] if bytes == second => {
            Ok(Kept { value, mended: None })
        }
        [Ok((value, bytes)), Ok(_)] => {
            // The power went between the two: nothing is damaged.
            let again = write_copy(&paths[1], &bytes);
            tracing::info!(path = %paths[1].display(), ?again, "the older copy was renewed");
            Ok(Kept { value, mended: None })
        }
        [Ok((value, bytes)), Err(why)] => Ok(mended(value, &paths[1], &bytes, &why)),
        [Err(why), Ok((value, bytes))] => Ok(mended(value, &paths[0], &bytes, &why)),
        [Err(reason), Err(_)] => {
            let path = path.to_owned();
            let none = paths.iter().all(|path| path.symlink_metadata().is_err());
            Err(if none { KeepError::Missing { path } } else { KeepError::Lost { path, reason } })
        }
    }
}

fn mended<T>(value: T, path: &Path, bytes: &[u8], why: &str) -> Kept<T> {
    let aside = set_aside(path);
    let name = path.display();
    let mended = match write_copy(path, bytes) {
        Ok(()) => format!("{name} was damaged ({why}) and is mended from the other copy"),
        Err(error) => format!("{name} is damaged ({why}) and cannot be mended: {error}"),
    };
    tracing::error!(path = %name, aside = ?aside, why, "one of two copies was damaged");
    Kept { value, mended: Some(format!("{mended}; look at the medium")) }
}

/// The last good one of a plain file that people write.
///
/// # Errors
/// [`KeepError`] if there is none.
pub fn last_good<T>(
    path: &Path,
    understand: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, KeepError> {
    load(&with_end(path, ".good"), understand).map(|kept| kept.value)
}

/// Keeps what a plain file says as the last good one, twice beside it as `NAME.good`; what was
/// wrong there, in words for people.
///
/// # Errors
/// [`KeepError::Write`]; an older one may still be kept.
pub fn keep_good(path: &Path, bytes: &[u8]) -> Result<Option<String>, KeepError> {
    let good = with_end(path, ".good");
    let (mut mended, mut same) = (None, true);
    for copy in copies(&good) {
        let kept = read_copy(&copy);
        same &= kept.as_deref() == Ok(bytes);
        if kept.is_err() && set_aside(&copy).is_some() {
            mended = Some(format!("{} was damaged and is written again", copy.display()));
        }
    }
    if !same {
        store(&good, bytes)?;
    }
    Ok(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(bytes: &[u8]) -> Result<Vec<u8>, String> {
        Ok(bytes.to_vec())
    }

    #[test]
    fn one_damaged_copy_is_mended_from_the_other_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for bad in copies(&path) {
            store(&path, b"secret").unwrap();
            fs::write(&bad, b"rubbish").unwrap();

            let kept = load(&path, any).unwrap();

            assert_eq!(kept.value, b"secret");
            assert!(kept.mended.unwrap().contains("mended"));
            assert_eq!(read_copy(&bad).unwrap(), b"secret");
            assert_eq!(fs::read(with_end(&bad, ".bad-1")).unwrap(), b"rubbish");
            assert_eq!(load(&path, any).unwrap().mended, None);
        }
    }

    #[test]
    fn two_damaged_copies_are_lost_and_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(load(&path, any), Err(KeepError::Missing { .. })));
        store(&path, b"secret").unwrap();
        fs::write(&path, b"rubbish").unwrap();
        fs::write(copies(&path)[1].clone(), b"").unwrap();

        assert!(matches!(load(&path, any), Err(KeepError::Lost { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"rubbish");
    }

    #[test]
    fn of_two_whole_copies_the_newer_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        store(&path, b"old").unwrap();
        write_copy(&path, b"new").unwrap();

        assert_eq!(load(&path, any).unwrap(), Kept { value: b"new".to_vec(), mended: None });
        assert_eq!(read_copy(&copies(&path)[1]).unwrap(), b"new");
    }

    #[test]
    fn a_whole_copy_of_something_else_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        store(&path, b"secret").unwrap();
        write_copy(&path, b"another").unwrap();
        let understand = |bytes: &[u8]| if bytes.len() == 6 { Ok(()) } else { Err("odd".into()) };

        assert!(load(&path, understand).unwrap().mended.is_some());
        assert_eq!(read_copy(&path).unwrap(), b"secret");
    }

    #[test]
    fn a_folder_in_the_place_of_a_copy_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        store(&path, b"secret").unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();

        assert_eq!(load(&path, any).unwrap().value, b"secret");
        assert_eq!(read_copy(&path).unwrap(), b"secret");
    }

    #[test]
    fn the_last_good_file_is_kept_twice_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        assert!(last_good(&path, any).is_err());
        keep_good(&path, b"1").unwrap();
        assert_eq!(keep_good(&path, b"2").unwrap(), None);
        fs::write(with_end(&path, ".good"), "rubbish").unwrap();

        assert_eq!(last_good(&path, any).unwrap(), b"2");
        fs::write(with_end(&path, ".good.2"), "rubbish").unwrap();
        assert!(keep_good(&path, b"2").unwrap().unwrap().contains("written again"));
        assert_eq!(last_good(&path, any).unwrap(), b"2");
    }
}
