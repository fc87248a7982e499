//! A long outage of W1 and what live readings see of its draining: real agent, broker and sink.
//!
//! W1 is 20 beds, each with thirty vitals a second and four waves at 250 Hz. While the link is cut
//! the beds say what the backlog shall hold as fast as it is acknowledged, with the times of then;
//! batches close after a hundredth of their time, so that the log has the records that real time
//! would have made. Then the gateway starts anew as it is configured by default, the beds speak in
//! real time, and the link returns. The store is watched from outside.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use serde::Serialize;
use serde_json::Value;

use super::line::peak_memory;
use super::watch::{Batch, Gained, Watch, now_ns};
use super::{Row, row};
use crate::choice::broker_name;
use crate::hazards::site::{Beds, SOCKET, number, settle};
use crate::report::show_differences;

const BEDS: u32 = 20;
/// Between the beds' seconds, so that they do not speak all at once.
const APART: Duration = Duration::from_millis(47);
/// Least frames of a bed in a second: ten of waves and one of vitals.
const FRAMES_A_SECOND: u64 = 11;
/// Frames of a bed without acknowledgement in real time: three seconds of them.
const LIVE_FRAMES: usize = 36;
/// What 20 beds have under way in real time, bytes: two seconds of them.
const LIVE_BYTES: u64 = 100 * 1024;
/// The product's own intervals, and those of the backlog's making.
const FLUSH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(10));
const START_PATIENCE: Duration = Duration::from_secs(25);
/// For saying and for draining a backlog.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Beds speak in real time so long before the link returns, and after the backlog is gone.
const CALM: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(100);
/// Minutes of beds whose every value is compared with the export; the others' values are counted.
const COMPARED_MINUTES: u64 = 40;

/// What must hold.
const FIRST_LIVE_S: f64 = 2.0;
const FROM_CLOSE_MS: f64 = 250.0;
const FROM_CAPTURE_MS: f64 = 2000.0;
const RATIO_MIN: f64 = 20.0;
const MEMORY_MB: f64 = 32.0;
const FILES: usize = 64;

/// A delay, milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Delay {
    p50: f64,
    p99: f64,
    max: f64,
}

/// What was seen; the last line with `--json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    schema: u32,
    broker: &'static str,
    /// Seconds of W1 that waited when the link came back, and how long it took to make them.
    backlog_s: f64,
    made_in_s: f64,
    backlog_bytes: u64,
    /// From the link's return to the first reading in the store that is younger than it.
    first_live_s: f64,
    /// Batches of vitals from that one on to the end of the draining.
    live_batches: usize,
    /// From the batch's close, and from its oldest reading's moment, to the store.
    from_close_ms: Delay,
    from_capture_ms: Delay,
    /// From the link's return to the last old vital and the last old sample in the store.
    vitals_drained_s: f64,
    drained_s: f64,
    /// Seconds of W1 drained a second, live ones not counted.
    ratio: f64,
    agent_memory_mb: f64,
    agent_files: usize,
    agent_connects: u64,
    produced: u64,
    stored: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    /// Limits that do not hold.
    broken: Vec<String>,
}

/// Makes a backlog of this length, lets it drain and judges.
pub async fn measure(broker: Option<BrokerKind>, backlog: Duration) -> Result<Report> {
    let programs = tokio::task::block_in_place(Programs::build)?;
    let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush: Some(FLUSH.1) };
    let mut site = Site::prepare(programs, &plan).await?;
    let mut report = Report { schema: 1, broker: broker_name(site.broker()), ..Report::default() };
    site.start_all(START_PATIENCE).await?;
    let watch = Watch::begin(site.store());
    site.forwarder().open(false);
    let (beds, began_ns) = fall_behind(&mut site, backlog, &mut report).await?;
    let returned_ns = drain(&mut site, &mut report).await.with_context(|| site.last_words())?;
    report.backlog_s = (returned_ns - began_ns) as f64 / 1e9;
    finish(&mut site, beds, compared(backlog), &mut report).await?;
    let gained = watch.end()?;
    report.evaluate(&gained, returned_ns);
    report.judge();
    Ok(report)
}

