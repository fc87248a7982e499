//! A UART of the chip (LM3S6965 data sheet, chapter 12), without interrupts.

use core::convert::Infallible;

use embedded_io::{ErrorType, Write};

use crate::register::Register;

const TRANSMIT_FULL: u32 = 1 << 5;
const RECEIVE_EMPTY: u32 = 1 << 4;
/// 8 bits, no parity, one stop bit, FIFOs of 16 bytes.
const LINE: u32 = 0b111 << 4;
/// Enabled, both ways.
const ENABLED: u32 = 0x301;
/// 115,200 baud of 12.5 MHz: 6 whole and 50 of 64 parts.
const DIVISOR: (u32, u32) = (6, 50);

/// A UART.
pub struct Uart {
    data: Register,
    flags: Register,
}

impl Uart {
    /// The UART with these registers, at 115,200 baud.
    pub fn start(base: usize) -> Self {
        Register::at(base + 0x30).write(0);
        Register::at(base + 0x24).write(DIVISOR.0);
        Register::at(base + 0x28).write(DIVISOR.1);
        Register::at(base + 0x2C).write(LINE);
        Register::at(base + 0x30).write(ENABLED);
        Self { data: Register::at(base), flags: Register::at(base + 0x18) }
    }

    /// Takes bytes that have come; how many.
    pub fn receive(&mut self, bytes: &mut [u8]) -> usize {
        let mut count = 0;
        while count < bytes.len() && !self.flags.has(RECEIVE_EMPTY) {
            // Errors of the line stand above the byte; the frame's checksum finds them.
            bytes[count] = self.data.read() as u8;
            count += 1;
        }
        count
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while self.flags.has(TRANSMIT_FULL) {}
            self.data.write(u32::from(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
