//! Refuses what is not strict CBOR before any library parses it.
//!
//! Strict is RFC 8949 section 4.2.1: definite lengths, shortest heads, map keys ascending and
//! unique, valid UTF-8, no floats, depth at most 8, nothing after the item. [`Reader`] walks such
//! bytes without a heap; [`Writer`] writes nothing else.

use core::fmt;

use crate::limits::DEPTH_MAX;

mod write;

pub use write::{Put, Room, Writer};

/// Why bytes are not strict CBOR. Refuse the record that holds them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StrictError {
    /// The item goes on after the last byte.
    Truncated,
    /// A head is longer than it need be.
    NonMinimal,
    /// An indefinite length, a float, or a reserved head.
    Unsupported,
    /// A map key repeats or stands out of order.
    KeyOrder,
    /// A text is not UTF-8.
    Text,
    /// Nested deeper than 8.
    Depth,
    /// Bytes follow the item.
    Trailing,
    /// Another type or range than the format has in this place.
    Unexpected,
}

impl fmt::Display for StrictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the item is cut off",
            Self::NonMinimal => "a head is not in its shortest form",
            Self::Unsupported => "an indefinite length, a float or a reserved head",
            Self::KeyOrder => "map keys repeat or are out of order",
            Self::Text => "a text is not UTF-8",
            Self::Depth => "nested deeper than 8",
            Self::Trailing => "bytes follow the item",
            Self::Unexpected => "another type or range than the format has here",
        })
    }
}

impl core::error::Error for StrictError {}

/// Checks that `bytes` are exactly one strict item.
///
/// # Errors
/// The first fault found.
pub fn check(bytes: &[u8]) -> Result<(), StrictError> {
    let mut reader = Reader::new(bytes);
    reader.skip()?;
    reader.done()
}

const UINT: u8 = 0;
const NINT: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const NULL: u8 = 0xf6;

