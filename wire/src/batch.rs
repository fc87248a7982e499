//! The plaintext of a frame: readings of one lane over one interval, columnar.
//!
//! Shape:  a CBOR array of byte strings. Block 0 is the head: clock and channel shapes. Each other
//! block holds one device in one context and can be proven, disclosed or erased alone.
//! Cost:   bounded by `limits`: a decoder never allocates more than the bytes it was given allow.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::decimal::Number;
use crate::identity::{DeviceId, SourceBoot};
use crate::reading::{ChannelKind, Code, Mode, Status};
use crate::strict::StrictError;
use crate::time::{ClockState, DeviceClock};

mod columns;
mod decode;
mod encode;
pub mod wave;

pub use decode::decode;
pub use encode::encode;

/// A channel as a batch carries it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ChannelInfo {
    /// What is measured.
    pub code: Code,
    /// In which unit.
    pub unit: Code,
    /// Numeric or wave.
    pub kind: ChannelKind,
    /// The device's own name for it.
    pub label: String,
    /// The device's own name for the unit.
    pub unit_label: String,
}

/// Readings of one lane over one interval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// The gateway's clock when the batch was opened.
    pub clock: ClockState,
    /// Channel lists that the blocks refer to.
    pub shapes: Vec<Vec<ChannelInfo>>,
    /// One a device and context.
    pub blocks: Vec<Block>,
}

/// Who speaks, and how its time is meant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Source {
    /// Device.
    pub device: DeviceId,
    /// Its run.
    pub boot: SourceBoot,
    /// What its times mean.
    pub clock: DeviceClock,
    /// One tick is ten to this power of nanoseconds.
    pub tick_exponent: u8,
    /// What it is doing.
    pub mode: Mode,
}

/// Readings of one device in one context.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// Who speaks.
    pub source: Source,
    /// Context token; empty when there is none.
    pub context: Vec<u8>,
    /// Reception of the first reading, milliseconds after the batch's clock.
    pub received_ms: i64,
    /// Device time of the first reading, ticks; all times below count from here.
    pub time_ticks: i64,
    /// Numerics.
    pub tables: Vec<Table>,
    /// Waveforms.
    pub waves: Vec<WaveRun>,
    /// Alerts, events and losses.
    pub notes: Vec<Note>,
}

impl Block {
    /// The device's sequence numbers, of its tables, its waveforms and its notes.
    pub fn sequences(&self) -> impl Iterator<Item = i64> + '_ {
        let tables = self.tables.iter().flat_map(|table| table.sequences.iter().copied());
        let waves = self.waves.iter().flat_map(|run| run.parts.iter().map(|(first, _)| *first));
        tables.chain(waves).chain(self.notes.iter().map(|note| note.sequence))
    }
}

/// Numerics of neighbouring channels at several moments.
///
/// Invariant: `values.len() == channels * times.len()` and `sequences.len() == times.len()`;
/// channel after channel, so that one channel's values stand together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// Shape.
    pub shape: usize,
    /// First channel in the shape.
    pub channel_first: usize,
    /// How many channels.
    pub channels: usize,
    /// Moments, ticks after the block's time.
    pub times: Vec<i64>,
    /// The device's sequence number of each moment.
    pub sequences: Vec<i64>,
    /// Mantissas in the channel's exponent; 0 where an exception stands.
    pub values: Vec<i64>,
    /// Values that are no plain mantissa: position in `values`, number or state, status.
    pub exceptions: Vec<(u32, Number, Status)>,
}

/// Samples of neighbouring channels without a break.
///
/// Invariant: `samples.len() == channels` and every channel has the sum of `parts` samples.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WaveRun {
    /// Shape.
    pub shape: usize,
    /// First channel in the shape.
    pub channel_first: usize,
    /// Time of the first sample, ticks after the block's time.
    pub time_ticks: i64,
    /// Number of the first sample, as the device counts.
    pub sample_first: u64,
    /// Status of all samples.
    pub status: Status,
    /// The device's sequence number of each part and its number of samples.
    pub parts: Vec<(i64, i64)>,
    /// Samples, one list a channel; anything where a hole stands.
    pub samples: Vec<Vec<i32>>,
    /// Invalid samples: channel, first, count.
    pub invalid: Vec<(u32, u32, u32)>,
}

/// What is neither numeric nor wave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// Ticks after the block's time.
    pub time_ticks: i64,
    /// The device's sequence number.
    pub sequence: i64,
    /// What it says.
    pub what: NoteKind,
}

/// The kinds of note.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoteKind {
    /// An alert, fields as in [`crate::reading::Alert`].
    Alert {
        /// Event code.
        code: Code,
        /// What raised it.
        source: Code,
        /// Phase, state, priority.
        levels: [u8; 3],
        /// The device's words.
        text: String,
    },
    /// An event of the device.
    Event {
        /// Event code.
        code: Code,
        /// Its number.
        value: i64,
    },
    /// Readings that the device lost: how many, and its number for why.
    Loss {
        /// How many.
        readings: u64,
        /// Why.
        cause: u8,
    },
    /// The gateway's report about itself, as `status` defines it, or an entry of its audit trail,
    /// as `audit` does.
    Health(Vec<u8>),
}

impl Batch {
    /// Readings inside: numerics, wave parts of a channel, and notes each count one.
    #[must_use]
    pub fn readings(&self) -> u64 {
        let block = |block: &Block| {
            let tables: usize = block.tables.iter().map(|table| table.values.len()).sum();
            let waves: usize = block.waves.iter().map(|w| w.parts.len() * w.samples.len()).sum();
            (tables + waves + block.notes.len()) as u64
        };
        self.blocks.iter().map(block).sum()
    }
}

/// Why a plaintext is no batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BatchError {
    /// Not strict CBOR, or another shape.
    Strict(StrictError),
    /// A packed column is cut off or too long.
    Column,
    /// A waveform block is damaged.
    Wave(wave::WaveError),
    /// More than `limits` allow.
    Limit,
    /// A reference leads nowhere, or counts do not agree.
    Inconsistent,
    /// The batch does not fit one frame.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict(error) => write!(f, "batch: {error}"),
            Self::Column => f.write_str("batch: a packed column has the wrong length"),
            Self::Wave(error) => write!(f, "batch: waveform: {error:?}"),
            Self::Limit => f.write_str("batch: more than the format allows"),
            Self::Inconsistent => f.write_str("batch: counts or references do not agree"),
            Self::TooLarge { bytes } => write!(f, "batch of {bytes} bytes does not fit a frame"),
        }
    }
}

impl core::error::Error for BatchError {}

impl From<StrictError> for BatchError {
    fn from(error: StrictError) -> Self {
        Self::Strict(error)
    }
}

const SECTION_TABLE: u64 = 0;
const SECTION_WAVE: u64 = 1;
const SECTION_ALERT: u64 = 2;
const SECTION_EVENT: u64 = 3;
const SECTION_LOSS: u64 = 4;
const SECTION_HEALTH: u64 = 5;
const SECTION_CONTEXT: u64 = 6;

/// The clock, tick and mode of a source in one number.
fn source_flags(source: &Source) -> u64 {
    source.clock as u64 | u64::from(source.tick_exponent) << 3 | (source.mode as u64) << 7
}

/// What a UTC device's block time is counted from: the batch's own UTC in the device's ticks.
fn time_base(clock: &ClockState, source: &Source) -> i64 {
    match (source.clock, clock.utc) {
        (DeviceClock::Utc | DeviceClock::UtcSynchronised, Some(utc)) => {
            utc.0 / 10i64.pow(u32::from(source.tick_exponent.min(9)))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
