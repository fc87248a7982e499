//! What a gateway says about itself: the sealed health report, and the signed status hint.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::FORMAT_VERSION;
use crate::identity::{BootId, DeviceId, Lane, RecordHash, SegmentId};
use crate::limits::COMMAND_BYTES_MAX;
use crate::signed::canonical;
use crate::signed::{Purpose, SignatureError, sign, verify};
use crate::strict::StrictError;

/// Where a lane's chain stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LaneHealth {
    /// Lane.
    pub lane: Lane,
    /// Newest durable record: segment, index, signed part.
    pub head: Option<(SegmentId, u32, RecordHash)>,
    /// Oldest record without a receipt.
    pub oldest_unreceipted: Option<(SegmentId, u32)>,
    /// Lane sequence of the next reading.
    pub sequence_next: u64,
    /// Bytes without a receipt.
    pub backlog_bytes: u64,
    /// Readings inside gaps since this medium was first used.
    pub gap_readings: u64,
}

/// What one device gave in one minute, or in a part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceHealth {
    /// Device.
    pub device: DeviceId,
    /// Minute of the gateway's monotonic clock.
    pub minute: u64,
    /// Readings accepted.
    pub accepted: u64,
    /// Readings the device says it lost, and link frames that did not check.
    pub lost: (u64, u64),
}

/// The gateway's report; no patient data, sealed to the fleet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HealthReport {
    /// One a lane.
    pub lanes: Vec<LaneHealth>,
    /// One a device and minute that ended since the last report, and one of each new device.
    pub devices: Vec<DeviceHealth>,
    /// Numbered counters, an open list; see `FORMAT.md`.
    pub counters: Vec<(u16, u64)>,
    /// Version of the agent.
    pub software: String,
}

/// Numbers of the counters in a [`HealthReport`].
pub mod counter {
    /// Seconds since the agent started.
    pub const UPTIME_SECONDS: u16 = 1;
    /// Connections that were made to the broker.
    pub const CONNECTS: u16 = 2;
    /// Times the client was rebuilt because receipts stalled.
    pub const REBUILDS: u16 = 3;
    /// Age of the oldest record without a receipt, seconds.
    pub const UNRECEIPTED_SECONDS: u16 = 4;
    /// Bytes that the buffer has written.
    pub const BYTES_WRITTEN: u16 = 5;
    /// Bytes that the buffer may still write before it evicts.
    pub const BYTES_FREE: u16 = 6;
    /// Longest `fdatasync` since the last report, microseconds.
    pub const SYNC_MICROS_MAX: u16 = 7;
    /// Receipts that were refused.
    pub const RECEIPTS_REFUSED: u16 = 8;
    /// Records that the sink refused.
    pub const RECORDS_REFUSED: u16 = 9;
    /// Segments that were poisoned by a failed sync.
    pub const SEGMENTS_POISONED: u16 = 10;
    /// Link frames with a bad checksum or shape.
    pub const LINK_ERRORS: u16 = 11;
    /// Resident memory, bytes.
    pub const MEMORY_BYTES: u16 = 12;
    /// Records that are larger than the present broker takes, and wait for another.
    pub const RECORDS_PARKED: u16 = 13;
    /// What is wrong at the gateway, one bit each; see [`super::alarm`].
    pub const ALARMS: u16 = 14;
    /// Hottest part of the machine, thousandths of a kelvin.
    pub const TEMPERATURE_MILLIKELVIN: u16 = 15;
    /// What the machine says of its supply and speed, one bit each; see [`super::supply`].
    pub const SUPPLY: u16 = 16;
    /// Used part of the medium's life by its own account, percent; above 100 it is used up.
    pub const WEAR_PERCENT: u16 = 17;
    /// Memory that programs may still have, bytes.
    pub const MEMORY_AVAILABLE: u16 = 18;
    /// Free bytes of the buffer's file system.
    pub const DISK_FREE: u16 = 19;
    /// Why the agent was started; see [`super::Start`].
    pub const START: u16 = 20;
    /// Seconds until the gateway's certificate expires; 0 if it has.
    pub const CERTIFICATE_SECONDS: u16 = 21;
    /// Seconds until the keyring expires; 0 if it has.
    pub const KEYRING_SECONDS: u16 = 22;
    /// Seconds since the machine was started.
    pub const MACHINE_SECONDS: u16 = 23;
    /// Looks at values at the gateway itself since the report before.
    pub const LOOKS: u16 = 24;
    /// Version of the root's part of the keyring in force.
    pub const KEYRING_ROOT: u16 = 25;
    /// Version of the fleet's part.
    pub const KEYRING_FLEET: u16 = 26;
    /// Keyrings that were refused: old ones, or such that no root of ours has signed.
    pub const KEYRINGS_REFUSED: u16 = 27;
}

/// Bits of [`counter::SUPPLY`].
pub mod supply {
    /// The supply's voltage is too low.
    pub const LOW_VOLTAGE: u8 = 0;
    /// The processor is slowed down, for its heat or its supply.
    pub const SLOWED: u8 = 1;
}

/// Why an agent was started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Start {
    /// It never ran on this medium, or nobody remembers.
    First = 1,
    /// It was stopped before.
    Stopped = 2,
    /// It ended without being stopped; the machine ran on.
    Ended = 3,
    /// The machine was shut down before.
    Shutdown = 4,
    /// The machine lost its power, or was reset.
    PowerLost = 5,
    /// The machine's watchdog has reset it.
    Watchdog = 6,
}

impl Start {
    const ALL: [Self; 6] =
        [Self::First, Self::Stopped, Self::Ended, Self::Shutdown, Self::PowerLost, Self::Watchdog];

