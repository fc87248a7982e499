//! Monitors that speak at a rate, or as fast as they are acknowledged, over Unix sockets.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wire::identity::DeviceId;
use wire::link::{DataWriter, Deframer, ENCODED_BYTES_MAX, Frame, Kind, write_hello};
use wire::reading::Mode;
use wire::time::DeviceClock;

use super::load::{START_NS, monitor_channels};

/// Frames that may be out without acknowledgement: several seconds of speech.
const WINDOW: u32 = 40_000;
/// Numerics in one frame.
pub const NUMERICS_A_FRAME: u64 = 30;

static BOOTS: AtomicU32 = AtomicU32::new(1);

struct Blaster {
    stream: UnixStream,
    boot: u32,
    device: DeviceId,
    next: u32,
    acked: u32,
    deframer: Deframer,
    pending: Vec<u8>,
}

impl Blaster {
    fn connect(path: &Path, number: u64) -> Result<Self> {
        let stream = UnixStream::connect(path).with_context(|| path.display().to_string())?;
        let device = DeviceId(0x00AA_0000_0000_0000 + number);
        // Every run of a device has a boot of its own: the same numbers would be repeats.
        let boot = BOOTS.fetch_add(1, Ordering::Relaxed);
        let mut blaster = Self {
            stream,
            boot,
            device,
            next: 1,
            acked: 0,
            deframer: Deframer::default(),
            pending: Vec::with_capacity(1 << 16),
        };
        blaster.introduce()?;
        blaster.stream.set_nonblocking(true)?;
        Ok(blaster)
    }

    fn introduce(&mut self) -> Result<()> {
        let channels = monitor_channels();
        let about = (self.device, DeviceClock::UtcSynchronised, 6, Mode::Demo);
        let parts = channels.chunks(5).count() as u8;
        for (part, list) in channels.chunks(5).enumerate() {
            let first = (part * 5) as u16;
            let payload = write_hello(about, parts, "bench", first, list).context("hello")?;
            self.frame(Kind::Hello, part as u32, payload.as_slice());
        }
        self.stream.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    fn frame(&mut self, kind: Kind, sequence: u32, payload: &[u8]) {
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind, boot: self.boot, sequence, payload }.encode(&mut out);
        self.pending.extend_from_slice(&out[..length]);
    }

    /// Says everything up to a sequence, as far as there is room.
    fn speak(&mut self, until: u32) {
        let room = |blaster: &Self| {
            blaster.pending.len() < 1 << 15 && blaster.next - blaster.acked < WINDOW
        };
        while self.next <= until && room(self) {
            let moment = i64::from(self.next);
            let mut writer = DataWriter::new(START_NS / 1_000_000 + moment * 10);
            let value = |channel: i64| Ok(80 + channel + ((moment * (channel + 3)) >> 2) % 5);
            writer.numerics(0, &std::array::from_fn::<_, 30, _>(|channel| value(channel as i64)));
            self.frame(Kind::Data, self.next, writer.finish().as_slice());
            self.next += 1;
        }
    }

    /// Writes and reads what goes without waiting; whether anything went.
    fn turn(&mut self) -> Result<bool> {
        let mut moved = false;
        match self.stream.write(&self.pending) {
            Ok(count) => {
                self.pending.drain(..count);
                moved = count > 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(count) => self.hear(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(moved)
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, frame) = self.deframer.push(bytes);
            bytes = &bytes[taken..];
            if let Some(Ok(Frame { kind: Kind::Ack, boot, sequence, .. })) = frame
                && boot == self.boot
            {
                self.acked = self.acked.max(sequence);
            }
        }
    }
}

/// How monitors speak.
#[derive(Clone, Copy, Debug)]
pub struct Speech {
    /// Monitors at once.
    pub monitors: u64,
    /// For how long.
    pub time: Duration,
    /// Numerics a second, all together; `None` for as fast as they are acknowledged.
    pub rate: Option<f64>,
}

/// Lets monitors speak; returns numerics that were acknowledged as durable.
///
/// # Errors
/// The agent goes away, or does not acknowledge everything in the end.
pub fn run(path: &Path, speech: Speech) -> Result<u64> {
    let threads: Vec<_> = (0..speech.monitors)
        .map(|number| {
            let path = path.to_owned();
            std::thread::spawn(move || blast(&path, number, speech))
        })
        .collect();
    let mut sum = 0;
    for thread in threads {
        sum += thread.join().map_err(|_| anyhow::anyhow!("a monitor failed"))??;
    }
    Ok(sum)
}

fn blast(path: &Path, number: u64, speech: Speech) -> Result<u64> {
    let mut blaster = Blaster::connect(path, number)?;
    let began = Instant::now();
    let patience = began + speech.time + Duration::from_secs(60);
    let frames_a_second =
        speech.rate.map(|rate| rate / (speech.monitors * NUMERICS_A_FRAME) as f64);
    loop {
        let now = Instant::now();
        let spoken = now - began;
        if spoken < speech.time {
            let due = frames_a_second.map_or(f64::MAX, |rate| rate * spoken.as_secs_f64());
            blaster.speak(due as u32);
        } else if blaster.pending.is_empty() && blaster.acked + 1 == blaster.next {
            return Ok(u64::from(blaster.acked) * NUMERICS_A_FRAME);
        }
        anyhow::ensure!(now < patience, "{} of {} acknowledged", blaster.acked, blaster.next - 1);
        if !blaster.turn()? {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
