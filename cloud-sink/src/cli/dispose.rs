//! `wardline-sink dispose`: what the rules of retention no longer keep.

use serde::Serialize;

use super::{ConfigArg, Failure};
use crate::clock;
use crate::retention::{self, Disposed, How};
use crate::store::db::Db;

/// Disposes of what the rules of retention no longer keep, as a running sink does once an hour.
#[derive(Debug, clap::Args)]
pub struct Dispose {
    #[command(flatten)]
    config: ConfigArg,
    /// Counts what would go, and leaves it.
    #[arg(long)]
    dry_run: bool,
    /// Trusts this machine's clock, although the newest reading is of long ago.
    #[arg(long)]
    force: bool,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    schema: u32,
    dry_run: bool,
    #[serde(flatten)]
    disposed: Disposed,
}

impl Dispose {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let disposed = retention::dispose(
            &db,
            &config.retention,
            clock::now(),
            How { dry: self.dry_run, force: self.force },
        )?;
        if self.json {
            let answer = Answer { schema: 1, dry_run: self.dry_run, disposed };
            println!("{}", serde_json::to_string(&answer)?);
            return Ok(());
        }
        let Disposed { rows, records, days } = disposed;
        let done = if self.dry_run { "would go" } else { "have gone" };
        println!("{rows} rows, {records} sealed records and {days} whole days {done}");
        if config.retention.is_empty() {
            println!(
                "there are no rules: everything stays; see [[retention]] in the configuration"
            );
        }
        Ok(())
    }
}
