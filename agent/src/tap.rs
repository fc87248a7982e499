//! Tap: what devices say, live and before it is sealed, for a person beside the gateway. What is
//! buffered cannot be read, even here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use wire::batch::ChannelInfo;
use wire::decimal::{Decimal, Number};
use wire::link::{Entries, Entry, NumericEntry, SourceGap, Value, WaveEntry};
use wire::reading::ChannelKind;

use crate::intake::{Chunk, Device, FrameSpan, Slot};

/// Chunks that a slow onlooker may be behind; then some are not shown.
const BEHIND_MAX: usize = 64;
/// Bits of a status that say whether the value is an alarm.
const STATUS_ALARM: u16 = 0b11 << 14;
/// Onlookers at a time.
const ONLOOKERS_MAX: usize = 4;

/// What somebody wants to see.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Ask {
    /// Only this device.
    pub device: Option<String>,
    /// With the values, which are a patient's.
    pub phi: bool,
}

/// One thing that a device said.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Shown {
    /// Version of this structure.
    pub schema: u32,
    /// Who said it.
    pub device: String,
    /// Its number.
    pub sequence: u32,
    /// `numeric`, `wave`, `alert`, `event`, `context`, `loss`, or `unreadable`.
    pub what: String,
    /// The channel's label, or its code.
    pub signal: String,
    /// What was said; left out if values are masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The unit's label, or its code.
    pub unit: String,
    /// Bits of the measurement's status.
    pub status: u16,
}

/// What an onlooker is told, a line of JSON each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Told {
    /// From now on nothing is left out.
    Following {
        /// Version of this structure.
        schema: u32,
    },
    /// The onlooker is too slow.
    Missed {
        /// Version of this structure.
        schema: u32,
        /// How many chunks of frames were left out.
        chunks: u64,
    },
    /// A device said something.
    Said(Shown),
}

/// Where onlookers hear what the line hears.
#[derive(Clone, Debug)]
pub struct Taps {
    chunks: broadcast::Sender<Arc<Chunk>>,
    looks: Arc<AtomicU64>,
}

impl Taps {
    /// Nobody looks; `looks` counts who looks at values.
    #[must_use]
    pub fn new(looks: Arc<AtomicU64>) -> Self {
        Self { chunks: broadcast::Sender::new(BEHIND_MAX), looks }
    }

    /// What the line hears.
    pub fn hear(&self, chunk: &Chunk) {
        if self.chunks.receiver_count() > 0 {
            // The last onlooker may have left just now.
            let _: Result<_, _> = self.chunks.send(Arc::new(chunk.clone()));
        }
    }

