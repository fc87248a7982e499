//! Reading back: which records are there to send, and their bytes.

use std::io::{Error, ErrorKind, Result};

use wire::frame::RecordKind;
use wire::gap::{Cause, Hole};
use wire::identity::{Lane, RecordHash, SegmentId};
use wire::segment::{Continues, Found};
use wire::time::ClockState;

use super::disk::Disk;
use super::segment::{Place, Scan, heal, read_place, scan, scan_header};
use super::{Buffer, Position};
use crate::limits::BATCH_PAYLOAD_BYTES_MAX;
use crate::seal::Sealer;

/// A record that may be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordAt {
    /// Where it is.
    pub position: Position,
    /// Its segment.
    pub segment: SegmentId,
    /// Its length, bytes.
    pub bytes: u32,
}

/// Closed segments whose places stay in memory: those that are being sent, and receipted.
const LOADED_MAX: usize = 12;

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// The next durable record of a lane at or after `from` that no receipt covers.
    ///
    /// Damage that is met on the way becomes a gap.
    pub fn next_unreceipted(
        &mut self,
        lane: Lane,
        from: Position,
        clock: &ClockState,
    ) -> Option<RecordAt> {
        let mut from = from;
        loop {
            let ordinal = self
                .segments
                .range(from.ordinal..)
                .find(|(_, segment)| segment.name.lane == lane && !segment.name.done)
                .map(|(ordinal, _)| *ordinal)?;
            if ordinal > from.ordinal {
                from = Position { ordinal, index: 0 };
            }
            if self.load(ordinal, clock)
                && let Some(record) = self.first_in(ordinal, from.index)
            {
                return Some(record);
            }
            from = Position { ordinal: ordinal + 1, index: 0 };
        }
    }

    fn first_in(&self, ordinal: u64, from: u32) -> Option<RecordAt> {
        let segment = self.segments.get(&ordinal)?;
        let wanted = |index: u32| {
            index >= from && !segment.receipted.contains(index) && !segment.refused.contains(index)
        };
        let at = |index, bytes| RecordAt {
            position: Position { ordinal, index },
            segment: segment.name.segment,
            bytes,
        };
        if let (true, Some((_, bytes))) = (wanted(0), segment.header) {
            return Some(at(0, bytes));
        }
        let durable = segment.durable.unwrap_or(u32::MAX);
        let places = segment.places.as_ref()?;
        let start = places.partition_point(|place| place.index < from);
        let place = places[start..].iter().find(|place| wanted(place.index))?;
        (place.index <= durable).then(|| at(place.index, place.length))
    }

    /// The header of a segment and its lane, if it is still here.
    pub fn header_of(&self, segment: SegmentId) -> Option<(Lane, RecordAt)> {
        let ordinal = *self.by_id.get(&segment)?;
        let found = self.segments.get(&ordinal)?;
        let (_, bytes) = found.header?;
        let position = Position { ordinal, index: 0 };
        Some((found.name.lane, RecordAt { position, segment, bytes }))
    }

    /// Where the next durable record of a lane will be.
    pub fn edge(&self, lane: Lane) -> Position {
        match &self.open[lane as usize] {
            Some(open) => {
                let durable = self.segments.get(&open.ordinal).and_then(|segment| segment.durable);
                Position { ordinal: open.ordinal, index: durable.map_or(0, |last| last + 1) }
            }
            None => Position { ordinal: self.ordinal_next, index: 0 },
        }
    }

    /// The bytes of a record; `None` if they no longer check, which becomes a gap, or if they
    /// cannot be had just now, and [`Buffer::holds`] still says so.
    pub fn read(&mut self, position: Position, clock: &ClockState) -> Option<Vec<u8>> {
        if !self.holds(position) || !self.load(position.ordinal, clock) {
            return None;
        }
        let error = match self.try_read(position) {
            Ok(Some(bytes)) => return Some(bytes),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        tracing::error!(position = ?position, ?error, "a record cannot be read");
        if error.is_none_or(|error| is_lasting(&error)) {
            self.declare_damaged(position, clock);
        }
        None
    }

    fn try_read(&mut self, position: Position) -> Result<Option<Vec<u8>>> {
        let Some(segment) = self.segments.get(&position.ordinal) else { return Ok(None) };
        let (id, name) = (segment.name.segment, segment.name.to_string());
        if self.reading.as_ref().is_none_or(|(ordinal, _)| *ordinal != position.ordinal) {
            self.reading = Some((position.ordinal, self.disk.open(&name)?));
        }
        let Some((_, file)) = &self.reading else { return Ok(None) };
        if position.index == 0 {
            return Ok(scan_header(file, id)?.0.map(|(_, bytes, _)| bytes));
        }
        let places = segment.places.as_deref().unwrap_or_default();
        match places.binary_search_by_key(&position.index, |place| place.index) {
            Ok(at) => read_place(file, id, &places[at]),
            Err(_) => Ok(None),
        }
    }

    /// Loads the places of a segment; what is damaged becomes gaps. `false` if it is not to be had.
    pub(super) fn load(&mut self, ordinal: u64, clock: &ClockState) -> bool {
        let Some(segment) = self.segments.get(&ordinal) else { return false };
        if segment.places.is_some() {
            if segment.is_closed() {
                self.keep_loaded(ordinal);
            }
            return true;
        }
        match self.examine(ordinal) {
            Ok(found) => self.take_scan(ordinal, found, u32::MAX, clock),
            Err(error) => {
                tracing::error!(ordinal, %error, "a segment cannot be read");
                if is_none(&error) {
                    self.quarantine(ordinal, clock);
                }
            }
        }
        self.keep_loaded(ordinal);
        self.segments.get(&ordinal).is_some_and(|segment| segment.places.is_some())
    }

    /// Reads a segment's file, and heals the header from its other slot.
    pub(super) fn examine(&self, ordinal: u64) -> Result<Scan> {
        let segment = self.segments.get(&ordinal).ok_or(ErrorKind::NotFound)?;
        let id = segment.name.segment;
        let file = self.disk.open(&segment.name.to_string())?;
        let mut found = scan(&file, id)?;
        if let (Some((_, bytes, _)), false) = (&found.header, found.header_twice)
            && let Err(error) = heal(&file, id, bytes)
        {
            tracing::warn!(ordinal, %error, "a damaged header could not be healed");
        }
        if let Some(cut) = segment.cut {
            found.cut_at(cut);
        }
        Ok(found)
    }

    /// Takes what a scan found into the books. Holes from index `tail` on may be of records that
    /// were never accepted.
    pub(super) fn take_scan(&mut self, ordinal: u64, found: Scan, tail: u32, clock: &ClockState) {
        let end = self.end_of(ordinal);
        let Some(segment) = self.segments.get_mut(&ordinal) else { return };
        let (lane, id) = (segment.name.lane, segment.name.segment);
        let Some((header, bytes, hash)) = found.header else {
            segment.places = Some(found.places);
            self.quarantine(ordinal, clock);
            return;
        };
        segment.header = Some((hash, bytes.len() as u32));
        segment.before = header.continues.map(|continues| continues.hash);
        segment.opened = Some(header.clock);
        // Where the next segment says how far this one went, the rest was never accepted.
        let torn = found.torn_tail && !segment.name.done && end.is_none();
        // A hole is no more certain for being met again by a later start.
        let known_torn = end.filter(|end| end.torn).map(|end| uncertain_from(end.index));
        let tail = tail.min(known_torn.unwrap_or(u32::MAX));
        let mut holes = Vec::new();
        let last = found.places.last().map_or(0, |place| place.index);
        let lost = end.filter(|end| end.index > last).map(|end| (last + 1, end.index));
        for (first, last) in found.holes.into_iter().chain(lost) {
            let known = segment.declared.covers(first, last);
            if !(known || segment.name.done || segment.receipted.covers(first, last)) {
                segment.declared.insert(first, last);
                let cause = if first >= tail { Cause::UncertainTail } else { Cause::Damaged };
                let header = (hash, header.sequence_next);
                holes.push(hole_between(id, (first, last), &found.places, header, end, cause));
            }
        }
        // What was declared missing stays so, even if the medium gives it back now.
        let mut places = found.places;
        places.retain(|place| !segment.declared.contains(place.index));
        segment.places = Some(places);
        segment.unreceipted_bytes = if segment.name.done { 0 } else { segment.count_unreceipted() };
        for hole in holes {
            if let Err(error) = self.append_gap(lane, hole, clock) {
                tracing::error!(%error, "a gap could not be written yet");
            }
        }
        if torn {
            let cause = if tail < u32::MAX { Cause::UncertainTail } else { Cause::Damaged };
            self.declare_tail(ordinal, cause, clock);
        }
    }

    /// Where a closed segment ended, as the header of its lane's next segment says.
    fn end_of(&self, ordinal: u64) -> Option<End> {
        let segment = self.segments.get(&ordinal)?;
        let id = segment.name.segment;
        let mut later = self.segments.range(ordinal + 1..).map(|(_, later)| later);
        let next = later.find(|later| later.name.lane == segment.name.lane)?;
        let file = self.disk.open(&next.name.to_string()).ok()?;
        let (header, _, _) = scan_header(&file, next.name.segment).ok()?.0?;
        let continued = header.continues.filter(|continues| continues.segment == id)?;
        let Continues { index, hash, .. } = continued;
        let sequence_next = header.sequence_next;
        Some(End { index, hash, sequence_next, torn: header.found == Found::TornTail })
    }

    fn declare_damaged(&mut self, position: Position, clock: &ClockState) {
        if position.index == 0 {
            self.quarantine(position.ordinal, clock);
            return;
        }
        let Some(segment) = self.segments.get_mut(&position.ordinal) else { return };
        let (lane, id) = (segment.name.lane, segment.name.segment);
        let Some(places) = &mut segment.places else { return };
        let Some(at) = places.iter().position(|place| place.index == position.index) else {
            return;
        };
        let gone = places.remove(at);
        segment.declared.insert(gone.index, gone.index);
        segment.unreceipted_bytes = segment.count_unreceipted();
        if let Err(error) = self.append_gap(lane, hole_of(id, &gone, Cause::Damaged), clock) {
            tracing::error!(%error, "a gap could not be written yet");
        }
        if let Err(error) = self.settle_if_done(position.ordinal) {
            tracing::warn!(%error, "a segment stays although receipted");
        }
    }

    /// Puts a file aside that holds nothing readable, once a gap that names its segment is durable.
    pub(super) fn quarantine(&mut self, ordinal: u64, clock: &ClockState) {
        let Some(segment) = self.segments.get(&ordinal) else { return };
        let lane = segment.name.lane;
        if self.open[lane as usize].as_ref().is_some_and(|open| open.ordinal == ordinal) {
            self.abandon(lane);
        }
        if let Err(error) = self.declare_lost(ordinal, Cause::Damaged, clock) {
            tracing::error!(ordinal, %error, "a damaged segment stays: its gap cannot be written");
            if let Some(segment) = self.segments.get_mut(&ordinal) {
                segment.places = None;
            }
            return;
        }
        let Some(segment) = self.segments.remove(&ordinal) else { return };
        self.by_id.remove(&segment.name.segment);
        self.reading = self.reading.take().filter(|(open, _)| *open != ordinal);
        self.figures.files_quarantined += 1;
        self.names_dirty = true;
        let name = segment.name.to_string();
        let aside = format!("{name}.bad");
        let moved = self.disk.rename(&name, &aside);
        tracing::error!(file = name, moved = moved.is_ok(), "segment quarantined");
        if moved.is_ok() {
            self.quarantined.push((aside, segment.file_bytes));
        }
    }

    /// Notes that a closed segment's places are in use; those used least are given up.
    pub(super) fn keep_loaded(&mut self, ordinal: u64) {
        self.loaded.retain(|loaded| *loaded != ordinal);
        self.loaded.push_back(ordinal);
        while self.loaded.len() > LOADED_MAX {
            let cold = self.loaded.pop_front().and_then(|cold| self.segments.get_mut(&cold));
            if let Some(segment) = cold.filter(|segment| segment.is_closed()) {
                segment.places = None;
            }
        }
    }
}

