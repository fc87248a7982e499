//! Waveform blocks: the samples of one channel, packed without loss.
//!
//! A block stands alone: it opens without any earlier block, so one lost block costs one block.
//! The only thing it may lean on is the channel before it *in the same block* (`previous_channel`),
//! which tells how restless the moment is, for example where a heart beat is.
//!
//! How it works: six fixed predictors and one that learns guess the next sample; their guesses are
//! averaged, weighted by how well each did during the last few samples. The size of the error is
//! tracked too, and picks a bell curve from one parametric family; a range coder spends the bits
//! that curve asks for. Everything is integer arithmetic, so every machine computes the same bytes.
//! No table was trained on recorded patients; a few constants were chosen by hand on a handful of
//! public records.
//!
//! `wire/FORMAT.md` describes the bytes; `tests/vectors/wave.py` is a second decoder.

mod forecast;
mod range;

use alloc::vec::Vec;

use self::forecast::{Lead, Model, Scale};
use self::range::{Decoder, Encoder};

/// Samples as plain 32-bit integers, least significant byte first.
const METHOD_PLAIN: u8 = 0;
/// Forecast and range coder, alone.
const METHOD_ALONE: u8 = 1;
/// Forecast and range coder, with the scale led by the previous channel.
const METHOD_LED: u8 = 2;

/// Why bytes are not a waveform block of the expected count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WaveError {
    /// The first byte names no method we know. Quarantine; a newer reader may know it.
    UnknownMethod {
        /// The method as it was named.
        method: u8,
    },
    /// The bytes end before the last sample. Quarantine.
    Short,
    /// Bytes are left over after the last sample. Quarantine.
    Long,
    /// A sample would not fit 32 bits: no encoder wrote this. Quarantine.
    Range,
    /// The block leans on a previous channel of equal length that the caller does not have.
    /// Quarantine.
    NoPreviousChannel,
}

impl core::fmt::Display for WaveError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::UnknownMethod { method } => write!(out, "unknown waveform method {method}"),
            Self::Short => out.write_str("waveform block ends too early"),
            Self::Long => out.write_str("waveform block has bytes left over"),
            Self::Range => out.write_str("waveform sample does not fit 32 bits"),
            Self::NoPreviousChannel => out.write_str("waveform block lacks its previous channel"),
        }
    }
}

impl core::error::Error for WaveError {}

/// Packs the samples of one channel.
///
/// Shape:  method byte ‖ payload; never more than `1 + 4 × samples` bytes. The previous channel
///         is used only if it has equally many samples and if it helps.
/// Cost:   one pass; with a previous channel the bits are spent both ways and compared.
#[must_use]
pub fn encode(samples: &[i32], previous_channel: Option<&[i32]>) -> Vec<u8> {
    let previous = previous_channel.filter(|previous| previous.len() == samples.len());
    let mut best = pack(samples, previous);
    if best.len() > 1 + 4 * samples.len() {
        best.clear();
        best.push(METHOD_PLAIN);
        samples.iter().for_each(|sample| best.extend_from_slice(&sample.to_le_bytes()));
    }
    best
}

/// Unpacks `count` samples.
///
/// Shape:  any bytes; `previous_channel` as it was given to [`encode`].
/// Cost:   one pass. Memory stays below 8 KiB per input byte whatever `count` says, because even
///         the cheapest sample takes a part of a bit; the caller still caps `count`.
///
/// # Errors
/// See [`WaveError`]; nothing is returned of a block that does not end exactly at its last byte.
pub fn decode(
    bytes: &[u8],
    count: usize,
    previous_channel: Option<&[i32]>,
) -> Result<Vec<i32>, WaveError> {
    let (&method, payload) = bytes.split_first().ok_or(WaveError::Short)?;
    match method {
        METHOD_PLAIN => unpack_plain(payload, count),
        METHOD_ALONE => unpack(payload, count, None),
        METHOD_LED => {
            let previous = previous_channel.filter(|p| p.len() == count);
            unpack(payload, count, Some(previous.ok_or(WaveError::NoPreviousChannel)?))
        }
        method => Err(WaveError::UnknownMethod { method }),
    }
}

fn unpack_plain(payload: &[u8], count: usize) -> Result<Vec<i32>, WaveError> {
    let (samples, rest) = payload.as_chunks::<4>();
    if samples.len() < count {
        return Err(WaveError::Short);
    }
    if samples.len() > count || !rest.is_empty() {
        return Err(WaveError::Long);
    }
    Ok(samples.iter().map(|sample| i32::from_le_bytes(*sample)).collect())
}

