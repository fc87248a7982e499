//! BME280: temperature, humidity and pressure of the room.
//!
//! Bosch BME280 data sheet (BST-BME280-DS002), section 4.2.3 (compensation, here in whole numbers
//! as there), 5.3 (registers). The identity is read at the start, the settings behind each reading.

use embedded_hal_async::i2c::I2c;
use wire::decimal::{Absent, Number};
use wire::link::Value;
use wire::reading::{Channel, STATUS_INVALID};

use super::bus::{expect8, read_from, write};
use super::{DEGREE_CELSIUS, Fault, Readings, Sensor, numeric};

const IDENTITY: u8 = 0xD0;
const IDENTITY_IS: (u8, u8) = (0x60, 0xFF);
/// No measurements, so that the settings may be written.
const SLEEP: [u8; 2] = [0xF4, 0];
/// What a chip says of its calibration while it copies it, 2 ms after power-up: numbers that none
/// has.
const NOT_COPIED: [i64; 2] = [0, 0xFFFF];
const CALIBRATION: [u8; 2] = [0x88, 0xE1];
/// Humidity once a reading.
const HUMIDITY_SETTINGS: [u8; 2] = [0xF2, 0b001];
/// Filter off, half a second between two readings.
const CONFIGURATION: [u8; 2] = [0xF5, 0b100 << 5];
/// Temperature and pressure once a reading; the chip goes on by itself.
const SETTINGS: [u8; 2] = [0xF4, 0b0010_0111];
const DATA: u8 = 0xF7;
/// What stands where nothing was measured.
const NONE_YET: [u32; 3] = [0x80000, 0x80000, 0x8000];

/// Numbers that the maker wrote into each chip (table 16 of the data sheet).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Calibration {
    t: [i64; 3],
    p: [i64; 9],
    h: [i64; 6],
}

/// The chip.
#[derive(Clone, Copy, Debug)]
pub struct Bme280 {
    address: u8,
    calibration: Calibration,
}

const CHANNELS: [Channel<'static>; 3] = [
    Channel { label: "ambient temperature", ..numeric(0, DEGREE_CELSIUS, -2) },
    Channel { label: "relative humidity", unit_label: "%", ..numeric(0, 262_688, -2) },
    Channel { label: "ambient pressure", unit_label: "Pa", ..numeric(0, 0, 0) },
];

impl Calibration {
    fn new(low: &[u8; 26], high: &[u8; 7]) -> Self {
        let unsigned = |at: usize| i64::from(u16::from_le_bytes([low[at], low[at + 1]]));
        let signed = |at: usize| i64::from(i16::from_le_bytes([low[at], low[at + 1]]));
        let p = core::array::from_fn(|at| match at {
            0 => unsigned(6),
            at => signed(6 + 2 * at),
        });
        let twelve = |high: u8, low: u8| i64::from(high.cast_signed()) << 4 | i64::from(low & 0xF);
        Self {
            t: [unsigned(0), signed(2), signed(4)],
            p,
            h: [
                i64::from(low[25]),
                i64::from(i16::from_le_bytes([high[0], high[1]])),
                i64::from(high[2]),
                twelve(high[3], high[4]),
                twelve(high[5], high[4] >> 4),
                i64::from(high[6].cast_signed()),
            ],
        }
    }

    /// What the other two are compensated by; in hundredths of a °C it is (5 x + 128) / 256.
    const fn fine(&self, raw: i64) -> i64 {
        let [t1, t2, t3] = self.t;
        let first = (((raw >> 3) - (t1 << 1)) * t2) >> 11;
        let off = (raw >> 4) - t1;
        first + ((((off * off) >> 12) * t3) >> 14)
    }

    /// Pa; none where the calibration gives none.
    fn pressure(&self, raw: i64, fine: i64) -> Option<i64> {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = self.p;
        let first = fine - 128_000;
        let second = first * first * p6 + ((first * p5) << 17) + (p4 << 35);
        let scale = ((first * first * p3) >> 8) + ((first * p2) << 12);
        let scale = (((1 << 47) + scale) * p1) >> 33;
        let pressure = (((1_048_576 - raw) << 31) - second) * 3125;
        let pressure = pressure.checked_div(scale)?;
        let more = (p9 * (pressure >> 13) * (pressure >> 13)) >> 25;
        let pressure = ((pressure + more + ((p8 * pressure) >> 19)) >> 8) + (p7 << 4);
        // It is in 1/256 Pa.
        Some((pressure + 128) >> 8)
    }