    /// Lets somebody look, unless too many do.
    #[must_use]
    pub fn look(&self, ask: &Ask) -> Option<broadcast::Receiver<Arc<Chunk>>> {
        let chunks = self.chunks.subscribe();
        if self.chunks.receiver_count() > ONLOOKERS_MAX {
            return None;
        }
        if ask.phi {
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
        Some(chunks)
    }
}

/// What of a chunk somebody sees.
#[must_use]
pub fn shown(chunk: &Chunk, ask: &Ask) -> Vec<Shown> {
    let device = chunk.device.source.device.to_string();
    if ask.device.as_ref().is_some_and(|only| *only != device) {
        return Vec::new();
    }
    let mut all: Vec<Shown> =
        chunk.frames.iter().flat_map(|frame| of_frame(chunk, frame, &device)).collect();
    if !ask.phi {
        all.iter_mut().for_each(mask);
    }
    all
}

/// Takes away what says something of a patient.
fn mask(shown: &mut Shown) {
    match shown.what.as_str() {
        "loss" | "unreadable" => return,
        // The code alone may be an arrhythmia's.
        "event" => shown.signal.clear(),
        _ => {}
    }
    shown.value = None;
    shown.status &= !STATUS_ALARM;
}

fn of_frame(chunk: &Chunk, frame: &FrameSpan, device: &str) -> Vec<Shown> {
    let base = Shown {
        schema: 1,
        device: device.to_owned(),
        sequence: frame.sequence,
        ..Shown::default()
    };
    let payload = &chunk.bytes[frame.start..frame.end];
    let said = |what: &str, signal: String, value: String| Shown {
        what: what.to_owned(),
        signal,
        value: Some(value),
        ..base.clone()
    };
    if frame.gap {
        return match SourceGap::read(payload) {
            Ok(gap) => vec![said("loss", format!("cause {}", gap.cause), gap.readings.to_string())],
            Err(error) => vec![said("unreadable", String::new(), format!("{error:?}"))],
        };
    }
    let entries = match Entries::read(payload) {
        Ok(entries) => entries,
        Err(error) => return vec![said("unreadable", String::new(), format!("{error:?}"))],
    };
    let of_entry = |entry| match entry {
        Entry::Numerics(entry) => numerics(&chunk.device, &entry, &base),
        Entry::Wave(entry) => waves(&chunk.device, &entry, &base),
        Entry::Alert(alert) => {
            let words = format!("{} {}, priority {}", alert.code, alert.text, alert.priority);
            vec![said("alert", String::new(), words)]
        }
        Entry::Event(event) => {
            vec![said("event", event.code.to_string(), event.value.to_string())]
        }
        Entry::Context(token) => {
            vec![said("context", String::new(), String::from_utf8_lossy(token).into_owned())]
        }
    };
    entries.flat_map(of_entry).collect()
}

fn numerics(device: &Device, entry: &NumericEntry<'_>, base: &Shown) -> Vec<Shown> {
    let first = usize::from(entry.channel_first);
    let channels = device.slots.iter().skip(first).map(|slot| match slot {
        Slot::Numeric(at) => device.numerics.get(*at),
        Slot::Wave(_) => None,
    });
    let shown = entry.values().zip(channels).map(|(value, channel)| {
        let (value, status) = number(value, channel);
        Shown { what: "numeric".into(), value: Some(value), status, ..of_channel(channel, base) }
    });
    shown.collect()
}

fn number(value: Value, channel: Option<&ChannelInfo>) -> (String, u16) {
    match (value, channel.map(|channel| channel.kind)) {
        (Ok(mantissa), Some(ChannelKind::Numeric { exponent })) => {
            (Decimal { mantissa, exponent }.to_string(), 0)
        }
        (Ok(mantissa), _) => (mantissa.to_string(), 0),
        (Err((Number::Is(decimal), status)), _) => (decimal.to_string(), status),
        (Err((Number::Not(absent), status)), _) => (format!("{absent:?}"), status),
    }
}

/// One line a channel: how many samples, from which to which, as the converter gave them.
fn waves(device: &Device, entry: &WaveEntry<'_>, base: &Shown) -> Vec<Shown> {
    let samples: Vec<Option<i32>> = entry.samples().collect();
    let first = usize::from(entry.channel_first);
    let of = |(at, samples): (usize, &[Option<i32>])| {
        let channel = device.slots.get(first + at).and_then(|slot| match slot {
            Slot::Wave(at) => device.waves.get(*at),
            Slot::Numeric(_) => None,
        });
        let valid = samples.iter().flatten();
        let span = valid.clone().min().zip(valid.max());
        let span = span.map_or_else(|| "none valid".into(), |(low, high)| format!("{low}..{high}"));
        let value = format!("{} samples, {span}", samples.len());
        let status = entry.status;
        Shown { what: "wave".into(), value: Some(value), status, ..of_channel(channel, base) }
    };
    samples.chunks(entry.count.max(1)).enumerate().map(of).collect()
}

fn of_channel(channel: Option<&ChannelInfo>, base: &Shown) -> Shown {
    let name = |label: &str, code: u32| {
        if label.is_empty() { format!("MDC {code}") } else { label.to_owned() }
    };
    let (signal, unit) = channel.map_or_else(Default::default, |channel| {
        (name(&channel.label, channel.code), name(&channel.unit_label, channel.unit))
    });
    Shown { signal, unit, ..base.clone() }
}
