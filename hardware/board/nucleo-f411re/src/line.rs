//! The line to the gateway: USART2, which the board's own debugger brings to a USB cable. What
//! comes is kept by an interrupt, since the program may wait for the bus of its sensor.

use core::cell::RefCell;
use core::convert::Infallible;

use critical_section::Mutex;
use embedded_io::{ErrorType, Write};
use heapless::Deque;
use stm32f4xx_hal::pac::{NVIC, USART2, interrupt};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::serial::{Rx, RxListen, Serial, Tx};

/// Bytes that may wait: some frames.
const WAITING_MAX: usize = 512;

type Heard = (Option<Rx<USART2>>, Deque<u8, WAITING_MAX>);
static HEARD: Mutex<RefCell<Heard>> = Mutex::new(RefCell::new((None, Deque::new())));

/// Both ways.
pub struct Line(Tx<USART2>);

impl Line {
    /// Listens from now on.
    pub fn start(serial: Serial<USART2>) -> Self {
        let (tx, mut rx) = serial.split();
        rx.listen();
        critical_section::with(|guard| HEARD.borrow_ref_mut(guard).0 = Some(rx));
        // SAFETY: the handler below is ready, and touches nothing but what the lock guards.
        unsafe { NVIC::unmask(interrupt::USART2) };
        Self(tx)
    }

    /// Takes bytes that have come; how many.
    pub fn receive(&mut self, bytes: &mut [u8]) -> usize {
        let mut count = 0;
        critical_section::with(|guard| {
            let mut heard = HEARD.borrow_ref_mut(guard);
            for place in bytes {
                let Some(byte) = heard.1.pop_front() else { return };
                (*place, count) = (byte, count + 1);
            }
        });
        count
    }
}

impl ErrorType for Line {
    type Error = Infallible;
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        // A UART takes every byte in the end.
        let mut left = bytes;
        while !left.is_empty() {
            let count = embedded_io_06::Write::write(&mut self.0, left).unwrap_or(1);
            left = &left[count.min(left.len())..];
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[interrupt]
fn USART2() {
    critical_section::with(|guard| {
        let mut heard = HEARD.borrow_ref_mut(guard);
        let (Some(rx), waiting) = &mut *heard else { return };
        // An error of the line, and a byte without room, are found by the frame's checksum.
        while let Ok(byte) = rx.read() {
            let _full: Result<(), u8> = waiting.push_back(byte);
        }
    });
}
