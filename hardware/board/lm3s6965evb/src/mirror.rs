//! Mirror: what the firmware took, said on a second UART, so that a test knows what may not be
//! missing: `took BOOT SEQUENCE TICKS MANTISSA NUMBER`, the last two `-` where the sensor gave
//! nothing.

use core::fmt::Write as _;

use embedded_io::Write;
use firmware_shim::ring::Record;
use wire::link::{Entries, Entry};

use board::uart::Uart;

pub struct Mirror(pub Uart);

impl core::fmt::Write for Mirror {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|error| match error {})
    }
}

/// Temperature and number.
const VALUES: usize = 2;

/// A UART takes every byte: nothing is to be done about the formatter's answer.
fn always(_: core::fmt::Result) {}

impl Mirror {
    /// There is no number for this run.
    pub fn has_no_boot(&mut self) {
        always(writeln!(self, "no boot"));
    }

    /// A record of one reading was taken.
    pub fn took(&mut self, boot: u32, record: Record<'_>) {
        let Ok(mut entries) = Entries::read(record.payload) else { return };
        let (sequence, ticks) = (record.sequence, entries.time_ticks);
        always(write!(self, "took {boot} {sequence} {ticks}"));
        let mut values = match entries.next() {
            Some(Entry::Numerics(numerics)) => Some(numerics.values()),
            _ => None,
        };
        for _ in 0..VALUES {
            always(match values.as_mut().and_then(Iterator::next) {
                Some(Ok(mantissa)) => write!(self, " {mantissa}"),
                _ => write!(self, " -"),
            });
        }
        always(writeln!(self));
    }
}
