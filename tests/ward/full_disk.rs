//! `ward full-disk`: the gateway's medium is full, then read-only, then neither.
//!
//! Whoever calls has mounted an image with a small ext4 of its own. A device talks all the time. It
//! is held back while nothing can be stored, the status says so, and it goes on when there is room
//! again, or when the image is mounted anew after ext4 gave up and made itself read-only, without a
//! restart; what it was acknowledged is in the store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rig::site::{BrokerKind, Ground, Intake, Plan, Programs, Role, Site};
use serde::Serialize;
use serde_json::Value;

use crate::hazards::site::settle;
use crate::report::show_differences;
use crate::talker::{Talker, Tone};
use crate::vitals::Vitals;

/// Fills the gateway's medium and makes it read-only.
#[derive(Debug, clap::Args)]
pub struct FullDisk {
    /// Where the medium is mounted; nothing else may be on it.
    #[arg(long, value_name = "FOLDER")]
    medium: PathBuf,
    /// What is mounted there.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
}

/// The last line.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    full: Phase,
    read_only: Phase,
    gap_records: u64,
    produced: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    agent_starts: u64,
    agent_memory_mb: f64,
    agent_handles: u64,
}

/// One time in which nothing could be stored.
#[derive(Debug, Default, Serialize)]
struct Phase {
    /// Until the status said that devices are held back.
    held_back_after_s: f64,
    /// Frames that were acknowledged while it said so.
    acknowledged: u64,
    /// What the alarm said.
    alarm: String,
    /// From the cure to the next acknowledgement.
    resumed_after_s: f64,
}

const SOCKET: &str = "bed.sock";
const PAUSE: Duration = Duration::from_millis(2);
/// Short, so that what is open is soon used up.
const FLUSH: Duration = Duration::from_millis(10);
/// Until the line runs, is held back, or goes on.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the status, which changes once a second.
const LOOK: Duration = Duration::from_millis(100);
/// The time in which nothing may be acknowledged.
const HELD_BACK_FOR: Duration = Duration::from_secs(3);

impl FullDisk {
    pub async fn run(self) -> Result<bool> {
        let plan = Plan {
            broker: Some(BrokerKind::Rig),
            intakes: vec![Intake::Unix(SOCKET.into())],
            flush: Some(FLUSH),
        };
        let state = self.medium.join("state");
        let (quota_mib, free_mib) = (None, Some(0));
        let ground = Ground { state: &state, quota_mib, free_mib, after_step: &|| {} };
        let mut site = Site::prepare_on(Programs::build()?, &plan, Some(&ground)).await?;
        let mut report = Report { schema: 1, ..Report::default() };
        let told = self.tell(&mut site, &mut report).await;
        let words = site.last_words();
        drop(site);
        told.with_context(|| words)?;
        println!("{}", serde_json::to_string(&report)?);
        let held = [&report.full, &report.read_only].iter().all(|phase| phase.acknowledged == 0);
        Ok(held && report.lost + report.duplicates + report.altered == 0)
    }

    async fn tell(&self, site: &mut Site, report: &mut Report) -> Result<()> {
        site.start_all(PATIENCE).await?;
        let tone = Tone { number: 1, pause: PAUSE, patience: PATIENCE };
        let mut talker = Talker::begin(site.intake_folder().join(SOCKET), tone);
        goes_on(&mut talker).await?;

        let filler = self.medium.join("filler");
        report.full = held_back(site, &talker, "No space left", || fill(&filler)).await?;
        fs::remove_file(&filler)?;
        report.full.resumed_after_s = goes_on(&mut talker).await?;
        stores_again(site).await?;

        self.give_up()?;
        report.read_only = held_back(site, &talker, "Read-only", || Ok(())).await?;
        self.mount_anew()?;
        report.read_only.resumed_after_s = goes_on(&mut talker).await?;
        stores_again(site).await?;

        let said = talker.end().await?;
        site.wait_for_receipts(PATIENCE).await?;
        let vitals = Vitals::of(site.id(Role::Agent).context("the agent is gone")?)?;
        (report.agent_memory_mb, report.agent_handles) = (vitals.memory_mb(), vitals.handles);
        report.agent_starts = site.starts(Role::Agent);
        let ledger = tokio::task::block_in_place(|| settle(site, &[said]))?;
        show_differences(&ledger);
        report.gap_records = site.sink_status()?["gap_records"].as_u64().unwrap_or(0);
        (report.produced, report.lost) = (ledger.produced, ledger.lost);
        (report.duplicates, report.altered) = (ledger.duplicates_stored, ledger.altered);
        Ok(())
    }

