//! Registers: the one place that reads and writes memory by its address.

/// A 32-bit register of the chip.
#[derive(Clone, Copy)]
pub struct Register(usize);

impl Register {
    /// A register that the data sheet places at an address.
    pub const fn at(address: usize) -> Self {
        Self(address)
    }

    pub fn read(self) -> u32 {
        // SAFETY: every address in this program is that of a register of the LM3S6965, aligned and
        // always there; one thread reads it.
        unsafe { core::ptr::read_volatile(self.0 as *const u32) }
    }

    pub fn write(self, value: u32) {
        // SAFETY: as for reading; no register of this program moves memory that Rust knows of.
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
