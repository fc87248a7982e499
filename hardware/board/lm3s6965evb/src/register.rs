//! Registers: the one place that reads and writes memory by its address.

/// A 32-bit register of the chip, or a word of its memory.
#[derive(Clone, Copy)]
pub struct Register(usize);

impl Register {
    /// A register that the data sheet places at an address.
    pub const fn at(address: usize) -> Self {
        Self(address)
    }

    pub fn read(self) -> u32 {
        // SAFETY: every address in this program is that of a register of the LM3S6965, or of a word
        // between the program's data and its stack; aligned and always there; one thread reads it.
        unsafe { core::ptr::read_volatile(self.0 as *const u32) }
    }

    pub fn write(self, value: u32) {
        // SAFETY: as for reading; no register of this program moves memory that Rust knows of, and
        // words below the stack are nobody's.
        unsafe { core::ptr::write_volatile(self.0 as *mut u32, value) }
    }

    /// Whether any of these bits is set.
    pub fn has(self, bits: u32) -> bool {
        self.read() & bits != 0
    }
}

/// Gives the peripherals of this program their clocks: UART0, UART1, I2C1, timer 0.
pub fn start_clocks() {
    let run_mode_clock_1 = Register::at(0x400F_E104);
    run_mode_clock_1.write(run_mode_clock_1.read() | 1 | 1 << 1 | 1 << 14 | 1 << 16);
}

/// What an unused word of the stack holds.
const PAINT: u32 = 0xA5A5_5A5A;

unsafe extern "C" {
    /// The end of what the program keeps, where the stack may grow to.
    static mut __sheap: u32;
    /// Where the stack begins.
    static mut _stack_start: u32;
}

/// Words below this one are free.
fn stack_now() -> usize {
    let here = 0u32;
    core::ptr::from_ref(&here).addr() - 256
}

/// Paints what the stack does not use yet.
pub fn paint_stack() {
    let (mut at, end) = ((&raw mut __sheap).addr(), stack_now());
    while at < end {
        Register(at).write(PAINT);
        at += 4;
    }
}

/// Bytes that the stack has used at most since it was painted.
pub fn stack_used() -> usize {
    let (mut at, end) = ((&raw mut __sheap).addr(), (&raw mut _stack_start).addr());
    while at < end && Register(at).read() == PAINT {
        at += 4;
    }
    end - at
}

/// Rests until the next interrupt.
pub fn wait() {
    // SAFETY: the instruction touches neither memory nor registers.
    unsafe { core::arch::asm!("wfi", options(nomem, nostack, preserves_flags)) }
}

/// Starts the chip anew.
pub fn reset() -> ! {
    Register::at(0xE000_ED0C).write(0x05FA_0004);
    loop {
        wait();
    }
}
