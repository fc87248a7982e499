//! The door for header text: lines become types here or are refused with their number.

mod line;
mod number;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use line::Line;

use super::{BaseTime, Channel, Decimal, Rate, SignalInfo, WfdbError};

/// Bytes of a header that are read. The longest masters of MIMIC stay below 100 kB.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// Signals in one record. The largest public ones, of the scalp, stay below 300.
const SIGNALS_MAX: u64 = 4096;

/// A header, read and understood.
pub(super) struct Header {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) rate: Rate,
    /// `None` when the header leaves the length to the size of the signal file.
    pub(super) length_frames: Option<u64>,
    pub(super) base: Option<BaseTime>,
    pub(super) record_line: usize,
    pub(super) body: Body,
}

/// What follows the record line.
pub(super) enum Body {
    Signals(Vec<SignalLine>),
    Segments(Vec<SegmentLine>),
}

/// One signal specification line.
pub(super) struct SignalLine {
    pub(super) line: usize,
    pub(super) file: String,
    pub(super) format: u32,
    pub(super) samples_per_frame: u32,
    pub(super) skew_frames: u64,
    pub(super) offset_bytes: u64,
    pub(super) gain: Decimal,
    pub(super) baseline: i32,
    pub(super) unit: String,
    pub(super) adc_resolution_bits: u8,
    pub(super) initial: i32,
    pub(super) description: String,
}

/// One segment specification line.
pub(super) struct SegmentLine {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) length_frames: u64,
}

/// Reads and parses `folder/name.hea`.
pub(super) fn read(folder: &Path, name: &str) -> Result<Header, WfdbError> {
    read_named(folder, name, 0)
}

/// As [`read`], for a header that line `line` of a master names.
pub(super) fn read_named(folder: &Path, name: &str, line: usize) -> Result<Header, WfdbError> {
    let file = folder.join(format!("{name}.hea"));
    let mut bytes = Vec::new();
    File::open(&file)
        .and_then(|opened| opened.take(HEADER_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| WfdbError::disk(&file, line, &error))?;
    if bytes.len() as u64 > HEADER_BYTES_MAX {
        let what = "bytes in a header";
        return Err(WfdbError::TooLarge { file, line: 0, what, max: HEADER_BYTES_MAX });
    }
    parse(&file, &String::from_utf8_lossy(&bytes))
}

/// Parses the text of a header; `file` is for the messages.
pub(super) fn parse(file: &Path, text: &str) -> Result<Header, WfdbError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, text)| Line { file, number: index + 1, text: text.trim() })
        .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'));
    let whole = Line { file, number: 0, text: "" };
    let Some(first) = lines.next() else {
        return Err(whole.malformed("the header is empty", "fetch the header again"));
    };
    let start = RecordLine::parse(&first)?;
    if start.signals > SIGNALS_MAX {
        let (file, line) = (file.to_path_buf(), first.number);
        return Err(WfdbError::TooLarge { file, line, what: "signals", max: SIGNALS_MAX });
    }
    let rest: Vec<Line> = lines.collect();
    let need = start.segments.unwrap_or(start.signals);
    if rest.len() as u64 != need {
        let problem = format!("{} lines follow where {need} are announced", rest.len());
        return Err(first.malformed(&problem, "correct the count or the lines"));
    }
    let body = if start.segments.is_some() {
        Body::Segments(rest.iter().map(SegmentLine::parse).collect::<Result<_, _>>()?)
    } else {
        let parsed =
            rest.iter().enumerate().map(|(index, line)| SignalLine::parse(line, index, start.name));
        Body::Signals(parsed.collect::<Result<_, _>>()?)
    };
    Ok(Header {
        file: file.to_path_buf(),
        name: start.name.to_owned(),
        rate: start.rate,
        length_frames: start.length_frames,
        base: start.base,
        record_line: first.number,
        body,
    })
}

impl Header {
    /// The signal lines; a master has none.
    pub(super) fn signal_lines(&self) -> &[SignalLine] {
        match &self.body {
            Body::Signals(lines) => lines,
            Body::Segments(_) => &[],
        }
    }
}

impl SignalLine {
    /// What this line says about the signal.
    pub(super) fn info(&self) -> SignalInfo {
        SignalInfo {
            description: self.description.clone(),
            unit: self.unit.clone(),
            samples_per_frame: self.samples_per_frame,
        }
    }

    /// The channel that this line and its samples make.
    pub(super) fn channel(&self, signal: usize, samples: Vec<Option<i32>>) -> Channel {
        Channel {
            signal,
            gain: self.gain,
            baseline: self.baseline,
            adc_resolution_bits: self.adc_resolution_bits,
            samples_per_frame: self.samples_per_frame,
            samples,
        }
    }

