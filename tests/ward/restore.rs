//! `ward restore`: yesterday's store is put back under a running ward; nothing is missing unsaid.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rig::site::{Intake, Plan, Programs, Role, Site};
use serde::Serialize;

use crate::choice::{BrokerChoice, broker_name};
use crate::hazards::site::{Beds, SOCKET, settle};
use crate::report::show_differences;

/// Puts an older store back and says so.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// How long a bed speaks before the backup, between backup and loss, and after it; seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Which broker.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Decides the patient.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Ends with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    broker: &'static str,
    /// Numerics that the older store lacked.
    numerics_gone: u64,
    /// From the sink's start over it until it has them again.
    back_after_s: f64,
    produced: u64,
    stored: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Restore {
    pub async fn run(self) -> Result<bool> {
        let intakes = vec![Intake::Unix(SOCKET.into())];
        let plan = Plan { broker: self.broker.kind(), intakes, flush: None };
        let mut site = Site::prepare(Programs::build()?, &plan).await?;
        site.start_all(PATIENCE).await?;
        let bed = Beds::begin(&site, 1, self.seed);
        self.wait().await;
        let backup = site.folder().join("backup");
        site.stop(Role::Sink).await?;
        copy_store(&site.store(), &backup)?;
        site.start(Role::Sink)?;
        self.wait().await;
        site.stop(Role::Sink).await?;
        let before = numerics(&site)?;
        copy_store(&backup, &site.store())?;
        let after = numerics(&site)?;
        ensure!(after < before, "the backup holds as much: {after} of {before}");
        site.restored()?;
        let began = Instant::now();
        site.start(Role::Sink)?;
        while numerics(&site)? < before {
            ensure!(began.elapsed() < PATIENCE, "{} of {before} are back", numerics(&site)?);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let back_after_s = began.elapsed().as_secs_f64();
        self.wait().await;
        let said = bed.end().await?;
        site.wait_for_receipts(PATIENCE).await?;
        let ledger = tokio::task::block_in_place(|| settle(&site, &[said]))?;
        show_differences(&ledger);
        let report = Report {
            schema: 1,
            broker: broker_name(site.broker()),
            numerics_gone: before - after,
            back_after_s,
            produced: ledger.produced,
            stored: ledger.stored,
            lost: ledger.lost,
            duplicates: ledger.duplicates_stored,
            altered: ledger.altered,
        };
        eprintln!(
            "{} numerics were gone and were back after {:.1} s; {} of {} values lost",
            report.numerics_gone, report.back_after_s, report.lost, report.produced
        );
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        }
        Ok(ledger.is_clean() && ledger.produced > 0)
    }

    async fn wait(&self) {
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
    }
}

fn numerics(site: &Site) -> Result<u64> {
    Ok(site.sink_status()?["numerics"].as_u64().unwrap_or(0))
}

/// Copies a store that nobody writes; what stands beside it belongs to it.
fn copy_store(from: &Path, to: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            name
        };
        if Path::new(&beside(from)).exists() {
            fs::copy(beside(from), beside(to))?;
        } else if Path::new(&beside(to)).exists() {
            fs::remove_file(beside(to))?;
        }
    }
    Ok(())
}
