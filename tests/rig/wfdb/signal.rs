//! Signal files: bytes become samples here, format by format.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::WfdbError;
use super::header::{Header, SignalLine};

/// All signals of an ordinary record, in the order of its header's lines.
pub(super) struct SignalFiles {
    pub(super) length_frames: u64,
    /// `None` for a null signal, which has no file.
    pub(super) samples: Vec<Option<Vec<Option<i32>>>>,
}

/// Reads every signal file of `header`; takes what it needs from `samples_left` first.
pub(super) fn read_all(
    folder: &Path,
    header: &Header,
    samples_left: &mut u64,
) -> Result<SignalFiles, WfdbError> {
    let lines = header.signal_lines();
    for (index, line) in lines.iter().enumerate() {
        let again = lines[..index].iter().rposition(|earlier| earlier.file == line.file);
        if line.file != "~" && again.is_some_and(|earlier| earlier + 1 != index) {
            let problem = format!("signals of {:?} are not listed together", line.file);
            return Err(refuse(header, line, problem));
        }
    }
    let mut length_frames = header.length_frames;
    let mut samples = Vec::with_capacity(lines.len());
    for group in lines.chunk_by(|a, b| a.file == b.file) {
        if group[0].file == "~" {
            samples.extend(group.iter().map(|_| None));
            continue;
        }
        let group = Group::new(header, group)?;
        let (frames, data) = group.load(folder, header, length_frames, samples_left)?;
        length_frames = Some(frames);
        samples.extend(group.decode(&data, frames).into_iter().map(Some));
    }
    Ok(SignalFiles { length_frames: length_frames.unwrap_or(0), samples })
}

fn refuse(header: &Header, line: &SignalLine, problem: String) -> WfdbError {
    let cure = "correct it after header(5)";
    WfdbError::Malformed { file: header.file.clone(), line: line.line, problem, cure }
}

/// The signals that share one file.
struct Group<'a> {
    lines: &'a [SignalLine],
    packing: Packing,
    samples_per_frame: u64,
}

impl<'a> Group<'a> {
    fn new(header: &Header, lines: &'a [SignalLine]) -> Result<Self, WfdbError> {
        let first = &lines[0];
        let Some(packing) = Packing::of_format(first.format) else {
            let (file, line) = (header.file.clone(), first.line);
            return Err(WfdbError::Format { file, line, format: first.format });
        };
        for line in lines {
            if line.format != first.format || line.offset_bytes != first.offset_bytes {
                let problem = format!("{:?} has two formats or byte offsets", line.file);
                return Err(refuse(header, line, problem));
            }
        }
        let samples_per_frame = lines.iter().map(|line| u64::from(line.samples_per_frame)).sum();
        Ok(Self { lines, packing, samples_per_frame })
    }

    /// The number of frames, and the bytes they stand in.
    fn load(
        &self,
        folder: &Path,
        header: &Header,
        length_frames: Option<u64>,
        samples_left: &mut u64,
    ) -> Result<(u64, Vec<u8>), WfdbError> {
        let first = &self.lines[0];
        let path = folder.join(&first.file);
        let disk = |error| WfdbError::disk(&path, first.line, &error);
        let mut file = File::open(&path).map_err(disk)?;
        let file_bytes = file.metadata().map_err(disk)?.len();
        let got_bytes = file_bytes.saturating_sub(first.offset_bytes);
        let held = self.packing.samples_in(got_bytes);
        let frames = length_frames.unwrap_or(held / self.samples_per_frame);
        let need = u128::from(frames) * u128::from(self.samples_per_frame);
        if need > u128::from(held) {
            let need_bytes = self.packing.bytes_for(need) + u128::from(first.offset_bytes);
            return Err(WfdbError::Truncated {
                line: first.line,
                need_bytes: u64::try_from(need_bytes).unwrap_or(u64::MAX),
                got_bytes: file_bytes,
                file: path,
            });
        }
        let left = u64::try_from(need).ok().and_then(|need| samples_left.checked_sub(need));
        let Some(left) = left else {
            let (file, line) = (header.file.clone(), first.line);
            let what = "samples in one record";
            return Err(WfdbError::TooLarge { file, line, what, max: super::SAMPLES_MAX });
        };
        *samples_left = left;
        let need_bytes = u64::try_from(self.packing.bytes_for(need)).unwrap_or(u64::MAX);
        file.seek(SeekFrom::Start(first.offset_bytes)).map_err(disk)?;
        let mut data = Vec::new();
        file.take(need_bytes).read_to_end(&mut data).map_err(disk)?;
        Ok((frames, data))
    }

    /// Takes the interleaved samples apart, one list per signal.
    fn decode(&self, data: &[u8], frames: u64) -> Vec<Vec<Option<i32>>> {
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        let stride = self.samples_per_frame as usize;
        let mut first = 0;
        let mut signals = Vec::with_capacity(self.lines.len());
        for line in self.lines {
            let width = line.samples_per_frame as usize;
            let mut running = line.initial;
            let mut samples = Vec::with_capacity(frames.saturating_mul(width));
            for at in (0..frames).flat_map(|frame| (0..width).map(move |k| frame * stride + k)) {
                let value = self.packing.sample(data, at + first);
                if self.packing == Packing::Difference {
                    running = running.wrapping_add(value);
                    samples.push(Some(running));
                } else {
                    samples.push((Some(value) != self.packing.invalid()).then_some(value));
                }
            }
            shift(&mut samples, line.skew_frames, width);
            signals.push(samples);
            first += width;
        }
        signals
    }
}

