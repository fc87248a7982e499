//! Time: milliseconds since the start. A timer of the chip counts, also while its flash is erased
//! and the processor stands still for seconds; the processor's own timer only wakes it.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use firmware_shim::clock::Ticks;
use fugit::TimerDurationU32;
use stm32f4xx_hal::pac::TIM5;
use stm32f4xx_hal::rcc::Rcc;
use stm32f4xx_hal::timer::{Counter, TimerExt};

/// As slow as the timer's divider lets it count at 84 MHz.
const HERTZ: u32 = 2_000;

/// The clock of this run.
pub struct Clock {
    timer: Counter<TIM5, HERTZ>,
    ticks: Ticks,
}

impl Clock {
    /// Begins to count, and to wake the processor each millisecond.
    pub fn start(timer: TIM5, mut waker: SYST, hertz: u32, rcc: &mut Rcc) -> Self {
        waker.set_clock_source(SystClkSource::Core);
        waker.set_reload(hertz / 1000 - 1);
        waker.clear_current();
        waker.enable_counter();
        waker.enable_interrupt();
        let mut timer = timer.counter::<HERTZ>(rcc);
        // So long that it cannot be refused: the timer has 32 bits.
        let _started = timer.start(TimerDurationU32::from_ticks(u32::MAX));
        Self { timer, ticks: Ticks::default() }
    }

    /// Milliseconds since the start, which begin anew after 49 days.
    pub fn now(&mut self) -> u32 {
        let ticks = self.ticks.extend(self.timer.now().ticks());
        (ticks / i64::from(HERTZ / 1000)) as u32
    }
}

#[exception]
fn SysTick() {}
