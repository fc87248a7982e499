//! Starting on whatever the disk says: needs no key, stops for nothing, says what it found.

use std::collections::{BTreeMap, VecDeque};

use wire::gap::{Cause, Hole};
use wire::identity::Lane;
use wire::limits::SEGMENT_FRAMES_MAX;
use wire::segment::Found;
use wire::time::ClockState;

use super::disk::{Disk, DiskFile};
use super::read::uncertain_from;
use super::segment::{FileName, Scan};
use super::{AppendError, Buffer, Figures, Head, Quota, Segment, Writer};
use crate::limits::{BATCH_PAYLOAD_BYTES_MAX, SEGMENT_STEP_BYTES, SPARE_FILES_MAX};
use crate::seal::Sealer;

/// What recovery found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Segments without a receipt for every record.
    pub segments_open: usize,
    /// Segments that are kept although everything is receipted.
    pub segments_done: usize,
    /// Lanes whose last record was torn.
    pub torn_tails: usize,
    /// Files that are none of ours, left alone.
    pub strangers: usize,
}

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Opens the log of a folder.
    ///
    /// Cost:   reads the names of all files and the newest segment of each lane, nothing else:
    ///         older segments are read when they are sent. The first start on a medium writes one
    ///         file of zeros for the reserve.
    ///
    /// # Errors
    /// [`AppendError`] only if the folder itself cannot be listed.
    pub fn recover(
        disk: D,
        sealer: S,
        writer: Writer,
        quota: Quota,
        clock: &ClockState,
    ) -> Result<(Self, Recovery), AppendError> {
        let files = disk.list()?;
        let mut buffer = Self {
            disk,
            sealer,
            writer,
            quota,
            start_count: 1,
            segments: BTreeMap::new(),
            by_id: BTreeMap::new(),
            open: [const { None }; 4],
            heads: std::array::from_fn(|_| Head { sequence_next: 1, ..Head::default() }),
            pending: Vec::new(),
            pending_next: 0,
            spares: Vec::new(),
            quarantined: Vec::new(),
            ordinal_next: 1,
            receipt_seen: 0,
            figures: Figures::default(),
            reading: None,
            loaded: VecDeque::new(),
            names_dirty: true,
            reserved: false,
        };
        let mut recovery = Recovery::default();
        for (name, size) in files {
            buffer.take_file(name, size, &mut recovery);
        }
        buffer.recover_chains(clock, &mut recovery);
        if let Err(error) = buffer.sync_names() {
            tracing::warn!(%error, "names may not be durable yet");
        }
        buffer.keep_reserve();
        Ok((buffer, recovery))
    }

    fn take_file(&mut self, name: String, size: u64, recovery: &mut Recovery) {
        let spare = name.strip_prefix("spare-").or_else(|| name.strip_prefix("fresh-"));
        if let Some(number) = spare {
            let number: Option<u64> = number.parse().ok().filter(|number| *number < u64::MAX);
            self.ordinal_next = self.ordinal_next.max(number.map_or(0, |number| number + 1));
            let whole = size >= SEGMENT_STEP_BYTES;
            if whole && self.spares.len() < SPARE_FILES_MAX {
                self.spares.push((name, size));
            } else if let Err(error) = self.disk.remove(&name) {
                tracing::warn!(file = name, %error, "a spare file could not be removed");
            }
            return;
        }
        if name.strip_suffix(".bad").and_then(FileName::parse).is_some() {
            self.quarantined.push((name, size));
            return;
        }
        let Some(name) = FileName::parse(&name) else {
            recovery.strangers += 1;
            return;
        };
        // Two files may have one number if a name was not durable; each must be found again.
        let mut ordinal = name.ordinal;
        while self.segments.contains_key(&ordinal) {
            ordinal += 1;
        }
        self.ordinal_next = self.ordinal_next.max(ordinal + 1);
        self.by_id.insert(name.segment, ordinal);
        recovery.segments_done += usize::from(name.done);
        recovery.segments_open += usize::from(!name.done);
        self.segments.insert(ordinal, Segment::new(name, size));
    }

    /// Finds the ends of all chains first: whatever is then declared continues them.
    fn recover_chains(&mut self, clock: &ClockState, recovery: &mut Recovery) {
        let mut scans = Vec::new();
        for lane in Lane::ALL {
            let newest_first: Vec<u64> = self
                .segments
                .iter()
                .rev()
                .filter(|(_, segment)| segment.name.lane == lane)
                .map(|(ordinal, _)| *ordinal)
                .collect();
            for ordinal in newest_first {
                self.make_found_durable(ordinal);
                let found = match self.examine(ordinal) {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::error!(ordinal, %error, "a segment cannot be read");
                        continue;
                    }
                };
                let torn = self.take_head(lane, ordinal, &found) && found.torn_tail;
                recovery.torn_tails += usize::from(torn);
                let complete = found.header.is_some();
                scans.push((ordinal, found));
                if complete {
                    break;
                }
            }
        }
        for (ordinal, found) in scans {
            let last = found.places.last().map_or(0, |place| place.index);
            self.take_scan(ordinal, found, uncertain_from(last), clock);
            self.keep_loaded(ordinal);
        }
    }

    /// A process that was killed may have left in memory what it wrote last: that looks like a
    /// record of the medium, and must be one before anybody is shown it.
    fn make_found_durable(&self, ordinal: u64) {
        let Some(segment) = self.segments.get(&ordinal) else { return };
        let synced = self.disk.open(&segment.name.to_string()).and_then(|file| file.sync());
        if let Err(error) = synced {
            tracing::warn!(ordinal, %error, "what was written last may not be durable");
        }
    }

    /// Takes a lane's head from a segment, if none is known yet; even without its header the
    /// records say where the chain stands.
    fn take_head(&mut self, lane: Lane, ordinal: u64, found: &Scan) -> bool {
        if let Some((header, _, _)) = &found.header {
            self.start_count = self.start_count.max(header.start_count.saturating_add(1));
            self.receipt_seen = self.receipt_seen.max(header.receipt_seen);
        }
        let Some(segment) = self.segments.get(&ordinal) else { return false };
        let head = &mut self.heads[lane as usize];
        let header = found.header.as_ref().map(|(_, _, hash)| (0, *hash));
        let last = found.places.last().map(|place| (place.index, place.hash)).or(header);
        let Some((index, hash)) = last.filter(|_| head.last.is_none()) else { return false };
        let next = found.header.as_ref().map_or(1, |(header, _, _)| header.sequence_next);
        let sequences = found.places.iter().map(|place| place.sequences.1).max();
        head.last = Some((segment.name.segment, index, hash));
        head.sequence_next = next.max(sequences.unwrap_or(0));
        let in_tail = |hole: &(u32, u32)| hole.0 >= uncertain_from(index);
        let torn = found.torn_tail || found.holes.iter().any(in_tail);
        head.found = Some(match (segment.cut, torn) {
            (Some(_), _) => Found::Poisoned,
            (None, true) => Found::TornTail,
            (None, false) => Found::WholeTail,
        });
        true
    }

    /// Declares what may have stood behind the last record of a segment that takes no more: what
    /// stands there is neither a record nor zeros.
    ///
    /// Order:  the name says so only once the gap is durable; the next start then does not ask.
    pub(super) fn declare_tail(&mut self, ordinal: u64, cause: Cause, clock: &ClockState) {
        let Some(segment) = self.segments.get_mut(&ordinal) else { return };
        let header = segment.header.map(|(hash, _)| (0, hash));
        let places = segment.places.as_deref().unwrap_or_default();
        let last = places.last().map(|place| (place.index, place.hash)).or(header);
        let Some((last, hash)) = last.filter(|(last, _)| *last < SEGMENT_FRAMES_MAX) else {
            return;
        };
        let (lane, indexes) = (segment.name.lane, (last + 1, SEGMENT_FRAMES_MAX));
        if segment.declared.covers(indexes.0, indexes.1) {
            return;
        }
        segment.declared.insert(indexes.0, indexes.1);
        let hole = Hole {
            segment: Some(segment.name.segment),
            indexes,
            sequences: None,
            readings: (0, BATCH_PAYLOAD_BYTES_MAX as u64),
            moments: None,
            cause,
            before: Some(hash),
            after: None,
        };
        let written =
            self.append_gap(lane, hole, clock).and_then(|()| self.commit_lane(lane, clock));
        let named = written.and_then(|()| Ok(self.name_cut(ordinal, last)?));
        if let Err(error) = named {
            tracing::error!(%error, "a gap could not be written or named yet");
        }
    }

    /// One file is kept for the gap that must be durable before a full disk is given room.
    fn keep_reserve(&mut self) {
        if !self.spares.is_empty() || !self.has_room(SEGMENT_STEP_BYTES) {
            return;
        }
        let name = format!("spare-{:012}", self.ordinal_next);
        self.ordinal_next += 1;
        match self.make_file(&name) {
            Ok(()) => self.spares.push((name, SEGMENT_STEP_BYTES)),
            Err(error) => tracing::warn!(%error, "no file could be made for the reserve"),
        }
    }
}