/// Whether there is no such file, but perhaps a folder in its place.
fn is_none(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory)
}

/// Whether trying again later can help: not when the medium has lost the bytes.
fn is_lasting(error: &Error) -> bool {
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO) || is_none(error) || error.kind() == ErrorKind::UnexpectedEof
}

/// Records of one lane that one commit makes durable, at most about: only those may be torn.
const GROUP_RECORDS_MAX: u32 = 16;

/// The first index of a tail that ends with `last` and may be torn.
pub(super) fn uncertain_from(last: u32) -> u32 {
    last.saturating_sub(GROUP_RECORDS_MAX)
}

/// A hole that is one record whose numbers are known.
pub(super) fn hole_of(segment: SegmentId, gone: &Place, cause: Cause) -> Hole {
    let frame = gone.kind == RecordKind::Frame;
    Hole {
        segment: Some(segment),
        indexes: (gone.index, gone.index),
        sequences: frame.then(|| (gone.sequences.0, gone.sequences.1 - 1)),
        readings: gone.readings,
        moments: None,
        cause,
        before: Some(gone.previous),
        after: Some(gone.hash),
    }
}

/// The last record of a segment, and the lane sequence behind it.
#[derive(Clone, Copy)]
struct End {
    index: u32,
    hash: RecordHash,
    sequence_next: u64,
    /// The start that found the end has found a torn tail before it.
    torn: bool,
}