    /// Hundredths of a per cent, 0 to 100 %.
    fn humidity(&self, raw: i64, fine: i64) -> i64 {
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let off = fine - 76_800;
        let first = ((raw << 14) - (h4 << 20) - h5 * off + 16_384) >> 15;
        let gain = (((off * h6) >> 10) * (((off * h3) >> 11) + 32_768)) >> 10;
        let second = ((gain + 2_097_152) * h2 + 8_192) >> 14;
        let humidity = first * second;
        let square = (humidity >> 15) * (humidity >> 15);
        let humidity = (humidity - (((square >> 7) * h1) >> 4)).clamp(0, 419_430_400);
        // It is in 1/1024 %, twelve bits up.
        ((humidity >> 12) * 100 + 512) >> 10
    }
}

impl Bme280 {
    /// The chip at an address, 0x76 or 0x77 by its pin.
    #[must_use]
    pub fn new(address: u8) -> Self {
        Self { address, calibration: Calibration::default() }
    }

    async fn settings<B: I2c>(&self, bus: &mut B) -> Result<(), Fault> {
        for [register, settings] in [HUMIDITY_SETTINGS, CONFIGURATION, SETTINGS] {
            expect8(bus, self.address, register, (settings, 0xFF)).await?;
        }
        Ok(())
    }

    async fn calibration<B: I2c>(&self, bus: &mut B) -> Result<Calibration, Fault> {
        let low = read_from(bus, self.address, CALIBRATION[0]).await?;
        let high = read_from(bus, self.address, CALIBRATION[1]).await?;
        Ok(Calibration::new(&low, &high))
    }

    /// Temperature, humidity, pressure in the units of the channels.
    fn convert(&self, data: [u8; 8]) -> [Value; 3] {
        let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        let twenty =
            |high: u8, middle: u8, low: u8| u32::from_be_bytes([0, high, middle, low]) >> 4;
        let [a, b, c, d, e, f, g, h] = data;
        let raw = [twenty(a, b, c), twenty(d, e, f), u32::from_be_bytes([0, 0, g, h])];
        let measured = |at: usize| (raw[at] != NONE_YET[at]).then_some(i64::from(raw[at]));
        let Some(temperature) = measured(1) else { return [none; 3] };
        let fine = self.calibration.fine(temperature);
        let humidity = measured(2).map(|raw| self.calibration.humidity(raw, fine));
        let pressure = measured(0).and_then(|raw| self.calibration.pressure(raw, fine));
        [Ok((fine * 5 + 128) >> 8), humidity.map_or(none, Ok), pressure.map_or(none, Ok)]
    }
}

