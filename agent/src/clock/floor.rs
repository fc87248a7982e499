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

/// Ahead of the floor by so much a signed time is doubted: a year of a gateway in a drawer is rare.
const FAR_NS: i64 = 30 * 24 * KEPT_EACH_NS;
/// It is believed once it has been said for so long.
const CONFIRMED_NS: u64 = 4 * KEPT_EACH_NS.unsigned_abs();

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
    /// A time that is far ahead, and when it was said first.
    doubtful: Option<(i64, MonotonicNanos)>,
}

impl Known {
    fn at(&self, monotonic: MonotonicNanos) -> i64 {
        let since = monotonic.0.saturating_sub(self.monotonic.0);
        self.utc.saturating_add_unsigned(since)
    }

    /// Whether a signed time is far ahead, and nobody has said so hours ago.
    fn is_doubtful(&mut self, utc: i64, now: MonotonicNanos) -> bool {
        if utc.saturating_sub(self.at(now)) <= FAR_NS {
            self.doubtful = None;
            return false;
        }
        let (first, since) = *self.doubtful.get_or_insert((utc, now));
        let passed = now.0.saturating_sub(since.0);
        if utc.abs_diff(first.saturating_add_unsigned(passed)) > FAR_NS.unsigned_abs() {
            self.doubtful = Some((utc, now));
            return true;
        }
        passed < CONFIRMED_NS
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
        let known = Known { utc, monotonic: Kernel.monotonic(), kept, doubtful: None };
        Self { path, known: Mutex::new(known) }
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

    /// A sink has signed this time; `end` is that of the newest keyring, which vouches for it. One
    /// that is far ahead counts once another one has said the same hours later: a sink whose clock
    /// is wrong for a while must not lock anybody out.
    pub fn signed(&self, utc: UnixNanos, end: UnixNanos) {
        let (utc, now) = (utc.0.min(end.0), Kernel.monotonic());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_doubtful(utc, now) {
            return;
        }
        if utc > known.at(now) {
            (known.utc, known.monotonic) = (utc, now);
        }
        if utc.saturating_sub(known.kept) < KEPT_EACH_NS {
            return;
        }
        match keep::store(&self.path, &utc.to_be_bytes()) {
            Ok(()) => known.kept = utc,
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
        floor.at_least(UnixNanos(BUILD_FLOOR + 10 * HOUR));
        floor.signed(UnixNanos(sink.0 + HOUR / 2), FAR);
        assert!(kept().now().0 < BUILD_FLOOR + 10 * HOUR, "a certificate is not kept");
        floor.signed(UnixNanos(BUILD_FLOOR + 999 * HOUR), end);
        for floor in [floor, kept()] {
            assert!(floor.now() >= end && floor.now().0 < end.0 + HOUR);
        }
    }

    #[test]
    fn a_time_far_ahead_is_believed_once_it_was_said_for_hours() {
        let mut known = Known {
            utc: BUILD_FLOOR,
            monotonic: MonotonicNanos(0),
            kept: BUILD_FLOOR,
            doubtful: None,
        };
        let mut doubts = |days: i64, hours: u64| {
            let at = MonotonicNanos(hours * HOUR.unsigned_abs());
            known.is_doubtful(BUILD_FLOOR + days * 24 * HOUR, at)
        };
        assert!(!doubts(29, 0));
        assert!(doubts(400, 0) && doubts(400, 3));
        assert!(doubts(900, 4), "that is another one");
        assert!(doubts(900, 7) && !doubts(900, 9));
        assert!(!doubts(10, 9) && doubts(900, 10), "others say something else");
    }

    #[test]
    fn a_damaged_floor_is_that_of_the_build() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floor");
        std::fs::write(&path, b"torn").unwrap();
        assert!(Floor::kept(path).now().0 >= BUILD_FLOOR);
    }
}
