//! Past: the last run of each device, kept over restarts, so that what a device held when it lost
//! its power can be declared.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use wire::identity::DeviceId;

/// What a device said of its run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// The run.
    pub boot: u32,
    /// Whether each run's number is one more than that of the run before.
    pub is_counted: bool,
    /// Most readings that the device holds.
    pub capacity: u64,
    /// Whether the device holds its key: who does is forgotten last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_key: bool,
}

/// The last runs of devices, at most 4,096; who has no key and was heard of longest ago goes first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    lasts: HashMap<DeviceId, (u64, Last)>,
    changes: u64,
    is_changed: bool,
}

/// Devices that are remembered: ten times what one gateway can have.
const DEVICES_MAX: usize = 4096;
/// Runs that nobody heard are counted up to here; further apart, a device's numbers were set anew.
const RUNS_MAX: u32 = 1000;

/// The file, newest last.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    schema: u32,
    #[serde(default)]
    device: Vec<KeptDevice>,
}

#[derive(Serialize, Deserialize)]
struct KeptDevice {
    eui: String,
    #[serde(flatten)]
    last: Last,
}

impl Past {
    /// The last run of a device.
    #[must_use]
    pub fn of(&self, device: DeviceId) -> Option<Last> {
        self.lasts.get(&device).map(|(_, last)| *last)
    }

    /// A device's last run is this one; the first word about a run stands.
    pub fn set(&mut self, device: DeviceId, last: Last) {
        self.changes += 1;
        if let Some((change, known)) = self.lasts.get_mut(&device)
            && known.boot == last.boot
            && (known.capacity > 0 || last.capacity == 0)
        {
            // Who is heard is not forgotten.
            *change = self.changes;
            return;
        }
        self.is_changed = true;
        self.lasts.insert(device, (self.changes, last));
        if self.lasts.len() > DEVICES_MAX {
            let oldest =
                self.lasts.iter().min_by_key(|(_, (change, last))| (last.has_key, *change));
            let oldest = oldest.map(|(device, _)| *device);
            if let Some(device) = oldest.filter(|device| self.lasts.remove(device).is_some()) {
                tracing::error!(%device, "too many devices: the last run of one is forgotten");
            }
        }
    }

    /// Whether there is something to be kept.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// It was kept.
    pub const fn is_kept(&mut self) {
        self.is_changed = false;
    }

    /// As it was kept.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let kept: Kept = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut past = Self::default();
        for KeptDevice { eui, last } in kept.device {
            let device = DeviceId::parse(&eui).ok_or_else(|| format!("{eui} is no EUI-64"))?;
            past.set(device, last);
        }
        past.is_changed = false;
        Ok(past)
    }

    /// To be kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut lasts: Vec<_> = self.lasts.iter().collect();
        lasts.sort_by_key(|(_, (change, _))| *change);
        let device = lasts
            .into_iter()
            .map(|(device, (_, last))| KeptDevice { eui: device.to_string(), last: *last });
        toml::to_string(&Kept { schema: 1, device: device.collect() }).unwrap_or_default()
    }
}

impl Last {
    /// How many runs ended when the device comes back with this one: itself, and those that nobody
    /// heard, which may have taken readings, too.
    #[must_use]
    pub fn runs_to(&self, next: &Self) -> u32 {
        let apart = next.boot.wrapping_sub(self.boot);
        let is_counted = self.is_counted && next.is_counted && (1..=RUNS_MAX).contains(&apart);
        if is_counted { apart } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(boot: u32) -> Last {
        Last { boot, is_counted: true, capacity: 64, has_key: false }
    }

    #[test]
    fn runs_that_nobody_heard_are_counted() {
        assert_eq!([8, 10].map(|boot| run(7).runs_to(&run(boot))), [1, 3]);
        assert_eq!(run(u32::MAX).runs_to(&run(1)), 2);
        let random = Last { is_counted: false, ..run(9000) };
        assert_eq!((random.runs_to(&run(9005)), run(7).runs_to(&random)), (1, 1));
        assert_eq!(run(7).runs_to(&run(2)), 1, "numbers were set anew");
    }

    #[test]
    fn what_is_kept_is_what_is_read() {
        let mut past = Past::default();
        assert!(!past.is_changed());
        (1..=3).for_each(|number| past.set(DeviceId(number), run(number as u32)));
        past.set(DeviceId(1), run(9));
        let read = Past::read(past.write().as_bytes()).unwrap();
        assert_eq!([1, 2, 3].map(|n| read.of(DeviceId(n))), [9, 2, 3].map(|boot| Some(run(boot))));
        assert_eq!((past.is_changed(), read.is_changed()), (true, false));
        assert!(Past::read(b"schema = 1\n[[device]]\neui = \"x\"").is_err());
        assert!(Past::read(&[0xFF]).is_err());
    }

    #[test]
    fn who_was_heard_of_longest_ago_is_forgotten_first() {
        let mut past = Past::default();
        (0..=DEVICES_MAX as u64).for_each(|number| past.set(DeviceId(number), run(1)));
        assert_eq!((past.of(DeviceId(0)), past.lasts.len()), (None, DEVICES_MAX));
        let proven = Last { has_key: true, ..run(2) };
        past.set(DeviceId(1), proven);
        (5_000..10_000).for_each(|number| past.set(DeviceId(number), run(1)));
        assert_eq!(past.of(DeviceId(1)), Some(proven));
    }
}
