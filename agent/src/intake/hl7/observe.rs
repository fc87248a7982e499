//! From an ORU message to what its devices say: numbers, words and alerts, each with its time.
//!
//! Source: IHE PCD-01 and PCD-04, HL7 v2.6 chapter 7. Everything is read before anything is taken:
//! a message is taken whole or not at all.

use wire::batch::ChannelInfo;
use wire::decimal::{Absent, Decimal, Number};
use wire::reading::{ChannelKind, Code, Mode, Status};
use wire::time::{DeviceClock, Form, Stated, Timeline};

use super::alert::Facets;
use super::identity::{Identity, Patient, Systems, beginning};
use super::message::{Message, Refusal, Segment};
use super::time::{self, Written};

/// Observations of one message: as many as a device may have channels in one batch.
const ITEMS_MAX: usize = wire::limits::CHANNELS_MAX;
/// Longest label of a channel, as `wire::limits::LABEL_BYTES_MAX` says.
const LABEL_BYTES_MAX: usize = wire::limits::LABEL_BYTES_MAX;

/// What a message says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reported {
    /// One a device system, patient and kind of time.
    pub systems: Vec<System>,
}

/// What one device system says of one patient, or of none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct System {
    /// Who.
    pub identity: Identity,
    /// What its times mean, in ticks of a ten-thousandth of a second.
    pub clock: DeviceClock,
    /// What it is doing.
    pub mode: Mode,
    /// The sender's present time, ticks of the same clock, if that dates the others.
    pub present: Option<i64>,
    /// Whom it is measuring.
    pub patient: Option<Patient>,
    /// In the order of the message.
    pub items: Vec<Item>,
}

/// One thing that it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// When, ticks.
    pub ticks: i64,
    /// What.
    pub what: What,
}

/// The kinds of thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A number of a channel; its exponent stands in the number.
    Number(ChannelInfo, Number, Status),
    /// An observation in words.
    Words(Code, String),
    /// An alert: code, source, phase, state, priority.
    Alert(Code, Code, [u8; 3], String),
}

/// Reads a message.
///
/// # Errors
/// [`Refusal`], which names the place.
pub fn read(message: &Message<'_>) -> Result<Reported, Refusal> {
    let header = message.header();
    let (kind, event) = (header.component(9, 1), header.component(9, 2));
    let is_alert = match (kind, event) {
        ("ORU", "R01") => false,
        ("ORU", "R40") => true,
        _ => {
            return Err(Refusal::reject(
                "MSH-9",
                "holds ORU^R01 or ORU^R40; nothing else is taken",
            ));
        }
    };
    if !header.component(12, 1).starts_with("2.") {
        return Err(Refusal::reject("MSH-12", "holds a version of HL7 v2, as 2.6"));
    }
    for field in [15, 16] {
        if !["", "AL", "NE", "ER", "SU"].contains(&header.field(field)) {
            return Err(Refusal::reject(header.place(field), "holds AL, NE, ER, SU or nothing"));
        }
    }
    let mode = match header.component(11, 1) {
        "" | "P" => Mode::Normal,
        "T" => Mode::Demo,
        "D" => Mode::Service,
        _ => return Err(Refusal::reject("MSH-11", "holds P, T or D")),
    };
    let written = moment(&header, 7)?;
    let mut walk = Walk {
        message,
        mode,
        is_validated: header.field(21).contains("IHE_PCD_001"),
        zone: written.and_then(|written| written.offset_minutes),
        sent: written,
        interval: None,
        patient: None,
        names: Systems::of(message),
        facets: is_alert.then(Facets::default),
        reported: Reported { systems: Vec::new() },
        items: 0,
    };
    for segment in message.segments() {
        walk.segment(segment)?;
    }
    walk.end_alert()?;
    if walk.items == 0 && !message.segments().iter().any(|segment| segment.name() == "OBX") {
        return Err(Refusal::error("OBX", "a message of observations holds at least one"));
    }
    Ok(walk.reported)
}

/// A field that holds a moment, if it holds anything.
pub(super) fn moment(segment: &Segment<'_>, field: usize) -> Result<Option<Written>, Refusal> {
    let text = segment.component(field, 1);
    if text.is_empty() {
        return Ok(None);
    }
    let says = "holds YYYYMMDDHHMM[SS[.SSSS]][+ZZZZ]";
    time::read(text).map(Some).ok_or_else(|| Refusal::error(segment.place(field), says))
}

struct Walk<'a> {
    message: &'a Message<'a>,
    mode: Mode,
    /// Whether F in OBX-11 means validated by a person, as IHE has it.
    is_validated: bool,
    zone: Option<i64>,
    sent: Option<Written>,
    interval: Option<Written>,
    patient: Option<Patient>,
    names: Systems,
    /// Of a message of alerts: what stands of the present one.
    facets: Option<Facets>,
    reported: Reported,
    items: usize,
}

