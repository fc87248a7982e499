//! The line: one thread that owns every stage between intake and the broker.
//!
//! Frames come in, batches close, are sealed, appended and made durable; then devices are
//! acknowledged and records offered to the broker; receipts come back and the log forgets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use wire::gap::{Cause, Hole};
use wire::identity::Lane;

use crate::audit::{Pen, Trail};
use crate::buffer::disk::Disk;
use crate::buffer::{AppendError, Buffer, Position, RecordAt};
use crate::clock::Clock;
use crate::health::{Alarm, Health};
use crate::intake::{Chunk, Run};
use crate::seal::batcher::{Batcher, Closed, Said};
use crate::seal::{SealError, Sealer};
use crate::tap::Taps;
use crate::uplink::Hands;
use crate::uplink::driver::FromBroker;
use crate::uplink::machine::{Records, Uplink};

mod answers;

pub mod probe;

mod resets;

mod sending;

mod steps;

mod trail;

mod trust;

pub use resets::Resets;
pub use trust::Trust;

use probe::Probes;
use trail::Noticed;

/// Acknowledgements that wait for a commit, by run of a device.
type Waiting = BTreeMap<usize, (Arc<Run>, VecDeque<Due>)>;

/// A sequence that may be acknowledged once everything up to `order` is durable.
struct Due {
    order: u64,
    sequence: u32,
}

/// What the line is made of.
pub struct Line<D: Disk, S, H> {
    /// Reads time.
    pub clock: Clock,
    /// Closes batches.
    pub batcher: Batcher,
    /// The log.
    pub buffer: Buffer<D, S>,
    /// Rules of sending.
    pub uplink: Uplink,
    /// Hands of sending.
    pub hands: H,
    /// What people see.
    pub health: Health,
    /// Trust.
    pub trust: Trust,
    /// Runs of devices.
    pub resets: Resets,
    /// The gateway's own audit trail, if one is kept.
    pub audit: Option<Trail<D>>,
    waiting: Waiting,
    order: u64,
    unsent: Option<(Lane, RecordAt)>,
    closed: VecDeque<Closed>,
    held_back: bool,
    probes: Probes,
    taps: Taps,
    pen: Pen,
    noticed: Noticed,
}

struct Log<'a, D: Disk, S> {
    buffer: &'a mut Buffer<D, S>,
    clock: wire::time::ClockState,
}

impl<D: Disk, S: Sealer> Records for Log<'_, D, S> {
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt> {
        self.buffer.next_unreceipted(lane, from, &self.clock)
    }

    fn edge(&self, lane: Lane) -> Position {
        self.buffer.edge(lane)
    }
}

