//! Links wire and firmware-shim without std: std anywhere below them would fail to link.
#![no_std]

use firmware_shim::about::About;
use firmware_shim::ring::Class;
use firmware_shim::sender::Sender;
use wire::identity::DeviceId;
use wire::link::DataWriter;
use wire::reading::Mode;

/// Uses both crates, so that nothing of them is left out.
#[unsafe(no_mangle)]
pub extern "C" fn probe() -> u32 {
    let (device, mode, firmware) = (DeviceId(1), Mode::Demo, "1");
    let (model, is_counted, channels) = ("probe", true, &[][..]);
    let about = About { device, model, firmware, is_counted, mode, channels };
    let mut sender = Sender::<64>::new(about, 1, 0);
    let mut writer = DataWriter::new(0);
    if !writer.numerics(0, &[Ok(1)]) {
        return 0;
    }
    sender.ring.push(Class::Vital, 1, writer.finish().as_slice()).unwrap_or(0)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