impl Walk<'_> {
    fn segment(&mut self, segment: &Segment<'_>) -> Result<(), Refusal> {
        match segment.name() {
            "PID" => {
                self.end_alert()?;
                self.patient = Patient::named(segment);
            }
            "OBR" => {
                self.end_alert()?;
                self.interval = moment(segment, 7)?;
            }
            "OBX" => self.observation(segment)?,
            _ => {}
        }
        Ok(())
    }

    fn observation(&mut self, row: &Segment<'_>) -> Result<(), Refusal> {
        let own = moment(row, 14)?;
        let is_facet = self.facets.is_some() && row.field(4).split('.').count() > 4;
        let what = match row.field(2) {
            "" if row.field(5).is_empty() => None,
            "NM" | "SN" => Some(self.number(row, row.field(5))?),
            "ST" if !row.field(6).is_empty() && row.field(5).parse::<Decimal>().is_ok() => {
                Some(self.number(row, row.field(5))?)
            }
            "NA" | "MA" | "ED" | "RP" => {
                let says = "waveforms and documents are not taken; NM, SN, ST, TX, FT, CWE are";
                return Err(Refusal::error(row.place(2), says));
            }
            _ => Some(words(row)?),
        };
        if is_facet {
            if self.facets.as_ref().is_some_and(|facets| facets.is_another(row)) {
                self.end_alert()?;
            }
            if let Some(facets) = &mut self.facets {
                return facets.take(row, own, what);
            }
        }
        match what {
            Some(what) => self.say(row.field(4), own, what),
            None => Ok(()),
        }
    }

    fn end_alert(&mut self) -> Result<(), Refusal> {
        let Some(facets) = self.facets.take() else { return Ok(()) };
        self.facets = Some(Facets::default());
        if let Some((place, own, all)) = facets.finish()? {
            all.into_iter().try_for_each(|what| self.say(&place, own, what))?;
        }
        Ok(())
    }

    /// Adds one item to what its system says; `place` is its OBX-4.
    fn say(&mut self, place: &str, own: Option<Written>, what: What) -> Result<(), Refusal> {
        self.items += 1;
        if self.items > ITEMS_MAX {
            let says = format!("more than {ITEMS_MAX} observations; send several messages");
            return Err(Refusal::error("OBX", says));
        }
        let system = place.split('.').next().unwrap_or_default();
        let identity = self.names.identity(self.message, system);
        let written = own.or(self.interval).or(self.sent);
        let (clock, ticks, present) = self.dated(written);
        let is_own = |system: &&System| {
            (system.identity.device, system.clock) == (identity.device, clock)
                && system.patient == self.patient
        };
        let (mode, patient, items) = (self.mode, self.patient.clone(), Vec::new());
        let systems = &mut self.reported.systems;
        let known = systems.iter().position(|system| is_own(&system));
        let at = known.unwrap_or_else(|| {
            systems.push(System { identity, clock, mode, present, patient, items });
            systems.len() - 1
        });
        let what = told_apart(&systems[at], ticks, place, what);
        systems[at].items.push(Item { ticks, what });
        Ok(())
    }

    /// What kind of time a moment is, its ticks, and the sender's present ones where those date it.
    fn dated(&self, written: Option<Written>) -> (DeviceClock, i64, Option<i64>) {
        let Some(written) = written else { return (DeviceClock::None, 0, None) };
        let utc_ticks = written.utc_ticks(self.zone);
        // A sender that names a zone keeps IHE's consistent time; of others nobody says so.
        let stated = Stated {
            form: Form::Local,
            is_current: self.sent.is_some(),
            is_synchronised: utc_ticks.is_some(),
            has_offset: utc_ticks.is_some(),
        };
        match (stated.timeline(), utc_ticks) {
            ((Timeline::Own, _), Some(ticks)) => (DeviceClock::Utc, ticks, None),
            ((Timeline::Map, _), _) => {
                (DeviceClock::Local, written.civil_ticks, self.sent.map(|sent| sent.civil_ticks))
            }
            _ => (DeviceClock::Local, written.civil_ticks, None),
        }
    }

    /// A number, or the state that stands for none.
    fn number(&self, row: &Segment<'_>, text: &str) -> Result<What, Refusal> {
        let channel = channel(row)?;
        let text = plain_number(text.trim());
        let number = match text {
            "" | "\"\"" => Number::Not(Absent::Missing),
            text => match text.parse() {
                Ok(decimal) => Number::Is(decimal),
                Err(_) => Number::Not(state(text).ok_or_else(|| {
                    let says = "holds a decimal number of at most 18 digits, or nothing";
                    Refusal::error(row.place(5), says)
                })?),
            },
        };
        Ok(What::Number(channel, number, self.status(row)))
    }

    /// OBX-8 and OBX-11 as measurement status.
    fn status(&self, row: &Segment<'_>) -> Status {
        let flags = row.repetitions(8).map(|flag| match row.component_of(flag, 1) {
            "INV" => 1,
            "QUES" => 1 << 1,
            "NAV" => 1 << 2,
            "CAL" => 1 << 3,
            "TEST" => 1 << 4,
            "DEMO" => 1 << 5,
            "VAL" => 1 << 8,
            "EARLY" => 1 << 9,
            "BUSY" => 1 << 10,
            "ALACT" => 1 << 14,
            "ALINH" => 1 << 15,
            _ => 0,
        });
        let flags = flags.fold(0, |all, flag| all | flag);
        let result = match row.field(11) {
            "F" if self.is_validated => 1 << 8,
            // Deleted, wrong, or not to be had: nobody takes such a number for a value.
            "D" | "W" => 1,
            "X" if flags == 0 => 1 << 2,
            _ => 0,
        };
        flags | result
    }
}