/// Beds speak from `backlog` ago until they have caught up; then the gateway starts anew. When the
/// oldest reading was.
async fn fall_behind(
    site: &mut Site,
    backlog: Duration,
    report: &mut Report,
) -> Result<(Vec<Beds>, i64)> {
    let began = Instant::now();
    let began_ns = now_ns() - backlog.as_nanos() as i64;
    let begin = |number: u32| {
        let is_compared = u64::from(number) < compared(backlog);
        Beds::begin_behind(site, (number, 7, is_compared), backlog - APART * number)
    };
    let beds: Vec<Beds> = (0..BEDS).map(begin).collect();
    let frames = backlog.as_secs() * FRAMES_A_SECOND;
    let caught_up = |bed: &Beds| bed.acknowledged() >= frames && bed.kept() < LIVE_FRAMES;
    wait_until(site, report, || beds.iter().all(caught_up)).await?;
    report.made_in_s = began.elapsed().as_secs_f64();
    site.stop(Role::Agent).await?;
    site.flush_after(FLUSH.0, FLUSH.0)?;
    site.start(Role::Agent)?;
    wait_until(site, report, || beds.iter().all(|bed| bed.kept() < LIVE_FRAMES)).await?;
    tokio::time::sleep(CALM).await;
    let status = site.agent_status().await.unwrap_or_default();
    report.backlog_bytes = clinical_backlog(&status);
    Ok((beds, began_ns))
}

async fn wait_until(
    site: &mut Site,
    report: &mut Report,
    mut done: impl FnMut() -> bool,
) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !done() {
        site.check_running()?;
        ensure!(Instant::now() < until, "the beds do not catch up\n{}", site.last_words());
        report.look(site)?;
        tokio::time::sleep(LOOK).await;
    }
    report.look(site)
}

/// The link returns; waits until the backlog is gone. When it returned.
async fn drain(site: &mut Site, report: &mut Report) -> Result<i64> {
    let began = Instant::now();
    let returned_ns = now_ns();
    site.forwarder().open(true);
    loop {
        tokio::time::sleep(LOOK).await;
        site.check_running()?;
        report.look(site)?;
        let status = site.agent_status().await.unwrap_or_default();
        if status["connected"] == true && clinical_backlog(&status) < LIVE_BYTES {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "the backlog does not drain: {status}");
    }
    tokio::time::sleep(CALM).await;
    report.look(site)?;
    let status = site.agent_status().await.unwrap_or_default();
    report.agent_connects = number(&status, "connects");
    Ok(returned_ns)
}

/// The beds end and everything is receipted; what they said is compared with what is stored.
async fn finish(
    site: &mut Site,
    beds: Vec<Beds>,
    compared: u64,
    report: &mut Report,
) -> Result<()> {
    let mut said = Vec::new();
    for bed in beds {
        said.push(bed.end().await?);
    }
    site.wait_for_receipts(START_PATIENCE).await?;
    report.produced = said.iter().map(|said| said.values()).sum();
    let ledger = tokio::task::block_in_place(|| settle(site, &said[..compared as usize]))?;
    show_differences(&ledger);
    (report.lost, report.altered) = (ledger.lost, ledger.altered);
    report.duplicates = ledger.duplicates_stored;
    Ok(())
}

/// The first so many beds are compared value by value.
fn compared(backlog: Duration) -> u64 {
    (60 * COMPARED_MINUTES / backlog.as_secs().max(1)).clamp(1, BEDS.into())
}

fn clinical_backlog(status: &Value) -> u64 {
    let lanes = status["lanes"].as_array().into_iter().flatten();
    let clinical = lanes.filter(|lane| lane["lane"] != "health");
    clinical.map(|lane| number(lane, "backlog_bytes")).sum()
}

