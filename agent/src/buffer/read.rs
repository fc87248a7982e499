//! Reading back: which records are there to send, and their bytes.

use std::io::Result;

use wire::frame::RecordKind;
use wire::gap::{Cause, Hole};
use wire::identity::{Lane, SegmentId};
use wire::time::ClockState;

use super::disk::Disk;
use super::segment::{Place, Scan, read_place, scan, scan_header};
use super::{Buffer, Position};
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

/// Closed segments whose places stay in memory: those that are being sent.
const LOADED_MAX: usize = 6;

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
            self.load(ordinal, clock);
            if let Some(record) = self.first_in(ordinal, from.index) {
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

    /// The bytes of a record; `None` if they no longer check, which becomes a gap.
    pub fn read(&mut self, position: Position, clock: &ClockState) -> Option<Vec<u8>> {
        let bytes = self.try_read(position);
        if let Ok(Some(bytes)) = bytes {
            return Some(bytes);
        }
        let error = bytes.err().map(|error| error.to_string()).unwrap_or_default();
        tracing::error!(position = ?position, error, "a record can no longer be read");
        self.declare_damaged(position, clock);
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

    /// Loads the places of a closed segment; what is damaged becomes gaps.
    pub(super) fn load(&mut self, ordinal: u64, clock: &ClockState) {
        let Some(segment) = self.segments.get(&ordinal) else { return };
        if segment.places.is_some() {
            return;
        }
        let (id, name) = (segment.name.segment, segment.name.to_string());
        match self.disk.open(&name).and_then(|file| scan(&file, id)) {
            Ok(found) => self.take_scan(ordinal, found, clock),
            Err(error) => {
                tracing::error!(file = name, %error, "segment cannot be read");
                self.quarantine(ordinal, clock);
            }
        }
        self.unload_cold(ordinal);
    }

    /// Takes what a scan found into the books.
    pub(super) fn take_scan(&mut self, ordinal: u64, found: Scan, clock: &ClockState) {
        let Some(segment) = self.segments.get_mut(&ordinal) else { return };
        let (lane, id) = (segment.name.lane, segment.name.segment);
        let Some((header, bytes, hash)) = found.header else {
            self.quarantine(ordinal, clock);
            return;
        };
        segment.header = Some((hash, bytes.len() as u32));
        segment.opened = Some(header.clock);
        let records: u64 = found.places.iter().map(|place| u64::from(place.length)).sum();
        segment.unreceipted_bytes = records + bytes.len() as u64;
        let holes = found.holes.iter().map(|range| hole_between(id, *range, &found.places, hash));
        let holes: Vec<Hole> = holes.collect();
        segment.places = Some(found.places);
        for hole in holes {
            let error = self.append_gap(lane, hole, clock).err();
            if let Some(error) = error {
                tracing::error!(%error, "a gap could not be written yet");
            }
        }
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
        segment.unreceipted_bytes = segment.unreceipted_bytes.saturating_sub(gone.length.into());
        segment.receipted.insert(gone.index, gone.index);
        let hole = hole_of(id, &gone, Cause::Damaged);
        if let Err(error) = self.append_gap(lane, hole, clock) {
            tracing::error!(%error, "a gap could not be written yet");
        }
    }

    /// Puts a file aside that holds nothing readable, under a gap that names its segment.
    pub(super) fn quarantine(&mut self, ordinal: u64, clock: &ClockState) {
        let Some(segment) = self.segments.remove(&ordinal) else { return };
        self.by_id.remove(&segment.name.segment);
        self.figures.files_quarantined += 1;
        let name = segment.name.to_string();
        let moved = self.disk.rename(&name, &format!("{name}.bad"));
        tracing::error!(file = name, moved = moved.is_ok(), "segment quarantined");
        if segment.name.done {
            return;
        }
        let hole = Hole {
            segment: Some(segment.name.segment),
            indexes: (0, wire::limits::SEGMENT_FRAMES_MAX),
            sequences: None,
            readings: (0, segment.file_bytes),
            moments: None,
            cause: Cause::Damaged,
            before: None,
            after: None,
        };
        if let Err(error) = self.append_gap(segment.name.lane, hole, clock) {
            tracing::error!(%error, "a gap could not be written yet");
        }
    }

    fn unload_cold(&mut self, keep: u64) {
        let loaded: Vec<u64> = self
            .segments
            .iter()
            .filter(|(ordinal, s)| **ordinal != keep && s.is_closed() && s.places.is_some())
            .map(|(ordinal, _)| *ordinal)
            .collect();
        for ordinal in loaded.iter().rev().skip(LOADED_MAX) {
            if let Some(segment) = self.segments.get_mut(ordinal) {
                segment.places = None;
            }
        }
    }
}

/// A hole that is one record whose numbers are known.
pub(super) fn hole_of(segment: SegmentId, gone: &Place, cause: Cause) -> Hole {
    let readings = gone.sequences.1 - gone.sequences.0;
    let frame = gone.kind == RecordKind::Frame;
    Hole {
        segment: Some(segment),
        indexes: (gone.index, gone.index),
        sequences: frame.then(|| (gone.sequences.0, gone.sequences.1 - 1)),
        readings: (readings, readings),
        moments: None,
        cause,
        before: Some(gone.previous),
        after: Some(gone.hash),
    }
}

/// A hole between records that are there: its readings follow from their neighbours' numbers.
fn hole_between(
    segment: SegmentId,
    (first, last): (u32, u32),
    places: &[Place],
    header: wire::identity::RecordHash,
) -> Hole {
    let after = places.iter().find(|place| place.index > last);
    let before = places.iter().rev().find(|place| place.index < first);
    let frames = |place: &&Place| place.kind == RecordKind::Frame;
    let end = places.iter().filter(frames).find(|place| place.index > last);
    let start = places.iter().rev().filter(frames).find(|place| place.index < first);
    let sequences = match (start.map(|place| place.sequences.1), end.map(|p| p.sequences.0)) {
        (Some(start), Some(end)) if end > start => Some((start, end - 1)),
        _ => None,
    };
    let most = sequences.map_or(u64::from(last - first + 1), |(start, end)| end - start + 1);
    Hole {
        segment: Some(segment),
        indexes: (first, last),
        sequences,
        readings: (sequences.map_or(0, |_| most), most),
        moments: None,
        cause: Cause::Damaged,
        before: Some(before.map_or(header, |place| place.hash)),
        after: after.map(|place| place.previous),
    }
}
