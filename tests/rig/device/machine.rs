//! The rules of a device's side of the link: no I/O, no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::link::{ENCODED_BYTES_MAX, Frame, Kind};

/// One thing that a device wants to say.
#[derive(Clone, Debug)]
pub enum Utterance {
    /// A data frame's payload.
    Data(Box<[u8]>),
    /// A gap frame's payload: readings that the device itself has lost.
    Gap(Box<[u8]>),
    /// A restart: once all is acknowledged, a new boot with these hello parts.
    Introduce {
        /// The new run.
        boot: u32,
        /// Payloads of the hello, in order.
        hello: Vec<Box<[u8]>>,
    },
}

/// How a device sends.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Frames that may be out without acknowledgement.
    pub window_frames: usize,
    /// Silence after which everything unacknowledged is sent again.
    pub resend_after: Duration,
}

/// What happens to a device.
#[derive(Debug)]
pub enum Event<'a> {
    /// The port is open.
    Up,
    /// The port is gone.
    Down,
    /// A frame came in.
    Heard(Frame<'a>),
    /// Somebody wants something said; only while there is room.
    Say(Utterance),
}

/// How far a device is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Frames acknowledged, all boots together.
    pub acknowledged: u64,
    /// Frames that are not acknowledged yet.
    pub kept: usize,
    /// Frames that were written more than once.
    pub resent: u64,
}

/// A second query so soon is about the same frames as the first.
const QUERY_QUIET: Duration = Duration::from_millis(200);

/// The sending half of a device.
///
/// Invariant: `kept` holds the frames `next - kept.len() .. next` of `boot`, and the first `sent`
/// of them are written since the line was last interrupted.
#[derive(Debug)]
pub struct Machine {
    manner: Manner,
    boot: u32,
    hello: Vec<Box<[u8]>>,
    hello_sent: usize,
    next: u32,
    kept: VecDeque<(Kind, Box<[u8]>)>,
    sent: usize,
    written: u32,
    up: bool,
    resend_at: Option<Instant>,
    quiet_until: Option<Instant>,
    restart: Option<(u32, Vec<Box<[u8]>>)>,
    progress: Progress,
}

impl Machine {
    /// A device that has not been introduced.
    #[must_use]
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            boot: 0,
            hello: Vec::new(),
            hello_sent: 0,
            next: 1,
            kept: VecDeque::new(),
            sent: 0,
            written: 0,
            up: false,
            resend_at: None,
            quiet_until: None,
            restart: None,
            progress: Progress::default(),
        }
    }

    /// Whether one more utterance can be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.restart.is_none() && self.kept.len() < self.manner.window_frames
    }

    /// Whether everything that was said is acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.restart.is_none() && self.kept.is_empty()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { kept: self.kept.len(), ..self.progress }
    }

    /// When [`Self::poll`] has something to do again, if nothing happens before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.resend_at.filter(|_| self.up)
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Up => {
                self.up = true;
                self.begin_again(now);
            }
            Event::Down => self.up = false,
            Event::Heard(frame) if frame.boot != self.boot => {}
            Event::Heard(frame) if frame.kind == Kind::Ack => self.acknowledge(now, frame.sequence),
            Event::Heard(frame) if frame.kind == Kind::Query => {
                if self.quiet_until.is_none_or(|until| until <= now) {
                    self.begin_again(now);
                }
            }
            Event::Heard(_) => {}
            Event::Say(Utterance::Data(payload)) => self.keep(Kind::Data, payload),
            Event::Say(Utterance::Gap(payload)) => self.keep(Kind::Gap, payload),
            Event::Say(Utterance::Introduce { boot, hello }) => {
                self.restart = Some((boot, hello));
                self.restart_when_idle(now);
            }
        }
    }

    /// The next frame to write, encoded.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.up {
            return None;
        }
        if let Some(payload) = self.hello.get(self.hello_sent) {
            let part = self.hello_sent as u32;
            self.hello_sent += 1;
            return Some(encode(Kind::Hello, self.boot, part, payload));
        }
        if self.resend_at.is_some_and(|at| at <= now) {
            self.sent = 0;
            self.resend_at = Some(now + self.manner.resend_after);
        }
        let (kind, payload) = self.kept.get(self.sent)?;
        let sequence = self.next - (self.kept.len() - self.sent) as u32;
        let bytes = encode(*kind, self.boot, sequence, payload);
        self.progress.resent += u64::from(sequence <= self.written);
        self.written = self.written.max(sequence);
        self.sent += 1;
        self.resend_at.get_or_insert(now + self.manner.resend_after);
        Some(bytes)
    }

    fn keep(&mut self, kind: Kind, payload: Box<[u8]>) {
        self.kept.push_back((kind, payload));
        self.next += 1;
    }

    fn begin_again(&mut self, now: Instant) {
        (self.hello_sent, self.sent) = (0, 0);
        self.quiet_until = Some(now + QUERY_QUIET);
        self.resend_at = None;
    }

    fn acknowledge(&mut self, now: Instant, sequence: u32) {
        let first = self.next - self.kept.len() as u32;
        let count = (sequence + 1).saturating_sub(first) as usize;
        let count = count.min(self.kept.len());
        if count == 0 {
            return;
        }
        self.kept.drain(..count);
        self.sent = self.sent.saturating_sub(count);
        self.progress.acknowledged += count as u64;
        self.resend_at = (self.sent > 0).then(|| now + self.manner.resend_after);
        self.restart_when_idle(now);
    }

    fn restart_when_idle(&mut self, now: Instant) {
        if !self.kept.is_empty() {
            return;
        }
        if let Some((boot, hello)) = self.restart.take() {
            (self.boot, self.hello, self.next, self.written) = (boot, hello, 1, 0);
            self.begin_again(now);
        }
    }
}

