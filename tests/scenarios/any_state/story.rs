//! A gateway's folder, the agent on it, and a device that speaks to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use agent::buffer::disk::Folder;
use agent::buffer::{Buffer, Position, Quota, Writer};
use agent::seal::keyring::{Custody, KeyFiles, veil_beside};
use agent::seal::sealer::Seal;
use anyhow::{Context, Result, bail};
use rig::device::{About, Device, Manner, Port, Speech};
use rig::fleet::named;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use wire::batch::ChannelInfo;
use wire::decimal::{Decimal, Number};
use wire::frame::{Record, RecordKind, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{BootId, DeviceId, Lane};
use wire::reading::{ChannelKind, Mode};
use wire::segment::Suite;

use super::VALUES;
use crate::gateway::clock;

/// Where devices speak, in the gateway's folder.
pub const SOCKET: &str = "beds.sock";
/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// A copy of a gateway's folder.
pub struct Nest {
    pub folder: PathBuf,
    wardline: PathBuf,
    _gone_with_us: TempDir,
}

/// The agent, for as long as this lives.
pub struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        assert!(ended.is_ok(), "the agent does not end");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, to) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => copy(&entry.path(), &to),
            (_, true) => drop(fs::copy(entry.path(), to).unwrap()),
            _ => {}
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

impl Nest {
    pub fn copy(from: &Path, wardline: &Path) -> Self {
        let temporary = tempfile::Builder::new().prefix("ward-").tempdir_in("/tmp").unwrap();
        let folder = temporary.path().join("gw");
        copy(from, &folder);
        Self { folder, wardline: wardline.to_owned(), _gone_with_us: temporary }
    }

    pub fn start(&self) -> Agent {
        let log = fs::File::create(self.folder.join("log")).unwrap();
        let mut command = self.command(&["run"]);
        Agent(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.wardline);
        command.args(words).arg("--config").arg(self.folder.join("wardline.toml"));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What `wardline log verify` says.
    pub fn verify(&self) -> String {
        let mut command = Command::new(&self.wardline);
        command.args(["log", "verify"]).arg(self.folder.join("state/buffer"));
        let output = command.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Waits until an alarm of the running agent holds these words.
    pub async fn wait_for_alarm(&self, words: &str) -> Result<()> {
        let named = |alarms: &[String]| alarms.iter().any(|alarm| alarm.contains(words));
        wait_for(&self.folder.join("state/status.sock"), named)
            .await
            .with_context(|| format!("no alarm names {words}\n{}", self.log()))
    }

    /// Whether these bytes are still in some file.
    pub fn still_holds(&self, bytes: &[u8]) -> bool {
        bytes.is_empty()
            || files(&self.folder).iter().any(|path| fs::read(path).is_ok_and(|kept| kept == bytes))
    }

    /// Reads everything that would be sent, and compares it with what was said and has no receipt.
    pub fn check_books(&self, said: u64) -> Result<(), String> {
        let custody = Custody::open(&KeyFiles::below(&self.folder.join("state"))).unwrap();
        let sealer = Seal::new(custody.signing, custody.keyring, Suite::XWing);
        let place = self.folder.join("state/buffer");
        let disk = Folder::open(&place).unwrap().under(veil_beside(&place));
        let quota = Quota { bytes_max: 1 << 30, free_bytes_min: 0, keep_seconds: 3600 };
        let writer = Writer { gateway: named("gw-1"), boot: BootId([1; 16]), software: "".into() };
        let (mut buffer, _) = Buffer::recover(disk, sealer, writer, quota, &clock(0)).unwrap();
        let (mut held, mut fewest, mut most) = (0, 0, 0);
        let mut from = Position::default();
        loop {
            buffer.commit(&clock(0)).unwrap();
            let Some(at) = buffer.next_unreceipted(Lane::Vital, from, &clock(0)) else { break };
            from = Position { index: at.position.index + 1, ..at.position };
            let Some(bytes) = buffer.read(at.position, &clock(0)) else { continue };
            let record = Record::parse(&bytes).unwrap();
            match record.kind {
                RecordKind::Header => {}
                RecordKind::Frame => {
                    let (core, _, _) = read_frame_payload(record.payload).unwrap();
                    held += core.sequence_last + 1 - core.sequence_first;
                }
                RecordKind::Gap => {
                    let (least, greatest) = Gap::decode(record.payload).unwrap().hole.readings;
                    (fewest, most) = (fewest + least, most + greatest);
                }
            }
        }
        let missing = said.saturating_sub(held);
        if held <= said && (fewest..=most).contains(&missing) {
            return Ok(());
        }
        Err(format!("{said} readings said, {held} held, {fewest} to {most} inside gaps"))
    }
}

/// Waits until the alarms of a running agent are as wanted.
pub async fn wait_for(socket: &Path, wanted: impl Fn(&[String]) -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut alarms = Vec::new();
    while Instant::now() < until {
        if let Some(shown) = alarms_at(socket).await {
            alarms = shown;
            if wanted(&alarms) {
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("the alarms are {alarms:?}")
}

/// The alarms on the status socket.
pub async fn alarms_at(socket: &Path) -> Option<Vec<String>> {
    let mut text = String::new();
    UnixStream::connect(socket).await.ok()?.read_to_string(&mut text).await.ok()?;
    let status: serde_json::Value = serde_json::from_str(&text).ok()?;
    let alarms = status["alarms"].as_array()?.iter();
    Some(alarms.map(|alarm| alarm.as_str().unwrap_or_default().to_owned()).collect())
}

/// A device that is about to speak.
pub struct Words {
    device: Device,
}

/// Says a few values on a run of its own.
pub async fn say(folder: &Path, boot: u32) -> Result<Words> {
    let manner = Manner { window_frames: 16, resend_after: Duration::from_millis(500) };
    let device = Device::start(Port::Unix(folder.join(SOCKET)), manner);
    let about = About {
        device: DeviceId(0x0242_ACFF_FE00_0001),
        tick_exponent: 6,
        mode: Mode::Demo,
        model: "monitor".into(),
    };
    let mut speech = Speech::new(about);
    let channel = ChannelInfo {
        code: 149_530,
        unit: 264_864,
        kind: ChannelKind::Numeric { exponent: 0 },
        label: "PR".into(),
        unit_label: "bpm".into(),
    };
    let channels = vec![channel; VALUES as usize];
    device.say(speech.introduce(boot + 1, &channels)?).await?;
    let number = |at| (Number::Is(Decimal { mantissa: 60 + at, exponent: 0 }), 0);
    let numbers: Vec<_> = (0..VALUES.cast_signed()).map(number).collect();
    for utterance in speech.numerics(1_790_000_000_000_000_000, 0, &numbers)? {
        device.say(utterance).await?;
    }
    Ok(Words { device })
}

impl Words {
    /// Waits until everything is acknowledged.
    pub async fn are_taken(self) -> Result<()> {
        self.device.finish(PATIENCE).await.map(drop)
    }

    /// Whether nothing is acknowledged yet.
    pub fn are_not_taken(&self) -> bool {
        self.device.progress().acknowledged == 0
    }
}

/// Says a few values and waits until they are acknowledged.
pub async fn speak(folder: &Path, boot: u32) -> Result<()> {
    say(folder, boot).await?.are_taken().await
}
