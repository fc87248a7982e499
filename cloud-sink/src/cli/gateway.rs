//! `wardline-sink gateway`: which gateways there are, and where each stands.

use serde::Serialize;

use super::{ConfigArg, Failure, table, with_entry, wrong_config};
use crate::audit::Deed;
use crate::clock;
use crate::config::Config;
use crate::inventory::{self, Enrolled};
use crate::store::db::Db;

/// Lists gateways, and says in which ward each stands.
#[derive(Debug, clap::Subcommand)]
pub enum Gateway {
    /// Lists all gateways.
    Ls(Ls),
    /// Says in which ward a gateway stands; without a ward, in none.
    Ward(Ward),
}

/// How to list.
#[derive(Debug, clap::Args)]
pub struct Ls {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// Which, and where.
#[derive(Debug, clap::Args)]
pub struct Ward {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway.
    gateway: String,
    /// The ward.
    ward: Option<String>,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    gateways: Vec<Enrolled>,
}

impl Gateway {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Ward(ward) => ward.run(),
        }
    }
}

impl Ls {
    fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config.config).map_err(wrong_config)?;
        let gateways = inventory::gateways(&Db::open(&config.store)?)?;
        if self.json {
            println!("{}", serde_json::to_string(&Listing { schema: 1, gateways })?);
            return Ok(());
        }
        let mut rows = table(["gateway", "ward", "enrolled"]);
        for Enrolled { name, ward, enrolled_ns } in gateways {
            rows.add_row([name, ward.unwrap_or_default(), clock::words(enrolled_ns)]);
        }
        println!("{rows}");
        Ok(())
    }
}

impl Ward {
    fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config.config).map_err(wrong_config)?;
        let db = Db::open(&config.store)?;
        let words = format!("stands in {}", self.ward.as_deref().unwrap_or("no ward"));
        let place = |db: &Db| inventory::place(db, &self.gateway, self.ward.as_deref());
        Ok(with_entry(&db, Deed::Inventory, &self.gateway, &words, place)?)
    }
}
