//! I2C master of the chip (LM3S6965 data sheet, chapter 14), without interrupts.

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use crate::register::Register;

const RUN: u32 = 1;
const START: u32 = 1 << 1;
const STOP: u32 = 1 << 2;
const ACKNOWLEDGE: u32 = 1 << 3;
/// Of the status that the same register gives.
const BUSY: u32 = 1;
const ERROR: u32 = 1 << 1;
const ADDRESS_REFUSED: u32 = 1 << 2;
const ARBITRATION_LOST: u32 = 1 << 4;
/// 100 kHz of 12.5 MHz: 12.5 MHz / (20 x 100 kHz) - 1, rounded up.
const PERIOD: u32 = 6;
/// A byte takes 90 microseconds; a bus that is held for so many looks, some ten of them, is stuck.
const LOOKS_MAX: u32 = 10_000;
const MASTER: u32 = 1 << 4;

/// The I2C1 master.
pub struct I2c1 {
    address: Register,
    control: Register,
    data: Register,
}

impl I2c1 {
    const BASE: usize = 0x4002_1000;

    /// Starts the master at 100 kHz.
    pub fn start() -> Self {
        Register::at(Self::BASE + 0x20).write(MASTER);
        Register::at(Self::BASE + 0x0C).write(PERIOD);
        Self {
            address: Register::at(Self::BASE),
            control: Register::at(Self::BASE + 4),
            data: Register::at(Self::BASE + 8),
        }
    }

    fn step(&mut self, command: u32) -> Result<(), ErrorKind> {
        self.control.write(command);
        let ready = (0..LOOKS_MAX).map(|_| self.control.read()).find(|status| status & BUSY == 0);
        let status = ready.ok_or(ErrorKind::Bus)?;
        let error = if status & ARBITRATION_LOST != 0 {
            ErrorKind::ArbitrationLoss
        } else if status & ADDRESS_REFUSED != 0 {
            ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)
        } else if status & ERROR != 0 {
            ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown)
        } else {
            return Ok(());
        };
        self.control.write(STOP);
        Err(error)
    }

    fn send(&mut self, address: u8, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.address.write(u32::from(address) << 1);
        for (at, byte) in bytes.iter().enumerate() {
            self.data.write(u32::from(*byte));
            let first = if at == 0 { START } else { 0 };
            let last = if at + 1 == bytes.len() { STOP } else { 0 };
            self.step(RUN | first | last)?;
        }
        Ok(())
    }

    fn receive(&mut self, address: u8, bytes: &mut [u8]) -> Result<(), ErrorKind> {
        self.address.write(u32::from(address) << 1 | 1);
        let end = bytes.len();
        for (at, byte) in bytes.iter_mut().enumerate() {
            let first = if at == 0 { START } else { 0 };
            let last = if at + 1 == end { STOP } else { ACKNOWLEDGE };
            self.step(RUN | first | last)?;
            *byte = self.data.read() as u8;
        }
        Ok(())
    }
}

impl ErrorType for I2c1 {
    type Error = ErrorKind;
}

impl I2c for I2c1 {
    /// Each operation ends with a stop: QEMU's master knows no repeated start, and no sensor of
    /// this board needs one.
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        operations.iter_mut().try_for_each(|operation| match operation {
            Operation::Write(bytes) => self.send(address, bytes),
            Operation::Read(bytes) => self.receive(address, bytes),
        })
    }
}
