//! One of many gateways: a bed with thirty numerics a second, and a report each second.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agent::health::itself;
use agent::intake::{Device, Registry};
use agent::seal::batcher::{Batcher, Said};
use agent::seal::sealer::Seal;
use agent::seal::{Sealer, SegmentDraft};
use anyhow::Result;
use rig::fleet::Fleet;
use wire::frame::Core;
use wire::identity::{BootId, GatewayId, Lane, RecordHash, SegmentId};
use wire::keyring::Keyring;
use wire::link::DataWriter;
use wire::segment::{Found, Suite};
use wire::status::{HealthReport, counter};
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};
use wire::topic::{Level, Topic};

use super::super::blast::NUMERICS_A_FRAME;
use super::super::load::{introduce, monitor_channels};

/// Where a lane's chain stands.
struct Chain {
    segment: SegmentId,
    previous: RecordHash,
    index: u32,
    sequence: u64,
}

/// The gateway.
pub struct Gateway {
    id: GatewayId,
    device: Arc<Device>,
    batcher: Batcher,
    seal: Seal,
    chains: [Option<Chain>; 4],
    second: u32,
}

/// A record and its topic.
type Outgoing = (String, Vec<u8>);

impl Gateway {
    /// A gateway that has not spoken yet.
    pub fn new(number: u64, id: GatewayId, keyring: Keyring) -> Result<Self> {
        Ok(Self {
            id,
            device: introduce(number, &monitor_channels()[..30], &Registry::default())?,
            batcher: Batcher::new([Duration::from_secs(1); 4]),
            seal: Seal::new(Fleet::signer(id), keyring, Suite::XWing),
            chains: [const { None }; 4],
            second: 0,
        })
    }

    /// Numerics that it has said.
    pub fn numerics(&self) -> u64 {
        u64::from(self.second) * NUMERICS_A_FRAME
    }

    /// What it sends in one second.
    pub fn second(&mut self) -> Result<Vec<Outgoing>> {
        let now = self.say()?;
        let counters = vec![
            (counter::UPTIME_SECONDS, self.second.into()),
            (counter::BYTES_WRITTEN, u64::from(self.second) * 1000),
            (counter::BYTES_FREE, 1 << 32),
        ];
        let report = HealthReport { counters, software: "0.1.0".into(), ..HealthReport::default() };
        self.batcher.report(&itself(), report.encode(), &now);
        self.close(&now)
    }

    /// What it sends when it has held this many seconds back.
    pub fn seconds(&mut self, count: u32) -> Result<Vec<Outgoing>> {
        let mut now = self.clock();
        for _ in 0..count {
            now = self.say()?;
        }
        self.close(&now)
    }

    /// The bed says its numerics.
    fn say(&mut self) -> Result<ClockState> {
        self.second += 1;
        let now = self.clock();
        let mut writer = DataWriter::new(now.utc.map_or(0, |utc| utc.0) / 1_000_000);
        let value = |channel: i64| Ok(80 + channel + i64::from(self.second) % (channel + 3));
        writer.numerics(0, &std::array::from_fn::<_, 30, _>(|channel| value(channel as i64)));
        let payload = writer.finish();
        let said = Said {
            device: &self.device,
            sequence: self.second.into(),
            gap: false,
            payload: payload.as_slice(),
            received: now.monotonic,
            age_ns: 0,
        };
        self.batcher.take(&said, &now, self.second.into())?;
        Ok(now)
    }

    fn close(&mut self, now: &ClockState) -> Result<Vec<Outgoing>> {
        self.batcher.close_due(now.monotonic, true);
        let mut records = Vec::new();
        for closed in self.batcher.take_closed() {
            self.send(closed.lane, closed.plaintext, closed.readings, now, &mut records)?;
        }
        Ok(records)
    }

    fn clock(&self) -> ClockState {
        let utc = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as i64;
        ClockState {
            epoch: 0,
            monotonic: MonotonicNanos(u64::from(self.second) * 1_000_000_000),
            utc: Some(UnixNanos(utc)),
            error_us: 1000,
            source: TimeSource::Network,
        }
    }

    fn send(
        &mut self,
        lane: Lane,
        plaintext: Vec<u8>,
        readings: u64,
        now: &ClockState,
        records: &mut Vec<Outgoing>,
    ) -> Result<()> {
        let topic = Topic { gateway: self.id, level: Level::Lane(lane) }.to_string();
        if self.chains[lane as usize].is_none() {
            let (segment, bytes, previous) = self.seal.open_segment(self.draft(lane, now))?;
            records.push((topic.clone(), bytes));
            let chain = Chain { segment, previous, index: 0, sequence: 1 };
            self.chains[lane as usize] = Some(chain);
        }
        let Some(chain) = &mut self.chains[lane as usize] else { return Ok(()) };
        chain.index += 1;
        let core = Core {
            lane,
            segment: chain.segment,
            index: chain.index,
            sequence_first: chain.sequence,
            sequence_last: chain.sequence + readings - 1,
            previous: chain.previous,
            content_root: [0; 32],
        };
        let (bytes, hash) = self.seal.seal(&core, plaintext)?;
        (chain.previous, chain.sequence) = (hash, chain.sequence + readings);
        records.push((topic, bytes));
        Ok(())
    }

    fn draft(&self, lane: Lane, now: &ClockState) -> SegmentDraft {
        SegmentDraft {
            lane,
            gateway: self.id,
            boot: BootId([1; 16]),
            start_count: 1,
            sequence_next: 1,
            continues: None,
            found: Found::Nothing,
            clock: *now,
            receipt_seen: 0,
            software: "0.1.0".into(),
        }
    }
}
