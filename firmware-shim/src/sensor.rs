//! Sensor: a chip on a bus, and what it says in numbers with code, unit and status.
//!
//! A driver is written once, against the asynchronous bus; [`Blocking`] lends it a blocking one.
//! A fault of chip or bus is never a number: it becomes a status, or a gap for waveforms.

use core::fmt;
use core::future::Future;

use embedded_hal::{i2c, spi};
use wire::link::{DataWriter, Value};
use wire::reading::{Channel, ChannelKind, Status};

use crate::timeline::Timeline;

mod bus;

pub use bus::{Blocking, block_on};

pub mod lm75;

pub mod tmp117;

pub mod mlx90614;

pub mod bme280;

pub mod ina219;

pub mod ds3231;

pub mod max30102;

pub mod ads1292r;

#[cfg(test)]
mod simulated;

/// Why a sensor gives no reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The I2C bus: nobody acknowledges, arbitration lost, or another of its errors.
    Bus(i2c::ErrorKind),
    /// The SPI bus.
    Spi(spi::ErrorKind),
    /// The pin by which the chip says that it has something cannot be read.
    Pin,
    /// The chip has given nothing new for too long.
    Silent,
    /// The chip had no room for its samples: it was read too late.
    Overrun,
    /// Another chip answers, or one that lost its settings: what was read in place of what.
    Identity {
        /// What the data sheet says.
        expected: u16,
        /// What was read.
        found: u16,
    },
    /// Bits that the data sheet says cannot be: the line is stuck, or the chip is broken.
    Implausible(u16),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(kind) => write!(f, "bus: {kind}; check wiring and pull-ups"),
            Self::Spi(kind) => write!(f, "bus: {kind}; check wiring and chip select"),
            Self::Pin => f.write_str("the pin of the chip cannot be read"),
            Self::Silent => f.write_str("the chip gives nothing new; check its supply and pin"),
            Self::Overrun => {
                f.write_str("the chip was read too late; look what keeps the processor")
            }
            Self::Identity { expected, found } => {
                write!(f, "identity is {found:#06x} in place of {expected:#06x}; check the address")
            }
            Self::Implausible(bits) => write!(f, "impossible bits {bits:#06x}; check the chip"),
        }
    }
}

impl core::error::Error for Fault {}

/// Readings of one turn, with the numbers of this sensor's channels from 0.
#[derive(Debug)]
pub struct Readings<'w> {
    writer: &'w mut DataWriter,
    channel_first: u16,
    now: i64,
    behind: u32,
    turn: Turn,
}

/// What came of one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Readings that were taken.
    pub count: u8,
    /// Readings for which there was no room.
    pub refused: u8,
    /// When the first sample was taken, if there was one.
    pub samples_at: Option<i64>,
    /// Samples of each waveform that are missing before it.
    pub missing: u64,
    /// What is known of samples then.
    pub timeline: Timeline,
}

impl<'w> Readings<'w> {
    pub(crate) const fn new(
        writer: &'w mut DataWriter,
        channel_first: u16,
        (timeline, now): (Timeline, i64),
    ) -> Self {
        let turn = Turn { count: 0, refused: 0, samples_at: None, missing: 0, timeline };
        Self { writer, channel_first, now, behind: 0, turn }
    }

    /// Numerics of neighbouring channels; whether there was room.
    pub fn numerics(&mut self, channel: u16, values: &[Value]) -> bool {
        let taken = self.writer.numerics(self.channel_first + channel, values);
        self.tally(taken, values.len());
        taken
    }

    /// So many samples, newer than those that are said, still wait in the chip.
    pub const fn behind(&mut self, samples: u32) {
        self.behind = samples;
    }

    /// Samples of all waveforms, from this channel on, the same count of each; `None` is an invalid
    /// one. Whether there was room: at most 200 bytes in a turn, where a sample takes one to five.
    pub fn wave(&mut self, channel: u16, status: Status, channels: &[&[Option<i32>]]) -> bool {
        let count = channels.first().map_or(0, |samples| samples.len());
        let said = self.turn.timeline.say(count as u32, self.behind, self.now);
        let channel = self.channel_first + channel;
        let taken = self.writer.wave(channel, said.first, status, channels);
        self.turn.samples_at = self.turn.samples_at.or(Some(said.at));
        self.turn.missing += said.missing;
        self.tally(taken, count * channels.len());
        taken
    }

    const fn tally(&mut self, taken: bool, readings: usize) {
        let counted = if taken { &mut self.turn.count } else { &mut self.turn.refused };
        *counted = counted.saturating_add(if readings > 255 { 255 } else { readings as u8 });
    }

    pub(crate) const fn turn(&self) -> Turn {
        self.turn
    }
}

/// A channel of numbers.
pub(crate) const fn numeric(code: u32, unit: u32, exponent: i8) -> Channel<'static> {
    let kind = ChannelKind::Numeric { exponent };
    Channel { code, unit, kind, label: "", unit_label: "" }
}

/// MDC_DIM_DEGC.
pub(crate) const DEGREE_CELSIUS: u32 = 268_192;
/// MDC_TEMP_SKIN.
pub(crate) const SKIN_TEMPERATURE: u32 = 150_388;

/// A chip on a bus `B`.
pub trait Sensor<B> {
    /// What it measures.
    fn channels(&self) -> &'static [Channel<'static>];

    /// Milliseconds between two turns.
    fn period(&self) -> u32;

    /// Turns from one set of numerics to the next: of a sensor that has waveforms, too.
    fn turns_a_numeric(&self) -> u32 {
        1
    }

    /// A turn came too late: whether samples may be missing now. What was collected and not said
    /// is then thrown away, and declared.
    fn forgets_when_late(&mut self) -> bool {
        false
    }

    /// Looks whether it is the right chip, and sets it up; it is read from the next turn on, when
    /// its first measurement has ended.
    ///
    /// # Errors
    /// [`Fault`]; nothing of it may be read then.
    fn start(&mut self, bus: &mut B) -> impl Future<Output = Result<(), Fault>>;

    /// Reads what the chip has: numerics once a turn, samples as many as there are.
    ///
    /// # Errors
    /// [`Fault`]; what was written into `readings` is dropped then.
    fn read(
        &mut self,
        bus: &mut B,
        readings: &mut Readings<'_>,
    ) -> impl Future<Output = Result<(), Fault>>;
}
