//! From what a message says to link frames of its devices, as if they spoke themselves.

use std::collections::HashMap;
use std::sync::Arc;

use wire::batch::{ChannelInfo, Source};
use wire::decimal::Number;
use wire::identity::{DeviceId, SourceBoot};
use wire::limits::LINK_PAYLOAD_BYTES_MAX;
use wire::link::{DataWriter, Value};
use wire::reading::{Alert, ChannelKind, Code, SOURCE_WORDS, Status};
use wire::strict::Room;
use wire::time::DeviceClock;

use super::identity::beginning;
use super::observe::{Item, System, What};
use super::time::TICK_EXPONENT;
use crate::intake::admission::Proof;
use crate::intake::patients::Patients;
use crate::intake::ticks::AGE_MAX_NS;
use crate::intake::{Device, Names, Registry, Slot};

/// Longest text of one note, bytes.
const TEXT_BYTES_MAX: usize = 96;
/// Channel lists that are kept of one device: more than it has kinds of message.
const SHAPES_MAX: usize = 8;
/// Devices whose channel lists are kept.
const CAST_MAX: usize = 4096;

/// One tick of HL7's times.
const TICK_NS: u64 = 10u64.pow(TICK_EXPONENT as u32);

/// What a device is known by.
type Who = (DeviceId, DeviceClock, u8, Proof);

/// The devices of messages, each kept as long as it says the same channels.
pub struct Cast {
    registry: Registry,
    patients: Patients,
    run: u32,
    known: HashMap<Who, Vec<Arc<Device>>>,
}

impl Cast {
    /// Nobody yet, in the run of this number.
    #[must_use]
    pub fn new(registry: Registry, patients: Patients, run: u32) -> Self {
        Self { registry, patients, run, known: HashMap::new() }
    }

    /// The token of whom a system is measuring; empty for none.
    #[must_use]
    pub fn context(&self, system: &System) -> Vec<u8> {
        let named = system.patient.as_ref();
        named
            .map(|patient| self.patients.token(&patient.authority, &patient.id))
            .unwrap_or_default()
    }

    /// The device that a system is, in one run.
    pub fn device(
        &mut self,
        system: &System,
        (port, proof): (&Arc<str>, Proof),
        run: u32,
    ) -> Arc<Device> {
        let channels = channels(system);
        let who = (system.identity.device, system.clock, system.mode as u8, proof);
        let known = self.known.get(&who).filter(|_| run >> 1 == self.run);
        let same = known.and_then(|all| all.iter().find(|device| covers(device, &channels)));
        if let Some(device) = same {
            return device.clone();
        }
        let device = Arc::new(self.introduce(system, channels, (port, proof), run));
        if run >> 1 == self.run {
            if self.known.len() >= CAST_MAX {
                self.known.clear();
            }
            let all = self.known.entry(who).or_default();
            if all.len() >= SHAPES_MAX {
                all.remove(0);
            }
            all.push(device.clone());
        }
        device
    }

    fn introduce(
        &self,
        system: &System,
        channels: Vec<ChannelInfo>,
        (port, proof): (&Arc<str>, Proof),
        run: u32,
    ) -> Device {
        let source = Source {
            device: system.identity.device,
            boot: SourceBoot(run),
            clock: system.clock,
            tick_exponent: TICK_EXPONENT,
            mode: system.mode,
        };
        Device {
            proof,
            port: port.clone(),
            model: system.identity.model.clone(),
            slots: (0..channels.len()).map(Slot::Numeric).collect(),
            numerics: self.registry.intern(channels),
            names: Names::Tokens,
            ..Device::silent(source)
        }
    }
}

/// Whether two channels are one, whatever their precision.
fn is_same(a: &ChannelInfo, b: &ChannelInfo) -> bool {
    (a.code, a.unit, &a.label, &a.unit_label) == (b.code, b.unit, &b.label, &b.unit_label)
}

/// Also with the same precision: what stands in a frame must depend on its message alone, so that
/// one that comes again after a restart is the same.
fn covers(device: &Device, channels: &[ChannelInfo]) -> bool {
    device.numerics.as_slice() == channels
}

/// The channels of a system in their order, with the precision of the first number.
fn channels(system: &System) -> Vec<ChannelInfo> {
    let mut channels: Vec<ChannelInfo> = Vec::new();
    for item in &system.items {
        let What::Number(channel, number, _) = &item.what else { continue };
        if !channels.iter().any(|known| is_same(known, channel)) {
            let exponent = match number {
                Number::Is(decimal) => decimal.exponent,
                Number::Not(_) => 0,
            };
            channels
                .push(ChannelInfo { kind: ChannelKind::Numeric { exponent }, ..channel.clone() });
        }
    }
    channels
}

/// One entry of a frame.
#[derive(Clone, Debug)]
pub(super) enum Line<'a> {
    Numbers(u16, Vec<(Number, Status)>),
    Words(Code, Code, [u8; 3], &'a str),
}

