//! The time floor: before this moment it certainly is not. TLS is verified at it, so that a gateway
//! whose clock is wrong, or that has none, is never locked out; an expiry may be noticed late.
//!
//! Only what is authenticated raises it: the build, our own certificate's beginning, and a sink's
//! signed time; never past the end of the newest keyring.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use wire::time::{MonotonicNanos, UnixNanos};

use super::{BUILD_FLOOR, Kernel, Source};
use crate::seal::keep::{self, KeepError};

/// It is kept anew when it has grown by so much: an hour, since a card wears out by writing.
const KEPT_EACH_NS: i64 = 3_600_000_000_000;

/// The floor, as it is kept and as it has grown since.
#[derive(Debug)]
pub struct Floor {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// It was this ...
    utc: i64,
    /// ... when our clock stood here.
    monotonic: MonotonicNanos,
    kept: i64,
}

impl Known {
    fn at(&self, monotonic: MonotonicNanos) -> i64 {
        let since = monotonic.0.saturating_sub(self.monotonic.0);
        self.utc.saturating_add_unsigned(since)
    }
}

impl Floor {
    /// That of the gateway whose state is in this folder.
    #[must_use]
    pub fn below(state: &Path) -> Arc<Self> {
        Arc::new(Self::kept(state.join("floor")))
    }

    /// What a file holds; that of the build if it holds nothing. A damaged one raises no floor, and
    /// stops nobody.
    #[must_use]
    fn kept(path: PathBuf) -> Self {
        let understand = |bytes: &[u8]| {
            let bytes = bytes.try_into().map_err(|_| "no time floor".to_owned())?;
            Ok(i64::from_be_bytes(bytes))
        };
        let kept = match keep::load(&path, understand) {
            Ok(kept) => kept.value,
            Err(KeepError::Missing { .. }) => BUILD_FLOOR,
            Err(error) => {
                tracing::warn!(%error, "the time floor is that of the build");
                BUILD_FLOOR
            }
        };
        let utc = kept.max(BUILD_FLOOR);
        Self { path, known: Mutex::new(Known { utc, monotonic: Kernel.monotonic(), kept }) }
    }

    /// The floor, which grows with the time.
    #[must_use]
    pub fn now(&self) -> UnixNanos {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        UnixNanos(known.at(Kernel.monotonic()))
    }

    /// It certainly is at least this.
    pub fn at_least(&self, utc: UnixNanos) {
        let now = Kernel.monotonic();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if utc.0 > known.at(now) {
            (known.utc, known.monotonic) = (utc.0, now);
        }
    }

    /// A sink has signed this time; `end` is that of the newest keyring, which vouches for it.
    pub fn signed(&self, utc: UnixNanos, end: UnixNanos) {
        self.at_least(UnixNanos(utc.0.min(end.0)));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = known.at(Kernel.monotonic()).min(end.0);
        if now.saturating_sub(known.kept) < KEPT_EACH_NS {
            return;
        }
        match keep::store(&self.path, &now.to_be_bytes()) {
            Ok(()) => known.kept = now,
            Err(error) => tracing::warn!(%error, "the time floor cannot be kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = KEPT_EACH_NS;
    const FAR: UnixNanos = UnixNanos(i64::MAX);

    #[test]
    fn only_signed_time_is_kept_and_none_past_the_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let kept = || Floor::kept(folder.path().join("floor"));
        let floor = kept();
        let began = floor.now();
        assert!(began.0 >= BUILD_FLOOR && floor.now() >= began, "it grows");
        let certificate = UnixNanos(BUILD_FLOOR + 5 * HOUR);
        floor.at_least(certificate);
        assert!(floor.now() >= certificate && kept().now() < certificate);
        let sink = UnixNanos(BUILD_FLOOR + 9 * HOUR);
        floor.signed(sink, FAR);
        floor.at_least(UnixNanos(0));
        assert!(floor.now() >= sink && kept().now() >= sink);
        let end = UnixNanos(BUILD_FLOOR + 11 * HOUR);
        floor.signed(UnixNanos(BUILD_FLOOR + 999 * HOUR), end);
        for floor in [floor, kept()] {
            assert!(floor.now() >= end && floor.now().0 < end.0 + HOUR);
        }
    }

    #[test]
    fn a_damaged_floor_is_that_of_the_build() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floor");
        std::fs::write(&path, b"torn").unwrap();
        assert!(Floor::kept(path).now().0 >= BUILD_FLOOR);
    }
}
