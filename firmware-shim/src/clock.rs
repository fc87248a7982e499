//! Clock: a counter that wraps becomes one that does not. It never invents a date.

/// A 32-bit counter of milliseconds, and how often it has wrapped: every 49 days.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    last: u32,
    wraps: u32,
}

impl Ticks {
    /// Milliseconds since the start. To be asked at least twice between two wraps.
    pub fn extend(&mut self, now: u32) -> i64 {
        // A small step back is no wrap: time stands still until it is made up.
        if now.wrapping_sub(self.last).cast_signed() >= 0 {
            self.wraps = self.wraps.wrapping_add(u32::from(now < self.last));
            self.last = now;
        }
        i64::from(self.wraps) << 32 | i64::from(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_where_the_counter_wraps() {
        let mut ticks = Ticks::default();
        let half = 1 << 31;
        let moments = [5, half, u32::MAX, 0, 7, 6, 7].map(|now| ticks.extend(now));
        let wrap = 1 << 32;
        let half = i64::from(half);
        assert_eq!(moments, [5, half, wrap - 1, wrap, wrap + 7, wrap + 7, wrap + 7]);
    }
}
