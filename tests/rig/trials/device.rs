//! A device and its gateway: what was only heard, what found no room, when it was measured, what a
//! run that ended held, and whose words they are.

use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agent::intake::admission::{self, Admission};
use agent::intake::link::Session;
use agent::intake::past::Last;
use agent::intake::{Chunk, Device, Registry};
use agent::seal::batcher::Batcher;
use firmware_shim::about::About;
use firmware_shim::ring::{Class, Ring};
use firmware_shim::sender::Sender;
use tempfile::TempDir;
use tokio::sync::mpsc;
use wire::batch::Source;
use wire::identity::{DeviceId, SourceBoot};
use wire::link::{
    Challenge, DataWriter, Deframer, ENCODED_BYTES_MAX, Frame, Kind, LinkKey, SourceGap,
};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{ClockState, DeviceClock, MonotonicNanos, TimeSource};

use super::demand;

const DEVICE: DeviceId = DeviceId(7);
const BOOT: u32 = 3;
const KEY: [u8; LinkKey::BYTES] = [5; LinkKey::BYTES];
const CHANNEL: Channel<'static> = Channel {
    code: 150_344,
    unit: 268_192,
    kind: ChannelKind::Numeric { exponent: -1 },
    label: "",
    unit_label: "",
};

type Speaker = Sender<'static, 512>;

fn speaker(boot: u32) -> Speaker {
    let (device, mode, channels) = (DEVICE, Mode::Demo, &[CHANNEL]);
    let about = About { device, model: "t", firmware: "1", is_counted: true, mode, channels };
    Sender::new(about, boot, 0)
}

fn record(ticks: i64) -> Vec<u8> {
    let mut writer = DataWriter::new(ticks);
    assert!(writer.numerics(0, &[Ok(365)]), "one value fits a frame");
    writer.finish().as_slice().to_vec()
}

fn take(speaker: &mut Speaker, ticks: i64) {
    let taken = speaker.ring.push(Class::Vital, 1, &record(ticks));
    assert!(taken.is_some(), "there is room");
}

fn said(speaker: &mut Speaker, now: u32) -> Vec<u8> {
    let mut bytes = vec![0; 16 * ENCODED_BYTES_MAX];
    let mut room = &mut bytes[..];
    while let Ok(true) = speaker.send(&mut room, now) {}
    let left = room.len();
    bytes.truncate(bytes.len() - left);
    bytes
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = frame.encode(&mut out);
    out[..length].to_vec()
}

/// A gateway's end of a line.
struct Ear {
    session: Session,
    chunks: (mpsc::Sender<Chunk>, mpsc::Receiver<Chunk>),
}

impl Ear {
    fn new(registry: Registry) -> Self {
        Self { session: Session::new(registry), chunks: mpsc::channel(64) }
    }

    /// What it answers, and what it has taken.
    fn hear(&mut self, bytes: &[u8], now_ms: u64) -> Result<(Vec<u8>, Vec<Chunk>), String> {
        let now = MonotonicNanos(now_ms * 1_000_000);
        let pushed = self.session.push(bytes, now, &self.chunks.0);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(answer)) = pin!(pushed).poll(&mut context) else {
            return Err("the session waits".into());
        };
        let mut chunks = Vec::new();
        while let Ok(chunk) = self.chunks.1.try_recv() {
            chunks.push(chunk);
        }
        Ok((answer, chunks))
    }
}

/// What a gateway has only heard, a device keeps.
pub(super) fn heard_is_kept() -> Result<(), String> {
    let mut speaker = speaker(BOOT);
    take(&mut speaker, 1);
    said(&mut speaker, 0);
    let heard = Frame { kind: Kind::Heard, boot: BOOT, sequence: 1, payload: &[] };
    speaker.hear(&encoded(&heard), 1);
    demand(speaker.ring.waiting() == 1, "a device forgets what was only heard")
}

/// What finds no room is declared in its place.
pub(super) fn no_room_is_declared() -> Result<(), String> {
    let mut ring = Ring::<64>::default();
    let pushed = (0..9).filter(|ticks| ring.push(Class::Vital, 1, &record(*ticks)).is_some());
    let taken = pushed.count() as u64;
    ring.acknowledge(1);
    ring.close_gaps();
    let gaps = (ring.first()..ring.next()).filter_map(|sequence| ring.record(sequence));
    let gaps = gaps.filter(|record| record.gap);
    let declared: u64 =
        gaps.filter_map(|gap| Some(SourceGap::read(gap.payload).ok()?.readings)).sum();
    demand(declared == 9 - taken, format!("{declared} declared, {taken} taken of 9"))
}

