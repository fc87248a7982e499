//! `ward world`: simulated gateways that go wrong in every way, and the oracles over them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use anyhow::{Context, Result};
use rig::world::{Outcome, World};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::planted;

/// Runs worlds on virtual time, one a seed, and looks at what is left of each.
#[derive(Debug, clap::Args)]
pub struct WorldCommand {
    /// Seeds: `7`, or `0..500` without the last.
    #[arg(long, default_value = "0..20", value_parser = seeds)]
    seeds: Range<u64>,
    /// One line of JSON with "schema": 1 at the end.
    #[arg(long)]
    json: bool,
    /// Tells the story: each fault and each line of the product's log, on standard error.
    #[arg(long)]
    story: bool,
    /// Leaves the evidence of each world in a new folder below this one, for another judge.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["exhaustive", "trials", "planted"])]
    evidence: Option<PathBuf>,
    /// Tries all workloads of up to three operations instead, with all that a cut may leave.
    #[arg(long)]
    exhaustive: bool,
    /// Puts single rules to hard questions instead: all of them, or the one of this name.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    trials: Option<String>,
    /// Plants known bugs in a scratch copy, all or the one of this number: each must be caught.
    #[arg(long, value_name = "NUMBER", num_args = 0..=1, default_missing_value = "0")]
    planted: Option<u32>,
}

/// Runs the trials of a name, all if it is empty.
fn trials(name: &str) -> Result<bool> {
    let chosen: Vec<_> =
        rig::trials::ALL.iter().filter(|trial| name.is_empty() || trial.name == name).collect();
    anyhow::ensure!(!chosen.is_empty(), "no trial is called {name}");
    let mut good = 0;
    for trial in &chosen {
        match catch_unwind(trial.run) {
            Ok(Ok(())) => good += 1,
            Ok(Err(what)) => eprintln!("trial {}: {}: {what}", trial.name, trial.oracle),
            Err(_) => eprintln!("trial {}: O12 total: a panic", trial.name),
        }
    }
    println!("{good} of {} trials good", chosen.len());
    Ok(good == chosen.len())
}

/// Operations of a workload that is tried with everything: with four it would take a day.
const OPERATIONS_MAX: usize = 3;

/// Tries every small workload with every cut.
fn exhaustive() -> bool {
    let outcome = rig::exhaustive::run(OPERATIONS_MAX);
    for (what, how) in &outcome.violations {
        eprintln!("{what}\n  {how}");
    }
    let sum = json!({
        "schema": 1,
        "workloads": outcome.workloads,
        "cuts": outcome.cuts,
        "kills": outcome.kills,
        "states": outcome.states,
        "starts": outcome.starts,
        "moments_sampled": outcome.sampled,
        "violations": outcome.violations.len(),
    });
    println!("{sum}");
    outcome.violations.is_empty()
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || "give a seed such as 7, or seeds such as 0..500".to_owned();
    match text.split_once("..") {
        Some((first, end)) => {
            let (first, end) = (first.parse(), end.parse());
            let range = first.map_err(|_| wrong())?..end.map_err(|_| wrong())?;
            if range.is_empty() { Err(wrong()) } else { Ok(range) }
        }
        None => text.parse().map(|seed| seed..seed + 1).map_err(|_| wrong()),
    }
}

/// Runs one world; a panic of the product is a violation as any other.
fn run(seed: u64, evidence: Option<&Path>) -> Result<Outcome> {
    let folder = evidence.map(|folder| folder.join(seed.to_string()));
    let world = || World::new(seed)?.run(folder.as_deref());
    let ended = catch_unwind(AssertUnwindSafe(world));
    ended.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let violations = vec![("O12 total", what.unwrap_or_else(|| "a panic".into()))];
        Ok(Outcome { seed, violations, ..Outcome::default() })
    })
}