    fn parse(line: &Line, index: usize, record: &str) -> Result<Self, WfdbError> {
        let (mut fields, description) = line.split_fields(8);
        let file = fields.next().unwrap_or_default();
        if file != "~" {
            line.plain_name(file)?;
        }
        let Some(storage) = fields.next() else {
            return Err(line.malformed("the format is missing", "write it after the file name"));
        };
        let storage = Storage::parse(line, storage)?;
        let calibration = Calibration::parse(line, fields.next())?;
        let resolution = match line.number_or(fields.next(), "ADC resolution", 0)? {
            0 => usual_resolution_bits(storage.format),
            bits => bits,
        };
        let adc_zero = line.number_or(fields.next(), "ADC zero", 0)?;
        let initial = line.number_or(fields.next(), "initial value", adc_zero)?;
        line.number_or(fields.next(), "checksum", 0_i64)?;
        line.number_or(fields.next(), "block size", 0_i64)?;
        let description = match description {
            "" => format!("record {record}, signal {index}"),
            text => text.to_owned(),
        };
        Ok(Self {
            line: line.number,
            file: file.to_owned(),
            format: storage.format,
            samples_per_frame: storage.samples_per_frame,
            skew_frames: storage.skew_frames,
            offset_bytes: storage.offset_bytes,
            gain: calibration.gain,
            baseline: calibration.baseline.unwrap_or(adc_zero),
            unit: calibration.unit,
            adc_resolution_bits: resolution,
            initial,
            description,
        })
    }
}

impl SegmentLine {
    fn parse(line: &Line) -> Result<Self, WfdbError> {
        let mut fields = line.text.split_whitespace();
        let name = fields.next().unwrap_or_default();
        if name != "~" {
            line.plain_name(name)?;
        }
        let Some(length) = fields.next() else {
            let cure = "write the segment's frames after its name";
            return Err(line.malformed("the length is missing", cure));
        };
        let length_frames = line.number(length, "segment length")?;
        Ok(Self { line: line.number, name: name.to_owned(), length_frames })
    }
}

/// Bits that a line without its own ADC resolution means, header(5).
fn usual_resolution_bits(format: u32) -> u8 {
    match format {
        80 => 8,
        8 | 310 | 311 => 10,
        _ => 12,
    }
}

struct RecordLine<'a> {
    name: &'a str,
    segments: Option<u64>,
    signals: u64,
    rate: Rate,
    length_frames: Option<u64>,
    base: Option<BaseTime>,
}

impl<'a> RecordLine<'a> {
    fn parse(line: &Line<'a>) -> Result<Self, WfdbError> {
        let mut fields = line.text.split_whitespace();
        let name = fields.next().unwrap_or_default();
        let (name, segments) = match name.split_once('/') {
            Some((name, count)) => (name, Some(line.number(count, "number of segments")?)),
            None => (name, None),
        };
        line.plain_name(name)?;
        if segments == Some(0) {
            return Err(line.malformed("a master of no segments", "list at least one segment"));
        }
        let Some(signals) = fields.next() else {
            let cure = "write it after the record name";
            return Err(line.malformed("the number of signals is missing", cure));
        };
        let signals = line.number(signals, "number of signals")?;
        let rate = match fields.next() {
            Some(text) => {
                let frequency = text.split(['/', '(']).next().unwrap_or_default();
                number::rate(frequency).ok_or_else(|| line.not("sampling frequency", text))?
            }
            None => Rate { numerator: 250, denominator: 1 },
        };
        let length: u64 = line.number_or(fields.next(), "number of samples", 0)?;
        let time = fields.next();
        let date = fields.next();
        let base = match time {
            Some(text) => Some(
                number::base_time(text, date)
                    .ok_or_else(|| line.not("time and date", line.text))?,
            ),
            None => None,
        };
        let length_frames = (length > 0).then_some(length);
        Ok(Self { name, segments, signals, rate, length_frames, base })
    }
}

/// The second field of a signal line: `212x4:2+512`.
struct Storage {
    format: u32,
    samples_per_frame: u32,
    skew_frames: u64,
    offset_bytes: u64,
}

impl Storage {
    fn parse(line: &Line, text: &str) -> Result<Self, WfdbError> {
        let (text, offset) = split_mark(text, '+');
        let (text, skew) = split_mark(text, ':');
        let (format, per_frame) = split_mark(text, 'x');
        let samples_per_frame = line.number_or(per_frame, "samples per frame", 1)?;
        if samples_per_frame == 0 {
            return Err(line.not("samples per frame", "0"));
        }
        Ok(Self {
            format: line.number(format, "format")?,
            samples_per_frame,
            skew_frames: line.number_or(skew, "skew", 0)?,
            offset_bytes: line.number_or(offset, "byte offset", 0)?,
        })
    }
}

fn split_mark(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// The third field of a signal line: `0.833333(-100)/mmHg`.
struct Calibration {
    gain: Decimal,
    baseline: Option<i32>,
    unit: String,
}

impl Calibration {
    fn parse(line: &Line, text: Option<&str>) -> Result<Self, WfdbError> {
        let usual = Decimal { mantissa: 200, exponent: 0 };
        let Some(text) = text else {
            return Ok(Self { gain: usual, baseline: None, unit: "mV".into() });
        };
        let (number, unit) = split_mark(text, '/');
        let (gain, baseline) = split_mark(number, '(');
        let gain = number::decimal(gain).ok_or_else(|| line.not("ADC gain", text))?;
        let gain = if gain.mantissa == 0 { usual } else { gain };
        let baseline = match baseline {
            Some(inside) => {
                let digits = inside.strip_suffix(')').ok_or_else(|| line.not("baseline", text))?;
                Some(line.number(digits, "baseline")?)
            }
            None => None,
        };
        let unit = unit.filter(|unit| !unit.is_empty()).unwrap_or("mV").to_owned();
        Ok(Self { gain, baseline, unit })
    }
}
