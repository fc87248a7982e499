//! The door: how many claims are looked at, and how many of the wrong ones are written down.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use wire::time::UnixNanos;

/// Claims whose password is hashed at once: a flood of them takes one core, and no more.
const HASHED_AT_ONCE: usize = 1;
/// Claims that wait for it; all others are told to come later.
const WAITING_MAX: usize = 8;
/// Wrong claims that are written down in a minute: a flood of them does not fill the trail.
const WRITTEN_MAX: u32 = 20;
const MINUTE_NS: i64 = 60_000_000_000;

/// Lets claims in one by one.
#[derive(Debug)]
pub(in crate::view) struct Door {
    room: Semaphore,
    desk: Semaphore,
    /// Begin of a minute, and what was written down in it.
    written: Mutex<(i64, u32)>,
}

impl Default for Door {
    fn default() -> Self {
        let (room, desk) = (Semaphore::new(WAITING_MAX), Semaphore::new(HASHED_AT_ONCE));
        Self { room, desk, written: Mutex::default() }
    }
}

impl Door {
    /// A claim's turn; none if too many wait.
    pub(in crate::view) async fn turn(&self) -> Option<[SemaphorePermit<'_>; 2]> {
        let room = self.room.try_acquire().ok()?;
        let desk = self.desk.acquire().await.ok()?;
        Some([room, desk])
    }

    /// Whether one more wrong claim is written down; it is counted.
    pub(in crate::view) fn writes(&self, now: UnixNanos) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..MINUTE_NS).contains(&now.0.saturating_sub(written.0)) {
            *written = (now.0, 0);
        }
        written.1 += 1;
        written.1 <= WRITTEN_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_wrong_claims_a_minute_are_written_down_whatever_the_clock_does() {
        let (door, second) = (Door::default(), 1_000_000_000);
        let at = |seconds: i64| UnixNanos((1_700_000_000 + seconds) * second);
        assert_eq!((0..50).filter(|_| door.writes(at(0))).count(), 20);
        assert!(!door.writes(at(59)));
        assert!(door.writes(at(60)));
        assert!(door.writes(at(-3600)), "the clock was set back");
    }

    #[test]
    fn of_many_claims_one_is_looked_at_and_no_more_than_eight_are_in_the_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let door = Door::default();
            let first = door.turn().await.unwrap();
            let room: Vec<_> = (1..WAITING_MAX).map(|_| door.room.try_acquire().unwrap()).collect();
            assert!(door.turn().await.is_none(), "no room is left");
            drop((first, room));
            assert!(door.turn().await.is_some());
        });
    }
}
