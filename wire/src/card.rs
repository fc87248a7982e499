//! A record as it lies on a gateway's card, for whoever holds the card: the gateway, and the sink
//! that takes what a dead gateway has left.
//!
//! Shape:  mark 4 ‖ length 4 ‖ index 4 ‖ CRC-32C 4, all little-endian, then the record's bytes,
//! padded to 8. Mark and checksum depend on the segment id, so that nothing of a recycled file's
//! former life can be taken for a record. Under a veil the bytes are ciphertext, and so is what the
//! checksum covers: a card is checked without its key, and means nothing once the key is destroyed.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::SegmentId;
use crate::limits::{FRAME_BYTES_MAX, SEGMENT_FRAMES_MAX};

mod name;

pub use name::FileName;

/// Bytes before a record's own.
pub const HEAD_BYTES: usize = 16;

/// The key under which records lie on one medium, or none. It is of no use elsewhere.
///
/// Order:  a segment's key is SHA-256(local key ‖ segment id), a record's nonce its index; each
/// pair stands for the same bytes for ever, since an index is never given twice.
#[derive(Clone, Default)]
pub struct Veil {
    key: Option<Arc<Zeroizing<[u8; 32]>>>,
    only_read: bool,
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.is_some() { "Veil(key)" } else { "Veil(none)" })
    }
}

impl Veil {
    /// With the medium's key.
    #[must_use]
    pub fn of(key: [u8; 32]) -> Self {
        Self { key: Some(Arc::new(Zeroizing::new(key))), only_read: false }
    }

    /// The same for a medium whose key is about to go: what is written now stays readable.
    #[must_use]
    pub fn only_to_read(self) -> Self {
        Self { only_read: true, ..self }
    }

    /// Puts the veil on a record's bytes, or takes it off; `false` without a key.
    fn apply(&self, segment: SegmentId, index: u32, bytes: &mut [u8]) -> bool {
        let Some(key) = &self.key else { return false };
        let key = Zeroizing::new(<[u8; 32]>::from(
            Sha256::new().chain_update(key.as_slice()).chain_update(segment.0).finalize(),
        ));
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&index.to_be_bytes());
        ChaCha20::new((&*key).into(), &nonce.into()).apply_keystream(bytes);
        true
    }
}

/// Bytes that a record of this length takes.
#[must_use]
pub const fn padded(length: usize) -> usize {
    (HEAD_BYTES + length).div_ceil(8) * 8
}

fn mark(segment: SegmentId, veiled: bool) -> [u8; 4] {
    let id = segment.0;
    [id[0] ^ b'W', id[1] ^ b'L', id[2] ^ if veiled { b'V' } else { b'R' }, id[3] ^ b'1']
}

/// Whether a record of this segment may begin here, whole or torn.
#[must_use]
pub fn begins(segment: SegmentId, bytes: &[u8]) -> bool {
    [false, true].iter().any(|veiled| bytes.starts_with(&mark(segment, *veiled)))
}

fn checksum(segment: SegmentId, index: u32, bytes: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&segment.0);
    let sum = crc32c::crc32c_append(sum, &index.to_le_bytes());
    let sum = crc32c::crc32c_append(sum, &(bytes.len() as u32).to_le_bytes());
    crc32c::crc32c_append(sum, bytes)
}

/// A record with its head and padding, as it is written.
#[must_use]
pub fn wrap(veil: &Veil, segment: SegmentId, index: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(padded(bytes.len()));
    out.resize(HEAD_BYTES, 0);
    out.extend_from_slice(bytes);
    let veiled = !veil.only_read && veil.apply(segment, index, &mut out[HEAD_BYTES..]);
    let sum = checksum(segment, index, &out[HEAD_BYTES..]);
    out[..4].copy_from_slice(&mark(segment, veiled));
    out[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    out[8..12].copy_from_slice(&index.to_le_bytes());
    out[12..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
    out.resize(padded(bytes.len()), 0);
    out
}

/// A record that checks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its index.
    pub index: u32,
    /// Length of its own bytes.
    pub length: usize,
    veiled: bool,
}

/// The record that begins `bytes`, if it checks; no key is needed.
#[must_use]
pub fn check(segment: SegmentId, bytes: &[u8]) -> Option<Found> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (length, index) = (word(4)? as usize, word(8)?);
    let sane = (1..=FRAME_BYTES_MAX).contains(&length) && index <= SEGMENT_FRAMES_MAX;
    if !begins(segment, bytes) || !sane {
        return None;
    }
    let veiled = bytes.starts_with(&mark(segment, true));
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    (word(12)? == checksum(segment, index, body)).then_some(Found { index, length, veiled })
}