    /// What ext4 does when it meets an error: it is read-only from now on.
    fn give_up(&self) -> Result<()> {
        run("mount", &["-o".as_ref(), "remount,abort".as_ref(), self.medium.as_os_str()]).map(drop)
    }

    /// What a person does then. The old mount lives on where somebody has something open.
    fn mount_anew(&self) -> Result<()> {
        run("umount", &["-l".as_ref(), self.medium.as_os_str()])?;
        let show = ["--find".as_ref(), "--show".as_ref(), self.image.as_os_str()];
        let device = run("losetup", &show)?;
        run("mount", &[device.trim().as_ref(), self.medium.as_os_str()]).map(drop)
    }
}

/// Runs a command to its end; its standard output.
fn run(program: &str, arguments: &[&OsStr]) -> Result<String> {
    let done = Command::new(program).args(arguments).output().context(program.to_owned())?;
    if !done.status.success() {
        let words = String::from_utf8_lossy(&done.stderr);
        bail!("{program} {arguments:?}: {}: {words}", done.status);
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Waits until the status no longer says that devices are held back.
async fn stores_again(site: &Site) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while site.agent_status().await.is_none_or(|status| status["held_back"] != false) {
        if Instant::now() > until {
            bail!("the status does not say after {PATIENCE:?} that storing goes on");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Waits for the next acknowledgement; seconds until then.
async fn goes_on(talker: &mut Talker) -> Result<f64> {
    let (began, before) = (Instant::now(), talker.acknowledged());
    if !talker.wait_beyond(before, PATIENCE).await {
        bail!("nothing was acknowledged within {PATIENCE:?}");
    }
    Ok(began.elapsed().as_secs_f64())
}

/// Does something to the medium until devices are held back for this reason; watches that they are.
async fn held_back(
    site: &Site,
    talker: &Talker,
    reason: &str,
    mut deed: impl FnMut() -> Result<()>,
) -> Result<Phase> {
    let began = Instant::now();
    let alarm = loop {
        deed()?;
        let status = site.agent_status().await.unwrap_or_default();
        let alarm = alarm_of(&status, reason);
        if let (true, Some(alarm)) = (status["held_back"] == true, alarm) {
            break alarm;
        }
        if began.elapsed() > PATIENCE {
            bail!("devices are not held back ({reason}) after {PATIENCE:?}: {status}");
        }
        tokio::time::sleep(LOOK).await;
    };
    let held_back_after_s = began.elapsed().as_secs_f64();
    let before = talker.acknowledged();
    tokio::time::sleep(HELD_BACK_FOR).await;
    let acknowledged = talker.acknowledged() - before;
    Ok(Phase { held_back_after_s, acknowledged, alarm, resumed_after_s: 0.0 })
}

/// The alarm about storage, if there is one of this reason.
fn alarm_of(status: &Value, reason: &str) -> Option<String> {
    let mut alarms = status["alarms"].as_array()?.iter().filter_map(Value::as_str);
    let of_storage = |words: &&str| words.contains("nothing can be stored");
    alarms.find(|words| of_storage(words) && words.contains(reason)).map(str::to_owned)
}

/// Takes all the room that is left; what the agent gives up meanwhile, too.
fn fill(filler: &Path) -> Result<()> {
    let mut file = File::options().append(true).create(true).open(filler)?;
    let zeros = [0; 4096];
    while file.write_all(&zeros).is_ok() {}
    // What the file system still only promised to keep takes its room now, or says that it cannot.
    match file.sync_all() {
        Err(error) if error.kind() != std::io::ErrorKind::StorageFull => Err(error.into()),
        _ => Ok(()),
    }
}
