//! `ward hazards`: everything that a network and a broker can do to the line, one site each.
//!
//! The real agent and sink, a broker, and the rig's proxy between gateway and broker. A bed speaks;
//! the hazard comes and goes; then receipts must flow again by themselves and nothing may be lost,
//! doubled or altered.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use rig::site::{BrokerKind, Programs};
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::choice::{BrokerChoice, broker_name};

#[path = "hazards/list.rs"]
mod list;
#[path = "hazards/site.rs"]
pub mod site;

use list::Hazard;
use site::Trial;

/// Runs the hazards.
#[derive(Debug, clap::Args)]
pub struct HazardsCommand {
    /// Only this one; may be given again. Without it, all.
    #[arg(long, value_name = "NAME")]
    hazard: Vec<String>,
    /// Says their names and runs none.
    #[arg(long)]
    list: bool,
    /// Which broker.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Decides the patients.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Sites that run at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    parallel: u32,
    /// Prints one line of JSON at the end; everything else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What became of one hazard.
#[derive(Clone, Debug, Default, Serialize)]
struct Outcome {
    /// From the end of the hazard to the first receipt, seconds.
    receipts_after_s: f64,
    /// From the end of the hazard to the last receipt, the bed's last seconds included.
    drained_after_s: f64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    /// Values that the bed said.
    produced: u64,
    /// Link frames that the device was acknowledged while the hazard was on.
    acknowledged: u64,
    /// Times that the hazard did something.
    fired: u64,
    /// Connections that the gateway made, all in all.
    connects: u64,
    /// Clients that the watchdog rebuilt.
    rebuilds: u64,
    /// What is not as it must be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrong: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    broker: &'static str,
    hazards: usize,
    passed: usize,
    names: BTreeMap<&'static str, Outcome>,
}

impl HazardsCommand {
    pub async fn run(self) -> Result<bool> {
        let mut hazards = list::all();
        if !self.hazard.is_empty() {
            let known = |name: &String| hazards.iter().any(|hazard| hazard.name == name);
            if let Some(unknown) = self.hazard.iter().find(|name| !known(name)) {
                bail!("there is no hazard {unknown}; `ward hazards --list` says their names");
            }
            hazards.retain(|hazard| self.hazard.iter().any(|name| name == hazard.name));
        }
        if self.list {
            hazards.iter().for_each(|hazard| println!("{:<24}{}", hazard.name, hazard.words));
            return Ok(true);
        }
        let broker = self.broker.kind().unwrap_or(BrokerKind::Rig);
        let names = self.run_all(hazards, broker).await?;
        let passed = names.values().filter(|outcome| outcome.wrong.is_empty()).count();
        let (schema, hazards, broker) = (1, names.len(), broker_name(broker));
        let report = Report { schema, broker, hazards, passed, names };
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{passed} of {hazards} hazards passed, broker: {broker}");
        }
        Ok(passed == hazards)
    }

    async fn run_all(
        &self,
        hazards: Vec<Hazard>,
        broker: BrokerKind,
    ) -> Result<BTreeMap<&'static str, Outcome>> {
        let programs = Programs::build()?;
        // Ports are looked for and taken one site after the other.
        let (door, places) = (Arc::new(Mutex::new(())), self.parallel as usize);
        let places = Arc::new(Semaphore::new(places));
        let mut running = JoinSet::new();
        for (number, hazard) in (0u32..).zip(hazards) {
            let (programs, door, places) = (programs.clone(), door.clone(), places.clone());
            let seed = self.seed;
            running.spawn(async move {
                let _place = places.acquire_owned().await;
                let name = hazard.name;
                let trial = Trial { programs, broker, seed, number };
                let outcome = site::run(hazard, trial, &door).await;
                let failed =
                    |error| Outcome { wrong: vec![format!("{error:#}")], ..<_>::default() };
                (name, outcome.unwrap_or_else(failed))
            });
        }
        let mut names = BTreeMap::new();
        while let Some(ended) = running.join_next().await {
            let (name, outcome) = ended?;
            show(name, &outcome);
            names.insert(name, outcome);
        }
        Ok(names)
    }
}

fn show(name: &str, outcome: &Outcome) {
    let word = if outcome.wrong.is_empty() { "pass" } else { "FAIL" };
    eprintln!(
        "{word}  {name:<24} first receipt {:>5.1} s, backlog zero {:>5.1} s, {} values, fired {}, \
         {} connections, {} rebuilt",
        outcome.receipts_after_s,
        outcome.drained_after_s,
        outcome.produced,
        outcome.fired,
        outcome.connects,
        outcome.rebuilds,
    );
    outcome.wrong.iter().for_each(|wrong| eprintln!("      {wrong}"));
}