fn encode(kind: Kind, boot: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNER: Manner = Manner { window_frames: 3, resend_after: Duration::from_secs(1) };

    fn written(machine: &mut Machine, now: Instant) -> Vec<(Kind, u32, u32)> {
        let mut found = Vec::new();
        while let Some(mut bytes) = machine.poll(now) {
            let end = bytes.len() - 1;
            let frame = Frame::decode(&mut bytes[1..end]).unwrap();
            found.push((frame.kind, frame.boot, frame.sequence));
        }
        found
    }

    fn introduced(now: Instant) -> Machine {
        let mut machine = Machine::new(MANNER);
        let hello = vec![[0x80].into(), [0x80].into()];
        machine.handle(now, Event::Say(Utterance::Introduce { boot: 7, hello }));
        machine.handle(now, Event::Up);
        machine
    }

    fn ack(boot: u32, sequence: u32) -> Event<'static> {
        Event::Heard(Frame { kind: Kind::Ack, boot, sequence, payload: &[] })
    }

    fn say(machine: &mut Machine, now: Instant) {
        machine.handle(now, Event::Say(Utterance::Data([0x80].into())));
    }

    #[test]
    fn an_unacknowledged_frame_is_sent_again_from_the_oldest() {
        let now = Instant::now();
        let mut machine = introduced(now);
        say(&mut machine, now);
        say(&mut machine, now);
        let hello = [(Kind::Hello, 7, 0), (Kind::Hello, 7, 1)];
        let data = [(Kind::Data, 7, 1), (Kind::Data, 7, 2)];
        assert_eq!(written(&mut machine, now), [hello, data].concat());

        assert_eq!(written(&mut machine, now), []);
        assert_eq!(written(&mut machine, now + MANNER.resend_after), data);
        machine.handle(now, ack(7, 1));
        machine.handle(now, Event::Down);
        machine.handle(now, Event::Up);

        assert_eq!(written(&mut machine, now), [&hello[..], &data[1..]].concat());
        assert_eq!(machine.progress().resent, 3);
    }

    #[test]
    fn a_restart_waits_for_the_last_acknowledgement() {
        let now = Instant::now();
        let mut machine = introduced(now);
        say(&mut machine, now);
        let hello = vec![[0x80].into()];
        machine.handle(now, Event::Say(Utterance::Introduce { boot: 8, hello }));
        assert!(!machine.has_room());
        written(&mut machine, now);

        machine.handle(now, ack(8, 1));
        assert!(!machine.is_idle());
        machine.handle(now, ack(7, 1));

        assert_eq!(written(&mut machine, now), [(Kind::Hello, 8, 0)]);
        assert!(machine.is_idle() && machine.has_room());
    }
}
