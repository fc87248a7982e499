//! Making room: receipted segments first, then the oldest of the lowest lane, under a gap.

use wire::gap::{Cause, Hole};
use wire::identity::Lane;

use super::disk::Disk;
use super::{AppendError, Buffer};
use crate::seal::Sealer;

/// Lanes from the first to be given up to the last.
const LOWEST_FIRST: [Lane; 4] = [Lane::Wave, Lane::Health, Lane::Vital, Lane::Alert];

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Makes sure that `bytes` may be written.
    ///
    /// Order:  a gap is durable before what it names is deleted.
    ///
    /// # Errors
    /// [`AppendError`] if the gap cannot be written; nothing was deleted then.
    pub(super) fn evict_for(&mut self, bytes: u64, lane: Lane) -> Result<(), AppendError> {
        while !self.evicting && !self.has_room(bytes) {
            if let Some(ordinal) = self.oldest(|segment| segment.name.done) {
                self.remove_file(ordinal);
                continue;
            }
            if let Some((spare, _)) = self.spares.pop() {
                self.disk.remove(&spare)?;
                continue;
            }
            let lowest = LOWEST_FIRST.iter().find_map(|low| {
                self.oldest(|segment| segment.name.lane == *low && segment.is_closed())
            });
            match lowest {
                Some(ordinal) => self.evict(ordinal)?,
                None => {
                    tracing::error!(lane = %lane, "the quota is full of open segments: raise it");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn has_room(&self, bytes: u64) -> bool {
        let free = self.disk.free_bytes().unwrap_or(u64::MAX);
        self.file_bytes() + bytes <= self.quota.bytes_max
            && free >= self.quota.free_bytes_min.saturating_add(bytes)
    }

    fn oldest(&self, wanted: impl Fn(&super::Segment) -> bool) -> Option<u64> {
        self.segments.iter().find(|(_, segment)| wanted(segment)).map(|(ordinal, _)| *ordinal)
    }

    fn remove_file(&mut self, ordinal: u64) {
        let Some(segment) = self.segments.remove(&ordinal) else { return };
        self.by_id.remove(&segment.name.segment);
        self.reading = self.reading.take().filter(|(open, _)| *open != ordinal);
        if let Err(error) = self.disk.remove(&segment.name.to_string()) {
            tracing::error!(file = %segment.name, %error, "a segment could not be removed");
        }
    }

    /// Deletes a segment that no receipt covers, after its gap is durable.
    fn evict(&mut self, ordinal: u64) -> Result<(), AppendError> {
        let clock = self.evict_clock(ordinal);
        self.load(ordinal, &clock);
        let Some(segment) = self.segments.get(&ordinal) else { return Ok(()) };
        let lane = segment.name.lane;
        let places = segment.places.as_deref().unwrap_or_default();
        let lost: Vec<_> =
            places.iter().filter(|place| !segment.receipted.contains(place.index)).collect();
        let frames = || lost.iter().filter(|place| place.sequences.1 > place.sequences.0);
        let readings = frames().map(|place| place.sequences.1 - place.sequences.0).sum();
        let first = frames().next().map(|place| place.sequences.0);
        let last = frames().last().map(|place| place.sequences.1 - 1);
        let hole = Hole {
            segment: Some(segment.name.segment),
            indexes: (
                lost.first().map_or(0, |place| place.index),
                lost.last().map_or(0, |place| place.index),
            ),
            sequences: first.zip(last),
            readings: (readings, readings),
            moments: clock.utc.map(|utc| (utc, utc)),
            cause: Cause::Evicted,
            before: lost.first().map(|place| place.previous),
            after: lost.last().map(|place| place.hash),
        };
        if readings > 0 {
            self.write_gap_now(lane, hole, &clock)?;
        }
        self.remove_file(ordinal);
        Ok(())
    }

    fn evict_clock(&self, ordinal: u64) -> wire::time::ClockState {
        let opened = self.segments.get(&ordinal).and_then(|segment| segment.opened);
        opened.unwrap_or(wire::time::ClockState {
            epoch: 0,
            monotonic: wire::time::MonotonicNanos(0),
            utc: None,
            error_us: u64::MAX,
            source: wire::time::TimeSource::None,
        })
    }

    /// Writes a gap into a segment that is open (any lane that has one) and syncs it; what it needs
    /// stands outside the quota.
    fn write_gap_now(
        &mut self,
        lane: Lane,
        hole: Hole,
        clock: &wire::time::ClockState,
    ) -> Result<(), AppendError> {
        let open = |lane: &Lane| self.open[*lane as usize].is_some();
        let host = std::iter::once(lane).chain(Lane::ALL).find(open).unwrap_or(lane);
        self.evicting = true;
        let written =
            self.append_gap(host, hole, clock).and_then(|()| self.commit_lane(host, clock));
        self.evicting = false;
        written
    }
}
