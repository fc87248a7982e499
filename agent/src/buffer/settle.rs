//! Receipts: what a sink has signed for, compared with our own hashes, and forgetting.

use wire::identity::{RecordHash, SegmentId};
use wire::receipt::{Disposition, Range};
use wire::time::ClockState;

use super::disk::Disk;
use super::segment::FileName;
use super::{AppendError, Buffer, Segment};
use crate::limits::SPARE_FILES_MAX;
use crate::seal::Sealer;

/// What one range of a receipt did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settled {
    /// The range is ours; the records need not be sent again.
    Ours,
    /// The hash is not ours, or we no longer hold the record: nothing was changed.
    Foreign,
}

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Takes one range of a verified receipt.
    ///
    /// # Errors
    /// [`AppendError`] only if a finished segment could not be renamed; it stays and is sent again.
    pub fn settle(
        &mut self,
        segment: SegmentId,
        range: &Range,
        clock: &ClockState,
    ) -> Result<Settled, AppendError> {
        let Some(&ordinal) = self.by_id.get(&segment) else { return Ok(Settled::Foreign) };
        if self.segments.get(&ordinal).is_some_and(|segment| segment.name.done) {
            return Ok(Settled::Ours);
        }
        self.load(ordinal, clock);
        let Some(found) = self.segments.get_mut(&ordinal) else { return Ok(Settled::Foreign) };
        if hash_at(found, range.last) != Some(range.last_hash) {
            self.figures.receipts_foreign += 1;
            return Ok(Settled::Foreign);
        }
        if range.disposition == Disposition::Refused {
            found.refused.insert(range.first, range.last);
            self.figures.records_refused += u64::from(range.last - range.first) + 1;
            return Ok(Settled::Ours);
        }
        let freed = unreceipted(found, range);
        found.receipted.insert(range.first, range.last);
        found.unreceipted_bytes = found.unreceipted_bytes.saturating_sub(freed);
        self.settle_if_done(ordinal)?;
        Ok(Settled::Ours)
    }

    /// Remembers the highest commit number of a receipt.
    pub fn saw_receipt(&mut self, commit: u64) {
        self.receipt_seen = self.receipt_seen.max(commit);
    }

    /// A restored store has lost what it signed for: everything that is held is offered again.
    ///
    /// # Errors
    /// [`AppendError`] if a name could not be changed back; the rest was.
    pub fn offer_again(&mut self) -> Result<(), AppendError> {
        let mut result = Ok(());
        for segment in self.segments.values_mut() {
            segment.receipted = super::Ranges::default();
            segment.refused = super::Ranges::default();
            if segment.name.done {
                let offered = FileName { done: false, ..segment.name.clone() };
                let moved = self.disk.rename(&segment.name.to_string(), &offered.to_string());
                if let Err(error) = moved {
                    result = Err(error);
                    continue;
                }
                segment.name = offered;
            }
            segment.unreceipted_bytes = segment.count_unreceipted();
        }
        result.and(self.disk.sync_names())?;
        Ok(())
    }

    /// Marks a closed segment whose every record is receipted; its file may then be forgotten.
    pub(super) fn settle_if_done(&mut self, ordinal: u64) -> Result<(), AppendError> {
        let Some(segment) = self.segments.get_mut(&ordinal) else { return Ok(()) };
        let complete = segment.is_closed() && segment.places.is_some() && all_receipted(segment);
        if !complete || segment.name.done {
            return Ok(());
        }
        let done = FileName { done: true, ..segment.name.clone() };
        self.names_dirty = true;
        self.disk.rename(&segment.name.to_string(), &done.to_string())?;
        segment.name = done;
        segment.places = None;
        segment.unreceipted_bytes = 0;
        Ok(())
    }

    /// Closes segments whose time is over and forgets what need not be kept any longer.
    pub fn tend(&mut self, clock: &ClockState) {
        for lane in wire::identity::Lane::ALL {
            if self.is_expired(lane, clock) {
                self.close(lane);
            }
        }
        self.name_cuts();
        self.forget_old(clock);
    }

    /// Tells the next process of the cuts whose name the medium has refused so far.
    fn name_cuts(&mut self) {
        let untold = |segment: &Segment| segment.cut.filter(|_| segment.name.cut.is_none());
        let untold = self.segments.iter().filter_map(|(at, found)| Some((*at, untold(found)?)));
        for (ordinal, last) in untold.collect::<Vec<_>>() {
            // Refused again: the next turn asks once more.
            let _: std::io::Result<()> = self.name_cut(ordinal, last);
        }
    }

    /// Forgets receipted segments that are older than they need be kept.
    fn forget_old(&mut self, clock: &ClockState) {
        let keep_ns = self.quota.keep_seconds.saturating_mul(1_000_000_000);
        let old = |segment: &Segment| {
            let opened = segment.opened.map_or(0, |opened| opened.monotonic.0);
            let kept = clock.monotonic.0.saturating_sub(opened) <= keep_ns;
            // The end of a lane's chain stays: without it the next start begins another chain.
            segment.name.done && !kept && !self.is_head(segment)
        };
        let gone: Vec<u64> =
            self.segments.iter().filter(|(_, s)| old(s)).map(|(ordinal, _)| *ordinal).collect();
        for ordinal in gone {
            self.remove(ordinal, SPARE_FILES_MAX);
        }
    }
}

fn hash_at(segment: &Segment, index: u32) -> Option<RecordHash> {
    if index == 0 {
        return segment.header.map(|(hash, _)| hash);
    }
    let durable = segment.durable.unwrap_or(u32::MAX);
    let places = segment.places.as_ref()?;
    let at = places.binary_search_by_key(&index, |place| place.index).ok()?;
    (index <= durable).then(|| places[at].hash)
}

fn unreceipted(segment: &Segment, range: &Range) -> u64 {
    let inside = |index: u32| {
        (range.first..=range.last).contains(&index) && !segment.receipted.contains(index)
    };
    let header = segment.header.filter(|_| inside(0)).map_or(0, |(_, length)| u64::from(length));
    let places = segment.places.as_deref().unwrap_or_default().iter();
    let records: u64 =
        places.filter(|place| inside(place.index)).map(|place| u64::from(place.length)).sum();
    header + records
}

/// Whether every record that is there has a receipt; holes are covered by gaps of their own.
fn all_receipted(segment: &Segment) -> bool {
    let mut places = segment.places.as_deref().unwrap_or_default().iter();
    segment.receipted.contains(0) && places.all(|place| segment.receipted.contains(place.index))
}
