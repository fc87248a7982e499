//! MAX30102: light through a finger, red and infrared, and an estimate of SpO2 and pulse rate.
//!
//! Maxim MAX30102 data sheet (19-7740), section "register maps and descriptions". 100 samples a
//! second of each colour; the chip keeps 32, and counts those for which it had no room. The
//! estimate and its limits stand in [`estimate`].

use embedded_hal_async::i2c::I2c;
use wire::decimal::Decimal;
use wire::reading::{Channel, ChannelKind};
use wire::time::Rate;

use super::bus::{expect8, fault, read_from, write};
use super::{Fault, Readings, Sensor, numeric};

pub mod estimate;

use estimate::Estimate;

/// Its only address.
const ADDRESS: u8 = 0x57;
/// Pointer of the next sample in, samples that found no room, pointer of the next one out.
const POINTERS: u8 = 0x04;
const FIFO: u8 = 0x07;
const MODE: u8 = 0x09;
const IDENTITY: u8 = 0xFF;
const IDENTITY_IS: (u8, u8) = (0x15, 0xFF);
/// Every register as at power-up; the bit falls when that is done.
const RESET: u8 = 1 << 6;
/// Looks at a chip that is reset, 0.1 ms each at 400 kHz; it takes some milliseconds.
const LOOKS_MAX: u16 = 1_000;
/// No averaging, and samples without room are not written over others.
const FIFO_SETTINGS: [u8; 2] = [0x08, 0x0F];
/// Both colours.
const MODE_SETTINGS: [u8; 2] = [MODE, 0x03];
/// 4,096 nA full scale, 100 samples a second, 411 µs and 18 bits each.
const LIGHT_SETTINGS: [u8; 2] = [0x0A, 0x27];
/// 7.2 mA, each colour.
const CURRENT_SETTINGS: [[u8; 2]; 2] = [[0x0C, 0x24], [0x0D, 0x24]];
const SETTINGS: [[u8; 2]; 5] =
    [FIFO_SETTINGS, LIGHT_SETTINGS, CURRENT_SETTINGS[0], CURRENT_SETTINGS[1], MODE_SETTINGS];
const FIFO_SAMPLES: u8 = 32;
/// In one turn, so that they fit into a frame: 2 x 24 x 3 bytes. In ten turns a second that is more
/// than there are.
const SAMPLES_MAX: usize = 24;
const SAMPLE_BYTES: usize = 6;
/// The converter has 18 bits.
const SAMPLE_BITS: u32 = 18;
const HERTZ: u32 = 100;
const TURN_MS: u32 = 100;
/// Turns without a sample, where ten are due in each.
const SILENT_TURNS_MAX: u8 = 3;

