//! Intake: what devices say, byte for byte checked, becomes something the line can take.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wire::batch::{ChannelInfo, Source};
use wire::identity::{DeviceId, SourceBoot};
use wire::link::Hello;
use wire::reading::{Channel, ChannelKind};
use wire::time::MonotonicNanos;

pub mod admission;

pub mod associations;

pub mod complaints;

pub mod hl7;

pub mod link;

mod lock;

#[cfg(feature = "onboard")]
pub mod onboard;

mod pace;

pub mod past;

pub mod patients;

pub mod ports;

pub mod runs;

mod ticks;

use admission::{Admission, Proof};
use complaints::{Complaint, Complaints};
use past::Last;
use ticks::Ticks;

/// Which channel list a channel of a device stands in, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slot {
    /// Place among the numerics.
    Numeric(usize),
    /// Place among the waves.
    Wave(usize),
}

/// What the contexts of a speaker are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Names {
    /// Identifiers of patients, by the device's own word.
    Patients,
    /// Tokens already.
    Tokens,
    /// Tokens that a person gives a device, whoever speaks for it and says nothing else.
    Assigned,
}

/// A device's introduction, complete. The lists are shared by all devices that have the same.
#[derive(Clone, Debug)]
pub struct Device {
    /// Who it is.
    pub source: Source,
    /// How it has proven that.
    pub proof: Proof,
    /// Where it speaks.
    pub port: Arc<str>,
    /// Maker, model, version.
    pub model: String,
    /// Version of its firmware; empty if it does not say it.
    pub firmware: String,
    /// Where each of its channels stands.
    pub slots: Vec<Slot>,
    /// Its numeric channels.
    pub numerics: Arc<Vec<ChannelInfo>>,
    /// Its wave channels.
    pub waves: Arc<Vec<ChannelInfo>>,
    /// What its contexts are.
    pub names: Names,
}

impl Device {
    /// A device that measures nothing.
    #[must_use]
    pub fn silent(source: Source) -> Self {
        Self {
            source,
            proof: Proof::default(),
            port: "".into(),
            model: String::new(),
            firmware: String::new(),
            slots: Vec::new(),
            numerics: Arc::default(),
            waves: Arc::default(),
            names: Names::Patients,
        }
    }
}

/// One link frame that checked.
#[derive(Clone, Copy, Debug)]
pub struct FrameSpan {
    /// The device's sequence number.
    pub sequence: u32,
    /// Whether it is a gap that the device declares.
    pub gap: bool,
    /// Where its payload begins in the chunk.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// How long before its reception its readings were taken, nanoseconds, as far as the device's
    /// counting says it; also before our own start.
    pub age_ns: u64,
}

/// Frames of one device that came together.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The speaker.
    pub device: Arc<Device>,
    /// When the bytes came.
    pub received: MonotonicNanos,
    /// Payloads, one after the other.
    pub bytes: Vec<u8>,
    /// Where each frame's payload lies.
    pub frames: Vec<FrameSpan>,
    /// Link frames that did not check since the last chunk.
    pub link_errors: u64,
    /// Whom to tell when they are durable.
    pub run: Arc<Run>,
    /// What the device said of this run, with the first chunk of it on this line.
    pub begun: Option<Last>,
    /// How long it may wait for others at most, if somebody waits for its acknowledgement.
    pub within: Option<Duration>,
}

/// One run of a device, from its start to its next, however often its line breaks in between.
#[derive(Debug)]
pub struct Run {
    device: DeviceId,
    boot: SourceBoot,
    proof: Proof,
    durable: watch::Sender<Option<u32>>,
    ticks: Mutex<Ticks>,
    /// Whether it was noted with it how its device has proven itself.
    noted: AtomicBool,
}

impl Run {
    fn new(device: DeviceId, boot: SourceBoot, proof: Proof) -> Self {
        let (durable, ticks) = (watch::Sender::new(None), Mutex::default());
        Self { device, boot, proof, durable, ticks, noted: AtomicBool::new(false) }
    }

    /// Whether it must be noted with this run how its device has proven itself.
    pub fn is_news(&self) -> bool {
        !self.noted.swap(true, Ordering::Relaxed)
    }

    /// Everything up to a sequence survives a power cut: whoever holds the device's line says so.
    pub fn is_durable_to(&self, sequence: u32) {
        self.durable.send_if_modified(|known| {
            let grows = known.is_none_or(|known| known < sequence);
            *known = Some(known.map_or(sequence, |known| known.max(sequence)));
            grows
        });
    }
}

/// What all sessions know together: who may speak, the lists of channels, each kept once, and the
/// runs of devices.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    shapes: Arc<Mutex<Vec<Arc<Vec<ChannelInfo>>>>>,
    runs: Arc<Mutex<VecDeque<Arc<Run>>>>,
    admission: Admission,
    complaints: Complaints,
    /// What one port may say, bytes a second; none: all that it likes.
    rate: Option<NonZeroU64>,
}

