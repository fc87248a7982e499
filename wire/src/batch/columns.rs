//! Columns of whole numbers in few bits: widths for what stands alone, Rice codes for differences.

use alloc::vec::Vec;

/// Unary part at which a difference is written out in 64 bits instead.
const ESCAPE: u32 = 20;

/// Bits, most significant first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    hold: u64,
    held: u32,
}

impl BitWriter {
    /// Appends the low `count` bits of `value`, at most 32 at once.
    #[allow(clippy::cast_possible_truncation, reason = "whole bytes are cut out on purpose")]
    fn put(&mut self, value: u64, count: u32) {
        self.hold = self.hold << count | value & ((1 << count) - 1);
        self.held += count;
        while self.held >= 8 {
            self.held -= 8;
            self.bytes.push((self.hold >> self.held) as u8);
        }
    }

    fn put_wide(&mut self, value: u64, count: u32) {
        if count > 32 {
            self.put(value >> 32, count - 32);
        }
        self.put(value, count.min(32));
    }

    fn finish(mut self) -> Vec<u8> {
        if self.held > 0 {
            self.put(0, 8 - self.held);
        }
        self.bytes
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    hold: u64,
    held: u32,
}

impl BitReader<'_> {
    fn take(&mut self, count: u32) -> Option<u64> {
        while self.held < count {
            self.hold = self.hold << 8 | u64::from(*self.bytes.get(self.at)?);
            self.at += 1;
            self.held += 8;
        }
        self.held -= count;
        Some(self.hold >> self.held & ((1 << count) - 1))
    }

    fn take_wide(&mut self, count: u32) -> Option<u64> {
        let high = if count > 32 { self.take(count - 32)? } else { 0 };
        Some(high << 32 | self.take(count.min(32))?)
    }

    /// Whether all bytes were used and the rest of the last one is zero.
    fn done(&self) -> bool {
        self.at == self.bytes.len() && self.held < 8 && self.hold & ((1 << self.held) - 1) == 0
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// How many bits a channel's first value takes in a table; the top bit says that it is signed.
///
/// It stands in the head, once for all devices of a shape, and tells no more than a magnitude.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Width(pub u8);

const SIGNED: u8 = 0x80;

impl Width {
    /// Makes room for one more value.
    pub(super) fn admit(&mut self, value: i64) {
        if value < 0 && self.0 & SIGNED == 0 {
            self.0 = SIGNED | (self.0 + 1).min(64);
        }
        let raw = if self.0 & SIGNED != 0 { zigzag(value) } else { value.cast_unsigned() };
        let bits = (64 - raw.leading_zeros()) as u8;
        self.0 = self.0 & SIGNED | bits.max(self.0 & !SIGNED);
    }

    pub(super) const fn is_valid(self) -> bool {
        self.0 & !SIGNED <= 64
    }

    fn bits(self) -> u32 {
        u32::from(self.0 & !SIGNED)
    }
}

/// Packs a table: each channel's first value in its width, then Rice-coded differences.
pub(super) fn pack(values: &[i64], widths: &[Width]) -> Vec<u8> {
    let mut out = BitWriter::default();
    let moments = values.len() / widths.len().max(1);
    for (column, width) in values.chunks_exact(moments.max(1)).zip(widths) {
        let signed = width.0 & SIGNED != 0;
        let raw = if signed { zigzag(column[0]) } else { column[0].cast_unsigned() };
        out.put_wide(raw, width.bits());
        if moments > 1 {
            pack_differences(&mut out, column);
        }
    }
    out.finish()
}

fn pack_differences(out: &mut BitWriter, column: &[i64]) {
    let steps = column.windows(2).map(|pair| zigzag(pair[1].wrapping_sub(pair[0])));
    let sum = steps.clone().fold(0u64, u64::saturating_add);
    let count = (column.len() - 1) as u64;
    let parameter = (0..31).find(|k| count << k >= sum).unwrap_or(31);
    out.put(parameter, 5);
    for step in steps {
        let unary = step >> parameter;
        if unary < u64::from(ESCAPE) {
            let unary = unary as u32;
            out.put((1 << (unary + 1)) - 2, unary + 1);
            out.put(step, parameter as u32);
        } else {
            out.put((1 << ESCAPE) - 1, ESCAPE);
            out.put_wide(step, 64);
        }
    }
}

/// Unpacks what [`pack`] made; `None` for any other bytes.
pub(super) fn unpack(bytes: &[u8], moments: usize, widths: &[Width]) -> Option<Vec<i64>> {
    let mut bits = BitReader { bytes, at: 0, hold: 0, held: 0 };
    let mut values = Vec::with_capacity(moments * widths.len());
    for width in widths {
        let raw = bits.take_wide(width.bits())?;
        let first = if width.0 & SIGNED != 0 { unzigzag(raw) } else { raw.cast_signed() };
        values.push(first);
        if moments > 1 {
            unpack_differences(&mut bits, first, moments - 1, &mut values)?;
        }
    }
    bits.done().then_some(values)
}

fn unpack_differences(
    bits: &mut BitReader<'_>,
    first: i64,
    count: usize,
    values: &mut Vec<i64>,
) -> Option<()> {
    let parameter = bits.take(5)? as u32;
    let mut last = first;
    for _ in 0..count {
        let mut unary = 0;
        while unary < ESCAPE && bits.take(1)? == 1 {
            unary += 1;
        }
        let step = if unary == ESCAPE {
            bits.take_wide(64)?
        } else {
            u64::from(unary) << parameter | bits.take(parameter)?
        };
        last = last.wrapping_add(unzigzag(step));
        values.push(last);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn columns_come_back_whatever_their_numbers() {
        let extremes = [i64::MIN, i64::MAX, 0, -1, 1, 97, 98, 99, i64::MIN + 1, 5, 5, 5];
        for moments in [1, 2, 3, 4, 6, 12] {
            let mut widths = std::vec![Width::default(); extremes.len() / moments];
            for (column, width) in extremes.chunks(moments).zip(&mut widths) {
                width.admit(column[0]);
            }
            let packed = pack(&extremes, &widths);
            assert_eq!(unpack(&packed, moments, &widths).as_deref(), Some(&extremes[..]));
            assert_eq!(unpack(&packed[1..], moments, &widths), None);
        }
    }

    #[test]
    fn a_width_admits_all_it_was_shown() {
        let mut width = Width::default();
        for value in [3, 120, -4, i64::MIN] {
            width.admit(value);
        }
        let packed = pack(&[120], &[width]);
        assert_eq!(unpack(&packed, 1, &[width]), Some(std::vec![120]));
    }
}
