//! What stands inside a link frame: strict CBOR, read and written without a heap.

use core::fmt;

use crate::decimal::{Absent, Decimal, Number};
use crate::limits::LINK_PAYLOAD_BYTES_MAX;
use crate::reading::{Alert, Event, Status};
use crate::strict::{Reader, Room, StrictError, Writer};

/// Longest text of an alert, model or version, bytes.
const TEXT_BYTES_MAX: usize = 96;

/// Highest sample number: at a million samples a second, 285 years; times stay within 128 bits.
const SAMPLE_LAST: u64 = 1 << 53;

/// Why a payload is refused. Count it against the device; do not acknowledge it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PayloadError {
    /// Not strict CBOR, or another shape.
    Strict(StrictError),
    /// A number outside its list or range.
    Range,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict(error) => write!(f, "link payload: {error}"),
            Self::Range => f.write_str("link payload: a number outside its range"),
        }
    }
}

impl core::error::Error for PayloadError {}

impl From<StrictError> for PayloadError {
    fn from(error: StrictError) -> Self {
        Self::Strict(error)
    }
}

/// Readings that a device lost before it could send them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceGap {
    /// How many.
    pub readings: u64,
    /// Why, by the device's own number: 1 overflow, 2 sensor fault, 3 restart.
    pub cause: u8,
}

impl SourceGap {
    /// # Errors
    /// [`PayloadError`] when the payload is no gap.
    pub fn read(payload: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        reader.tuple(2)?;
        let gap = Self { readings: reader.uint()?, cause: reader.number()? };
        reader.done()?;
        Ok(gap)
    }
}

/// Writes the payload of a gap frame.
#[must_use]
pub fn write_gap(gap: SourceGap) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
    let mut writer = Writer::new(Room::default());
    writer.array(2).uint(gap.readings).uint(gap.cause.into());
    writer.finish()
}

fn read_exponent(reader: &mut Reader<'_>) -> Result<i8, PayloadError> {
    i8::try_from(reader.int()?).map_err(|_| PayloadError::Range)
}

/// Numerics of neighbouring channels at one moment.
#[derive(Clone, Copy, Debug)]
pub struct NumericEntry<'a> {
    /// Number of the first channel.
    pub channel_first: u16,
    /// How many channels.
    pub count: usize,
    values: Reader<'a>,
}

impl<'a> NumericEntry<'a> {
    /// The values with their status; a plain number has the channel's exponent (`None`).
    #[must_use]
    pub const fn values(&self) -> ValueIter<'a> {
        ValueIter { reader: self.values, left: self.count }
    }
}

/// Walks values: the number, its own exponent if it differs from the channel's, its status.
#[derive(Clone, Debug)]
pub struct ValueIter<'a> {
    reader: Reader<'a>,
    left: usize,
}

/// One value: mantissa in the channel's exponent, or a whole number or state with a status.
pub type Value = Result<i64, (Number, Status)>;

fn read_value(reader: &mut Reader<'_>) -> Result<Value, PayloadError> {
    if reader.next_is_int() {
        return Ok(Ok(reader.int()?));
    }
    let number = match reader.array()? {
        2 => Number::Not(Absent::from_number(reader.uint()?).ok_or(PayloadError::Range)?),
        3 => Number::Is(Decimal { mantissa: reader.int()?, exponent: read_exponent(reader)? }),
        _ => return Err(PayloadError::Range),
    };
    Ok(Err((number, reader.number()?)))
}

impl Iterator for ValueIter<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        read_value(&mut self.reader).ok()
    }
}

/// Samples of one or more neighbouring channels with the same rate, from one sample on.
#[derive(Clone, Copy, Debug)]
pub struct WaveEntry<'a> {
    /// Number of the first channel.
    pub channel_first: u16,
    /// How many channels.
    pub channels: u16,
    /// Number of the first sample since the device started to count.
    pub sample_first: u64,
    /// Status of all samples.
    pub status: Status,
    /// Samples of each channel.
    pub count: usize,
    bytes: &'a [u8],
}

impl<'a> WaveEntry<'a> {
    /// The samples, channel after channel; `None` marks an invalid one.
    #[must_use]
    pub fn samples(&self) -> SampleIter<'a> {
        let left = self.count.saturating_mul(usize::from(self.channels));
        SampleIter { bytes: self.bytes, left, per_channel: self.count, last: 0 }
    }
}

/// Walks samples: variable-length integers, 0 invalid, else zigzag difference plus one.
#[derive(Clone, Debug)]
pub struct SampleIter<'a> {
    bytes: &'a [u8],
    left: usize,
    per_channel: usize,
    last: i32,
}

impl Iterator for SampleIter<'_> {
    type Item = Option<i32>;

    fn next(&mut self) -> Option<Option<i32>> {
        if self.left == 0 {
            return None;
        }
        if self.left.is_multiple_of(self.per_channel) {
            self.last = 0;
        }
        self.left -= 1;
        let (value, used) = read_varint(self.bytes)?;
        self.bytes = &self.bytes[used..];
        let Some(zigzag) = value.checked_sub(1) else {
            return Some(None);
        };
        let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        self.last = i32::try_from(i64::from(self.last) + difference).ok()?;
        Some(Some(self.last))
    }
}

fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// One thing that a data frame says.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Numerics.
    Numerics(NumericEntry<'a>),
    /// Waveform samples.
    Wave(WaveEntry<'a>),
    /// An alert.
    Alert(Alert<'a>),
    /// An event of the device.
    Event(Event),
    /// From now on the readings belong to this context (a token, empty = none).
    Context(&'a [u8]),
}

/// Walks what a data frame says.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    /// Time of the frame in ticks of the device.
    pub time_ticks: i64,
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Entries<'a> {
    /// Checks the whole payload, then walks it without further errors.
    ///
    /// # Errors
    /// [`PayloadError`] for the first fault in any entry.
    pub fn read(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let left = reader.array()?.checked_sub(1).ok_or(PayloadError::Range)?;
        let time_ticks = reader.int()?;
        let entries = Self { time_ticks, reader, left };
        (0..left).try_for_each(|_| read_entry(&mut reader).map(drop))?;
        reader.done()?;
        Ok(entries)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.left = self.left.checked_sub(1)?;
        read_entry(&mut self.reader).ok()
    }
}

fn read_entry<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, PayloadError> {
    let fields = reader.array()?;
    match (reader.uint()?, fields) {
        (0, 3) => {
            let channel_first = reader.number()?;
            let count = reader.array()?;
            let values = *reader;
            (0..count).try_for_each(|_| read_value(reader).map(drop))?;
            Ok(Entry::Numerics(NumericEntry { channel_first, count, values }))
        }
        (1, 7) => read_wave(reader).map(Entry::Wave),
        (2, 7) => Ok(Entry::Alert(Alert {
            code: reader.number()?,
            source: reader.number()?,
            phase: reader.number()?,
            state: reader.number()?,
            priority: reader.number()?,
            text: reader.text(TEXT_BYTES_MAX)?,
        })),
        (3, 3) => Ok(Entry::Event(Event { code: reader.number()?, value: reader.int()? })),
        (4, 2) => Ok(Entry::Context(reader.bytes()?)),
        _ => Err(PayloadError::Range),
    }
}

fn read_wave<'a>(reader: &mut Reader<'a>) -> Result<WaveEntry<'a>, PayloadError> {
    let wave = WaveEntry {
        channel_first: reader.number()?,
        channels: reader.number()?,
        sample_first: reader.uint()?,
        status: reader.number()?,
        count: reader.number()?,
        bytes: reader.bytes()?,
    };
    let wanted = wave.count.saturating_mul(usize::from(wave.channels));
    let ends = wave.sample_first.checked_add(wave.count as u64);
    if wanted == 0 || wanted > wave.bytes.len() || ends.is_none_or(|end| end > SAMPLE_LAST) {
        return Err(PayloadError::Range);
    }
    let mut samples = wave.samples();
    if samples.by_ref().count() != wanted || !samples.bytes.is_empty() {
        return Err(PayloadError::Range);
    }
    Ok(wave)
}

mod hello;
mod standing;
mod write;

pub use hello::{Hello, HelloChannels, write_hello};
pub use standing::{LINK_LEVEL, Standing};
pub use write::DataWriter;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::identity::DeviceId;
    use crate::reading::{Channel, ChannelKind, Mode};
    use crate::time::{DeviceClock, Rate};
    use std::vec::Vec;

    #[test]
    fn a_data_frame_says_what_was_written() {
        let mut writer = DataWriter::new(1234);
        let absent = Err((Number::Not(Absent::NaN), 1));
        let finer = Err((Number::Is(Decimal { mantissa: 365, exponent: -1 }), 2));
        assert!(writer.numerics(3, &[Ok(80), absent, finer, Ok(-7)]));
        let samples: [&[Option<i32>]; 2] =
            [&[Some(-5), None, Some(1000)], &[Some(i32::MIN), Some(i32::MAX), Some(0)]];
        assert!(writer.wave(9, 77, 0, &samples));
        let payload = writer.finish();

        let entries: Vec<_> = Entries::read(payload.as_slice()).unwrap().collect();

        let Entry::Numerics(numerics) = entries[0] else { panic!("no numerics") };
        assert_eq!(numerics.values().collect::<Vec<_>>(), [Ok(80), absent, finer, Ok(-7)]);
        let Entry::Wave(wave) = entries[1] else { panic!("no wave") };
        assert_eq!((wave.channel_first, wave.channels, wave.sample_first), (9, 2, 77));
        assert_eq!(wave.samples().collect::<Vec<_>>(), samples.concat());
    }

    #[test]
    fn an_alert_is_written_only_if_the_other_side_takes_it() {
        let alert = |text| Alert { code: 1, source: 2, phase: 0, state: 1, priority: 3, text };
        let text = "x".repeat(TEXT_BYTES_MAX + 1);
        let mut writer = DataWriter::new(1234);

        assert!(!writer.alert(&alert(&text)) && writer.is_empty());
        assert!(writer.alert(&alert(&text[1..])));
        assert_eq!(Entries::read(writer.finish().as_slice()).unwrap().count(), 1);
    }

    #[test]
    fn a_hello_says_what_was_written() {
        let channel = Channel {
            code: 131_330,
            unit: 266_418,
            kind: ChannelKind::Wave {
                rate: Rate::hertz(360),
                gain: Decimal { mantissa: 200, exponent: 0 },
                baseline: 1024,
                bits: 11,
            },
            label: "MLII",
            unit_label: "mV",
        };
        let about = (DeviceId(5), DeviceClock::Utc, 0, Mode::Demo);

        let payload = write_hello(about, 1, "sim 1", 0, &[channel]).unwrap();
        let hello = Hello::read(payload.as_slice()).unwrap();

        assert_eq!((hello.device, hello.clock, hello.mode), (about.0, about.1, about.3));
        assert_eq!(hello.channels().collect::<Vec<_>>(), [channel]);
    }
}
