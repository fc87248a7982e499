//! A sensor on a Nucleo board: its readings to the gateway over the board's USB cable, kept in
//! flash until they are durable there.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware_shim::about::About;
use firmware_shim::flash::{Flash, FlashFault};
use firmware_shim::sampler::Sampler;
use firmware_shim::sender::Sender;
#[cfg(feature = "max30102")]
use firmware_shim::sensor::max30102::Max30102;
#[cfg(not(feature = "max30102"))]
use firmware_shim::sensor::tmp117::Tmp117;
use firmware_shim::sensor::{Blocking, Sensor, block_on};
use firmware_shim::watchdog::Watchdog;
use stm32f4xx_hal::gpio::{OpenDrain, Output, PB8};
use stm32f4xx_hal::i2c::I2c;
use stm32f4xx_hal::pac::{CorePeripherals, I2C1, Peripherals};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::signature::Uid;
use stm32f4xx_hal::watchdog::IndependentWatchdog;
use wire::identity::DeviceId;
use wire::link::LinkKey;
use wire::reading::Mode;

use line::Line;
use sectors::Large;
use tick::Clock;

mod boot;
mod line;
mod sectors;
mod tick;

type Bus = Blocking<I2c<I2C1>>;
#[cfg(feature = "max30102")]
type Chip = Max30102;
#[cfg(not(feature = "max30102"))]
type Chip = Tmp117;

/// Some minutes of temperatures, some seconds of light.
const RING_BYTES: usize = 8 * 1024;
/// Of the line; the debugger's port follows whatever the gateway opens it with.
const BAUD: u32 = 115_200;
const CORE_MEGAHERTZ: u32 = 84;
/// The fastest of all the chips that firmware-shim knows.
const BUS_KILOHERTZ: u32 = 100;
/// A flash sector is erased in four seconds at the most.
const WATCHDOG_MS: u32 = 12_000;
/// So long after the start nothing is measured while an earlier run has something to say.
const OLD_FIRST_MS: u32 = 4_000;
/// Half a clock of the bus, cycles.
const HALF_CLOCK: u32 = CORE_MEGAHERTZ * 1_000 / BUS_KILOHERTZ / 2;
const LARGE: core::ops::Range<u32> = 0..2 * 128 * 1024;

#[cfg(feature = "max30102")]
fn chip() -> Chip {
    Max30102::default()
}

#[cfg(not(feature = "max30102"))]
fn chip() -> Chip {
    Tmp117::new(0x48)
}

/// An EUI-64 of the locally administered kind, from what the maker wrote into the chip (FNV-1a).
fn device() -> DeviceId {
    let id = Uid::get();
    let places = [id.x().to_be_bytes(), id.y().to_be_bytes()];
    let wafer = [id.waf_num()];
    let bytes = places.as_flattened().iter().chain(&wafer).chain(id.lot_num().as_bytes());
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    let [first, rest @ ..] = bytes.fold(0xCBF2_9CE4_8422_2325, step).to_be_bytes();
    let [a, b, c, d, e, f, g] = rest;
    DeviceId(u64::from_be_bytes([first & 0xFC | 2, a, b, c, d, e, f, g]))
}

