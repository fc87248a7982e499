//! Which device an HL7 message speaks of, and which patient.

use sha2::{Digest, Sha256};
use wire::identity::DeviceId;

use super::message::{Message, Segment};

/// A device system, as the message names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Its EUI-64; of what has another name, one that is made from it and locally administered.
    pub device: DeviceId,
    /// Its kind and name, for people.
    pub model: String,
}

/// Longest model, bytes: as much as a link frame takes.
const MODEL_BYTES_MAX: usize = 96;

/// The beginning of a text that fits so many bytes.
pub(super) fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// The first of an identity's eight bytes, made from words.
fn made_from(words: &[&str]) -> DeviceId {
    let mut digest = Sha256::new();
    digest.update(b"wardline hl7");
    for word in words {
        digest.update([0]);
        digest.update(word);
    }
    let mut id = [0; 8];
    id.copy_from_slice(&digest.finalize()[..8]);
    id[0] = id[0] & 0xFC | 2;
    DeviceId(u64::from_be_bytes(id))
}

impl Identity {
    /// By an OBX-18, `id^namespace^universal id^type`; none if it is empty.
    fn named(row: &Segment<'_>) -> Option<Self> {
        let part = |number| row.component(18, number);
        let (kind, universal) = (part(4), part(3));
        let name = if universal.is_empty() { part(1) } else { universal };
        if name.is_empty() {
            return None;
        }
        let plain: String = name.chars().filter(|letter| !"-:. ".contains(*letter)).collect();
        let eui = if kind == "EUI-64" { DeviceId::parse(&plain) } else { None };
        let device = eui.filter(|device| device.0 != 0);
        let device = device.unwrap_or_else(|| made_from(&[kind, name]));
        let model = format!("{} {name}", row.component(3, 2));
        Some(Self { device, model: beginning(model.trim(), MODEL_BYTES_MAX).to_owned() })
    }

    /// A system that gives itself no name: by its sender and its number there.
    fn of_sender(message: &Message<'_>, system: &str) -> Self {
        let header = message.header();
        let words = [header.field(3), header.field(4), system];
        let model = format!("HL7 {} {}", header.component(3, 1), header.component(4, 1));
        let model = beginning(model.trim(), MODEL_BYTES_MAX).to_owned();
        Self { device: made_from(&words), model }
    }
}

/// The first number of an OBX-4 `MDS.VMD.CHAN.METRIC`.
pub(super) fn system_of<'a>(row: &Segment<'a>) -> &'a str {
    row.field(4).split('.').next().unwrap_or_default()
}

/// The systems of a message, by their number in OBX-4.
#[derive(Debug, Default)]
pub(super) struct Systems(Vec<(String, Identity)>);

impl Systems {
    /// By the rows that name them: the first of each.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let mut systems = Self::default();
        for row in message.segments().iter().filter(|segment| segment.name() == "OBX") {
            let system = system_of(row);
            if !systems.0.iter().any(|(known, _)| known == system)
                && let Some(identity) = Identity::named(row)
            {
                systems.0.push((system.to_owned(), identity));
            }
        }
        systems
    }

    /// One of them.
    pub(super) fn identity(&mut self, message: &Message<'_>, system: &str) -> Identity {
        if let Some((_, identity)) = self.0.iter().find(|(known, _)| known == system) {
            return identity.clone();
        }
        let identity = Identity::of_sender(message, system);
        self.0.push((system.to_owned(), identity.clone()));
        identity
    }
}

/// Whom a message says that it is about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Patient {
    /// Who gives the identifier.
    pub authority: String,
    /// The identifier.
    pub id: String,
}

impl Patient {
    /// By a PID; none if PID-3 is empty.
    #[must_use]
    pub fn named(segment: &Segment<'_>) -> Option<Self> {
        let text = |number| segment.unescaped(segment.component(3, number)).into_owned();
        let (id, authority) = (text(1), text(4));
        (!id.is_empty()).then_some(Self { authority, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems(rows: &str) -> Vec<(DeviceId, String)> {
        let text = format!("MSH|^~\\&|APP|FAC||||||1|P|2.6\r{rows}");
        let message = Message::parse(&text).unwrap();
        let mut systems = Systems::of(&message);
        let all = ["1", "2"].map(|number| systems.identity(&message, number));
        all.into_iter().map(|identity| (identity.device, identity.model)).collect()
    }

    #[test]
    fn a_device_has_its_eui_64_or_a_lasting_name_made_from_what_it_says() {
        let eui = "OBX|1||69965^MDC_DEV_MON^MDC|1.0.0.0|||||||X|||||||^^0123456789ABCDEF^EUI-64";
        let uuid = "OBX|2||69985^MDC_DEV_PUMP^MDC|2.0.0.0|||||||X|||||||^^6d1b-4a^UUID";
        let both = systems(&format!("{eui}\r{uuid}\r"));
        assert_eq!(both[0].0, DeviceId(0x0123_4567_89AB_CDEF));
        assert_eq!(
            (both[0].1.as_str(), both[1].1.as_str()),
            ("MDC_DEV_MON 0123456789ABCDEF", "MDC_DEV_PUMP 6d1b-4a")
        );
        assert_eq!((both[1].0.0 >> 56) & 3, 2, "locally administered");
        assert_eq!(both, systems(&format!("{eui}\r{uuid}\r")));
        let nameless = systems("OBX|1|NM|1^A^MDC|1.1.1.1|5\r");
        assert_eq!(nameless[0].1, "HL7 APP FAC");
        assert!(nameless[0].0 != nameless[1].0 && nameless[0].0 != both[1].0);
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!(
            [0, 1, 2, 3, 9].map(|bytes| beginning("aüb", bytes)),
            ["", "a", "a", "aü", "aüb"]
        );
    }
}
