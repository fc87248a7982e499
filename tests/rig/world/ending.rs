//! How a world ends: everything is well again, and the line works until nothing waits any more.

use std::time::Duration;

use anyhow::Result;

use super::bedside::Bedside;
use super::{World, network};

/// How long the line may take afterwards until nothing waits any more.
const DRAIN: Duration = Duration::from_secs(15 * 60);

impl World {
    /// Everything is well from now on.
    pub(super) fn heal(&mut self) {
        self.gateway.disk.ail(|ails| *ails = crate::disk::Ailments::default());
        self.gateway.disk.make_readable();
        self.network.trouble = network::Trouble::default();
        self.sinks.heal();
        self.cut_by = None;
        self.gateway.stick_random(false);
        self.devices.iter_mut().for_each(|device| device.garbled = 0);
    }

    /// Lets the line work until nothing waits any more: O7.
    pub(super) fn drain(&mut self) -> Result<()> {
        let end = self.elapsed() + DRAIN;
        while self.elapsed() < end && !self.is_calm() {
            self.tick(false)?;
        }
        if !self.is_calm() {
            let backlog = self.gateway.backlog_bytes();
            let devices: Vec<_> = self.devices.iter().map(Bedside::unacknowledged).collect();
            let held_back = self.gateway.line.as_ref().map(|line| line.is_held_back());
            let what = format!(
                "{backlog:?} bytes and {devices:?} readings wait; held back: {held_back:?}; room \
                 for {} chunks",
                self.gateway.chunks.capacity()
            );
            self.books.borrow_mut().violate("O7 alive", what);
        }
        Ok(())
    }

    /// Lets time pass in which nothing happens.
    pub(super) fn let_be(&mut self, time: Duration) -> Result<()> {
        let end = self.elapsed() + time;
        while self.elapsed() < end {
            self.tick(false)?;
        }
        Ok(())
    }

    fn is_calm(&self) -> bool {
        let idle = self.devices.iter().all(Bedside::is_idle);
        idle && self.gateway.backlog_bytes() == Some(0)
    }
}
