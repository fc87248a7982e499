//! Identifiers of resources: the same for the same reading, whichever store it comes from, and
//! before and after it is dated anew.

use sha2::{Digest, Sha256};

use crate::export::reading::{About, Note, Numeric, Origin};
use crate::keys::hex;

/// 2000-01-01T00:00:00Z, seconds of Unix time.
const EPOCH_2000: i64 = 946_684_800;

/// A name of 32 hexadecimal digits made from words.
fn made_from(words: &[&str]) -> String {
    let mut digest = Sha256::new();
    for word in words {
        digest.update((word.len() as u64).to_be_bytes());
        digest.update(word);
    }
    hex(&digest.finalize()[..16])
}

/// A device by its EUI-64.
pub(super) fn device_id(eui: &str) -> String {
    eui.to_lowercase()
}

/// A gateway by its name.
pub(super) fn gateway_id(name: &str) -> String {
    format!("gateway-{name}")
}

/// A patient by the token of its context.
pub(super) fn patient_id(token: &str) -> String {
    format!("p-{}", made_from(&[token]))
}

/// A signal of a device by all that it declares.
pub(super) fn metric_id(about: &About) -> String {
    let signal = &about.signal;
    let shape = format!(
        "{} {} {} {}/{} {} {} {}",
        signal.code,
        signal.is_wave,
        signal.mode,
        signal.rate.numerator,
        signal.rate.denominator,
        signal.gain,
        signal.baseline,
        signal.bits
    );
    format!("m-{}", made_from(&[&about.device, &signal.label, &signal.unit, &shape]))
}

/// What a frame brought, by its hash and what of it is said.
pub(super) fn frame_id(origin: &Origin, targets: &[String]) -> String {
    let first = targets.first().map_or("", String::as_str);
    format!("f-{}", made_from(&[&origin.frame, first]))
}

/// Device seconds since 2000 at a resolution, offset in quarter hours, duration.
fn moment(at_ns: i64, digits: usize, quarters: i64, duration: Option<&str>) -> String {
    let seconds = at_ns.div_euclid(1_000_000_000) - EPOCH_2000;
    let fraction = format!("{:09}", at_ns.rem_euclid(1_000_000_000));
    let point = if digits == 0 { "" } else { "." };
    let fraction = &fraction[..digits.min(9)];
    let duration = duration.map(|duration| format!("..{duration}")).unwrap_or_default();
    format!("{seconds}{point}{fraction}{quarters:+}{duration}")
}

/// `device-patient-type-timestamp-duration`, and what it is measured in and by which name.
pub(super) fn observation(about: &About, at_ns: i64, duration: Option<&str>) -> String {
    let signal = &about.signal;
    let patient = about.patient.as_deref().unwrap_or("");
    let time = moment(at_ns, 9, 0, duration);
    format!("{}-{patient}-{}-{time}-{}-{}", about.device, signal.code, signal.label, signal.unit)
}

/// The frame that brought it, what it is, and which of those in the frame.
fn placed(origin: &Origin, kind: &str, place: &str) -> String {
    let frame = origin.frame.get(..32).unwrap_or(&origin.frame);
    format!("{kind}-{frame}-{place}")
}

/// A number.
pub(super) fn numeric_id(numeric: &Numeric) -> String {
    let place = format!("{}.{}", numeric.about.place, numeric.place);
    placed(&numeric.about.origin, "n", &place)
}

/// A run of samples.
pub(super) fn wave_id(about: &About, first: u64) -> String {
    placed(&about.origin, "w", &format!("{}.{first}", about.place))
}

/// A note.
pub(super) fn note_id(note: &Note) -> String {
    placed(&note.origin, "t", &note.place.to_string())
}

/// What somebody did at a moment.
pub(super) fn deed_id(what: &str, at: &str) -> String {
    format!("d-{}", made_from(&[what, at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_device_seconds_since_2000_with_its_offset_and_duration() {
        // 2021-11-22T11:56:00.567, an hour before UTC, for a second.
        let at = 1_637_582_160_567_000_000;
        assert_eq!(moment(at, 3, 4, Some("1.000")), "690897360.567+4..1.000");
        assert_eq!(moment(at, 0, 0, None), "690897360+0");
    }

    #[test]
    fn what_is_another_has_another_name() {
        assert_ne!(made_from(&["ab", "c"]), made_from(&["a", "bc"]));
        assert_eq!(made_from(&["a"]), made_from(&["a"]));
        assert!(patient_id("4711").len() <= 64 && !patient_id("4711").contains("4711"));
    }
}
