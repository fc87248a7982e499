//! ADS1292R: one lead of ECG and respiration by impedance, 500 samples a second.
//!
//! Texas Instruments ADS1292R data sheet (SBAS502C), sections 8.5 (commands) and 8.6 (registers). SPI
//! mode 1. The chip keeps one sample, and says by a pin that there is one; the settings are read
//! back behind each block of samples, which is said only then.

use embedded_hal::digital::InputPin;
use embedded_hal::spi;
use embedded_hal_async::spi::SpiDevice;
use wire::decimal::Decimal;
use wire::reading::{Channel, ChannelKind};
use wire::time::Rate;

use super::bus::is;
use super::{Fault, Readings, Sensor};

const RESET: u8 = 0x06;
const START: u8 = 0x08;
const STOP_CONTINUOUS: u8 = 0x11;
const READ_DATA: u8 = 0x12;
const READ_REGISTERS: u8 = 0x20;
const WRITE_REGISTERS: u8 = 0x40;
/// ADS1292R.
const IDENTITY: u8 = 0x73;
/// Registers 1 to 10: 500 samples a second; reference and lead-off comparators on; lead-off by
/// direct current; gain 6 on both channels; right leg driven; lead-off of all four electrodes;
/// status as it comes; respiration with the chip's own clock, 135 degrees.
const SETTINGS: [u8; 10] = [0x02, 0xE0, 0x10, 0x00, 0x00, 0x2C, 0x0F, 0x00, 0xF2, 0x03];
/// Register 8 says which electrodes are off, and is not ours.
const STATUS_AT: usize = 7;
/// The highest four bits of every sample's status.
const STATUS_IS: u8 = 0b1100;
/// Status, respiration, ECG, 24 bits each.
const SAMPLE_BYTES: usize = 9;
const CHANNELS_COUNT: usize = 2;
/// Samples of a block: 32 ms.
const BLOCK: usize = 16;
const HERTZ: u32 = 500;
/// The pin is looked at twice as often as it may fall.
const TURN_MS: u32 = 1;
/// Looks in a row without a sample, where one is due at every second.
const SILENT_LOOKS_MAX: u16 = 20;
/// 6 x 2^23 / 2,420 steps a millivolt: the gain, the converter, the reference in millivolts.
const STEPS_A_MILLIVOLT: Decimal = Decimal { mantissa: 207_982_017, exponent: -4 };

