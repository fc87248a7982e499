//! `ward sinks`: three real sinks over one store, one of them killed again and again.

use std::time::{Duration, Instant};

use anyhow::Result;
use rig::ledger::Ledger;
use rig::site::{Intake, Plan, Programs, Role, Site};
use serde::Serialize;

use crate::choice::{BrokerChoice, broker_name};
use crate::hazards::site::{Beds, SOCKET, settle};
use crate::report::show_differences;

/// Kills one of three sinks over one store again and again.
#[derive(Debug, clap::Args)]
pub struct Sinks {
    /// How long beds speak, seconds.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Between two kills, seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..))]
    every: u64,
    /// How many beds speak.
    #[arg(long, default_value_t = 4)]
    beds: u32,
    /// Which broker.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Decides the patients.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Ends with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The last line.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    broker: &'static str,
    kills: u64,
    /// Commits of all three.
    commits: u64,
    /// Sinks that have committed something.
    working: usize,
    produced: u64,
    stored: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    /// Records that came more than once and are stored once.
    records_double: u64,
    forked: u64,
    waiting: u64,
}

const SINKS: [Role; 3] = [Role::Sink, Role::AnotherSink(2), Role::AnotherSink(3)];
const START_PATIENCE: Duration = Duration::from_secs(25);
/// Until everything has its receipt.
const PATIENCE: Duration = Duration::from_secs(60);
/// A killed sink stays away so long.
const AWAY: Duration = Duration::from_secs(1);

impl Sinks {
    pub async fn run(self) -> Result<bool> {
        let intakes = vec![Intake::Unix(SOCKET.into())];
        let plan = Plan { broker: self.broker.kind(), intakes, flush: None };
        let mut site = Site::prepare(Programs::build()?, &plan).await?;
        site.start_all(START_PATIENCE).await?;
        SINKS.into_iter().try_for_each(|sink| site.start(sink))?;
        let beds: Vec<Beds> =
            (1..=self.beds).map(|number| Beds::begin(&site, number, self.seed)).collect();
        let kills = self.kill_in_turn(&mut site).await?;
        let mut said = Vec::new();
        for bed in beds {
            said.push(bed.end().await?);
        }
        site.wait_for_receipts(PATIENCE).await?;
        let ledger = tokio::task::block_in_place(|| settle(&site, &said))?;
        show_differences(&ledger);
        let report = self.report(&site, kills, &ledger)?;
        eprintln!(
            "{} kills, {} of {} values lost, {} twice, {} altered",
            report.kills, report.lost, report.produced, report.duplicates, report.altered
        );
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        }
        let is_whole = report.forked + report.waiting == 0 && report.working == SINKS.len();
        Ok(ledger.is_clean() && ledger.produced > 0 && is_whole)
    }

    async fn kill_in_turn(&self, site: &mut Site) -> Result<u64> {
        let (until, mut kills) = (Instant::now() + Duration::from_secs(self.seconds), 0);
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_secs(self.every) - AWAY).await;
            site.check_running()?;
            let sink = SINKS[kills as usize % SINKS.len()];
            kills += u64::from(site.kill(sink)?);
            tokio::time::sleep(AWAY).await;
            site.start(sink)?;
        }
        Ok(kills)
    }

    fn report(&self, site: &Site, kills: u64, ledger: &Ledger) -> Result<Report> {
        let status = site.sink_status()?;
        let sum = |key: &str| {
            let lanes = status["lanes"].as_array().into_iter().flatten();
            lanes.filter_map(|lane| lane[key].as_u64()).sum()
        };
        Ok(Report {
            schema: 1,
            broker: broker_name(site.broker()),
            kills,
            commits: status["commits"].as_u64().unwrap_or(0),
            working: SINKS.into_iter().filter(|sink| has_signed(site, *sink)).count(),
            produced: ledger.produced,
            stored: ledger.stored,
            lost: ledger.lost,
            duplicates: ledger.duplicates_stored,
            altered: ledger.altered,
            records_double: status["records_double"].as_u64().unwrap_or(0),
            forked: sum("forked"),
            waiting: sum("waiting"),
        })
    }
}

/// Whether a sink has said that it committed something.
fn has_signed(site: &Site, sink: Role) -> bool {
    let log = std::fs::read_to_string(site.log(sink)).unwrap_or_default();
    log.contains("the first receipts are signed")
}