/// The key that `wardline device add` printed, from WARDLINE_DEVICE_KEY at build time.
fn key() -> Option<LinkKey> {
    let digits = option_env!("WARDLINE_DEVICE_KEY")?.as_bytes();
    let mut key = [0; LinkKey::BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (digits.len() == 2 * LinkKey::BYTES).then(|| LinkKey::new(key))
}

/// Frees a bus on which a chip still gives a byte of before our start: it holds its line until it
/// has seen nine clocks.
fn free_bus(clock: &mut PB8<Output<OpenDrain>>) {
    for _ in 0..9 {
        clock.set_low();
        cortex_m::asm::delay(HALF_CLOCK);
        clock.set_high();
        cortex_m::asm::delay(HALF_CLOCK);
    }
}

#[entry]
fn main() -> ! {
    let (Some(chip), Some(core)) = (Peripherals::take(), CorePeripherals::take()) else {
        cortex_m::peripheral::SCB::sys_reset();
    };
    let mut rcc = chip.RCC.freeze(Config::hsi().sysclk(CORE_MEGAHERTZ.MHz()));
    let clock = Clock::start(chip.TIM5, core.SYST, CORE_MEGAHERTZ * 1_000_000, &mut rcc);
    let mut dog = IndependentWatchdog::new(chip.IWDG);
    dog.start(WATCHDOG_MS.millis());
    let (pins, pins_b) = (chip.GPIOA.split(&mut rcc), chip.GPIOB.split(&mut rcc));
    let serial = chip.USART2.serial((pins.pa2, pins.pa3), BAUD.bps(), &mut rcc);
    let mut scl = pins_b.pb8.into_open_drain_output();
    free_bus(&mut scl);
    // A bus from which everything was pulled is not held low.
    let scl = scl.into_alternate_open_drain::<4>().internal_pull_up(true);
    let sda = pins_b.pb9.into_alternate_open_drain::<4>().internal_pull_up(true);
    let bus = I2c::new(chip.I2C1, (scl, sda), BUS_KILOHERTZ.kHz(), &mut rcc);
    let (flash, boot) = boot::next(chip.FLASH);
    // Without a number of its own no run may speak: the watchdog starts it anew.
    let (Ok(serial), Some(boot)) = (serial, boot) else { loop {} };
    let Some(flash) = Flash::open(Large::of(flash), LARGE, boot) else { loop {} };
    run(boot, (Blocking(bus), Line::start(serial), clock), flash, dog)
}

fn about() -> About<'static> {
    About {
        device: device(),
        model: "nucleo-f411re",
        firmware: env!("CARGO_PKG_VERSION"),
        is_counted: true,
        mode: Mode::Normal,
        channels: Sensor::<Bus>::channels(&chip()),
    }
}

type Speaker = Sender<'static, RING_BYTES>;

fn speaker(boot: u32, now: u32) -> Speaker {
    let mut sender = Sender::new(about(), boot, now);
    if let Some(key) = key() {
        sender.lock(key);
    }
    sender
}

/// What an earlier run left, to be said before anything else.
fn earlier(flash: &mut Flash<Large>, now: u32) -> Result<Option<(u32, Speaker)>, FlashFault> {
    let mut sender = speaker(0, now);
    let run = block_on(flash.restore(&mut sender.ring))?;
    Ok(run.filter(|_| sender.ring.waiting() > 0).map(|boot| {
        sender.is_over(boot);
        (boot, sender)
    }))
}

fn run(
    boot: u32,
    (mut bus, mut line, mut clock): (Bus, Line, Clock),
    mut flash: Flash<Large>,
    mut dog: IndependentWatchdog,
) -> ! {
    let mut sensor = chip();
    let mut sender = speaker(boot, clock.now());
    let found = earlier(&mut flash, clock.now());
    // What a flash that cannot be read holds is lost; this run does without it, and says so.
    let uses_flash = found.is_ok();
    if uses_flash {
        sender.keeps_in_flash();
    }
    let mut old = found.unwrap_or(None);
    let mut sampler = Sampler::new::<Bus, _>(&sensor, 0, clock.now());
    let (mut last, mut to_forget) = ((boot, sender.ring.first()), false);
    let (mut watchdog, mut heard) = (Watchdog::default(), [0; 128]);
    loop {
        let now = clock.now();
        let count = line.receive(&mut heard);
        let moment = (now, sender.time(now));
        // A bus that hangs takes the program with it: what is there already goes first.
        let is_first = old.is_some() && now < OLD_FIRST_MS;
        if sampler.is_due(now) && !is_first {
            let chip = (&mut sensor, &mut bus);
            let _fault_is_said = block_on(sampler.sample(moment, chip, &mut sender.ring));
            if uses_flash {
                // What it does not take is counted as lost.
                let _kept = block_on(flash.keep(&mut sender.ring));
            }
        }
        let (speaker, of) = match &mut old {
            Some((boot, earlier)) => (earlier, *boot),
            None => (&mut sender, boot),
        };
        speaker.hear(&heard[..count], now);
        let sent = speaker.send(&mut line, now).ok();
        let (first, waiting) = (speaker.ring.first(), speaker.ring.waiting());
        to_forget |= (of, first) != last;
        last = (of, first);
        let forgotten =
            if uses_flash && to_forget { block_on(flash.forget(of, first)) } else { Ok(false) };
        to_forget = forgotten == Ok(true);
        if watchdog.may_feed(sent, waiting) {
            dog.feed();
        }
        if of != boot && waiting == 0 && forgotten != Ok(true) {
            // A flash that forgets nothing would give the same again: it comes at the next start.
            old = forgotten.and_then(|_| earlier(&mut flash, now)).unwrap_or(None);
        }
        if sent == Some(false) && count == 0 {
            cortex_m::asm::wfi();
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
