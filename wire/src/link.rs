//! The frame between sensor and gateway: what a device sends over a cable that may lose bytes.
//!
//! Shape:  00, COBS(version 1 ‖ type 1 ‖ boot 4 ‖ sequence 4 ‖ length 2 ‖ payload ‖ CRC-32C 4), 00;
//! boot, sequence and length are big-endian, the checksum is little-endian and covers all
//! before it. A device numbers its data and gap frames by one sequence from 1, keeps them until
//! acknowledged and sends again from the oldest (go-back-N). An acknowledgement is cumulative and
//! means durable. A gateway that does not know a boot's channels sends a query; the device answers
//! with its hello frames, whose sequence counts the parts. On a line that loses frames the gateway
//! says how far it has heard; a device that does not know this kind waits and sends again. A device
//! with a key of its own seals its frames once the gateway has offered it a challenge.

use core::fmt;

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::limits::{LINK_FRAME_BYTES_MAX, LINK_PAYLOAD_BYTES_MAX};

mod payload;

#[cfg(feature = "link-auth")]
mod sealed;

#[cfg(feature = "link-auth")]
pub use sealed::{Challenge, Forged, LinkKey, Opened, Sealing};

pub use payload::{DataWriter, SourceGap, Value};
pub use payload::{
    Entries, Entry, Hello, HelloChannels, LINK_LEVEL, NumericEntry, PayloadError, SampleIter,
    Standing, ValueIter, WaveEntry, write_gap, write_hello,
};

/// Version of this frame; a gateway answers a version that it does not know with its own query.
pub const LINK_VERSION: u8 = 1;

/// A gateway trades 16 KiB for speed; a microcontroller with 32 KiB of flash cannot.
const TABLES: usize = if cfg!(feature = "alloc") { 16 } else { 1 };
static CASTAGNOLI: Crc<u32, Table<TABLES>> = Crc::<u32, Table<TABLES>>::new(&CRC_32_ISCSI);

/// What a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// Readings. Device to gateway.
    Data = 0,
    /// Everything up to and with this sequence is durable. Gateway to device.
    Ack = 1,
    /// Who the device is and what its channels mean. Device to gateway.
    Hello = 2,
    /// The device lost readings of its own accord. Device to gateway.
    Gap = 3,
    /// Say hello again. Gateway to device.
    Query = 4,
    /// Everything up to and with this sequence has come, and is not durable yet: on a line that
    /// loses frames, what was sent after it is wanted again. Gateway to device.
    Heard = 5,
    /// What the device holds, its time, and what its boots mean; before its hello, whose sequence
    /// it shares in nothing. Device to gateway.
    Standing = 6,
    /// One of the kinds above under the device's own key. Both ways.
    Sealed = 7,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        use Kind::{Ack, Data, Gap, Heard, Hello, Query, Sealed, Standing};
        [Data, Ack, Hello, Gap, Query, Heard, Standing, Sealed]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// One frame, its payload borrowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// What it is for.
    pub kind: Kind,
    /// The device's run.
    pub boot: u32,
    /// Position in that run.
    pub sequence: u32,
    /// Strict CBOR, at most 238 bytes.
    pub payload: &'a [u8],
}

/// Why bytes between two delimiters are no frame. Count it and go on behind the delimiter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkError {
    /// Not COBS, or longer than a frame.
    Framing,
    /// The checksum does not fit: bytes were lost or changed on the cable.
    Checksum,
    /// A version that this build does not speak.
    Version(u8),
    /// A type or length that no frame has.
    Shape,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Framing => f.write_str("bytes between two delimiters are no COBS frame"),
            Self::Checksum => f.write_str("checksum mismatch: check the cable and the baud rate"),
            Self::Version(version) => write!(f, "link version {version} is unknown: update"),
            Self::Shape => f.write_str("unknown frame type or wrong length"),
        }
    }
}

impl core::error::Error for LinkError {}

/// Largest encoded frame with both delimiters, bytes.
pub const ENCODED_BYTES_MAX: usize = LINK_FRAME_BYTES_MAX + 3;

