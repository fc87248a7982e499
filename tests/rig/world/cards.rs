//! The gateway's power and its cards: one is in it, others were copied from it.

use std::time::Duration;

use super::World;

/// Copies of the gateway's card, at most.
const CARDS_MAX: usize = 2;

impl World {
    /// Somebody copies the gateway's card while it is out of power.
    pub(super) fn clone_card(&mut self) -> bool {
        if self.cards.len() >= CARDS_MAX {
            return false;
        }
        self.gateway_ends(self.elapsed() + Duration::from_secs(2), true);
        self.cards.push(self.gateway.disk.clone_card(self.random.number()));
        true
    }

    /// Somebody puts a copy into the gateway; the card that was in it is kept.
    pub(super) fn swap_card(&mut self) -> bool {
        let Some(mut card) = self.cards.pop() else { return false };
        self.gateway_ends(self.elapsed() + Duration::from_secs(2), true);
        std::mem::swap(&mut card, &mut self.gateway.disk);
        self.cards.insert(0, card);
        true
    }

    /// The agent's process ends; with `power`, the whole gateway does.
    pub(super) fn gateway_ends(&mut self, off_until: Duration, power: bool) {
        let now = self.gateway.now();
        // What it had not made durable it may forget.
        self.keyring_seen = (0, 0);
        self.gateway.end(off_until);
        self.network.gateway_gone();
        self.devices.iter_mut().for_each(|device| device.hang_up(now));
        self.outcome.crashes += 1;
        tracing::info!(at = ?self.elapsed(), power, "the gateway ends");
        if power {
            let cut = self.gateway.disk.cut_power();
            self.gateway.boot();
            self.cut_by = None;
            for (name, count) in [
                ("write lost", cut.writes_lost),
                ("write torn", cut.writes_torn),
                ("name lost", cut.names_lost),
            ] {
                *self.outcome.faults.entry(name).or_default() += count;
            }
        }
        self.note(&[b"end", &[u8::from(power)]]);
    }
}
