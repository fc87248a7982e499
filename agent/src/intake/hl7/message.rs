//! An HL7 v2 message: segments, fields, components. Nothing here knows what they mean.

use std::borrow::Cow;
use std::collections::HashMap;

/// Segments of one message: as many as [`super::frame::MESSAGE_BYTES_MAX`] can hold observations.
const SEGMENTS_MAX: usize = 4096;
/// Longest control id that we echo, bytes.
const CONTROL_ID_MAX: usize = 199;

/// How a message is answered that is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Its content is wrong, or it cannot be kept now: AE, or CE.
    Error,
    /// It is not for us, or its header cannot be read: AR, or CR.
    Reject,
}

/// Why a message is not taken, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {says}")]
pub struct Refusal {
    /// How it is answered.
    pub verdict: Verdict,
    /// Segment and field, as `OBX[3]-5`.
    pub place: String,
    /// What is wrong and what would do; never a value.
    pub says: String,
}

impl Refusal {
    pub(super) fn error(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Error, place: place.into(), says: says.into() }
    }

    pub(super) fn reject(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Reject, place: place.into(), says: says.into() }
    }
}

/// The five letters that a message separates with.
#[derive(Clone, Copy, Debug)]
struct Separators {
    field: char,
    component: char,
    repetition: char,
    escape: char,
    subcomponent: char,
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    text: &'a str,
    /// Number of this segment among those of its name, from 1.
    pub number: usize,
    separators: Separators,
}

/// A message whose header is in order.
#[derive(Debug)]
pub struct Message<'a> {
    segments: Vec<Segment<'a>>,
}

/// The text of a message by its own character set.
///
/// # Errors
/// [`Refusal`]: a character set that we do not read, or bytes that are not of it.
pub fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let named = header_field(bytes, 18).unwrap_or_default();
    let first = named.split(|byte| *byte == b'~').next().unwrap_or_default();
    match first {
        b"8859/1" => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        b"" | b"ASCII" | b"UNICODE UTF-8" => {
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
                let at = error.valid_up_to();
                let says = format!("byte {at} is not of its character set; say it in MSH-18");
                Refusal::reject("MSH-18", says)
            })
        }
        _ => Err(Refusal::reject("MSH-18", "holds ASCII, UNICODE UTF-8 or 8859/1")),
    }
}

/// A field of the header, before its character set is known.
fn header_field(bytes: &[u8], number: usize) -> Option<&[u8]> {
    let header = bytes.split(|byte| *byte == b'\r').next()?;
    let separator = *header.get(3)?;
    header.split(|byte| *byte == separator).nth(number.checked_sub(1)?)
}

impl<'a> Message<'a> {
    /// Cuts a text into segments.
    ///
    /// # Errors
    /// [`Refusal`]: there is no header that can be read, or there are too many segments.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let wrong = |says: &str| Refusal::reject("MSH", says);
        let header = text.strip_prefix("MSH").ok_or_else(|| wrong("the message has no header"))?;
        let mut letters = header.chars();
        let mut next = || letters.next().filter(|letter| !letter.is_alphanumeric());
        let found = [next(), next(), next(), next(), next()];
        let [Some(field), Some(component), Some(repetition), Some(escape), Some(subcomponent)] =
            found
        else {
            return Err(wrong("MSH-1 and MSH-2 hold five separators, as |^~\\&"));
        };
        let all = [field, component, repetition, escape, subcomponent];
        let is_twice = (1..all.len()).any(|at| all[..at].contains(&all[at]));
        if is_twice || all.iter().any(|letter| letter.is_control()) {
            return Err(wrong("the separators in MSH-1 and MSH-2 are not five different letters"));
        }
        let separators = Separators { field, component, repetition, escape, subcomponent };
        let mut segments: Vec<Segment<'a>> = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for line in text.split(['\r', '\n']) {
            if line.is_empty() {
                continue;
            }
            let name = line.split(field).next().unwrap_or_default();
            let is_name = name.len() == 3 && name.chars().all(|l| l.is_ascii_alphanumeric());
            if !is_name || segments.len() >= SEGMENTS_MAX {
                let place = format!("segment {}", segments.len() + 1);
                let says = format!("has no name of three letters, or is beyond {SEGMENTS_MAX}");
                return Err(Refusal::error(place, says));
            }
            let number = numbers.entry(name).or_default();
            *number += 1;
            segments.push(Segment { text: line, number: *number, separators });
        }
        Ok(Self { segments })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> Segment<'a> {
        self.segments[0]
    }

    /// All segments in order, the header first.
    #[must_use]
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// MSH-10.
    ///
    /// # Errors
    /// [`Refusal`]: it is empty, or longer than HL7 allows.
    pub fn control_id(&self) -> Result<&'a str, Refusal> {
        let id = self.header().field(10);
        if id.is_empty() || id.len() > CONTROL_ID_MAX {
            let says = format!("holds 1 to {CONTROL_ID_MAX} letters");
            return Err(Refusal::reject("MSH-10", says));
        }
        Ok(id)
    }
}

