//! The state of a gateway on one screen, for people and for programs on the same machine.

use serde::{Deserialize, Serialize};

use super::host::Machine;

/// The whole state of a gateway on one screen; what `wardline status --json` prints.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Status {
    /// Version of this structure.
    pub schema: u32,
    /// Gateway.
    pub gateway: String,
    /// Version of the agent.
    pub software: String,
    /// Whether the broker has taken us.
    pub connected: bool,
    /// Seconds since the agent started.
    pub uptime_s: u64,
    /// Why it was started.
    pub started: Option<String>,
    /// The machine under it.
    pub machine: Machine,
    /// Days until our certificate expires; less than 0 if it has.
    pub certificate_days: Option<i64>,
    /// The same of the keyring.
    pub keyring_days: Option<i64>,
    /// Where the private keys are.
    #[serde(default)]
    pub keys: Vec<KeyStatus>,
    /// How far the clock may be off, microseconds; none if the time is not known.
    pub clock_error_us: Option<u64>,
    /// Connections made.
    pub connects: u64,
    /// Clients rebuilt because receipts stalled.
    pub rebuilds: u64,
    /// Seconds since the last receipt, if one came.
    pub receipt_age_s: Option<u64>,
    /// Age of the oldest record without a receipt, seconds.
    pub unreceipted_age_s: u64,
    /// Whether nothing can be stored, so that devices are held back and keep what they have.
    pub held_back: bool,
    /// What is wrong and what to do, worst first.
    pub alarms: Vec<String>,
    /// Bytes without a receipt.
    pub backlog_bytes: u64,
    /// Bytes until something is evicted.
    pub room_bytes: u64,
    /// Readings accepted since the start.
    pub readings_accepted: u64,
    /// Records published since the start.
    pub published: u64,
    /// Bytes handed to the disk since the start.
    pub bytes_written: u64,
    /// Bytes of sealed records since the start.
    pub bytes_sealed: u64,
    /// Longest sync of the last report period, milliseconds.
    pub sync_ms_max: u64,
    /// Segments lost to a failed sync.
    pub segments_poisoned: u64,
    /// Receipts that were refused.
    pub receipts_refused: u64,
    /// Records that the sink refused.
    pub records_refused: u64,
    /// Records that are larger than the present broker takes, and wait for another.
    pub records_parked: u64,
    /// Lanes.
    pub lanes: Vec<LaneStatus>,
    /// Devices.
    pub devices: Vec<DeviceStatus>,
}

/// One private key.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyStatus {
    /// The name of its file.
    pub key: String,
    /// `file` with its mode, `systemd credential`, or `missing` and what that means.
    pub place: String,
}

/// One lane.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct LaneStatus {
    /// Its name.
    pub lane: String,
    /// Lane sequence of the next reading.
    pub sequence_next: u64,
    /// Bytes without a receipt.
    pub backlog_bytes: u64,
    /// Readings inside gaps.
    pub gap_readings: u64,
}

/// One device.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct DeviceStatus {
    /// Its EUI-64.
    pub device: String,
    /// Maker, model, version, as it says.
    #[serde(default)]
    pub model: String,
    /// Version of its firmware; empty if it does not say it.
    #[serde(default)]
    pub firmware: String,
    /// `proven` by its key, or `stranger`.
    #[serde(default)]
    pub proof: String,
    /// Where it speaks.
    #[serde(default)]
    pub port: String,
    /// Seconds since it last said something.
    pub age_s: u64,
    /// Readings accepted since the start.
    pub accepted: u64,
    /// Link frames that did not check.
    pub link_errors: u64,
}
