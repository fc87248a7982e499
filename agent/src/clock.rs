//! The only file that reads a clock.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wire::identity::BootId;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

/// UTC before this is not believed: the program is younger. 2026-01-01T00:00:00Z.
const BUILD_FLOOR: i64 = 1_767_225_600_000_000_000;
/// A difference between wall clock and monotonic clock larger than this is a step.
const STEP: i64 = 500_000_000;

/// What time is read from.
pub trait Source: Send {
    /// Now, for deadlines.
    fn now(&self) -> Instant;
    /// Now since the kernel started, sleep included.
    fn monotonic(&self) -> MonotonicNanos;
    /// The wall clock, nanoseconds of UTC, and whether a time service keeps it.
    fn wall(&self) -> (i64, bool);
}

/// The kernel of this machine.
#[derive(Clone, Copy, Debug)]
struct Kernel;

impl Source for Kernel {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn monotonic(&self) -> MonotonicNanos {
        let time = clock_gettime(ClockId::Boottime);
        let nanos = Duration::new(time.tv_sec.unsigned_abs(), 0).as_nanos() as u64;
        MonotonicNanos(nanos + time.tv_nsec.unsigned_abs())
    }

    fn wall(&self) -> (i64, bool) {
        let wall = clock_gettime(ClockId::Realtime);
        let utc = wall.tv_sec.saturating_mul(1_000_000_000).saturating_add(wall.tv_nsec);
        (utc, Path::new("/run/systemd/timesync/synchronized").exists())
    }
}

/// Reads time; remembers the steps of the wall clock.
pub struct Clock {
    source: Box<dyn Source>,
    epoch: u32,
    /// Wall clock less monotonic clock when the epoch began.
    offset: Option<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// The kernel's clock in its first epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Box::new(Kernel))
    }

    /// A clock that reads another source.
    #[must_use]
    pub fn of(source: Box<dyn Source>) -> Self {
        Self { source, epoch: 0, offset: None }
    }

    /// Now, for deadlines.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.source.now()
    }

    /// Now since the kernel started, sleep included.
    #[must_use]
    pub fn monotonic(&self) -> MonotonicNanos {
        self.source.monotonic()
    }

    /// The whole state; a wall clock that has left its epoch by a step begins a new one, whether it
    /// jumped or stands still.
    pub fn state(&mut self) -> ClockState {
        let monotonic = self.monotonic();
        let (utc, synchronised) = self.source.wall();
        let offset = utc - monotonic.0.cast_signed();
        let begun = *self.offset.get_or_insert(offset);
        if (offset - begun).abs() > STEP {
            (self.epoch, self.offset) = (self.epoch + 1, Some(offset));
        }
        let (source, error_us) = match (utc >= BUILD_FLOOR, synchronised) {
            (false, _) => (TimeSource::None, u64::MAX),
            (true, true) => (TimeSource::Network, 500_000),
            (true, false) => (TimeSource::Free, u64::MAX),
        };
        let utc = (source != TimeSource::None).then_some(UnixNanos(utc));
        ClockState { epoch: self.epoch, monotonic, utc, error_us, source }
    }
}

/// The kernel's boot id; zeros where the kernel gives none.
#[must_use]
pub fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).unwrap_or_default();
    BootId(number.to_be_bytes())
}