/// Packs with and without the lead of the previous channel; the shorter one wins.
fn pack(samples: &[i32], previous: Option<&[i32]>) -> Vec<u8> {
    let mut alone = Packing::new(METHOD_ALONE, samples, None);
    let mut led = previous.map(|_| Packing::new(METHOD_LED, samples, previous));
    if let Some((&first, rest)) = samples.split_first() {
        let mut model = Model::new(first);
        for (index, &sample) in rest.iter().enumerate() {
            let (expected, sample) = (model.expect(), i64::from(sample));
            alone.add(index + 1, sample, expected);
            if let Some(led) = &mut led {
                led.add(index + 1, sample, expected);
            }
            model.learn(sample);
        }
    }
    let alone = alone.coder.finish();
    match led.map(|led| led.coder.finish()) {
        Some(led) if led.len() < alone.len() => led,
        _ => alone,
    }
}

/// One of the ways to pack a block, while it grows.
struct Packing<'a> {
    lead: Lead<'a>,
    scale: Scale,
    coder: Encoder,
}

impl<'a> Packing<'a> {
    fn new(method: u8, samples: &[i32], previous: Option<&'a [i32]>) -> Self {
        let mut out = Vec::with_capacity(16 + samples.len());
        out.push(method);
        let mut coder = Encoder::new(out);
        if let Some(&first) = samples.first() {
            coder.wide(zigzag(first));
        }
        Self { lead: Lead::new(previous), scale: Scale::new(), coder }
    }

    fn add(&mut self, index: usize, sample: i64, expected: i64) {
        let forecast = self.scale.forecast(expected, self.lead.at(index));
        forecast.write(sample, &mut self.coder);
        self.scale.learn(sample, &forecast);
    }
}

fn unpack(payload: &[u8], count: usize, previous: Option<&[i32]>) -> Result<Vec<i32>, WaveError> {
    let mut coder = Decoder::new(payload);
    let mut samples = Vec::with_capacity(count.min(payload.len().saturating_mul(8)));
    if count > 0 {
        let first = unzigzag(coder.wide()?)?;
        samples.push(first);
        let mut model = Model::new(first);
        let (lead, mut scale) = (Lead::new(previous), Scale::new());
        for index in 1..count {
            let forecast = scale.forecast(model.expect(), lead.at(index));
            let sample = forecast.read(&mut coder)?;
            samples.push(i32::try_from(sample).map_err(|_| WaveError::Range)?);
            scale.learn(sample, &forecast);
            model.learn(sample);
        }
    }
    coder.finish()?;
    Ok(samples)
}

fn zigzag(value: i32) -> u64 {
    u64::from((value.cast_unsigned() << 1) ^ (value >> 31).cast_unsigned())
}

