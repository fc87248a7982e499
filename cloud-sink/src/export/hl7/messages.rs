//! Readings as messages, each with its control id.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wire::decimal::Number;
use wire::reading::Status;

use super::rows::{alert_rows, device_row, numeric_row, words_row};
use super::{escaped, moment};
use crate::clock;
use crate::export::reading::{Dated, Note, Numeric, Origin, Reading};
use crate::keys::hex;

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

/// A message that is ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// MSH-10.
    pub id: String,
    /// Its segments, each closed by CR.
    pub text: String,
}

/// Gathers readings into messages.
#[derive(Default)]
pub struct Messages {
    /// Whether values are written that are not valid, and moments that nobody knows.
    flagged: bool,
    /// Whether they are sent as they come: an alert that is not new goes on, and does not begin.
    is_live: bool,
    /// The frame whose numbers are being gathered.
    evidence: i64,
    numbers: BTreeMap<Of, Vec<Numeric>>,
    ready: Vec<Message>,
}

/// Status bits of a value that is valid all the same: validated, early, still measuring, in alarm,
/// alarm off.
const VALID: Status = 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 15;
/// An alert that began so long ago is not news, nanoseconds.
const OLD_NS: i64 = 60_000_000_000;
/// Event phases: an alert begins, and goes on.
const START: Option<u8> = Some(0);
const CONTINUE: Option<u8> = Some(1);

impl Messages {
    /// Only what is valid, or everything with its flags.
    #[must_use]
    pub fn new(flagged: bool) -> Self {
        Self { flagged, ..Self::default() }
    }

    /// The same for a receiver that acts on what comes: what waited is never told as if new.
    #[must_use]
    pub fn live(flagged: bool) -> Self {
        Self { is_live: true, ..Self::new(flagged) }
    }

    /// Takes a reading; whether it is in a message, or left out.
    pub fn add(&mut self, reading: Reading) -> bool {
        match reading {
            Reading::Numeric(numeric) => self.add_numeric(numeric),
            Reading::Note(note) => self.add_note(note),
            Reading::Wave(_) => false,
        }
    }

    /// What is ready; with `end`, also what might have grown.
    pub fn take(&mut self, end: bool) -> Vec<Message> {
        if end {
            self.end_frame();
        }
        std::mem::take(&mut self.ready)
    }

    /// Makes messages of what one frame brought.
    fn end_frame(&mut self) {
        for (of, numbers) in std::mem::take(&mut self.numbers) {
            let Some(first) = numbers.first() else { continue };
            let place = format!("n{}.{}", first.about.place, first.place);
            let (origin, flagged) = (&first.about.origin, self.flagged);
            let head = Head { of: &of, origin, place: &place, event: "R01", flagged };
            let rows = numbers.iter().enumerate();
            let rows = rows.map(|(at, numeric)| numeric_row(at + 2, numeric, flagged));
            self.ready.push(head.over(&rows.collect::<String>()));
        }
    }

    fn add_numeric(&mut self, numeric: Numeric) -> bool {
        let is_plain = numeric.status & !VALID == 0
            && matches!(numeric.number, Number::Is(_))
            && numeric.about.dated != Dated::Guess;
        if !is_plain && !self.flagged {
            return false;
        }
        let about = &numeric.about;
        if about.origin.evidence != self.evidence {
            self.end_frame();
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
        true
    }

    fn add_note(&mut self, mut note: Note) -> bool {
        let is_guess = note.dated == Dated::Guess;
        if is_guess && !self.flagged {
            return false;
        }
        let of = Of {
            device: note.device.clone(),
            patient: note.patient.clone(),
            is_clinical: true,
            at_ns: note.at_ns,
            is_guess,
        };
        // A device's own clock does not say how long ago it was.
        let taken_ns = note.origin.taken_ns.filter(|_| note.dated == Dated::Device);
        let is_old = clock::now().0.saturating_sub(taken_ns.unwrap_or(note.at_ns)) > OLD_NS;
        if self.is_live && is_old && note.levels[0] == START {
            note.levels[0] = CONTINUE;
        }
        let (event, rows) = match note.kind.as_str() {
            "alert" => ("R40", alert_rows(&note)),
            "words" => ("R01", words_row(&note)),
            _ => return false,
        };
        let place = format!("t{}", note.place);
        let head =
            Head { of: &of, origin: &note.origin, place: &place, event, flagged: self.flagged };
        self.ready.push(head.over(&rows));
        true
    }
}

impl Head<'_> {
    /// The message with these rows behind that of its device.
    fn over(&self, rows: &str) -> Message {
        let id = self.control_id();
        let text = self.words(&id) + &device_row(&self.of.device) + rows;
        Message { id, text }
    }

    /// The same reading has the same control id, whoever writes it and how often; a message that
    /// may hold more than another has another.
    fn control_id(&self) -> String {
        let mut digest = Sha256::new();
        for word in [self.origin.frame.as_str(), self.place, self.event] {
            digest.update((word.len() as u64).to_be_bytes());
            digest.update(word);
        }
        digest.update([u8::from(self.flagged), u8::from(self.of.is_guess)]);
        hex(&digest.finalize()[..10])
    }

    /// MSH, PID, PV1 and OBR.
    fn words(&self, id: &str) -> String {
        let Self { of, origin, event, .. } = self;
        let sent = if of.is_guess { origin.stored_ns } else { of.at_ns };
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
