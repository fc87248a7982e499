//! Whom a device says that it is measuring: the last token of each device.

use std::collections::HashMap;

use wire::batch::NoteKind;
use wire::identity::{DeviceId, Lane};
use wire::reading::SOURCE_ASSOCIATION;
use wire::time::ClockState;

use super::{Batcher, Said};
use crate::intake::admission::Proof;
use crate::intake::{Device, Names};

/// Devices whose context is kept: more than the ports of a gateway can hold at once.
const CONTEXTS_MAX: usize = 4096;

/// Who says whom a device is measuring: whoever speaks in its place without its proof, or for it in
/// messages, says it of his own readings alone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Speaker {
    device: DeviceId,
    proof: Proof,
    names: Names,
}

impl Speaker {
    pub(super) fn of(device: &Device) -> Self {
        let Device { source, proof, names, .. } = device;
        Self { device: source.device, proof: *proof, names: *names }
    }
}

/// How a person at the gateway has proven itself who assigns patients: nobody asks a device.
const ASSIGNED: Proof = Proof::Unasked;

/// The last context of each speaker.
///
/// Invariant: at most [`CONTEXTS_MAX`]; the one that was set longest ago goes first, and its device
/// then speaks without context until it names one again.
#[derive(Default)]
pub(super) struct Contexts {
    tokens: HashMap<Speaker, (u64, Vec<u8>)>,
    changes: u64,
}

impl Contexts {
    fn said_by(&self, speaker: Speaker) -> &[u8] {
        self.tokens.get(&speaker).map_or(&[], |(_, token)| token)
    }

    /// Whom a speaker's readings are of: by its own word, else by a person's.
    pub(super) fn of(&self, speaker: Speaker) -> &[u8] {
        match self.said_by(speaker) {
            [] => self.said_by(Speaker { proof: ASSIGNED, names: Names::Assigned, ..speaker }),
            token => token,
        }
    }

    pub(super) fn set(&mut self, speaker: Speaker, token: &[u8]) {
        self.changes += 1;
        if self.tokens.len() >= CONTEXTS_MAX && !self.tokens.contains_key(&speaker) {
            let oldest = self.tokens.iter().min_by_key(|(_, (change, _))| *change);
            if let Some(oldest) = oldest.map(|(speaker, _)| *speaker) {
                self.tokens.remove(&oldest);
            }
        }
        self.tokens.insert(speaker, (self.changes, token.to_vec()));
    }
}

/// Under numbers of their own, from this one on: two for each change, 32 changes for each frame.
const CHANGED: i64 = 1 << 40;
const NUMBERS_OF_A_FRAME: i64 = 64;
/// Phases of an association, as those of an alert.
const BEGINS: u8 = 0;
const ENDS: u8 = 5;

impl Batcher {
    /// From now on a device measures somebody else: the old context ends with a note, and the new
    /// one begins with a note.
    pub(super) fn change_context(
        &mut self,
        said: &Said<'_>,
        time: i64,
        token: &[u8],
        clock: &ClockState,
    ) -> u64 {
        let speaker = Speaker::of(said.device);
        let token = match said.device.names {
            Names::Patients => self.patients.token_of(token),
            Names::Tokens | Names::Assigned => token.to_vec(),
        };
        let before = self.contexts.said_by(speaker).to_vec();
        if before == token {
            return 0;
        }
        let mut noted = 0;
        let number = CHANGED + said.sequence * NUMBERS_OF_A_FRAME + self.changes_of_frame;
        self.changes_of_frame = (self.changes_of_frame + 2) % NUMBERS_OF_A_FRAME;
        if !before.is_empty() {
            noted += self.associate(said, time, number, ENDS, clock);
        }
        self.contexts.set(speaker, &token);
        if !token.is_empty() {
            noted += self.associate(said, time, number + 1, BEGINS, clock);
        }
        noted
    }

    /// A note that a context begins or ends, by whose word.
    fn associate(
        &mut self,
        said: &Said<'_>,
        time: i64,
        sequence: i64,
        phase: u8,
        clock: &ClockState,
    ) -> u64 {
        let by: &str = &said.device.port;
        let by = if by.is_empty() { "the device" } else { by };
        let by: String = by.chars().take(24).collect();
        let what = NoteKind::Alert {
            code: SOURCE_ASSOCIATION,
            source: SOURCE_ASSOCIATION,
            levels: [phase, 0, 0],
            text: by,
        };
        let said = Said { sequence, payload: &[], ..*said };
        self.note(Lane::Vital, &said, Some(time), what, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(device: u64) -> Speaker {
        Speaker { device: DeviceId(device), proof: Proof::Stranger, names: Names::Patients }
    }

    #[test]
    fn the_device_that_was_heard_of_longest_ago_is_forgotten_first() {
        let mut contexts = Contexts::default();
        let devices = CONTEXTS_MAX as u64;
        (0..devices).for_each(|device| contexts.set(speaker(device), b"patient"));
        contexts.set(speaker(0), b"another");
        contexts.set(speaker(devices), b"newcomer");
        assert_eq!(contexts.of(speaker(0)), b"another");
        assert_eq!(contexts.of(speaker(1)), b"");
        assert_eq!(contexts.of(speaker(devices)), b"newcomer");
    }

    #[test]
    fn nobody_says_whom_another_one_s_device_is_measuring() {
        let mut contexts = Contexts::default();
        let own = Speaker { proof: Proof::Key, ..speaker(7) };
        contexts.set(own, b"patient");
        contexts.set(speaker(7), b"another");
        contexts.set(Speaker { names: Names::Tokens, ..own }, b"");
        assert_eq!(contexts.of(own), b"patient");
    }

    #[test]
    fn a_person_assigns_a_patient_to_a_device_that_names_none() {
        let mut contexts = Contexts::default();
        let assigned = Speaker { proof: ASSIGNED, names: Names::Assigned, ..speaker(7) };
        contexts.set(assigned, b"assigned");
        assert_eq!(contexts.of(speaker(7)), b"assigned");
        assert_eq!(contexts.of(Speaker { proof: Proof::Key, ..speaker(7) }), b"assigned");
        assert_eq!(contexts.of(speaker(8)), b"");
        contexts.set(speaker(7), b"own");
        assert_eq!(contexts.of(speaker(7)), b"own");
        contexts.set(speaker(7), b"");
        contexts.set(assigned, b"");
        assert_eq!(contexts.of(speaker(7)), b"");
    }
}
