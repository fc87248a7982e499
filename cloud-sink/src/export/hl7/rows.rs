//! OBX rows of messages.

use wire::decimal::Number;

use super::{escaped, time_of};
use crate::codes;
use crate::export::reading::{Note, Numeric};
use crate::signal::Signal;

/// A device whose kind nobody has said.
const MONITOR: &str = "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC";
const PHASES: [&str; 7] = ["start", "continue", "update", "escalate", "deescalate", "end", "reset"];
const STATES: [&str; 3] = ["inactive", "active", "latched"];
const PRIORITIES: [&str; 4] = ["PN", "PL", "PM", "PH"];
/// A technical alert has its event in the value.
const EVENT: &str = "196616^MDC_EVT_ALARM^MDC";
/// Flags of OBX-8, by measurement-status bit.
const FLAGS: [(u32, &str); 11] = [
    (0, "INV"),
    (1, "QUES"),
    (2, "NAV"),
    (3, "CAL"),
    (4, "TEST"),
    (5, "DEMO"),
    (8, "VAL"),
    (9, "EARLY"),
    (10, "BUSY"),
    (14, "ALACT"),
    (15, "ALINH"),
];

/// The row that names the device system.
pub(super) fn device_row(device: &str) -> String {
    format!("OBX|1||{MONITOR}|1.0.0.0|||||||X|||||||^^{device}^EUI-64\r")
}

/// `code^REFID^MDC`; of what has no code of the standard its own words.
fn coded(code: u32, name: &str) -> String {
    let refid = codes::code(code).map(|known| known.refid.as_str()).filter(|id| !id.is_empty());
    match (code, refid) {
        (0, _) => format!("MDC_PRIVATE_0^{}^99WARDLINE", escaped(name)),
        (code, Some(refid)) => format!("{code}^{refid}^MDC"),
        (code, None) if name.starts_with("MDC_") => format!("{code}^{}^MDC", escaped(name)),
        (code, None) => format!("{code}^MDC_PRIVATE_{code}^MDC"),
    }
}

/// The unit: MDC if it is known, else what the device calls it.
fn unit(signal: &Signal) -> String {
    match (codes::unit_of(signal.unit_code), signal.unit_code) {
        (Some(unit), code) => format!("{code}^{}^MDC", unit.refid),
        (None, 0) if signal.unit.is_empty() => String::new(),
        (None, 0) => format!("{0}^{0}^99WARDLINE", escaped(&signal.unit)),
        (None, code) => format!("{code}^MDC_DIM_{code}^MDC"),
    }
}

/// A number.
pub(super) fn numeric_row(at: usize, numeric: &Numeric, flagged: bool) -> String {
    let signal = &numeric.about.signal;
    let value = match numeric.number {
        Number::Is(decimal) => decimal.to_string(),
        Number::Not(_) => String::new(),
    };
    let bits = u32::from(numeric.status);
    // That a value is validated says OBX-11.
    let is_said = |bit: u32| (flagged || bit != 8) && bits & (1 << bit) != 0;
    let flags = FLAGS.iter().filter(|(bit, _)| is_said(*bit));
    let flags: Vec<&str> = flags.map(|(_, flag)| *flag).collect();
    let result = match (bits & (1 << 8) != 0, value.is_empty() || bits & 0b1 != 0) {
        (_, true) => "X",
        (true, false) => "F",
        (false, false) => "R",
    };
    format!(
        "OBX|{at}|NM|{code}|1.1.1.{place}|{value}|{unit}||{flags}|||{result}|||{time}\r",
        code = coded(signal.code, &signal.label),
        place = signal.id,
        unit = unit(signal),
        flags = flags.join("~"),
        time = time_of(numeric.about.dated, numeric.at_ns),
    )
}

/// An observation in words.
pub(super) fn words_row(note: &Note) -> String {
    let code = coded(note.codes[0].unwrap_or(0), "words");
    let text = escaped(note.text.as_deref().unwrap_or_default());
    let (place, time) = (note.place + 1, time_of(note.dated, note.at_ns));
    format!("OBX|2|ST|{code}|1.1.1.{place}|{text}||||||R|||{time}\r")
}

/// The seven facets of an alert.
pub(super) fn alert_rows(note: &Note) -> String {
    let time = time_of(note.dated, note.at_ns);
    let (code, source) = (note.codes[0].unwrap_or(0), note.codes[1].unwrap_or(0));
    let [phase, state, priority] = note.levels.map(|level| usize::from(level.unwrap_or(0)));
    let word = |words: &[&'static str], at: usize| words.get(at).copied().unwrap_or("");
    let text = escaped(note.text.as_deref().unwrap_or_default());
    let priority = word(&PRIORITIES, priority);
    // Which kind it is, nobody has said: an advisory if it has no priority, else technical.
    let kind = if priority == "PN" { "SA" } else { "ST" };
    let event = coded(code, &text);
    let facets = [
        format!("CWE|{EVENT}|1.1.1.1.1|{event}^^^^^^{text}||||||R|||{time}"),
        format!("CWE|68480^MDC_ATTR_ALERT_SOURCE^MDC|1.1.1.1.2|{}||||||R", coded(source, "source")),
        format!("ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.1.1.1.3|{}||||||R", word(&PHASES, phase)),
        format!("ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.1.1.1.4|{}||||||R", word(&STATES, state)),
        "ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC|1.1.1.1.5|enabled||||||R".to_owned(),
        format!("ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.1.1.1.6|{priority}||||||R"),
        format!("ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.1.1.1.7|{kind}||||||R"),
    ];
    let rows = facets.iter().enumerate().map(|(at, facet)| format!("OBX|{}|{facet}\r", at + 2));
    rows.collect()
}
