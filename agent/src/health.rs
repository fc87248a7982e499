//! Health: what clinical engineering sees of the gateway, without any patient data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use wire::batch::Source;
use wire::identity::{DeviceId, GatewayId, Lane, SourceBoot};
use wire::reading::Mode;
use wire::status::HealthReport;
use wire::status::counter::{self, CERTIFICATE_SECONDS, KEYRING_SECONDS};
use wire::time::{ClockState, DeviceClock, MonotonicNanos, UnixNanos};

use crate::buffer::Buffer;
use crate::buffer::disk::Disk;
use crate::intake::Device;
use crate::intake::complaints::{Complaint, Complaints};
use crate::seal::Sealer;
use crate::seal::batcher::Batcher;
use crate::uplink::machine::Uplink;
use host::{Host, Machine};

mod alarm;

mod devices;

pub mod host;

pub mod metrics;

mod status;

pub mod watchdog;

pub use alarm::Alarm;
pub use devices::Devices;
pub use status::{DeviceStatus, KeyStatus, LaneStatus, Status};

/// When things expire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// Our certificate.
    pub certificate: Option<UnixNanos>,
    /// The keyring.
    pub keyring: Option<UnixNanos>,
}

/// Books about devices and the line; reports them.
pub struct Health {
    gateway: GatewayId,
    device: Arc<Device>,
    started: MonotonicNanos,
    interval: Duration,
    reported: Option<MonotonicNanos>,
    shown: Option<MonotonicNanos>,
    receipt: Option<MonotonicNanos>,
    /// What is known of devices.
    pub devices: Devices,
    complaints: Complaints,
    sync_max: Duration,
    sync_shown: Duration,
    receipts_refused: u64,
    keyrings_refused: u64,
    keyring: (u64, u64),
    alarms: BTreeMap<Alarm, Vec<String>>,
    memory: fn() -> u64,
    looks: Arc<AtomicU64>,
    looks_reported: u64,
    host: Option<Host>,
    machine: Machine,
    looked: Option<MonotonicNanos>,
    ends: Ends,
    keys: Vec<KeyStatus>,
    screen: watch::Sender<String>,
}

/// Between two looks at the machine: some ask the firmware.
const MACHINE_PAUSE: Duration = Duration::from_secs(15);
/// A look at values is reported at once, but no card is worn out by it.
const LOOKS_PAUSE: Duration = Duration::from_secs(1);

impl Health {
    /// Empty books.
    #[must_use]
    pub fn new(gateway: GatewayId, interval: Duration, started: MonotonicNanos) -> Self {
        Self {
            gateway,
            device: itself(),
            started,
            interval,
            reported: None,
            shown: None,
            receipt: None,
            devices: Devices::default(),
            complaints: Complaints::default(),
            sync_max: Duration::ZERO,
            sync_shown: Duration::ZERO,
            receipts_refused: 0,
            keyrings_refused: 0,
            keyring: (0, 0),
            alarms: BTreeMap::new(),
            memory: resident_bytes,
            looks: Arc::default(),
            looks_reported: 0,
            host: None,
            machine: Machine::default(),
            looked: None,
            ends: Ends::default(),
            keys: Vec::new(),
            screen: watch::Sender::new(String::new()),
        }
    }

    /// The same with another way to ask for its memory.
    #[must_use]
    pub fn with_memory(self, memory: fn() -> u64) -> Self {
        Self { memory, ..self }
    }

    /// The same on a machine that says how it is.
    #[must_use]
    pub fn on(self, host: Host) -> Self {
        Self { host: Some(host), ..self }
    }

    /// The same with what intake complains of.
    #[must_use]
    pub fn hearing(self, complaints: Complaints) -> Self {
        Self { complaints, ..self }
    }

    /// When our certificate and the keyring end, as far as it is known.
    pub fn ends(&mut self, ends: Ends) {
        self.ends = ends;
    }

    /// Where our private keys are.
    pub fn keys(&mut self, keys: Vec<KeyStatus>) {
        self.keys = keys;
    }

    /// Where the status can be read at any time.
    #[must_use]
    pub fn screen(&self) -> watch::Receiver<String> {
        self.screen.subscribe()
    }

    /// The gateway as a device of its own.
    #[must_use]
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Counts how often somebody at the gateway begins to look at values; it is reported at once.
    #[must_use]
    pub fn looks(&self) -> Arc<AtomicU64> {
        self.looks.clone()
    }

    /// A group became durable.
    pub fn synced(&mut self, took: Duration) {
        self.sync_max = self.sync_max.max(took);
    }

