//! The only file that reads a clock.
//!
//! UTC comes from the kernel, if a time service keeps that; else from what sinks have signed; else
//! from a clock that nobody vouches for; or from nowhere.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wire::identity::BootId;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

pub mod floor;

mod learnt;

use learnt::Learnt;

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

/// Reads time; remembers the steps of the wall clock, and what sinks have said.
pub struct Clock {
    source: Box<dyn Source>,
    epoch: u32,
    /// Wall clock less monotonic clock when the epoch began, and UTC as we said it last.
    offsets: Option<[i64; 2]>,
    learnt: Option<Learnt>,
    step: Option<Step>,
}

/// A step of the wall clock, or of what we know of UTC, in both bases of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// When it was noticed.
    pub monotonic: MonotonicNanos,
    /// What would have been said then without it, nanoseconds of UTC.
    pub before: i64,
    /// What was said.
    pub after: i64,
    /// The epoch that began.
    pub epoch: u32,
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
        Self { source, epoch: 0, offsets: None, learnt: None, step: None }
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
    /// jumped or stands still. So does UTC as we say it, when it becomes better known.
    pub fn state(&mut self) -> ClockState {
        let monotonic = self.monotonic();
        let (wall, synchronised) = self.source.wall();
        let is_dated = wall >= BUILD_FLOOR;
        let (said, error_us, source) = match self.learnt {
            _ if is_dated && synchronised => (wall, 500_000, TimeSource::Network),
            Some(learnt) => {
                (learnt.utc_at(monotonic), learnt.error_us(monotonic), TimeSource::Sink)
            }
            None if is_dated => (wall, u64::MAX, TimeSource::Free),
            None => (wall, u64::MAX, TimeSource::None),
        };
        self.watch_steps(monotonic, [wall, said]);
        let utc = (source != TimeSource::None).then_some(UnixNanos(said));
        ClockState { epoch: self.epoch, monotonic, utc, error_us, source }
    }

    /// Looks whether the wall clock, or what we say, is elsewhere than the epoch says.
    fn watch_steps(&mut self, monotonic: MonotonicNanos, clocks: [i64; 2]) {
        let offsets = clocks.map(|utc| utc - monotonic.0.cast_signed());
        let begun = self.offsets.get_or_insert(offsets);
        let stepped = (0..2).find(|at| (offsets[*at] - begun[*at]).abs() > STEP);
        if let Some(at) = stepped {
            self.epoch += 1;
            let (before, after) = (clocks[at] - (offsets[at] - begun[at]), clocks[at]);
            self.step = Some(Step { monotonic, before, after, epoch: self.epoch });
            self.offsets = Some(offsets);
        } else {
            // Our own clock drifts against a sink's, which is no step.
            begun[1] = offsets[1];
        }
    }

    /// The newest step of the wall clock, once.
    pub const fn take_step(&mut self) -> Option<Step> {
        self.step.take()
    }

    /// A sink has signed this time after something was sent and before its receipt came.
    pub fn learn(&mut self, sink: UnixNanos, sent: Instant, came: Instant) {
        let now = self.monotonic();
        let new = Learnt::between(sink, came.saturating_duration_since(sent), now);
        let known = self.learnt.filter(|known| known.is_better_than(&new, now));
        self.learnt = known.or(Some(new));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    const SECOND: i64 = 1_000_000_000;

    /// Seconds since the start, wall clock, and whether that is synchronised.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<(i64, i64, bool)>>);

    impl Source for Told {
        fn now(&self) -> Instant {
            Instant::now()
        }

        fn monotonic(&self) -> MonotonicNanos {
            MonotonicNanos((self.0.lock().unwrap().0 * SECOND).unsigned_abs())
        }

        fn wall(&self) -> (i64, bool) {
            let (_, wall, synchronised) = *self.0.lock().unwrap();
            (wall, synchronised)
        }
    }

    #[test]
    fn a_gateway_without_a_clock_knows_the_time_once_a_sink_has_signed_it() {
        let told = Told::default();
        let mut clock = Clock::of(Box::new(told.clone()));
        assert_eq!((clock.state().source, clock.state().utc), (TimeSource::None, None));
        let (sink, now) = (UnixNanos(BUILD_FLOOR + 9 * SECOND), Instant::now());
        clock.learn(sink, now, now + Duration::from_millis(40));
        *told.0.lock().unwrap() = (100, 100 * SECOND, false);
        let state = clock.state();
        assert_eq!((state.source, state.epoch), (TimeSource::Sink, 1), "it is 2026 at once");
        assert_eq!(state.utc, Some(UnixNanos(sink.0 + 100 * SECOND + 20_000_000)));
        assert_eq!(state.error_us, 20_001 + 10_000);
        *told.0.lock().unwrap() = (100, BUILD_FLOOR, true);
        assert_eq!(clock.state().source, TimeSource::Network, "a time service comes first");
    }

    #[test]
    fn a_step_is_said_once_in_both_bases_of_time_and_begins_an_epoch() {
        let told = Told::default();
        *told.0.lock().unwrap() = (0, BUILD_FLOOR, false);
        let mut clock = Clock::of(Box::new(told.clone()));
        let mut at = |seconds: i64, wall_s: i64| {
            *told.0.lock().unwrap() = (seconds, BUILD_FLOOR + wall_s * SECOND, false);
            (clock.state().epoch, clock.take_step())
        };
        assert_eq!(at(10, 10), (0, None));
        let (epoch, step) = at(20, 3_620);
        let step = step.unwrap();
        assert_eq!((epoch, step.epoch, step.monotonic.0), (1, 1, 20 * SECOND.unsigned_abs()));
        assert_eq!([step.before, step.after].map(|ns| (ns - BUILD_FLOOR) / SECOND), [20, 3_620]);
        assert_eq!(at(30, 3_630), (1, None));
        assert_eq!(at(40, 40).0, 2, "and back");
    }
}
