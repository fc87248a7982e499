//! Range coder: spends on each share of 65536 as many bits as its size asks for.

use alloc::vec::Vec;

use super::WaveError;

/// Below this the range is topped up with another byte.
const RANGE_MIN: u32 = 1 << 24;

/// Range coder, writing half.
pub(super) struct Encoder {
    out: Vec<u8>,
    low: u32,
    range: u32,
}

impl Encoder {
    /// Appends to `out`, which may hold bytes already.
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self { out, low: 0, range: u32::MAX }
    }

    /// Codes the share `start..start + size` of 65536.
    pub(super) fn share(&mut self, start: u32, size: u32) {
        let unit = self.range >> 16;
        self.add(start * unit);
        self.range = size * unit;
        while self.range < RANGE_MIN {
            self.out.push((self.low >> 24) as u8);
            self.low <<= 8;
            self.range <<= 8;
        }
    }

    /// Raises the low end; a carry runs back through the bytes already written.
    fn add(&mut self, amount: u32) {
        let (low, carry) = self.low.overflowing_add(amount);
        self.low = low;
        if carry {
            for byte in self.out.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    /// Codes the lowest `bits` bits of a number as they are, high part first.
    pub(super) fn plain(&mut self, value: u64, bits: u32) {
        let mut left = bits;
        while left > 0 {
            let now = left.min(16);
            left -= now;
            let part = ((value >> left) as u32) & ((1 << now) - 1);
            self.share(part << (16 - now), 1 << (16 - now));
        }
    }

    /// Codes a number of unknown size: six bits for its length, then its bits below the highest.
    pub(super) fn wide(&mut self, value: u64) {
        let bits = (value + 1).ilog2();
        self.plain(u64::from(bits), 6);
        self.plain(value + 1, bits);
    }

    /// Ends with as few bytes as say, whatever may follow them, which block this is.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for free_bits in [32, 24, 16, 8, 0_u32] {
            let cell = 1_u64 << free_bits;
            let low = u64::from(self.low);
            let chosen = low.next_multiple_of(cell);
            if chosen + cell <= low + u64::from(self.range) {
                self.add((chosen - low) as u32);
                let tail = self.low.to_be_bytes();
                self.out.extend_from_slice(&tail[..4 - free_bits as usize / 8]);
                break;
            }
        }
        self.out
    }
}

/// Range coder, reading half.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes taken so far, also past the end, where zeros are read.
    taken: usize,
    /// How far the bytes lie above the low end. Invariant: below `range` in every valid block.
    above: u32,
    range: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut above = 0;
        for index in 0..4 {
            above = above << 8 | u32::from(bytes.get(index).copied().unwrap_or(0));
        }
        Self { bytes, taken: 4, above, range: u32::MAX }
    }

    /// Where the bytes point to, in 1/65536: the share that holds it is the one to take.
    pub(super) fn target(&self) -> u32 {
        (self.above / (self.range >> 16)).min(65535)
    }

    /// Takes the share `start..start + size`, which must hold [`Self::target`].
    pub(super) fn take(&mut self, start: u32, size: u32) -> Result<(), WaveError> {
        let unit = self.range >> 16;
        self.above -= start * unit;
        self.range = size * unit;
        if self.above >= self.range {
            return Err(WaveError::Range);
        }
        while self.range < RANGE_MIN {
            let next = self.bytes.get(self.taken).copied().unwrap_or(0);
            self.taken += 1;
            self.above = self.above << 8 | u32::from(next);
            self.range <<= 8;
        }
        if self.taken > self.bytes.len() + 4 {
            return Err(WaveError::Short);
        }
        Ok(())
    }

    /// Reads what [`Encoder::plain`] wrote.
    pub(super) fn plain(&mut self, bits: u32) -> Result<u64, WaveError> {
        let (mut value, mut left) = (0, bits);
        while left > 0 {
            let now = left.min(16);
            left -= now;
            let part = self.target() >> (16 - now);
            self.take(part << (16 - now), 1 << (16 - now))?;
            value = value << now | u64::from(part);
        }
        Ok(value)
    }

    /// Reads what [`Encoder::wide`] wrote.
    pub(super) fn wide(&mut self) -> Result<u64, WaveError> {
        let bits = self.plain(6)? as u32;
        if bits > 36 {
            return Err(WaveError::Range);
        }
        Ok((1 << bits | self.plain(bits)?) - 1)
    }

    /// Checks that the block ends here: its bytes decide it, and one byte fewer would not.
    pub(super) fn finish(self) -> Result<(), WaveError> {
        if self.taken < self.bytes.len() {
            return Err(WaveError::Long);
        }
        let free = self.taken - self.bytes.len();
        let (Some(&last), 0..=3) = (self.bytes.last(), free) else {
            return Err(WaveError::Short);
        };
        let decides = |free: usize, above: i64| {
            above >= 0 && above + (1_i64 << (8 * free)) <= i64::from(self.range)
        };
        let above = i64::from(self.above);
        if !decides(free, above) {
            return Err(WaveError::Short);
        }
        if decides(free + 1, above - (i64::from(last) << (8 * free))) {
            return Err(WaveError::Long);
        }
        Ok(())
    }
}
