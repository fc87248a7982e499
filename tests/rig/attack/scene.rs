//! What is attacked: two agents on real folders, a sink on a real store, the keys of one site.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::buffer::disk::Folder;
use agent::buffer::{Buffer, Position, Quota, Writer};
use agent::clock::{Clock, Source};
use agent::health::Health;
use agent::intake::admission::Proof;
use agent::intake::{Device, Introduction, Registry};
use agent::line::{Line, Trust};
use agent::seal::batcher::{Batcher, Said};
use agent::seal::sealer::Seal;
use agent::uplink::driver::{FromBroker, MessageKind};
use agent::uplink::machine::Uplink;
use cloud_sink::ledger::{self, LaneBooks};
use cloud_sink::receipt;
use cloud_sink::store::commit::{SqlStore, create};
use cloud_sink::store::db::{Db, Location};
use cloud_sink::store::query::{StoreRegistry, enroll};
use cloud_sink::store::{Committed, Store};
use cloud_sink::verify::dispose::Verifier;
use cloud_sink::verify::keyring::Keys;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use wire::identity::{BootId, DeviceId, GatewayId, Lane, StoreEpoch};
use wire::link::{DataWriter, Hello, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::receipt::Disposition;
use wire::segment::Suite;
use wire::time::{DeviceClock, MonotonicNanos, UnixNanos};
use wire::topic::Topic;

use super::{demand, words};
use crate::fleet::{Fleet, named};
use crate::hands::Mute;

/// When the story begins: 2026-01-01T00:00:00Z, UTC nanoseconds.
const BEGIN_NS: i64 = 1_767_225_600_000_000_000;
/// Heart rates begin here, so that each reading has a value of its own.
const FIRST: [i64; 2] = [100, 200];
/// Readings of each device before the first attack.
const READINGS: u32 = 4;
const QUOTA: Quota = Quota { bytes_max: 1 << 30, free_bytes_min: 0, keep_seconds: 3600 };

/// A record as it would be published.
#[derive(Clone, Debug)]
pub struct Sent {
    /// On whose topic.
    pub gateway: GatewayId,
    /// On which lane's.
    pub lane: Lane,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A clock that goes on when it is told to.
#[derive(Clone, Debug)]
struct Told {
    base: Instant,
    seconds: Arc<AtomicU64>,
}

impl Told {
    fn since(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }
}

impl Source for Told {
    fn now(&self) -> Instant {
        self.base + self.since()
    }

    fn monotonic(&self) -> MonotonicNanos {
        MonotonicNanos((Duration::from_secs(100) + self.since()).as_nanos() as u64)
    }

    fn wall(&self) -> (i64, Option<Duration>) {
        (BEGIN_NS + self.since().as_nanos() as i64, Some(Duration::ZERO))
    }
}

/// One gateway with one device.
pub struct Agent {
    /// Its name.
    pub id: GatewayId,
    /// Signs its records.
    pub signer: SigningKey,
    /// The product's own line.
    pub line: Line<Folder, Seal, Mute>,
    /// Its card.
    pub card: PathBuf,
    time: Told,
    device: Arc<Device>,
    first: i64,
    said: u32,
}

fn monitor(number: u64) -> Result<Arc<Device>, String> {
    let channel = Channel {
        code: 147_842,
        unit: 264_864,
        kind: ChannelKind::Numeric { exponent: 0 },
        label: "",
        unit_label: "",
    };
    let about = (DeviceId(number), DeviceClock::UtcSynchronised, 6, Mode::Demo);
    let payload = write_hello(about, 1, "Attacked 1", 0, &[channel]).ok_or("no hello")?;
    let hello = Hello::read(payload.as_slice()).map_err(words)?;
    let (registry, proof) = (Registry::default(), Proof::Unasked);
    let device = Introduction::default().take(1, 0, (&hello, proof), &registry);
    device.map(Arc::new).ok_or_else(|| "one part is all, and the device is not there".into())
}

impl Agent {
    /// Starts on a card, new or copied.
    pub fn start(fleet: &Fleet, id: GatewayId, card: &Path, first: i64) -> Result<Self, String> {
        fs::create_dir_all(card).map_err(words)?;
        let time = Told { base: Instant::now(), seconds: Arc::default() };
        let mut clock = Clock::of(Box::new(time.clone()));
        let (state, now) = (clock.state(), clock.now());
        let signer = Fleet::signer(id);
        let seal = Seal::new(signer.clone(), fleet.keyring.clone(), fleet.suite);
        let writer =
            Writer { gateway: id, boot: BootId([0xB0; 16]), software: "attacked".to_owned() };
        let disk = Folder::open(&card.join("buffer")).map_err(words)?;
        let (buffer, _) = Buffer::recover(disk, seal, writer, QUOTA, &state).map_err(words)?;
        let uplink = Uplink::new(now, 1 << 20, 7);
        let health = Health::new(id, Duration::from_secs(3600), state.monotonic);
        let (roots, keyring) = (fleet.roots.clone(), fleet.keyring.clone());
        let trust = Trust::new(id, roots, keyring, card.join("keyring"));
        let batcher = Batcher::new([Duration::from_secs(1); 4]);
        let line = Line::new(clock, batcher, buffer, uplink, Mute { takes: true }, health, trust);
        let (card, device) = (card.to_owned(), monitor(first.unsigned_abs())?);
        Ok(Self { id, signer, line, card, time, device, first, said: 0 })
    }

    /// Its device says so many readings; each is in a frame of its own, and durable.
    pub fn hear(&mut self, count: u32) -> Result<(), String> {
        for _ in 0..count {
            self.said += 1;
            let value = self.first + i64::from(self.said);
            let mut writer = DataWriter::new(BEGIN_NS / 1_000_000 + i64::from(self.said) * 1_000);
            demand(writer.numerics(0, &[Ok(value)]), "one value does not fit a frame")?;
            let data = writer.finish();
            let clock = self.line.clock.state();
            let said = Said {
                device: &self.device,
                sequence: self.said.into(),
                gap: false,
                payload: data.as_slice(),
                received: clock.monotonic,
                age_ns: 0,
            };
            self.line.batcher.take(&said, &clock, self.said.into()).map_err(words)?;
            self.turn();
            demand(!self.line.is_held_back(), "the card takes nothing")?;
        }
        Ok(())
    }

    fn turn(&mut self) {
        self.time.seconds.fetch_add(2, Ordering::Relaxed);
        self.line.turn(true);
    }

    /// Every value that its device has said.
    pub fn values(&self) -> Vec<i64> {
        (1..=self.said).map(|number| self.first + i64::from(number)).collect()
    }

    /// The records of its vital lane that no receipt covers, in the order of the chain.
    pub fn records(&mut self) -> Vec<Sent> {
        let clock = self.line.clock.state();
        let (mut records, mut from) = (Vec::new(), Position::default());
        while let Some(at) = self.line.buffer.next_unreceipted(Lane::Vital, from, &clock) {
            from = Position { index: at.position.index + 1, ..at.position };
            let bytes = self.line.buffer.read(at.position, &clock);
            let sent = |bytes| Sent { gateway: self.id, lane: Lane::Vital, bytes };
            records.extend(bytes.map(sent));
        }
        records
    }

    /// Bytes of its vital lane that no receipt covers.
    pub fn owed(&self) -> u64 {
        self.line.buffer.lane_health(Lane::Vital).backlog_bytes
    }

    /// Something comes on one of its topics.
    pub fn told(&mut self, kind: MessageKind, bytes: Vec<u8>) {
        self.line.hear_broker(0, FromBroker::Message { kind, bytes });
    }

    /// What `wardline status` shows of refused receipts.
    pub fn receipts_refused(&mut self) -> Result<u64, String> {
        self.turn();
        let screen = self.line.health.screen();
        let shown: Value = serde_json::from_str(&screen.borrow()).map_err(words)?;
        shown["receipts_refused"].as_u64().ok_or_else(|| format!("no such count: {shown}"))
    }
}

/// The site under attack.
pub struct Scene {
    /// Its keys.
    pub fleet: Fleet,
    /// A gateway whose key nobody has stolen.
    pub one: Agent,
    /// A gateway whose key somebody has stolen.
    pub robbed: Agent,
    /// Its store's life.
    pub epoch: StoreEpoch,
    /// The store.
    pub location: Location,
    /// Everything on disk.
    pub folder: TempDir,
    /// Values that devices said beside clones of a gateway.
    pub beside: Vec<i64>,
    verifier: Verifier<StoreRegistry>,
    store: SqlStore,
}

impl Scene {
    /// A new site whose devices have said a little.
    pub fn open() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(words)?;
        let fleet = Fleet::new(Suite::XWing);
        let location = Location::File(folder.path().join("store.sqlite"));
        create(&location, fleet.epoch).map_err(words)?;
        let start = |name: &str, first: i64| -> Result<Agent, String> {
            let id = named(name);
            let key = Fleet::signer(id).verifying_key();
            demand(enroll(&location, id, &key).map_err(words)?, "the name is taken")?;
            let mut agent = Agent::start(&fleet, id, &folder.path().join(name), first)?;
            agent.hear(READINGS)?;
            Ok(agent)
        };
        let (one, robbed) = (start("gw-1", FIRST[0])?, start("gw-2", FIRST[1])?);
        let recipients = fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
        let registry = StoreRegistry::open(&location).map_err(words)?;
        let verifier = Verifier::new(registry, Keys::new(recipients, fleet.store_key));
        let store = SqlStore::open(&location).map_err(words)?;
        let (epoch, beside) = (fleet.epoch, Vec::new());
        let mut scene =
            Self { fleet, one, robbed, epoch, location, folder, beside, verifier, store };
        // Headers first, so that each frame can be opened if it is true.
        for records in [scene.one.records(), scene.robbed.records()] {
            scene.take(&records[..1])?;
        }
        Ok(scene)
    }

    /// The sink takes deliveries as one group; what the group frees from parking goes round again.
    pub fn take(&mut self, deliveries: &[Sent]) -> Result<Vec<Committed>, String> {
        let mut rounds: Vec<Committed> = Vec::new();
        let mut incoming: Vec<_> =
            deliveries.iter().map(|sent| (sent.gateway, sent.lane, sent.bytes.clone())).collect();
        while !incoming.is_empty() {
            let count = incoming.len();
            let verified = incoming.drain(..);
            let group: Vec<_> = verified
                .filter_map(|(from, lane, bytes)| self.verifier.dispose(from, lane, bytes).ok())
                .collect();
            let committed = self.store.commit(&group).map_err(words)?;
            self.store.count_unsigned((count - group.len()) as u64).map_err(words)?;
            incoming.extend(committed.parked.iter().cloned());
            rounds.push(committed);
        }
        Ok(rounds)
    }

    /// What the sink says of one delivery, in its own words; whether it is taken.
    pub fn judge(&mut self, sent: &Sent) -> (bool, String) {
        match self.verifier.dispose(sent.gateway, sent.lane, sent.bytes.clone()) {
            Err(unsigned) => (false, unsigned.to_string()),
            Ok(disposed) => {
                let what = disposed.disposition;
                let why = disposed.reason.name();
                (what == Disposition::Stored, format!("{}: {why}", what.name()))
            }
        }
    }

    /// Bad deliveries reach the sink: none may be taken for true or bring a reading. The sink's
    /// words about the last one.
    pub fn refuse(&mut self, bad: &[Sent]) -> Result<String, String> {
        let before = self.stored()?;
        let mut said = String::new();
        for sent in bad {
            let (taken, why) = self.judge(sent);
            demand(!taken, "it is taken for a true record")?;
            said = why;
        }
        self.take(bad)?;
        demand(self.stored()? == before, "it brought a reading")?;
        Ok(said)
    }

    /// Every value that is stored, in order.
    pub fn stored(&self) -> Result<Vec<i64>, String> {
        let sql = "SELECT mantissa FROM numeric WHERE absent IS NULL ORDER BY mantissa";
        let rows = self.db()?.rows(sql, &[]).map_err(words)?;
        rows.iter().map(|row| row.at(0).map_err(words)).collect()
    }

    /// The store, for questions.
    pub fn db(&self) -> Result<Db, String> {
        Db::open(&self.location).map_err(words)
    }

    /// The books of a gateway's vital lane.
    pub fn books(&self, gateway: GatewayId) -> Result<LaneBooks, String> {
        let books = ledger::read(&self.db()?).map_err(words)?.lanes.into_iter();
        let mut mine = books.filter(|books| {
            (books.gateway.as_str(), books.lane.as_str()) == (gateway.as_str(), Lane::Vital.name())
        });
        mine.next().ok_or_else(|| format!("no books of {gateway}"))
    }

    /// Every value that any device has said, in order.
    pub fn said(&self) -> Vec<i64> {
        let mut said = [self.one.values(), self.robbed.values(), self.beside.clone()].concat();
        said.sort_unstable();
        said
    }

    /// Bytes that the gateways still owe.
    pub fn owed(&self) -> u64 {
        self.one.owed() + self.robbed.owed()
    }

    /// The attacks are over: both gateways offer what they owe and get their receipts. What is
    /// stored then.
    pub fn settle(&mut self) -> Result<Vec<i64>, String> {
        let all = [self.one.records(), self.robbed.records()].concat();
        for committed in self.take(&all)? {
            let time = UnixNanos(BEGIN_NS);
            for signed in receipt::sign(&committed, self.epoch, time, &self.fleet.receipt) {
                let whose = Topic::parse(&signed.topic).map(|topic| topic.gateway);
                let mine = |agent: &&mut Agent| Some(agent.id) == whose;
                if let Some(agent) = [&mut self.one, &mut self.robbed].into_iter().find(mine) {
                    agent.told(MessageKind::Receipt, signed.bytes);
                }
            }
        }
        self.stored()
    }
}
