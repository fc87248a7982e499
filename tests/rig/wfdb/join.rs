//! Multi-segment records: segments are laid end to end and their signals matched.

use std::path::Path;

use super::header::{self, Body, Header, SegmentLine, SignalLine};
use super::{Channel, Record, Segment, SignalInfo, WfdbError, signal};

/// Reads every segment of a master.
///
/// A first segment of no frames is the layout of a variable-layout record: it names the signals
/// and has no samples, and signals are matched by description. Otherwise the layout is fixed and
/// signals are matched by position.
pub(super) fn read_segments(
    folder: &Path,
    master: &Header,
    lines: &[SegmentLine],
    samples_left: &mut u64,
) -> Result<Record, WfdbError> {
    let variable = lines.first().is_some_and(|line| line.length_frames == 0);
    let mut union = Union { variable, entries: Vec::new() };
    let mut segments = Vec::new();
    let mut first_frame: u64 = 0;
    for (index, line) in lines.iter().enumerate() {
        if variable && index == 0 {
            if line.name != "~" {
                union.expect(&read_part(folder, master, line)?);
            }
            continue;
        }
        let channels = if line.name == "~" || line.length_frames == 0 {
            Vec::new()
        } else {
            read_channels(folder, master, line, &mut union, samples_left)?
        };
        segments.push(Segment {
            name: line.name.clone(),
            first_frame,
            length_frames: line.length_frames,
            channels,
        });
        first_frame = first_frame
            .checked_add(line.length_frames)
            .ok_or_else(|| refuse(master, line.line, "the lengths overflow".into()))?;
    }
    if let Some(told) = master.length_frames.filter(|told| *told != first_frame) {
        let problem = format!("{told} frames announced, but the segments have {first_frame}");
        return Err(refuse(master, master.record_line, problem));
    }
    Ok(Record {
        name: master.name.clone(),
        rate: master.rate,
        signals: union.entries.into_iter().map(|entry| entry.info).collect(),
        segments,
        length_frames: first_frame,
        base: master.base,
    })
}

/// Reads the header of one segment, and checks that it may stand in this master.
fn read_part(folder: &Path, master: &Header, line: &SegmentLine) -> Result<Header, WfdbError> {
    let part = header::read_named(folder, &line.name, line.line)?;
    if matches!(part.body, Body::Segments(_)) {
        return Err(refuse(master, line.line, format!("{:?} is itself a master", line.name)));
    }
    if part.rate != master.rate {
        let problem = format!("{:?} has another sampling frequency", line.name);
        return Err(refuse(master, line.line, problem));
    }
    Ok(part)
}

fn read_channels(
    folder: &Path,
    master: &Header,
    line: &SegmentLine,
    union: &mut Union,
    samples_left: &mut u64,
) -> Result<Vec<Channel>, WfdbError> {
    let part = read_part(folder, master, line)?;
    let read = signal::read_all(folder, &part, samples_left)?;
    let stored = read.samples.iter().any(Option::is_some);
    if stored && read.length_frames < line.length_frames {
        let problem = format!("{:?} has only {} frames", line.name, read.length_frames);
        return Err(refuse(master, line.line, problem));
    }
    let signals = part.signal_lines();
    let mut channels = Vec::new();
    for (index, samples) in read.samples.into_iter().enumerate() {
        let Some(mut samples) = samples else { continue };
        let spec = &signals[index];
        let frames = usize::try_from(line.length_frames).unwrap_or(usize::MAX);
        samples.truncate(frames.saturating_mul(spec.samples_per_frame as usize));
        let Some(signal) = union.place(signals, index) else {
            let problem = format!("{:?} has other samples per frame than before", spec.description);
            return Err(refuse(&part, spec.line, problem));
        };
        channels.push(spec.channel(signal, samples));
    }
    Ok(channels)
}

fn refuse(header: &Header, line: usize, problem: String) -> WfdbError {
    let cure = "correct the master or the segment's header";
    WfdbError::Malformed { file: header.file.clone(), line, problem, cure }
}

/// All signals of the record met so far.
struct Union {
    variable: bool,
    entries: Vec<Entry>,
}

struct Entry {
    info: SignalInfo,
    /// Variable layout: which of the signals of that description. Fixed layout: which position.
    place: usize,
    /// The layout only announces a unit; the first segment that has the signal decides it.
    measured: bool,
}

impl Union {
    fn expect(&mut self, layout: &Header) {
        let lines = layout.signal_lines();
        for (index, line) in lines.iter().enumerate() {
            let place = self.place_of(lines, index);
            self.entries.push(Entry { info: line.info(), place, measured: false });
        }
    }

    /// Finds or makes the entry of signal `index`; `None` when its samples per frame changed.
    fn place(&mut self, lines: &[SignalLine], index: usize) -> Option<usize> {
        let line = &lines[index];
        let place = self.place_of(lines, index);
        let by_name = self.variable;
        let mut found = None;
        let mut known = None;
        for (at, entry) in self.entries.iter().enumerate() {
            let same = !by_name || entry.info.description == line.description;
            if entry.place != place || !same {
                continue;
            }
            if entry.info.samples_per_frame != line.samples_per_frame {
                return None;
            }
            known = Some(entry.info.description.clone());
            if !entry.measured || entry.info.unit == line.unit {
                found = Some(at);
                break;
            }
        }
        if let Some(at) = found {
            let entry = &mut self.entries[at];
            entry.measured = true;
            entry.info.unit.clone_from(&line.unit);
            return found;
        }
        let mut info = line.info();
        if let Some(description) = known {
            info.description = description;
        }
        self.entries.push(Entry { info, place, measured: true });
        Some(self.entries.len() - 1)
    }

    fn place_of(&self, lines: &[SignalLine], index: usize) -> usize {
        if !self.variable {
            return index;
        }
        let name = &lines[index].description;
        lines[..index].iter().filter(|earlier| earlier.description == *name).count()
    }
}
