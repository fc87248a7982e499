//! A chip with registers behind a pointer, on a bus that can break at any byte. For tests.

extern crate std;

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use wire::decimal::{Absent, Number};
use wire::link::{Entries, Entry, Value};
use wire::reading::STATUS_INVALID;

use super::{Blocking, Fault, Sensor, block_on};
use crate::ring::Ring;
use crate::sampler::Sampler;

/// How a bus or chip breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The chip no longer acknowledges.
    Silent,
    /// Another master is on the bus.
    Arbitration,
    /// The data line is stuck.
    StuckLow,
    /// See above.
    StuckHigh,
    /// The chip lost its supply for a moment: its settings are those of power-up.
    Reset,
}

impl Broken {
    pub const ALL: [Self; 5] =
        [Self::Silent, Self::Arbitration, Self::StuckLow, Self::StuckHigh, Self::Reset];
}

/// What each pointer leads to.
#[derive(Clone, Debug, Default)]
pub struct Registers {
    bytes: BTreeMap<u8, Vec<u8>>,
    /// Those that no writing changes.
    fixed: BTreeSet<u8>,
}

impl Registers {
    pub fn of(registers: &[(u8, &[u8])]) -> Self {
        let bytes = registers.iter().map(|(pointer, bytes)| (*pointer, bytes.to_vec()));
        Self { bytes: bytes.collect(), fixed: BTreeSet::new() }
    }

    /// The same with some that no writing changes: they say what the chip measures.
    pub fn with_fixed(mut self, registers: &[(u8, &[u8])]) -> Self {
        for (pointer, bytes) in registers {
            self.bytes.insert(*pointer, bytes.to_vec());
            self.fixed.insert(*pointer);
        }
        self
    }
}

/// The chip.
#[derive(Clone)]
pub struct Chip {
    address: u8,
    registers: Registers,
    at_power_up: Registers,
    pointer: u8,
    breaks: Option<(Broken, usize)>,
    passed: usize,
}

impl Chip {
    pub fn new(address: u8, registers: Registers) -> Self {
        let at_power_up = registers.clone();
        Self { address, registers, at_power_up, pointer: 0, breaks: None, passed: 0 }
    }

    /// One that breaks when so many bytes have passed from now on.
    pub fn breaking(self, broken: Broken, after: usize) -> Self {
        let after = self.passed + after;
        Self { breaks: Some((broken, after)), ..self }
    }

    /// Puts something else into a register.
    pub fn set(&mut self, pointer: u8, bytes: &[u8]) {
        self.registers.bytes.insert(pointer, bytes.to_vec());
    }

    /// What a byte becomes on its way.
    fn pass(&mut self, byte: u8) -> Result<u8, ErrorKind> {
        let broken = self.breaks.filter(|(_, after)| *after <= self.passed).map(|(how, _)| how);
        self.passed += 1;
        match broken {
            None | Some(Broken::Reset) => Ok(byte),
            Some(Broken::Silent) => Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)),
            Some(Broken::Arbitration) => Err(ErrorKind::ArbitrationLoss),
            Some(Broken::StuckLow) => Ok(0),
            Some(Broken::StuckHigh) => Ok(0xFF),
        }
    }

    fn reset_if_due(&mut self) {
        if self.breaks.is_some_and(|breaks| breaks == (Broken::Reset, self.passed)) {
            (self.registers, self.pointer) = (self.at_power_up.clone(), 0);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        for (at, byte) in bytes.iter().enumerate() {
            self.reset_if_due();
            let byte = self.pass(*byte)?;
            match at.checked_sub(1) {
                None => self.pointer = byte,
                Some(at) if !self.registers.fixed.contains(&self.pointer) => {
                    let register = self.registers.bytes.entry(self.pointer).or_default();
                    if let Some(place) = register.get_mut(at) {
                        *place = byte;
                    }
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), ErrorKind> {
        for (at, byte) in bytes.iter_mut().enumerate() {
            self.reset_if_due();
            let register = self.registers.bytes.get(&self.pointer);
            let good = register.and_then(|bytes| bytes.get(at)).copied().unwrap_or(0xFF);
            *byte = self.pass(good)?;
        }
        Ok(())
    }
}

impl ErrorType for Chip {
    type Error = ErrorKind;
}

impl I2c for Chip {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        if address != self.address {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        operations.iter_mut().try_for_each(|operation| match operation {
            Operation::Write(bytes) => self.write(bytes),
            Operation::Read(bytes) => self.read(bytes),
        })
    }
}

/// What one turn says, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub values: Vec<Value>,
    pub samples: Vec<Option<i32>>,
    pub result: Result<(), Fault>,
}

/// The first turn of a sensor that says something: its start, then this one.
pub fn turn<B, S: Sensor<B>>(sensor: &mut S, bus: &mut B) -> Said {
    let mut said = turns(sensor, bus, 2);
    if said[0].result.is_err() { said.remove(0) } else { said.remove(1) }
}

/// So many turns of a sensor, each when it is due.
pub fn turns<B, S: Sensor<B>>(sensor: &mut S, bus: &mut B, count: u32) -> Vec<Said> {
    let mut sampler = Sampler::new::<B, _>(sensor, 0, 0);
    let mut ring = Ring::<1000>::default();
    let of = |turn: u32| {
        let now = turn * sensor.period();
        let chip = (&mut *sensor, &mut *bus);
        let (taken, result) = block_on(sampler.sample((now, now.into()), chip, &mut ring));
        let mut said = Said { values: Vec::new(), samples: Vec::new(), result };
        if let Some(record) = taken.and_then(|sequence| ring.record(sequence)) {
            for entry in Entries::read(record.payload).expect("it is well formed") {
                match entry {
                    Entry::Numerics(numerics) => said.values.extend(numerics.values()),
                    Entry::Wave(wave) => said.samples.extend(wave.samples()),
                    _ => {}
                }
            }
        }
        ring.acknowledge(ring.next().wrapping_sub(1));
        said
    };
    (0..count).map(of).collect()
}

/// Breaks a chip in each way at each byte of three turns: what a sensor says then is what it says
/// of a good one, or nothing.
pub fn no_fault_becomes_a_number<S: Sensor<Blocking<Chip>>>(
    sensor: impl Fn() -> S,
    chip: impl Fn() -> Chip,
) {
    let nothing: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
    let mut good = Blocking(chip());
    let right = turns(&mut sensor(), &mut good, 3);
    assert!(right.iter().all(|said| said.result.is_ok()), "{right:?}");
    for broken in Broken::ALL {
        for after in 0..good.0.passed {
            let mut bus = Blocking(chip().breaking(broken, after));
            let said = turns(&mut sensor(), &mut bus, 3);
            for (said, right) in said.iter().zip(&right) {
                let is_nothing = said.values.iter().all(|value| *value == nothing);
                // In the turn after a fault the chip is set up, and nothing is said.
                let is_silent = is_nothing && said.samples.is_empty();
                assert!(is_silent || said == right, "{broken:?} after {after}: {said:?}");
            }
            // A chip that was reset before it was set up is as good as new.
            let may_be_right = broken == Broken::Reset;
            let failed = said.iter().any(|said| said.result.is_err());
            assert!(failed || may_be_right, "{broken:?} after {after} was not seen");
        }
    }
}
