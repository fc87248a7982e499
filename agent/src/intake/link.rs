//! Link frames from a stream of bytes: in order, each once, and asked for again when unknown.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use wire::identity::SourceBoot;
use wire::link::{Deframer, ENCODED_BYTES_MAX, Entries, Frame, Hello, Kind, SourceGap};
use wire::time::MonotonicNanos;

use super::{Chunk, Device, FrameSpan, Introduction, Registry, Run};
use crate::limits::INTAKE_CHUNK_BYTES_MAX;

/// What one stream of bytes means: one device at a time.
///
/// Invariant: `expected` is the sequence of the next frame that is taken; an earlier one is a
/// repeat and a later one means that frames were lost on the way, which the device sends again.
pub struct Session {
    deframer: Deframer,
    introduction: Introduction,
    registry: Registry,
    device: Option<Arc<Device>>,
    expected: Option<u32>,
    /// Whether we asked the device to begin again, and nothing was damaged since its answer.
    asked: bool,
    clean: bool,
    link_errors: u64,
    chunk: Vec<u8>,
    frames: Vec<FrameSpan>,
    ready: Vec<Chunk>,
    received: MonotonicNanos,
    /// The device's run, and what we have told it of what is durable.
    run: Option<(Arc<Run>, watch::Receiver<Option<u32>>)>,
    answers: Vec<u8>,
}