const fn lead(code: u32, unit: u32, label: &'static str) -> Channel<'static> {
    let kind = ChannelKind::Wave {
        rate: Rate { numerator: HERTZ as u64, denominator: 1 },
        gain: STEPS_A_MILLIVOLT,
        baseline: 0,
        bits: 24,
    };
    Channel { code, unit, kind, label, unit_label: "mV" }
}

/// MDC_IMPED_TTHOR as the voltage that the converter sees, MDC_ECG_ELEC_POTL_II in millivolts.
const CHANNELS: [Channel<'static>; CHANNELS_COUNT] =
    [lead(151_780, 0, "respiration"), lead(131_330, 266_418, "II")];

/// The chip, and the pin by which it says that a sample waits: low then.
#[derive(Debug)]
pub struct Ads1292r<P> {
    pin: P,
    block: [[Option<i32>; BLOCK]; CHANNELS_COUNT],
    filled: usize,
    silent_looks: u16,
}

fn fault<E: spi::Error>(error: E) -> Fault {
    Fault::Spi(error.kind())
}

async fn registers<B: SpiDevice>(bus: &mut B) -> Result<[u8; 11], Fault> {
    let mut bytes = [0; 13];
    // From register 0 on, eleven of them.
    bytes[..2].copy_from_slice(&[READ_REGISTERS, 10]);
    bus.transfer_in_place(&mut bytes).await.map_err(fault)?;
    let mut found = [0; 11];
    found.copy_from_slice(&bytes[2..]);
    Ok(found)
}

/// Looks whether it is the chip, with our settings.
async fn settings<B: SpiDevice>(bus: &mut B) -> Result<(), Fault> {
    let [identity, found @ ..] = registers(bus).await?;
    is(identity.into(), IDENTITY.into())?;
    let mut pairs = found.into_iter().zip(SETTINGS).enumerate();
    pairs.try_for_each(|(at, (found, settings))| match at {
        STATUS_AT => Ok(()),
        _ => is(found.into(), settings.into()),
    })
}

/// One sample: respiration and ECG, none where an electrode is off.
///
/// # Errors
/// [`Fault::Implausible`]: the status is none.
fn convert(bytes: [u8; SAMPLE_BYTES]) -> Result<[Option<i32>; CHANNELS_COUNT], Fault> {
    let [a, b, c, one @ .., d, e, f] = bytes;
    if a >> 4 != STATUS_IS || b & 0x1F != 0 || c != 0 {
        return Err(Fault::Implausible(u16::from_be_bytes([a, b])));
    }
    // Right leg, then both electrodes of channel 2, then of channel 1.
    let off = (a & 0xF) << 1 | b >> 7;
    let number = |[a, b, c]: [u8; 3]| i32::from_be_bytes([a, b, c, 0]) >> 8;
    let channel = |bytes, off: u8| (off & 0b11 == 0).then(|| number(bytes));
    Ok([channel(one, off), channel([d, e, f], off >> 2)])
}

impl<P: InputPin> Ads1292r<P> {
    /// The chip whose pin DRDY this is.
    #[must_use]
    pub const fn new(pin: P) -> Self {
        let block = [[None; BLOCK]; CHANNELS_COUNT];
        Self { pin, block, filled: 0, silent_looks: 0 }
    }

    async fn take<B: SpiDevice>(
        &mut self,
        bus: &mut B,
        readings: &mut Readings<'_>,
    ) -> Result<(), Fault> {
        if self.pin.is_high().map_err(|_| Fault::Pin)? {
            self.silent_looks += 1;
            let is_dead = self.silent_looks > SILENT_LOOKS_MAX;
            return if is_dead { Err(Fault::Silent) } else { Ok(()) };
        }
        self.silent_looks = 0;
        let mut bytes = [0; 1 + SAMPLE_BYTES];
        bytes[0] = READ_DATA;
        bus.transfer_in_place(&mut bytes).await.map_err(fault)?;
        let [_, sample @ ..] = bytes;
        let sample = convert(sample)?;
        for (channel, value) in self.block.iter_mut().zip(sample) {
            channel[self.filled] = value;
        }
        self.filled += 1;
        if self.filled == BLOCK {
            settings(bus).await?;
            self.filled = 0;
            readings.wave(0, 0, &[&self.block[0], &self.block[1]]);
        }
        Ok(())
    }
}

impl<P: InputPin, B: SpiDevice> Sensor<B> for Ads1292r<P> {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        TURN_MS
    }

    /// The chip keeps one sample: of those that came while nobody looked, all but the last are gone.
    fn samples_missed(&self, turns: u32) -> u32 {
        turns * TURN_MS * HERTZ / 1_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        (self.filled, self.silent_looks) = (0, 0);
        bus.write(&[RESET]).await.map_err(fault)?;
        bus.write(&[STOP_CONTINUOUS]).await.map_err(fault)?;
        let mut bytes = [0; 12];
        bytes[..2].copy_from_slice(&[WRITE_REGISTERS | 1, 9]);
        bytes[2..].copy_from_slice(&SETTINGS);
        bus.write(&bytes).await.map_err(fault)?;
        settings(bus).await?;
        bus.write(&[START]).await.map_err(fault)
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let result = self.take(bus, readings).await;
        if result.is_err() {
            // What was collected is not said: nobody knows from when on it is wrong.
            readings.lost(core::mem::take(&mut self.filled) as u32);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ring::Ring;
    use crate::sampler::Sampler;
    use crate::sensor::simulated::{Broken, Said, turns};
    use crate::sensor::{Blocking, block_on};
    use core::convert::Infallible;
    use embedded_hal::spi::{ErrorKind, Operation};
    use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Level};
    use embedded_hal_mock::eh1::spi::{Mock, Transaction};
    use std::vec::Vec;
    use wire::link::{Entries, Entry, SourceGap};

    #[test]
    fn a_sample_is_read_as_the_data_sheet_has_it() {
        let sample = [0xC0, 0, 0, 0x7F, 0xFF, 0xFF, 0x80, 0, 0];
        assert_eq!(convert(sample), Ok([Some(8_388_607), Some(-8_388_608)]));
        assert_eq!(convert([0xC0, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF]), Ok([Some(1), Some(-1)]));
        // Channel 2's negative electrode is off, then channel 1's positive one.
        assert_eq!(convert([0xC4, 0, 0, 0, 0, 1, 0, 0, 2]), Ok([Some(1), None]));
        assert_eq!(convert([0xC0, 0x80, 0, 0, 0, 1, 0, 0, 2]), Ok([None, Some(2)]));
        for stuck in [0, 0xFF] {
            assert!(matches!(convert([stuck; 9]), Err(Fault::Implausible(_))));
        }
    }

    /// Registers 0 to 10 of a chip that was set up.
    fn right() -> Vec<u8> {
        [&[IDENTITY], &SETTINGS[..]].concat()
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let one = |written: &[u8]| {
            let written = Transaction::write_vec(written.to_vec());
            [Transaction::transaction_start(), written, Transaction::transaction_end()]
        };
        let both = |written: Vec<u8>, read: Vec<u8>| {
            let both = Transaction::transfer_in_place(written, read);
            [Transaction::transaction_start(), both, Transaction::transaction_end()]
        };
        let set = [&[0x41, 0x09], &SETTINGS[..]].concat();
        let look = || {
            let written = [&[0x20, 0x0A][..], &[0; 11]].concat();
            both(written, [&[0, 0][..], &right()].concat())
        };
        let sample = |at: u8| {
            let written = [&[0x12][..], &[0; 9]].concat();
            both(written, std::vec![0, 0xC0, 0, 0, 0, 0, at, 0xFF, 0xFF, at])
        };
        let mut expected = [one(&[0x06]), one(&[0x11]), one(&set), look(), one(&[0x08])].concat();
        (0..16).for_each(|at| expected.extend(sample(at)));
        expected.extend(look());
        let mut mock = Mock::new(&expected);
        let mut pin = Pin::new(&std::vec![Level::get(State::Low); 16]);

        let said = turns(&mut Ads1292r::new(pin.clone()), &mut Blocking(&mut mock), 16);

        let respiration = (0..16).map(Some);
        let ecg = (0..16).map(|at| Some(at - 256));
        assert_eq!(said[15].samples, respiration.chain(ecg).collect::<Vec<_>>());
        assert!(said.iter().all(|said| said.result == Ok(())));
        mock.done();
        pin.done();
    }

    /// A chip that gives a sample at every second look, the number of the sample on both channels.
    struct Chip {
        registers: Vec<u8>,
        sample: u8,
        breaks: Option<(Broken, usize)>,
        passed: usize,
    }

    impl Chip {
        fn new(breaks: Option<(Broken, usize)>) -> Self {
            Self { registers: power_up(), sample: 0, breaks, passed: 0 }
        }

        fn pass(&mut self, byte: u8) -> Result<u8, ErrorKind> {
            let broken = self.breaks.filter(|(_, after)| *after <= self.passed).map(|(how, _)| how);
            if self.breaks == Some((Broken::Reset, self.passed)) {
                self.registers = power_up();
            }
            self.passed += 1;
            match broken {
                None | Some(Broken::Reset) => Ok(byte),
                Some(Broken::Silent) => Err(ErrorKind::Overrun),
                Some(Broken::Arbitration) => Err(ErrorKind::ModeFault),
                Some(Broken::StuckLow) => Ok(0),
                Some(Broken::StuckHigh) => Ok(0xFF),
            }
        }

        fn hear(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
            let bytes = bytes.iter().map(|byte| self.pass(*byte)).collect::<Result<Vec<_>, _>>()?;
            match bytes[..] {
                [RESET] => self.registers = power_up(),
                [0x41, 9, ref settings @ ..] => self.registers[1..].copy_from_slice(settings),
                _ => {}
            }
            Ok(())
        }

        fn answer(&mut self, bytes: &mut [u8]) -> Result<(), ErrorKind> {
            let said = match bytes[0] {
                READ_DATA => {
                    self.sample += 1;
                    std::vec![0, 0xC0, 0, 0, 0, 0, self.sample, 0, 1, self.sample]
                }
                _ => [&[0, 0], &self.registers[..]].concat(),
            };
            for (byte, said) in bytes.iter_mut().zip(said) {
                *byte = self.pass(said)?;
            }
            Ok(())
        }
    }

    fn power_up() -> Vec<u8> {
        [&[IDENTITY, 0x02, 0x80, 0x10][..], &[0; 7]].concat()
    }

    impl spi::ErrorType for Chip {
        type Error = ErrorKind;
    }

    impl spi::SpiDevice for Chip {
        fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), ErrorKind> {
            operations.iter_mut().try_for_each(|operation| match operation {
                Operation::Write(bytes) => self.hear(bytes),
                Operation::TransferInPlace(bytes) => self.answer(bytes),
                _ => Err(ErrorKind::Other),
            })
        }
    }

    /// Low at every second look.
    #[derive(Default)]
    struct EverySecond(u32);

    impl embedded_hal::digital::ErrorType for EverySecond {
        type Error = Infallible;
    }

    impl InputPin for EverySecond {
        fn is_high(&mut self) -> Result<bool, Infallible> {
            self.0 += 1;
            Ok(self.0.is_multiple_of(2))
        }

        fn is_low(&mut self) -> Result<bool, Infallible> {
            Ok(!self.is_high()?)
        }
    }

    fn said(chip: Chip, looks: u32) -> (Vec<Said>, usize) {
        let mut bus = Blocking(chip);
        (turns(&mut Ads1292r::new(EverySecond::default()), &mut bus, looks), bus.0.passed)
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_sample() {
        // Each fault comes before the end of a block, so that somebody sees it.
        let (looks, passed) = (100, said(Chip::new(None), 66).1);
        let (right, _) = said(Chip::new(None), looks);
        let blocks = |said: &[Said]| {
            let with = said.iter().filter(|said| !said.samples.is_empty());
            with.map(|said| said.samples.clone()).collect::<Vec<_>>()
        };
        assert_eq!(blocks(&right).len(), 3);
        for broken in Broken::ALL {
            for after in 0..passed {
                let (said, _) = said(Chip::new(Some((broken, after))), looks);
                let failed = said.iter().any(|said| said.result.is_err());
                assert!(failed || broken == Broken::Reset, "{broken:?} after {after} was not seen");
                // After a reset it is set up anew, and counts on.
                let is_right = |block: &Vec<Option<i32>>| {
                    let one = block[0].unwrap();
                    let respiration = (one..one + 16).map(Some);
                    let ecg = (one..one + 16).map(|at| Some(at + 256));
                    *block == respiration.chain(ecg).collect::<Vec<_>>()
                };
                assert!(blocks(&said).iter().all(is_right), "{broken:?} after {after}: {said:?}");
            }
        }
    }

    #[test]
    fn samples_that_are_not_said_are_declared() {
        for after in 60..400 {
            let (mut sensor, mut bus) =
                (Ads1292r::new(EverySecond::default()), Blocking(Chip::new(None)));
            bus.0.breaks = Some((Broken::Reset, after));
            let mut sampler = Sampler::new::<Blocking<Chip>, _>(&sensor, 0, 0);
            let mut ring = Ring::<4000>::default();
            let (mut samples, mut gaps) = (0, 0);
            for now in 0..400 {
                let chip = (&mut sensor, &mut bus);
                let _ = block_on(sampler.sample((now, now.into()), chip, &mut ring));
            }
            ring.close_gaps();
            for sequence in ring.first()..ring.next() {
                let record = ring.record(sequence).unwrap();
                if record.gap {
                    gaps += SourceGap::read(record.payload).unwrap().readings;
                    continue;
                }
                for entry in Entries::read(record.payload).unwrap() {
                    let Entry::Wave(wave) = entry else { panic!("no samples") };
                    samples += wave.samples().count() as u64;
                }
            }
            let taken = u64::from(bus.0.sample) * 2;
            let waits = sensor.filled as u64 * 2;
            // One turn more than the chip gave: rather too many are declared.
            assert!(samples + gaps + waits >= taken, "{after}: {samples} {gaps} {waits} {taken}");
            assert!(
                samples + gaps + waits <= taken + 4,
                "{after}: {samples} {gaps} {waits} {taken}"
            );
        }
    }

    #[test]
    fn a_chip_that_gives_nothing_new_is_named() {
        struct High;
        impl embedded_hal::digital::ErrorType for High {
            type Error = Infallible;
        }
        impl InputPin for High {
            fn is_high(&mut self) -> Result<bool, Infallible> {
                Ok(true)
            }
            fn is_low(&mut self) -> Result<bool, Infallible> {
                Ok(false)
            }
        }
        let said = turns(&mut Ads1292r::new(High), &mut Blocking(Chip::new(None)), 21);
        assert_eq!(said[20].result, Err(Fault::Silent));
    }
}
