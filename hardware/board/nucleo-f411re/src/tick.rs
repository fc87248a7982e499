//! Time: milliseconds since the start, by the processor's own timer.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

/// Begins to count.
pub fn start(mut timer: SYST, hertz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(hertz / 1000 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Milliseconds since the start, which begin anew after 49 days.
pub fn now() -> u32 {
    MILLISECONDS.load(Ordering::Relaxed)
}

#[exception]
fn SysTick() {
    MILLISECONDS.store(now().wrapping_add(1), Ordering::Relaxed);
}
