//! Test firmware for the board that QEMU knows: a TMP105, its readings to the gateway on UART0, and
//! what was taken on UART1, for the oracle.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embedded_hal::i2c::I2c;
use firmware_shim::about::About;
use firmware_shim::sampler::Sampler;
use firmware_shim::sender::Sender;
use firmware_shim::sensor::lm75::{Lm75, Resolution};
use firmware_shim::sensor::{Blocking, Sensor, block_on};
use wire::identity::DeviceId;
use wire::link::LinkKey;
use wire::reading::Mode;

use board::uart::Uart;
use board::{i2c, register, tick};
use mirror::Mirror;
use numbered::Numbered;

mod boot;
mod key;
mod mirror;
mod numbered;

/// An EUI-64 of the locally administered kind: this board has none of its own.
const DEVICE: DeviceId = DeviceId(0x0257_41FF_FE69_6501);
/// Room for 64 readings of a temperature and its number, 24 bytes each, and some gaps.
const RING_BYTES: usize = 1_664;
const LINK_UART: usize = 0x4000_C000;
const MIRROR_UART: usize = 0x4000_D000;
const SENSOR_ADDRESS: u8 = 0x48;

#[entry]
fn main() -> ! {
    register::start_clocks();
    tick::start();
    let mut bus = Blocking(i2c::I2c1::start());
    let mut mirror = Mirror(Uart::start(MIRROR_UART));
    let mut link = Uart::start(LINK_UART);
    let (Some(boot), Ok(key)) = (boot::next(&mut bus.0), key::read(&mut bus.0)) else {
        mirror.has_no_boot();
        loop {
            register::wait();
        }
    };
    run((boot, key), &mut bus, &mut link, &mut mirror)
}

fn run<B: I2c>(
    (boot, key): (u32, Option<LinkKey>),
    bus: &mut Blocking<B>,
    link: &mut Uart,
    mirror: &mut Mirror,
) -> ! {
    let mut sensor = Numbered::new(Lm75::new(SENSOR_ADDRESS, Resolution::Twelve), boot);
    let about = About {
        device: DEVICE,
        model: "lm3s6965evb",
        firmware: env!("CARGO_PKG_VERSION"),
        is_counted: true,
        mode: Mode::Demo,
        channels: Sensor::<Blocking<B>>::channels(&sensor),
    };
    let mut sender = Sender::<RING_BYTES>::new(about, boot, tick::now());
    if let Some(key) = key {
        sender.lock(key);
    }
    let mut sampler = Sampler::new::<Blocking<B>, _>(&sensor, 0, tick::now());
    let mut heard = [0; 64];
    loop {
        let now = tick::now();
        let count = link.receive(&mut heard);
        sender.hear(&heard[..count], now);
        let moment = (now, sender.time(now));
        if sampler.is_due(now) {
            let chip = (&mut sensor, &mut *bus);
            let (taken, _) = block_on(sampler.sample(moment, chip, &mut sender.ring));
            if let Some(record) = taken.and_then(|sequence| sender.ring.record(sequence)) {
                mirror.took(boot, record);
            }
        }
        match sender.send(link, now) {
            // Nothing is due: the next millisecond wakes us.
            Ok(false) if count == 0 => register::wait(),
            Ok(_) => {}
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // What was not acknowledged is gone: the gateway declares it when the next run introduces
    // itself.
    register::reset()
}