/// What stands in each frame: a time, and entries that fit together.
///
/// The same for the same bytes, whatever is known of the device: how many frames a message takes
/// must not depend on anything else.
pub(super) fn frames(system: &System) -> Vec<(i64, Vec<Line<'_>>)> {
    let channels = channels(system);
    let mut frames: Vec<(i64, Vec<Line<'_>>)> = Vec::new();
    for item in &system.items {
        for line in lines(item, &channels) {
            let bytes = line.bytes_max();
            let fits = |frame: &(i64, Vec<Line<'_>>)| {
                let used: usize = frame.1.iter().map(Line::bytes_max).sum();
                frame.0 == item.ticks && frame.1.len() < ENTRIES_MAX && used + bytes <= ROOM_BYTES
            };
            if !frames.last().is_some_and(fits) {
                frames.push((item.ticks, Vec::new()));
            }
            let Some((_, entries)) = frames.last_mut() else { continue };
            match (entries.last_mut(), line) {
                (Some(Line::Numbers(first, numbers)), Line::Numbers(at, more))
                    if usize::from(*first) + numbers.len() == usize::from(at) =>
                {
                    numbers.extend(more);
                }
                (_, line) => entries.push(line),
            }
        }
    }
    frames
}

/// Entries of one frame: its context comes before them.
const ENTRIES_MAX: usize = 22;
/// Bytes that entries may take in a frame, beside its head, its time and a context of 32 bytes.
const ROOM_BYTES: usize = wire::limits::LINK_TEXT_BYTES_MAX - 11 - 40;

impl Line<'_> {
    /// Most bytes that it takes.
    fn bytes_max(&self) -> usize {
        match self {
            // Head, then of each a head, nine bytes of digits, two of exponent, three of status.
            Self::Numbers(_, numbers) => 6 + numbers.len() * 15,
            Self::Words(_, _, _, text) => 24 + text.len(),
        }
    }
}

fn lines<'a>(item: &'a Item, channels: &[ChannelInfo]) -> Vec<Line<'a>> {
    match &item.what {
        What::Number(channel, number, status) => {
            let at = channels.iter().position(|known| is_same(known, channel)).unwrap_or(0);
            vec![Line::Numbers(at as u16, vec![(*number, *status)])]
        }
        What::Words(code, text) => words(*code, text),
        What::Alert(code, source, levels, text) => {
            let head = beginning(text, TEXT_BYTES_MAX);
            let alert = Line::Words(*code, *source, *levels, head);
            let rest = &text[head.len()..];
            let rest = if rest.is_empty() { Vec::new() } else { words(*code, rest) };
            std::iter::once(alert).chain(rest).collect()
        }
    }
}

/// Words in pieces that fit a note each.
fn words(code: Code, mut text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    loop {
        let piece = beginning(text, TEXT_BYTES_MAX);
        lines.push(Line::Words(code, SOURCE_WORDS, [0, 0, 0], piece));
        text = &text[piece.len()..];
        if text.is_empty() {
            return lines;
        }
    }
}

/// How long before its sender's present time something was, nanoseconds, if that dates it.
fn age_ns(system: &System, ticks: i64) -> u64 {
    let ago = system.present.map_or(0, |present| present.saturating_sub(ticks));
    u64::try_from(ago).unwrap_or(0).saturating_mul(TICK_NS).min(AGE_MAX_NS)
}

/// The payloads of a system's frames, in order, and how old each is.
pub(super) fn payloads(
    system: &System,
    device: &Device,
    context: &[u8],
) -> Vec<(u64, Room<LINK_PAYLOAD_BYTES_MAX>)> {
    let mut all = Vec::new();
    for (ticks, entries) in frames(system) {
        let mut writer = DataWriter::new(ticks);
        let mut fits = writer.context(context);
        for entry in entries {
            fits &= match entry {
                Line::Numbers(first, numbers) => {
                    let of = &device.numerics[usize::from(first)..];
                    let values: Vec<Value> =
                        numbers.iter().zip(of).map(|(number, of)| value(*number, of)).collect();
                    writer.numerics(first, &values)
                }
                Line::Words(code, source, [phase, state, priority], text) => {
                    writer.alert(&Alert { code, source, phase, state, priority, text })
                }
            };
        }
        debug_assert!(fits, "a frame holds what was counted into it");
        all.push((age_ns(system, ticks), writer.finish()));
    }
    all
}

fn value((number, status): (Number, Status), channel: &ChannelInfo) -> Value {
    match (number, channel.kind) {
        (Number::Is(decimal), ChannelKind::Numeric { exponent })
            if status == 0 && decimal.exponent == exponent =>
        {
            Ok(decimal.mantissa)
        }
        (number, _) => Err((number, status)),
    }
}

#[cfg(test)]
mod tests;
