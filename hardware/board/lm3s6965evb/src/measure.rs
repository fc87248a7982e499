//! What a reading costs on this processor: instructions and stack, said once on UART1.
//!
//! The emulator lets one instruction take one nanosecond, and its bus takes no time, so that the
//! timer of the processor counts instructions, 80 a step.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::fmt::Write as _;

use cortex_m_rt::entry;
use embedded_io::{ErrorType, Write};
use firmware_shim::about::About;
use firmware_shim::sampler::Sampler;
use firmware_shim::sender::Sender;
use firmware_shim::sensor::lm75::{Lm75, Resolution};
use firmware_shim::sensor::{Blocking, Sensor, block_on};
use wire::identity::DeviceId;
use wire::link::{Challenge, ENCODED_BYTES_MAX, Frame, Kind, LinkKey, Sealing};
use wire::reading::Mode;

use board::i2c::I2c1;
use board::uart::Uart;
use board::{register, tick};

const READINGS: u32 = 200;
const PERIOD: u32 = 1_000;
const INSTRUCTIONS_A_STEP: u32 = 80;
const RING_BYTES: usize = 1_664;
const MIRROR_UART: usize = 0x4000_D000;
const BOOT: u32 = 1;
const KEY: [u8; LinkKey::BYTES] = [7; LinkKey::BYTES];

type Bus = Blocking<I2c1>;

/// Takes every byte.
struct Nowhere;

impl ErrorType for Nowhere {
    type Error = Infallible;
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Words(Uart);

impl core::fmt::Write for Words {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|error| match error {})
    }
}

/// Steps that something takes.
fn steps(act: impl FnOnce()) -> u32 {
    let before = tick::steps();
    act();
    tick::steps().wrapping_sub(before)
}

/// Instructions of a reading: to take it, to send it, and to hear that it is durable.
fn cost(bus: &mut Bus, key: Option<Sealing>) -> [u32; 3] {
    let mut sensor = Lm75::new(0x48, Resolution::Twelve);
    let about = About {
        device: DeviceId(1),
        model: "measure",
        firmware: env!("CARGO_PKG_VERSION"),
        is_counted: true,
        mode: Mode::Demo,
        channels: Sensor::<Bus>::channels(&sensor),
    };
    let mut sender = Sender::<RING_BYTES>::new(about, BOOT, 0);
    if let Some(sealing) = &key {
        sender.lock(sealing.key.clone());
        let offer = sealing.challenge.write();
        hear(
            &mut sender,
            &Frame { kind: Kind::Query, boot: 0, sequence: 0, payload: offer.as_slice() },
        );
    }
    while let Ok(true) = sender.send(&mut Nowhere, 0) {}
    let mut sampler = Sampler::new::<Bus, _>(&sensor, 0, 0);
    let mut spent = [0; 3];
    for reading in 0..READINGS {
        let now = reading * PERIOD;
        let moment = (now, sender.time(now));
        spent[0] += steps(|| {
            let _taken = block_on(sampler.sample(moment, (&mut sensor, bus), &mut sender.ring));
        });
        spent[1] += steps(|| {
            let _sent = sender.send(&mut Nowhere, now);
        });
        let ack = Frame { kind: Kind::Ack, boot: BOOT, sequence: reading + 1, payload: &[] };
        match key.as_ref().and_then(|sealing| sealing.seal(&ack)) {
            Some(sealed) => spent[2] += steps(|| hear(&mut sender, &sealed.frame())),
            None => spent[2] += steps(|| hear(&mut sender, &ack)),
        }
        while let Ok(true) = sender.send(&mut Nowhere, now) {}
    }
    spent.map(|steps| steps * INSTRUCTIONS_A_STEP / READINGS)
}

/// What the other side writes is counted, too: some 2,000 instructions.
fn hear(sender: &mut Sender<'_, RING_BYTES>, frame: &Frame<'_>) {
    let mut bytes = [0; ENCODED_BYTES_MAX];
    let length = frame.encode(&mut bytes);
    sender.hear(&bytes[..length], 0);
}

#[entry]
fn main() -> ! {
    register::paint_stack();
    register::start_clocks();
    tick::start_counting();
    let mut words = Words(Uart::start(MIRROR_UART));
    let mut bus = Blocking(I2c1::start());
    let open = cost(&mut bus, None);
    let plain_stack = register::stack_used();
    let sealing = Sealing { key: LinkKey::new(KEY), challenge: Challenge([1; 12]) };
    let sealed = cost(&mut bus, Some(sealing));
    let _said = writeln!(
        words,
        "instructions: take {}, send {}, send sealed {}, hear {}, hear sealed {}; stack: {} bytes, \
         sealed {}",
        open[0],
        open[1],
        sealed[1],
        open[2],
        sealed[2],
        plain_stack,
        register::stack_used()
    );
    loop {
        register::wait();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    register::reset()
}