fn delay(mut ms: Vec<f64>) -> Delay {
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (ms.len() as f64 * share).ceil() as usize;
        ms.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    Delay { p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

/// The last moment at which something older than `moment` came into the store.
fn last_older(batches: &[Batch], moment: i64) -> Option<i64> {
    batches.iter().filter(|batch| batch.from_ns < moment).map(|batch| batch.seen_ns).max()
}

impl Report {
    fn look(&mut self, site: &Site) -> Result<()> {
        let id = site.id(Role::Agent);
        self.agent_memory_mb = self.agent_memory_mb.max(peak_memory(id)?);
        let id = id.context("the agent does not run")?;
        let files = std::fs::read_dir(format!("/proc/{id}/fd"))?.count();
        self.agent_files = self.agent_files.max(files);
        Ok(())
    }

    fn evaluate(&mut self, gained: &Gained, returned_ns: i64) {
        let seconds = |ns: i64| (ns - returned_ns) as f64 / 1e9;
        let all = gained.vitals.iter().chain(&gained.waves);
        self.stored = all.map(|batch| batch.values).sum();
        let vitals_end = last_older(&gained.vitals, returned_ns).unwrap_or(returned_ns);
        let end = last_older(&gained.waves, returned_ns).unwrap_or(returned_ns).max(vitals_end);
        (self.vitals_drained_s, self.drained_s) = (seconds(vitals_end), seconds(end));
        self.ratio = self.backlog_s / self.drained_s;
        let young = gained.vitals.iter().filter(|batch| batch.to_ns >= returned_ns);
        let first = young.clone().map(|batch| batch.seen_ns).min();
        self.first_live_s = first.map_or(f64::INFINITY, seconds);
        let first = first.unwrap_or(i64::MAX);
        // A batch that closed before there was a connection has waited for that, not for the sink.
        let live: Vec<i64> = young
            .filter(|batch| batch.from_ns >= first && batch.from_ns < end)
            .map(|batch| batch.seen_ns - batch.from_ns)
            .collect();
        self.live_batches = live.len();
        let interval_ns = FLUSH.0.as_nanos() as i64;
        self.from_close_ms = delay(live.iter().map(|ns| (ns - interval_ns) as f64 / 1e6).collect());
        self.from_capture_ms = delay(live.iter().map(|ns| *ns as f64 / 1e6).collect());
    }

    fn judge(&mut self) {
        let mut broken = Vec::new();
        let mut claim = |holds: bool, words: String| {
            if !holds {
                broken.push(words);
            }
        };
        let first = self.first_live_s;
        claim(first < FIRST_LIVE_S, format!("the first live reading came after {first:.2} s"));
        let p99 = self.from_close_ms.p99;
        claim(p99 < FROM_CLOSE_MS, format!("{p99:.0} ms from close to store, p99"));
        let p99 = self.from_capture_ms.p99;
        claim(p99 < FROM_CAPTURE_MS, format!("{p99:.0} ms from capture to store, p99"));
        let ratio = self.ratio;
        claim(ratio >= RATIO_MIN, format!("drained at {ratio:.1} times production"));
        let memory = self.agent_memory_mb;
        claim(memory < MEMORY_MB, format!("the agent took {memory:.1} MB"));
        let files = self.agent_files;
        claim(files < FILES, format!("the agent had {files} files open"));
        let (produced, stored) = (self.produced, self.stored);
        claim(produced == stored, format!("{produced} values were said, {stored} are stored"));
        let wrong = (self.lost, self.duplicates, self.altered);
        claim(wrong == (0, 0, 0), format!("lost, doubled, altered: {wrong:?}"));
        self.broken = broken;
    }

    /// Limits that do not hold.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// One row a figure.
    pub fn rows(&self) -> Vec<Row> {
        let named = |what: &str| format!("outage ({}): {what}", self.broker);
        let (close, capture) = (self.from_close_ms, self.from_capture_ms);
        let minutes = self.backlog_s / 60.0;
        vec![
            row(named("W1 that waited when the link came back"), minutes, "min"),
            row(named("link back to first live reading stored"), self.first_live_s, "s"),
            row(named("live vitals, batch close to store, median"), close.p50, "ms"),
            row(named("live vitals, batch close to store, p99"), close.p99, "ms"),
            row(named("live vitals, oldest reading to store, p99"), capture.p99, "ms"),
            row(named("draining, reconnect included"), self.drained_s, "s"),
            row(named("drained, beside live W1"), self.ratio, "x W1"),
            row(named("agent memory, peak"), self.agent_memory_mb, "MB"),
            row(named("agent files open, most"), self.agent_files as f64, "count"),
        ]
    }
}