fn unzigzag(value: u64) -> Result<i32, WaveError> {
    let value = u32::try_from(value).map_err(|_| WaveError::Range)?;
    Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{WaveError, decode, encode};

    struct Xorshift(u64);

    impl Xorshift {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn noise(&mut self, bits: u32) -> i32 {
            if bits == 0 { 0 } else { (self.next() as i32) >> (32 - bits) }
        }
    }

    /// Something like a heart: a slow drift, a spike per second and noise.
    fn beats(random: &mut Xorshift, count: usize, size: i32) -> Vec<i32> {
        let beat = |index: usize| match index % 250 {
            phase @ 100..110 => size * (phase as i32 - 100),
            phase @ 110..120 => size * (120 - phase as i32),
            phase => phase as i32 / 8,
        };
        (0..count).map(|index| beat(index) + random.noise(3)).collect()
    }

    fn shapes() -> Vec<Vec<i32>> {
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        let mut shapes = vec![vec![], vec![0], vec![i32::MIN], vec![i32::MAX], vec![-1, 1]];
        for value in [0, 1, -7, 1024, i32::MIN, i32::MAX] {
            shapes.push(vec![value; 500]);
        }
        for period in [1, 2, 3, 50] {
            let square = |index| {
                if index / period % 2 == 0 { i32::MIN } else { i32::MAX }
            };
            shapes.push((0..500).map(square).collect());
        }
        for bits in 0..=32 {
            shapes.push((0..300).map(|_| random.noise(bits)).collect());
            let mut burst = |index| random.noise(if index % 40 < 20 { bits } else { 2 });
            shapes.push((0..300).map(&mut burst).collect());
        }
        for slope in [1, -3, 1_000, i32::MAX / 200] {
            shapes.push((0..400).map(|index: i32| slope.wrapping_mul(index)).collect());
        }
        for size in [1, 40, 3_000, 9_000_000] {
            shapes.push(beats(&mut random, 1_000, size));
        }
        for sparse in [3, 17, 150] {
            shapes.push((0..500).map(|i| if i % sparse == 0 { i32::MIN } else { 5 }).collect());
        }
        shapes
    }

    #[test]
    fn every_shape_comes_back_and_never_grows_beyond_plain() {
        for samples in shapes() {
            let bytes = encode(&samples, None);

            assert!(bytes.len() <= 1 + 4 * samples.len());
            assert_eq!(decode(&bytes, samples.len(), None), Ok(samples));
        }
    }

    #[test]
    fn every_shape_comes_back_beside_every_other() {
        let shapes = shapes();
        for previous in &shapes {
            for samples in &shapes {
                let bytes = encode(samples, Some(previous));

                assert_eq!(decode(&bytes, samples.len(), Some(previous)).as_ref(), Ok(samples));
            }
        }
    }

    #[test]
    fn a_calm_channel_takes_almost_nothing_and_a_beat_less_than_half() {
        let mut random = Xorshift(7);
        let samples = beats(&mut random, 360, 12);

        assert!(encode(&[1024; 360], None).len() <= 8);
        assert!(encode(&samples, None).len() < 180);
    }

    #[test]
    fn a_led_channel_is_refused_without_its_leader() {
        let mut random = Xorshift(11);
        let leader = beats(&mut random, 500, 90);
        let samples = beats(&mut random, 500, 60);

        let bytes = encode(&samples, Some(&leader));

        assert_eq!(bytes[0], super::METHOD_LED);
        assert_eq!(decode(&bytes, 500, None), Err(WaveError::NoPreviousChannel));
        assert_eq!(decode(&bytes, 500, Some(&leader[1..])), Err(WaveError::NoPreviousChannel));
    }

    #[test]
    fn a_block_that_lost_or_gained_bytes_is_refused() {
        for samples in shapes() {
            let mut bytes = encode(&samples, None);
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length], samples.len(), None).is_err());
            }
            for extra in [0, 1, 0x7f, 0x80, 0xff] {
                bytes.push(extra);
                assert!(decode(&bytes, samples.len(), None).is_err());
                bytes.push(!extra);
                assert!(decode(&bytes, samples.len(), None).is_err());
                bytes.truncate(bytes.len() - 2);
            }
        }
    }

    #[test]
    fn an_unknown_method_is_refused() {
        for method in 3..=255 {
            assert_eq!(decode(&[method, 0, 0], 2, None), Err(WaveError::UnknownMethod { method }));
        }
        assert_eq!(decode(&[], 0, None), Err(WaveError::Short));
    }

    #[test]
    fn random_bytes_never_panic_and_never_yield_another_count() {
        let mut random = Xorshift(0xdead_beef);
        let leader: Vec<i32> = (0..200).map(|_| random.noise(12)).collect();
        for round in 0..20_000_u64 {
            let length = random.next() % 120;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            if let Some(method) = bytes.first_mut() {
                *method %= 3;
            }
            let count = if round % 2 == 0 { 200 } else { random.next() as usize % 300 };

            if let Ok(samples) = decode(&bytes, count, Some(&leader)) {
                assert_eq!(samples.len(), count);
            }
        }
    }

    #[test]
    fn a_flipped_byte_never_panics() {
        let mut random = Xorshift(99);
        for samples in shapes() {
            let bytes = encode(&samples, None);
            for _ in 0..40 {
                let mut torn = bytes.clone();
                let at = random.next() as usize % torn.len();
                torn[at] ^= 1 << (random.next() % 8);
                let _ = decode(&torn, samples.len(), None);
            }
        }
    }

    #[test]
    fn a_huge_count_does_not_take_huge_memory() {
        for method in 0..3 {
            for filler in [0, 0x55, 0x80, 0xff] {
                let bytes = [[method].as_slice(), &[filler; 100]].concat();

                assert!(decode(&bytes, usize::MAX, None).is_err());
            }
        }
        let calm = encode(&[0; 100_000], None);
        assert!(decode(&calm, usize::MAX, None).is_err());
    }
}
