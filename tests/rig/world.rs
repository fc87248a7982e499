//! The world: devices, the agent's own line, a disk, a network, a broker and the real sink, all on
//! one virtual clock and one seed.
//!
//! A world goes wrong for some minutes in every way that [`faults`] names, then everything is well
//! again, and the oracles look at what is left. The same seed gives the same world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use agent::buffer::Quota;
use anyhow::Result;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wire::identity::{DeviceId, Lane};
use wire::segment::Suite;

pub mod bedside;
pub mod books;
mod cards;
mod ending;
mod evidence;
pub mod faults;
pub mod forger;
mod gateway;
mod network;
mod sink;
mod sinks;
mod time;
mod watch;

use crate::disk::InventedDisk;
use crate::fleet::{Fleet, named};
use crate::oracle;
use crate::oracle::seen::Seen;
use crate::random::Random;
use agent::clock::Source;
use agent::uplink::driver::MessageKind;
use bedside::Bedside;
use books::SharedBooks;
use faults::Fault;
use gateway::GatewayNode;
use network::Network;
use sinks::Sinks;

/// What one step lets pass.
const TICK: Duration = Duration::from_millis(100);
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(8 * 60);
/// How long all is well before what is still called wrong is looked at: four reports.
const CALM: Duration = Duration::from_secs(60);
/// Devices of a world.
const DEVICES: u64 = 2;
/// Of so many steps, one brings a fault.
const FAULT_EVERY: u64 = 40;
/// Of so many faults, one is a power cut at the least.
const CUT_EVERY: u64 = 3;
/// Of so many acknowledgements, one is compared with what is durable.
const DURABLE_EVERY: u64 = 25;
/// Memory disks are there on Linux, and a store on one costs no wear.
const MEMORY_DISK: &str = "/dev/shm";

/// What became of a world.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Readings that devices said, and of these, that were accepted.
    pub said: u64,
    /// See above.
    pub accepted: u64,
    /// Power cuts and kills of the agent.
    pub crashes: u64,
    /// Faults by name, as often as they happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// Commits of the sink.
    pub commits: u64,
    /// Readings inside gaps, of those that were accepted.
    pub in_gaps: u64,
    /// Readings that went with a restored store, and are missing there by number.
    pub missing: u64,
    /// Most files and bytes on the gateway's disk.
    pub files_max: usize,
    /// See above.
    pub disk_bytes_max: usize,
    /// Incidents that were opened, by kind.
    pub incidents: BTreeMap<String, u64>,
    /// Oracle and what it saw.
    pub violations: Vec<(&'static str, String)>,
    /// Hash of everything that happened, in order.
    pub trace: [u8; 32],
}

/// One world.
pub struct World {
    random: Random,
    gateway: GatewayNode,
    devices: Vec<Bedside>,
    network: Network,
    sinks: Sinks,
    books: SharedBooks,
    disk_well_at: Duration,
    line_well_at: Duration,
    cut_by: Option<Duration>,
    /// Cards with copies of the gateway's, not in it now.
    cards: Vec<InventedDisk>,
    /// Files that were looked at when they were receipted.
    receipted: BTreeSet<String>,
    keyring_seen: (u64, u64),
    quota_bytes: u64,
    seen: Seen,
    outcome: Outcome,
    trace: Sha256,
    _folder: TempDir,
}

