//! Clock: a counter that wraps becomes one that does not. It never invents a date.

/// A 32-bit counter of milliseconds, and how often it has wrapped: every 49 days.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    last: u32,
    wraps: u32,
}

impl Ticks {
    /// Milliseconds since the start. To be asked at least once between two wraps.
    pub fn extend(&mut self, now: u32) -> i64 {
        if now < self.last {
            self.wraps = self.wraps.wrapping_add(1);
        }
        self.last = now;
        i64::from(self.wraps) << 32 | i64::from(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_where_the_counter_wraps() {
        let mut ticks = Ticks::default();
        let moments = [5, u32::MAX, 0, 7, 7].map(|now| ticks.extend(now));
        let wrap = 1 << 32;
        assert_eq!(moments, [5, wrap - 1, wrap, wrap + 7, wrap + 7]);
    }
}
