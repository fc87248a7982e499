//! A gateway in this process: the real batcher, sealer and buffer on a real folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent::buffer::disk::Folder;
use agent::buffer::{Buffer, Position, Quota, Recovery, Writer};
use agent::health::itself;
use agent::intake::Device;
use agent::seal::batcher::{Batcher, Said};
use agent::seal::sealer::Seal;
use ed25519_dalek::SigningKey;
use wire::frame::{Record, RecordKind, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{BootId, GatewayId, Lane, RecordHash, SegmentId};
use wire::link::{SourceGap, write_gap};
use wire::segment::read_header_payload;
use wire::status::HealthReport;
use wire::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

use crate::device::BEGIN_MS;
use rig::fleet::Fleet;

/// A record as it would be published.
#[derive(Clone, Debug)]
pub struct Sent {
    /// On whose topic.
    pub gateway: GatewayId,
    /// On which lane's.
    pub lane: Lane,
    /// Its segment.
    pub segment: SegmentId,
    /// Its index there.
    pub index: u32,
    /// Its signed part.
    pub hash: RecordHash,
    /// The signed part before it.
    pub previous: Option<RecordHash>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Sent {
    /// Reads where a record belongs from its own bytes.
    pub fn read(gateway: GatewayId, lane: Lane, bytes: Vec<u8>) -> Self {
        let record = Record::parse(&bytes).expect("a gateway sends records");
        let hash = record.hash();
        let (segment, index, previous) = match record.kind {
            RecordKind::Header => {
                let (header, _, _) = read_header_payload(record.payload).expect("a header");
                (header.segment, 0, header.continues.map(|before| before.hash))
            }
            RecordKind::Frame => {
                let (core, _, _) = read_frame_payload(record.payload).expect("a frame");
                (core.segment, core.index, Some(core.previous))
            }
            RecordKind::Gap => {
                let gap = Gap::decode(record.payload).expect("a gap");
                (gap.segment, gap.index, Some(gap.previous))
            }
        };
        Self { gateway, lane, segment, index, hash, previous, bytes }
    }

    /// The same bytes on another topic.
    pub fn on(&self, gateway: GatewayId, lane: Lane) -> Self {
        Self { gateway, lane, ..self.clone() }
    }
}

/// Room that no scenario fills.
pub const QUOTA: Quota = Quota { bytes_max: 1 << 30, free_bytes_min: 0, keep_seconds: 3600 };

/// One gateway.
pub struct Gateway {
    /// Its name.
    pub id: GatewayId,
    /// Signs its records.
    pub signer: SigningKey,
    /// Its log.
    pub buffer: Buffer<Folder, Seal>,
    /// What recovery found.
    pub recovery: Recovery,
    batcher: Batcher,
    folder: PathBuf,
    order: u64,
    seconds: u64,
    clock: ClockOf,
}

/// A gateway's clock, so many seconds after the story began.
pub type ClockOf = Arc<dyn Fn(u64) -> ClockState>;

/// The gateway's clock, so many seconds after the story began.
pub fn clock(seconds: u64) -> ClockState {
    let begin = BEGIN_MS * 1_000_000;
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos((100 + seconds) * 1_000_000_000),
        utc: Some(UnixNanos(begin + (seconds * 1_000_000_000).cast_signed())),
        error_us: 500,
        source: TimeSource::Network,
    }
}

impl Gateway {
    /// Starts a gateway on a folder, new or left by a crash.
    pub fn start(fleet: &Fleet, id: GatewayId, folder: &Path) -> Self {
        Self::start_run(fleet, id, folder, (BootId([0xB0; 16]), 0, Arc::new(clock)))
    }

    /// The same in another run of its machine, which begins so many seconds after the story.
    pub fn start_run(
        fleet: &Fleet,
        id: GatewayId,
        folder: &Path,
        (boot, seconds, clock): (BootId, u64, ClockOf),
    ) -> Self {
        let signer = Fleet::signer(id);
        let sealer = Seal::new(signer.clone(), fleet.keyring.clone(), fleet.suite);
        let software = "0.1.0".to_owned();
        let writer = Writer { gateway: id, boot, software };
        let disk = Folder::open(folder).expect("a temporary folder opens");
        let (buffer, recovery) = Buffer::recover(disk, sealer, writer, QUOTA, &clock(seconds))
            .expect("recovery always ends");
        let batcher = Batcher::new([Duration::from_secs(1); 4]);
        let folder = folder.to_owned();
        Self { id, signer, buffer, recovery, batcher, folder, order: 0, seconds, clock }
    }

    /// Ends without a word, as SIGKILL does, and starts again.
    pub fn crash_and_start(self, fleet: &Fleet) -> Self {
        let (id, folder) = (self.id, self.folder.clone());
        drop(self);
        Self::start(fleet, id, &folder)
    }

    /// Its clock now.
    pub fn now(&self) -> ClockState {
        (self.clock)(self.seconds)
    }

    /// So many seconds pass.
    pub fn wait(&mut self, seconds: u64) {
        self.seconds += seconds;
    }

    /// Takes one link payload of a device.
    pub fn hear(&mut self, device: &Arc<Device>, sequence: u32, payload: &[u8]) {
        self.hear_frame(device, sequence, false, payload);
    }

    /// Takes a device's word that it lost readings.
    pub fn hear_loss(&mut self, device: &Arc<Device>, sequence: u32, readings: u64) {
        let payload = write_gap(SourceGap { readings, cause: 1 }).expect("two numbers fit");
        self.hear_frame(device, sequence, true, payload.as_slice());
    }

    fn hear_frame(&mut self, device: &Arc<Device>, sequence: u32, gap: bool, payload: &[u8]) {
        self.order += 1;
        let now = self.now();
        let received = now.monotonic;
        let said = Said { device, sequence: sequence.into(), gap, payload, received, age_ns: 0 };
        self.batcher.take(&said, &now, self.order).expect("a device keeps to its hello");
    }

    /// Closes all batches, seals them and makes them durable; a second passes.
    pub fn flush(&mut self) {
        let now = self.now();
        self.batcher.close_due(now.monotonic, true);
        for batch in self.batcher.take_closed() {
            let (plaintext, readings) = (&batch.plaintext, batch.readings);
            self.buffer.append(batch.lane, plaintext, readings, &now).expect("there is room");
        }
        self.buffer.commit(&now).expect("the folder takes what we write");
        self.seconds += 1;
    }

    /// Hears and flushes once for each sequence.
    pub fn hear_each(
        &mut self,
        device: &Arc<Device>,
        sequences: impl IntoIterator<Item = u32>,
        payload: fn(u32) -> Vec<u8>,
    ) {
        for sequence in sequences {
            self.hear(device, sequence, &payload(sequence));
            self.flush();
        }
    }

    /// Hears all and flushes once.
    pub fn hear_all(
        &mut self,
        device: &Arc<Device>,
        sequences: impl IntoIterator<Item = u32>,
        payload: fn(u32) -> Vec<u8>,
    ) {
        for sequence in sequences {
            self.hear(device, sequence, &payload(sequence));
        }
        self.flush();
    }

    /// Reports these counters and flushes.
    pub fn report(&mut self, counters: &[(u16, u64)]) {
        self.report_all(&HealthReport { counters: counters.to_vec(), ..HealthReport::default() });
    }

    /// Reports all this and flushes.
    pub fn report_all(&mut self, report: &HealthReport) {
        let now = self.now();
        self.batcher.report(&itself(), report.encode(), &now);
        self.flush();
    }

    /// Every durable record without a receipt, lane by lane, in the order of the chain.
    pub fn records(&mut self) -> Vec<Sent> {
        let now = self.now();
        let mut records = Vec::new();
        for lane in Lane::ALL {
            let mut from = Position { ordinal: 0, index: 0 };
            while let Some(at) = self.buffer.next_unreceipted(lane, from, &now) {
                let bytes = self.buffer.read(at.position, &now).expect("what is there reads");
                records.push(Sent::read(self.id, lane, bytes));
                from = Position { index: at.position.index + 1, ..at.position };
            }
        }
        records
    }

    /// The records of one lane.
    pub fn records_of(&mut self, lane: Lane) -> Vec<Sent> {
        self.records().into_iter().filter(|record| record.lane == lane).collect()
    }
}
