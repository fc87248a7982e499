//! A UART between a device's sender and a gateway's session, byte by byte in virtual time: what one
//! line carries.

use std::convert::Infallible;
use std::sync::Arc;

use agent::intake::link::Session;
use agent::intake::{Chunk, Registry, Run};
use anyhow::{Context, Result};
use embedded_io::{ErrorType, Write};
use firmware_shim::about::About;
use firmware_shim::sampler::Sampler;
use firmware_shim::sender::Sender;
use firmware_shim::sensor::{Fault, Readings, Sensor, block_on};
use tokio::sync::mpsc;
use wire::decimal::Decimal;
use wire::identity::DeviceId;
use wire::link::{Entries, Entry};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{MonotonicNanos, Rate};

use crate::random::Random;

/// What went over the line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Samples that the sensor gave, all channels.
    pub given: u64,
    /// Samples that came to the gateway.
    pub came: u64,
    /// Gaps that the device declared, and samples that it had no room for.
    pub gaps: u64,
    /// Bytes of the device.
    pub bytes: u64,
    /// How much of the time the line was busy, thousandths.
    pub busy_permille: u64,
    /// Records that waited for an acknowledgement, most.
    pub waiting_max: u32,
}

const CHANNELS: usize = 3;
const HERTZ: u32 = 500;
/// 32 ms of samples.
const BLOCK: usize = 16;
const PERIOD_MS: u32 = 1_000 * BLOCK as u32 / HERTZ;
/// Two seconds and a half of it.
const RING_BYTES: usize = 16 * 1024;

const fn lead(label: &'static str) -> Channel<'static> {
    let kind = ChannelKind::Wave {
        rate: Rate { numerator: HERTZ as u64, denominator: 1 },
        gain: Decimal { mantissa: 200, exponent: 0 },
        baseline: 0,
        bits: 16,
    };
    Channel { code: 131_328, unit: 266_418, kind, label, unit_label: "mV" }
}

const LEADS: [Channel<'static>; CHANNELS] = [lead("I"), lead("II"), lead("V")];

/// Three leads of an ECG whose samples differ by some hundred steps, as at 16 bits.
struct Ecg {
    random: Random,
    last: [i32; CHANNELS],
    given: u64,
}

impl Sensor<()> for Ecg {
    fn channels(&self) -> &'static [Channel<'static>] {
        &LEADS
    }

    fn period(&self) -> u32 {
        PERIOD_MS
    }

    async fn start(&mut self, _: &mut ()) -> Result<(), Fault> {
        Ok(())
    }

    async fn read(&mut self, _: &mut (), readings: &mut Readings<'_>) -> Result<(), Fault> {
        let mut block = [[None; BLOCK]; CHANNELS];
        for (lead, last) in block.iter_mut().zip(&mut self.last) {
            for sample in lead {
                *last += self.random.below(601) as i32 - 300;
                *sample = Some(*last);
            }
        }
        self.given += (CHANNELS * BLOCK) as u64;
        readings.wave(0, 0, &[&block[0], &block[1], &block[2]]);
        Ok(())
    }
}

/// Bytes on their way.
#[derive(Default)]
struct Sent(Vec<u8>);

impl ErrorType for Sent {
    type Error = Infallible;
}

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The gateway: what it takes becomes durable each second.
struct Gateway {
    session: Session,
    chunks: (mpsc::Sender<Chunk>, mpsc::Receiver<Chunk>),
    heard: Option<(Arc<Run>, u32)>,
    committed_ms: u32,
}

impl Gateway {
    async fn hear(&mut self, bytes: &[u8], now_ms: u32, carried: &mut Carried) -> Result<Vec<u8>> {
        let now = MonotonicNanos(u64::from(now_ms) * 1_000_000);
        let mut answer = self.session.push(bytes, now, &self.chunks.0).await?;
        while let Ok(chunk) = self.chunks.1.try_recv() {
            for frame in &chunk.frames {
                count(frame.gap, &chunk.bytes[frame.start..frame.end], carried)?;
                self.heard = Some((chunk.run.clone(), frame.sequence));
            }
        }
        if now_ms - self.committed_ms >= 1_000 {
            self.committed_ms = now_ms;
            if let Some((run, sequence)) = self.heard.take() {
                run.is_durable_to(sequence);
                answer.extend(self.session.next_ack().await);
            }
        }
        Ok(answer)
    }
}

fn count(is_gap: bool, payload: &[u8], carried: &mut Carried) -> Result<()> {
    if is_gap {
        carried.gaps += 1;
        return Ok(());
    }
    for entry in Entries::read(payload)? {
        if let Entry::Wave(wave) = entry {
            carried.came += wave.samples().flatten().count() as u64;
        }
    }
    Ok(())
}

/// Carries three leads of an ECG at 500 Hz for so many seconds over a line of so many bits a
/// second.
///
/// # Errors
/// The gateway's end fails.
pub async fn carry_ecg(bits_a_second: u64, seconds: u32) -> Result<Carried> {
    let mut sensor = Ecg { random: Random::new(1), last: [0; CHANNELS], given: 0 };
    let (device, mode, channels) = (DeviceId(1), Mode::Demo, &LEADS[..]);
    let about = About { device, model: "ecg", firmware: "1", is_counted: true, mode, channels };
    let mut sender = Sender::<RING_BYTES>::new(about, 1, 0);
    let mut sampler = Sampler::new::<(), _>(&sensor, 0, 0);
    let (session, chunks) = (Session::new(Registry::default()), mpsc::channel(256));
    let mut gateway = Gateway { session, chunks, heard: None, committed_ms: 0 };
    let mut carried = Carried::default();
    // The line is busy until then, microseconds; a byte has ten bits on it.
    let (mut busy_us, mut busy_in_all) = (0, 0);
    for now in 0..seconds * 1_000 {
        if sampler.is_due(now) {
            let chip = (&mut sensor, &mut ());
            block_on(sampler.sample((now, now.into()), chip, &mut sender.ring)).1?;
        }
        let begin_us = u64::from(now) * 1_000;
        while busy_us < begin_us + 1_000 {
            let mut sent = Sent::default();
            let said = sender.send(&mut sent, now).map_err(|error| match error {})?;
            if !said {
                break;
            }
            let lasts = sent.0.len() as u64 * 10_000_000 / bits_a_second;
            (busy_us, busy_in_all) = (busy_us.max(begin_us) + lasts, busy_in_all + lasts);
            carried.bytes += sent.0.len() as u64;
            let answer = gateway.hear(&sent.0, now, &mut carried).await?;
            sender.hear(&answer, now);
        }
        carried.waiting_max = carried.waiting_max.max(sender.ring.waiting());
    }
    carried.given = sensor.given;
    carried.busy_permille =
        (busy_in_all / u64::from(seconds)).checked_div(1_000).context("no time")?;
    Ok(carried)
}