const fn light(code: u32, label: &'static str) -> Channel<'static> {
    let kind = ChannelKind::Wave {
        rate: Rate { numerator: HERTZ as u64, denominator: 1 },
        gain: Decimal { mantissa: 1, exponent: 0 },
        baseline: 0,
        bits: SAMPLE_BITS as u8,
    };
    Channel { code, unit: 0, kind, label, unit_label: "" }
}

/// MDC_PULS_OXIM_PLETH twice, MDC_PULS_OXIM_SAT_O2 in per cent, MDC_PULS_OXIM_PULS_RATE.
const CHANNELS: [Channel<'static>; 4] = [
    light(150_452, "red"),
    light(150_452, "infrared"),
    Channel { label: "SpO2, estimate", ..numeric(150_456, 262_688, 0) },
    Channel { label: "pulse, estimate", ..numeric(149_530, 264_864, 0) },
];

/// The chip.
#[derive(Clone, Debug, Default)]
pub struct Max30102 {
    estimate: Estimate,
    silent_turns: u8,
}

impl Max30102 {
    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<(), Fault> {
        for [register, settings] in SETTINGS {
            expect8(bus, ADDRESS, register, (settings, 0xFF)).await?;
        }
        Ok(())
    }

    /// Samples that wait.
    ///
    /// The chip counts up to 31 that found no room: how many there were is known by time alone, so
    /// that it begins anew then, and all that is missing is declared.
    async fn waiting<B: I2c>(&self, bus: &mut B) -> Result<u8, Fault> {
        let [in_, overflow, out] = read_from(bus, ADDRESS, POINTERS).await?;
        if (in_ | out) >= FIFO_SAMPLES || overflow >= FIFO_SAMPLES {
            return Err(Fault::Implausible(u16::from_be_bytes([in_, out])));
        }
        if overflow > 0 {
            return Err(Fault::Overrun);
        }
        Ok(in_.wrapping_sub(out) % FIFO_SAMPLES)
    }
}

/// One sample of both colours; the bits above are not used.
fn convert([a, b, c, d, e, f]: [u8; SAMPLE_BYTES]) -> [i32; 2] {
    [[0, a, b, c], [0, d, e, f]].map(|bytes| i32::from_be_bytes(bytes) & ((1 << SAMPLE_BITS) - 1))
}

impl<B: I2c> Sensor<B> for Max30102 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        TURN_MS
    }

    fn turns_a_numeric(&self) -> u32 {
        1_000 / TURN_MS
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        *self = Self::default();
        expect8(bus, ADDRESS, IDENTITY, IDENTITY_IS).await?;
        write(bus, ADDRESS, &[MODE, RESET]).await?;
        let mut looks = 0;
        while read_from::<1, _>(bus, ADDRESS, MODE).await?[0] & RESET != 0 {
            looks += 1;
            if looks == LOOKS_MAX {
                return Err(Fault::Silent);
            }
        }
        write(bus, ADDRESS, &[POINTERS, 0, 0, 0]).await?;
        for settings in SETTINGS {
            write(bus, ADDRESS, &settings).await?;
        }
        self.settings(bus).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let waiting = self.waiting(bus).await?;
        let count = usize::from(waiting).min(SAMPLES_MAX);
        let mut bytes = [0; SAMPLES_MAX * SAMPLE_BYTES];
        let bytes = &mut bytes[..count * SAMPLE_BYTES];
        if count > 0 {
            bus.write_read(ADDRESS, &[FIFO], bytes).await.map_err(fault)?;
        }
        self.settings(bus).await?;
        self.silent_turns = if count == 0 { self.silent_turns + 1 } else { 0 };
        if self.silent_turns > SILENT_TURNS_MAX {
            return Err(Fault::Silent);
        }
        let mut colours = [[None; SAMPLES_MAX]; 2];
        for (at, sample) in bytes.as_chunks().0.iter().enumerate() {
            let sample = convert(*sample);
            (colours[0][at], colours[1][at]) = (Some(sample[0]), Some(sample[1]));
            self.estimate.take(sample);
        }
        if count > 0 {
            readings.behind(u32::from(waiting) - count as u32);
            readings.wave(0, 0, &[&colours[0][..count], &colours[1][..count]]);
        }
        if let Some(values) = self.estimate.values() {
            readings.numerics(2, &values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ring::{Loss, Ring};
    use crate::sampler::Sampler;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn, turns};
    use crate::sensor::{Blocking, block_on};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec::Vec;
    use wire::link::{Entries, Entry, SourceGap};

    /// So many samples that grow by one, infrared a thousand above red.
    fn samples(count: u32) -> Vec<u8> {
        let of = |value: u32| value.to_be_bytes()[1..].to_vec();
        (0..count).flat_map(|at| [of(0x1_0000 + at), of(0x1_03E8 + at)].concat()).collect()
    }

    fn chip(pointers: [u8; 3]) -> Chip {
        let settings: [(u8, &[u8]); 4] = [(0x08, &[0]), (0x0A, &[0]), (0x0C, &[0]), (0x0D, &[0])];
        let registers = Registers::of(&settings).with_fixed(&[
            (IDENTITY, &[0x15]),
            (POINTERS, &pointers),
            (FIFO, &samples(32)),
            // The bit of a reset has fallen by the first look.
            (MODE, &[0x03]),
        ]);
        Chip::new(ADDRESS, registers)
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let read = |register: u8, bytes: &[u8]| {
            Transaction::write_read(ADDRESS, std::vec![register], bytes.to_vec())
        };
        let write = |bytes: &[u8]| Transaction::write(ADDRESS, bytes.to_vec());
        let settings = [[0x08, 0x0F], [0x0A, 0x27], [0x0C, 0x24], [0x0D, 0x24], [0x09, 0x03]];
        let mut expected = std::vec![read(0xFF, &[0x15]), write(&[0x09, 0x40])];
        expected.extend([read(0x09, &[0x40]), read(0x09, &[0x00]), write(&[0x04, 0, 0, 0])]);
        expected.extend(settings.iter().map(|pair| write(pair)));
        expected.extend(settings.iter().map(|pair| read(pair[0], &pair[1..])));
        expected.extend([read(0x04, &[2, 0, 31]), read(0x07, &samples(3))]);
        expected.extend(settings.iter().map(|pair| read(pair[0], &pair[1..])));
        let mut mock = Mock::new(&expected);
        let said = turn(&mut Max30102::default(), &mut Blocking(&mut mock));
        let wanted = [0x1_0000, 0x1_0001, 0x1_0002, 0x1_03E8, 0x1_03E9, 0x1_03EA].map(Some);
        assert_eq!((said.samples, said.result), (wanted.to_vec(), Ok(())));
        mock.done();
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_sample() {
        no_fault_becomes_a_number(Max30102::default, || chip([10, 0, 0]));
    }

    #[test]
    fn what_a_chip_without_room_lost_is_a_gap_and_keeps_its_numbers() {
        let (mut sensor, mut bus) = (Max30102::default(), Blocking(chip([10, 0, 0])));
        let mut sampler = Sampler::new::<Blocking<Chip>, _>(&sensor, 0, 0);
        let mut ring = Ring::<1000>::default();
        let mut results = Vec::new();
        for now in [0, 100, 200, 1_200, 1_300, 1_400] {
            bus.0.set(POINTERS, if now == 1_200 { &[5, 31, 5] } else { &[10, 0, 0] });
            let chip = (&mut sensor, &mut bus);
            results.push(block_on(sampler.sample((now, now.into()), chip, &mut ring)).1);
        }
        assert_eq!(results[3], Err(Fault::Overrun));
        let (mut samples, mut missing) = (Vec::new(), 0);
        for record in (ring.first()..ring.next()).filter_map(|sequence| ring.record(sequence)) {
            if record.gap {
                let gap = SourceGap::read(record.payload).unwrap();
                missing += if gap.cause == Loss::Sensor as u8 { gap.readings } else { 0 };
                continue;
            }
            for entry in Entries::read(record.payload).unwrap() {
                let Entry::Wave(wave) = entry else { continue };
                samples.push((wave.sample_first, wave.count));
            }
        }
        // From 200 to 1,300 ms nothing was said: 110 samples of two colours.
        assert_eq!((samples, missing), (std::vec![(0, 10), (10, 10), (130, 10)], 220));
    }

    #[test]
    fn another_chip_one_that_is_stuck_and_one_that_gives_nothing_are_named() {
        let mut other = chip([0; 3]);
        other.set(IDENTITY, &[0x11]);
        let said = turn(&mut Max30102::default(), &mut Blocking(other));
        assert_eq!(said.result, Err(Fault::Identity { expected: 0x15, found: 0x11 }));
        let said = turns(&mut Max30102::default(), &mut Blocking(chip([5, 0, 5])), 5);
        assert_eq!(said.last().map(|said| said.result), Some(Err(Fault::Silent)));
        assert_eq!(convert([0xFF; 6]), [0x3_FFFF; 2]);
    }
}