impl World {
    /// A world where nothing has happened yet.
    ///
    /// # Errors
    /// This machine gives no temporary folder.
    pub fn new(seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let memory = Path::new(MEMORY_DISK);
        let folder = if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new()? };
        // The hybrid suite costs more, so only a share of the worlds has it.
        let suite = if seed.is_multiple_of(16) { Suite::XWing } else { Suite::X25519 };
        let (fleet, id) = (Fleet::new(suite), named("gw-1"));
        let bytes_max = if random.once_in(4) { 3 << 20 } else { 64 << 20 };
        let keep_seconds = if random.once_in(2) { 60 } else { 1_000_000 };
        let quota = Quota { bytes_max, free_bytes_min: 0, keep_seconds };
        let disk = InventedDisk::new(random.number(), 128 << 20);
        let books = SharedBooks::default();
        let mut network = Network::new(random.number());
        let document = fleet.document.clone();
        // Two sinks share a subscription and a store in a share of the worlds.
        let count = if seed % 4 == 1 { 2 } else { 1 };
        let sinks = Sinks::create(folder.path(), fleet.copy(), id, count)?;
        let gateway = GatewayNode::new(
            fleet,
            id,
            folder.path(),
            (disk, quota),
            books.clone(),
            network.client.clone(),
            random.number(),
        )?;
        network.keyring = Some(document);
        Ok(Self {
            random,
            gateway,
            devices: (1..=DEVICES).map(|id| Bedside::new(DeviceId(id))).collect(),
            network,
            sinks,
            books,
            disk_well_at: Duration::ZERO,
            line_well_at: Duration::ZERO,
            cut_by: None,
            cards: Vec::new(),
            receipted: BTreeSet::new(),
            keyring_seen: (0, 0),
            quota_bytes: quota.bytes_max,
            seen: Seen::default(),
            outcome: Outcome { seed, ..Outcome::default() },
            trace: Sha256::new(),
            _folder: folder,
        })
    }

    /// Lets the world run to its end, and leaves its evidence in a folder if one is given.
    ///
    /// # Errors
    /// The machine underneath fails; what the product does wrong stands in the outcome.
    pub fn run(mut self, evidence: Option<&Path>) -> Result<Outcome> {
        let chosen = faults::chosen(&mut self.random);
        while self.elapsed() < TROUBLE {
            if self.random.once_in(FAULT_EVERY) {
                let cut = self.random.once_in(CUT_EVERY);
                let fault =
                    if cut { Some(Fault::PowerCut) } else { self.random.pick(&chosen).copied() };
                self.go_wrong(fault)?;
            }
            self.tick(true)?;
        }
        self.heal();
        self.drain()?;
        // What stands on the other cards is somebody's readings too.
        for _ in 0..self.cards.len() {
            self.swap_card();
            self.drain()?;
        }
        self.let_be(CALM)?;
        if let Some(folder) = evidence {
            self.hand_out(folder)?;
        }
        oracle::judge(&mut self)?;
        let books = self.books.borrow();
        self.outcome.violations.clone_from(&books.violations);
        self.outcome.accepted = books.accepted.len() as u64;
        self.outcome.commits = self.sinks.commits();
        self.outcome.trace = self.trace.clone().finalize().into();
        Ok(self.outcome.clone())
    }

    fn elapsed(&self) -> Duration {
        self.gateway.time.elapsed()
    }

    fn go_wrong(&mut self, fault: Option<Fault>) -> Result<()> {
        let Some(fault) = fault else { return Ok(()) };
        if self.inject(fault)? {
            *self.outcome.faults.entry(fault.name()).or_default() += 1;
            tracing::info!(at = ?self.elapsed(), fault = fault.name(), "the world");
            self.note(&[b"fault", fault.name().as_bytes()]);
            if fault == Fault::PowerCut {
                self.cut_by = Some(self.elapsed() + Duration::from_secs(3));
            }
        }
        Ok(())
    }

    fn tick(&mut self, saying: bool) -> Result<()> {
        self.gateway.time.pass(TICK + self.gateway.disk.take_delay());
        let elapsed = self.elapsed();
        self.let_recover(elapsed);
        self.talk(elapsed, saying);
        let arrived = self.network.step(elapsed, TICK, &mut self.random);
        for (lane, bytes) in arrived.records {
            self.note(&[b"record", &[lane as u8], &bytes.len().to_be_bytes()]);
            if lane == Lane::Health {
                self.seen.heard(elapsed);
            }
            self.sinks.deliver(lane, bytes, &mut self.random);
        }
        self.gateway.step(arrived.events, &mut self.random);
        self.let_sinks_work(elapsed)?;
        self.look_for_incidents(elapsed)?;
        let now = self.gateway.now();
        let heard = self.gateway.line.is_some();
        for device in self.devices.iter_mut().filter(|_| heard) {
            device.hear_ack(now, &mut self.random);
        }
        self.count_accepted();
        self.look_at_trust()?;
        let late = self.cut_by.is_some_and(|by| by <= elapsed);
        if self.gateway.disk.is_off() || late {
            let off = elapsed + Duration::from_millis(self.random.below(5000));
            self.gateway_ends(off, true);
        }
        let (files, bytes) = self.gateway.disk.usage();
        self.outcome.files_max = self.outcome.files_max.max(files);
        self.outcome.disk_bytes_max = self.outcome.disk_bytes_max.max(bytes);
        Ok(())
    }

    fn let_recover(&mut self, elapsed: Duration) {
        if elapsed >= self.disk_well_at {
            self.gateway.disk.ail(|ails| {
                (ails.full, ails.read_only, ails.sync_takes) = (false, false, Duration::ZERO);
                ails.lies = false;
            });
            self.gateway.disk.make_readable();
        }
        if elapsed >= self.line_well_at {
            self.devices.iter_mut().for_each(|device| device.garbled = 0);
            self.gateway.stick_random(false);
        }
        let (until, _) = self.network.trouble.delay;
        if elapsed >= until {
            self.network.trouble.delay = (Duration::ZERO, Duration::ZERO);
        }
    }

    fn talk(&mut self, elapsed: Duration, saying: bool) {
        let now = self.gateway.now();
        let moment = (now, self.gateway.time.monotonic());
        let up = self.gateway.line.is_some();
        for device in &mut self.devices {
            if saying {
                device.say(now, elapsed);
            }
            if up && device.broken_until <= elapsed {
                let (registry, chunks) = (&self.gateway.registry, &self.gateway.chunks);
                device.talk(moment, registry, chunks, &mut self.random);
            } else {
                device.hang_up(now);
            }
        }
    }

    fn let_sinks_work(&mut self, elapsed: Duration) -> Result<()> {
        for said in self.sinks.step(elapsed)? {
            if let Some(keyring) = said.keyring {
                self.network.publish(elapsed, MessageKind::Keyring, keyring);
            }
            for receipt in said.receipts {
                self.books.borrow_mut().signed.extend(self.sinks.signed_for(&receipt));
                self.note(&[b"receipt", &receipt.len().to_be_bytes()]);
                self.network.publish(elapsed, MessageKind::Receipt, receipt);
            }
        }
        Ok(())
    }

    fn pick_device(&mut self) -> Option<&mut Bedside> {
        let at = self.random.below(self.devices.len() as u64) as usize;
        self.devices.get_mut(at)
    }

    /// Where the sink's store lies.
    #[must_use]
    pub fn store(&self) -> &Path {
        self.sinks.path()
    }

    /// What was written down.
    #[must_use]
    pub fn books(&self) -> SharedBooks {
        self.books.clone()
    }

    /// Whether some bytes stand on the gateway's disk or went over the network.
    #[must_use]
    pub fn is_marked(&self, mark: &[u8]) -> bool {
        let seen = |bytes: &Vec<u8>| bytes.windows(mark.len()).any(|window| window == mark);
        let topics = self.network.topics();
        let topic = String::from_utf8_lossy(mark);
        self.gateway.disk.contains(mark)
            || self.network.seen.iter().any(seen)
            || topics.iter().any(|seen| seen.contains(topic.as_ref()))
    }

    /// Whether the medium said that it had flushed, and had not.
    #[must_use]
    pub fn medium_lied(&self) -> bool {
        self.books.borrow().medium_lied
    }

    /// Whether the gateway's card was ever copied.
    #[must_use]
    pub fn has_cards(&self) -> bool {
        self.outcome.faults.contains_key(Fault::CardCloned.name())
    }

    /// Most files and bytes that stood on the gateway's disk.
    #[must_use]
    pub fn disk_used_most(&self) -> (u64, u64) {
        (self.outcome.files_max as u64, self.outcome.disk_bytes_max as u64)
    }

    /// What the buffer may fill.
    #[must_use]
    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes
    }

    /// Whether the store was ever put back from a copy.
    #[must_use]
    pub fn was_restored(&self) -> bool {
        self.outcome.faults.contains_key(Fault::StoreRestored.name())
    }

    /// Takes notice of accepted readings that ended in gaps, and of those that a restored store
    /// lost and shows as missing by number.
    pub fn count_said(&mut self, in_gaps: u64, missing: u64) {
        (self.outcome.in_gaps, self.outcome.missing) = (in_gaps, missing);
    }

    fn note(&mut self, parts: &[&[u8]]) {
        let elapsed = self.elapsed().as_nanos().to_be_bytes();
        self.trace.update(elapsed);
        parts.iter().for_each(|part| self.trace.update(part));
    }
}
