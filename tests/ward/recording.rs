//! A WFDB recording's signals as the channels of a device.

use std::ops::Range;

use anyhow::{Result, ensure};
use rig::wfdb::{Record, Segment};
use wire::batch::ChannelInfo;
use wire::decimal::Decimal;
use wire::limits::{CHANNELS_MAX, LABEL_BYTES_MAX};
use wire::reading::{ChannelKind, Code};
use wire::time::Rate;

/// IEEE 11073-10101 codes of names that recordings use; others stay 0 and keep their label.
const CODES: [(&str, Code); 22] = [
    ("I", 131_329),
    ("II", 131_330),
    ("MLII", 131_330),
    ("V1", 131_331),
    ("V2", 131_332),
    ("V3", 131_333),
    ("V4", 131_334),
    ("V5", 131_335),
    ("V6", 131_336),
    ("III", 131_389),
    ("ABP", 150_036),
    ("PLETH", 150_452),
    ("HR", 147_842),
    ("PULSE", 149_530),
    ("SpO2", 150_456),
    ("ABPSys", 150_037),
    ("ABPDias", 150_038),
    ("ABPMean", 150_039),
    ("RESP", 151_562),
    ("NBPSys", 150_021),
    ("NBPDias", 150_022),
    ("NBPMean", 150_023),
];

/// Unit codes; the device's own word for the unit is kept in any case.
const UNITS: [(&str, Code); 5] =
    [("mV", 266_418), ("mmHg", 266_016), ("bpm", 264_864), ("pm", 264_928), ("%", 262_688)];

fn code_of(table: &[(&str, Code)], name: &str) -> Code {
    table.iter().find(|(known, _)| *known == name).map_or(0, |(_, code)| *code)
}

/// The channels of a segment, in its order.
///
/// # Errors
/// More channels than a device may declare, or a rate beyond what the wire holds.
pub fn channels(record: &Record, segment: &Segment) -> Result<Vec<ChannelInfo>> {
    ensure!(segment.channels.len() <= CHANNELS_MAX, "more than {CHANNELS_MAX} signals");
    let mut made: Vec<ChannelInfo> = Vec::new();
    for channel in &segment.channels {
        let signal = &record.signals[channel.signal];
        let rate = Rate {
            numerator: record.rate.numerator * u64::from(channel.samples_per_frame),
            denominator: record.rate.denominator,
        };
        let gain = Decimal { mantissa: channel.gain.mantissa, exponent: channel.gain.exponent };
        let (baseline, bits) = (channel.baseline, channel.adc_resolution_bits);
        made.push(ChannelInfo {
            code: code_of(&CODES, &signal.description),
            unit: code_of(&UNITS, &signal.unit),
            kind: ChannelKind::Wave { rate, gain, baseline, bits },
            label: unused(&signal.description, &made),
            unit_label: shortened(&signal.unit, LABEL_BYTES_MAX).into(),
        });
    }
    Ok(made)
}

/// The description, as far as a label holds it, with a number where it is taken.
fn unused(description: &str, made: &[ChannelInfo]) -> String {
    let mut label = shortened(description, LABEL_BYTES_MAX).to_owned();
    let mut number = 2;
    while made.iter().any(|channel| channel.label == label) {
        let suffix = format!(" #{number}");
        let head = shortened(description, LABEL_BYTES_MAX - suffix.len());
        label = format!("{head}{suffix}");
        number += 1;
    }
    label
}

fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Neighbouring channels with the same rate.
pub fn groups(segment: &Segment) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, channel) in segment.channels.iter().enumerate() {
        let joins = groups.last().is_some_and(|group| {
            segment.channels[group.start].samples_per_frame == channel.samples_per_frame
        });
        match groups.last_mut().filter(|_| joins) {
            Some(group) => group.end = at + 1,
            None => groups.push(at..at + 1),
        }
    }
    groups
}
