//! When something is due.

use std::time::{Duration, Instant};

use super::{Link, Uplink};
use crate::limits::{CONNECT_DEADLINE, THIN_LINK_DEADLINE};
use crate::uplink::machine::flight::Flight;

impl Uplink {
    /// When to poll again if nothing happens.
    #[must_use]
    pub fn wake_at(&self, now: Instant) -> Instant {
        match self.link {
            Link::Down { retry_at } => retry_at,
            Link::Connecting { since } => self.connect_until(since) + Duration::from_millis(1),
            Link::Up { .. } => {
                let late = self.flights.values().map(|flight| self.late_at(flight)).min();
                let late = late.unwrap_or(now + self.patience) + Duration::from_millis(1);
                self.round_due.map_or(late, |due| due.min(late))
            }
        }
    }

    /// When an attempt to connect is given up: nothing has moved, or it takes too long even so.
    pub(super) fn connect_until(&self, since: Instant) -> Instant {
        (since.max(self.moved_at) + CONNECT_DEADLINE).min(since + THIN_LINK_DEADLINE)
    }

    pub(super) fn late_at(&self, flight: &Flight) -> Instant {
        flight.late_at(self.moved_at, self.patience)
    }
}
