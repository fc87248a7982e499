//! `ward cuts`: the real agent on a medium that loses its power again and again.
//!
//! Each round is a site of its own whose gateway has its state on the rig's fault file system. The
//! agent is killed at a random moment and the medium loses what was not synced, sometimes after it
//! had failed syncs, was full or read-only. Then everything must be in the store that a device was
//! acknowledged, once and unaltered.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use rig::faultfs::Cut;
use rig::ledger::Ledger;
use rig::random::Random;
use rig::site::Programs;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::report::show_differences;
use crate::vitals::Vitals;

#[path = "cuts/round.rs"]
mod round;

use round::Round;

/// Cuts the power of the real agent.
#[derive(Debug, clap::Args)]
pub struct CutsCommand {
    /// How often the power goes.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(5..=100_000))]
    cuts: u32,
    /// Cuts of one gateway; then the next one is provisioned.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(5..=10_000))]
    cuts_a_gateway: u32,
    /// Gateways that run at a time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    parallel: u32,
    /// Decides when the power goes and what it takes.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Control: `fdatasync` says yes and does nothing; this must lose readings.
    #[arg(long)]
    without_sync: bool,
    /// Prints one line of JSON at the end; everything else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What happened to a gateway, or to all of them.
#[derive(Debug, Default, Serialize)]
struct Counts {
    /// Cuts by what was wrong before them.
    kinds: BTreeMap<&'static str, u64>,
    /// The process was killed and the power stayed.
    kills: u64,
    /// Starts after which a device had to be acknowledged.
    starts: u64,
    failed_starts: u64,
    slowest_start_ms: u64,
    /// Calls of the agent that faults made fail.
    calls_refused: u64,
}

/// What became of all rounds.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    seed: u64,
    without_sync: bool,
    gateways: u32,
    cuts: u64,
    #[serde(flatten)]
    counts: Counts,
    pieces_written: u64,
    pieces_lost: u64,
    names_lost: u64,
    produced: u64,
    alerts: u64,
    stored: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    agent_memory_mb: f64,
    agent_handles: u64,
    /// Rounds that could not be brought to their end, and why.
    wrong: Vec<String>,
}

/// What one round adds.
#[derive(Default)]
struct Tally {
    counts: Counts,
    taken: Cut,
    vitals: Vitals,
    ledger: Ledger,
}

impl Counts {
    fn cuts(&self) -> u64 {
        self.kinds.values().sum()
    }

    fn add(&mut self, more: &Self) {
        for (kind, count) in &more.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.kills += more.kills;
        self.starts += more.starts;
        self.failed_starts += more.failed_starts;
        self.slowest_start_ms = self.slowest_start_ms.max(more.slowest_start_ms);
        self.calls_refused += more.calls_refused;
    }
}

impl CutsCommand {
    pub async fn run(self) -> Result<bool> {
        let (seed, without_sync) = (self.seed, self.without_sync);
        let mut report = Report { schema: 1, seed, without_sync, ..Report::default() };
        let mut vitals = Vitals::default();
        let mut running = self.begin_all(&Programs::build()?);
        while let Some(ended) = running.join_next().await {
            let (round, ended) = ended?;
            report.gateways += 1;
            let ended = ended.with_context(|| format!("gateway {}", round.number));
            report.wrong.extend(ended.err().map(|error| format!("{error:#}")));
            vitals = vitals.or_more(round.tally.vitals);
            report.add(&round.tally);
            eprintln!("{} cuts, {} lost", report.cuts, report.lost);
        }
        (report.agent_memory_mb, report.agent_handles) = (vitals.memory_mb(), vitals.handles);
        report.wrong.iter().for_each(|wrong| eprintln!("ward: {wrong}"));
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        }
        Ok(report.is_good())
    }

    /// Begins all rounds; a few run at a time.
    fn begin_all(&self, programs: &Programs) -> JoinSet<(Round, Result<()>)> {
        let mut random = Random::new(self.seed);
        let places = Arc::new(Semaphore::new(self.parallel as usize));
        let mut running = JoinSet::new();
        let mut left = self.cuts;
        while left > 0 {
            let cuts = left.min(self.cuts_a_gateway);
            left -= cuts;
            let mut round = Round {
                number: running.len() as u32,
                cuts: u64::from(cuts).max(round::CUTS_MIN),
                without_sync: self.without_sync,
                random: Random::new(random.number()),
                tally: Tally::default(),
            };
            let (programs, places) = (programs.clone(), places.clone());
            running.spawn(async move {
                let _place = places.acquire_owned().await;
                let ended = round.run(programs).await;
                (round, ended)
            });
        }
        running
    }
}

impl Report {
    fn add(&mut self, tally: &Tally) {
        show_differences(&tally.ledger);
        self.counts.add(&tally.counts);
        self.cuts = self.counts.cuts();
        self.pieces_written += tally.taken.pieces;
        self.pieces_lost += tally.taken.pieces_lost;
        self.names_lost += tally.taken.names_lost;
        self.produced += tally.ledger.produced;
        self.alerts += tally.ledger.alerts;
        self.stored += tally.ledger.stored;
        self.lost += tally.ledger.lost;
        self.duplicates += tally.ledger.duplicates_stored;
        self.altered += tally.ledger.altered;
    }

    fn is_good(&self) -> bool {
        let bad = self.lost + self.duplicates + self.altered + self.counts.failed_starts;
        bad == 0 && self.wrong.is_empty() && self.produced > 0
    }
}