/// Lists that nobody else holds are dropped when more than this many are kept.
const SHAPES_MAX: usize = 256;
/// Runs that are remembered; a device whose run is not is asked what it still holds.
const RUNS_MAX: usize = 1024;

impl Registry {
    /// One that takes only whom it should.
    #[must_use]
    pub fn admitting(admission: Admission, rate: NonZeroU64) -> Self {
        Self { admission, rate: Some(rate), ..Self::default() }
    }

    /// The same for sensors on our own buses, which nobody can take the place of.
    #[must_use]
    pub fn trusting(&self) -> Self {
        Self { admission: Admission::default(), ..self.clone() }
    }

    const fn rate(&self) -> Option<NonZeroU64> {
        self.rate
    }

    /// A port says more than it may.
    fn is_babbling(&self, port: &str, now: MonotonicNanos) {
        let kib = self.rate.map_or(0, NonZeroU64::get) / 1024;
        let words = format!(
            "{port}: a device says more than {kib} KiB a second and is slowed down; look whether \
             it babbles, or raise `port_kib_s` in [intake]"
        );
        self.complaints.say(Complaint::Babble, port.to_owned(), words, now);
    }

    /// Where it says what is wrong with devices.
    #[must_use]
    pub fn complaints(&self) -> Complaints {
        self.complaints.clone()
    }

    /// The run of a device, the same for each of its connections. What somebody said in its place
    /// without its key is another one.
    fn run(&self, device: DeviceId, boot: SourceBoot, proof: Proof) -> Arc<Run> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |run: &Arc<Run>| (run.device, run.boot, run.proof) == (device, boot, proof);
        let known = runs.iter().position(is_it);
        let run = known.and_then(|at| runs.remove(at));
        let run = run.unwrap_or_else(|| Arc::new(Run::new(device, boot, proof)));
        runs.push_back(run.clone());
        if runs.len() > RUNS_MAX {
            runs.pop_front();
        }
        run
    }

    fn intern(&self, list: Vec<ChannelInfo>) -> Arc<Vec<ChannelInfo>> {
        let mut kept = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = kept.iter().find(|kept| ***kept == list) {
            return same.clone();
        }
        if kept.len() >= SHAPES_MAX {
            kept.retain(|list| Arc::strong_count(list) > 1);
        }
        let list = Arc::new(list);
        kept.push(list.clone());
        list
    }
}

/// Collects the parts of a hello.
#[derive(Debug, Default)]
pub struct Introduction {
    parts: BTreeMap<u32, Vec<(usize, ChannelInfo)>>,
    wanted: u8,
    boot: u32,
    device: Option<DeviceId>,
    proof: Proof,
}

fn owned(channel: &Channel<'_>) -> ChannelInfo {
    ChannelInfo {
        code: channel.code,
        unit: channel.unit,
        kind: channel.kind,
        label: channel.label.to_owned(),
        unit_label: channel.unit_label.to_owned(),
    }
}

impl Introduction {
    /// Takes one part; gives the device once all parts of one boot are there.
    pub fn take(
        &mut self,
        boot: u32,
        part: u32,
        (hello, proof): (&Hello<'_>, Proof),
        registry: &Registry,
    ) -> Option<Device> {
        let about = (Some(hello.device), boot, hello.parts, proof);
        if (self.device, self.boot, self.wanted, self.proof) != about {
            self.parts.clear();
            (self.device, self.boot, self.wanted, self.proof) = about;
        }
        if part >= u32::from(hello.parts) {
            return None;
        }
        let first = usize::from(hello.channel_first);
        let channels = hello.channels().enumerate();
        self.parts.insert(part, channels.map(|(at, c)| (first + at, owned(&c))).collect());
        if self.parts.len() < usize::from(self.wanted) {
            return None;
        }
        let channels: Vec<(usize, ChannelInfo)> =
            std::mem::take(&mut self.parts).into_values().flatten().collect();
        let in_order = channels.iter().enumerate().all(|(at, (number, _))| at == *number);
        in_order.then(|| Device { proof, ..complete(boot, hello, channels, registry) })
    }
}

fn complete(
    boot: u32,
    hello: &Hello<'_>,
    channels: Vec<(usize, ChannelInfo)>,
    registry: &Registry,
) -> Device {
    let (mut numerics, mut waves, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    for (_, channel) in channels {
        match channel.kind {
            ChannelKind::Numeric { .. } => {
                slots.push(Slot::Numeric(numerics.len()));
                numerics.push(channel);
            }
            ChannelKind::Wave { .. } => {
                slots.push(Slot::Wave(waves.len()));
                waves.push(channel);
            }
        }
    }
    let source = Source {
        device: hello.device,
        boot: SourceBoot(boot),
        clock: hello.clock,
        tick_exponent: hello.tick_exponent,
        mode: hello.mode,
    };
    Device {
        model: hello.model.to_owned(),
        slots,
        numerics: registry.intern(numerics),
        waves: registry.intern(waves),
        ..Device::silent(source)
    }
}