    /// Says what is wrong of a kind, in words that say what to do; no words if nothing is.
    pub fn alarm(&mut self, kind: Alarm, words: Vec<String>) {
        self.alarms.insert(kind, words);
    }

    /// A receipt was refused.
    pub fn refused_receipt(&mut self) {
        self.receipts_refused += 1;
    }

    /// A keyring was refused: an old one, or one that nobody of ours has signed.
    pub fn refused_keyring(&mut self) {
        self.keyrings_refused += 1;
    }

    /// A keyring of these versions is in force.
    pub fn keyring(&mut self, versions: (u64, u64)) {
        self.keyring = versions;
    }

    /// A receipt came.
    pub fn receipted(&mut self, now: MonotonicNanos) {
        self.receipt = Some(now);
    }

    /// Adds a report to the health lane when it is time.
    pub fn beat<D: Disk, S: Sealer>(
        &mut self,
        batcher: &mut Batcher,
        buffer: &Buffer<D, S>,
        uplink: &Uplink,
        clock: &ClockState,
    ) {
        let since = self.reported.map(|last| clock.monotonic.0.saturating_sub(last.0));
        let looks = self.looks.load(Ordering::Relaxed);
        let pause = if looks == self.looks_reported { self.interval } else { LOOKS_PAUSE };
        if since.is_some_and(|since| u128::from(since) < pause.min(self.interval).as_nanos()) {
            return;
        }
        self.reported = Some(clock.monotonic);
        self.look_at_machine(clock.monotonic);
        let lanes = Lane::ALL.into_iter().map(|lane| buffer.lane_health(lane)).collect();
        let mut counters = self.counters(buffer, uplink, clock);
        let new_looks = looks - std::mem::replace(&mut self.looks_reported, looks);
        counters.extend((new_looks > 0).then_some((counter::LOOKS, new_looks)));
        let report = HealthReport {
            lanes,
            devices: self.devices.take_minutes(),
            counters,
            software: env!("CARGO_PKG_VERSION").into(),
        };
        self.sync_shown = std::mem::take(&mut self.sync_max);
        batcher.report(&self.device, report.encode(), clock);
    }

    fn counters<D: Disk, S: Sealer>(
        &self,
        buffer: &Buffer<D, S>,
        uplink: &Uplink,
        clock: &ClockState,
    ) -> Vec<(u16, u64)> {
        let (log, sent) = (buffer.figures(), uplink.figures());
        let errors = self.devices.link_errors();
        let mut counters = vec![
            (counter::UPTIME_SECONDS, seconds(self.started, clock.monotonic)),
            (counter::CONNECTS, sent.connects),
            (counter::REBUILDS, sent.rebuilds),
            (counter::UNRECEIPTED_SECONDS, unreceipted_seconds(buffer, clock)),
            (counter::BYTES_WRITTEN, log.bytes_written),
            (counter::BYTES_FREE, buffer.free_bytes()),
            (counter::SYNC_MICROS_MAX, self.sync_max.as_micros() as u64),
            (counter::RECEIPTS_REFUSED, self.receipts_refused + log.receipts_foreign),
            (counter::RECORDS_REFUSED, log.records_refused),
            (counter::SEGMENTS_POISONED, log.segments_poisoned),
            (counter::LINK_ERRORS, errors),
            (counter::MEMORY_BYTES, (self.memory)()),
            (counter::RECORDS_PARKED, uplink.parked()),
            (counter::ALARMS, self.alarm_bits()),
            (counter::KEYRING_ROOT, self.keyring.0),
            (counter::KEYRING_FLEET, self.keyring.1),
            (counter::KEYRINGS_REFUSED, self.keyrings_refused),
        ];
        let rest = |end| seconds_until(end, clock).map(|rest| rest.max(0).unsigned_abs());
        let certificate = rest(self.ends.certificate).map(|rest| (CERTIFICATE_SECONDS, rest));
        let keyring = rest(self.ends.keyring).map(|rest| (KEYRING_SECONDS, rest));
        counters.extend(certificate.into_iter().chain(keyring));
        counters.extend(self.host.iter().flat_map(|host| host.counters(&self.machine)));
        counters
    }

    fn look_at_machine(&mut self, now: MonotonicNanos) {
        let since = self.looked.map(|last| now.0.saturating_sub(last.0));
        if since.is_none_or(|since| u128::from(since) >= MACHINE_PAUSE.as_nanos()) {
            self.looked = Some(now);
            self.machine = self.host.as_ref().map(Host::look).unwrap_or_default();
        }
    }

