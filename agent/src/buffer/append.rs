//! Appending: opens segments, writes records, and makes a group of them durable.

use std::io;

use wire::frame::{Core, RecordKind};
use wire::gap::{Gap, Hole};
use wire::identity::{Lane, RecordHash, SegmentId};
use wire::limits::{SEGMENT_BYTES_MAX, SEGMENT_FRAMES_MAX, SEGMENT_SECONDS_MAX};
use wire::segment::Found;
use wire::time::ClockState;

use super::disk::{Disk, DiskFile};
use super::segment::{FileName, HEADER_SLOTS, Place, RECORDS_START, padded, place, wrap};
use super::{Buffer, Open, Pending, Ranges, Segment};
use crate::limits::{GAP_RESERVE_BYTES, SEGMENT_STEP_BYTES};
use crate::seal::{SealError, Sealer, SegmentDraft};

/// Why nothing more can be appended. The batch is kept; try again after the cure.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The medium refuses writing.
    #[error("buffer: {0}; check the medium and its free space")]
    Disk(#[from] io::Error),
    /// Sealing failed: no usable key.
    #[error("buffer: {0}")]
    Seal(#[from] SealError),
}

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Seals a batch and writes it; it is accepted only when [`Buffer::commit`] has returned.
    ///
    /// # Errors
    /// [`AppendError`]; nothing of the batch is in the log then, and the caller still has it.
    pub fn append(
        &mut self,
        lane: Lane,
        plaintext: &[u8],
        readings: u64,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        self.write_frame(lane, plaintext, readings, clock)?;
        self.pending.push(Pending { lane, plaintext: plaintext.to_vec(), readings });
        Ok(())
    }

    /// Writes a gap record; durable with the next commit.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append_gap(
        &mut self,
        lane: Lane,
        hole: Hole,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        self.ensure_open(lane, clock)?;
        let (segment, index, previous) = self.next_link(lane)?;
        let gap = Gap { lane, segment, index, previous, hole };
        let (bytes, hash) = self.sealer.sign_gap(&gap);
        let sequence = self.heads[lane as usize].sequence_next;
        self.write_record(
            lane,
            &bytes,
            (index, hash, previous),
            RecordKind::Gap,
            (sequence, sequence),
        )?;
        self.heads[lane as usize].gap_readings += hole.readings.1;
        tracing::warn!(
            lane = %lane, cause = hole.cause.name(), readings = hole.readings.1, "gap recorded"
        );
        Ok(())
    }

    /// Makes everything that was appended survive a power cut.
    ///
    /// Cost:   one `fdatasync` for each lane that was written.
    ///
    /// # Errors
    /// [`AppendError`] if even new segments cannot be made durable; nothing was accepted then, and
    /// the batches stay pending: call again.
    pub fn commit(&mut self, clock: &ClockState) -> Result<(), AppendError> {
        Lane::ALL.into_iter().try_for_each(|lane| self.commit_lane(lane, clock))?;
        self.figures.readings_accepted += self.pending.iter().map(|p| p.readings).sum::<u64>();
        self.pending.clear();
        Ok(())
    }

    pub(super) fn commit_lane(
        &mut self,
        lane: Lane,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        if self.sync_lane(lane) { Ok(()) } else { self.replace_poisoned(lane, clock) }
    }

    /// Syncs a lane's file; `false` if it failed, and the segment is then closed for ever.
    fn sync_lane(&mut self, lane: Lane) -> bool {
        let Some(open) = &mut self.open[lane as usize] else { return true };
        if !open.dirty {
            return true;
        }
        if let Err(error) = open.file.sync() {
            tracing::error!(lane = %lane, %error, "fdatasync failed: segment poisoned");
            return false;
        }
        open.dirty = false;
        let (ordinal, last) = (open.ordinal, open.next_index - 1);
        if let Some(segment) = self.segments.get_mut(&ordinal) {
            segment.durable = Some(last);
        }
        true
    }

    /// Abandons a poisoned segment from its first record that is not known to be durable, and
    /// seals the group's batches again under a new key.
    fn replace_poisoned(&mut self, lane: Lane, clock: &ClockState) -> Result<(), AppendError> {
        self.figures.segments_poisoned += 1;
        if let Some(open) = self.open[lane as usize].take() {
            self.abandon(lane, &open);
        }
        let again: Vec<(Vec<u8>, u64)> = self
            .pending
            .iter()
            .filter(|pending| pending.lane == lane)
            .map(|pending| (pending.plaintext.clone(), pending.readings))
            .collect();
        for (plaintext, readings) in again {
            self.write_frame(lane, &plaintext, readings, clock)?;
        }
        if self.sync_lane(lane) {
            return Ok(());
        }
        if let Some(open) = self.open[lane as usize].take() {
            self.abandon(lane, &open);
        }
        Err(io::Error::other("fdatasync failed on two segments in a row").into())
    }

    /// Turns the lane's head back to the last durable record of a poisoned segment.
    fn abandon(&mut self, lane: Lane, open: &Open<D::File>) {
        let head = &mut self.heads[lane as usize];
        head.found = Some(Found::Poisoned);
        let Some(segment) = self.segments.get_mut(&open.ordinal) else { return };
        let durable = segment.durable.take().unwrap_or(0);
        let places = segment.places.get_or_insert_default();
        for gone in places.iter().filter(|place| place.index > durable) {
            segment.unreceipted_bytes =
                segment.unreceipted_bytes.saturating_sub(gone.length.into());
        }
        if let Some(first) = places.iter().find(|place| place.index > durable) {
            head.sequence_next = first.sequences.0;
        }
        places.retain(|place| place.index <= durable);
        let header = segment.header.map(|(hash, _)| (0, hash));
        let last = places.last().map(|place| (place.index, place.hash)).or(header);
        head.last = last.map(|(index, hash)| (open.segment, index, hash));
    }

    fn write_frame(
        &mut self,
        lane: Lane,
        plaintext: &[u8],
        readings: u64,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        self.ensure_open(lane, clock)?;
        let (segment, index, previous) = self.next_link(lane)?;
        let sequence_first = self.heads[lane as usize].sequence_next;
        let sequence_last = sequence_first + readings.max(1) - 1;
        let content_root = [0; 32];
        let core =
            Core { lane, segment, index, sequence_first, sequence_last, previous, content_root };
        let (bytes, hash) = self.sealer.seal(&core, plaintext.to_vec())?;
        let sequences = (sequence_first, sequence_last + 1);
        self.write_record(lane, &bytes, (index, hash, previous), RecordKind::Frame, sequences)?;
        self.heads[lane as usize].sequence_next = sequence_last + 1;
        Ok(())
    }

    /// Segment, index and predecessor of the lane's next record.
    fn next_link(&self, lane: Lane) -> Result<(SegmentId, u32, RecordHash), AppendError> {
        let open = self.open[lane as usize].as_ref();
        let head = self.heads[lane as usize].last;
        match (open, head) {
            (Some(open), Some((_, _, hash))) => Ok((open.segment, open.next_index, hash)),
            _ => Err(io::Error::other("no segment is open").into()),
        }
    }

    fn write_record(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        (index, hash, previous): (u32, RecordHash, RecordHash),
        kind: RecordKind,
        sequences: (u64, u64),
    ) -> Result<(), AppendError> {
        let reserve = if kind == RecordKind::Gap { 0 } else { GAP_RESERVE_BYTES };
        self.make_room(lane, padded(bytes.len()) + reserve)?;
        let Some(open) = &mut self.open[lane as usize] else {
            return Err(io::Error::other("no segment is open").into());
        };
        let at = place(open.end, bytes.len());
        let wrapped = wrap(open.segment, index, bytes);
        // The index is spent from here on: what fails below is retried with identical bytes or not
        // at all, and a segment whose write failed takes no other record at this index.
        if let Err(error) = open.file.write_at(&wrapped, at) {
            if let Some(open) = self.open[lane as usize].take() {
                self.figures.segments_poisoned += 1;
                self.abandon_unsynced(lane, open)?;
            }
            return Err(error.into());
        }
        open.end = at + wrapped.len() as u64;
        open.next_index = index + 1;
        open.dirty = true;
        let offset = open.end - wrapped.len() as u64 + 16;
        let length = bytes.len() as u32;
        let place = Place { index, offset, length, hash, previous, kind, sequences };
        if let Some(segment) = self.segments.get_mut(&open.ordinal) {
            segment.places.get_or_insert_default().push(place);
            segment.unreceipted_bytes += u64::from(length);
        }
        self.heads[lane as usize].last = Some((open.segment, index, hash));
        self.figures.bytes_written += wrapped.len() as u64;
        self.figures.bytes_sealed += u64::from(length);
        Ok(())
    }

    /// After a failed write: what stands before it in the group is synced if that still works.
    fn abandon_unsynced(&mut self, lane: Lane, open: Open<D::File>) -> Result<(), AppendError> {
        self.open[lane as usize] = Some(open);
        let synced = self.sync_lane(lane);
        if let Some(open) = self.open[lane as usize].take() {
            self.abandon(lane, &open);
        }
        if synced { Ok(()) } else { Err(io::Error::other("write and sync failed").into()) }
    }

    /// Grows the open file so that `bytes` fit; evicts first if the quota says so.
    fn make_room(&mut self, lane: Lane, bytes: u64) -> Result<(), AppendError> {
        let Some(open) = &self.open[lane as usize] else { return Ok(()) };
        let wanted = place(open.end, bytes as usize) + bytes + 16;
        if wanted <= open.allocated {
            return Ok(());
        }
        self.evict_for(SEGMENT_STEP_BYTES, lane)?;
        let Some(open) = &mut self.open[lane as usize] else { return Ok(()) };
        let zeros = vec![0; SEGMENT_STEP_BYTES as usize];
        open.file.write_at(&zeros, open.allocated)?;
        open.dirty = true;
        open.allocated += SEGMENT_STEP_BYTES;
        self.figures.bytes_written += SEGMENT_STEP_BYTES;
        if let Some(segment) = self.segments.get_mut(&open.ordinal) {
            segment.file_bytes = open.allocated;
        }
        Ok(())
    }

    fn ensure_open(&mut self, lane: Lane, clock: &ClockState) -> Result<(), AppendError> {
        if let Some(open) = &self.open[lane as usize] {
            let full = open.next_index > SEGMENT_FRAMES_MAX
                || open.end + wire::limits::FRAME_BYTES_MAX as u64 > SEGMENT_BYTES_MAX as u64;
            if !full && !self.is_expired(lane, clock) {
                return Ok(());
            }
            self.close(lane)?;
        }
        self.open_segment(lane, clock)
    }

    /// Whether a lane's key has lived as long as it may.
    pub(super) fn is_expired(&self, lane: Lane, clock: &ClockState) -> bool {
        self.open[lane as usize].as_ref().is_some_and(|open| {
            let age_ns = clock.monotonic.0.saturating_sub(open.opened.monotonic.0);
            age_ns > SEGMENT_SECONDS_MAX * 1_000_000_000
        })
    }

    /// Syncs and closes a lane's segment.
    pub(super) fn close(&mut self, lane: Lane) -> Result<(), AppendError> {
        if !self.sync_lane(lane) {
            return Err(io::Error::other("fdatasync failed while closing a segment").into());
        }
        if let Some(open) = self.open[lane as usize].take() {
            self.sealer.forget(open.segment);
            self.heads[lane as usize].found = Some(Found::Closed);
            if let Some(segment) = self.segments.get_mut(&open.ordinal) {
                segment.durable = None;
            }
            self.settle_if_done(open.ordinal)?;
        }
        Ok(())
    }

    /// Begins a segment: header in both slots, durable together with its name.
    fn open_segment(&mut self, lane: Lane, clock: &ClockState) -> Result<(), AppendError> {
        self.evict_for(SEGMENT_STEP_BYTES, lane)?;
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
        let (segment, bytes, hash) = self.sealer.open_segment(draft)?;
        let ordinal = self.ordinal_next;
        let name = FileName { ordinal, lane, segment, done: false };
        let (file, allocated) = self.begin_file(&name, segment, &bytes)?;
        self.ordinal_next += 1;
        self.figures.bytes_sealed += bytes.len() as u64;
        let length = bytes.len() as u32;
        self.by_id.insert(segment, ordinal);
        self.segments.insert(
            ordinal,
            Segment {
                name,
                file_bytes: allocated,
                header: Some((hash, length)),
                opened: Some(*clock),
                places: Some(Vec::new()),
                durable: Some(0),
                receipted: Ranges::default(),
                refused: Ranges::default(),
                unreceipted_bytes: length.into(),
            },
        );
        self.heads[lane as usize].last = Some((segment, 0, hash));
        self.open[lane as usize] = Some(Open {
            ordinal,
            segment,
            file,
            end: RECORDS_START,
            allocated,
            next_index: 1,
            opened: *clock,
            dirty: false,
        });
        Ok(())
    }

    fn begin_file(
        &mut self,
        name: &FileName,
        segment: SegmentId,
        header: &[u8],
    ) -> Result<(D::File, u64), AppendError> {
        let (from, file, allocated) = match self.spares.pop() {
            Some((spare, size)) => {
                let file = self.disk.open(&spare)?;
                (spare, file, size)
            }
            None => {
                let fresh = format!("fresh-{}", name.ordinal);
                let file = self.disk.create(&fresh)?;
                file.write_at(&vec![0; SEGMENT_STEP_BYTES as usize], 0)?;
                self.figures.bytes_written += SEGMENT_STEP_BYTES;
                (fresh, file, SEGMENT_STEP_BYTES)
            }
        };
        let wrapped = wrap(segment, 0, header);
        for slot in HEADER_SLOTS {
            file.write_at(&wrapped, slot)?;
            self.figures.bytes_written += wrapped.len() as u64;
        }
        file.sync()?;
        self.disk.rename(&from, &name.to_string())?;
        self.disk.sync_names()?;
        Ok((file, allocated))
    }
}
