//! `wardline-sink hold`: what is kept whatever the rules of retention say.

use anyhow::Context;
use serde::Serialize;
use wire::identity::DeviceId;

use super::{ConfigArg, Failure, ListArg, table, with_entry, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::inventory;
use crate::retention;
use crate::store::db::Db;

/// Keeps what the rules of retention would dispose of, until the hold ends.
#[derive(Debug, clap::Subcommand)]
pub enum Hold {
    /// Begins a hold: of a device, of a ward, or of everything.
    Add(Add),
    /// Ends a hold.
    End(End),
    /// Lists all holds, newest first.
    Ls(ListArg),
}

/// What is held, and why.
#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    config: ConfigArg,
    /// A device's readings, and the sealed records of the gateways through which it spoke.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// A ward's readings; with a device, its readings in this ward only.
    #[arg(long)]
    ward: Option<String>,
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
    holds: Vec<retention::Hold>,
}

impl Hold {
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
        let device = self.device.as_deref().map(|text| {
            DeviceId::parse(text)
                .with_context(|| format!("{text}: a device has 16 hexadecimal digits"))
        });
        let (device, ward) = (device.transpose()?, self.ward.as_deref());
        let db = Db::open(&config.store)?;
        if let Some(ward) =
            ward.filter(|ward| !matches!(inventory::knows_ward(&db, ward), Ok(true)))
        {
            let cure = "no gateway stands or stood there: see `gateway ls`";
            return Err(anyhow::anyhow!("--ward {ward}: {cure}").into());
        }
        let object = self.device.as_deref().or(ward).unwrap_or("everything");
        write_down(&db, Deed::Hold, object, &format!("begins: {}", self.reason))?;
        let id = retention::hold(&db, device, ward, &self.reason, clock::now())?;
        println!("hold {id}; `wardline-sink hold end {id}` ends it");
        Ok(())
    }
}

impl End {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let id = self.id;
        let end = |db: &Db| match retention::end_hold(db, id, clock::now()) {
            Ok(false) => Err(anyhow::anyhow!("there is no hold {id} that lasts: see `hold ls`")),
            Ok(true) => Ok(()),
            Err(error) => Err(error.into()),
        };
        Ok(with_entry(&db, Deed::Hold, &id.to_string(), "ends", end)?)
    }
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let holds = retention::holds(&how.store()?)?;
    if how.json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, holds })?);
        return Ok(());
    }
    let mut rows = table(["id", "device", "ward", "since", "ended", "reason"]);
    for one in holds {
        let all = || "all".to_owned();
        rows.add_row([
            one.id.to_string(),
            one.device.unwrap_or_else(all),
            one.ward.unwrap_or_else(all),
            clock::words(one.begun_ns),
            one.ended_ns.map(clock::words).unwrap_or_default(),
            one.reason,
        ]);
    }
    println!("{rows}");
    Ok(())
}
