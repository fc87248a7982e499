//! Sensor: a chip on a bus, and what it says in numbers with code, unit and status.
//!
//! A driver is written once, against the asynchronous bus; [`Blocking`] lends it a blocking one.
//! A fault of chip or bus is never a number: it becomes a status, or a gap for waveforms.

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_hal::i2c::ErrorKind;
use wire::link::{DataWriter, Value};
use wire::reading::Channel;

pub mod tmp105;

#[cfg(test)]
mod simulated;

/// Why a sensor gives no reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The bus: nobody acknowledges, arbitration lost, or another of its errors.
    Bus(ErrorKind),
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
            Self::Identity { expected, found } => {
                write!(f, "identity is {found:#06x} in place of {expected:#06x}; check the address")
            }
            Self::Implausible(bits) => write!(f, "impossible bits {bits:#06x}; check the chip"),
        }
    }
}

impl core::error::Error for Fault {}

/// Any bus error as a fault.
pub(crate) fn bus<E: embedded_hal::i2c::Error>(error: E) -> Fault {
    Fault::Bus(error.kind())
}

/// Readings of one moment, with the numbers of this sensor's channels from 0.
#[derive(Debug)]
pub struct Readings<'w> {
    writer: &'w mut DataWriter,
    channel_first: u16,
    count: u8,
    refused: u8,
}

impl<'w> Readings<'w> {
    pub(crate) fn new(writer: &'w mut DataWriter, channel_first: u16) -> Self {
        Self { writer, channel_first, count: 0, refused: 0 }
    }

    /// Numerics of neighbouring channels; whether there was room.
    pub fn numerics(&mut self, channel: u16, values: &[Value]) -> bool {
        let taken = self.writer.numerics(self.channel_first + channel, values);
        let counted = if taken { &mut self.count } else { &mut self.refused };
        *counted = counted.saturating_add(values.len() as u8);
        taken
    }

    /// How many were taken, and for how many there was no room.
    pub(crate) const fn counts(&self) -> (u8, u8) {
        (self.count, self.refused)
    }
}

/// A chip on a bus `B`.
pub trait Sensor<B> {
    /// What it measures.
    fn channels(&self) -> &'static [Channel<'static>];

    /// Milliseconds between two readings.
    fn period(&self) -> u32;

    /// Looks whether it is the right chip, and sets it up.
    ///
    /// # Errors
    /// [`Fault`]; nothing of it may be read then.
    fn start(&mut self, bus: &mut B) -> impl Future<Output = Result<(), Fault>>;

    /// Reads all channels.
    ///
    /// # Errors
    /// [`Fault`]; what was written into `readings` is dropped then.
    fn read(
        &mut self,
        bus: &mut B,
        readings: &mut Readings<'_>,
    ) -> impl Future<Output = Result<(), Fault>>;
}

/// A blocking bus where a driver wants an asynchronous one.
#[derive(Debug)]
pub struct Blocking<T>(pub T);

impl<T: embedded_hal::i2c::ErrorType> embedded_hal::i2c::ErrorType for Blocking<T> {
    type Error = T::Error;
}

impl<T: embedded_hal::i2c::I2c> embedded_hal_async::i2c::I2c for Blocking<T> {
    async fn read(&mut self, address: u8, bytes: &mut [u8]) -> Result<(), T::Error> {
        self.0.read(address, bytes)
    }

    async fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), T::Error> {
        self.0.write(address, bytes)
    }

    async fn write_read(
        &mut self,
        address: u8,
        written: &[u8],
        bytes: &mut [u8],
    ) -> Result<(), T::Error> {
        self.0.write_read(address, written, bytes)
    }

    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [embedded_hal::i2c::Operation<'_>],
    ) -> Result<(), T::Error> {
        self.0.transaction(address, operations)
    }
}

/// Runs what waits for nothing but a [`Blocking`] bus.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
