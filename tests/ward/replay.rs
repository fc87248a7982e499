//! `ward replay`: a WFDB recording through the line as one device, and out again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rig::device::{About, Device, Manner, Port, Speech};
use rig::ledger::Ledger;
use rig::site::{Intake, Plan, Programs, Site};
use rig::wfdb::{self, Record, Segment};
use serde::Serialize;
use wire::identity::DeviceId;
use wire::reading::Mode;

#[path = "replay/messages.rs"]
mod messages;

use crate::choice::{BrokerChoice, broker_name};
use crate::recording;
use crate::report::show_differences;

/// Replays a recording.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Path of a WFDB record, without extension.
    #[arg(long, value_name = "RECORD")]
    wfdb: PathBuf,
    /// Folder for the export, one CSV a signal; must be empty or new.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder for exports in every format, one folder each.
    #[arg(long, value_name = "DIR")]
    formats: Option<PathBuf>,
    /// As HL7 messages of numerics, one a frame, into --formats alone.
    #[arg(long, requires = "formats")]
    hl7: bool,
    /// When the first frame is taken to have been measured.
    #[arg(long, value_name = "ISO", default_value = "2026-01-01T00:00:00Z")]
    start: jiff::Timestamp,
    /// Which broker.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Prints one line of JSON at the end; everything else goes to standard error.
    #[arg(long)]
    json: bool,
    /// Keeps the folder with configurations, keys, buffer, store and logs.
    #[arg(long)]
    keep: bool,
}

/// The last line of `ward replay --json`.
#[derive(Debug, Default, Serialize)]
struct ReplayReport {
    schema: u32,
    record: String,
    signals: usize,
    samples: u64,
    stored: u64,
    lost: u64,
    duplicates_stored: u64,
    altered: u64,
    seconds: f64,
    broker: &'static str,
}

const DEVICE: DeviceId = DeviceId(0x0242_ACFF_FE57_FDB0);
const SOCKET: &str = "recording.sock";
/// Every format of an export, and every form of the audit trail.
const FORMATS: [&str; 4] = ["csv", "parquet", "fhir", "hl7"];
const FORMS: [&str; 3] = ["fhir", "csv", "ndjson"];
/// Batches close when they are full; the last one need not wait for others.
const FLUSH: Duration = Duration::from_millis(200);
/// More than two full batches, so that the gateway never waits for the device.
const MANNER: Manner = Manner { window_frames: 512, resend_after: Duration::from_secs(10) };
/// For the last acknowledgement, and then for the last receipt.
const PATIENCE: Duration = Duration::from_secs(120);
/// Samples of one signal that are said in one go.
const SAMPLES_A_TURN: u64 = 8192;

impl Replay {
    pub async fn run(self) -> Result<bool> {
        let began = std::time::Instant::now();
        forget_export(&self.out)?;
        let record = wfdb::read(&self.wfdb)?;
        let start_ns = i64::try_from(self.start.as_nanosecond()).context("--start is too far")?;
        if let Some(formats) = self.formats.as_ref().filter(|_| self.hl7) {
            return messages::replay(&record, start_ns, self.broker, formats).await;
        }
        let programs = Programs::build()?;
        let intakes = vec![Intake::Unix(SOCKET.into())];
        let plan = Plan { broker: self.broker.kind(), intakes, flush: Some(FLUSH) };
        let mut site = Site::prepare(programs, &plan).await?;
        if self.keep {
            eprintln!("everything stays in {}", site.keep().display());
        }
        let broker = broker_name(site.broker());
        eprintln!("{}: {} frames, broker: {broker}", record.name, record.length_frames);
        site.start_all(Duration::from_secs(15)).await?;
        let speech = say(&record, start_ns, &site).await.with_context(|| site.last_words())?;
        site.wait_for_receipts(PATIENCE).await?;
        site.export(DEVICE, &self.out)?;
        if let Some(formats) = &self.formats {
            export_all(&site, DEVICE, formats)?;
        }
        drop_empty_alerts(&self.out)?;
        let mut ledger = Ledger::default();
        ledger.compare(speech.said(), &self.out)?;
        show_differences(&ledger);
        let report = ReplayReport {
            schema: 1,
            record: record.name.clone(),
            signals: record.signals.len(),
            samples: ledger.produced,
            stored: ledger.stored,
            lost: ledger.lost,
            duplicates_stored: ledger.duplicates_stored,
            altered: ledger.altered,
            seconds: began.elapsed().as_secs_f64(),
            broker,
        };
        self.show(&report)?;
        Ok(ledger.is_clean())
    }