/// A cursor over strict CBOR.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Whether every byte was read.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// # Errors
    /// [`StrictError::Trailing`] if bytes are left.
    pub const fn done(&self) -> Result<(), StrictError> {
        if self.is_done() { Ok(()) } else { Err(StrictError::Trailing) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], StrictError> {
        let rest = &self.bytes[self.at..];
        if count > rest.len() {
            return Err(StrictError::Truncated);
        }
        self.at += count;
        Ok(&rest[..count])
    }

    fn head(&mut self) -> Result<(u8, u64), StrictError> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 31);
        let (value, floor) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (u64::from(self.take(1)?[0]), if major == SIMPLE { 32 } else { 24 }),
            25..=27 if major == SIMPLE => return Err(StrictError::Unsupported),
            25 => (self.big_endian(2)?, 1 << 8),
            26 => (self.big_endian(4)?, 1 << 16),
            27 => (self.big_endian(8)?, 1 << 32),
            _ => return Err(StrictError::Unsupported),
        };
        if value < floor { Err(StrictError::NonMinimal) } else { Ok((major, value)) }
    }

    fn big_endian(&mut self, count: usize) -> Result<u64, StrictError> {
        Ok(self.take(count)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn expect(&mut self, major: u8) -> Result<u64, StrictError> {
        match self.head()? {
            (found, value) if found == major => Ok(value),
            _ => Err(StrictError::Unexpected),
        }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// Not one, or not strict.
    pub fn uint(&mut self) -> Result<u64, StrictError> {
        self.expect(UINT)
    }

    /// An unsigned integer that fits the type asked for.
    ///
    /// # Errors
    /// Not one, or too large.
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, StrictError> {
        T::try_from(self.uint()?).map_err(|_| StrictError::Unexpected)
    }

    /// A signed integer of 64 bits.
    ///
    /// # Errors
    /// Not one, or too large.
    pub fn int(&mut self) -> Result<i64, StrictError> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| StrictError::Unexpected)?;
        match major {
            UINT => Ok(value),
            NINT => Ok(-1 - value),
            _ => Err(StrictError::Unexpected),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// Not one, or cut off.
    pub fn bytes(&mut self) -> Result<&'a [u8], StrictError> {
        let length = self.expect(BYTES)?;
        self.take(usize::try_from(length).map_err(|_| StrictError::Truncated)?)
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// Another length or type.
    pub fn array_of<const N: usize>(&mut self) -> Result<[u8; N], StrictError> {
        self.bytes()?.try_into().map_err(|_| StrictError::Unexpected)
    }

    /// A text of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// Not one, too long, or not UTF-8.
    pub fn text(&mut self, bytes_max: usize) -> Result<&'a str, StrictError> {
        let length = self.expect(TEXT)?;
        let length = usize::try_from(length).map_err(|_| StrictError::Truncated)?;
        if length > bytes_max {
            return Err(StrictError::Unexpected);
        }
        core::str::from_utf8(self.take(length)?).map_err(|_| StrictError::Text)
    }

    /// The head of an array; its length is at most the bytes that are left.
    ///
    /// # Errors
    /// Not an array, or longer than its bytes could be.
    pub fn array(&mut self) -> Result<usize, StrictError> {
        let length = usize::try_from(self.expect(ARRAY)?).map_err(|_| StrictError::Truncated)?;
        if length > self.bytes.len() - self.at { Err(StrictError::Truncated) } else { Ok(length) }
    }

    /// The head of an array of exactly `length` items.
    ///
    /// # Errors
    /// Another length or type.
    pub fn tuple(&mut self, length: usize) -> Result<(), StrictError> {
        if self.array()? == length { Ok(()) } else { Err(StrictError::Unexpected) }
    }

    /// Whether an integer comes next.
    #[must_use]
    pub fn next_is_int(&self) -> bool {
        self.bytes.get(self.at).is_some_and(|byte| byte >> 5 <= NINT)
    }

    /// Takes a null if one comes next.
    pub fn null(&mut self) -> bool {
        let null = self.bytes.get(self.at) == Some(&NULL);
        self.at += usize::from(null);
        null
    }

    /// Steps over one item of any type and checks it.
    ///
    /// # Errors
    /// The first fault in it.
    pub fn skip(&mut self) -> Result<(), StrictError> {
        self.skip_within(DEPTH_MAX)
    }

    /// Takes one whole item and gives its bytes.
    ///
    /// # Errors
    /// The first fault in it.
    pub fn item(&mut self) -> Result<&'a [u8], StrictError> {
        let start = self.at;
        self.skip()?;
        Ok(&self.bytes[start..self.at])
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), StrictError> {
        let start = self.at;
        let (major, value) = self.head()?;
        let depth = || depth.checked_sub(1).ok_or(StrictError::Depth);
        match major {
            UINT | NINT => Ok(()),
            BYTES | TEXT => {
                self.at = start;
                if major == BYTES {
                    self.bytes().map(drop)
                } else {
                    self.text(usize::MAX).map(drop)
                }
            }
            ARRAY => (0..value).try_for_each(|_| self.skip_within(depth()?)),
            MAP => self.skip_map(value, depth()?),
            TAG => self.skip_within(depth()?),
            _ if (20..=22).contains(&value) => Ok(()),
            _ => Err(StrictError::Unsupported),
        }
    }

    fn skip_map(&mut self, pairs: u64, depth: usize) -> Result<(), StrictError> {
        let mut before: &[u8] = &[];
        for _ in 0..pairs {
            let start = self.at;
            self.skip_within(depth)?;
            let key = &self.bytes[start..self.at];
            if key <= before {
                return Err(StrictError::KeyOrder);
            }
            before = key;
            self.skip_within(depth)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn what_is_not_strict_is_refused_with_its_reason() {
        for (bytes, want) in [
            (&[0x18u8, 0x17][..], StrictError::NonMinimal),
            (&[0x19, 0x00, 0xff], StrictError::NonMinimal),
            (&[0x9f, 0xff], StrictError::Unsupported),
            (&[0x5f, 0x41, 0x00, 0xff], StrictError::Unsupported),
            (&[0xf9, 0x7e, 0x00], StrictError::Unsupported),
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], StrictError::KeyOrder),
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], StrictError::KeyOrder),
            (&[0x00, 0x00], StrictError::Trailing),
            (&[0x82, 0x00], StrictError::Truncated),
            (&[0x61, 0xff], StrictError::Text),
            (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], StrictError::Truncated),
            (&[0x81; 10], StrictError::Depth),
        ] {
            assert_eq!(check(bytes), Err(want), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_the_writer_writes_the_reader_reads() {
        for value in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut writer = Writer::new(Room::<16>::default());
            writer.uint(value);
            let room = writer.finish().unwrap();
            assert_eq!(Reader::new(room.as_slice()).uint(), Ok(value));
            check(room.as_slice()).unwrap();
        }
        for value in [i64::MIN, -257, -25, -24, -1, 0, i64::MAX] {
            let mut writer = Writer::new(Room::<16>::default());
            writer.int(value);
            let room = writer.finish().unwrap();
            assert_eq!(Reader::new(room.as_slice()).int(), Ok(value));
        }
    }
}