impl<B: I2c> Sensor<B> for Bme280 {
    fn channels(&self) -> &'static [Channel<'static>] {
        &CHANNELS
    }

    fn period(&self) -> u32 {
        10_000
    }

    async fn start(&mut self, bus: &mut B) -> Result<(), Fault> {
        expect8(bus, self.address, IDENTITY, IDENTITY_IS).await?;
        write(bus, self.address, &SLEEP).await?;
        self.calibration = self.calibration(bus).await?;
        let first = [self.calibration.t[0], self.calibration.p[0]];
        // Read twice: a number that is wrong here makes every reading wrong.
        let is_whole = first.iter().all(|number| !NOT_COPIED.contains(number));
        if !is_whole || self.calibration != self.calibration(bus).await? {
            return Err(Fault::Implausible(first[0] as u16));
        }
        for settings in [HUMIDITY_SETTINGS, CONFIGURATION, SETTINGS] {
            write(bus, self.address, &settings).await?;
        }
        self.settings(bus).await
    }

    async fn read(&mut self, bus: &mut B, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let values = self.convert(read_from(bus, self.address, DATA).await?);
        self.settings(bus).await?;
        readings.numerics(0, &values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::sensor::Blocking;
    use crate::sensor::simulated::{Chip, Registers, no_fault_becomes_a_number, turn};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec::Vec;

    const AT: u8 = 0x76;

    /// The maker's worked example (BMP280 data sheet, section 3.12, the same formulas), and
    /// humidity numbers of a real chip.
    fn calibration() -> ([u8; 26], [u8; 7]) {
        let numbers: [i32; 12] =
            [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000];
        let mut low = [0; 26];
        for (at, number) in numbers.into_iter().enumerate() {
            low[2 * at..2 * at + 2].copy_from_slice(&number.to_le_bytes()[..2]);
        }
        low[25] = 75;
        (low, [0x6A, 0x01, 0x00, 0x14, 0x2A, 0x03, 0x1E])
    }

    /// 519,888 and 415,148 are the example's; the humidity is of the real chip.
    const EXAMPLE: [u8; 8] = [0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x6B, 0x2E];

    #[test]
    fn the_maker_s_example_comes_out() {
        let (low, high) = calibration();
        let chip = Bme280 { calibration: Calibration::new(&low, &high), ..Bme280::new(AT) };
        assert_eq!(chip.calibration.p[8], 6000);
        assert_eq!(chip.calibration.h, [75, 362, 0, 0x14A, 0x32, 30]);
        let [temperature, humidity, pressure] = chip.convert(EXAMPLE);
        assert_eq!((temperature, pressure), (Ok(2_508), Ok(100_653)));
        assert!(matches!(humidity, Ok(1..9_999)), "{humidity:?}");
        let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
        assert_eq!(chip.convert([0x80, 0, 0, 0x80, 0, 0, 0x80, 0]), [none; 3]);
        let dry = [0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0, 0];
        assert_eq!(chip.convert(dry)[1], Ok(0));
        assert_eq!(chip.convert([0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0xFF, 0xFF])[1], Ok(10_000));
    }

    #[test]
    fn humidity_is_that_of_the_formula_in_floating_point() {
        let (low, high) = calibration();
        let numbers = Calibration::new(&low, &high);
        let [h1, h2, h3, h4, h5, h6] = numbers.h.map(|number| number as f64);
        for raw in (20_000..40_000).step_by(500) {
            let fine = numbers.fine(519_888);
            let off = fine as f64 - 76_800.0;
            let first = raw as f64 - (h4 * 64.0 + h5 / 16_384.0 * off);
            let gain = 1.0 + h6 / 67_108_864.0 * off * (1.0 + h3 / 67_108_864.0 * off);
            let wet = first * (h2 / 65_536.0 * gain);
            let wet = (wet * (1.0 - h1 * wet / 524_288.0)).clamp(0.0, 100.0);
            let found = numbers.humidity(raw, fine) as f64 / 100.0;
            assert!((found - wet).abs() < 0.02, "{raw}: {found} in place of {wet}");
        }
    }

    fn registers() -> Registers {
        let (low, high) = calibration();
        let settings: [(u8, &[u8]); 3] = [(0xF2, &[0]), (0xF5, &[0]), (0xF4, &[0])];
        let fixed: [(u8, &[u8]); 4] = [
            (IDENTITY, &[0x60]),
            (CALIBRATION[0], &low),
            (CALIBRATION[1], &high),
            (DATA, &EXAMPLE),
        ];
        Registers::of(&settings).with_fixed(&fixed)
    }

    #[test]
    fn no_fault_of_bus_or_chip_becomes_a_number() {
        no_fault_becomes_a_number(|| Bme280::new(AT), || Chip::new(AT, registers()));
    }

    #[test]
    fn another_chip_and_one_that_is_not_ready_yet_are_named() {
        let mut bmp280 = Chip::new(AT, registers());
        bmp280.set(IDENTITY, &[0x58]);
        let said = turn(&mut Bme280::new(AT), &mut Blocking(bmp280));
        assert_eq!(said.result, Err(Fault::Identity { expected: 0x60, found: 0x58 }));
        for early in [[0; 26], [0xFF; 26]] {
            let mut chip = Chip::new(AT, registers());
            chip.set(CALIBRATION[0], &early);
            let said = turn(&mut Bme280::new(AT), &mut Blocking(chip));
            assert!(matches!(said.result, Err(Fault::Implausible(_))));
        }
    }

    #[test]
    fn the_chip_is_set_up_and_read_as_the_data_sheet_says() {
        let (low, high) = calibration();
        let read = |register: u8, bytes: &[u8]| {
            Transaction::write_read(AT, std::vec![register], bytes.to_vec())
        };
        let settings = [[0xF2, 0x01], [0xF5, 0x80], [0xF4, 0x27]];
        let mut expected: Vec<Transaction> =
            std::vec![read(0xD0, &[0x60]), Transaction::write(AT, std::vec![0xF4, 0x00])];
        (0..2).for_each(|_| expected.extend([read(0x88, &low), read(0xE1, &high)]));
        expected.extend(settings.map(|pair| Transaction::write(AT, pair.to_vec())));
        expected.extend(settings.map(|[register, value]| read(register, &[value])));
        expected.push(read(0xF7, &EXAMPLE));
        expected.extend(settings.map(|[register, value]| read(register, &[value])));
        let mut mock = Mock::new(&expected);
        let said = turn(&mut Bme280::new(AT), &mut Blocking(&mut mock));
        assert_eq!((said.values[0], said.result), (Ok(2_508), Ok(())));
        mock.done();
    }
}
