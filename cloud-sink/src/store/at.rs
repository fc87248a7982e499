//! What all rows of one block have in common: whose they are, and when they were.

use std::collections::BTreeSet;

use wire::batch::{Batch, Block, Note, NoteKind};
use wire::time::DeviceClock;

use super::times::Dated;
use crate::verify::Disposed;

/// What all rows of one block have in common.
pub(super) struct At<'a> {
    pub(super) evidence: i64,
    pub(super) device: i64,
    pub(super) gateway: i64,
    /// UTC of the commit, nanoseconds.
    pub(super) now: i64,
    pub(super) lane: u8,
    pub(super) batch: &'a Batch,
    pub(super) block: &'a Block,
    /// UTC of the batch's clock, nanoseconds.
    pub(super) utc_ns: i64,
    /// Number of the block's context, if it has one.
    pub(super) context: Option<i64>,
    /// By whose clock the block's times are, as the tables have it.
    pub(super) dated: u8,
    /// Whether the batch's clock is dated by a guess.
    pub(super) is_guess: bool,
    /// UTC of the block's time, nanoseconds.
    pub(super) base_ns: i64,
    pub(super) tick_ns: i64,
    /// Numbers that an earlier block of this batch brought under the same context.
    pub(super) seen: &'a BTreeSet<i64>,
    /// Numbers under which other words are stored already.
    pub(super) conflicts: &'a BTreeSet<i64>,
}

const NONE: &BTreeSet<i64> = &BTreeSet::new();

impl<'a> At<'a> {
    /// Of a block, before it is known what was said before.
    pub(super) fn of(
        record: &Disposed,
        (evidence, now): (i64, i64),
        batch: &'a Batch,
        block: &'a Block,
        dated: &Dated,
    ) -> Self {
        let tick_ns = 10i64.pow(block.source.tick_exponent.into());
        let is_guess = dated.error_us.is_none();
        Self {
            evidence,
            device: 0,
            gateway: record.gateway.row,
            now,
            lane: record.lane as u8,
            batch,
            block,
            utc_ns: dated.utc_ns,
            context: None,
            dated: dated_by(block, is_guess),
            is_guess,
            base_ns: base_time(dated.utc_ns, block, tick_ns),
            tick_ns,
            seen: NONE,
            conflicts: NONE,
        }
    }

    pub(super) fn moment(&self, ticks: i64) -> i64 {
        in_range(self.base_ns.saturating_add(ticks.saturating_mul(self.tick_ns)))
    }

    /// When the block came to the gateway, UTC nanoseconds.
    pub(super) fn received(&self) -> i64 {
        reception(self.utc_ns, self.block)
    }

    /// By whose clock a note's time is: a loss has none of the device.
    pub(super) fn dated_of(&self, note: &Note) -> u8 {
        match (&note.what, self.is_guess) {
            (NoteKind::Loss { .. }, true) => DATED_BY_GUESS,
            (NoteKind::Loss { .. }, false) => DATED_BY_GATEWAY,
            _ => self.dated,
        }
    }

    /// When the gateway took what a device dates so, by the gateway's clock, if it knows the time.
    pub(super) fn taken(&self, moment_ns: i64) -> Option<i64> {
        self.batch.clock.utc?;
        let taken = self.received().saturating_add(moment_ns.saturating_sub(self.base_ns));
        // Of a ring that came at once nothing was taken after it was stored.
        Some(if taken <= self.now { taken } else { self.received() })
    }

    /// When a note was, UTC nanoseconds; a loss has no time of the device.
    pub(super) fn moment_of(&self, note: &Note) -> i64 {
        match &note.what {
            NoteKind::Loss { .. } => self.received(),
            _ => self.moment(note.time_ticks),
        }
    }
}

const DATED_BY_GATEWAY: u8 = 0;
const DATED_BY_DEVICE: u8 = 1;
const DATED_BY_GUESS: u8 = 2;
const DATED_BY_CIVIL_CLOCK: u8 = 3;

/// Whether a block's times are the device's own.
const fn has_own_time(block: &Block) -> bool {
    matches!(block.source.clock, DeviceClock::Utc | DeviceClock::UtcSynchronised)
}

fn dated_by(block: &Block, is_guess: bool) -> u8 {
    match (has_own_time(block), is_guess) {
        (true, _) => DATED_BY_DEVICE,
        (false, true) => DATED_BY_GUESS,
        (false, false) if block.source.clock == DeviceClock::Local => DATED_BY_CIVIL_CLOCK,
        (false, false) => DATED_BY_GATEWAY,
    }
}

/// A moment within 146 years of 1970: one may be moved by as much and is still a number.
pub(super) const fn in_range(at_ns: i64) -> i64 {
    const FAR: i64 = (1 << 62) - 1;
    if at_ns > FAR {
        FAR
    } else if at_ns < -FAR {
        -FAR
    } else {
        at_ns
    }
}

/// UTC of a block's time: the device's own if it has one, else the gateway's at reception.
fn base_time(utc_ns: i64, block: &Block, tick_ns: i64) -> i64 {
    if has_own_time(block) {
        in_range(block.time_ticks.saturating_mul(tick_ns))
    } else {
        reception(utc_ns, block)
    }
}

fn reception(utc_ns: i64, block: &Block) -> i64 {
    in_range(utc_ns.saturating_add(block.received_ms.saturating_mul(1_000_000)))
}