impl Session {
    /// A session that knows nothing of its device yet.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            deframer: Deframer::default(),
            introduction: Introduction::default(),
            registry,
            device: None,
            expected: None,
            asked: false,
            clean: false,
            link_errors: 0,
            chunk: Vec::new(),
            frames: Vec::new(),
            ready: Vec::new(),
            received: MonotonicNanos(0),
            run: None,
            answers: Vec::new(),
        }
    }

    /// Waits until more of what the device said is durable; returns what it must be told.
    pub async fn next_ack(&mut self) -> Vec<u8> {
        if let Some((run, durable)) = &mut self.run {
            while durable.changed().await.is_ok() {
                // What was marked at the introduction may be nothing yet.
                if let Some(sequence) = *durable.borrow_and_update() {
                    return encode_ack(run.boot, sequence);
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
        Ok(std::mem::take(&mut self.answers))
    }

    /// Takes one frame; whether the chunk should be passed on now.
    fn take(&mut self, frame: Result<Frame<'_>, wire::link::LinkError>) -> bool {
        let Ok(frame) = frame else {
            self.clean = false;
            self.link_errors += 1;
            return false;
        };
        match frame.kind {
            Kind::Hello => self.hello(&frame),
            Kind::Data | Kind::Gap => self.data(&frame),
            Kind::Ack | Kind::Query => self.link_errors += 1,
        }
        self.chunk.len() >= INTAKE_CHUNK_BYTES_MAX
    }

    fn hello(&mut self, frame: &Frame<'_>) {
        let Ok(hello) = Hello::read(frame.payload) else {
            self.link_errors += 1;
            return;
        };
        let Some(device) =
            self.introduction.take(frame.boot, frame.sequence, &hello, &self.registry)
        else {
            return;
        };
        self.clean = true;
        let known = self.device.as_ref().is_some_and(|known| {
            known.source == device.source
                && Arc::ptr_eq(&known.numerics, &device.numerics)
                && Arc::ptr_eq(&known.waves, &device.waves)
        });
        if known {
            return;
        }
        let same_run = self.device.as_ref().is_some_and(|known| {
            (known.source.device, known.source.boot) == (device.source.device, device.source.boot)
        });
        if !same_run {
            // What was heard of the run before goes out under its own name.
            self.close_chunk();
            (self.expected, self.asked) = (None, false);
        }
        if same_run {
            self.close_chunk();
        }
        tracing::info!(device = %device.source.device, boot = frame.boot, "device introduced");
        if !same_run {
            let run = self.registry.run(device.source.device, device.source.boot);
            let mut durable = run.durable.subscribe();
            durable.mark_changed();
            self.run = Some((run, durable));
        }
        self.device = Some(Arc::new(device));
    }

    /// The last sequence of this run that is durable, whichever line it came by.
    fn durable(&self) -> Option<u32> {
        self.run.as_ref().and_then(|(_, durable)| *durable.borrow())
    }

    /// Whether this frame is certainly the oldest that the device holds: its first ever, the one
    /// after what is durable, or the first after an answer to our question, undamaged. Otherwise
    /// the device is asked.
    fn is_oldest(&mut self, frame: &Frame<'_>) -> bool {
        let next = self.durable().map_or(1, |durable| durable.wrapping_add(1));
        if frame.sequence == next || self.asked && self.clean {
            return true;
        }
        (self.asked, self.clean) = (true, false);
        self.answer(Frame { kind: Kind::Query, boot: frame.boot, sequence: 0, payload: &[] });
        false
    }

    fn data(&mut self, frame: &Frame<'_>) {
        let known = self.device.as_ref().filter(|device| device.source.boot.0 == frame.boot);
        if known.is_none() {
            self.answer(Frame { kind: Kind::Query, boot: frame.boot, sequence: 0, payload: &[] });
            return;
        }
        let durable = self.durable();
        let repeated = match self.expected {
            Some(expected) => frame.sequence < expected,
            None => durable.is_some_and(|durable| frame.sequence <= durable),
        };
        if repeated {
            // It is durable or about to be: say again how far we are.
            if let Some(sequence) = durable {
                let boot = frame.boot;
                self.answer(Frame { kind: Kind::Ack, boot, sequence, payload: &[] });
            }
            return;
        }
        if self.expected.is_none() && !self.is_oldest(frame) {
            return;
        }
        let expected = *self.expected.get_or_insert(frame.sequence);
        let well_formed = match frame.kind {
            Kind::Gap => SourceGap::read(frame.payload).is_ok(),
            _ => Entries::read(frame.payload).is_ok(),
        };
        if frame.sequence > expected || !well_formed {
            self.link_errors += 1;
            return;
        }
        self.expected = Some(expected.wrapping_add(1));
        let start = self.chunk.len();
        self.chunk.extend_from_slice(frame.payload);
        let end = self.chunk.len();
        let gap = frame.kind == Kind::Gap;
        self.frames.push(FrameSpan { sequence: frame.sequence, gap, start, end });
    }

    fn answer(&mut self, frame: Frame<'_>) {
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = frame.encode(&mut out);
        if self.answers.len() < INTAKE_CHUNK_BYTES_MAX && !self.answers.ends_with(&out[..length]) {
            self.answers.extend_from_slice(&out[..length]);
        }
    }

    /// Puts what was heard of the present device into a chunk of its own.
    fn close_chunk(&mut self) {
        let (Some(device), Some((run, _)), false) =
            (&self.device, &self.run, self.frames.is_empty())
        else {
            return;
        };
        self.ready.push(Chunk {
            device: device.clone(),
            received: self.received,
            bytes: std::mem::take(&mut self.chunk),
            frames: std::mem::take(&mut self.frames),
            link_errors: std::mem::take(&mut self.link_errors),
            run: run.clone(),
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

/// An acknowledgement as bytes.
#[must_use]
pub fn encode_ack(boot: SourceBoot, sequence: u32) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let frame = Frame { kind: Kind::Ack, boot: boot.0, sequence, payload: &[] };
    let length = frame.encode(&mut out);
    out[..length].to_vec()
}

#[cfg(test)]
mod tests {
    use wire::identity::DeviceId;
    use wire::link::{DataWriter, write_hello};
    use wire::reading::{Channel, ChannelKind, Mode};
    use wire::time::DeviceClock;

    use super::*;

    const BOOT: u32 = 7;

    fn encoded(kind: Kind, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind, boot: BOOT, sequence, payload }.encode(&mut out);
        out[..length].to_vec()
    }

    fn hello() -> Vec<u8> {
        let kind = ChannelKind::Numeric { exponent: 0 };
        let channel = Channel { code: 147_842, unit: 264_864, kind, label: "", unit_label: "" };
        let about = (DeviceId(1), DeviceClock::None, 6, Mode::Demo);
        let payload = write_hello(about, 1, "test", 0, &[channel]).unwrap();
        encoded(Kind::Hello, 0, payload.as_slice())
    }

    fn data(sequence: u32) -> Vec<u8> {
        let mut writer = DataWriter::new(0);
        assert!(writer.numerics(0, &[Ok(60)]));
        encoded(Kind::Data, sequence, writer.finish().as_slice())
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
        registry.run(DeviceId(1), SourceBoot(BOOT)).is_durable_to(3);

        let mut second = Session::new(registry);
        let (repeated, answers) = hear(&mut second, &[hello(), data(1), data(2)]).await;
        let told = second.next_ack().await;
        let (fresh, _) = hear(&mut second, &[data(3), data(4)]).await;

        let ack = encode_ack(SourceBoot(BOOT), 3);
        assert_eq!((taken, repeated, fresh), (vec![1, 2, 3], vec![], vec![4]));
        assert_eq!((answers, told), (ack.clone(), ack));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_only_waits_is_told_what_became_durable() {
        let registry = Registry::default();
        let mut session = Session::new(registry.clone());
        hear(&mut session, &[hello(), data(1)]).await;
        let run = registry.run(DeviceId(1), SourceBoot(BOOT));
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
        let run = registry.run(DeviceId(1), SourceBoot(BOOT));
        run.is_durable_to(9);
        run.is_durable_to(4);
        assert_eq!(session.next_ack().await, encode_ack(SourceBoot(BOOT), 9));
    }
}