/// A second channel of the same name at the same moment bears its place in the device, too.
fn told_apart(system: &System, ticks: i64, place: &str, what: What) -> What {
    let What::Number(mut channel, number, status) = what else { return what };
    let is_said = |item: &Item| {
        item.ticks == ticks && matches!(&item.what, What::Number(known, ..) if *known == channel)
    };
    if system.items.iter().any(is_said) {
        channel.label = label(&format!("{} {place}", channel.label));
    }
    What::Number(channel, number, status)
}

/// `5` of a structured number `^5`: one without comparator and second number.
fn plain_number(text: &str) -> &str {
    text.strip_prefix('^').filter(|rest| !rest.contains('^')).unwrap_or(text)
}

/// What devices write where they have no number.
fn state(text: &str) -> Option<Absent> {
    match text {
        "NaN" | "NAN" => Some(Absent::NaN),
        "NRes" => Some(Absent::NRes),
        "+INF" | "INF" => Some(Absent::PositiveInfinity),
        "-INF" => Some(Absent::NegativeInfinity),
        text => text.chars().all(|letter| letter == '-').then_some(Absent::Missing),
    }
}

/// An observation in words: a text, or the words of a coded one.
fn words(row: &Segment<'_>) -> Result<What, Refusal> {
    let code = coded(row, 3).map_or(0, |(code, _)| code);
    let is_coded = matches!(row.field(2), "CWE" | "CNE" | "CE" | "CF");
    let said: Vec<String> = row
        .repetitions(5)
        .map(|value| match is_coded {
            false => row.unescaped(value).into_owned(),
            true => {
                let part = |number| row.unescaped(row.component_of(value, number)).into_owned();
                let (id, text, original) = (part(1), part(2), part(9));
                let text = if original.is_empty() { text } else { original };
                [id, text].join(" ").trim().to_owned()
            }
        })
        .collect();
    let mut text = said.join("; ");
    if code == 0 {
        text = format!("{}: {text}", row.unescaped(row.field(3)));
    }
    let flags = row.field(8);
    if !flags.is_empty() {
        text = format!("{text} [{flags}]");
    }
    Ok(What::Words(code, text))
}

/// The MDC code and name of a coded field, in either of its two triplets.
pub(super) fn coded<'a>(row: &Segment<'a>, field: usize) -> Option<(Code, &'a str)> {
    [1, 4].into_iter().find_map(|first| {
        let system = row.component(field, first + 2);
        let code = row.component(field, first).parse().ok().filter(|code| *code != 0);
        code.filter(|_| system == "MDC").map(|code| (code, row.component(field, first + 1)))
    })
}

/// A name that fits a channel, and is another one for each text.
fn label(text: &str) -> String {
    use sha2::{Digest, Sha256};
    if text.len() <= LABEL_BYTES_MAX {
        return text.to_owned();
    }
    let digest = Sha256::digest(text);
    let sum = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{}#{sum:08x}", beginning(text, LABEL_BYTES_MAX - 9))
}

fn channel(row: &Segment<'_>) -> Result<ChannelInfo, Refusal> {
    if row.field(3).is_empty() {
        return Err(Refusal::error(row.place(3), "says what was observed, as 147842^REFID^MDC"));
    }
    let (code, name) = coded(row, 3).map_or_else(
        || (0, label(&row.unescaped(row.field(3)))),
        |(code, name)| (code, label(name)),
    );
    let (unit, unit_label) = match coded(row, 6) {
        Some((unit, _)) => (unit, String::new()),
        None => (0, label(&row.unescaped(row.component(6, 1)))),
    };
    let kind = ChannelKind::Numeric { exponent: 0 };
    Ok(ChannelInfo { code, unit, kind, label: name, unit_label })
}

#[cfg(test)]
mod tests;
