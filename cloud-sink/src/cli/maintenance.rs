//! `wardline-sink maintenance`: while somebody works there, nobody is told of it.

use std::time::Duration;

use serde::Serialize;
use wire::time::UnixNanos;

use super::{ConfigArg, Failure, ListArg, table, with_entry};
use crate::audit::Deed;
use crate::clock;
use crate::inventory;
use crate::notify::{self, Window};
use crate::store::db::Db;

/// Keeps notifications back while somebody works on gateways. Incidents stand in the book as ever.
#[derive(Debug, clap::Subcommand)]
pub enum Maintenance {
    /// Opens a window, from now on: for a gateway, a ward, or all.
    Add(Add),
    /// Ends a window.
    End(End),
    /// Lists windows that are open.
    Ls(ListArg),
}

/// Where, for how long, and why.
#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    config: ConfigArg,
    /// A gateway.
    #[arg(long)]
    gateway: Option<String>,
    /// A ward.
    #[arg(long)]
    ward: Option<String>,
    /// Hours.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=720))]
    hours: u64,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Which.
#[derive(Debug, clap::Args)]
pub struct End {
    #[command(flatten)]
    config: ConfigArg,
    /// Its number.
    id: i64,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    windows: Vec<Window>,
}

impl Maintenance {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(),
            Self::End(end) => end.run(),
            Self::Ls(how) => list(&how),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let (gateway, ward) = (self.gateway.as_deref(), self.ward.as_deref());
        let known = inventory::gateways(&db)?;
        let is_known = |name: &str| known.iter().any(|one| one.name == name);
        if let Some(name) = gateway.filter(|name| !is_known(name)) {
            return Err(anyhow::anyhow!("--gateway {name}: see `gateway ls`").into());
        }
        if let Some(name) = ward.filter(|_| known.iter().all(|one| one.ward.as_deref() != ward)) {
            let cure = "no gateway stands there: see `gateway ls`";
            return Err(anyhow::anyhow!("--ward {name}: {cure}").into());
        }
        let now = clock::now();
        let length = Duration::from_secs(self.hours * 3600).as_nanos();
        let until = UnixNanos(now.0.saturating_add(i64::try_from(length).unwrap_or(i64::MAX)));
        let object = gateway.or(ward).unwrap_or("all gateways");
        let words = format!("begins, for {} hours: {}", self.hours, self.reason);
        let begin = |db: &Db| notify::begin(db, gateway, ward, &self.reason, (now, until));
        let id = with_entry(&db, Deed::Maintenance, object, &words, begin)?;
        println!("window {id}; `wardline-sink maintenance end {id}` ends it");
        Ok(())
    }
}

impl End {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let id = self.id;
        let end = |db: &Db| match notify::end(db, id, clock::now()) {
            Ok(false) => Err(anyhow::anyhow!("there is no open window {id}: see `maintenance ls`")),
            Ok(true) => Ok(()),
            Err(error) => Err(error.into()),
        };
        Ok(with_entry(&db, Deed::Maintenance, &id.to_string(), "ends", end)?)
    }
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let windows = notify::windows(&how.store()?, clock::now())?;
    if how.json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, windows })?);
        return Ok(());
    }
    let mut rows = table(["id", "gateway", "ward", "from", "to", "reason"]);
    for one in windows {
        let all = || "all".to_owned();
        rows.add_row([
            one.id.to_string(),
            one.gateway.unwrap_or_else(all),
            one.ward.unwrap_or_else(all),
            clock::words(one.from_ns),
            clock::words(one.to_ns),
            one.reason,
        ]);
    }
    println!("{rows}");
    Ok(())
}
