//! Link frames from a stream of bytes: in order, each once, and asked for again when unknown.

use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, watch};
use wire::identity::{DeviceId, SourceBoot};
use wire::link::{Deframer, Entries, Frame, Hello, Kind, SourceGap, Standing};
use wire::time::{DeviceClock, MonotonicNanos};

use super::lock::Lock;
use super::past::Last;
use super::ticks::{dated, tick_ns};
use super::{Chunk, Device, FrameSpan, Introduction, Registry, Run};
use crate::limits::INTAKE_CHUNK_BYTES_MAX;

mod speaker;

use speaker::Speakers;

/// A line without a damaged frame for so long is a good one, nanoseconds.
const NOISY_NANOS: u64 = 60_000_000_000;

/// What one stream of bytes means: one device at a time.
///
/// Invariant: `expected` is the sequence of the next frame that is taken; an earlier one is a
/// repeat and a later one means that frames were lost on the way, which the device sends again.
pub struct Session {
    deframer: Deframer,
    introduction: Introduction,
    registry: Registry,
    lock: Lock,
    speakers: Speakers,
    port: Arc<str>,
    device: Option<Arc<Device>>,
    expected: Option<u32>,
    /// Whether we asked the device to begin again, and nothing was damaged since its answer.
    asked: bool,
    clean: bool,
    link_errors: u64,
    /// When this line damaged or lost a frame last, and whether the device is to be told how far
    /// we have heard it.
    noisy: Option<MonotonicNanos>,
    tells: bool,
    chunk: Vec<u8>,
    /// Frames of the chunk, with the device's time where there is one.
    frames: Vec<(FrameSpan, Option<i64>)>,
    ready: Vec<Chunk>,
    received: MonotonicNanos,
    /// What the device said of its standing, when, and the number of the oldest that it holds.
    standing: Option<Stated>,
    begun: Option<Last>,
    /// The device's run, and what we have told it of what is durable.
    run: Option<(Arc<Run>, watch::Receiver<Option<u32>>)>,
    answers: Vec<u8>,
}

/// What a device said of its standing.
#[derive(Clone, Debug)]
struct Stated {
    device: DeviceId,
    firmware: String,
    last: Last,
    now_ticks: i64,
    oldest: u32,
    received: MonotonicNanos,
}