impl<'a> Frame<'a> {
    /// Encodes into `out` and returns the number of bytes, delimiters included.
    ///
    /// A payload over 238 bytes is a mistake of the caller and gives 0 bytes.
    pub fn encode(&self, out: &mut [u8; ENCODED_BYTES_MAX]) -> usize {
        let Ok(length) = u16::try_from(self.payload.len()) else {
            return 0;
        };
        if self.payload.len() > LINK_PAYLOAD_BYTES_MAX {
            return 0;
        }
        let mut raw = [0u8; LINK_FRAME_BYTES_MAX];
        raw[0] = LINK_VERSION;
        raw[1] = self.kind as u8;
        raw[2..6].copy_from_slice(&self.boot.to_be_bytes());
        raw[6..10].copy_from_slice(&self.sequence.to_be_bytes());
        raw[10..12].copy_from_slice(&length.to_be_bytes());
        let end = 12 + self.payload.len();
        raw[12..end].copy_from_slice(self.payload);
        let checksum = CASTAGNOLI.checksum(&raw[..end]);
        raw[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
        out[0] = 0;
        let coded = cobs::encode(&raw[..end + 4], &mut out[1..]);
        out[1 + coded] = 0;
        coded + 2
    }

    /// Reads one frame from the bytes between two delimiters, decoding in place.
    ///
    /// # Errors
    /// [`LinkError`]; the bytes are then without meaning.
    pub fn decode(between: &'a mut [u8]) -> Result<Self, LinkError> {
        let length = cobs::decode_in_place(between).map_err(|_| LinkError::Framing)?;
        let raw = &between[..length];
        if !(16..=LINK_FRAME_BYTES_MAX).contains(&length) {
            return Err(LinkError::Framing);
        }
        let (body, checksum) = raw.split_at(length - 4);
        if CASTAGNOLI.checksum(body).to_le_bytes() != checksum {
            return Err(LinkError::Checksum);
        }
        if body[0] != LINK_VERSION {
            return Err(LinkError::Version(body[0]));
        }
        let kind = Kind::from_number(body[1]).ok_or(LinkError::Shape)?;
        let word =
            |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let stated = usize::from(u16::from_be_bytes([body[10], body[11]]));
        let payload = &body[12..];
        if stated != payload.len() {
            return Err(LinkError::Shape);
        }
        Ok(Self { kind, boot: word(2), sequence: word(6), payload })
    }
}

/// Cuts a stream of bytes at its delimiters; resynchronises after noise.
#[derive(Debug)]
pub struct Deframer {
    bytes: [u8; LINK_FRAME_BYTES_MAX + 1],
    length: usize,
    overrun: bool,
}

impl Default for Deframer {
    fn default() -> Self {
        Self { bytes: [0; LINK_FRAME_BYTES_MAX + 1], length: 0, overrun: false }
    }
}

impl Deframer {
    /// Takes bytes from the front of `input` up to the end of one frame.
    ///
    /// Returns how many bytes were taken and, when they ended a frame, the frame or its error.
    /// Empty frames (two delimiters in a row) are skipped. Call again with what is left.
    pub fn push<'s>(&'s mut self, input: &[u8]) -> (usize, Option<Result<Frame<'s>, LinkError>>) {
        let end = input.iter().position(|byte| *byte == 0);
        let part = &input[..end.unwrap_or(input.len())];
        let room = self.bytes.len() - self.length;
        if part.len() > room {
            self.overrun = true;
        } else if !self.overrun {
            self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
            self.length += part.len();
        }
        let Some(end) = end else {
            return (input.len(), None);
        };
        let length = core::mem::take(&mut self.length);
        if core::mem::take(&mut self.overrun) {
            return (end + 1, Some(Err(LinkError::Framing)));
        }
        if length == 0 {
            return (end + 1, None);
        }
        (end + 1, Some(Frame::decode(&mut self.bytes[..length])))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn feed(bytes: &[u8]) -> Vec<Result<(u32, Vec<u8>), LinkError>> {
        let mut deframer = Deframer::default();
        let (mut rest, mut found) = (bytes, Vec::new());
        while !rest.is_empty() {
            let (taken, frame) = deframer.push(rest);
            rest = &rest[taken..];
            found.extend(frame.map(|frame| frame.map(|f| (f.sequence, f.payload.to_vec()))));
        }
        found
    }

    fn encoded(sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind: Kind::Data, boot: 7, sequence, payload }.encode(&mut out);
        out[..length].to_vec()
    }

    #[test]
    fn the_checksum_is_castagnoli() {
        assert_eq!(CASTAGNOLI.checksum(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_frame_comes_back_after_noise() {
        let payload = [0u8; LINK_PAYLOAD_BYTES_MAX];
        let mut stream = std::vec![0x55; 900];
        stream.extend(encoded(1, &payload));
        stream.extend([1, 2, 3]);
        stream.extend(encoded(2, &[0x80]));

        let found = feed(&stream);

        assert_eq!(found[0], Err(LinkError::Framing));
        assert_eq!(found[1], Ok((1, payload.to_vec())));
        assert!(found[2].is_err());
        assert_eq!(found[3], Ok((2, std::vec![0x80])));
    }

    #[test]
    fn any_flipped_bit_of_a_link_frame_is_refused() {
        let good = encoded(3, &[0x83, 1, 2, 3]);
        for bit in 8..(good.len() - 1) * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(feed(&bad).iter().all(Result::is_err), "bit {bit}");
        }
    }
}
