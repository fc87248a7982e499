//! ADS1292R: one lead of ECG and respiration by impedance, 500 samples a second.
//!
//! Texas Instruments ADS1292R data sheet (SBAS502C), sections 8.5 (commands) and 8.6 (registers).
//! SPI mode 1, at most 900 kHz: the chip wants 8 microseconds a byte. It keeps one sample, and says
//! by a pin that there is one; the settings are read back behind each block of samples, which is
//! said only then. Limit: a turn that comes 0.7 to 1 ms late at the end of a block may miss one
//! sample unseen, since reading the chip takes the pin back; an interrupt that counts the pin would
//! see it.

use embedded_hal::digital::InputPin;
use embedded_hal::spi::{self, Operation};
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
/// direct current; gain 6 on both channels; right leg driven; lead-off of both electrodes of the
/// ECG, which carry the respiration, too; status as it comes; respiration with the chip's own
/// clock, 135 degrees.
const SETTINGS: [u8; 10] = [0x02, 0xE0, 0x10, 0x00, 0x00, 0x2C, 0x0C, 0x00, 0xF2, 0x03];
/// Nanoseconds after a command, 4 clocks of 512 kHz and more; the same after a reset, 18 clocks.
const COMMAND_NS: u32 = 10_000;
const RESET_NS: u32 = 100_000;
/// Samples until the reference has settled: 150 ms and more.
const SETTLING: u8 = 80;
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

