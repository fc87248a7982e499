//! HL7 v2.6: observations as IHE PCD-01, alerts as PCD-04; one message a device system, patient and
//! moment. No waveforms, and of values only those that are valid and whose moment somebody knows,
//! unless all are asked for.

use std::io::Write as _;

use super::Writing;
use super::parts::{Folder, Part};
use super::read::Kind;
use super::reading::{Dated, Reading};

mod messages;

mod rows;

pub use messages::{Message, Messages};

/// Writes parts of messages.
#[derive(Default)]
pub struct Hl7 {
    messages: Messages,
    part: Option<Part>,
}

/// A moment as HL7 writes it, to a ten-thousandth of a second.
pub(super) fn moment(at_ns: i64) -> String {
    let moment = jiff::Timestamp::from_nanosecond(at_ns.into()).unwrap_or_default();
    let tenths = at_ns.rem_euclid(1_000_000_000) / 100_000;
    let whole = moment.strftime("%Y%m%d%H%M%S").to_string();
    if tenths == 0 { format!("{whole}+0000") } else { format!("{whole}.{tenths:04}+0000") }
}

/// A reading's moment, unless it is a guess.
pub(super) fn time_of(dated: Dated, at_ns: i64) -> String {
    if dated == Dated::Guess { String::new() } else { moment(at_ns) }
}

/// A text without letters that separate.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\E\\"),
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '~' => out.push_str("\\R\\"),
            '&' => out.push_str("\\T\\"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

impl Hl7 {
    /// Only what is valid, or everything with its flags.
    #[must_use]
    pub fn new(flagged: bool) -> Self {
        Self { messages: Messages::new(flagged), part: None }
    }

    fn write(&mut self, end: bool) -> anyhow::Result<()> {
        for message in self.messages.take(end) {
            if let Some(part) = &mut self.part {
                part.out.write_all(message.text.as_bytes())?;
            }
        }
        Ok(())
    }
}

impl Writing for Hl7 {
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()> {
        let name = if kind == Kind::Notes { "alerts" } else { "messages" };
        self.part = Some(folder.part(kind, name, "hl7")?);
        Ok(())
    }

    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        let is_written = self.messages.add(reading);
        self.write(false)?;
        Ok(is_written)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.write(true)?;
        self.part.take().map_or(Ok(()), Part::finish)
    }

    fn has(&self, kind: Kind) -> bool {
        kind != Kind::Waves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_the_digits_that_hl7_has() {
        assert_eq!(moment(1_637_582_160_567_800_001), "20211122115600.5678+0000");
        assert_eq!(moment(1_637_582_160_000_000_000), "20211122115600+0000");
        assert_eq!(escaped("a|b^c\\d\r"), "a\\F\\b\\S\\c\\E\\d ");
    }
}
