//! Writes strict CBOR and nothing else.

use super::{ARRAY, BYTES, NINT, NULL, TEXT, UINT};

/// Where a [`Writer`] puts its bytes.
pub trait Put {
    /// Appends; `false` when there is no room, and nothing was written.
    fn put(&mut self, bytes: &[u8]) -> bool;
}

#[cfg(feature = "alloc")]
impl Put for alloc::vec::Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.extend_from_slice(bytes);
        true
    }
}

/// A fixed room for a writer without a heap.
#[derive(Clone, Debug)]
pub struct Room<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Room<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Room<N> {
    /// What was written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl<const N: usize> Put for Room<N> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        let end = self.length + bytes.len();
        let fits = end <= N;
        if fits {
            self.bytes[self.length..end].copy_from_slice(bytes);
            self.length = end;
        }
        fits
    }
}

/// Writes strict CBOR; remembers whether everything fitted.
#[derive(Debug)]
pub struct Writer<P> {
    out: P,
    full: bool,
}

impl<P: Put> Writer<P> {
    /// Writes into `out`.
    pub const fn new(out: P) -> Self {
        Self { out, full: false }
    }

    /// Everything that was written, or `None` if it did not fit.
    pub fn finish(self) -> Option<P> {
        (!self.full).then_some(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.full |= !self.out.put(bytes);
        self
    }

    #[allow(clippy::cast_possible_truncation, reason = "each branch has checked the range")]
    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let top = major << 5;
        match value {
            0..=23 => self.put(&[top | value as u8]),
            24..=0xff => self.put(&[top | 24, value as u8]),
            0x100..=0xffff => self.put(&[top | 25]).put(&(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.put(&[top | 26]).put(&(value as u32).to_be_bytes()),
            _ => self.put(&[top | 27]).put(&value.to_be_bytes()),
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(UINT, value),
            Err(_) => self.head(NINT, !value.cast_unsigned()),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(BYTES, bytes.len() as u64).put(bytes)
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(TEXT, text.len() as u64).put(text.as_bytes())
    }

    /// The head of an array.
    pub fn array(&mut self, length: usize) -> &mut Self {
        self.head(ARRAY, length as u64)
    }

    /// A null.
    pub fn null(&mut self) -> &mut Self {
        self.put(&[NULL])
    }

    /// An item that is strict CBOR already.
    pub fn item(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(bytes)
    }
}
