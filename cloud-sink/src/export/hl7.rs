//! HL7 v2.6: observations as IHE PCD-01, alerts as PCD-04; one message a device system, patient and
//! moment. No waveforms, and of values only those that are valid and whose moment somebody knows,
//! unless all are asked for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wire::decimal::Number;

use super::Writing;
use super::parts::{Folder, Part};
use super::read::Kind;
use super::reading::{Dated, Note, Numeric, Origin, Reading};
use crate::keys::hex;

mod rows;

use rows::{alert_rows, device_row, numeric_row, words_row};

/// What says that a message is an observation report, or an alert, of IHE.
const PROFILE: [&str; 2] = [
    "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO",
    "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.4.1.1^ISO",
];

/// Whose message, and of when.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Of {
    device: Arc<str>,
    patient: Option<Arc<str>>,
    is_clinical: bool,
    at_ns: i64,
    /// Whether that is a guess.
    is_guess: bool,
}

/// A message as a whole: what it is called, of what, and when.
struct Head<'a> {
    of: &'a Of,
    origin: &'a Origin,
    /// Its first reading's place in its frame.
    place: &'a str,
    /// `R01` or `R40`.
    event: &'a str,
    flagged: bool,
}

/// Writes parts of messages.
#[derive(Default)]
pub struct Hl7 {
    /// Whether values are written that are not valid, with their flags.
    flagged: bool,
    part: Option<Part>,
    /// The frame whose numbers are being gathered.
    evidence: i64,
    numbers: BTreeMap<Of, Vec<Numeric>>,
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
        Self { flagged, ..Self::default() }
    }

    fn write(&mut self, message: &str) -> anyhow::Result<()> {
        if let Some(part) = &mut self.part {
            part.out.write_all(message.as_bytes())?;
        }
        Ok(())
    }

    /// Writes what one frame brought.
    fn end_frame(&mut self) -> anyhow::Result<()> {
        for (of, numbers) in std::mem::take(&mut self.numbers) {
            let Some(first) = numbers.first() else { continue };
            let place = format!("n{}.{}", first.about.place, first.place);
            let (origin, flagged) = (&first.about.origin, self.flagged);
            let head = Head { of: &of, origin, place: &place, event: "R01", flagged };
            let mut message = head.words();
            message.push_str(&device_row(&of.device));
            for (at, numeric) in numbers.iter().enumerate() {
                message.push_str(&numeric_row(at + 2, numeric, self.flagged));
            }
            self.write(&message)?;
        }
        Ok(())
    }

    fn add_numeric(&mut self, numeric: Numeric) -> anyhow::Result<bool> {
        // Validated is valid; anything else that a device says of a value is not.
        let is_plain = numeric.status & !(1 << 8) == 0
            && matches!(numeric.number, Number::Is(_))
            && numeric.about.dated != Dated::Guess;
        if !is_plain && !self.flagged {
            return Ok(false);
        }
        let about = &numeric.about;
        if about.origin.evidence != self.evidence {
            self.end_frame()?;
            self.evidence = numeric.about.origin.evidence;
        }
        let about = &numeric.about;
        let of = Of {
            device: about.device.clone(),
            patient: about.patient.clone(),
            is_clinical: about.is_clinical(numeric.status),
            at_ns: numeric.at_ns,
            is_guess: about.dated == Dated::Guess,
        };
        self.numbers.entry(of).or_default().push(numeric);
        Ok(true)
    }

    fn add_note(&mut self, note: &Note) -> anyhow::Result<bool> {
        let is_guess = note.dated == Dated::Guess;
        if is_guess && !self.flagged {
            return Ok(false);
        }
        let of = Of {
            device: note.device.clone(),
            patient: note.patient.clone(),
            is_clinical: true,
            at_ns: note.at_ns,
            is_guess,
        };
        let (event, rows) = match note.kind.as_str() {
            "alert" => ("R40", alert_rows(note)),
            "words" => ("R01", words_row(note)),
            _ => return Ok(false),
        };
        let place = format!("t{}", note.place);
        let head =
            Head { of: &of, origin: &note.origin, place: &place, event, flagged: self.flagged };
        self.write(&(head.words() + &device_row(&of.device) + &rows))?;
        Ok(true)
    }
}

impl Head<'_> {
    /// The same reading has the same control id, whoever writes it and how often; a message that
    /// may hold more than another has another.
    fn control_id(&self) -> String {
        let mut digest = Sha256::new();
        for word in [self.origin.frame.as_str(), self.place, self.event] {
            digest.update((word.len() as u64).to_be_bytes());
            digest.update(word);
        }
        digest.update([u8::from(self.flagged)]);
        hex(&digest.finalize()[..10])
    }

    /// MSH, PID, PV1 and OBR.
    fn words(&self) -> String {
        let Self { of, origin, event, .. } = self;
        let (id, sent) = (self.control_id(), if of.is_guess { origin.stored_ns } else { of.at_ns });
        let (sent, time) =
            (moment(sent), if of.is_guess { String::new() } else { moment(of.at_ns) });
        let processing = if of.is_clinical { "P" } else { "D" };
        let patient = of
            .patient
            .as_deref()
            .map(|token| format!("PID|||{}^^^WARDLINE^PI||^^^^^^S\rPV1||U\r", escaped(token)));
        let patient = patient.unwrap_or_default();
        let (what, profile) = match *event {
            "R01" => ("182777000^monitoring of patient^SCT", PROFILE[0]),
            _ => ("196616^MDC_EVT_ALARM^MDC", PROFILE[1]),
        };
        format!(
            "MSH|^~\\&|WARDLINE^{device}^EUI-64|WARDLINE|||{sent}||ORU^{event}^ORU_{event}|{id}|\
             {processing}|2.6|||NE|AL||UNICODE UTF-8|||{profile}\r\
             {patient}OBR|1|{id}^WARDLINE|{id}^WARDLINE|{what}|||{time}\r",
            device = of.device,
        )
    }
}

impl Writing for Hl7 {
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()> {
        let name = if kind == Kind::Notes { "alerts" } else { "messages" };
        self.part = Some(folder.part(kind, name, "hl7")?);
        Ok(())
    }

    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        match reading {
            Reading::Numeric(numeric) => self.add_numeric(numeric),
            Reading::Note(note) => self.add_note(&note),
            Reading::Wave(_) => Ok(false),
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.end_frame()?;
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