/// A hole between records that are there, or before the end of the segment: its readings follow
/// from its neighbours' numbers.
fn hole_between(
    segment: SegmentId,
    (first, last): (u32, u32),
    places: &[Place],
    (header, sequence_next): (RecordHash, u64),
    end: Option<End>,
    cause: Cause,
) -> Hole {
    let after = places.iter().find(|place| place.index > last);
    let before = places.iter().rev().find(|place| place.index < first);
    let frames = |place: &&Place| place.kind == RecordKind::Frame;
    let next = places.iter().filter(frames).find(|place| place.index > last);
    let start = places.iter().rev().filter(frames).find(|place| place.index < first);
    let start = start.map_or(sequence_next, |place| place.sequences.1);
    let next = next.map(|next| next.sequences.0).or(end.map(|end| end.sequence_next));
    let sequences = next.filter(|next| *next > start);
    let exact = sequences.map(|next| next - start);
    let unknown = u64::from(last - first + 1) * BATCH_PAYLOAD_BYTES_MAX as u64;
    let fewest = exact.filter(|_| cause != Cause::UncertainTail).unwrap_or(0);
    Hole {
        segment: Some(segment),
        indexes: (first, last),
        sequences: sequences.map(|next| (start, next - 1)),
        readings: (fewest, exact.unwrap_or(unknown)),
        moments: None,
        cause,
        before: Some(before.map_or(header, |place| place.hash)),
        after: after.map(|place| place.previous).or(end.map(|end| end.hash)),
    }
}
