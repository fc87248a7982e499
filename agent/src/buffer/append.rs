//! Appending: writes records and makes a group of them durable.
//!
//! Order:  what is pending in a lane is written oldest first. A failed sync or write abandons the
//! segment; what was pending in it is sealed again under another key, gaps as well as batches.

use std::io;

use wire::frame::{Core, RecordKind};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{Lane, RecordHash, SegmentId};
use wire::limits::{BATCH_BYTES_MAX, FRAME_BYTES_MAX, GAP_BYTES_MAX};
use wire::time::ClockState;

use super::disk::{Disk, DiskFile};
use super::segment::{Place, RECORD_HEAD_BYTES, padded, place, wrap, zeros_after};
use super::{Buffer, Content, Pending};
use crate::limits::{GAP_RESERVE_BYTES, SEGMENT_STEP_BYTES};
use crate::seal::{SealError, Sealer};

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

/// What a sealed batch is longer than its plaintext, at most.
const SEALED_MORE_BYTES: usize = FRAME_BYTES_MAX - BATCH_BYTES_MAX;

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
        let number = self.owe(lane, Content::Batch { plaintext: plaintext.to_vec(), readings });
        let result = self.write_pending(lane, clock);
        let unwritten = |pending: &Pending| pending.number == number && !pending.written;
        match (result, self.pending.iter().position(unwritten)) {
            (Err(error), Some(at)) => {
                self.pending.remove(at);
                Err(error)
            }
            // What failed came after this batch was written, perhaps even durable: the next
            // commit meets it again.
            _ => Ok(()),
        }
    }

    /// Writes a gap record; durable with the next commit.
    ///
    /// # Errors
    /// [`AppendError`]; the gap is owed then and every commit tries again.
    pub fn append_gap(
        &mut self,
        lane: Lane,
        hole: Hole,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        self.owe(lane, Content::Gap(hole));
        tracing::warn!(
            lane = %lane, cause = hole.cause.name(), readings = hole.readings.1, "gap recorded"
        );
        self.write_pending(lane, clock)
    }

    /// Makes everything that was appended survive a power cut.
    ///
    /// Cost:   one `fdatasync` for each lane that was written.
    ///
    /// # Errors
    /// [`AppendError`] if even new segments cannot be made durable; batches that were not accepted
    /// stay pending: call again. A gap that cannot be written is owed and is no error here.
    pub fn commit(&mut self, clock: &ClockState) -> Result<(), AppendError> {
        let mut result = Ok(());
        for lane in Lane::ALL {
            let Err(error) = self.commit_lane(lane, clock) else { continue };
            let batch = |p: &Pending| matches!(p.content, Content::Batch { .. });
            if self.pending.iter().any(|pending| pending.lane == lane && batch(pending)) {
                result = Err(error);
            } else {
                tracing::error!(lane = %lane, %error, "a gap could not be written yet");
            }
        }
        result
    }

    pub(super) fn commit_lane(
        &mut self,
        lane: Lane,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        for _ in 0..2 {
            self.write_pending(lane, clock)?;
            if self.sync_lane(lane) {
                return Ok(());
            }
        }
        Err(io::Error::other("fdatasync failed on two segments in a row").into())
    }

    /// Syncs a lane's file; `false` if it failed, and the segment is then closed for ever.
    pub(super) fn sync_lane(&mut self, lane: Lane) -> bool {
        let Some(open) = &mut self.open[lane as usize] else { return true };
        if !open.dirty {
            return true;
        }
        if let Err(error) = open.file.sync() {
            tracing::error!(lane = %lane, %error, "fdatasync failed: segment poisoned");
            self.abandon(lane);
            return false;
        }
        open.dirty = false;
        let (ordinal, last) = (open.ordinal, open.next_index - 1);
        if let Some(segment) = self.segments.get_mut(&ordinal) {
            segment.durable = Some(last);
        }
        let (figures, head) = (&mut self.figures, &mut self.heads[lane as usize]);
        self.pending.retain(|pending| {
            let durable = pending.lane == lane && pending.written;
            match &pending.content {
                Content::Batch { readings, .. } if durable => figures.readings_accepted += readings,
                Content::Gap(hole) if durable => {
                    head.gap_readings += hole.readings.1;
                    let is_ours = lane == Lane::Health && hole.cause == Cause::Evicted;
                    figures.health_evictions += u64::from(is_ours);
                    figures.holes_damaged += u64::from(hole.cause == Cause::Damaged);
                }
                _ => {}
            }
            !durable
        });
        true
    }

    fn owe(&mut self, lane: Lane, content: Content) -> u64 {
        let number = self.pending_next;
        self.pending_next += 1;
        self.pending.push(Pending { number, lane, content, written: false });
        number
    }

    /// Writes what is pending in a lane and not yet written, oldest first.
    fn write_pending(&mut self, lane: Lane, clock: &ClockState) -> Result<(), AppendError> {
        while let Some((number, bytes, reserve)) = self.oldest_unwritten(lane) {
            self.make_ready(lane, bytes, reserve, clock)?;
            // Making room may have written, or poisoned, what is pending in this very lane.
            if self.oldest_unwritten(lane).is_none_or(|(oldest, _, _)| oldest != number) {
                continue;
            }
            let at = self.pending.iter().position(|pending| pending.number == number);
            let Some(at) = at else { continue };
            match self.pending[at].content.clone() {
                Content::Batch { plaintext, readings } => {
                    self.write_frame(lane, plaintext, readings)?;
                }
                Content::Gap(hole) => self.write_gap(lane, hole)?,
            }
            self.pending[at].written = true;
        }
        Ok(())
    }

    fn oldest_unwritten(&self, lane: Lane) -> Option<(u64, usize, u64)> {
        let oldest = self.pending.iter().find(|p| p.lane == lane && !p.written)?;
        let (bytes, reserve) = match &oldest.content {
            Content::Batch { plaintext, .. } => {
                (plaintext.len() + SEALED_MORE_BYTES, GAP_RESERVE_BYTES)
            }
            Content::Gap(_) => (GAP_BYTES_MAX, 0),
        };
        Some((oldest.number, bytes, reserve))
    }

    /// Sees to it that the lane has an open segment with room for one record.
    fn make_ready(
        &mut self,
        lane: Lane,
        bytes: usize,
        reserve: u64,
        clock: &ClockState,
    ) -> Result<(), AppendError> {
        self.ensure_open(lane, clock)?;
        if self.fits(lane, bytes, reserve) {
            return Ok(());
        }
        self.evict_for(SEGMENT_STEP_BYTES, clock)?;
        // The gap of what was evicted may stand in this very lane and have filled its segment.
        self.ensure_open(lane, clock)?;
        if self.fits(lane, bytes, reserve) { Ok(()) } else { self.grow(lane) }
    }

    fn fits(&self, lane: Lane, bytes: usize, reserve: u64) -> bool {
        self.open[lane as usize]
            .as_ref()
            .is_some_and(|open| place(open.end, bytes) + padded(bytes) + reserve <= open.allocated)
    }

    /// Grows the open file by one step of zeros.
    fn grow(&mut self, lane: Lane) -> Result<(), AppendError> {
        let Some(open) = &mut self.open[lane as usize] else { return Ok(()) };
        open.dirty = true;
        open.file.write_at(&vec![0; SEGMENT_STEP_BYTES as usize], open.allocated)?;
        open.allocated += SEGMENT_STEP_BYTES;
        self.figures.bytes_written += SEGMENT_STEP_BYTES;
        if let Some(segment) = self.segments.get_mut(&open.ordinal) {
            segment.file_bytes = open.allocated;
        }
        Ok(())
    }

    fn write_frame(
        &mut self,
        lane: Lane,
        plaintext: Vec<u8>,
        readings: u64,
    ) -> Result<(), AppendError> {
        let (segment, index, previous) = self.next_link(lane)?;
        let sequence_first = self.heads[lane as usize].sequence_next;
        let sequence_last = sequence_first + readings.max(1) - 1;
        let content_root = [0; 32];
        let core =
            Core { lane, segment, index, sequence_first, sequence_last, previous, content_root };
        let (bytes, hash) = self.sealer.seal(&core, plaintext)?;
        let place = Place {
            index,
            offset: 0,
            length: bytes.len() as u32,
            hash,
            previous,
            kind: RecordKind::Frame,
            sequences: (sequence_first, sequence_last + 1),
            readings: (readings.max(1), readings.max(1)),
        };
        self.write_record(lane, &bytes, place)?;
        self.heads[lane as usize].sequence_next = sequence_last + 1;
        Ok(())
    }

    fn write_gap(&mut self, lane: Lane, hole: Hole) -> Result<(), AppendError> {
        let (segment, index, previous) = self.next_link(lane)?;
        let (bytes, hash) = self.sealer.sign_gap(&Gap { lane, segment, index, previous, hole });
        let sequence = self.heads[lane as usize].sequence_next;
        let place = Place {
            index,
            offset: 0,
            length: bytes.len() as u32,
            hash,
            previous,
            kind: RecordKind::Gap,
            sequences: (sequence, sequence),
            readings: hole.readings,
        };
        self.write_record(lane, &bytes, place)
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

    /// Writes a record whose index is spent: if that fails, the segment takes no other.
    fn write_record(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        mut record: Place,
    ) -> Result<(), AppendError> {
        let Some(open) = &mut self.open[lane as usize] else {
            return Err(io::Error::other("no segment is open").into());
        };
        let at = place(open.end, bytes.len());
        let mut wrapped = wrap(&open.file, open.segment, record.index, bytes);
        let end = at + wrapped.len() as u64;
        let room = usize::try_from(open.allocated - end).unwrap_or(usize::MAX);
        wrapped.resize(wrapped.len() + zeros_after(end).min(room), 0);
        open.dirty = true;
        if let Err(error) = open.file.write_at(&wrapped, at) {
            tracing::error!(lane = %lane, %error, "write failed: segment abandoned");
            if self.sync_lane(lane) {
                self.abandon(lane);
            }
            return Err(error.into());
        }
        open.end = end;
        open.next_index = record.index + 1;
        record.offset = at + RECORD_HEAD_BYTES;
        let (ordinal, segment) = (open.ordinal, open.segment);
        if let Some(segment) = self.segments.get_mut(&ordinal) {
            segment.places.get_or_insert_default().push(record);
            segment.unreceipted_bytes += u64::from(record.length);
        }
        self.heads[lane as usize].last = Some((segment, record.index, record.hash));
        self.figures.bytes_written += wrapped.len() as u64;
        self.figures.bytes_sealed += u64::from(record.length);
        Ok(())
    }
}
