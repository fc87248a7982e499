//! The world's one clock, and the gateway's wrong ideas of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent::clock::Source;
use wire::time::MonotonicNanos;

/// When every world begins: 2026-01-01T00:00:00Z, UTC nanoseconds.
pub const START_NS: i64 = 1_767_225_600_000_000_000;

/// A kernel has been up for some seconds before the agent starts.
const KERNEL_UP: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Moment {
    base: Instant,
    elapsed: Duration,
    /// When the gateway was switched on.
    booted: Duration,
    /// What the wall clock is ahead of the truth.
    ahead_ns: i64,
    /// What the wall clock shows, if it stands still.
    stopped_ns: Option<i64>,
    synchronised: bool,
}

/// Virtual time; clones are the same.
#[derive(Clone, Debug)]
pub struct VirtualTime(Arc<Mutex<Moment>>);

impl Default for VirtualTime {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Moment {
            base: Instant::now(),
            elapsed: Duration::ZERO,
            booted: Duration::ZERO,
            ahead_ns: 0,
            stopped_ns: None,
            synchronised: true,
        })))
    }
}

impl VirtualTime {
    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.moment().elapsed += time;
    }

    /// Time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.moment().elapsed
    }

    /// The gateway is switched on: its monotonic clock begins again.
    pub fn boot(&self) {
        let moment = &mut *self.moment();
        moment.booted = moment.elapsed;
    }

    /// The gateway's wall clock goes wrong by so much; only a right one is kept by a time service.
    pub fn step_wall(&self, ahead_ns: i64) {
        let moment = &mut *self.moment();
        (moment.ahead_ns, moment.stopped_ns) = (ahead_ns, None);
        moment.synchronised = ahead_ns == 0;
    }

    /// True UTC of a moment of the gateway's present run.
    #[must_use]
    pub fn truth_at(&self, monotonic: MonotonicNanos) -> i64 {
        let booted = self.moment().booted.as_nanos() as i64;
        START_NS + booted + monotonic.0.cast_signed() - KERNEL_UP.as_nanos() as i64
    }

    /// The gateway's wall clock stops.
    pub fn stop_wall(&self) {
        let now = self.wall().0;
        let moment = &mut *self.moment();
        (moment.stopped_ns, moment.synchronised) = (Some(now), false);
    }
}

impl Source for VirtualTime {
    fn now(&self) -> Instant {
        let moment = self.moment();
        moment.base + moment.elapsed
    }

    fn monotonic(&self) -> MonotonicNanos {
        let moment = self.moment();
        let up = moment.elapsed - moment.booted + KERNEL_UP;
        MonotonicNanos(up.as_nanos() as u64)
    }

    fn wall(&self) -> (i64, Option<Duration>) {
        let moment = self.moment();
        let truth = START_NS + moment.elapsed.as_nanos() as i64;
        let set = moment.synchronised.then_some(Duration::ZERO);
        (moment.stopped_ns.unwrap_or(truth + moment.ahead_ns), set)
    }
}
