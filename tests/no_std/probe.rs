//! Links wire and firmware-shim without std: std anywhere below them would fail to link.
#![no_std]

use wire::link::DataWriter;

/// Uses both crates, so that nothing of them is left out.
#[unsafe(no_mangle)]
pub extern "C" fn probe() -> u32 {
    let mut sender = firmware_shim::sender::Sender::<4>::new(1);
    let mut writer = DataWriter::new(0);
    if !writer.numerics(0, &[Ok(1)]) {
        return 0;
    }
    sender.push(writer.finish(), false).unwrap_or(0)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