/// Chunks that are taken in one turn before anything else gets its turn.
const CHUNKS_A_TURN: usize = 16;
/// Longest sleep of the line.
const IDLE: Duration = Duration::from_millis(250);

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// Puts the stages together.
    pub fn new(
        clock: Clock,
        batcher: Batcher,
        buffer: Buffer<D, S>,
        uplink: Uplink,
        hands: H,
        health: Health,
        trust: Trust,
    ) -> Self {
        let probes = Probes::none(trust.gateway);
        let taps = Taps::new(health.looks());
        Self {
            probes,
            taps,
            clock,
            batcher,
            buffer,
            uplink,
            hands,
            health,
            trust,
            resets: Resets::default(),
            audit: None,
            pen: Pen::default(),
            noticed: Noticed::default(),
            waiting: Waiting::new(),
            order: 0,
            unsent: None,
            closed: VecDeque::new(),
            held_back: false,
        }
    }

    /// Runs until `stop` says so or intake has ended; what was taken is then durable.
    pub async fn run(
        mut self,
        mut intake: mpsc::Receiver<Chunk>,
        mut broker: mpsc::Receiver<(u64, FromBroker)>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            self.turn(false);
            let wake = self.wake();
            tokio::select! {
                chunk = intake.recv(), if !self.held_back => {
                    let Some(chunk) = chunk else { break };
                    self.hear(&chunk);
                    for _ in 1..CHUNKS_A_TURN {
                        let Ok(chunk) = intake.try_recv() else { break };
                        self.hear(&chunk);
                    }
                }
                event = broker.recv() => {
                    if let Some((generation, event)) = event {
                        self.hear_broker(generation, event);
                    }
                    while let Ok((generation, event)) = broker.try_recv() {
                        self.hear_broker(generation, event);
                    }
                }
                () = self.probes.asked() => {}
                _ = stop.changed() => break,
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
        intake.close();
        while let Ok(chunk) = intake.try_recv() {
            self.hear(&chunk);
        }
        self.turn(true);
    }

    /// When the next turn is due if nothing happens before.
    #[must_use]
    pub fn wake(&self) -> Instant {
        let now = self.clock.now();
        let due = self.batcher.next_due().map(|due| {
            let wait = due.0.saturating_sub(self.clock.monotonic().0);
            now + Duration::from_nanos(wait)
        });
        self.uplink.wake_at(now).min(due.unwrap_or(now + IDLE)).min(now + IDLE)
    }

    /// Whether nothing can be stored, so that devices must wait.
    #[must_use]
    pub const fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// Where people at the gateway hear what the line hears.
    #[must_use]
    pub fn taps(&self) -> Taps {
        self.taps.clone()
    }

    /// Takes a device's chunk into the growing batches.
    pub fn hear(&mut self, chunk: &Chunk) {
        self.taps.hear(chunk);
        if let Some(begun) = chunk.begun {
            self.begin_run(&chunk.device, &chunk.run, begun);
        }
        let (clock, mut accepted) = (self.clock.state(), 0);
        for frame in &chunk.frames {
            self.order += 1;
            let payload = &chunk.bytes[frame.start..frame.end];
            let said = Said {
                device: &chunk.device,
                sequence: frame.sequence.into(),
                gap: frame.gap,
                payload,
                received: chunk.received,
                age_ns: frame.age_ns,
            };
            match self.batcher.take(&said, &clock, self.order) {
                Ok(readings) => accepted += readings,
                Err(error) => self.misheard(&said, &clock, &error),
            }
        }
        self.health.devices.heard(&chunk.device, accepted, chunk.link_errors, clock.monotonic);
        self.batcher.hurry(chunk.received, chunk.within);
        if let Some(last) = chunk.frames.last() {
            let key = Arc::as_ptr(&chunk.run) as usize;
            let of_run = || (chunk.run.clone(), VecDeque::new());
            let due = Due { order: self.order, sequence: last.sequence };
            self.waiting.entry(key).or_insert_with(of_run).1.push_back(due);
        }
    }

    /// A frame that uses channels as what they are not: declared as a loss, since it will be
    /// acknowledged and the device then forgets it.
    fn misheard(
        &mut self,
        said: &Said<'_>,
        clock: &wire::time::ClockState,
        error: &wire::link::PayloadError,
    ) {
        let device = said.device.source.device;
        tracing::error!(device = %device, %error, "a frame contradicts the device's hello");
        self.batcher.lose(said, clock);
        self.health.devices.refused_frame(device);
    }

    /// One turn: close, seal, append, commit, acknowledge, send; with `all`, whatever waits.
    pub fn turn(&mut self, all: bool) {
        let clock = self.look_at_clock();
        self.keep_trail(&clock, all);
        // A slow medium may have taken its time over the trail.
        let clock = self.look_at_clock();
        if !self.held_back {
            let is_shipped = self.ship_trail(&clock);
            self.health.beat(&mut self.batcher, &self.buffer, &self.uplink, &clock);
            if is_shipped {
                self.batcher.close(Lane::Health);
            }
        }
        self.batcher.close_due(clock.monotonic, all);
        self.begin_probe(&clock);
        self.make_durable(&clock);
        self.probe_is_durable();
        if !self.held_back {
            self.keep_keyring();
            self.keep_runs(all);
        }
        self.buffer.tend(&clock);
        self.look_after_trust(&clock);
        self.send();
        self.health.publish(&self.buffer, &self.uplink, &clock);
    }

    /// Appends and syncs what was closed; then devices are acknowledged.
    ///
    /// When the medium refuses, nothing is accepted: the batches wait, devices are held back and
    /// keep what they have, and the next turn tries again.
    fn make_durable(&mut self, clock: &wire::time::ClockState) {
        self.closed.extend(self.batcher.take_closed());
        if self.closed.is_empty() && !self.batcher.has_lost() && !self.held_back {
            return;
        }
        let began = self.clock.now();
        let appended = self.append_all(clock);
        let result = self.buffer.commit(clock).and(appended);
        if let Err(error) = &result {
            tracing::error!(%error, "nothing can be stored; devices are held back");
        }
        let words = result.as_ref().err().map(|error| {
            format!("nothing can be stored, devices are held back and keep what they have: {error}")
        });
        self.health.alarm(Alarm::Storage, words.into_iter().collect());
        self.held_back = result.is_err();
        if self.held_back {
            return;
        }
        self.health.synced(self.clock.now() - began);
        self.trail_is_sealed();
        self.acknowledge();
    }

    /// Appends what was closed. A lane that cannot go on waits and the others do not; the gateway's
    /// own report is given up rather than a reading held back.
    fn append_all(&mut self, clock: &wire::time::ClockState) -> Result<(), AppendError> {
        for (lane, readings) in self.batcher.take_lost() {
            self.declare_lost(lane, readings, clock);
        }
        let mut waiting: VecDeque<Closed> = VecDeque::new();
        let mut result = Ok(());
        for batch in std::mem::take(&mut self.closed) {
            let lane = batch.lane;
            if waiting.iter().any(|earlier| earlier.lane == lane) {
                waiting.push_back(batch);
                continue;
            }
            match self.buffer.append(lane, &batch.plaintext, batch.readings, clock) {
                Ok(()) => {}
                Err(AppendError::Seal(SealError::Batch(error))) => {
                    tracing::error!(lane = %lane, %error, "a batch can never be sealed");
                    self.declare_lost(lane, batch.readings, clock);
                }
                Err(AppendError::Seal(error)) if lane == Lane::Health => {
                    tracing::error!(%error, "a health report is given up");
                    self.trail_is_given_up();
                }
                Err(error) => {
                    result = result.and(Err(error));
                    waiting.push_back(batch);
                }
            }
        }
        self.closed = waiting;
        result
    }

    /// Declares readings that were taken from a device and never became a record.
    fn declare_lost(&mut self, lane: Lane, readings: u64, clock: &wire::time::ClockState) {
        let hole = Hole {
            segment: None,
            indexes: (0, 0),
            sequences: None,
            readings: (readings, readings),
            moments: None,
            cause: Cause::Overflow,
            before: None,
            after: None,
        };
        if let Err(error) = self.buffer.append_gap(lane, hole, clock) {
            tracing::error!(lane = %lane, %error, readings, "a gap could not be written yet");
        }
    }

    fn acknowledge(&mut self) {
        let horizon = self.batcher.oldest_order().unwrap_or(u64::MAX);
        self.waiting.retain(|_, (run, due)| {
            let durable = due.iter().take_while(|due| due.order < horizon).count();
            if let Some(last) = due.drain(..durable).next_back() {
                run.is_durable_to(last.sequence);
            }
            !due.is_empty()
        });
    }
}
