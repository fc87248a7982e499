//! Watchdog: fed only while the program comes round and its line takes frames, or the ring drains,
//! so that a device that hangs is started anew by its hardware. One that waits for its gateway
//! does not hang.

/// Judges whether the hardware's watchdog may be fed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watchdog {
    waiting: u32,
}

impl Watchdog {
    /// Whether to feed it: what [`Sender::send`](crate::sender::Sender::send) said since the last
    /// time, none if it failed or was not asked, or fewer records wait.
    pub const fn may_feed(&mut self, sent: Option<bool>, waiting: u32) -> bool {
        let drains = waiting < self.waiting;
        self.waiting = waiting;
        sent.is_some() || drains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starves_when_nothing_goes_out_and_nothing_drains() {
        let mut watchdog = Watchdog::default();
        assert!(watchdog.may_feed(Some(true), 3));
        assert!(
            watchdog.may_feed(Some(false), 3),
            "all was heard, and the gateway's medium is full"
        );
        assert!(watchdog.may_feed(None, 2));
        assert!(!watchdog.may_feed(None, 2));
        assert!(!watchdog.may_feed(None, 3));
    }
}