/// What comes after a dead cable has the time at which it was measured.
pub(super) fn age_is_known() -> Result<(), String> {
    let (mut speaker, mut ear) = (speaker(BOOT), Ear::new(Registry::default()));
    take(&mut speaker, 1_000);
    ear.hear(&said(&mut speaker, 1_000), 50_000)?;
    take(&mut speaker, 2_000);
    take(&mut speaker, 602_000);
    let (_, chunks) = ear.hear(&said(&mut speaker, 602_000), 651_000)?;
    let ages = chunks.iter().flat_map(|chunk| chunk.frames.iter().map(|frame| frame.age_ns));
    let ages: Vec<u64> = ages.map(|age| age / 1_000_000_000).collect();
    demand(ages == [600, 0], format!("ages in seconds: {ages:?}"))
}

/// What a run held when it ended is declared.
pub(super) fn run_end_is_declared() -> Result<(), String> {
    let clock = ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(1),
        utc: None,
        error_us: 0,
        source: TimeSource::None,
    };
    let source = Source {
        device: DEVICE,
        boot: SourceBoot(BOOT),
        clock: DeviceClock::Tick,
        tick_exponent: 6,
        mode: Mode::Demo,
    };
    let mut batcher = Batcher::new([Duration::from_secs(1); 4]);
    batcher.end_run(&Arc::new(Device::silent(source)), BOOT, 64, &clock, 1);
    batcher.close_due(clock.monotonic, true);
    let closed = batcher.take_closed();
    demand(closed.len() == 1, format!("{} batches say that a run ended", closed.len()))
}

/// Runs that nobody heard are counted.
pub(super) fn unheard_runs_are_counted() -> Result<(), String> {
    let run = |boot| Last { boot, is_counted: true, capacity: 64, has_key: false };
    let runs = run(7).runs_to(&run(10));
    demand(runs == 3, format!("{runs} runs from 7 to 10"))
}

/// A gateway that knows the device's key, and both in agreement.
fn agreed() -> Result<(TempDir, Speaker, Ear), String> {
    let state = tempfile::tempdir().map_err(|error| error.to_string())?;
    let folder = admission::folder(state.path());
    admission::add(&folder, DEVICE, &KEY).map_err(|error| error.to_string())?;
    let registry = Registry::admitting(Admission::by_keys(state.path(), true), NonZeroU64::MAX);
    let (mut speaker, mut ear) = (speaker(BOOT), Ear::new(registry));
    speaker.lock(LinkKey::new(KEY));
    for now in [0, 200, 400] {
        let (answer, _) = ear.hear(&said(&mut speaker, now), now.into())?;
        speaker.hear(&answer, now);
    }
    Ok((state, speaker, ear))
}

/// What is said openly in the place of a device with a key is not taken.
pub(super) fn open_words_are_nobodys() -> Result<(), String> {
    let (_state, _speaker, mut ear) = agreed()?;
    let payload = record(9);
    let frame = Frame { kind: Kind::Data, boot: BOOT, sequence: 1, payload: &payload };
    let (_, chunks) = ear.hear(&encoded(&frame), 500)?;
    let taken = chunks.iter().any(|chunk| !chunk.frames.is_empty());
    demand(!taken, "open words are taken for a device's that seals its own")
}

/// A record that was taken off the line is not passed over.
pub(super) fn oldest_is_waited_for() -> Result<(), String> {
    let (_state, mut speaker, mut ear) = agreed()?;
    (0..4).for_each(|ticks| take(&mut speaker, ticks));
    let (mut taken, mut now) = (0, 600);
    for _ in 0..8 {
        let (words, mut deframer, mut kept) =
            (said(&mut speaker, now), Deframer::default(), vec![]);
        let mut rest = &words[..];
        while !rest.is_empty() {
            let (length, frame) = deframer.push(rest);
            rest = &rest[length..];
            let frame = frame.and_then(Result::ok).filter(|of| {
                of.kind != Kind::Sealed || of.payload.first() != Some(&0) || of.sequence > 2
            });
            kept.extend(frame.iter().flat_map(encoded));
        }
        let (answer, chunks) = ear.hear(&kept, now.into())?;
        taken += chunks.iter().map(|chunk| chunk.frames.len()).sum::<usize>();
        speaker.hear(&answer, now);
        now += 1_100;
    }
    demand(taken == 0, format!("{taken} records were taken before the oldest one"))
}

/// Each line has a challenge of its own.
pub(super) fn challenges_are_new() -> Result<(), String> {
    let mut offered = Vec::new();
    for _ in 0..2 {
        let (_state, mut speaker, mut ear) = agreed()?;
        let unknown = Frame { kind: Kind::Data, boot: BOOT + 1, sequence: 1, payload: &record(1) };
        let (answer, _) = ear.hear(&encoded(&unknown), 5_000)?;
        let mut deframer = Deframer::default();
        let (_, frame) = deframer.push(&answer[1..]);
        let query = frame.and_then(Result::ok).ok_or("nothing is asked")?;
        offered.push(Challenge::read(query.payload).ok_or("nothing is offered")?);
        said(&mut speaker, 5_000);
    }
    demand(offered[0] != offered[1], "two lines have one challenge")
}
