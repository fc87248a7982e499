//! Making room: receipted segments first, then the oldest of the lowest lane, under a gap.

use wire::gap::{Cause, Hole};
use wire::identity::Lane;
use wire::limits::{SEGMENT_FRAMES_MAX, SEGMENT_SECONDS_MAX};
use wire::time::{ClockState, UnixNanos};

use super::disk::Disk;
use super::{AppendError, Buffer, Content, Segment};
use crate::limits::{BATCH_PAYLOAD_BYTES_MAX, SEGMENT_STEP_BYTES};
use crate::seal::Sealer;

/// Readings of a segment of which nobody knows more: a batch packs a reading that repeats the last
/// one into no bytes at all, so that the size of a file tells nothing.
const SEGMENT_READINGS_MAX: u64 = SEGMENT_FRAMES_MAX as u64 * BATCH_PAYLOAD_BYTES_MAX as u64;

/// Lanes from the first to be given up to the last.
const LOWEST_FIRST: [Lane; 4] = [Lane::Wave, Lane::Health, Lane::Vital, Lane::Alert];

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Makes sure that `bytes` may be written.
    ///
    /// Order:  a gap is durable before what it names is deleted.
    ///
    /// # Errors
    /// [`AppendError`] if the gap cannot be written; nothing was deleted then.
    pub(super) fn evict_for(&mut self, bytes: u64, clock: &ClockState) -> Result<(), AppendError> {
        while !self.reserved && !self.has_room(bytes) {
            // The end of a lane's chain stays: without it the next start begins another chain.
            let done = self.oldest(|buffer, s| s.name.done && !buffer.is_head(s));
            if let Some(ordinal) = done {
                self.remove(ordinal, 0);
                continue;
            }
            let spare = if self.spares.len() > 1 { self.spares.pop() } else { None };
            if let Some((name, _)) = spare.or_else(|| self.quarantined.pop()) {
                self.names_dirty = true;
                if let Err(error) = self.disk.remove(&name) {
                    tracing::warn!(file = name, %error, "could not be removed");
                }
                continue;
            }
            let lowest = LOWEST_FIRST.iter().find_map(|low| {
                self.oldest(|_, s| s.name.lane == *low && s.is_closed() && !s.name.done)
            });
            match lowest {
                Some(ordinal) => self.evict(ordinal, clock)?,
                None => {
                    tracing::error!(bytes, "the quota is full of open segments: raise it");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let free = self.disk.free_bytes().unwrap_or(u64::MAX);
        self.file_bytes() + bytes <= self.quota.bytes_max
            && free >= self.quota.free_bytes_min.saturating_add(bytes)
    }

    fn oldest(&self, wanted: impl Fn(&Self, &Segment) -> bool) -> Option<u64> {
        self.segments.iter().find(|(_, segment)| wanted(self, segment)).map(|(ordinal, _)| *ordinal)
    }

    /// Forgets a segment; its file becomes a spare while there are fewer than `spares_max`.
    pub(super) fn remove(&mut self, ordinal: u64, spares_max: usize) {
        let Some(segment) = self.segments.remove(&ordinal) else { return };
        self.by_id.remove(&segment.name.segment);
        self.reading = self.reading.take().filter(|(open, _)| *open != ordinal);
        self.names_dirty = true;
        let name = segment.name.to_string();
        let result = if self.spares.len() < spares_max && segment.file_bytes >= SEGMENT_STEP_BYTES {
            let spare = format!("spare-{ordinal:012}");
            let renamed = self.disk.rename(&name, &spare);
            if renamed.is_ok() {
                self.spares.push((spare, segment.file_bytes));
            }
            renamed
        } else {
            self.disk.remove(&name)
        };
        if let Err(error) = result {
            tracing::error!(file = name, %error, "a segment could not be removed");
        }
    }

    /// Deletes a segment that no receipt covers, after its gap is durable.
    fn evict(&mut self, ordinal: u64, clock: &ClockState) -> Result<(), AppendError> {
        self.reserved = true;
        self.load(ordinal, clock);
        let declared = self.declare_lost(ordinal, Cause::Evicted, clock);
        self.reserved = false;
        declared?;
        self.remove(ordinal, 1);
        Ok(())
    }

    /// Makes a gap durable that stands for all of a segment that no receipt covers. What it needs
    /// stands outside the quota.
    ///
    /// # Errors
    /// [`AppendError`]; the segment must stay then.
    pub(super) fn declare_lost(
        &mut self,
        ordinal: u64,
        cause: Cause,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        let Some(segment) = self.segments.get(&ordinal) else { return Ok(()) };
        let lane = segment.name.lane;
        let Some(hole) = hole_of_segment(segment, cause) else { return Ok(()) };
        let reserved = std::mem::replace(&mut self.reserved, true);
        let written =
            self.append_gap(lane, hole, clock).and_then(|()| self.commit_lane(lane, clock));
        self.reserved = reserved;
        if written.is_err() {
            self.pending.retain(|p| p.lane != lane || p.content != Content::Gap(hole));
        }
        written
    }
}

impl Segment {
    /// Fewest readings of it that no receipt covers, as far as it was read.
    pub(super) fn readings_min(&self) -> u64 {
        hole_of_segment(self, Cause::Erased).map_or(0, |hole| hole.readings.0)
    }
}

/// All of a segment that no receipt covers, gaps and what they stand for included; `None` if that
/// is nothing. While the header has no receipt, none of the frames counts as receipted: what a sink
/// holds of them it can never open.
fn hole_of_segment(segment: &Segment, cause: Cause) -> Option<Hole> {
    if segment.name.done {
        return None;
    }
    let moments = segment.opened.and_then(|opened| opened.utc).map(|utc| {
        let life_ns = (SEGMENT_SECONDS_MAX * 1_000_000_000).cast_signed();
        (utc, UnixNanos(utc.0.saturating_add(life_ns)))
    });
    let hole = Hole {
        segment: Some(segment.name.segment),
        indexes: (0, SEGMENT_FRAMES_MAX),
        sequences: None,
        readings: (0, SEGMENT_READINGS_MAX),
        moments,
        cause,
        before: segment.before,
        after: None,
    };
    let Some(places) = &segment.places else { return Some(hole) };
    let headless = !segment.receipted.contains(0);
    let open = |index: u32| headless || !segment.receipted.contains(index);
    let lost: Vec<_> = places.iter().filter(|place| open(place.index)).collect();
    let (Some(first), Some(last)) = (lost.first(), lost.last()) else {
        // A header alone stands for no reading; without it nobody knows what stood behind.
        let Some((hash, _)) = segment.header else { return Some(hole) };
        let alone = Hole { indexes: (0, 0), readings: (0, 0), after: Some(hash), ..hole };
        return open(0).then_some(alone);
    };
    let frames = || lost.iter().filter(|place| place.sequences.1 > place.sequences.0);
    let sequences = frames().next().zip(frames().next_back());
    let count = |which: fn(&(u64, u64)) -> u64| {
        lost.iter().fold(0u64, |sum, place| sum.saturating_add(which(&place.readings)))
    };
    let whole = segment.header.is_some() || last.index as usize == places.len();
    let most = count(|readings| readings.1);
    Some(Hole {
        indexes: (if open(0) { 0 } else { first.index }, last.index),
        sequences: sequences.map(|(a, b)| (a.sequences.0, b.sequences.1 - 1)),
        readings: (count(|readings| readings.0), if whole { most } else { SEGMENT_READINGS_MAX }),
        before: if open(0) { segment.before } else { Some(first.previous) },
        after: Some(last.hash),
        ..hole
    })
}
