//! What is watched while a world runs: O4, O5, O6 and O11.

use std::time::Duration;

use anyhow::Result;
use wire::time::UnixNanos;

use super::faults::Fault;
use super::time::START_NS;
use super::{DURABLE_EVERY, World};
use crate::oracle;
use crate::store::open_file;

impl World {
    pub(super) fn count_accepted(&mut self) {
        let books = &self.books;
        let fresh: Vec<_> =
            self.devices.iter_mut().flat_map(|device| device.count_accepted(books)).collect();
        if fresh.is_empty() {
            return;
        }
        self.note(&[b"accepted", &fresh.len().to_be_bytes()]);
        let looked = self.random.once_in(DURABLE_EVERY) || self.gateway.disk.is_off();
        if looked && !self.medium_lied() {
            oracle::durable::readings(&self.gateway.disk, &self.books, &fresh);
        }
    }

    /// O5: only what is stored is taken for receipted. O4: the keyring's version never falls.
    pub(super) fn look_at_trust(&mut self) -> Result<()> {
        if !(self.was_restored() || self.medium_lied()) {
            let path = self.sinks.path();
            let store = || Ok(open_file(path)?);
            let disk = &self.gateway.disk;
            oracle::trim::receipted(disk, &self.books, &mut self.receipted, store)?;
        }
        let Some(line) = &self.gateway.line else { return Ok(()) };
        let versions = line.trust.keyring.as_ref().map_or((0, 0), |keyring| keyring.versions());
        if versions < self.keyring_seen {
            let what = format!("the keyring fell from {:?} to {versions:?}", self.keyring_seen);
            self.books.borrow_mut().violate("O4 chain", what);
        }
        self.keyring_seen = versions;
        Ok(())
    }

    /// O11: a silent gateway is seen in time. Without a sink, or with a full store, nobody looks.
    pub(super) fn look_for_incidents(&mut self, elapsed: Duration) -> Result<()> {
        if !self.sinks.can_look(elapsed) {
            self.seen.heard(elapsed);
            return Ok(());
        }
        if !self.seen.is_due(elapsed) {
            return Ok(());
        }
        let truth = UnixNanos(START_NS + elapsed.as_nanos() as i64);
        if let Some(what) = self.seen.look(self.sinks.path(), elapsed, truth)? {
            self.books.borrow_mut().violate("O11 seen", what.into());
        }
        Ok(())
    }

    /// O11: what the store shows and nobody is told, when all has been well for a while.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn overlooked(&mut self) -> Result<Vec<String>> {
        let mut wrong = self.seen.judge(self.sinks.path())?;
        self.outcome.incidents.clone_from(&self.seen.opened);
        // Nobody holds a lane back here but the thief of a receipt key, who signs for it.
        let robbed = self.outcome.faults.contains_key(Fault::ReceiptStolenKey.name());
        let may_miss = robbed || self.was_restored() || self.medium_lied();
        if !may_miss && self.outcome.incidents.contains_key("withheld") {
            wrong.push("a lane is called withheld that nobody held back".into());
        }
        Ok(wrong)
    }
}
