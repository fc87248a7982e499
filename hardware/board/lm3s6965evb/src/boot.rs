//! Boot: the number of this run, one more at every start, kept in an EEPROM (24C02) on the bus.
//!
//! Two places hold a number and its complement; the greater that checks counts, and the other one
//! is written, so that a power cut while it is written leaves one of them.

use embedded_hal::i2c::I2c;

const EEPROM: u8 = 0x50;
/// Address of each place: on pages of their own.
const PLACES: [u8; 2] = [0, 16];
/// Looks at an EEPROM that writes: each takes a tenth of a millisecond.
const LOOKS_MAX: u32 = 1_000;
/// Number and complement.
const PLACE_BYTES: usize = 8;

fn read<B: I2c>(bus: &mut B, place: u8) -> Result<Option<u32>, B::Error> {
    let mut bytes = [0; PLACE_BYTES];
    bus.write_read(EEPROM, &[place], &mut bytes)?;
    let [a, b, c, d, e, f, g, h] = bytes;
    let number = u32::from_be_bytes([a, b, c, d]);
    Ok((u32::from_be_bytes([e, f, g, h]) == !number).then_some(number))
}

/// The number of this run, once it stands in the EEPROM: no run may have another's.
pub fn next<B: I2c>(bus: &mut B) -> Option<u32> {
    let known = [read(bus, PLACES[0]).ok()?, read(bus, PLACES[1]).ok()?];
    let (newest, other) =
        if known[0] > known[1] { (known[0], PLACES[1]) } else { (known[1], PLACES[0]) };
    let next = newest.unwrap_or(0).wrapping_add(1);
    let mut bytes = [other; 1 + PLACE_BYTES];
    bytes[1..5].copy_from_slice(&next.to_be_bytes());
    bytes[5..].copy_from_slice(&(!next).to_be_bytes());
    bus.write(EEPROM, &bytes).ok()?;
    // While it writes, up to 5 ms, it answers nothing.
    let written = (0..LOOKS_MAX).find_map(|_| read(bus, other).ok())?;
    written.filter(|written| *written == next)
}
