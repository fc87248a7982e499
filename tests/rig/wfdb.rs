//! Reads PhysioNet WFDB records, so that real patients' waveforms can run through the line.
//!
//! The promise: [`read`] gives every sample a record holds, with the gain, baseline and unit its
//! own segment was written with, and a missing sample as `None`. Nothing is rescaled, filled in or
//! guessed. Whatever bytes stand in a header or a signal file, the answer is a record or a
//! [`WfdbError`], and the memory taken is bounded by the size of the files and by [`SAMPLES_MAX`].
//!
//! Source: header(5) and signal(5) of the WFDB Applications Guide; compared sample by sample with
//! the Python package `wfdb` 4.3.1.

mod error;
mod header;
mod join;
mod signal;
mod write;

use std::path::Path;

pub use error::WfdbError;
pub use write::{ChannelToWrite, Layout, write_master, write_record};

use header::{Body, Header};

/// Samples that one call of [`read`] may hold, all channels and segments together.
///
/// Eight bytes each, so 2 GiB: a day of 16 waves at 125 per second has 173 million. A master may
/// name the same segment many times, so the size of its files alone would be no bound.
pub const SAMPLES_MAX: u64 = 1 << 28;

/// One record: what was measured, how often, and the pieces it was stored in.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The name that stands in the header.
    pub name: String,
    /// Frames per second.
    pub rate: Rate,
    /// Every signal that the layout or any segment names.
    ///
    /// A signal stands here once for each unit it was recorded in, so that
    /// `signals[channel.signal].unit` is always the unit of that very segment.
    pub signals: Vec<SignalInfo>,
    /// The pieces in order of time, without gap or overlap; an ordinary record has one.
    pub segments: Vec<Segment>,
    /// Frames in the whole record, null segments included.
    pub length_frames: u64,
    /// The moment of the first frame, where the header tells it.
    pub base: Option<BaseTime>,
}

/// Frames per second as the exact fraction of the decimal text, reduced.
///
/// `62.4725` is 24989/400. Neither number is ever zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Frames.
    pub numerator: u64,
    /// Seconds they take.
    pub denominator: u64,
}

/// What one signal is, over the whole record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignalInfo {
    /// The label on the header's line, `II` or `ABP`; where the header has none,
    /// `record NAME, signal NUMBER` as the WFDB library calls it.
    pub description: String,
    /// The physical unit, `mV` where the header has none.
    pub unit: String,
    /// Samples in each frame.
    pub samples_per_frame: u32,
}

/// A stretch of the record in which the channels and their calibration do not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The name of the segment's own record, `~` for a null segment.
    pub name: String,
    /// Frames of the record before this segment.
    pub first_frame: u64,
    /// Frames in this segment.
    pub length_frames: u64,
    /// The channels stored here; a null segment has none.
    pub channels: Vec<Channel>,
}

/// One signal's samples in one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Index into [`Record::signals`].
    pub signal: usize,
    /// Digital steps per physical unit, as written; 200 where the header has none or zero.
    pub gain: Decimal,
    /// The digital value of physical zero.
    pub baseline: i32,
    /// Resolution of the converter, bits.
    pub adc_resolution_bits: u8,
    /// Samples in each frame.
    pub samples_per_frame: u32,
    /// Raw digital values, `length_frames * samples_per_frame` of them; `None` is invalid.
    pub samples: Vec<Option<i32>>,
}

/// A decimal number as its text has it: `mantissa * 10^exponent`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decimal {
    /// All digits, without the point.
    pub mantissa: i64,
    /// Where the point stands: `0.25` has -2.
    pub exponent: i8,
}

/// The moment of the first frame as the header writes it, in no particular time zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BaseTime {
    /// Hour, 0..=23.
    pub hour: u8,
    /// Minute, 0..=59.
    pub minute: u8,
    /// Second, 0..=59.
    pub second: u8,
    /// Fraction of the second, nanoseconds.
    pub nanosecond: u32,
    /// The day, where one is written.
    pub date: Option<BaseDate>,
}

/// A day as the header writes it; de-identified records lie centuries ahead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BaseDate {
    /// Day, 1..=31.
    pub day: u8,
    /// Month, 1..=12.
    pub month: u8,
    /// Year, 1..=9999.
    pub year: u16,
}

/// Reads the record whose header is `path_without_extension` with `.hea` behind it.
///
/// Order:  segments by time, channels as their segment's header lists them.
/// Cost:   every file of the record is read once per mention and held in memory as samples.
/// Errors: [`WfdbError`]; each names the file, the line, the problem and the cure.
pub fn read(path_without_extension: &Path) -> Result<Record, WfdbError> {
    let folder = path_without_extension.parent().unwrap_or(Path::new(""));
    let name = path_without_extension.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        return Err(WfdbError::Malformed {
            file: path_without_extension.to_path_buf(),
            line: 0,
            problem: "the path does not end in a record name".into(),
            cure: "give the path of the header without `.hea`",
        });
    };
    let header = header::read(folder, name)?;
    let mut samples_left = SAMPLES_MAX;
    match &header.body {
        Body::Signals(_) => read_single(folder, &header, &mut samples_left),
        Body::Segments(lines) => join::read_segments(folder, &header, lines, &mut samples_left),
    }
}

/// Parses the text of a header, as [`read`] does, and forgets it; whether it was one.
pub fn read_header_text(text: &str) -> bool {
    header::parse(Path::new("text.hea"), text).is_ok()
}

fn read_single(folder: &Path, header: &Header, left: &mut u64) -> Result<Record, WfdbError> {
    let read = signal::read_all(folder, header, left)?;
    let mut signals = Vec::new();
    let mut channels = Vec::new();
    for (index, (line, samples)) in header.signal_lines().iter().zip(read.samples).enumerate() {
        signals.push(line.info());
        if let Some(samples) = samples {
            channels.push(line.channel(index, samples));
        }
    }
    let segment = Segment {
        name: header.name.clone(),
        first_frame: 0,
        length_frames: read.length_frames,
        channels,
    };
    Ok(Record {
        name: header.name.clone(),
        rate: header.rate,
        signals,
        segments: vec![segment],
        length_frames: read.length_frames,
        base: header.base,
    })
}

#[cfg(test)]
mod tests;