impl Session {
    /// A session that knows nothing of its device yet.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            deframer: Deframer::default(),
            introduction: Introduction::default(),
            registry,
            lock: Lock::default(),
            speakers: Speakers::default(),
            port: "".into(),
            device: None,
            expected: None,
            asked: false,
            clean: false,
            link_errors: 0,
            noisy: None,
            tells: false,
            chunk: Vec::new(),
            frames: Vec::new(),
            ready: Vec::new(),
            received: MonotonicNanos(0),
            standing: None,
            begun: None,
            run: None,
            answers: Vec::new(),
        }
    }

    /// The same for a port with a name.
    #[must_use]
    pub fn at(self, port: Arc<str>) -> Self {
        Self { port, ..self }
    }

    /// Waits until more of what the device said is durable; returns what it must be told.
    pub async fn next_ack(&mut self) -> Vec<u8> {
        if let Some((run, durable)) = &mut self.run {
            while durable.changed().await.is_ok() {
                // What was marked at the introduction may be nothing yet.
                if let Some(sequence) = *durable.borrow_and_update() {
                    let ack = ack(run.boot, sequence);
                    return self.lock.encode(&ack, self.device.as_deref());
                }
            }
        }
        // Nobody has introduced itself: this stream has something to say first.
        std::future::pending().await
    }

    /// Takes bytes; passes whole chunks on, and returns what must be answered at once.
    ///
    /// # Errors
    /// The line has ended.
    pub async fn push(
        &mut self,
        mut bytes: &[u8],
        received: MonotonicNanos,
        line: &mpsc::Sender<Chunk>,
    ) -> Result<Vec<u8>, mpsc::error::SendError<Chunk>> {
        self.received = received;
        while !bytes.is_empty() {
            // The frame borrows the deframer, which is put back behind it.
            let mut deframer = std::mem::take(&mut self.deframer);
            let (taken, frame) = deframer.push(bytes);
            let flush = frame.map(|frame| self.take(frame));
            self.deframer = deframer;
            bytes = &bytes[taken..];
            if flush == Some(true) {
                self.flush(line).await?;
            }
        }
        self.flush(line).await?;
        self.tell();
        Ok(std::mem::take(&mut self.answers))
    }

    /// Takes one frame; whether the chunk should be passed on now.
    fn take(&mut self, frame: Result<Frame<'_>, wire::link::LinkError>) -> bool {
        let Ok(frame) = frame else {
            self.clean = false;
            self.link_errors += 1;
            self.noisy = Some(self.received);
            self.tells |= self.device.is_some();
            return false;
        };
        if frame.kind != Kind::Sealed {
            self.word(&frame, None);
        } else if let Ok((prover, opened)) = self.lock.open(&frame, self.received) {
            self.word(&opened.frame(), Some(prover));
        } else {
            self.link_errors += 1;
            self.offer(frame.boot);
        }
        self.chunk.len() >= INTAKE_CHUNK_BYTES_MAX
    }

    /// Takes what a device says, openly or under the key of `prover`.
    fn word(&mut self, frame: &Frame<'_>, prover: Option<DeviceId>) {
        match frame.kind {
            Kind::Standing => self.standing(frame, prover),
            Kind::Hello => self.hello(frame, prover),
            Kind::Data | Kind::Gap => self.data(frame, prover),
            Kind::Ack | Kind::Query | Kind::Heard | Kind::Sealed => self.link_errors += 1,
        }
    }

    /// Keeps what a device says of its standing until it is introduced, before or after that.
    fn standing(&mut self, frame: &Frame<'_>, prover: Option<DeviceId>) {
        let Ok(standing) = Standing::read(frame.payload) else {
            self.link_errors += 1;
            return;
        };
        if !self.admits(standing.device, prover, frame.boot) {
            return;
        }
        let Standing { device, now_ticks, oldest, capacity, is_counted, firmware, .. } = standing;
        let has_key = prover.is_some();
        let last = Last { boot: frame.boot, is_counted, capacity, has_key };
        let (firmware, received) = (firmware.to_owned(), self.received);
        self.standing = Some(Stated { device, firmware, last, now_ticks, oldest, received });
        self.apply_standing();
    }

    fn apply_standing(&mut self) {
        let (Some(device), Some((run, _))) = (&self.device, &self.run) else { return };
        let source = &device.source;
        let is_of =
            |said: &&Stated| (said.device, said.last.boot) == (source.device, source.boot.0);
        let Some(said) = self.standing.as_ref().filter(is_of) else { return };
        let oldest = said.oldest;
        if device.source.clock == DeviceClock::Tick {
            let ns = i128::from(said.now_ticks) * tick_ns(device);
            run.ticks.lock().unwrap_or_else(PoisonError::into_inner).hear(ns, said.received);
        }
        self.begun = Some(said.last);
        if device.firmware != said.firmware {
            let (firmware, device) = (said.firmware.clone(), Device::clone(device));
            self.device = Some(Arc::new(Device { firmware, ..device }));
        }
        // It holds nothing before that: what we wait for has become durable elsewhere.
        if self.expected.is_some_and(|expected| expected < oldest) {
            (self.expected, self.asked) = (None, false);
        }
    }

    fn hello(&mut self, frame: &Frame<'_>, prover: Option<DeviceId>) {
        let Ok(hello) = Hello::read(frame.payload) else {
            self.link_errors += 1;
            return;
        };
        if !self.admits(hello.device, prover, frame.boot) {
            return;
        }
        let proof = self.registry.admission.proof(prover.is_some());
        let (hello, part) = ((&hello, proof), frame.sequence);
        let Some(device) = self.introduction.take(frame.boot, part, hello, &self.registry) else {
            return;
        };
        let device = Device { port: self.port.clone(), ..device };
        self.clean = true;
        self.tells = true;
        let known = self.device.as_ref().is_some_and(|known| {
            (known.source, known.proof) == (device.source, device.proof)
                && Arc::ptr_eq(&known.numerics, &device.numerics)
                && Arc::ptr_eq(&known.waves, &device.waves)
        });
        if known {
            return;
        }
        let same_run = self.device.as_ref().is_some_and(|known| {
            let of = |device: &Device| (device.source.device, device.source.boot, device.proof);
            of(known) == of(&device)
        });
        if !same_run && !self.speakers.may_introduce(self.received) {
            self.link_errors += 1;
            return;
        }
        // What was heard before goes out under its own name.
        self.close_chunk();
        if !same_run {
            (self.expected, self.asked) = (None, false);
        }
        tracing::info!(device = %device.source.device, boot = frame.boot, "device introduced");
        if !same_run {
            let (id, boot) = (device.source.device, device.source.boot);
            let run = self.registry.run(id, boot, device.proof);
            let mut durable = run.durable.subscribe();
            durable.mark_changed();
            self.run = Some((run, durable));
            // A new run, also if its standing was lost on the way.
            let has_key = prover.is_some();
            self.begun = Some(Last { boot: frame.boot, is_counted: false, capacity: 0, has_key });
        }
        self.device = Some(Arc::new(device));
        self.apply_standing();
    }

    /// The last sequence of this run that is durable, whichever line it came by.
    fn durable(&self) -> Option<u32> {
        self.run.as_ref().and_then(|(_, durable)| *durable.borrow())
    }

    /// Whether this frame is certainly the oldest that the device holds: the one that it said to be
    /// that, or the one after what is durable. A device that does not say it is believed after an
    /// answer to our question that nothing damaged. Otherwise the device is asked.
    fn is_oldest(&mut self, frame: &Frame<'_>) -> bool {
        let next = self.durable().map_or(1, |durable| durable.wrapping_add(1));
        let device = self.device.as_ref().map(|device| device.source.device);
        let is_of = |said: &&Stated| (Some(said.device), said.last.boot) == (device, frame.boot);
        let said = self.standing.as_ref().filter(is_of);
        let has_said = said.is_some();
        let next = said.map_or(next, |said| said.oldest.max(next));
        if frame.sequence == next || !has_said && self.asked && self.clean {
            return true;
        }
        (self.asked, self.clean) = (true, false);
        self.ask(frame.boot);
        false
    }

    fn data(&mut self, frame: &Frame<'_>, prover: Option<DeviceId>) {
        if !self.is_own(frame, prover) {
            return;
        }
        let durable = self.durable();
        // What is durable may have come by another line.
        let next = durable.map_or(0, |durable| durable.saturating_add(1));
        self.expected = self.expected.map(|expected| expected.max(next));
        self.tells |= self.is_noisy();
        let repeated = match self.expected {
            Some(expected) => frame.sequence < expected,
            None => durable.is_some_and(|durable| frame.sequence <= durable),
        };
        if repeated {
            // It is durable or about to be: say again how far we are.
            self.tells |= durable.is_none_or(|durable| frame.sequence > durable);
            if let Some(sequence) = durable {
                self.answer(ack(SourceBoot(frame.boot), sequence));
            }
            return;
        }
        if self.expected.is_none() && !self.is_oldest(frame) {
            return;
        }
        let expected = *self.expected.get_or_insert(frame.sequence);
        let ticks = match frame.kind {
            Kind::Gap => SourceGap::read(frame.payload).map(|_| None),
            _ => Entries::read(frame.payload).map(|entries| Some(entries.time_ticks)),
        };
        let (Ok(ticks), true) = (ticks, frame.sequence == expected) else {
            self.link_errors += 1;
            (self.noisy, self.tells) = (Some(self.received), true);
            return;
        };
        self.expected = Some(expected.wrapping_add(1));
        let start = self.chunk.len();
        self.chunk.extend_from_slice(frame.payload);
        let end = self.chunk.len();
        let gap = frame.kind == Kind::Gap;
        let span = FrameSpan { sequence: frame.sequence, gap, start, end, age_ns: 0 };
        self.frames.push((span, ticks));
    }

    fn is_noisy(&mut self) -> bool {
        let lasts = |since: &MonotonicNanos| self.received.0.saturating_sub(since.0) < NOISY_NANOS;
        self.noisy = self.noisy.filter(lasts);
        self.noisy.is_some()
    }

    /// Tells the device how far we have heard it, if it has just introduced itself or its line
    /// loses frames.
    fn tell(&mut self) {
        let Some(device) = self.device.clone().filter(|_| std::mem::take(&mut self.tells)) else {
            return;
        };
        let expected = self.expected.or_else(|| Some(self.durable()?.wrapping_add(1)));
        let sequence = expected.unwrap_or(1).wrapping_sub(1);
        let boot = device.source.boot.0;
        self.answer(Frame { kind: Kind::Heard, boot, sequence, payload: &[] });
    }

    fn answer(&mut self, frame: Frame<'_>) {
        let bytes = self.lock.encode(&frame, self.device.as_deref());
        if self.answers.len() < INTAKE_CHUNK_BYTES_MAX && !self.answers.ends_with(&bytes) {
            self.answers.extend_from_slice(&bytes);
        }
    }

    /// Puts what was heard of the present device into a chunk of its own.
    fn close_chunk(&mut self) {
        let (Some(device), Some((run, _))) = (&self.device, &self.run) else { return };
        if self.frames.is_empty() && self.begun.is_none() {
            return;
        }
        let frames = dated(device, run, self.received, &std::mem::take(&mut self.frames));
        self.ready.push(Chunk {
            device: device.clone(),
            received: self.received,
            bytes: std::mem::take(&mut self.chunk),
            frames,
            link_errors: std::mem::take(&mut self.link_errors),
            run: run.clone(),
            begun: self.begun.take(),
            within: None,
        });
    }

    async fn flush(
        &mut self,
        line: &mpsc::Sender<Chunk>,
    ) -> Result<(), mpsc::error::SendError<Chunk>> {
        self.close_chunk();
        for chunk in self.ready.drain(..) {
            line.send(chunk).await?;
        }
        Ok(())
    }
}

