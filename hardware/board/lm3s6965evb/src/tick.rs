//! Time: milliseconds since the start. The processor's timer counts a second, and an interrupt
//! counts seconds: one a millisecond would be lost whenever an emulator is kept waiting.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m_rt::exception;

use crate::register::Register;

/// The chip's clock after reset: 200 MHz by 16. A second of it fits into the timer's 24 bits.
const CYCLES_A_SECOND: u32 = 12_500_000;
const CYCLES_A_MILLISECOND: u32 = CYCLES_A_SECOND / 1000;

const CONTROL: Register = Register::at(0xE000_E010);
const RELOAD: Register = Register::at(0xE000_E014);
const LEFT: Register = Register::at(0xE000_E018);
const PENDING: Register = Register::at(0xE000_ED04);
const SYSTICK_PENDS: u32 = 1 << 26;

/// The timer has 24 bits.
const MOST_STEPS: u32 = 0x00FF_FFFF;

/// Timer 0 (data sheet, chapter 10) only wakes us; its interrupt is number 19.
const TIMER: usize = 0x4003_0000;
const TIMER_INTERRUPT: u32 = 1 << 19;

static SECONDS: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicU32 = AtomicU32::new(0);

/// Begins to count, and to wake the processor each millisecond.
pub fn start() {
    RELOAD.write(CYCLES_A_SECOND - 1);
    LEFT.write(0);
    CONTROL.write(0b111);
    // 32 bits, periodic, so long, with an interrupt.
    for (offset, value) in [(0, 0), (0x04, 2), (0x28, CYCLES_A_MILLISECOND - 1), (0x18, 1)] {
        Register::at(TIMER + offset).write(value);
    }
    Register::at(0xE000_E100).write(TIMER_INTERRUPT);
    Register::at(TIMER + 0x0C).write(1);
}

/// Counts without waking anybody.
pub fn start_counting() {
    RELOAD.write(MOST_STEPS);
    LEFT.write(0);
    CONTROL.write(0b101);
}

/// Steps of the timer since it was started, modulo 2^24, counted up; only their differences matter.
pub fn steps() -> u32 {
    MOST_STEPS - LEFT.read()
}

/// Milliseconds since the start, which begin anew after 49 days; they never go back.
pub fn now() -> u32 {
    let now = loop {
        let (seconds, left) = (SECONDS.load(Ordering::Relaxed), LEFT.read());
        // The second may have ended between the two.
        if !PENDING.has(SYSTICK_PENDS) && SECONDS.load(Ordering::Relaxed) == seconds {
            let passed = if left == 0 { 0 } else { CYCLES_A_SECOND - left };
            break seconds.wrapping_mul(1000).wrapping_add(passed / CYCLES_A_MILLISECOND);
        }
    };
    let last = LAST.load(Ordering::Relaxed);
    let newest = if now.wrapping_sub(last).cast_signed() < 0 { last } else { now };
    LAST.store(newest, Ordering::Relaxed);
    newest
}

#[exception]
fn SysTick() {
    SECONDS.store(SECONDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

// SAFETY: the runtime calls it for every interrupt; the timer's is the only one that is enabled.
#[exception]
unsafe fn DefaultHandler(_: i16) {
    Register::at(TIMER + 0x24).write(1);
}
