//! Writes small records, so that a test can make the one it needs.

use std::fs;
use std::path::Path;

use super::{BaseTime, Decimal, Rate, SignalInfo, WfdbError};

/// One channel to write.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelToWrite {
    /// Label, unit and samples per frame.
    pub signal: SignalInfo,
    /// 16, 80 or 212. Neighbours of one format share a file.
    pub format: u32,
    /// Digital steps per unit.
    pub gain: Decimal,
    /// The digital value of physical zero.
    pub baseline: i32,
    /// The samples of all frames; `None` is written as the format's invalid value.
    pub samples: Vec<Option<i32>>,
}

/// How the signals of a master's parts are matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout<'a> {
    /// By description; these are all there may be.
    Variable(&'a [SignalInfo]),
    /// By position; every part has so many.
    Fixed(usize),
}

/// Writes `folder/name.hea` and the signal files it names.
///
/// Shape:  every channel covers the same whole number of frames; values fit their format.
/// Errors: [`WfdbError::Malformed`] when the channels break that, [`WfdbError::Disk`] otherwise.
pub fn write_record(
    folder: &Path,
    name: &str,
    rate: Rate,
    base: Option<BaseTime>,
    channels: &[ChannelToWrite],
) -> Result<(), WfdbError> {
    let wrong = |problem: &str| malformed(folder, name, problem);
    let length = |channel: &ChannelToWrite| {
        let width = channel.signal.samples_per_frame as usize;
        (width > 0 && channel.samples.len().is_multiple_of(width))
            .then(|| channel.samples.len() / width)
    };
    let frames = channels.first().map_or(Some(0), length);
    let frames = frames.ok_or_else(|| wrong("a channel has no whole number of frames"))?;
    if channels.iter().any(|channel| length(channel) != Some(frames)) {
        return Err(wrong("the channels differ in length"));
    }
    let rate = rate_text(rate).ok_or_else(|| wrong("the rate has no finite decimal text"))?;
    let mut header = format!("{name} {} {rate} {frames}{}\n", channels.len(), base_text(base));
    for (number, group) in channels.chunk_by(|a, b| a.format == b.format).enumerate() {
        let file = format!("{name}_{number}.dat");
        let mut flat = Vec::new();
        for frame in 0..frames {
            for channel in group {
                let width = channel.signal.samples_per_frame as usize;
                flat.extend_from_slice(&channel.samples[frame * width..(frame + 1) * width]);
            }
        }
        let bytes = encode(group[0].format, &flat)
            .ok_or_else(|| wrong("a value does not fit its format, or the format is unknown"))?;
        save(folder, &file, &bytes)?;
        for channel in group {
            header.push_str(&signal_line(&file, channel));
        }
    }
    save(folder, &format!("{name}.hea"), header.as_bytes())
}

/// Writes the header of a master over parts that [`write_record`] wrote; `~` is a null segment.
///
/// For a variable layout `name_layout.hea` is written too.
///
/// Errors: as [`write_record`]; the parts themselves are not looked at.
pub fn write_master(
    folder: &Path,
    name: &str,
    rate: Rate,
    base: Option<BaseTime>,
    layout: Layout<'_>,
    parts: &[(&str, u64)],
) -> Result<(), WfdbError> {
    let rate = rate_text(rate)
        .ok_or_else(|| malformed(folder, name, "the rate has no finite decimal text"))?;
    let (signals, segments) = match layout {
        Layout::Variable(signals) => (signals.len(), parts.len() + 1),
        Layout::Fixed(signals) => (signals, parts.len()),
    };
    let frames: u64 = parts.iter().map(|(_, frames)| frames).sum();
    let base = base_text(base);
    let mut header = format!("{name}/{segments} {signals} {rate} {frames}{base}\n");
    if let Layout::Variable(layout) = layout {
        let mut text = format!("{name}_layout {signals} {rate} 0{base}\n");
        for signal in layout {
            let width = signal.samples_per_frame;
            let (unit, label) = (&signal.unit, &signal.description);
            text.push_str(&format!("~ 0x{width} 200/{unit} 12 0 0 0 0 {label}\n"));
        }
        save(folder, &format!("{name}_layout.hea"), text.as_bytes())?;
        header.push_str(&format!("{name}_layout 0\n"));
    }
    for (part, frames) in parts {
        header.push_str(&format!("{part} {frames}\n"));
    }
    save(folder, &format!("{name}.hea"), header.as_bytes())
}

