//! A chip with registers behind a pointer, on a bus that can break at any byte. For tests.

extern crate std;

use std::collections::BTreeMap;
use std::vec::Vec;

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::Blocking;

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
pub struct Registers(BTreeMap<u8, Vec<u8>>);

impl Registers {
    pub fn set(&mut self, pointer: u8, bytes: &[u8]) {
        self.0.insert(pointer, bytes.to_vec());
    }
}

/// The chip.
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

    /// One that breaks when so many bytes have passed.
    pub fn breaking(address: u8, registers: Registers, broken: Broken, after: usize) -> Self {
        Self { breaks: Some((broken, after)), ..Self::new(address, registers) }
    }

    /// How many bytes pass in what is done with a good chip.
    pub fn bytes_of(
        act: impl FnOnce(&mut Blocking<Self>),
        address: u8,
        registers: Registers,
    ) -> usize {
        let mut bus = Blocking(Self::new(address, registers));
        act(&mut bus);
        bus.0.passed
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

    fn register(&mut self) -> &mut Vec<u8> {
        self.registers.0.entry(self.pointer).or_default()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        for (at, byte) in bytes.iter().enumerate() {
            self.reset_if_due();
            let byte = self.pass(*byte)?;
            match at.checked_sub(1) {
                None => self.pointer = byte,
                Some(at) => {
                    if let Some(place) = self.register().get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), ErrorKind> {
        for (at, byte) in bytes.iter_mut().enumerate() {
            self.reset_if_due();
            let good = self.register().get(at).copied().unwrap_or(0xFF);
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