    fn show(&self, report: &ReplayReport) -> Result<()> {
        let words = format!(
            "{} samples of {} signals, {} lost, {} twice, {} altered, in {:.1} s; export in {}",
            report.samples,
            report.signals,
            report.lost,
            report.duplicates_stored,
            report.altered,
            report.seconds,
            self.out.display(),
        );
        if self.json {
            eprintln!("{words}");
            println!("{}", serde_json::to_string(report)?);
        } else {
            println!("{words}");
        }
        Ok(())
    }
}

/// Writes a device in every format, a folder each, and then who did what, a file each.
fn export_all(site: &Site, device: DeviceId, formats: &Path) -> Result<()> {
    for format in FORMATS {
        site.export_as(format, device, &formats.join(format))?;
    }
    let trail = formats.join("audit");
    std::fs::create_dir_all(&trail)?;
    for form in FORMS {
        let said = site.sink(&["audit"], &["--format", form])?;
        std::fs::write(trail.join(form), said)?;
    }
    Ok(())
}

/// A recording has no alerts, and a folder of signals is easier to read without a table of none.
fn drop_empty_alerts(out: &Path) -> Result<()> {
    let path = out.join("alerts.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#')).count();
    if rows == 1 {
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// Says the whole recording and waits until it is acknowledged.
async fn say(record: &Record, start_ns: i64, site: &Site) -> Result<Speech> {
    let device = Device::start(Port::Unix(site.intake_folder().join(SOCKET)), MANNER);
    let mut speech = Speech::new(About {
        device: DEVICE,
        tick_exponent: 0,
        mode: Mode::Demo,
        model: "WFDB recording".into(),
    });
    let bar = ProgressBar::new(record.length_frames);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {percent}% {elapsed} {msg}")?);
    let mut declared = Vec::new();
    let mut boot = 0;
    for segment in record.segments.iter().filter(|segment| !segment.channels.is_empty()) {
        let channels = recording::channels(record, segment)?;
        if channels != declared || boot == 0 {
            boot += 1;
            device.say(speech.introduce(boot, &channels)?).await?;
            declared = channels;
        }
        say_segment(record, segment, start_ns, &mut speech, &device, &bar).await?;
    }
    device.finish(PATIENCE).await?;
    bar.finish_and_clear();
    Ok(speech)
}

/// Says the channels of a segment in turns, so that they stay together in time.
async fn say_segment(
    record: &Record,
    segment: &Segment,
    start_ns: i64,
    speech: &mut Speech,
    device: &Device,
    bar: &ProgressBar,
) -> Result<()> {
    let groups = recording::groups(segment);
    let fastest = segment.channels.iter().map(|channel| channel.samples_per_frame).max();
    let frames_a_turn = (SAMPLES_A_TURN / u64::from(fastest.unwrap_or(1).max(1))).max(1);
    let mut from = 0;
    while from < segment.length_frames {
        let to = segment.length_frames.min(from + frames_a_turn);
        for group in &groups {
            let channels = &segment.channels[group.clone()];
            let width = u64::from(channels[0].samples_per_frame);
            let span = (from * width) as usize..(to * width) as usize;
            let samples: Vec<&[Option<i32>]> =
                channels.iter().map(|channel| &channel.samples[span.clone()]).collect();
            let first = (segment.first_frame + from) * width;
            for utterance in speech.waves(group.start, start_ns, first, &samples)? {
                device.say(utterance).await?;
            }
        }
        from = to;
        bar.set_position(segment.first_frame + from);
        bar.set_message(record.name.clone());
    }
    Ok(())
}

/// Deletes what an earlier export left in the folder; everything else stays.
fn forget_export(folder: &Path) -> Result<()> {
    let Ok(entries) = folder.read_dir() else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let export = path.extension().is_some_and(|end| end == "csv")
            && std::fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"# Wardline export"));
        if export {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