#[derive(Default)]
struct Sum {
    worlds: u64,
    crashes: u64,
    accepted: u64,
    in_gaps: u64,
    missing: u64,
    commits: u64,
    files_max: usize,
    disk_bytes_max: usize,
    faults: BTreeMap<&'static str, u64>,
    incidents: BTreeMap<String, u64>,
    violations: BTreeMap<&'static str, u64>,
    traces: Sha256,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.worlds += 1;
        self.traces.update(outcome.trace);
        self.crashes += outcome.crashes;
        self.accepted += outcome.accepted;
        self.in_gaps += outcome.in_gaps;
        self.missing += outcome.missing;
        self.commits += outcome.commits;
        self.files_max = self.files_max.max(outcome.files_max);
        self.disk_bytes_max = self.disk_bytes_max.max(outcome.disk_bytes_max);
        for (name, count) in &outcome.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (kind, count) in &outcome.incidents {
            *self.incidents.entry(kind.clone()).or_default() += count;
        }
        for (oracle, _) in &outcome.violations {
            *self.violations.entry(oracle).or_default() += 1;
        }
    }

    fn count(&self, oracle: &str) -> u64 {
        self.violations.get(oracle).copied().unwrap_or(0)
    }

    /// One hash over all that happened in all worlds.
    fn trace(&self) -> String {
        let digest = self.traces.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "schema": 1,
            "trace": self.trace(),
            "seeds": self.worlds,
            "crashes": self.crashes,
            "accepted": self.accepted,
            "in_gaps": self.in_gaps,
            "missing_by_number": self.missing,
            "commits": self.commits,
            "faults": self.faults,
            "incidents": self.incidents,
            "unseen": self.count("O11 seen"),
            "lost": self.count("O1 lost"),
            "duplicated": self.count("O1 duplicated"),
            "altered": self.count("O2 altered") + self.count("O2 bytes"),
            "nonce_reuse": self.count("O3 nonce"),
            "not_durable": self.count("O6 durable"),
            "stuck": self.count("O7 alive"),
            "leaked": self.count("O9 secret"),
            "failed": self.count("O12 total"),
            "files_max": self.files_max,
            "disk_bytes_max": self.disk_bytes_max,
        })
    }
}

impl WorldCommand {
    /// Runs the worlds on all cores.
    ///
    /// # Errors
    /// The machine underneath fails.
    pub fn run(self) -> Result<bool> {
        if let Some(name) = &self.trials {
            return trials(name);
        }
        if self.exhaustive {
            return Ok(exhaustive());
        }
        if let Some(number) = self.planted {
            return planted::run(self.json, Some(number).filter(|number| *number > 0));
        }
        if self.story {
            let log = tracing_subscriber::fmt().with_writer(std::io::stderr).without_time();
            log.with_max_level(tracing::Level::DEBUG).init();
        }
        let next = AtomicU64::new(self.seeds.start);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (ended, outcomes) = mpsc::channel();
        let mut sum = Sum::default();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (ended, next, end) = (ended.clone(), &next, self.seeds.end);
                let evidence = self.evidence.as_deref();
                scope.spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || ended.send(run(seed, evidence)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(ended);
            // In the order of the seeds, so that the same seeds give the same sum.
            let mut early = BTreeMap::new();
            let mut expected = self.seeds.start;
            for outcome in outcomes {
                let outcome = outcome.context("a world could not run")?;
                early.insert(outcome.seed, outcome);
                while let Some(outcome) = early.remove(&expected) {
                    expected += 1;
                    for (oracle, what) in &outcome.violations {
                        eprintln!("seed {}: {oracle}: {what}", outcome.seed);
                    }
                    if !outcome.violations.is_empty() {
                        eprintln!("  again: cargo demo -- world --seeds {}", outcome.seed);
                    }
                    sum.add(&outcome);
                }
            }
            Ok::<_, anyhow::Error>(())
        })?;
        if self.json {
            println!("{}", sum.json());
        } else {
            println!("{}", serde_json::to_string_pretty(&sum.json())?);
        }
        Ok(sum.violations.is_empty())
    }
}
