//! The bus of a sensor: blocking ones where a driver wants an asynchronous one, and registers.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_hal::{i2c, spi};

use super::Fault;

/// Any bus error as a fault.
pub fn fault<E: i2c::Error>(error: E) -> Fault {
    Fault::Bus(error.kind())
}

/// Reads so many bytes from a register on.
pub async fn read_from<const N: usize, B: embedded_hal_async::i2c::I2c>(
    bus: &mut B,
    address: u8,
    register: u8,
) -> Result<[u8; N], Fault> {
    let mut found = [0; N];
    bus.write_read(address, &[register], &mut found).await.map_err(fault)?;
    Ok(found)
}

/// Writes bytes, the register's number first.
pub async fn write<B: embedded_hal_async::i2c::I2c>(
    bus: &mut B,
    address: u8,
    bytes: &[u8],
) -> Result<(), Fault> {
    bus.write(address, bytes).await.map_err(fault)
}

/// Looks whether a register of 16 bits holds what it must, where the mask has ones.
pub async fn expect16<B: embedded_hal_async::i2c::I2c>(
    bus: &mut B,
    address: u8,
    register: u8,
    (expected, mask): (u16, u16),
) -> Result<(), Fault> {
    let found = u16::from_be_bytes(read_from(bus, address, register).await?) & mask;
    is(found, expected)
}

/// The same of 8 bits.
pub async fn expect8<B: embedded_hal_async::i2c::I2c>(
    bus: &mut B,
    address: u8,
    register: u8,
    (expected, mask): (u8, u8),
) -> Result<(), Fault> {
    let [found] = read_from(bus, address, register).await?;
    is((found & mask).into(), expected.into())
}

pub const fn is(found: u16, expected: u16) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { Err(Fault::Identity { expected, found }) }
}

/// A blocking bus where a driver wants an asynchronous one.
#[derive(Debug)]
pub struct Blocking<T>(pub T);

impl<T: i2c::ErrorType> i2c::ErrorType for Blocking<T> {
    type Error = T::Error;
}

impl<T: i2c::I2c> embedded_hal_async::i2c::I2c for Blocking<T> {
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
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), T::Error> {
        self.0.transaction(address, operations)
    }
}

impl<T: spi::ErrorType> spi::ErrorType for Blocking<T> {
    type Error = T::Error;
}

impl<T: spi::SpiDevice> embedded_hal_async::spi::SpiDevice for Blocking<T> {
    async fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), T::Error> {
        self.0.transaction(operations)
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