/// MDC_DIM_MILLI_VOLT.
const MILLIVOLT: u32 = 266_418;
/// Respiration as the voltage that the converter sees, which nobody calibrated in ohms, and
/// MDC_ECG_ELEC_POTL_II.
const CHANNELS: [Channel<'static>; CHANNELS_COUNT] =
    [lead(0, MILLIVOLT, "respiration"), lead(131_330, MILLIVOLT, "II")];

/// The chip, and the pin by which it says that a sample waits: low then.
#[derive(Debug)]
pub struct Ads1292r<P> {
    pin: P,
    block: [[Option<i32>; BLOCK]; CHANNELS_COUNT],
    filled: usize,
    settling: u8,
    silent_looks: u16,
}

fn fault<E: spi::Error>(error: E) -> Fault {
    Fault::Spi(error.kind())
}

async fn command<B: SpiDevice>(bus: &mut B, command: u8, wait_ns: u32) -> Result<(), Fault> {
    let mut steps = [Operation::Write(&[command]), Operation::DelayNs(wait_ns)];
    bus.transaction(&mut steps).await.map_err(fault)
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
    // Right leg, then both electrodes of channel 2, then of channel 1, at which nobody looks.
    let is_off = (a & 0b0110) != 0;
    let number = |[a, b, c]: [u8; 3]| i32::from_be_bytes([a, b, c, 0]) >> 8;
    Ok([one, [d, e, f]].map(|bytes| (!is_off).then(|| number(bytes))))
}

impl<P: InputPin> Ads1292r<P> {
    /// The chip whose pin DRDY this is.
    #[must_use]
    pub const fn new(pin: P) -> Self {
        let block = [[None; BLOCK]; CHANNELS_COUNT];
        Self { pin, block, filled: 0, settling: 0, silent_looks: 0 }
    }

    /// Takes a sample if one waits; whether a block is full.
    async fn take<B: SpiDevice>(&mut self, bus: &mut B) -> Result<bool, Fault> {
        if self.pin.is_high().map_err(|_| Fault::Pin)? {
            self.silent_looks += 1;
            let is_dead = self.silent_looks > SILENT_LOOKS_MAX;
            return if is_dead { Err(Fault::Silent) } else { Ok(false) };
        }
        self.silent_looks = 0;
        let mut bytes = [0; 1 + SAMPLE_BYTES];
        bytes[0] = READ_DATA;
        bus.transfer_in_place(&mut bytes).await.map_err(fault)?;
        let [_, sample @ ..] = bytes;
        let sample = convert(sample)?;
        if self.settling > 0 {
            self.settling -= 1;
            return Ok(false);
        }
        for (channel, value) in self.block.iter_mut().zip(sample) {
            channel[self.filled] = value;
        }
        self.filled += 1;
        Ok(self.filled == BLOCK)
    }
}

impl<P: InputPin, B: SpiDevice> Sensor<B> for Ads1292r<P> {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        TURN_MS
    }

    fn forgets_when_late(&mut self) -> bool {
        self.filled = 0;
        true
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        (self.filled, self.settling, self.silent_looks) = (0, SETTLING, 0);
        // Before it is told to stop, it may not hear that it is to begin anew, and then it goes on.
        command(bus, STOP_CONTINUOUS, COMMAND_NS).await?;
        command(bus, RESET, RESET_NS).await?;
        command(bus, STOP_CONTINUOUS, COMMAND_NS).await?;
        let mut bytes = [0; 12];
        bytes[..2].copy_from_slice(&[WRITE_REGISTERS | 1, 9]);
        bytes[2..].copy_from_slice(&SETTINGS);
        bus.write(&bytes).await.map_err(fault)?;
        settings(bus).await?;
        command(bus, START, COMMAND_NS).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        if self.take(bus).await? {
            settings(bus).await?;
            self.filled = 0;
            readings.wave(0, 0, &[&self.block[0], &self.block[1]]);
        }
        Ok(())
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
        // Either electrode of channel 2 is off, then one of channel 1, at which nobody looks.
        assert_eq!(convert([0xC4, 0, 0, 0, 0, 1, 0, 0, 2]), Ok([None; 2]));
        assert_eq!(convert([0xC2, 0, 0, 0, 0, 1, 0, 0, 2]), Ok([None; 2]));
        assert_eq!(convert([0xC0, 0x80, 0, 0, 0, 1, 0, 0, 2]), Ok([Some(1), Some(2)]));
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
        let within = |steps: &[Transaction<u8>]| {
            let (first, last) = (Transaction::transaction_start(), Transaction::transaction_end());
            [&[first], steps, &[last]].concat()
        };
        let written = |bytes: &[u8]| Transaction::write_vec(bytes.to_vec());
        let command =
            |command: u8, wait_ns: u32| within(&[written(&[command]), Transaction::delay(wait_ns)]);
        let both = |written: Vec<u8>, read: Vec<u8>| {
            within(&[Transaction::transfer_in_place(written, read)])
        };
        let set = [&[0x41, 0x09], &SETTINGS[..]].concat();
        let look = || {
            let asked = [&[0x20, 0x0A][..], &[0; 11]].concat();
            both(asked, [&[0, 0][..], &right()].concat())
        };
        let sample = |at: u8| {
            let asked = [&[0x12][..], &[0; 9]].concat();
            both(asked, std::vec![0, 0xC0, 0, 0, 0, 0, at, 0xFF, 0xFF, at])
        };
        let stop = || command(0x11, 10_000);
        let mut expected = [stop(), command(0x06, 100_000), stop()].concat();
        expected.extend([within(&[written(&set)]), look(), command(0x08, 10_000)].concat());
        (0..80).for_each(|_| expected.extend(sample(0xEE)));
        (0..16).for_each(|at| expected.extend(sample(at)));
        expected.extend(look());
        let mut mock = Mock::new(&expected);
        let mut pin = Pin::new(&std::vec![Level::get(State::Low); 80 + 16]);

        let turns_all = 1 + 80 + 16;
        let said = turns(&mut Ads1292r::new(pin.clone()), &mut Blocking(&mut mock), turns_all);

        let respiration = (0..16).map(Some);
        let ecg = (0..16).map(|at| Some(at - 256));
        assert_eq!(said[96].samples, respiration.chain(ecg).collect::<Vec<_>>());
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
                    self.sample = self.sample.wrapping_add(1);
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
                Operation::DelayNs(_) => Ok(()),
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
        let to_blocks = 2 * u32::from(SETTLING) + 1;
        let (looks, passed) = (to_blocks + 100, said(Chip::new(None), to_blocks + 66).1);
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
                // While it settles nobody looks at the settings, but before anything is said.
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

    /// Samples that are said, and readings that are declared, in so many milliseconds; some turns
    /// come late.
    fn told(bus: Chip, late: &[u32]) -> (u64, u64, usize) {
        let (mut sensor, mut bus) = (Ads1292r::new(EverySecond::default()), Blocking(bus));
        let mut sampler = Sampler::new::<Blocking<Chip>, _>(&sensor, 0, 0);
        let mut ring = Ring::<8000>::default();
        let (mut samples, mut gaps, mut next) = (0, 0, 0);
        for now in (0..1_000).filter(|now| !late.contains(now)) {
            let chip = (&mut sensor, &mut bus);
            let _ = block_on(sampler.sample((now, now.into()), chip, &mut ring));
        }
        ring.close_gaps();
        for record in (ring.first()..ring.next()).filter_map(|sequence| ring.record(sequence)) {
            if record.gap {
                gaps += SourceGap::read(record.payload).unwrap().readings;
                continue;
            }
            for entry in Entries::read(record.payload).unwrap() {
                let Entry::Wave(wave) = entry else { panic!("no samples") };
                assert!(wave.sample_first >= next, "numbers go on");
                next = wave.sample_first + wave.count as u64;
                samples += wave.samples().count() as u64;
            }
        }
        (samples, gaps, sensor.filled)
    }

    #[test]
    fn every_moment_s_sample_is_said_or_declared_whatever_breaks_and_however_late_it_is() {
        for after in (60..3_000).step_by(7) {
            let (samples, gaps, waits) = told(Chip::new(Some((Broken::Reset, after))), &[]);
            // In a second there are 500 of each channel; up to a block and a few wait.
            let all = samples + gaps + waits as u64 * 2;
            assert!((990..=1_004).contains(&all), "{after}: {samples} {gaps} {waits}");
        }
        let (samples, gaps, waits) = told(Chip::new(None), &[500, 501, 502, 503, 504, 700]);
        let all = samples + gaps + waits as u64 * 2;
        assert!((990..=1_004).contains(&all) && gaps > 160, "{samples} {gaps} {waits}");
        let (samples, gaps, _) = told(Chip::new(Some((Broken::Silent, 0))), &[]);
        assert_eq!((samples, gaps), (0, 998), "and of a chip that never answers");
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
        let said = turns(&mut Ads1292r::new(High), &mut Blocking(Chip::new(None)), 22);
        assert_eq!(said[21].result, Err(Fault::Silent));
    }
}
