//! The desk: gives messages their numbers, remembers them, and hands them to the line, in order.
//!
//! Order: numbers and memory are durable before a message goes to the line; so one that comes again
//! after a crash is the same.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use wire::identity::DeviceId;
use wire::time::MonotonicNanos;

use super::message::Refusal;
use super::observe::{Reported, System};
use super::say::{Cast, frames};
use super::seen::{DEVICES_MAX, Entry, Key, Seen};
use crate::buffer::disk::Folder;
use crate::intake::admission::Proof;
use crate::intake::past::Last;
use crate::intake::{Chunk, Device, FrameSpan, Run};

/// Messages that may wait for their numbers; then connections wait.
const REQUESTS_MAX: usize = 256;
/// Messages that are remembered with one sync.
const GROUP_MAX: usize = 256;
/// Device systems that have spoken in this run; of a site with more, further ones are refused.
const SPEAKERS_MAX: usize = 4096;

/// A message that was read whole.
pub struct Request {
    /// What it is known by.
    pub key: Key,
    /// What it says.
    pub reported: Reported,
    /// Where it came.
    pub port: Arc<str>,
    /// How its sender has proven itself.
    pub proof: Proof,
    /// When it came.
    pub received: MonotonicNanos,
    /// Whom to tell.
    pub answer: oneshot::Sender<Result<Vec<Wait>, Refusal>>,
}

/// What must be durable before a message is acknowledged.
#[derive(Clone, Debug)]
pub struct Wait {
    durable: watch::Receiver<Option<u32>>,
    sequence: u32,
}

impl Wait {
    /// Waits until it is durable; false if the line has ended before.
    pub async fn done(&mut self) -> bool {
        let sequence = self.sequence;
        self.durable.wait_for(|durable| *durable >= Some(sequence)).await.is_ok()
    }

    fn is_done(&self) -> bool {
        *self.durable.borrow() >= Some(self.sequence) || self.durable.has_changed().is_err()
    }
}

/// What the desk needs.
pub struct Ground {
    /// Where messages are remembered.
    pub seen: Seen<Folder>,
    /// The number of this run; its uppermost bit is not used.
    pub run: u32,
    /// Where chunks go.
    pub line: mpsc::Sender<Chunk>,
    /// How long what a message says may wait for others.
    pub gather: Duration,
    /// Devices and what they are called.
    pub cast: Cast,
}

/// Opens the desk: a thread of its own, since it waits for the disk.
///
/// # Errors
/// The system gives no thread.
pub fn open(ground: Ground) -> std::io::Result<mpsc::Sender<Request>> {
    let (sender, requests) = mpsc::channel(REQUESTS_MAX);
    let (next, labelled) = (HashMap::new(), HashSet::new());
    let (pending, order) = (HashMap::new(), VecDeque::new());
    let desk = Desk { ground, next, labelled, pending, order };
    std::thread::Builder::new().name("hl7".into()).spawn(move || desk.serve(requests))?;
    Ok(sender)
}

struct Desk {
    ground: Ground,
    /// The next number of each device system in this run, by how its senders proved themselves.
    next: HashMap<(DeviceId, Proof), u32>,
    /// Of which devices this run has noted how those who speak for them prove themselves.
    labelled: HashSet<(DeviceId, Proof)>,
    /// Messages that are not durable yet, oldest first.
    pending: HashMap<Key, Vec<Wait>>,
    order: VecDeque<Key>,
}

/// What becomes of a message.
enum Fate {
    /// It has its numbers and goes to the line under them.
    Taken(Entry),
    /// It is the same as one of its own group, which goes before it.
    Again,
    /// It is the same as one that is there.
    Same(Vec<Wait>),
}