impl<'a> Segment<'a> {
    /// Its name, three letters.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.text.get(..3).unwrap_or_default()
    }

    /// All of it, without its end.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// A field by its number in the standard, from 1; empty if it is not there.
    #[must_use]
    pub fn field(&self, number: usize) -> &'a str {
        let separator = self.separators.field;
        if self.name() == "MSH" {
            return match number {
                1 => self.text.get(3..3 + separator.len_utf8()).unwrap_or_default(),
                _ => self.text.split(separator).nth(number - 1).unwrap_or_default(),
            };
        }
        self.text.split(separator).nth(number).unwrap_or_default()
    }

    /// Repetitions of a field; one, empty, if it is not there.
    pub fn repetitions(&self, number: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        self.field(number).split(self.separators.repetition)
    }

    /// A component of the first repetition of a field, both from 1, as it stands.
    #[must_use]
    pub fn component(&self, number: usize, component: usize) -> &'a str {
        let first = self.repetitions(number).next().unwrap_or_default();
        self.component_of(first, component)
    }

    /// A component of a repetition, from 1, as it stands; of its subcomponents the first.
    #[must_use]
    pub fn component_of(&self, repetition: &'a str, component: usize) -> &'a str {
        let found = repetition.split(self.separators.component).nth(component - 1);
        found.unwrap_or_default().split(self.separators.subcomponent).next().unwrap_or_default()
    }

    /// A text with its escapes undone.
    #[must_use]
    pub fn unescaped(&self, text: &'a str) -> Cow<'a, str> {
        let Separators { field, component, repetition, escape, subcomponent } = self.separators;
        if !text.contains(escape) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut parts = text.split(escape);
        out.push_str(parts.next().unwrap_or_default());
        while let Some(code) = parts.next() {
            let after = parts.next();
            match (code, after) {
                (_, None) => {
                    // An escape that does not end is a letter like others.
                    out.push(escape);
                    out.push_str(code);
                }
                ("F", _) => out.push(field),
                ("S", _) => out.push(component),
                ("R", _) => out.push(repetition),
                ("E", _) => out.push(escape),
                ("T", _) => out.push(subcomponent),
                (".br", _) => out.push('\n'),
                (code, _) => match hexadecimal(code) {
                    Some(text) => out.push_str(&text),
                    None => {
                        out.push(escape);
                        out.push_str(code);
                        out.push(escape);
                    }
                },
            }
            out.push_str(after.unwrap_or_default());
        }
        Cow::Owned(out)
    }

    /// This segment and one of its fields, for people.
    #[must_use]
    pub fn place(&self, field: usize) -> String {
        match self.name() {
            "MSH" => format!("MSH-{field}"),
            name => format!("{name}[{}]-{field}", self.number),
        }
    }
}

/// The letters of `Xhh...`.
fn hexadecimal(code: &str) -> Option<String> {
    let digits = code.strip_prefix('X')?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "MSH|^~\\&|APP^1|FAC|||20260101||ORU^R01^ORU_R01|17|P|2.6\r\
                        OBX|1|NM|1^A&x^MDC~2||5|\rOBX|2|ST|||a\\F\\b\\X41\\c\\Q\\d\\";

    #[test]
    fn fields_components_and_escapes_are_where_the_standard_counts_them() {
        let message = Message::parse(TEXT).unwrap();
        let header = message.header();
        assert_eq!([header.field(1), header.field(2), header.field(3)], ["|", "^~\\&", "APP^1"]);
        assert_eq!((header.component(9, 2), message.control_id().unwrap()), ("R01", "17"));
        let [_, first, second] = message.segments() else { panic!("three segments") };
        assert_eq!((first.component(3, 2), first.component(3, 3)), ("A", "MDC"));
        assert_eq!(first.repetitions(3).nth(1), Some("2"));
        assert_eq!((first.field(6), first.field(99), second.place(5)), ("", "", "OBX[2]-5".into()));
        assert_eq!(second.unescaped(second.field(5)), "a|bAc\\Q\\d\\");
    }

    #[test]
    fn a_header_that_cannot_be_read_is_rejected_with_its_place() {
        let long = format!("MSH|^~\\&||||||||{}|", "x".repeat(200));
        for text in ["", "PID|1", "MSH", "MSH|^~\\", "MSH|^^~\\&|", "MSHa^~\\&|", "MSH|^~\\\r|"] {
            assert_eq!(Message::parse(text).unwrap_err().verdict, Verdict::Reject, "{text}");
        }
        for text in ["MSH|^~\\&|a", long.as_str()] {
            let refusal = Message::parse(text).unwrap().control_id().unwrap_err();
            assert_eq!((refusal.place.as_str(), refusal.verdict), ("MSH-10", Verdict::Reject));
        }
        let refusal = Message::parse("MSH|^~\\&|a\rOB|1").unwrap_err();
        assert_eq!(refusal.place, "segment 2");
    }

    #[test]
    fn a_text_is_read_by_the_character_set_it_names() {
        let of =
            |set: &str| [format!("MSH|^~\\&|M|||||||||||||||{set}\r").as_bytes(), b"\xFC"].concat();
        assert!(decoded(&of("8859/1")).unwrap().ends_with('\u{fc}'));
        for set in ["", "UNICODE UTF-8", "EBCDIC"] {
            assert_eq!(decoded(&of(set)).unwrap_err().place, "MSH-18", "{set}");
        }
    }
}