    fn alarm_bits(&self) -> u64 {
        let on = self.alarms.iter().filter(|(_, words)| !words.is_empty());
        on.filter_map(|(kind, _)| kind.bit()).fold(0, |bits, bit| bits | 1 << bit)
    }

    /// Shows the state to whoever asks on the status socket; once a second is enough.
    pub fn publish<D: Disk, S: Sealer>(
        &mut self,
        buffer: &Buffer<D, S>,
        uplink: &Uplink,
        clock: &ClockState,
    ) {
        let now = clock.monotonic;
        self.look_at_machine(now);
        if self.shown.is_some_and(|last| now.0 - last.0 < 1_000_000_000) {
            return;
        }
        self.shown = Some(now);
        for (complaint, alarm) in [
            (Complaint::Stranger, Alarm::Stranger),
            (Complaint::Babble, Alarm::Babble),
            (Complaint::Message, Alarm::Message),
        ] {
            let words = self.complaints.words(complaint, now);
            self.alarm(alarm, words);
        }
        let (log, sent) = (buffer.figures(), uplink.figures());
        let lanes = Lane::ALL.into_iter().map(|lane| buffer.lane_health(lane));
        let status = Status {
            schema: 1,
            gateway: self.gateway.to_string(),
            software: env!("CARGO_PKG_VERSION").into(),
            connected: uplink.is_up(),
            uptime_s: seconds(self.started, now),
            started: self.host.as_ref().map(|host| host.start().words().into()),
            machine: self.machine,
            certificate_days: days(self.ends.certificate, clock),
            keyring_days: days(self.ends.keyring, clock),
            keys: self.keys.clone(),
            clock_error_us: clock.utc.map(|_| clock.error_us),
            connects: sent.connects,
            rebuilds: sent.rebuilds,
            receipt_age_s: self.receipt.map(|last| seconds(last, now)),
            unreceipted_age_s: unreceipted_seconds(buffer, clock),
            held_back: self.alarms.get(&Alarm::Storage).is_some_and(|words| !words.is_empty()),
            alarms: self.alarms.values().flatten().cloned().collect(),
            backlog_bytes: buffer.backlog_bytes(),
            room_bytes: buffer.free_bytes(),
            readings_accepted: log.readings_accepted,
            published: sent.published,
            bytes_written: log.bytes_written,
            bytes_sealed: log.bytes_sealed,
            sync_ms_max: self.sync_max.max(self.sync_shown).as_millis() as u64,
            segments_poisoned: log.segments_poisoned,
            receipts_refused: self.receipts_refused + log.receipts_foreign,
            records_refused: log.records_refused,
            records_parked: uplink.parked(),
            lanes: lanes.map(lane_status).collect(),
            devices: self.devices.statuses(now),
        };
        self.screen.send_replace(serde_json::to_string(&status).unwrap_or_default());
    }
}

/// The gateway, which speaks about itself as a device of its own with the id 0.
#[must_use]
pub fn itself() -> Arc<Device> {
    let source = Source {
        device: DeviceId(0),
        boot: SourceBoot(0),
        clock: DeviceClock::None,
        tick_exponent: 0,
        mode: Mode::Normal,
    };
    Arc::new(Device::silent(source))
}

fn lane_status(lane: wire::status::LaneHealth) -> LaneStatus {
    LaneStatus {
        lane: lane.lane.to_string(),
        sequence_next: lane.sequence_next,
        backlog_bytes: lane.backlog_bytes,
        gap_readings: lane.gap_readings,
    }
}

fn seconds(earlier: MonotonicNanos, later: MonotonicNanos) -> u64 {
    later.0.saturating_sub(earlier.0) / 1_000_000_000
}

fn seconds_until(end: Option<UnixNanos>, clock: &ClockState) -> Option<i64> {
    Some(end?.0.saturating_sub(clock.utc?.0).div_euclid(1_000_000_000))
}

fn days(end: Option<UnixNanos>, clock: &ClockState) -> Option<i64> {
    seconds_until(end, clock).map(|seconds| seconds.div_euclid(86_400))
}

fn unreceipted_seconds<D: Disk, S: Sealer>(buffer: &Buffer<D, S>, clock: &ClockState) -> u64 {
    buffer.oldest_unreceipted().map_or(0, |opened| {
        match (opened.utc, clock.utc) {
            // Another boot's monotonic clock says nothing about this one's.
            (Some(opened), Some(now)) => ((now.0 - opened.0).max(0) / 1_000_000_000) as u64,
            _ => seconds(opened.monotonic, clock.monotonic),
        }
    })
}

/// Resident memory of this process; 0 where the kernel does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
