//! Beginning and ending segments: one key, one file, one writer.

use std::io;

use wire::identity::{Lane, RecordHash};
use wire::limits::{FRAME_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_FRAMES_MAX, SEGMENT_SECONDS_MAX};
use wire::segment::Found;
use wire::time::ClockState;

use super::disk::{Disk, DiskFile};
use super::segment::{FIRST_BLOCKS, FileName, HEADER_SLOTS, RECORDS_START, ZEROS, wrap};
use super::{AppendError, Buffer, Open, Segment};
use crate::limits::{GAP_RESERVE_BYTES, SEGMENT_STEP_BYTES};
use crate::seal::{Sealer, SegmentDraft};

/// A segment is at most this part of the quota, so that open ones never fill it.
const QUOTA_PARTS: u64 = 16;

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Leaves the lane with an open segment that may take one more record.
    pub(super) fn ensure_open(
        &mut self,
        lane: Lane,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        if self.is_full(lane) || self.is_expired(lane, clock) {
            self.close(lane);
        }
        if self.open[lane as usize].is_none() {
            self.evict_for(SEGMENT_STEP_BYTES, clock)?;
        }
        // The gap of what was evicted may have opened this very lane.
        if self.open[lane as usize].is_none() {
            self.open_segment(lane, clock)?;
        }
        Ok(())
    }

    fn is_full(&self, lane: Lane) -> bool {
        let most = (SEGMENT_BYTES_MAX as u64).min(self.quota.bytes_max / QUOTA_PARTS);
        let most = most.max(2 * SEGMENT_STEP_BYTES);
        self.open[lane as usize].as_ref().is_some_and(|open| {
            open.next_index > SEGMENT_FRAMES_MAX
                || open.end + FRAME_BYTES_MAX as u64 + GAP_RESERVE_BYTES > most
        })
    }

    /// Whether a lane's key has lived as long as it may.
    pub(super) fn is_expired(&self, lane: Lane, clock: &ClockState) -> bool {
        self.open[lane as usize].as_ref().is_some_and(|open| {
            let age_ns = clock.monotonic.0.saturating_sub(open.opened.monotonic.0);
            age_ns > SEGMENT_SECONDS_MAX * 1_000_000_000
        })
    }

    /// Syncs and closes a lane's segment; if the sync fails it is abandoned instead.
    pub(super) fn close(&mut self, lane: Lane) {
        if !self.sync_lane(lane) {
            return;
        }
        let Some(open) = self.open[lane as usize].take() else { return };
        self.sealer.forget(open.segment);
        self.heads[lane as usize].found = Some(Found::Closed);
        if let Some(segment) = self.segments.get_mut(&open.ordinal) {
            segment.durable = None;
        }
        self.finish(open.ordinal);
    }

    /// Gives up a lane's segment from its first record that is not known to be durable, and turns
    /// the head back; what was pending in it is to be written again.
    pub(super) fn abandon(&mut self, lane: Lane) {
        let Some(open) = self.open[lane as usize].take() else { return };
        self.figures.segments_poisoned += 1;
        self.sealer.forget(open.segment);
        self.pending.iter_mut().filter(|p| p.lane == lane).for_each(|p| p.written = false);
        let head = &mut self.heads[lane as usize];
        head.found = Some(Found::Poisoned);
        let Some(segment) = self.segments.get_mut(&open.ordinal) else { return };
        let durable = segment.durable.take().unwrap_or(0);
        let places = segment.places.get_or_insert_default();
        if let Some(first) = places.iter().find(|place| place.index > durable) {
            head.sequence_next = first.sequences.0;
        }
        places.retain(|place| place.index <= durable);
        let header = segment.header.map(|(hash, _)| (0, hash));
        let last = places.last().map(|place| (place.index, place.hash)).or(header);
        head.last = last.map(|(index, hash)| (open.segment, index, hash));
        segment.unreceipted_bytes = segment.count_unreceipted();
        // It becomes durable before the segment that follows.
        if let Err(error) = self.name_cut(open.ordinal, durable) {
            tracing::error!(ordinal = open.ordinal, %error, "no cut in the name yet");
        }
        self.finish(open.ordinal);
    }

    /// Records behind this index do not count: the name tells the next process.
    pub(super) fn name_cut(&mut self, ordinal: u64, last: u32) -> io::Result<()> {
        let Some(segment) = self.segments.get_mut(&ordinal) else { return Ok(()) };
        segment.cut = Some(last);
        self.names_dirty = true;
        let cut = FileName { cut: Some(last), ..segment.name.clone() };
        self.disk.rename(&segment.name.to_string(), &cut.to_string())?;
        segment.name = cut;
        Ok(())
    }

    fn finish(&mut self, ordinal: u64) {
        self.keep_loaded(ordinal);
        if let Err(error) = self.settle_if_done(ordinal) {
            tracing::warn!(%error, "a segment stays although receipted");
        }
    }

    /// Begins a segment: header in both slots, durable together with its name.
    fn open_segment(&mut self, lane: Lane, clock: &ClockState) -> Result<(), AppendError> {
        let head = &self.heads[lane as usize];
        let draft = SegmentDraft {
            lane,
            gateway: self.writer.gateway,
            boot: self.writer.boot,
            start_count: self.start_count,
            sequence_next: head.sequence_next,
            continues: head.continues(),
            found: head.found.unwrap_or(Found::Nothing),
            clock: *clock,
            receipt_seen: self.receipt_seen,
            software: self.writer.software.clone(),
        };
        let before = head.continues().map(|continues| continues.hash);
        let (id, bytes, hash) = self.sealer.open_segment(draft)?;
        // Never given twice, even if the file fails after it has its name.
        let ordinal = self.ordinal_next;
        self.ordinal_next += 1;
        let name = FileName { ordinal, lane, segment: id, cut: None, done: false };
        let begun = self.begin_file(&name, &bytes);
        if begun.is_err() {
            self.sealer.forget(id);
        }
        let (file, allocated) = begun?;
        self.figures.bytes_sealed += bytes.len() as u64;
        self.enter(name, allocated, (hash, bytes.len() as u32), before, clock);
        self.heads[lane as usize].last = Some((id, 0, hash));
        self.open[lane as usize] = Some(Open {
            ordinal,
            segment: id,
            file,
            end: RECORDS_START,
            allocated,
            next_index: 1,
            opened: *clock,
            dirty: false,
        });
        Ok(())
    }

    fn enter(
        &mut self,
        name: FileName,
        file_bytes: u64,
        header: (RecordHash, u32),
        before: Option<RecordHash>,
        clock: &ClockState,
    ) {
        self.by_id.insert(name.segment, name.ordinal);
        let segment = Segment {
            header: Some(header),
            before,
            opened: Some(*clock),
            places: Some(Vec::new()),
            durable: Some(0),
            unreceipted_bytes: header.1.into(),
            ..Segment::new(name, file_bytes)
        };
        self.segments.insert(segment.name.ordinal, segment);
    }

    fn begin_file(&mut self, name: &FileName, header: &[u8]) -> io::Result<(D::File, u64)> {
        let (from, size) = match self.take_spare() {
            Some(spare) => spare,
            None => {
                let fresh = format!("fresh-{:012}", name.ordinal);
                self.make_file(&fresh)?;
                (fresh, SEGMENT_STEP_BYTES)
            }
        };
        let written = self.write_header(&from, name, header);
        if written.is_err() {
            // Whatever name it has now: without a durable header it is nothing.
            for name in [from, name.to_string()] {
                let _: io::Result<()> = self.disk.remove(&name);
            }
            self.names_dirty = true;
        }
        written.map(|file| (file, size))
    }

    /// A spare file; the last one only while the reserve may be used.
    fn take_spare(&mut self) -> Option<(String, u64)> {
        let least = usize::from(!self.reserved);
        if self.spares.len() > least { self.spares.pop() } else { None }
    }

    /// Makes a file of one step of zeros.
    pub(super) fn make_file(&mut self, name: &str) -> io::Result<()> {
        self.names_dirty = true;
        let made = self.disk.create(name).and_then(|file| {
            file.write_at(&vec![0; SEGMENT_STEP_BYTES as usize], 0)?;
            file.sync()
        });
        self.figures.bytes_written += SEGMENT_STEP_BYTES;
        if made.is_err() {
            let _: io::Result<()> = self.disk.remove(name);
        }
        made
    }

    fn write_header(&mut self, from: &str, name: &FileName, header: &[u8]) -> io::Result<D::File> {
        // A recycled file's old name must be gone for good before what it named is overwritten.
        self.sync_names()?;
        let file = self.disk.open(from)?;
        let wrapped = wrap(&file, name.segment, 0, header);
        for slot in HEADER_SLOTS {
            file.write_at(&wrapped, slot)?;
            self.figures.bytes_written += wrapped.len() as u64;
        }
        for block in FIRST_BLOCKS {
            file.write_at(&ZEROS, block)?;
            self.figures.bytes_written += ZEROS.len() as u64;
        }
        file.sync()?;
        self.names_dirty = true;
        self.disk.rename(from, &name.to_string())?;
        self.sync_names()?;
        Ok(file)
    }

    pub(super) fn sync_names(&mut self) -> io::Result<()> {
        if self.names_dirty {
            self.disk.sync_names()?;
        }
        self.names_dirty = false;
        Ok(())
    }
}
