//! The only file that reads a clock.
//!
//! UTC comes from the kernel, if a time service keeps that; else from what sinks have signed; else
//! from a clock that nobody vouches for; or from nowhere.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wire::identity::BootId;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

pub mod floor;

mod learnt;

use learnt::Learnt;

/// UTC before this is not believed: the program is younger. 2026-01-01T00:00:00Z.
const BUILD_FLOOR: i64 = 1_767_225_600_000_000_000;
/// A time service keeps a clock to this, as long as it answers, microseconds.
const SERVICE_ERROR_US: u64 = 500_000;
/// Our clock is off by no more without one: twice what crystals promise, millionths.
const DRIFT_PPM: u64 = 100;
/// A difference between wall clock and monotonic clock larger than this is a step.
const STEP: i64 = 500_000_000;

/// What time is read from.
pub trait Source: Send {
    /// Now, for deadlines.
    fn now(&self) -> Instant;
    /// Now since the kernel started, sleep included.
    fn monotonic(&self) -> MonotonicNanos;
    /// The wall clock, nanoseconds of UTC, and how long ago a time service set it, if one keeps it.
    fn wall(&self) -> (i64, Option<Duration>);
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

    fn wall(&self) -> (i64, Option<Duration>) {
        let wall = clock_gettime(ClockId::Realtime);
        let utc = wall.tv_sec.saturating_mul(1_000_000_000).saturating_add(wall.tv_nsec);
        // The file is touched at each answer of a time server, and stays when there are no more.
        let set = std::fs::metadata("/run/systemd/timesync/synchronized");
        let set = set.and_then(|file| file.modified()).ok();
        (utc, set.map(|set| set.elapsed().unwrap_or_default()))
    }
}

/// Reads time; remembers the steps of the wall clock, and what sinks have said.
pub struct Clock {
    source: Box<dyn Source>,
    epoch: u32,
    /// Wall clock less monotonic clock when the epoch began.
    offset: Option<i64>,
    /// UTC as we said it last, less monotonic clock, and how far it might have been off.
    said: Option<(i64, u64)>,
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
        Self { source, epoch: 0, offset: None, said: None, learnt: None, step: None }
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
        let (wall, set) = self.source.wall();
        let is_dated = wall >= BUILD_FLOOR;
        let learnt =
            self.learnt.map(|learnt| (learnt.utc_at(monotonic), learnt.error_us(monotonic)));
        let served = set.filter(|_| is_dated).map(|ago| (wall, service_error_us(ago)));
        let (said, error_us, source) = match (served, learnt) {
            (Some((utc, error)), Some((sink, sink_error)))
                if error < sink_error && agree((utc, error), (sink, sink_error)) =>
            {
                (utc, error, TimeSource::Network)
            }
            (_, Some((utc, error))) => (utc, error, TimeSource::Sink),
            (Some((utc, error)), None) => (utc, error, TimeSource::Network),
            (None, None) if is_dated => (wall, u64::MAX, TimeSource::Free),
            (None, None) => (wall, u64::MAX, TimeSource::None),
        };
        let utc = (source != TimeSource::None).then_some(UnixNanos(said));
        self.watch_steps(monotonic, wall, utc.map(|utc| (utc.0, error_us)));
        ClockState { epoch: self.epoch, monotonic, utc, error_us, source }
    }

    /// Looks whether the wall clock is elsewhere than when the epoch began, or what we say than
    /// what we said, and by more than both may be off.
    fn watch_steps(&mut self, monotonic: MonotonicNanos, wall: i64, said: Option<(i64, u64)>) {
        let mono = monotonic.0.cast_signed();
        let begun = *self.offset.get_or_insert(wall - mono);
        let was = self.said.zip(said).map(|((was, error), (now, now_error))| {
            let known = |error: u64| if error == u64::MAX { 0 } else { error.cast_signed() };
            let may = known(error).saturating_add(known(now_error)).saturating_mul(1_000);
            (was + mono, now, STEP.saturating_add(may))
        });
        let jumped = [Some((begun + mono, wall, STEP)), was].into_iter().flatten();
        let stepped = jumped.into_iter().find(|(was, now, may)| (now - was).abs() > *may);
        if let Some((before, after, _)) = stepped {
            self.epoch += 1;
            self.step = Some(Step { monotonic, before, after, epoch: self.epoch });
            self.offset = Some(wall - mono);
        }
        self.said = said.map(|(now, error)| (now - mono, error));
    }

    /// The newest step of the wall clock, once.
    pub const fn take_step(&mut self) -> Option<Step> {
        self.step.take()
    }

    /// A sink has signed this time after something was sent and before its receipt came, both by
    /// the clock for deadlines; the latter also by the monotonic clock.
    pub fn learn(
        &mut self,
        sink: UnixNanos,
        (sent, came): (Instant, Instant),
        now: MonotonicNanos,
    ) {
        let new = Learnt::between(sink, came.saturating_duration_since(sent), now);
        let known = self.learnt.filter(|known| known.is_better_than(&new, now));
        self.learnt = known.or(Some(new));
    }
}

