//! The sinks of a world: one, or two that share a subscription and a store.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use wire::identity::{GatewayId, Lane, SegmentId};

use super::forger::Forger;
use super::sink::{Kill, Said, SinkNode};
use crate::fleet::Fleet;
use crate::random::Random;

/// One or two sinks over one store.
pub struct Sinks(Vec<SinkNode>);

impl Sinks {
    /// So many sinks with an empty store that knows one gateway.
    ///
    /// # Errors
    /// The folder takes no store.
    pub fn create(folder: &Path, fleet: Fleet, gateway: GatewayId, count: usize) -> Result<Self> {
        let mut nodes = vec![SinkNode::create(folder, fleet, gateway)?];
        while nodes.len() < count {
            nodes.push(nodes[0].beside());
        }
        Ok(Self(nodes))
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0[0].path()
    }

    /// Commits of all.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.iter().map(|node| node.commits).sum()
    }

    /// What somebody has who stole a receipt key.
    #[must_use]
    pub fn robbed(&self) -> Forger {
        self.0[0].robbed()
    }

    /// What a receipt says is stored: segment, first and last index.
    #[must_use]
    pub fn signed_for(&self, receipt: &[u8]) -> Vec<(SegmentId, u32, u32)> {
        self.0[0].signed_for(receipt)
    }

    /// A record arrives at one of those that are there; without any, nobody takes it.
    pub fn deliver(&mut self, lane: Lane, bytes: Vec<u8>, random: &mut Random) {
        let mut up: Vec<_> = self.0.iter_mut().filter(|node| node.is_up()).collect();
        let chosen = if up.len() < 2 { 0 } else { random.below(up.len() as u64) as usize };
        if let Some(node) = up.get_mut(chosen) {
            node.deliver(lane, bytes);
        }
    }

    /// One of them ends when next it has something to do.
    pub fn kill_one(&mut self, kill: Kill, random: &mut Random) {
        let chosen = random.below(self.0.len() as u64) as usize;
        self.0[chosen].kill = Some(kill);
    }

    /// All end without a word.
    pub fn end(&mut self, off_until: Duration) {
        self.0.iter_mut().for_each(|node| node.end(off_until));
    }

    /// The store's disk is full until then.
    pub fn fill(&mut self, until: Duration) {
        self.0.iter_mut().for_each(|node| node.full_until = until);
    }

    /// Nothing is wrong with them from now on.
    pub fn heal(&mut self) {
        for node in &mut self.0 {
            (node.kill, node.full_until) = (None, Duration::ZERO);
        }
    }

    /// Somebody makes a copy of the store.
    ///
    /// # Errors
    /// The files cannot be copied.
    pub fn back_up(&mut self) -> Result<()> {
        self.0.iter_mut().for_each(SinkNode::stop);
        self.0[0].back_up()
    }

    /// Somebody puts yesterday's copy back, and says so by a new life; whether there was one.
    ///
    /// # Errors
    /// The files cannot be copied.
    pub fn restore(&mut self) -> Result<bool> {
        if !self.0[0].has_backup() {
            return Ok(false);
        }
        self.0.iter_mut().for_each(SinkNode::stop);
        self.0[0].restore()?;
        let (first, others) = self.0.split_at_mut(1);
        others.iter_mut().for_each(|node| *node = first[0].beside());
        Ok(true)
    }

    /// Whether one of them is there and can write.
    #[must_use]
    pub fn can_look(&self, now: Duration) -> bool {
        self.0.iter().any(|node| node.is_up() && now >= node.full_until)
    }

    /// Each takes what has come.
    ///
    /// # Errors
    /// The store fails for no reason of the world's.
    pub fn step(&mut self, now: Duration) -> Result<Vec<Said>> {
        self.0.iter_mut().map(|node| node.step(now)).collect()
    }
}
