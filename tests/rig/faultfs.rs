//! A file system for real processes that loses what was not made durable.
//!
//! It is served over FUSE from memory. Each file has what processes see and what a power cut
//! leaves; names are durable only after their folder was synced. [`FaultFs::cut`] throws away what
//! was not synced, piece by piece, and [`Faults`] makes calls fail.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{BackgroundSession, Config, MountOption};

mod medium;
mod server;

pub use medium::{Cut, Faults};

use medium::Medium;
use server::Server;

/// A mounted file system; unmounted when it is dropped.
pub struct FaultFs {
    medium: Arc<Mutex<Medium>>,
    session: Option<BackgroundSession>,
    mounted_at: PathBuf,
}

impl FaultFs {
    /// Mounts an empty one over a folder; the seed decides what cuts take.
    ///
    /// # Errors
    /// There is no `/dev/fuse`, or we may not mount.
    pub fn mount(at: &Path, seed: u64) -> io::Result<Self> {
        let medium = Arc::new(Mutex::new(Medium::new(seed)));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("wardline-faultfs".into())];
        let session = fuser::spawn_mount(Server(medium.clone()), at, &config)?;
        Ok(Self { medium, session: Some(session), mounted_at: at.to_owned() })
    }

    /// Changes what goes wrong.
    pub fn ail(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.medium).faults);
    }

    /// Calls that faults made fail so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        lock(&self.medium).refused
    }

    /// The power goes: from now on nothing changes, whoever tries.
    pub fn power_off(&self) {
        lock(&self.medium).off = true;
    }

    /// The power goes if it has not yet, and comes back, and with it every passing fault ends.
    /// Whoever had files open must be dead.
    pub fn cut(&self) -> Cut {
        lock(&self.medium).cut()
    }
}

impl Drop for FaultFs {
    fn drop(&mut self) {
        let ended = self.session.take().map(BackgroundSession::umount_and_join);
        if let Some(Err(error)) = ended {
            eprintln!("{} could not be unmounted: {error}", self.mounted_at.display());
        }
    }
}

/// A panic of another thread leaves the medium as a cut would: usable.
fn lock(medium: &Mutex<Medium>) -> MutexGuard<'_, Medium> {
    medium.lock().unwrap_or_else(PoisonError::into_inner)
}
