//! Pace: how much one port may say, so that a device that babbles takes nothing from the others.

use std::num::NonZeroU64;
use std::time::Duration;

use wire::time::MonotonicNanos;

/// Bytes of one port, against what it may say: a second's worth at once, and so much in each
/// second.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: Option<NonZeroU64>,
    /// When all that was said would have been said at the rate.
    paid_to: MonotonicNanos,
}

const SECOND_NANOS: u64 = 1_000_000_000;

impl Pace {
    /// Of so many bytes a second; none: as it likes.
    #[must_use]
    pub const fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, paid_to: MonotonicNanos(0) }
    }

    /// It said so much.
    pub fn took(&mut self, bytes: usize, now: MonotonicNanos) {
        let Some(rate) = self.rate else { return };
        let cost = (bytes as u64).saturating_mul(SECOND_NANOS) / rate;
        self.paid_to = MonotonicNanos(self.paid_to.0.max(now.0).saturating_add(cost));
    }

    /// How long it must wait; none if it may go on.
    #[must_use]
    pub fn wait(&self, now: MonotonicNanos) -> Option<Duration> {
        let ahead = self.paid_to.0.saturating_sub(now.0);
        (ahead > SECOND_NANOS).then(|| Duration::from_nanos(ahead - SECOND_NANOS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_say_a_second_s_worth_at_once_and_its_rate_after_that() {
        let mut pace = Pace::new(NonZeroU64::new(1000));
        let at = |ms: u64| MonotonicNanos(ms * 1_000_000);
        pace.took(1000, at(5_000));
        assert_eq!(pace.wait(at(5_000)), None);
        pace.took(500, at(5_000));
        assert_eq!(pace.wait(at(5_000)), Some(Duration::from_millis(500)));
        assert_eq!(pace.wait(at(5_500)), None);
        pace.took(1000, at(9_000));
        assert_eq!(pace.wait(at(9_000)), None, "what it did not say before is no credit");
        let mut free = Pace::new(None);
        free.took(1 << 40, at(0));
        assert_eq!(free.wait(at(0)), None);
    }
}
