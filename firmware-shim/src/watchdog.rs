//! Watchdog: fed only while frames go out or the ring drains, so that a device that has stopped to
//! deliver is started anew by its hardware.

/// Judges whether the hardware's watchdog may be fed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watchdog {
    waiting: u32,
}

impl Watchdog {
    /// Whether to feed it: a frame went out since the last time, or fewer records wait.
    pub const fn may_feed(&mut self, frame_went_out: bool, waiting: u32) -> bool {
        let drains = waiting < self.waiting;
        self.waiting = waiting;
        frame_went_out || drains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starves_when_nothing_goes_out_and_nothing_drains() {
        let mut watchdog = Watchdog::default();
        assert!(watchdog.may_feed(true, 3));
        assert!(watchdog.may_feed(false, 2));
        assert!(!watchdog.may_feed(false, 2));
        assert!(!watchdog.may_feed(false, 3));
        assert!(watchdog.may_feed(true, 4));
    }
}