const fn ack(boot: SourceBoot, sequence: u32) -> Frame<'static> {
    Frame { kind: Kind::Ack, boot: boot.0, sequence, payload: &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::admission::Proof;
    use wire::link::{DataWriter, ENCODED_BYTES_MAX, Standing, write_hello};
    use wire::reading::{Channel, ChannelKind, Mode};

    const BOOT: u32 = 7;

    fn encode_ack(boot: SourceBoot, sequence: u32) -> Vec<u8> {
        Lock::default().encode(&ack(boot, sequence), None)
    }

    fn encoded(kind: Kind, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind, boot: BOOT, sequence, payload }.encode(&mut out);
        out[..length].to_vec()
    }

    fn hello() -> Vec<u8> {
        hello_of(DeviceClock::None)
    }

    fn hello_of(clock: DeviceClock) -> Vec<u8> {
        let kind = ChannelKind::Numeric { exponent: 0 };
        let channel = Channel { code: 147_842, unit: 264_864, kind, label: "", unit_label: "" };
        let about = (DeviceId(1), clock, 6, Mode::Demo);
        let payload = write_hello(about, 1, "test", 0, &[channel]).unwrap();
        encoded(Kind::Hello, 0, payload.as_slice())
    }

    fn data(sequence: u32) -> Vec<u8> {
        data_at(sequence, 0)
    }

    fn data_at(sequence: u32, ticks: i64) -> Vec<u8> {
        let mut writer = DataWriter::new(ticks);
        assert!(writer.numerics(0, &[Ok(60)]));
        encoded(Kind::Data, sequence, writer.finish().as_slice())
    }

    fn heard(sequence: u32) -> Vec<u8> {
        encoded(Kind::Heard, sequence, &[])
    }

    /// What a session takes and answers when it hears these frames.
    async fn hear(session: &mut Session, frames: &[Vec<u8>]) -> (Vec<u32>, Vec<u8>) {
        let (line, mut chunks) = mpsc::channel(16);
        let answers = session.push(&frames.concat(), MonotonicNanos(0), &line).await.unwrap();
        let mut taken = Vec::new();
        while let Ok(chunk) = chunks.try_recv() {
            taken.extend(chunk.frames.iter().map(|frame| frame.sequence));
        }
        (taken, answers)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_became_durable_after_its_line_broke_is_acknowledged_on_the_next() {
        let registry = Registry::default();
        let mut first = Session::new(registry.clone());
        let (taken, _) = hear(&mut first, &[hello(), data(1), data(2), data(3)]).await;
        drop(first);
        registry.run(DeviceId(1), SourceBoot(BOOT), Proof::Unasked).is_durable_to(3);

        let mut second = Session::new(registry);
        let (repeated, answers) = hear(&mut second, &[hello(), data(1), data(2)]).await;
        let told = second.next_ack().await;
        let (fresh, _) = hear(&mut second, &[data(3), data(4)]).await;

        let ack = encode_ack(SourceBoot(BOOT), 3);
        assert_eq!((taken, repeated, fresh), (vec![1, 2, 3], vec![], vec![4]));
        assert_eq!((answers, told), ([ack.clone(), heard(3)].concat(), ack));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_on_a_line_that_loses_frames_is_told_how_far_it_was_heard() {
        let mut session = Session::new(Registry::default());
        let (_, introduced) = hear(&mut session, &[hello()]).await;
        let (_, good) = hear(&mut session, &[data(1), data(2)]).await;
        let (taken, lost) = hear(&mut session, &[data(4), data(5)]).await;
        let (_, again) = hear(&mut session, &[data(3), data(4)]).await;
        session.received = MonotonicNanos(NOISY_NANOS);
        assert_eq!((introduced, good), (heard(0), vec![]));
        assert_eq!((taken, lost, again), (vec![], heard(2), heard(4)));
        assert!(!session.is_noisy(), "a minute later");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_repeats_what_is_not_durable_is_told_that_it_was_heard() {
        let mut session = Session::new(Registry::default());
        hear(&mut session, &[hello(), data(1), data(2)]).await;
        assert_eq!(hear(&mut session, &[data(1)]).await, (vec![], heard(2)));
    }

    /// When each frame was taken that a device says at a moment; both in milliseconds.
    async fn dated(session: &mut Session, frames: &[Vec<u8>], at: u64) -> Vec<u64> {
        let (line, mut chunks) = mpsc::channel(16);
        let at = MonotonicNanos(at * 1_000_000);
        session.push(&frames.concat(), at, &line).await.unwrap();
        let chunk = chunks.recv().await.unwrap();
        chunk.frames.iter().map(|frame| (chunk.received.0 - frame.age_ns) / 1_000_000).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_comes_after_a_dead_cable_is_dated_when_it_was_measured() {
        let registry = Registry::default();
        let mut first = Session::new(registry.clone());
        let begun = [hello_of(DeviceClock::Tick), data_at(1, 500), data_at(2, 1_500)];
        assert_eq!(dated(&mut first, &begun, 9_000).await, [8_000, 9_000]);
        registry.run(DeviceId(1), SourceBoot(BOOT), Proof::Unasked).is_durable_to(2);

        let mut second = Session::new(registry);
        let ring = [hello_of(DeviceClock::Tick), data_at(3, 2_500), data_at(4, 602_500)];
        assert_eq!(dated(&mut second, &ring, 610_000).await, [10_000, 610_000]);
        let mut other = Session::new(Registry::default());
        let plain = [hello(), data_at(1, 500), data_at(2, 1_500)];
        assert_eq!(dated(&mut other, &plain, 9_000).await, [9_000, 9_000], "it counts nothing");
    }

    /// What a device says of its standing at 700 s of its own time.
    fn standing(boot: u32, oldest: u32) -> Vec<u8> {
        let said = Standing {
            device: DeviceId(1),
            now_ticks: 700_000,
            oldest,
            capacity: 64,
            is_counted: true,
            resolution_ns: 1_000_000,
            firmware: "1",
        };
        let payload = said.write().unwrap();
        let mut out = [0; ENCODED_BYTES_MAX];
        let frame = Frame { kind: Kind::Standing, boot, sequence: 0, payload: payload.as_slice() };
        let length = frame.encode(&mut out);
        out[..length].to_vec()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_says_its_standing_is_dated_by_it_and_not_asked() {
        let mut session = Session::new(Registry::default());
        let words = [standing(BOOT, 5), hello_of(DeviceClock::Tick), data_at(5, 600_000)];
        let (line, mut chunks) = mpsc::channel(16);
        let at = MonotonicNanos(1_000_000_000_000);
        let answers = session.push(&words.concat(), at, &line).await.unwrap();
        let chunk = chunks.recv().await.unwrap();
        assert_eq!(chunk.frames[0].age_ns, 100_000_000_000);
        assert_eq!(
            chunk.begun,
            Some(Last { boot: BOOT, is_counted: true, capacity: 64, has_key: false })
        );
        assert_eq!(answers, heard(5), "nothing is asked");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_run_that_brings_nothing_yet_is_told_of_and_another_run_s_standing_is_not() {
        let mut session = Session::new(Registry::default());
        let (line, mut chunks) = mpsc::channel(16);
        let words = [standing(BOOT + 1, 1), hello()].concat();
        session.push(&words, MonotonicNanos(0), &line).await.unwrap();
        let unsaid = Last { boot: BOOT, is_counted: false, capacity: 0, has_key: false };
        assert_eq!(chunks.try_recv().unwrap().begun, Some(unsaid));
        session.push(&standing(BOOT, 1), MonotonicNanos(0), &line).await.unwrap();
        let chunk = chunks.try_recv().unwrap();
        assert_eq!((chunk.frames.len(), chunk.begun.map(|last| last.boot)), (0, Some(BOOT)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_only_waits_is_told_what_became_durable() {
        let registry = Registry::default();
        let mut session = Session::new(registry.clone());
        hear(&mut session, &[hello(), data(1)]).await;
        let run = registry.run(DeviceId(1), SourceBoot(BOOT), Proof::Unasked);
        let commit = async {
            tokio::task::yield_now().await;
            run.is_durable_to(1);
            std::future::pending::<()>().await;
        };

        let told = tokio::select! {
            biased;
            told = session.next_ack() => told,
            () = commit => Vec::new(),
        };

        assert_eq!(told, encode_ack(SourceBoot(BOOT), 1));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_run_is_never_told_less_than_before() {
        let registry = Registry::default();
        let mut session = Session::new(registry.clone());
        hear(&mut session, &[hello()]).await;
        let run = registry.run(DeviceId(1), SourceBoot(BOOT), Proof::Unasked);
        run.is_durable_to(9);
        run.is_durable_to(4);
        assert_eq!(session.next_ack().await, encode_ack(SourceBoot(BOOT), 9));
    }
}
