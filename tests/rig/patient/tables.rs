//! What the bedside shows, by code, and between which limits: the tables of the simulated patient.

use std::ops::RangeInclusive;

/// Samples a second of each wave.
pub const RATE_HZ: u32 = 250;
/// Status bit 0: the device itself says that the value is wrong.
pub const STATUS_INVALID: u16 = 1;
/// Status bit 1: the value may be wrong.
pub const STATUS_QUESTIONABLE: u16 = 1 << 1;
/// Status bit 2: there is no value now.
pub const STATUS_NOT_AVAILABLE: u16 = 1 << 2;
/// Status bit 10: a measurement is under way.
pub const STATUS_MEASURING: u16 = 1 << 10;
/// Status bit 14: an alert of this value is active.
pub const STATUS_IN_ALARM: u16 = 1 << 14;
/// A value rose above its limit (`MDC_EVT_HI`).
pub const EVENT_HIGH: u32 = 196_648;
/// A value fell below its limit (`MDC_EVT_LO`).
pub const EVENT_LOW: u32 = 196_670;

const BPM: u32 = 264_864;
const BREATHS: u32 = 264_928;
const PERCENT: u32 = 262_688;
const MMHG: u32 = 266_016;
const CELSIUS: u32 = 268_192;
const MILLIVOLT: u32 = 266_418;
const CM_WATER: u32 = 266_048;
const MILLILITRE: u32 = 263_762;
const LITRE_PER_MIN: u32 = 265_216;

/// What the monitor, the ventilator and the pump show: MDC code, unit code, decimal exponent.
#[rustfmt::skip]
pub const NUMERICS: [(u32, u32, i8); 30] = [
    (147_842, BPM, 0), (149_530, BPM, 0), // heart rate (ECG), pulse rate (oximeter)
    (150_456, PERCENT, 0), (150_488, PERCENT, -2), // SpO2, perfusion index
    (150_037, MMHG, 0), (150_038, MMHG, 0), (150_039, MMHG, 0), // arterial line: sys, dia, mean
    (150_087, MMHG, 0), (150_276, LITRE_PER_MIN, -1), // CVP mean, cardiac output
    (150_021, MMHG, 0), (150_022, MMHG, 0), (150_023, MMHG, 0), // cuff: sys, dia, mean
    (149_546, BPM, 0), // pulse rate (cuff)
    (131_841, MILLIVOLT, -2), (131_842, MILLIVOLT, -2), // ST segment: lead I, lead II
    (151_578, BREATHS, 0), (151_594, BREATHS, 0), // respiration: chest impedance, CO2
    (150_368, CELSIUS, -1), (150_388, CELSIUS, -1), // temperature: core, skin
    (151_728, MMHG, 0), (151_736, MMHG, 0), (152_196, PERCENT, 0), // EtCO2, FiCO2, FiO2
    (151_980, MILLILITRE, 0), (152_004, LITRE_PER_MIN, -2), // tidal volume, minute volume
    (151_973, CM_WATER, -1), (151_976, CM_WATER, -1), // airway pressure: peak, PEEP
    (157_784, 265_266, -1), (157_864, MILLILITRE, -2), // pump: rate mL/h, volume delivered
    (157_872, MILLILITRE, -2), (157_916, 264_352, 0), // pump: volume to go, minutes to go
];

/// MDC code, unit code, samples a second, gain and baseline as in [`Wave`](super::Wave).
pub type WaveRow = (u32, u32, u32, (i64, i8), i32);

/// The waves of the monitor.
pub const WAVES: [WaveRow; 4] = [
    (131_330, MILLIVOLT, RATE_HZ, (5, -3), 8192), // ECG lead II, 5 uV a count
    (150_452, PERCENT, RATE_HZ, (25, -3), 0),     // pleth
    (151_780, 266_432, RATE_HZ, (1, -3), 2048),   // chest impedance, 1 milliohm a count
    (150_036, MMHG, RATE_HZ, (5, -2), 400),       // arterial pressure
];

/// Index in [`NUMERICS`], event, limit in units of the numeric, priority.
pub(super) const LIMITS: [(usize, u32, i64, u8); 6] = [
    (0, EVENT_HIGH, 120, 2),
    (0, EVENT_LOW, 50, 1),
    (2, EVENT_LOW, 90, 1),
    (4, EVENT_HIGH, 160, 2),
    (6, EVENT_LOW, 60, 1),
    (15, EVENT_HIGH, 26, 3),
];

/// Rows of [`NUMERICS`] that come from the finger probe, and from the cuff.
pub(super) const FINGER: RangeInclusive<usize> = 1..=3;
pub(super) const CUFF: RangeInclusive<usize> = 9..=12;
/// Rows that a moving patient makes doubtful.
pub(super) const RESTLESS: [usize; 5] = [0, 1, 2, 3, 15];

/// What wanders slowly: lowest and highest centre, spread. In the order of `Patient::drifts`: core
/// temperature, CVP, perfusion, saturation, ST, EtCO2 at rest, compliance of the lungs, heart rate
/// and mean arterial pressure at rest.
pub(super) const DRIFTS: [(f64, f64, f64); 9] = [
    (36.4, 37.8, 0.08),
    (5.0, 10.0, 0.8),
    (0.9, 3.5, 0.15),
    (95.8, 98.4, 0.6),
    (-0.05, 0.07, 0.012),
    (35.0, 41.0, 1.0),
    (38.0, 60.0, 1.5),
    (60.0, 92.0, 2.0),
    (76.0, 96.0, 2.0),
];