/// How far a clock may be off that a time service set so long ago.
fn service_error_us(ago: Duration) -> u64 {
    let drift_us = ago.as_micros() as u64 / 1_000_000 * DRIFT_PPM;
    SERVICE_ERROR_US.saturating_add(drift_us)
}

/// Whether two that say how far they may be off do not exclude each other.
const fn agree(a: (i64, u64), b: (i64, u64)) -> bool {
    a.0.abs_diff(b.0) <= a.1.saturating_add(b.1).saturating_mul(1_000)
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

    /// Seconds since the start, wall clock, and how many seconds ago that was set.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<(i64, i64, Option<u64>)>>);

    impl Source for Told {
        fn now(&self) -> Instant {
            Instant::now()
        }

        fn monotonic(&self) -> MonotonicNanos {
            MonotonicNanos((self.0.lock().unwrap().0 * SECOND).unsigned_abs())
        }

        fn wall(&self) -> (i64, Option<Duration>) {
            let (_, wall, set) = *self.0.lock().unwrap();
            (wall, set.map(Duration::from_secs))
        }
    }

    #[test]
    fn a_gateway_without_a_clock_knows_the_time_once_a_sink_has_signed_it() {
        let told = Told::default();
        let mut clock = Clock::of(Box::new(told.clone()));
        assert_eq!((clock.state().source, clock.state().utc), (TimeSource::None, None));
        let (sink, now) = (UnixNanos(BUILD_FLOOR + 9 * SECOND), Instant::now());
        let came = now + Duration::from_millis(40);
        clock.learn(sink, (now, came), MonotonicNanos(0));
        *told.0.lock().unwrap() = (100, 100 * SECOND, None);
        let state = clock.state();
        assert_eq!((state.source, state.epoch), (TimeSource::Sink, 0), "nothing has stepped");
        assert_eq!(state.utc, Some(UnixNanos(sink.0 + 100 * SECOND + 20_000_000)));
        assert_eq!(state.error_us, 20_003 + 10_000);
    }

    #[test]
    fn a_time_service_counts_as_long_as_it_is_nearer_and_no_sink_contradicts_it() {
        let told = Told::default();
        *told.0.lock().unwrap() = (0, BUILD_FLOOR, Some(0));
        let mut clock = Clock::of(Box::new(told.clone()));
        assert_eq!((clock.state().source, clock.state().error_us), (TimeSource::Network, 500_000));
        *told.0.lock().unwrap() = (0, BUILD_FLOOR, Some(86_400));
        assert_eq!(clock.state().error_us, 500_000 + 8_640_000, "it no longer answers");
        let now = Instant::now();
        let learn = |clock: &mut Clock, utc: i64, seconds: u64| {
            let way = (now, now + Duration::from_secs(seconds));
            clock.learn(UnixNanos(utc), way, MonotonicNanos(0));
        };
        learn(&mut clock, BUILD_FLOOR, 30);
        assert_eq!(clock.state().source, TimeSource::Network, "it is nearer");
        *told.0.lock().unwrap() = (0, BUILD_FLOOR + 3_600 * SECOND, Some(0));
        assert_eq!(clock.state().source, TimeSource::Sink, "a sink's time is signed");
        *told.0.lock().unwrap() = (0, BUILD_FLOOR, Some(0));
        learn(&mut clock, BUILD_FLOOR, 0);
        assert_eq!(clock.state().source, TimeSource::Sink, "it is nearer");
    }

    #[test]
    fn a_step_is_said_once_in_both_bases_of_time_and_begins_an_epoch() {
        let told = Told::default();
        *told.0.lock().unwrap() = (0, BUILD_FLOOR, None);
        let mut clock = Clock::of(Box::new(told.clone()));
        let mut at = |seconds: i64, wall_s: i64| {
            *told.0.lock().unwrap() = (seconds, BUILD_FLOOR + wall_s * SECOND, None);
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
