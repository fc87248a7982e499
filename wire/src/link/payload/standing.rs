//! What a device says about its own standing: its time, what it holds, what its boots mean.

use super::PayloadError;
use crate::identity::DeviceId;
use crate::limits::LINK_PAYLOAD_BYTES_MAX;
use crate::strict::{Reader, Room, Writer};

/// The level of the link that says this; a higher one says more behind the same items.
pub const LINK_LEVEL: u8 = 2;
/// Longest version of a firmware, bytes.
const FIRMWARE_BYTES_MAX: usize = 32;
/// Items of this level.
const ITEMS: usize = 8;

/// Payload of a standing frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing<'a> {
    /// The device.
    pub device: DeviceId,
    /// The device's time when it wrote this, ticks.
    pub now_ticks: i64,
    /// The oldest sequence that it holds, or the next one that it will give.
    pub oldest: u32,
    /// Most readings that it holds: so many are gone when it loses its power.
    pub capacity: u64,
    /// Whether each boot's number is one more than that of the boot before.
    pub is_counted: bool,
    /// Smallest step of its clock, nanoseconds.
    pub resolution_ns: u64,
    /// Version of its firmware, at most 32 bytes.
    pub firmware: &'a str,
}

impl<'a> Standing<'a> {
    /// # Errors
    /// [`PayloadError`] when the payload is none.
    pub fn read(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let more = reader.array()?.checked_sub(ITEMS).ok_or(PayloadError::Range)?;
        if reader.number::<u8>()? < LINK_LEVEL {
            return Err(PayloadError::Range);
        }
        let standing = Self {
            device: DeviceId(reader.uint()?),
            now_ticks: reader.int()?,
            oldest: reader.number()?,
            capacity: reader.uint()?,
            is_counted: match reader.uint()? {
                0 => false,
                1 => true,
                _ => return Err(PayloadError::Range),
            },
            resolution_ns: reader.uint()?,
            firmware: reader.text(FIRMWARE_BYTES_MAX)?,
        };
        (0..more).try_for_each(|_| reader.skip())?;
        reader.done()?;
        Ok(standing)
    }

    /// The payload; none if the firmware's version is too long.
    #[must_use]
    pub fn write(&self) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
        if self.firmware.len() > FIRMWARE_BYTES_MAX {
            return None;
        }
        let mut writer = Writer::new(Room::default());
        writer.array(ITEMS).uint(LINK_LEVEL.into()).uint(self.device.0).int(self.now_ticks);
        writer
            .uint(self.oldest.into())
            .uint(self.capacity)
            .uint(self.is_counted.into())
            .uint(self.resolution_ns);
        writer.text(self.firmware);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const STANDING: Standing<'static> = Standing {
        device: DeviceId(5),
        now_ticks: 90_000,
        oldest: 3,
        capacity: 64,
        is_counted: true,
        resolution_ns: 1_000_000,
        firmware: "0.1.0",
    };

    #[test]
    fn a_standing_says_what_was_written() {
        let payload = STANDING.write().unwrap();
        assert_eq!(payload.as_slice()[..9], [0x88, 2, 5, 0x1a, 0, 1, 0x5f, 0x90, 3]);
        assert_eq!(Standing::read(payload.as_slice()), Ok(STANDING));
        let long = "0123456789abcdef0123456789abcdef+";
        assert!(Standing { firmware: long, ..STANDING }.write().is_none());
    }

    #[test]
    fn a_higher_level_says_more_and_a_lower_one_is_none() {
        let payload = STANDING.write().unwrap();
        let mut higher: Vec<u8> = payload.as_slice().to_vec();
        (higher[0], higher[1]) = (0x89, 3);
        higher.push(0xf6);
        assert_eq!(Standing::read(&higher), Ok(STANDING));
        let mut lower = payload.as_slice().to_vec();
        lower[1] = 1;
        assert_eq!(Standing::read(&lower), Err(PayloadError::Range));
        assert!(Standing::read(&payload.as_slice()[..9]).is_err());
    }
}
