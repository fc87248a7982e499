//! Acknowledgements: AA once every reading is durable, AE or AR with the reason otherwise.
//!
//! Source: HL7 v2.6 chapter 2.9. A sender that names acknowledgement conditions (MSH-15, MSH-16)
//! gets a commit acknowledgement, an application acknowledgement, both or none; both mean durable.

use wire::identity::GatewayId;
use wire::time::ClockState;

use super::frame::framed;
use super::message::{Refusal, Segment, Verdict};

/// What of a message's header an answer repeats.
#[derive(Clone, Debug)]
pub struct Asked {
    sender: [String; 2],
    control_id: String,
    processing: String,
    version: String,
    event: String,
    accept: String,
    application: String,
}

impl Asked {
    /// By a header, as far as it can be read.
    #[must_use]
    pub fn by(header: &Segment<'_>) -> Self {
        // What separates in another way would say something else in our words.
        let plain = |text: &str| -> String {
            text.chars()
                .filter(|letter| !letter.is_control() && !"|~\\&".contains(*letter))
                .collect()
        };
        let or = |text: &str, instead: &str| {
            if text.is_empty() { instead.to_owned() } else { plain(text) }
        };
        Self {
            sender: [3, 4].map(|number| plain(header.field(number))),
            control_id: plain(header.field(10)),
            processing: or(header.field(11), "P"),
            version: or(header.field(12), "2.6"),
            event: plain(header.component(9, 2)),
            accept: header.field(15).to_owned(),
            application: header.field(16).to_owned(),
        }
    }

    /// The answers to it, as they are sent.
    #[must_use]
    pub fn answers(&self, from: &Place<'_>, outcome: Result<(), &Refusal>) -> Vec<u8> {
        let verdict = outcome.err().map(|refusal| refusal.verdict);
        let wants = |condition: &str| match condition {
            "SU" => verdict.is_none(),
            "ER" => verdict.is_some(),
            "" | "NE" => false,
            // Always, also to who asks for what is none: he is told so.
            _ => true,
        };
        let is_enhanced = !(self.accept.is_empty() && self.application.is_empty());
        let code = |commit: bool| match (verdict, commit) {
            (None, false) => "AA",
            (Some(Verdict::Error), false) => "AE",
            (Some(Verdict::Reject), false) => "AR",
            (None, true) => "CA",
            (Some(Verdict::Error), true) => "CE",
            (Some(Verdict::Reject), true) => "CR",
        };
        let mut bytes = Vec::new();
        if is_enhanced && wants(&self.accept) {
            bytes.extend(framed(&self.message(from, code(true), outcome)));
        }
        if !is_enhanced || wants(&self.application) {
            bytes.extend(framed(&self.message(from, code(false), outcome)));
        }
        bytes
    }

    fn message(&self, from: &Place<'_>, code: &str, outcome: Result<(), &Refusal>) -> String {
        let [application, facility] = &self.sender;
        let kind = if self.event.is_empty() {
            "ACK".to_owned()
        } else {
            format!("ACK^{}^ACK", self.event)
        };
        let mut text = format!(
            "MSH|^~\\&|WARDLINE|{}|{application}|{facility}|{}||{kind}|{}-{code}|{}|{}\r\
             MSA|{code}|{}\r",
            from.gateway.as_str(),
            now(&from.clock),
            from.number,
            self.processing,
            self.version,
            self.control_id,
        );
        if let Err(refusal) = outcome {
            text.push_str(&format!(
                "ERR||{}|{}|E||||{}\r",
                location(&refusal.place),
                error_code(refusal.verdict),
                escaped(&refusal.to_string()),
            ));
        }
        text
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The gateway.
    pub gateway: GatewayId,
    /// Its clock.
    pub clock: ClockState,
    /// Number of the answer, another one for each.
    pub number: &'a str,
}

/// The moment, if the gateway knows it.
fn now(clock: &ClockState) -> String {
    let moment = clock.utc.and_then(|utc| jiff::Timestamp::from_nanosecond(utc.0.into()).ok());
    moment.map(|moment| moment.strftime("%Y%m%d%H%M%S+0000").to_string()).unwrap_or_default()
}

/// `OBX^3^5` of `OBX[3]-5`.
fn location(place: &str) -> String {
    let parts: Vec<&str> = place.split(['[', ']', '-']).filter(|part| !part.is_empty()).collect();
    match parts[..] {
        [segment, field] if segment.len() == 3 => format!("{segment}^1^{field}"),
        [segment, number, field] => format!("{segment}^{number}^{field}"),
        _ => String::new(),
    }
}

fn error_code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Error => "207^Application internal error^HL70357",
        Verdict::Reject => "200^Unsupported message type^HL70357",
    }
}

/// A text without letters that separate.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\E\\"),
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '~' => out.push_str("\\R\\"),
            '&' => out.push_str("\\T\\"),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::*;
    use wire::time::{MonotonicNanos, TimeSource, UnixNanos};

    fn answered(conditions: &str, outcome: Result<(), &Refusal>) -> String {
        let text = format!("MSH|^~\\&|APP|FAC|||x||ORU^R01^ORU_R01|id 7|P|2.6|||{conditions}\r");
        let message = Message::parse(&text).unwrap();
        let clock = ClockState {
            epoch: 0,
            monotonic: MonotonicNanos(0),
            utc: Some(UnixNanos(1_767_225_600_000_000_000)),
            error_us: 0,
            source: TimeSource::Network,
        };
        let gateway = GatewayId::new("gw-1").unwrap();
        let from = Place { gateway, clock, number: "5" };
        let bytes = Asked::by(&message.header()).answers(&from, outcome);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_answer_names_the_message_and_says_what_is_wrong_and_where() {
        let good = answered("|", Ok(()));
        assert_eq!(
            good,
            "\u{b}MSH|^~\\&|WARDLINE|gw-1|APP|FAC|20260101000000+0000||ACK^R01^ACK|5-AA|P|2.6\r\
             MSA|AA|id 7\r\u{1c}\r"
        );
        let refusal = Refusal::error("OBX[3]-5", "holds a|number");
        let bad = answered("|", Err(&refusal));
        assert!(bad.contains("MSA|AE|id 7\rERR||OBX^3^5|207^"), "{bad}");
        assert!(bad.contains("OBX[3]-5: holds a\\F\\number"), "{bad}");
        assert!(
            answered("|", Err(&Refusal::reject("MSH-9", "x"))).contains("|AR|id 7\rERR||MSH^1^9|")
        );
    }

    #[test]
    fn who_names_conditions_gets_what_he_asked_for() {
        let refusal = Refusal::error("OBX[1]-5", "x");
        let codes = |conditions: &str, outcome| {
            let said = answered(conditions, outcome);
            let codes = said.split("MSA|").skip(1).map(|rest| rest[..2].to_owned());
            codes.collect::<Vec<_>>().join(" ")
        };
        for (conditions, good, bad) in [
            ("AL|NE", "CA", "CE"),
            ("AL|AL", "CA AA", "CE AE"),
            ("NE|AL", "AA", "AE"),
            ("NE|NE", "", ""),
            ("ER|SU", "AA", "CE"),
            ("|AL", "AA", "AE"),
        ] {
            assert_eq!(codes(conditions, Ok(())), good, "{conditions}");
            assert_eq!(codes(conditions, Err(&refusal)), bad, "{conditions}");
        }
    }
}
