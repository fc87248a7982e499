//! A device of the world: says numbered readings and keeps each until it is acknowledged.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use agent::intake::link::Session;
use agent::intake::{Chunk, Registry};
use tokio::sync::mpsc;
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::DeviceId;
use wire::link::{DataWriter, Deframer, SourceGap, write_gap, write_hello};
use wire::reading::{Alert, Channel, ChannelKind, Mode};
use wire::time::{DeviceClock, MonotonicNanos, Rate};

use super::books::{Reading, SharedBooks};
use super::time::START_NS;
use crate::device::machine::{Event, Machine};
use crate::device::{Manner, Utterance};
use crate::random::Random;

/// What stands in everything that must stay secret.
pub const MARK: &str = "MARK-OF-A-PATIENT ";
/// A code of a maker's own, which no table has.
pub const STRANGE_CODE: u32 = 0xF0F0_0001;
/// Samples of one wave frame.
pub const SAMPLES: u64 = 10;
/// Why a device lost readings: its own memory was full.
pub const LOSS_CAUSE: u8 = 1;
/// Between two readings of a device.
const INTERVAL: Duration = Duration::from_millis(500);
/// How a device sends.
const MANNER: Manner = Manner { window_frames: 200, resend_after: Duration::from_secs(4) };

/// When a reading was taken, ticks of a millisecond.
#[must_use]
pub fn ticks(number: u32) -> i64 {
    START_NS / 1_000_000 + i64::from(number) * 500
}

/// The samples of a reading that is a wave.
#[must_use]
pub fn samples(number: u32) -> Vec<i32> {
    (0..SAMPLES as i32).map(|at| (number as i32 * 7 + at * at) % 400 - 200).collect()
}

/// What kind of reading a number is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One number in the vital lane.
    Numeric,
    /// A stretch of samples in the wave lane.
    Wave,
    /// A note in the alert lane.
    Alert,
    /// No number at all, on a channel whose code nobody knows.
    NotANumber,
    /// A number with a digit more than its channel, on that channel.
    Precise,
    /// So many readings that the device lost before it could say them.
    Loss,
}

/// The kind of a number's reading.
#[must_use]
pub const fn kind(number: u32) -> Kind {
    match number % 16 {
        7 | 15 => Kind::Alert,
        1 | 4 | 9 | 12 => Kind::Wave,
        6 => Kind::NotANumber,
        14 => Kind::Precise,
        10 => Kind::Loss,
        _ => Kind::Numeric,
    }
}

/// The number of the reading that was taken at a moment, ticks of a millisecond.
#[must_use]
pub fn number_at(ticks: i64) -> Option<u32> {
    let since = ticks - START_NS / 1_000_000;
    u32::try_from(since / 500).ok().filter(|_| since % 500 == 0)
}

/// What a store keeps of a reading that is a numeric: mantissa, exponent, absent state.
#[must_use]
pub fn numeric(number: u32) -> (Option<i64>, i8, Option<u8>) {
    match kind(number) {
        Kind::NotANumber => (None, 0, Some(Absent::NaN as u8)),
        Kind::Precise => (Some(i64::from(number) * 10), -1, None),
        _ => (Some(number.into()), 0, None),
    }
}

fn utterance(number: u32) -> Utterance {
    if kind(number) == Kind::Loss {
        let payload = write_gap(SourceGap { readings: number.into(), cause: LOSS_CAUSE });
        return Utterance::Gap(payload.expect("two numbers fit").as_slice().into());
    }
    Utterance::Data(payload(number))
}

fn payload(number: u32) -> Box<[u8]> {
    let mut writer = DataWriter::new(ticks(number));
    let fits = match kind(number) {
        Kind::Numeric | Kind::Loss => writer.numerics(0, &[Ok(number.into())]),
        Kind::NotANumber => writer.numerics(2, &[Err((Number::Not(Absent::NaN), 0))]),
        Kind::Precise => {
            let precise = Decimal { mantissa: i64::from(number) * 10, exponent: -1 };
            writer.numerics(2, &[Err((Number::Is(precise), 0))])
        }
        Kind::Wave => {
            let samples: Vec<_> = samples(number).into_iter().map(Some).collect();
            writer.wave(1, u64::from(number) * SAMPLES, 0, &[&samples])
        }
        Kind::Alert => {
            let text = format!("{MARK}{number}");
            let (code, source) = (196_650, 147_842);
            writer.alert(&Alert { code, source, phase: 0, state: 1, priority: 3, text: &text })
        }
    };
    assert!(fits, "a reading of the world fits a frame");
    writer.finish().as_slice().into()
}

