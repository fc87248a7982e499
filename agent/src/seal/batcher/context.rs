//! Whom a device says that it is measuring: the last token of each device.

use std::collections::HashMap;

use wire::identity::DeviceId;

/// Devices whose context is kept: more than the ports of a gateway can hold at once.
const CONTEXTS_MAX: usize = 4096;

/// The last context of each device.
///
/// Invariant: at most [`CONTEXTS_MAX`]; the one that was set longest ago goes first, and its device
/// then speaks without context until it names one again.
#[derive(Default)]
pub(super) struct Contexts {
    tokens: HashMap<DeviceId, (u64, Vec<u8>)>,
    changes: u64,
}

impl Contexts {
    pub(super) fn of(&self, device: DeviceId) -> &[u8] {
        self.tokens.get(&device).map_or(&[], |(_, token)| token)
    }

    pub(super) fn set(&mut self, device: DeviceId, token: &[u8]) {
        self.changes += 1;
        if self.tokens.len() >= CONTEXTS_MAX && !self.tokens.contains_key(&device) {
            let oldest = self.tokens.iter().min_by_key(|(_, (change, _))| *change);
            if let Some(oldest) = oldest.map(|(device, _)| *device) {
                self.tokens.remove(&oldest);
            }
        }
        self.tokens.insert(device, (self.changes, token.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_that_was_heard_of_longest_ago_is_forgotten_first() {
        let mut contexts = Contexts::default();
        let devices = CONTEXTS_MAX as u64;
        (0..devices).for_each(|device| contexts.set(DeviceId(device), b"patient"));
        contexts.set(DeviceId(0), b"another");
        contexts.set(DeviceId(devices), b"newcomer");
        assert_eq!(contexts.of(DeviceId(0)), b"another");
        assert_eq!(contexts.of(DeviceId(1)), b"");
        assert_eq!(contexts.of(DeviceId(devices)), b"newcomer");
    }
}
