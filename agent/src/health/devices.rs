//! Books about devices: what each gave, and whether its line is good.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::identity::DeviceId;
use wire::status::DeviceHealth;
use wire::time::MonotonicNanos;

use super::{DeviceStatus, seconds};
use crate::intake::admission::Proof;
use crate::intake::{Device, Names};

/// Devices that are kept in the books; of more, nothing is said.
const DEVICES_MAX: usize = 1024;
/// Device minutes in one report.
const MINUTES_MAX: usize = 1024;
const MINUTE_NS: u64 = 60_000_000_000;

/// Books about all devices.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    books: BTreeMap<DeviceId, Books>,
    minutes: Vec<DeviceHealth>,
}

#[derive(Clone, Debug, Default)]
struct Books {
    model: String,
    firmware: String,
    port: Arc<str>,
    proof: Proof,
    last: MonotonicNanos,
    accepted: u64,
    link_errors: u64,
    minute: u64,
    in_minute: u64,
    errors_in_minute: u64,
    /// Whether a report has named it.
    is_named: bool,
}

impl Books {
    /// What it gave in its minute so far and is not told yet, if it gave anything.
    fn minute_so_far(&mut self, device: DeviceId) -> Option<DeviceHealth> {
        (self.in_minute + self.errors_in_minute > 0).then(|| {
            self.is_named = true;
            DeviceHealth {
                device,
                minute: self.minute,
                accepted: std::mem::take(&mut self.in_minute),
                lost: (0, std::mem::take(&mut self.errors_in_minute)),
            }
        })
    }
}

impl Devices {
    /// A device said something.
    pub fn heard(&mut self, device: &Device, accepted: u64, errors: u64, now: MonotonicNanos) {
        let id = device.source.device;
        // A person at the gateway has spoken of it.
        if device.names == Names::Assigned {
            return;
        }
        if self.books.len() >= DEVICES_MAX && !self.books.contains_key(&id) {
            return;
        }
        let books = self.books.entry(id).or_default();
        if books.model != device.model || books.firmware != device.firmware {
            books.model.clone_from(&device.model);
            books.firmware.clone_from(&device.firmware);
        }
        if !Arc::ptr_eq(&books.port, &device.port) {
            books.port = device.port.clone();
        }
        books.proof = device.proof;
        let minute = now.0 / MINUTE_NS;
        if books.minute != minute {
            self.minutes.extend(books.minute_so_far(id));
        }
        books.minute = minute;
        books.last = now;
        books.accepted += accepted;
        books.in_minute += accepted;
        books.link_errors += errors;
        books.errors_in_minute += errors;
    }

    /// A frame of a device contradicted its hello.
    pub fn refused_frame(&mut self, device: DeviceId) {
        if let Some(books) = self.books.get_mut(&device) {
            books.link_errors += 1;
            books.errors_in_minute += 1;
        }
    }

    /// Minutes that have ended, and new devices, which do not wait for theirs to end.
    pub(super) fn take_minutes(&mut self) -> Vec<DeviceHealth> {
        let new = self.books.iter_mut().filter(|(_, books)| !books.is_named);
        let new = new.filter_map(|(id, books)| books.minute_so_far(*id));
        let mut minutes: Vec<_> = new.chain(std::mem::take(&mut self.minutes)).collect();
        self.minutes = minutes.split_off(minutes.len().min(MINUTES_MAX));
        minutes
    }

    /// Link frames of all devices that did not check.
    pub(super) fn link_errors(&self) -> u64 {
        self.books.values().map(|books| books.link_errors).sum()
    }

    pub(super) fn statuses(&self, now: MonotonicNanos) -> Vec<DeviceStatus> {
        let statuses = self.books.iter().map(|(id, books)| DeviceStatus {
            device: id.to_string(),
            model: books.model.clone(),
            firmware: books.firmware.clone(),
            proof: books.proof.word().into(),
            port: books.port.to_string(),
            age_s: seconds(books.last, now),
            accepted: books.accepted,
            link_errors: books.link_errors,
        });
        statuses.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::itself;
    use super::*;

    #[test]
    fn a_new_device_is_named_at_once_and_its_minutes_add_up() {
        let second = |seconds: u64| MonotonicNanos(seconds * 1_000_000_000);
        let speaker = itself();
        let of = |minute, accepted, errors| DeviceHealth {
            device: speaker.source.device,
            minute,
            accepted,
            lost: (0, errors),
        };
        let mut devices = Devices::default();
        devices.heard(&speaker, 3, 0, second(1));
        assert_eq!(devices.take_minutes(), [of(0, 3, 0)]);
        devices.heard(&speaker, 2, 1, second(59));
        assert_eq!(devices.take_minutes(), []);
        devices.heard(&speaker, 1, 0, second(61));
        assert_eq!(devices.take_minutes(), [of(0, 2, 1)]);
        devices.heard(&speaker, 1, 0, second(121));
        assert_eq!(devices.take_minutes(), [of(1, 1, 0)]);
    }
}