fn hello(device: DeviceId) -> Box<[u8]> {
    let wave = ChannelKind::Wave {
        rate: Rate::hertz(250),
        gain: Decimal { mantissa: 200, exponent: 0 },
        baseline: 0,
        bits: 12,
    };
    let numeric = ChannelKind::Numeric { exponent: 0 };
    let channels = [
        Channel { code: 147_842, unit: 264_864, kind: numeric, label: MARK, unit_label: "" },
        Channel { code: 131_330, unit: 266_418, kind: wave, label: "II", unit_label: "mV" },
        Channel { code: STRANGE_CODE, unit: 0, kind: numeric, label: "?", unit_label: "" },
    ];
    let about = (device, DeviceClock::UtcSynchronised, 6, Mode::Demo);
    let payload = write_hello(about, 1, "World 1", 0, &channels);
    payload.expect("a short hello fits").as_slice().into()
}

/// One device and its line to the gateway.
pub struct Bedside {
    id: DeviceId,
    machine: Machine,
    boot: u32,
    number: u32,
    /// Numbers said in this run, the acknowledged ones taken off.
    kept: VecDeque<u32>,
    acknowledged: u64,
    say_at: Duration,
    session: Option<Session>,
    deframer: Deframer,
    /// The line is broken until then.
    pub broken_until: Duration,
    /// Of so many bytes one is garbled; 0 for none.
    pub garbled: u64,
}

/// What a future gives when nobody waits for it.
fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl Bedside {
    /// A device that is switched on.
    #[must_use]
    pub fn new(id: DeviceId) -> Self {
        let mut bedside = Self {
            id,
            machine: Machine::new(MANNER),
            boot: 0,
            number: 0,
            kept: VecDeque::new(),
            acknowledged: 0,
            say_at: Duration::ZERO,
            session: None,
            deframer: Deframer::default(),
            broken_until: Duration::ZERO,
            garbled: 0,
        };
        bedside.reset(Instant::now());
        bedside
    }

    /// Whether all that it said is acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    /// Readings that it keeps because nobody acknowledged them.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.machine.progress().kept
    }

    /// Loses its power and comes back: what was not acknowledged is gone.
    pub fn reset(&mut self, now: Instant) {
        self.boot += 1;
        self.machine = Machine::new(MANNER);
        (self.acknowledged, self.session) = (0, None);
        self.kept.clear();
        let hello = vec![hello(self.id)];
        self.machine.handle(now, Event::Say(Utterance::Introduce { boot: self.boot, hello }));
    }

    /// The line ends: the gateway went away, or somebody pulled the plug.
    pub fn hang_up(&mut self, now: Instant) {
        if self.session.take().is_some() {
            self.machine.handle(now, Event::Down);
        }
    }

    /// Says what is due, if there is room to keep it.
    pub fn say(&mut self, now: Instant, elapsed: Duration) {
        if elapsed < self.say_at || !self.machine.has_room() {
            return;
        }
        self.say_at = elapsed + INTERVAL;
        self.number += 1;
        self.kept.push_back(self.number);
        self.machine.handle(now, Event::Say(utterance(self.number)));
    }

    /// Talks with the gateway over the line, both ways, as far as it goes now.
    pub fn talk(
        &mut self,
        (now, monotonic): (Instant, MonotonicNanos),
        registry: &Registry,
        chunks: &mpsc::Sender<Chunk>,
        random: &mut Random,
    ) {
        if self.session.is_none() {
            self.session = Some(Session::new(registry.clone()));
            self.deframer = Deframer::default();
            self.machine.handle(now, Event::Up);
        }
        while chunks.capacity() > 4
            && let Some(mut bytes) = self.machine.poll(now)
        {
            garble(&mut bytes, self.garbled, random);
            let Some(session) = &mut self.session else { return };
            let answers = now_or_never(session.push(&bytes, monotonic, chunks));
            if let Some(Ok(answers)) = answers {
                self.hear(now, answers, random);
            }
        }
        self.hear_ack(now, random);
    }

    /// Hears what the gateway says on its own, also with its last breath.
    pub fn hear_ack(&mut self, now: Instant, random: &mut Random) {
        if let Some(session) = &mut self.session
            && let Some(ack) = now_or_never(session.next_ack())
        {
            self.hear(now, ack, random);
        }
    }

    fn hear(&mut self, now: Instant, mut bytes: Vec<u8>, random: &mut Random) {
        garble(&mut bytes, self.garbled, random);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (taken, frame) = self.deframer.push(rest);
            rest = &rest[taken..];
            if let Some(Ok(frame)) = frame {
                self.machine.handle(now, Event::Heard(frame));
            }
        }
    }

    /// Writes down what was acknowledged since the last time, and returns it.
    pub fn count_accepted(&mut self, books: &SharedBooks) -> Vec<Reading> {
        let now = self.machine.progress().acknowledged;
        let fresh = (now - self.acknowledged) as usize;
        self.acknowledged = now;
        let device = self.id;
        let fresh = self.kept.drain(..fresh.min(self.kept.len()));
        let fresh: Vec<_> = fresh.map(|number| Reading { device, number }).collect();
        books.borrow_mut().accepted.extend(&fresh);
        fresh
    }
}

fn garble(bytes: &mut [u8], one_in: u64, random: &mut Random) {
    if one_in > 0 {
        for byte in bytes {
            if random.once_in(one_in) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}