fn malformed(folder: &Path, name: &str, problem: &str) -> WfdbError {
    WfdbError::Malformed {
        file: folder.join(format!("{name}.hea")),
        line: 0,
        problem: problem.into(),
        cure: "correct what is to be written",
    }
}

fn save(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), WfdbError> {
    let path = folder.join(file);
    fs::write(&path, bytes).map_err(|error| WfdbError::disk(&path, 0, &error))
}

fn signal_line(file: &str, channel: &ChannelToWrite) -> String {
    let ChannelToWrite { signal, format, gain, baseline, samples } = channel;
    let raw = |sample: &Option<i32>| i64::from(sample.unwrap_or(invalid(*format)));
    let sum: i64 = samples.iter().map(raw).sum();
    let first = samples.first().map_or(0, raw);
    let bits = if *format == 80 { 8 } else { 12 };
    let width = match signal.samples_per_frame {
        1 => String::new(),
        width => format!("x{width}"),
    };
    format!(
        "{file} {format}{width} {}({baseline})/{} {bits} 0 {first} {} 0 {}\n",
        decimal_text(*gain),
        signal.unit,
        sum as i16,
        signal.description
    )
}

fn invalid(format: u32) -> i32 {
    match format {
        80 => -128,
        212 => -2048,
        _ => -32768,
    }
}

/// Packs samples as signal(5) says; `None` when one does not fit or the format is another.
fn encode(format: u32, samples: &[Option<i32>]) -> Option<Vec<u8>> {
    let lowest = invalid(format);
    let mut values = Vec::with_capacity(samples.len());
    for sample in samples {
        if sample.is_some_and(|value| value <= lowest || value >= -lowest) {
            return None;
        }
        values.push(sample.unwrap_or(lowest));
    }
    Some(match format {
        16 => values.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect(),
        80 => values.iter().map(|value| (value + 128) as u8).collect(),
        212 => values.chunks(2).flat_map(pack_pair).collect(),
        _ => return None,
    })
}

/// Two samples in three bytes; a last one alone in two.
fn pack_pair(pair: &[i32]) -> Vec<u8> {
    let high = |value: i32| (value >> 8 & 0x0f) as u8;
    match *pair {
        [first, second] => vec![first as u8, high(first) | high(second) << 4, second as u8],
        [last] => vec![last as u8, high(last)],
        _ => Vec::new(),
    }
}

/// The decimal text of a rate, where it has one of at most 19 places.
fn rate_text(rate: Rate) -> Option<String> {
    let Rate { numerator, denominator } = rate;
    let mut places: usize = 0;
    let mut scale: u128 = 1;
    while !scale.is_multiple_of(u128::from(denominator.max(1))) {
        places += 1;
        scale = scale.checked_mul(10).filter(|_| places <= 19)?;
    }
    if numerator == 0 || denominator == 0 {
        return None;
    }
    let digits = u128::from(numerator).checked_mul(scale / u128::from(denominator))?;
    if places == 0 {
        return Some(digits.to_string());
    }
    Some(format!("{}.{:0places$}", digits / scale, digits % scale))
}

fn decimal_text(number: Decimal) -> String {
    let Decimal { mantissa, exponent } = number;
    if exponent >= 0 {
        return format!("{mantissa}{}", "0".repeat(usize::from(exponent.unsigned_abs())));
    }
    let places = usize::from(exponent.unsigned_abs());
    let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if mantissa < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

fn base_text(base: Option<BaseTime>) -> String {
    let Some(base) = base else {
        return String::new();
    };
    let mut text = format!(" {}:{:02}:{:02}", base.hour, base.minute, base.second);
    if base.nanosecond != 0 {
        let fraction = format!(".{:09}", base.nanosecond);
        text.push_str(fraction.trim_end_matches('0'));
    }
    if let Some(date) = base.date {
        text.push_str(&format!(" {:02}/{:02}/{:04}", date.day, date.month, date.year));
    }
    text
}
