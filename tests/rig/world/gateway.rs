//! A gateway of the world: the product's own line on an invented disk and clock.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use agent::audit::{Begun, By, Trail};
use agent::buffer::{Buffer, Quota, Writer};
use agent::clock::{Clock, Source};
use agent::health::Health;
use agent::intake::{Chunk, Registry};
use agent::line::{Line, Trust};
use agent::seal::batcher::Batcher;
use agent::seal::keyring::{load_keyring, store};
use agent::seal::sealer::Seal;
use agent::uplink::driver::FromBroker;
use agent::uplink::machine::Uplink;
use anyhow::Result;
use tokio::sync::mpsc;
use wire::identity::{BootId, GatewayId};

use super::books::{SharedBooks, Watched};
use super::network::{Client, WorldHands};
use super::time::VirtualTime;
use crate::disk::InventedDisk;
use crate::fleet::Fleet;
use crate::random::Random;

/// The product's line in the world.
pub type WorldLine = Line<InventedDisk, Watched, WorldHands>;

/// What a gateway is made of, over all its starts.
pub struct GatewayNode {
    /// Its name.
    pub id: GatewayId,
    /// Its disk.
    pub disk: InventedDisk,
    /// Its clock.
    pub time: VirtualTime,
    /// Its agent, while that runs.
    pub line: Option<WorldLine>,
    /// What its sessions know together.
    pub registry: Registry,
    /// From its sessions to its line.
    pub chunks: mpsc::Sender<Chunk>,
    intake: mpsc::Receiver<Chunk>,
    /// Keys of its site.
    pub fleet: Fleet,
    keyring_path: PathBuf,
    books: SharedBooks,
    client: Rc<RefCell<Client>>,
    quota: Quota,
    boot: [u8; 16],
    wake_at: Instant,
    /// It is away until then.
    pub off_until: Duration,
    /// Starts that ended with an error although the disk had power.
    pub failed_starts: u64,
}

/// Chunks between sessions and line.
const CHUNKS_MAX: usize = 64;
/// Bytes sent beyond receipts: small, so that the window matters in small worlds.
const WINDOW_BYTES: usize = 512 * 1024;
/// How long readings wait for others, by lane: alert, vital, wave, health.
const INTERVALS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(15),
];

thread_local! {
    static SEED: RefCell<Random> = RefCell::new(Random::new(0));
    static STUCK: Cell<bool> = const { Cell::new(false) };
}

/// Random bytes from the world's seed, so that the same seed gives the same world.
fn seeded(bytes: &mut [u8]) -> Result<(), agent::seal::SealError> {
    if STUCK.get() {
        bytes.fill(0x5A);
    } else {
        SEED.with_borrow_mut(|random| bytes.fill_with(|| random.number() as u8));
    }
    Ok(())
}

impl GatewayNode {
    /// A gateway that was provisioned and not yet started.
    ///
    /// # Errors
    /// The keyring cannot be written.
    pub fn new(
        fleet: Fleet,
        id: GatewayId,
        folder: &std::path::Path,
        (disk, quota): (InventedDisk, Quota),
        books: SharedBooks,
        client: Rc<RefCell<Client>>,
        seed: u64,
    ) -> Result<Self> {
        SEED.with_borrow_mut(|random| *random = Random::new(seed));
        STUCK.set(false);
        let keyring_path = folder.join("keyring");
        store(&keyring_path, &fleet.document)?;
        let (chunks, intake) = mpsc::channel(CHUNKS_MAX);
        let time = VirtualTime::default();
        let wake_at = time.now();
        Ok(Self {
            id,
            disk,
            time,
            wake_at,
            line: None,
            registry: Registry::default(),
            chunks,
            intake,
            fleet,
            keyring_path,
            books,
            client,
            quota,
            boot: [0; 16],
            off_until: Duration::ZERO,
            failed_starts: 0,
        })
    }

    /// What the agent keeps in memory is gone.
    pub fn end(&mut self, off_until: Duration) {
        (self.line, self.registry) = (None, Registry::default());
        (self.chunks, self.intake) = mpsc::channel(CHUNKS_MAX);
        self.off_until = off_until;
    }

    /// Its generator gives the same bytes again and again, or no longer.
    pub fn stick_random(&self, stuck: bool) {
        STUCK.set(stuck);
    }

    /// The kernel starts again.
    pub fn boot(&mut self) {
        self.time.boot();
        self.boot[0] = self.boot[0].wrapping_add(1);
        self.boot[1] = self.boot[1].wrapping_add(u8::from(self.boot[0] == 0));
    }

    fn start(&mut self, random: &mut Random) -> Result<()> {
        let mut clock = Clock::of(Box::new(self.time.clone()));
        let (state, now) = (clock.state(), clock.now());
        let keyring = load_keyring(&self.keyring_path, &self.fleet.roots)?;
        let seal = Seal::new(Fleet::signer(self.id), keyring.clone(), self.fleet.suite);
        let seal = seal.with_random(seeded);
        let sealer = Watched::new(seal, self.books.clone(), self.time.clone(), &self.fleet);
        let (gateway, boot) = (self.id, BootId(self.boot));
        let writer = Writer { gateway, boot, software: "world".into() };
        let (buffer, _) = Buffer::recover(self.disk.clone(), sealer, writer, self.quota, &state)?;
        let uplink = Uplink::new(now, WINDOW_BYTES, random.number());
        // The true figure differs from run to run, and with it the length of a report.
        let health = Health::new(gateway, INTERVALS[3], state.monotonic).with_memory(|| 1 << 23);
        let roots = self.fleet.roots.clone();
        let trust = Trust::new(gateway, roots, keyring, self.keyring_path.clone());
        let (client, disk, books) = (self.client.clone(), self.disk.clone(), self.books.clone());
        let hands = WorldHands { client, disk, books };
        let batcher = Batcher::new(INTERVALS);
        let by = By { gateway, boot, signer: Fleet::signer(gateway) };
        let mut trail = Trail::new(self.disk.clone(), by);
        let why = "the world began it".to_owned();
        trail.begin(Begun { software: "world".into(), config: [0; 32], why }, &state);
        let mut line = Line::new(clock, batcher, buffer, uplink, hands, health, trust);
        line.audit = Some(trail);
        self.line = Some(line);
        Ok(())
    }

    /// One tick: starts if it is time, takes what has come, and lets the line turn.
    pub fn step(&mut self, events: Vec<(u64, FromBroker)>, random: &mut Random) {
        let elapsed = self.time.elapsed();
        if self.line.is_none() {
            if elapsed < self.off_until {
                return;
            }
            if let Err(error) = self.start(random) {
                if !self.disk.is_off() {
                    self.failed_starts += 1;
                    let what = format!("no start at {elapsed:?}: {error:#}");
                    self.books.borrow_mut().violate("O12 total", what);
                }
                self.off_until = elapsed + Duration::from_secs(1);
                return;
            }
        }
        let Some(line) = &mut self.line else { return };
        let mut heard = !events.is_empty();
        for (generation, event) in events {
            line.hear_broker(generation, event);
        }
        while !line.is_held_back()
            && let Ok(chunk) = self.intake.try_recv()
        {
            line.hear(&chunk);
            heard = true;
        }
        if heard || self.wake_at <= self.time.now() {
            line.turn(false);
            self.wake_at = line.wake();
        }
    }

    /// Its clock, for deadlines.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Bytes that no receipt covers; `None` while it is away.
    #[must_use]
    pub fn backlog_bytes(&self) -> Option<u64> {
        self.line.as_ref().map(|line| line.buffer.backlog_bytes())
    }
}