impl Desk {
    fn serve(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut group = vec![first];
            while let Some(next) = (group.len() < GROUP_MAX).then(|| requests.try_recv().ok()) {
                let Some(next) = next else { break };
                group.push(next);
            }
            if self.ground.line.is_closed() {
                return;
            }
            self.take(group);
        }
    }

    fn take(&mut self, group: Vec<Request>) {
        self.forget_durable();
        let mut fates: Vec<(Request, Result<Fate, Refusal>)> = Vec::with_capacity(group.len());
        let mut news: HashMap<Key, Entry> = HashMap::new();
        for request in group {
            let fate = self.decide(&request, &mut news);
            fates.push((request, fate));
        }
        let kept = self.ground.seen.remember(news.into_iter().collect());
        if let Err(error) = &kept {
            tracing::error!(%error, "HL7 messages cannot be remembered, and are not taken");
        }
        for (request, fate) in fates {
            let waits = match fate {
                Err(refusal) => Err(refusal),
                Ok(Fate::Same(waits)) => Ok(waits),
                Ok(Fate::Taken(_) | Fate::Again) if kept.is_err() => {
                    Err(Refusal::error("MSH", "nothing can be kept now; send it again"))
                }
                // The one before it may not have gone to the line.
                Ok(Fate::Again) => self
                    .pending
                    .get(&request.key)
                    .cloned()
                    .ok_or_else(|| Refusal::error("MSH", "it is not kept; send it again")),
                Ok(Fate::Taken(entry)) => self.hand_over(&request, &entry),
            };
            // A connection that has ended asks again on another one.
            let _: Result<_, _> = request.answer.send(waits);
        }
    }

    /// Forgets what has become durable.
    fn forget_durable(&mut self) {
        while let Some(key) = self.order.front() {
            let waits = self.pending.get(key);
            if waits.is_some_and(|waits| !waits.iter().all(Wait::is_done)) {
                return;
            }
            self.pending.remove(key);
            self.order.pop_front();
        }
    }

    fn decide(
        &mut self,
        request: &Request,
        news: &mut HashMap<Key, Entry>,
    ) -> Result<Fate, Refusal> {
        let systems = &request.reported.systems;
        if systems.len() > DEVICES_MAX {
            let says = format!("more than {DEVICES_MAX} device systems; one a message is the rule");
            return Err(Refusal::error("OBX-4", says));
        }
        let known = news.get(&request.key).or_else(|| self.ground.seen.of(&request.key));
        if let Some(known) = known {
            // What is pending under its name may be another one's of before.
            if news.contains_key(&request.key) {
                return Ok(Fate::Again);
            }
            if let Some(waits) = self.pending.get(&request.key) {
                return Ok(Fate::Same(waits.clone()));
            }
            if known.run >> 1 == self.ground.run {
                return Ok(Fate::Same(Vec::new()));
            }
            // Nobody knows how far it came before the restart: it goes again, as the same.
            return Ok(Fate::Taken(known.clone()));
        }
        let mut first = Vec::with_capacity(systems.len());
        for system in systems {
            let device = system.identity.device;
            let key = (device, request.proof);
            let is_full = self.next.len() >= SPEAKERS_MAX && !self.next.contains_key(&key);
            if is_full {
                let says = format!("more than {SPEAKERS_MAX} device systems at one gateway");
                return Err(Refusal::reject("OBX-18", says));
            }
            let next = self.next.entry(key).or_insert(1);
            first.push((device, *next));
            *next = next.wrapping_add(frames(system).len() as u32);
        }
        let run = self.run(request.proof);
        let entry = Entry { run, first };
        news.insert(request.key, entry.clone());
        Ok(Fate::Taken(entry))
    }

    /// The run of what is said on one kind of port: what others say of the same has another.
    const fn run(&self, proof: Proof) -> u32 {
        self.ground.run << 1 | matches!(proof, Proof::Key) as u32
    }

    /// Hands what a message says to the line; what must be durable then.
    fn hand_over(&mut self, request: &Request, entry: &Entry) -> Result<Vec<Wait>, Refusal> {
        let mut waits = Vec::new();
        self.pending.remove(&request.key);
        for (system, (_, first)) in request.reported.systems.iter().zip(&entry.first) {
            let device = self.ground.cast.device(system, (&request.port, request.proof), entry.run);
            waits.extend(self.say(request, system, device, *first)?);
        }
        self.pending.insert(request.key, waits.clone());
        self.order.push_back(request.key);
        Ok(waits)
    }

    fn say(
        &mut self,
        request: &Request,
        system: &System,
        device: Arc<Device>,
        first: u32,
    ) -> Result<Option<Wait>, Refusal> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        let context = self.ground.cast.context(system);
        let payloads = super::say::payloads(system, &device, &context);
        for (sequence, (age_ns, payload)) in (first..).zip(payloads) {
            let start = bytes.len();
            bytes.extend_from_slice(payload.as_slice());
            let end = bytes.len();
            spans.push(FrameSpan { sequence, gap: false, start, end, age_ns });
        }
        let Some(last) = spans.last() else { return Ok(None) };
        let sequence = last.sequence;
        let source = device.source;
        // A run of its own for each message: what is durable of one says nothing of the others.
        let run = Arc::new(Run::new(source.device, source.boot, request.proof));
        let durable = run.durable.subscribe();
        let has_key = request.proof == Proof::Key;
        let begins = self.labelled.insert((source.device, request.proof));
        let boot = source.boot.0;
        let begun = begins.then_some(Last { boot, is_counted: true, capacity: 0, has_key });
        let chunk = Chunk {
            device,
            received: request.received,
            bytes,
            frames: spans,
            link_errors: 0,
            run,
            begun,
            within: Some(self.ground.gather),
        };
        let ended = || Refusal::error("MSH", "the gateway stops; send it again");
        self.ground.line.blocking_send(chunk).map_err(|_| ended())?;
        Ok(Some(Wait { durable, sequence }))
    }
}