/// The bytes of a record that checks; `None` if they lie under a veil whose key is not here.
#[must_use]
pub fn body<'a>(
    veil: &Veil,
    segment: SegmentId,
    found: Found,
    bytes: &'a [u8],
) -> Option<Cow<'a, [u8]>> {
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + found.length)?;
    if !found.veiled {
        return Some(Cow::Borrowed(body));
    }
    let mut body = body.to_vec();
    veil.apply(segment, found.index, &mut body).then_some(Cow::Owned(body))
}

/// How far it is to the next place where a record may begin; to the end if there is none.
#[must_use]
pub fn to_next(segment: SegmentId, bytes: &[u8]) -> usize {
    let mut places = (8..bytes.len().saturating_sub(3)).step_by(8);
    let next = places.find(|at| begins(segment, &bytes[*at..]));
    next.unwrap_or((bytes.len() & !7).max(8))
}

/// What the records of a segment's file were read as.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Records {
    /// Index and bytes, in the order of the index; each once.
    pub records: Vec<(u32, Vec<u8>)>,
    /// Records that check and lie under a veil whose key is not here.
    pub veiled: usize,
    /// Places where a record begins and does not check.
    pub spoilt: usize,
}

/// All records of a segment's file that check, wherever they lie in it.
#[must_use]
pub fn records(veil: &Veil, segment: SegmentId, bytes: &[u8]) -> Records {
    let (mut all, mut at) = (Records::default(), 0);
    while at + HEAD_BYTES <= bytes.len() {
        let rest = &bytes[at..];
        let Some(found) = check(segment, rest) else {
            all.spoilt += usize::from(begins(segment, rest));
            at += to_next(segment, rest);
            continue;
        };
        match body(veil, segment, found, rest) {
            Some(body) => all.records.push((found.index, body.into_owned())),
            None => all.veiled += 1,
        }
        at += padded(found.length);
    }
    all.records.sort_by_key(|(index, _)| *index);
    all.records.dedup_by_key(|(index, _)| *index);
    all
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const SEGMENT: SegmentId = SegmentId([7; 16]);

    #[test]
    fn a_record_of_another_segment_is_none_of_ours_even_under_the_same_mark() {
        let (ours, other) =
            (SegmentId([1; 16]), SegmentId([1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0]));
        let bytes = wrap(&Veil::default(), other, 1, b"record");
        assert!(begins(ours, &bytes));
        let found = Found { index: 1, length: 6, veiled: false };
        assert_eq!(check(other, &bytes), Some(found));
        assert_eq!(check(ours, &bytes), None);
    }

    #[test]
    fn under_a_veil_a_record_checks_for_everybody_and_is_read_with_the_key_alone() {
        let (veil, other) = (Veil::of([1; 32]), Veil::of([2; 32]));
        let text = b"what a patient said";
        let bytes = wrap(&veil, SEGMENT, 3, text);
        let found = check(SEGMENT, &bytes).unwrap();

        assert!(!bytes.windows(7).any(|window| window == b"patient"));
        assert_eq!(body(&veil, SEGMENT, found, &bytes).unwrap(), &text[..]);
        assert_ne!(body(&other, SEGMENT, found, &bytes).unwrap(), &text[..]);
        assert_eq!(body(&Veil::default(), SEGMENT, found, &bytes), None);
        assert_ne!(wrap(&veil, SEGMENT, 4, text)[HEAD_BYTES..], bytes[HEAD_BYTES..]);
        assert_ne!(
            wrap(&veil, SegmentId([8; 16]), 3, text)[HEAD_BYTES..],
            bytes[HEAD_BYTES..],
            "each segment has a key of its own"
        );
    }

    #[test]
    fn a_file_is_read_around_what_is_spoilt_in_it_and_says_what_it_cannot_read() {
        let veil = Veil::of([1; 32]);
        let mut file = wrap(&Veil::default(), SEGMENT, 0, b"header");
        file.resize(4096, 0xEE);
        file.extend(wrap(&veil, SEGMENT, 1, b"one"));
        file.extend(vec![0; 64]);
        file.extend(wrap(&Veil::default(), SEGMENT, 0, b"header"));
        file.extend(wrap(&veil, SEGMENT, 2, b"two"));

        let both = records(&veil, SEGMENT, &file);
        let texts: Vec<_> = both.records.iter().map(|(at, text)| (*at, &text[..])).collect();
        assert_eq!(texts, [(0, &b"header"[..]), (1, b"one"), (2, b"two")]);
        let without = records(&Veil::default(), SEGMENT, &file);
        assert_eq!((without.records.len(), without.veiled), (1, 2));
    }
}