    /// The reason of a number, if it is known.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|start| *start as u64 == number)
    }

    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::First => "first start on this medium",
            Self::Stopped => "it was stopped before",
            Self::Ended => "it ended without being stopped",
            Self::Shutdown => "the machine was shut down before",
            Self::PowerLost => "the machine lost its power or was reset",
            Self::Watchdog => "the machine's watchdog has reset it",
        }
    }
}

/// Bits of [`counter::ALARMS`]. A link that is away cannot be reported, and has no bit.
pub mod alarm {
    /// Nothing can be stored.
    pub const STORAGE: u8 = 0;
    /// Keys are missing.
    pub const KEYS: u8 = 1;
    /// The configuration is wrong and the last good one is used.
    pub const CONFIG: u8 = 2;
    /// One of two copies was damaged.
    pub const MENDED: u8 = 3;
    /// The keyring expires.
    pub const KEYRING: u8 = 4;
    /// The gateway's certificate expires.
    pub const CERTIFICATE: u8 = 5;
    /// A device that is not known here speaks, and is not taken.
    pub const STRANGER: u8 = 6;
    /// A device says more than it may, and is slowed down.
    pub const BABBLE: u8 = 7;
    /// An HL7 message is not taken.
    pub const MESSAGES: u8 = 8;
    /// Each bit in words.
    pub const NAMES: [(u8, &str); 9] = [
        (STORAGE, "nothing can be stored"),
        (KEYS, "keys are missing"),
        (CONFIG, "the configuration is wrong"),
        (MENDED, "one of two copies was damaged"),
        (KEYRING, "the keyring expires"),
        (CERTIFICATE, "the certificate expires"),
        (STRANGER, "a device that is not known speaks"),
        (BABBLE, "a device says more than it may"),
        (MESSAGES, "an HL7 message is not taken"),
    ];
}

type HeadWire = (ByteArray<16>, u32, ByteArray<32>);

#[derive(Serialize, Deserialize)]
struct LaneWire(u8, Option<HeadWire>, Option<(ByteArray<16>, u32)>, u64, u64, u64);

#[derive(Serialize, Deserialize)]
struct DeviceWire(u64, u64, u64, u64, u64);

#[derive(Serialize, Deserialize)]
struct ReportWire(u8, Vec<LaneWire>, Vec<DeviceWire>, Vec<(u16, u64)>, String);

impl HealthReport {
    /// A counter of [`counter`]; 0 if the gateway does not say it.
    #[must_use]
    pub fn counter(&self, number: u16) -> u64 {
        self.said(number).unwrap_or(0)
    }

    /// The same, if the gateway says it.
    #[must_use]
    pub fn said(&self, number: u16) -> Option<u64> {
        self.counters.iter().find(|(of, _)| *of == number).map(|(_, value)| *value)
    }

    /// As strict CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let lane = |lane: &LaneHealth| {
            LaneWire(
                lane.lane as u8,
                lane.head.map(|(id, index, hash)| (id.0.into(), index, hash.0.into())),
                lane.oldest_unreceipted.map(|(id, index)| (id.0.into(), index)),
                lane.sequence_next,
                lane.backlog_bytes,
                lane.gap_readings,
            )
        };
        let device =
            |d: &DeviceHealth| DeviceWire(d.device.0, d.minute, d.accepted, d.lost.0, d.lost.1);
        let wire = ReportWire(
            FORMAT_VERSION,
            self.lanes.iter().map(lane).collect(),
            self.devices.iter().map(device).collect(),
            self.counters.clone(),
            self.software.clone(),
        );
        serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode")
    }

    /// From strict CBOR.
    ///
    /// # Errors
    /// [`StrictError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StrictError> {
        let wrong = StrictError::Unexpected;
        let wire: ReportWire = canonical(bytes).map_err(|_| wrong)?;
        if wire.0 != FORMAT_VERSION {
            return Err(wrong);
        }
        let lane = |l: LaneWire| {
            Some(LaneHealth {
                lane: Lane::from_number(l.0.into())?,
                head: l.1.map(|(id, index, hash)| (SegmentId(*id), index, RecordHash(*hash))),
                oldest_unreceipted: l.2.map(|(id, index)| (SegmentId(*id), index)),
                sequence_next: l.3,
                backlog_bytes: l.4,
                gap_readings: l.5,
            })
        };
        let device = |d: DeviceWire| DeviceHealth {
            device: DeviceId(d.0),
            minute: d.1,
            accepted: d.2,
            lost: (d.3, d.4),
        };
        let lanes: Option<Vec<_>> = wire.1.into_iter().map(lane).collect();
        Ok(Self {
            lanes: lanes.ok_or(wrong)?,
            devices: wire.2.into_iter().map(device).collect(),
            counters: wire.3,
            software: wire.4,
        })
    }
}

/// A hint for people who watch the broker; silence is judged by health frames, never by this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// The gateway's boot.
    pub boot: BootId,
    /// Starts of the agent on this medium.
    pub start_count: u64,
    /// Whether it is connected; the last will says `false`.
    pub online: bool,
}

#[derive(Serialize, Deserialize)]
struct StatusWire(u8, ByteArray<16>, u64, bool);

impl Status {
    /// Signs it; the last will is signed beforehand.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let wire = StatusWire(FORMAT_VERSION, self.boot.0.into(), self.start_count, self.online);
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::Status, payload)
    }

    /// Reads a status that the gateway has signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, SignatureError> {
        let wrong = SignatureError::Shape(StrictError::Unexpected);
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(wrong);
        }
        let payload = verify(key, Purpose::Status, bytes)?;
        let wire: StatusWire = canonical(payload).map_err(|_| wrong)?;
        if wire.0 != FORMAT_VERSION {
            return Err(wrong);
        }
        Ok(Self { boot: BootId(*wire.1), start_count: wire.2, online: wire.3 })
    }
}
