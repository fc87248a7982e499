//! The only code that touches the buffer's files.
//!
//! Everything above works on the [`Disk`] trait, so that a simulated disk can cut the power at
//! every operation, tear and reorder writes, lie, rot and fill up.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};

use wire::card::Veil;

/// A folder of files.
pub trait Disk {
    /// An open file.
    type File: DiskFile;

    /// Names and sizes of all files, and of folders, which hold nothing of ours and have size 0.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn list(&self) -> Result<Vec<(String, u64)>>;
    /// Opens a file that exists, for reading and writing.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, name: &str) -> Result<Self::File>;
    /// Makes a new, empty file; its name is durable only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, name: &str) -> Result<Self::File>;
    /// Gives a file another name.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Deletes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> Result<()>;
    /// Makes creations, renames and removals survive a power cut.
    ///
    /// # Errors
    /// As the system says; then none of them is known to be durable.
    fn sync_names(&self) -> Result<()>;
    /// Bytes that the file system still has for us.
    ///
    /// # Errors
    /// As the system says.
    fn free_bytes(&self) -> Result<u64>;
    /// Keeps other processes out for as long as what it gives lives; `None` while one is in. Only
    /// who asks is kept out.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self) -> Result<Option<Lock>> {
        Ok(Some(Lock::default()))
    }
}

/// A folder is locked for as long as this lives.
#[derive(Debug, Default)]
pub struct Lock {
    _file: Option<File>,
}

/// File by which a folder is locked; it holds nothing.
const LOCK: &str = "lock";

/// An open file.
pub trait DiskFile {
    /// Reads up to `into.len()` bytes; less only at the end of the file.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all bytes; they are durable only after [`DiskFile::sync`].
    ///
    /// # Errors
    /// As the system says; any part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes all written bytes survive a power cut. After an error nothing is known.
    ///
    /// # Errors
    /// As the system says. Never try again on the same file.
    fn sync(&self) -> Result<()>;
    /// Size in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn size(&self) -> Result<u64>;
    /// The veil of the medium under which records lie in it.
    fn veil(&self) -> Veil {
        Veil::default()
    }
}

/// A folder of the real file system.
///
/// It is found by its path each time: after a medium was mounted again, a handle from before would
/// lead to one that is gone.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    veil: Veil,
}

/// A file in a folder.
#[derive(Debug)]
pub struct FolderFile {
    file: File,
    veil: Veil,
}

impl Folder {
    /// Opens a folder and makes it first if it is missing; mode 0700.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(path: &Path) -> Result<Self> {
        make_folder(path)?;
        Self::existing(path)
    }

    /// Opens a folder that must exist, for looking only.
    ///
    /// # Errors
    /// As the system says.
    pub fn existing(path: &Path) -> Result<Self> {
        File::open(path)?;
        Ok(Self { path: path.to_owned(), veil: Veil::default() })
    }

    /// The same with the key of its medium: records are written under it.
    #[must_use]
    pub fn under(self, veil: Veil) -> Self {
        Self { veil, ..self }
    }

    fn file(&self, file: File) -> FolderFile {
        FolderFile { file, veil: self.veil.clone() }
    }
}

/// Makes a folder, and what is missing above it, of mode 0700; their names survive a power cut.
///
/// # Errors
/// As the system says.
pub fn make_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        // Whoever made it may have died before its name was durable.
        if let Err(error) = sync_parent(path) {
            tracing::warn!(path = %path.display(), %error, "perhaps not durable");
        }
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if !path.is_dir() => Err(error),
        _ => sync_parent(path),
    }
}

/// Makes the name of a file or folder survive a power cut.
///
/// # Errors
/// As the system says.
pub fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Gives a file or folder to whoever has the folder that it stands in.
///
/// # Errors
/// As the system says.
pub fn give_to_owner(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let owner = std::fs::metadata(parent.unwrap_or(Path::new(".")))?;
    lchown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Refuses a folder that is a link: whoever may write beside it would lead a command of root's to
/// any other.
///
/// # Errors
/// It is one.
pub fn refuse_link(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_symlink()) {
        return Err(std::io::Error::other(format!("{} is a link: remove it", path.display())));
    }
    Ok(())
}

impl Folder {
    /// Whether a file that was opened by a name still stands under it.
    #[must_use]
    pub fn is_at(&self, name: &str, file: &FolderFile) -> bool {
        let place = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let named = self.path.join(name).symlink_metadata().map(place);
        let opened = file.file.metadata().map(place);
        named.is_ok() && named.ok() == opened.ok()
    }
}

impl Disk for Folder {
    type File = FolderFile;

    fn list(&self) -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let meta = match entry.metadata() {
                // Renamed or removed since: whoever did it knows.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            let ours = meta.is_file() || meta.is_dir();
            if let (true, Ok(name)) = (ours, entry.file_name().into_string()) {
                files.push((name, if meta.is_file() { meta.len() } else { 0 }));
            }
        }
        files.sort();
        Ok(files)
    }

    fn open(&self, name: &str) -> Result<FolderFile> {
        let path = self.path.join(name);
        let writable = OpenOptions::new().read(true).write(true).open(&path);
        match writable {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => File::open(&path),
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => File::open(&path),
            other => other,
        }
        .map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> Result<FolderFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path.join(name)).map(|file| self.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free_bytes(&self) -> Result<u64> {
        let state = rustix::fs::statvfs(&self.path).map_err(Error::from)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }

    fn lock(&self) -> Result<Option<Lock>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            // A file system without locks: nobody is kept out.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Some(Lock::default()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for FolderFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match FileExt::read_at(&self.file, &mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn size(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn veil(&self) -> Veil {
        self.veil.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_by_one_and_free_again_when_that_one_ends() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Folder::open(place.path()).unwrap());

        let held = one.lock().unwrap();

        assert!(held.is_some() && two.lock().unwrap().is_none());
        drop(held);
        assert!(two.lock().unwrap().is_some());
    }

    #[test]
    fn a_medium_that_was_mounted_again_is_taken_up() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state/buffer");
        let folder = Folder::open(&path).unwrap();
        std::fs::rename(&path, place.path().join("state/old")).unwrap();
        assert!(folder.sync_names().is_err() && folder.free_bytes().is_err());

        make_folder(&path).unwrap();

        folder.create("a").unwrap();
        folder.sync_names().unwrap();
        assert!(folder.free_bytes().unwrap() > 0);
        assert_eq!(folder.list().unwrap(), [("a".to_owned(), 0)]);
    }
}
