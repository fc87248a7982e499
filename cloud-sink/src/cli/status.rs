//! `wardline-sink status`: the ledger, worst first.

use super::{ConfigArg, Failure, table};
use crate::ledger::{self, Ledger};
use crate::store::db::Db;

/// Shows the ledger.
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let ledger = ledger::read(&db)?;
        if self.json {
            println!("{}", serde_json::to_string(&ledger)?);
        } else {
            show(&ledger);
        }
        Ok(())
    }
}

fn show(ledger: &Ledger) {
    println!(
        "{} numerics, {} samples, {} notes stored; {} gaps ({} readings), {} unsigned dropped",
        ledger.numerics,
        ledger.samples,
        ledger.notes,
        ledger.gap_records,
        ledger.gap_readings,
        ledger.unsigned
    );
    let mut lanes = table([
        "gateway", "lane", "forked", "refused", "missing", "waiting", "held", "bridged", "double",
        "linked", "present",
    ]);
    for books in &ledger.lanes {
        lanes.add_row([
            books.gateway.clone(),
            books.lane.clone(),
            books.forked.to_string(),
            books.refused.to_string(),
            books.missing.to_string(),
            books.waiting.to_string(),
            books.held.to_string(),
            books.bridged.to_string(),
            books.double.to_string(),
            books.linked.to_string(),
            books.present.to_string(),
        ]);
    }
    println!("{lanes}");
    if ledger.kept.is_empty() {
        return;
    }
    let mut kept = table(["gateway", "lane", "segment", "index", "what", "why"]);
    for record in &ledger.kept {
        kept.add_row([
            record.gateway.clone(),
            record.lane.clone(),
            record.segment.clone(),
            record.index.to_string(),
            record.disposition.to_owned(),
            record.reason.to_owned(),
        ]);
    }
    println!("{kept}");
}