/// Moves a signal that was stored `skew_frames` late to its own time; the end becomes invalid.
fn shift(samples: &mut Vec<Option<i32>>, skew_frames: u64, width: usize) {
    let late = usize::try_from(skew_frames).unwrap_or(usize::MAX).saturating_mul(width);
    let length = samples.len();
    samples.drain(..late.min(length));
    samples.resize(length, None);
}

/// How samples lie in bytes, signal(5).
#[derive(Clone, Copy, Eq, PartialEq)]
enum Packing {
    /// 8: signed differences to the sample before.
    Difference,
    /// 80: one byte, 128 is zero.
    Offset8,
    /// 160: two bytes, 32768 is zero.
    Offset16,
    /// 16, 24, 32: two's complement, low byte first; the bytes of each.
    Little(u8),
    /// 61: 16 bits, high byte first.
    Big16,
    /// 212: two of 12 bits in three bytes.
    Twelve,
    /// 310: three of 10 bits in four bytes, the third made of what two words leave over.
    TenSplit,
    /// 311: three of 10 bits in four bytes, one behind the other.
    TenRow,
}

impl Packing {
    fn of_format(format: u32) -> Option<Self> {
        Some(match format {
            8 => Self::Difference,
            16 => Self::Little(2),
            24 => Self::Little(3),
            32 => Self::Little(4),
            61 => Self::Big16,
            80 => Self::Offset8,
            160 => Self::Offset16,
            212 => Self::Twelve,
            310 => Self::TenSplit,
            311 => Self::TenRow,
            _ => return None,
        })
    }

    /// The value that stands for a missing sample.
    fn invalid(self) -> Option<i32> {
        match self {
            Self::Difference => None,
            Self::Offset8 => Some(-128),
            Self::Offset16 | Self::Big16 | Self::Little(2) => Some(-32768),
            Self::Little(3) => Some(-8_388_608),
            Self::Little(_) => Some(i32::MIN),
            Self::Twelve => Some(-2048),
            Self::TenSplit | Self::TenRow => Some(-512),
        }
    }

    /// Whole samples in so many bytes.
    fn samples_in(self, bytes: u64) -> u64 {
        match self {
            Self::Difference | Self::Offset8 => bytes,
            Self::Offset16 | Self::Big16 => bytes / 2,
            Self::Little(width) => bytes / u64::from(width),
            Self::Twelve => bytes / 3 * 2 + (bytes % 3) / 2,
            Self::TenSplit => bytes / 4 * 3 + (bytes % 4) / 2,
            Self::TenRow => bytes / 4 * 3 + (bytes % 4).saturating_sub(1),
        }
    }

    /// Bytes that so many samples need.
    fn bytes_for(self, samples: u128) -> u128 {
        match self {
            Self::Difference | Self::Offset8 => samples,
            Self::Offset16 | Self::Big16 => samples * 2,
            Self::Little(width) => samples * u128::from(width),
            Self::Twelve => (samples * 3).div_ceil(2),
            Self::TenSplit => samples / 3 * 4 + samples % 3 * 2,
            Self::TenRow => samples / 3 * 4 + [0, 2, 3][(samples % 3) as usize],
        }
    }

    /// The sample at `index`; bytes that are not there count as zero.
    fn sample(self, data: &[u8], index: usize) -> i32 {
        let byte = |at: usize| data.get(at).copied().map_or(0, i32::from);
        match self {
            Self::Difference => signed(byte(index), 8),
            Self::Offset8 => byte(index) - 128,
            Self::Offset16 => (byte(2 * index) | byte(2 * index + 1) << 8) - 32768,
            Self::Big16 => signed(byte(2 * index) << 8 | byte(2 * index + 1), 16),
            Self::Little(width) => {
                let width = usize::from(width);
                let bits = (0..width).fold(0, |sum, k| sum | byte(width * index + k) << (8 * k));
                signed(bits, 8 * width as u32)
            }
            Self::Twelve => {
                let at = index / 2 * 3;
                let bits = match index % 2 {
                    0 => byte(at) | (byte(at + 1) & 0x0f) << 8,
                    _ => byte(at + 2) | byte(at + 1) >> 4 << 8,
                };
                signed(bits, 12)
            }
            Self::TenSplit => {
                let at = index / 3 * 4;
                let bits = match index % 3 {
                    0 => byte(at) >> 1 | (byte(at + 1) & 0x07) << 7,
                    1 => byte(at + 2) >> 1 | (byte(at + 3) & 0x07) << 7,
                    _ => byte(at + 1) >> 3 | byte(at + 3) >> 3 << 5,
                };
                signed(bits, 10)
            }
            Self::TenRow => {
                let at = index / 3 * 4;
                let bits = match index % 3 {
                    0 => byte(at) | (byte(at + 1) & 0x03) << 8,
                    1 => byte(at + 1) >> 2 | (byte(at + 2) & 0x0f) << 6,
                    _ => byte(at + 2) >> 4 | (byte(at + 3) & 0x3f) << 4,
                };
                signed(bits, 10)
            }
        }
    }
}

/// Reads the low `width` bits as two's complement.
fn signed(bits: i32, width: u32) -> i32 {
    let unused = 32 - width;
    bits << unused >> unused
}
