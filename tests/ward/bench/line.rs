//! The whole line with real processes: throughput, draining, start with a large backlog.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::buffer::disk::Folder;
use agent::buffer::{Buffer, Quota, Writer};
use agent::seal::keyring::{load_keyring, load_roots, load_signing_key};
use agent::seal::sealer::Seal;
use anyhow::{Context, Result};
use rig::site::{Intake, Plan, Programs, Role, Site};
use wire::identity::{BootId, GatewayId, Lane};
use wire::segment::Suite;

use super::load::{Ward, clock};
use super::{Row, blast, row};

const SOCKET: &str = "bench.sock";
/// Monitors that speak at once.
const MONITORS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(120);
/// The same until a large backlog has drained.
const DRAIN_PATIENCE: Duration = Duration::from_secs(900);

async fn site() -> Result<Site> {
    let programs = Programs::build()?;
    let plan = Plan { broker: None, intakes: vec![Intake::Unix(SOCKET.into())], flush: None };
    Site::prepare(programs, &plan).await
}

/// Peak resident memory of a process, MB.
pub fn peak_memory(id: Option<u32>) -> Result<f64> {
    let id = id.context("not running")?;
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

async fn blast_through(site: &Site, time: Duration, rate: Option<f64>) -> Result<u64> {
    let socket = site.intake_folder().join(SOCKET);
    let speech = blast::Speech { monitors: MONITORS, time, rate };
    tokio::task::spawn_blocking(move || blast::run(&socket, speech)).await?
}

fn stored(site: &Site) -> Result<u64> {
    site.sink_status()?["numerics"].as_u64().context("no numerics in the sink's status")
}

/// Numerics from device to store, then an outage and the draining after it.
pub async fn end_to_end(seconds: u64, rate: f64) -> Result<Vec<Row>> {
    let mut site = site().await?;
    site.start_all(PATIENCE).await?;
    let broker = format!("{:?}", site.broker()).to_lowercase();
    let began = Instant::now();
    let produced = blast_through(&site, Duration::from_secs(seconds), Some(rate)).await?;
    let accepted_after = began.elapsed().as_secs_f64();
    site.wait_for_receipts(DRAIN_PATIENCE).await?;
    let all_after = began.elapsed().as_secs_f64();
    let count = stored(&site)?;
    anyhow::ensure!(count == produced, "{produced} accepted, {count} stored");
    let mut rows = vec![
        row(
            format!("line ({broker}): numerics device to store, all receipted, {seconds} s"),
            produced as f64 / all_after,
            "1/s",
        ),
        row(
            format!("line ({broker}): numerics accepted durably"),
            produced as f64 / accepted_after,
            "1/s",
        ),
        row("line: agent memory under that load, peak", peak_memory(site.id(Role::Agent))?, "MB"),
    ];
    for row in &rows {
        eprintln!("{}: {:.0} {}", row.name, row.value, row.unit);
    }
    site.forwarder().open(false);
    let in_outage = blast_through(&site, Duration::from_secs(seconds), Some(rate)).await?;
    let began = Instant::now();
    site.forwarder().open(true);
    site.wait_for_receipts(DRAIN_PATIENCE).await?;
    let drained_after = began.elapsed().as_secs_f64();
    let count = stored(&site)?;
    anyhow::ensure!(count == produced + in_outage, "{} lost", produced + in_outage - count);
    rows.push(row(
        format!("line ({broker}): drain after an outage, reconnect included"),
        in_outage as f64 / drained_after,
        "1/s",
    ));
    rows.push(row(
        "line: agent memory after the outage, peak",
        peak_memory(site.id(Role::Agent))?,
        "MB",
    ));
    Ok(rows)
}

/// Start and memory with a backlog of one gibibyte and no link.
pub async fn recover() -> Result<Vec<Row>> {
    let mut site = site().await?;
    site.forwarder().open(false);
    let state = site.intake_folder().join("state");
    let files = fill(&state, 1 << 30)?;
    let began = Instant::now();
    site.start(Role::Agent)?;
    let socket = site.intake_folder().join(SOCKET);
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        site.check_running()?;
        anyhow::ensure!(began.elapsed() < PATIENCE, "the agent does not accept");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let first = began.elapsed().as_secs_f64();
    let accepted = blast_through(&site, Duration::from_secs(2), None).await?;
    anyhow::ensure!(accepted > 0, "nothing was accepted");
    site.kill(Role::Agent)?;
    std::fs::remove_file(&socket)?;
    let began = Instant::now();
    site.start(Role::Agent)?;
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let again = began.elapsed().as_secs_f64();
    blast_through(&site, Duration::from_secs(3), None).await?;
    Ok(vec![
        row(format!("recover: start to accepting, 1 GiB of backlog in {files} files"), first, "s"),
        row("recover: the same after kill -9 in mid-stream", again, "s"),
        row(
            "recover: agent memory with 1 GiB of backlog, peak",
            peak_memory(site.id(Role::Agent))?,
            "MB",
        ),
    ])
}

/// Writes a backlog with the gateway's own keys.
fn fill(state: &Path, bytes: u64) -> Result<usize> {
    let keys: PathBuf = state.join("keys");
    let signing = load_signing_key(&keys.join("signing.key").into())?;
    let keyring = load_keyring(&keys.join("keyring"), &load_roots(&keys.join("roots"))?)?;
    let gateway: GatewayId = gateway_of(state)?;
    let quota = Quota { bytes_max: 4 << 30, free_bytes_min: 0, keep_seconds: 0 };
    let writer = Writer { gateway, boot: BootId([2; 16]), software: "bench".into() };
    let disk = Folder::open(&state.join("buffer"))?;
    let sealer = Seal::new(signing, keyring, Suite::XWing);
    let (mut buffer, _) = Buffer::recover(disk, sealer, writer, quota, &clock(0))?;
    let mut batcher = agent::seal::batcher::Batcher::new([Duration::from_secs(1); 4]);
    let batches = Ward::new(20, true)?.second(&mut batcher, 1)?;
    let mut second = 1;
    while buffer.backlog_bytes() < bytes {
        second += 1;
        for batch in batches.iter().filter(|batch| batch.lane == Lane::Wave) {
            buffer.append(batch.lane, &batch.plaintext, batch.readings, &clock(second / 64))?;
        }
        if second % 512 == 0 {
            buffer.commit(&clock(second / 64))?;
        }
    }
    buffer.commit(&clock(second / 64))?;
    Ok(std::fs::read_dir(state.join("buffer"))?.count())
}

fn gateway_of(state: &Path) -> Result<GatewayId> {
    let config = state.parent().context("no folder")?.join("wardline.toml");
    Ok(agent::config::Config::load(&config)?.gateway)
}
