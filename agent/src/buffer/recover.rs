//! Starting on whatever the disk says: needs no key, stops for nothing, says what it found.

use std::collections::BTreeMap;

use wire::gap::{Cause, Hole};
use wire::identity::Lane;
use wire::segment::Found;
use wire::time::ClockState;

use super::disk::Disk;
use super::segment::{FileName, Scan, scan};
use super::{AppendError, Buffer, Figures, Head, Quota, Ranges, Segment, Writer};
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
    ///         older segments are read when they are sent.
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
            spares: Vec::new(),
            ordinal_next: 1,
            receipt_seen: 0,
            figures: Figures::default(),
            reading: None,
            evicting: false,
        };
        let mut recovery = Recovery::default();
        for (name, size) in files {
            buffer.take_file(name, size, &mut recovery);
        }
        for lane in Lane::ALL {
            buffer.recover_lane(lane, clock, &mut recovery);
        }
        Ok((buffer, recovery))
    }

    fn take_file(&mut self, name: String, size: u64, recovery: &mut Recovery) {
        if name.starts_with("spare-") || name.starts_with("fresh-") {
            let whole = size >= crate::limits::SEGMENT_STEP_BYTES;
            if whole && self.spares.len() < crate::limits::SPARE_FILES_MAX {
                self.spares.push((name, size));
            } else if let Err(error) = self.disk.remove(&name) {
                tracing::warn!(file = name, %error, "a spare file could not be removed");
            }
            return;
        }
        let Some(name) = FileName::parse(&name) else {
            recovery.strangers += 1;
            return;
        };
        self.ordinal_next = self.ordinal_next.max(name.ordinal + 1);
        self.by_id.insert(name.segment, name.ordinal);
        let unreceipted_bytes = if name.done { 0 } else { size };
        recovery.segments_done += usize::from(name.done);
        recovery.segments_open += usize::from(!name.done);
        let segment = Segment {
            file_bytes: size,
            header: None,
            opened: None,
            places: None,
            durable: None,
            receipted: Ranges::default(),
            refused: Ranges::default(),
            unreceipted_bytes,
            name,
        };
        self.segments.insert(segment.name.ordinal, segment);
    }

    /// Finds the end of a lane's chain: in its newest segment that can be read.
    fn recover_lane(&mut self, lane: Lane, clock: &ClockState, recovery: &mut Recovery) {
        let newest_first: Vec<u64> = self
            .segments
            .iter()
            .rev()
            .filter(|(_, segment)| segment.name.lane == lane)
            .map(|(ordinal, _)| *ordinal)
            .collect();
        for ordinal in newest_first {
            let Some(segment) = self.segments.get(&ordinal) else { continue };
            let (id, name) = (segment.name.segment, segment.name.to_string());
            let found = self.disk.open(&name).and_then(|file| scan(&file, id));
            match found {
                Ok(found) if found.header.is_some() => {
                    let torn = self.take_head(lane, &found);
                    let done = self.segments.get(&ordinal).is_some_and(|s| s.name.done);
                    self.take_scan(ordinal, found, clock);
                    if let (true, Some(segment)) = (done, self.segments.get_mut(&ordinal)) {
                        segment.unreceipted_bytes = 0;
                    }
                    if torn {
                        recovery.torn_tails += 1;
                        self.declare_torn(lane, clock);
                    }
                    return;
                }
                Ok(_) => tracing::error!(file = name, "both headers of a segment are damaged"),
                Err(error) => tracing::error!(file = name, %error, "segment cannot be read"),
            }
            self.quarantine(ordinal, clock);
        }
    }

    fn take_head(&mut self, lane: Lane, found: &Scan) -> bool {
        let Some((header, _, hash)) = &found.header else { return false };
        let head = &mut self.heads[lane as usize];
        let last = found.places.last().map_or((0, *hash), |place| (place.index, place.hash));
        let sequences = found.places.iter().map(|place| place.sequences.1).max();
        head.last = Some((header.segment, last.0, last.1));
        head.sequence_next = header.sequence_next.max(sequences.unwrap_or(0));
        head.found = Some(if found.torn_tail { Found::TornTail } else { Found::WholeTail });
        self.start_count = self.start_count.max(header.start_count + 1);
        self.receipt_seen = self.receipt_seen.max(header.receipt_seen);
        found.torn_tail
    }

    fn declare_torn(&mut self, lane: Lane, clock: &ClockState) {
        let Some((segment, index, hash)) = self.heads[lane as usize].last else { return };
        let hole = Hole {
            segment: Some(segment),
            indexes: (index + 1, index + 1),
            sequences: None,
            readings: (0, crate::limits::BATCH_PAYLOAD_BYTES_MAX as u64),
            moments: None,
            cause: Cause::UncertainTail,
            before: Some(hash),
            after: None,
        };
        if let Err(error) = self.append_gap(lane, hole, clock) {
            tracing::error!(%error, "a gap could not be written yet");
        }
    }
}
