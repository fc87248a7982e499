//! How long to wait before the next connection: drawn from zero to a bound that doubles, or from a
//! range that stays where nobody was there who could be overrun.

use std::time::Duration;

use crate::limits::{ABSENT_WAIT, RECONNECT_WAIT};

#[derive(Debug)]
pub(super) struct BackOff {
    attempt: u32,
    random: u64,
}

impl BackOff {
    pub(super) fn new(random: u64) -> Self {
        Self { attempt: 0, random: random | 1 }
    }

    pub(super) fn begin_anew(&mut self) {
        self.attempt = 0;
    }

    pub(super) fn wait(&mut self) -> Duration {
        let (first, longest) = RECONNECT_WAIT;
        let most = first.saturating_mul(1 << self.attempt.min(10)).min(longest);
        self.attempt = self.attempt.saturating_add(1);
        most.mul_f64(self.draw())
    }

    /// The wait after a call that nobody answered.
    pub(super) fn absent_wait(&mut self) -> Duration {
        let (least, most) = ABSENT_WAIT;
        least + (most - least).mul_f64(self.draw())
    }

    /// From 0 to 1.
    fn draw(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}
