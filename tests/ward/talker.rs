//! A device that talks without a pause: numerics every few milliseconds, now and then an alert.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rig::device::{About, Device, Manner, Port, Progress, Said, Speech};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::batch::ChannelInfo;
use wire::decimal::{Decimal, Number};
use wire::identity::DeviceId;
use wire::reading::{Alert, ChannelKind, Mode};

/// What is said at once.
const NUMERICS: usize = 8;
/// One alert in so many words.
const WORDS_AN_ALERT: u64 = 50;
const MILLISECOND_NS: i64 = 1_000_000;

/// A talking device.
pub struct Talker {
    task: JoinHandle<Result<Said>>,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
}

/// How it talks.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    /// Which device this is.
    pub number: u32,
    /// Between two words.
    pub pause: Duration,
    /// Until everything is acknowledged at the end.
    pub patience: Duration,
}

impl Talker {
    /// Begins to talk to a socket of the gateway.
    pub fn begin(socket: PathBuf, tone: Tone) -> Self {
        let manner = Manner { window_frames: 256, resend_after: Duration::from_millis(500) };
        let device = Device::start(Port::Unix(socket), manner);
        let progress = device.watch();
        let (stop, stopped) = watch::channel(false);
        Self { task: tokio::spawn(talk(device, tone, stopped)), progress, stop }
    }

    /// Frames acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.progress.borrow().acknowledged
    }

    /// Waits until more than so many frames are acknowledged; whether they are in time.
    pub async fn wait_beyond(&mut self, frames: u64, patience: Duration) -> bool {
        let more = self.progress.wait_for(|progress| progress.acknowledged > frames);
        tokio::time::timeout(patience, more).await.is_ok_and(|more| more.is_ok())
    }

    /// Says nothing new, waits until all is acknowledged, and tells what was said.
    pub async fn end(self) -> Result<Said> {
        self.stop.send_replace(true);
        self.task.await.context("the talker has failed")?
    }
}

async fn talk(device: Device, tone: Tone, stop: watch::Receiver<bool>) -> Result<Said> {
    let about = About {
        device: DeviceId(0x0242_ACFF_FE10_0000 + u64::from(tone.number)),
        tick_exponent: 6,
        mode: Mode::Demo,
        model: "Wardline talker 1".into(),
    };
    let mut speech = Speech::new(about);
    device.say(speech.introduce(tone.number | 1, &channels())?).await?;
    let begin_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as i64;
    let mut word = 0u64;
    while !*stop.borrow() {
        let time_ns = (begin_ms + word.cast_signed()) * MILLISECOND_NS;
        for utterance in speech.numerics(time_ns, 0, &numbers(word))? {
            device.say(utterance).await?;
        }
        if word.is_multiple_of(WORDS_AN_ALERT) {
            let text = format!("word {word}");
            let alert = Alert { code: 1, source: 2, phase: 0, state: 1, priority: 2, text: &text };
            device.say(speech.alert(time_ns, &alert)?).await?;
        }
        word += 1;
        tokio::time::sleep(tone.pause).await;
    }
    device.finish(tone.patience).await?;
    Ok(speech.into_said())
}

fn numbers(word: u64) -> Vec<(Number, u16)> {
    let number = |channel: usize| {
        let mantissa = (word as i64 * 7 + channel as i64 * 13) % 1000;
        (Number::Is(Decimal { mantissa, exponent: 0 }), 0)
    };
    (0..NUMERICS).map(number).collect()
}

fn channels() -> Vec<ChannelInfo> {
    let channel = |number: usize| ChannelInfo {
        code: 1000 + number as u32,
        unit: 1,
        kind: ChannelKind::Numeric { exponent: 0 },
        label: format!("N{number}"),
        unit_label: "1".into(),
    };
    (0..NUMERICS).map(channel).collect()
}
