//! `wardline-sink gateway`: which gateways there are, and where each stands.

use serde::Serialize;

use super::{ConfigArg, Failure, ListArg, table, with_entry};
use crate::audit::Deed;
use crate::clock;
use crate::inventory::{self, Enrolled};
use crate::store::db::Db;

/// Lists gateways, and says in which ward each stands.
#[derive(Debug, clap::Subcommand)]
pub enum Gateway {
    /// Lists all gateways.
    Ls(ListArg),
    /// Says in which ward a gateway stands; without a ward, in none.
    Ward(Ward),
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
            Self::Ls(how) => list(&how),
            Self::Ward(ward) => ward.run(),
        }
    }
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let gateways = inventory::gateways(&how.store()?)?;
    if how.json {
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

impl Ward {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let words = format!("stands in {}", self.ward.as_deref().unwrap_or("no ward"));
        let place = |db: &Db| inventory::place(db, &self.gateway, self.ward.as_deref());
        Ok(with_entry(&db, Deed::Inventory, &self.gateway, &words, place)?)
    }
}
