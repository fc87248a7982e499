//! What one device says at one moment: numerics, waveforms, alerts, events, contexts.

use crate::decimal::Decimal;
use crate::time::Rate;

/// IEEE 11073-10101 code, 32-bit: partition times 65,536 plus term. 0 means none fits.
pub type Code = u32;

/// Measurement-status bits of IEEE 11073: bit 0 invalid, 1 questionable, 2 not available,
/// 3 calibrating, 4 test, 5 demo, 8 validated, 9 early, 10 measuring, 14 in alarm, 15 alarm off.
pub type Status = u16;

/// Bit 0: the value is not valid.
pub const STATUS_INVALID: Status = 1;
/// Bit 1: the value is questionable.
pub const STATUS_QUESTIONABLE: Status = 1 << 1;
/// Bits 4 and 5: test and demonstration data, which never look clinical.
pub const STATUS_NOT_CLINICAL: Status = 1 << 4 | 1 << 5;

/// Source of an alert that is none: an observation in words, of the code that stands with it.
pub const SOURCE_WORDS: Code = 0xF0F1_0002;
/// Source of an alert that is none: the context of its block begins (phase 0) or ends (phase 5), by
/// whom its text says.
pub const SOURCE_ASSOCIATION: Code = 0xF0F1_0003;

/// What a device is doing; only `Normal` may ever look clinical.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Mode {
    /// Readings of a patient.
    Normal = 0,
    /// Made-up readings.
    Demo = 1,
    /// Under test or repair.
    Service = 2,
}

impl Mode {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Normal, Self::Demo, Self::Service].into_iter().find(|mode| *mode as u64 == number)
    }
}

/// What kind of values a channel gives.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ChannelKind {
    /// Single numbers, with this exponent unless one says otherwise.
    Numeric {
        /// Power of ten of the mantissas.
        exponent: i8,
    },
    /// Samples at a fixed rate; physical value = (sample - baseline) / gain.
    Wave {
        /// Samples a second.
        rate: Rate,
        /// Steps a unit.
        gain: Decimal,
        /// The sample that means 0.
        baseline: i32,
        /// Resolution of the converter, bits; 0 unknown.
        bits: u8,
    },
}

/// One channel that a device declares when it says hello.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Channel<'a> {
    /// What is measured.
    pub code: Code,
    /// In which unit.
    pub unit: Code,
    /// Numeric or wave.
    pub kind: ChannelKind,
    /// The device's own name for it, at most 64 bytes; empty when the code says all.
    pub label: &'a str,
    /// The device's own name for the unit, at most 64 bytes; empty when the code says all.
    pub unit_label: &'a str,
}

/// An alert as the device raises, changes or ends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alert<'a> {
    /// Event code.
    pub code: Code,
    /// What raised it.
    pub source: Code,
    /// 0 start, 1 continue, 2 update, 3 escalate, 4 de-escalate, 5 end, 6 reset.
    pub phase: u8,
    /// 0 inactive, 1 active, 2 latched.
    pub state: u8,
    /// 0 none, 1 low, 2 medium, 3 high.
    pub priority: u8,
    /// The device's words, at most 96 bytes.
    pub text: &'a str,
}

/// Something that happened to the device itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// Event code.
    pub code: Code,
    /// Its number, if it has one.
    pub value: i64,
}
