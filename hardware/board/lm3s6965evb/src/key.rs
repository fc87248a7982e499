//! Key: the device's own, in the same EEPROM (24C02) as the number of the run, behind it.

use embedded_hal::i2c::I2c;
use wire::link::LinkKey;

const EEPROM: u8 = 0x50;
const PLACE: u8 = 32;
/// What cells hold that were never written.
const NEVER_WRITTEN: [u8; LinkKey::BYTES] = [0xFF; LinkKey::BYTES];

/// The key, if somebody has written one.
pub fn read<B: I2c>(bus: &mut B) -> Result<Option<LinkKey>, B::Error> {
    let mut bytes = NEVER_WRITTEN;
    bus.write_read(EEPROM, &[PLACE], &mut bytes)?;
    Ok((bytes != NEVER_WRITTEN).then(|| LinkKey::new(bytes)))
}
