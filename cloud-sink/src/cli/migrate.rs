//! `wardline-sink migrate`: from one file to a database that many sinks share.

use super::{ConfigArg, Failure, wrong_config};
use crate::store::db::{Db, Location};
use crate::store::migrate::migrate;

/// Moves the store somewhere else. Stop the sink first.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Copies the store's file into an empty PostgreSQL database; the file stays as it is.
    SqliteToPostgres(SqliteToPostgres),
}

#[derive(Debug, clap::Args)]
struct SqliteToPostgres {
    #[command(flatten)]
    config: ConfigArg,
    /// The empty database, "postgres://user@localhost/name".
    #[arg(long, value_name = "URL")]
    to: String,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let What::SqliteToPostgres(command) = self.what;
        command.run()
    }
}

impl SqliteToPostgres {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        if matches!(config.store, Location::Postgres(_)) {
            let words = "the store of this configuration is in PostgreSQL already";
            return Err(wrong_config(anyhow::anyhow!(words)));
        }
        let to = Location::parse(&self.to, std::path::Path::new(""));
        let copied = migrate(&Db::open(&config.store)?, &to, |table, rows| {
            eprintln!("{table}: {rows} rows");
        })?;
        println!("{} rows, {} of them numerics", copied.rows, copied.numerics);
        println!(
            "next: store = {:?} in {}, then wardline-sink run",
            self.to,
            self.config.config.display()
        );
        Ok(())
    }
}
