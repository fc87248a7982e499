//! `wardline-sink device`: which devices there are, and what each is.

use anyhow::Context;
use serde::Serialize;
use wire::identity::DeviceId;

use super::{ConfigArg, Failure, ListArg, table, with_entry};
use crate::audit::Deed;
use crate::clock;
use crate::inventory::{self, Asset};
use crate::store::db::Db;

/// Lists devices, and says what each is.
#[derive(Debug, clap::Subcommand)]
pub enum Device {
    /// Lists all devices, those that were heard last first.
    Ls(ListArg),
    /// Says what a device is; what is not given becomes empty.
    Set(Set),
}

/// What it is.
#[derive(Debug, clap::Args)]
pub struct Set {
    #[command(flatten)]
    config: ConfigArg,
    /// The device's EUI-64, 16 hexadecimal digits.
    device: String,
    /// Unique device identification, as printed: `(01)...(21)...` or `+...`.
    #[arg(long, default_value = "")]
    udi: String,
    /// Serial number.
    #[arg(long, default_value = "")]
    serial: String,
    /// Model.
    #[arg(long, default_value = "")]
    model: String,
    /// Who made it.
    #[arg(long, default_value = "")]
    maker: String,
    /// Where it stands.
    #[arg(long, default_value = "")]
    place: String,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    devices: Vec<inventory::Device>,
}

impl Device {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(how) => list(&how),
            Self::Set(set) => set.run(),
        }
    }
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let devices = inventory::devices(&how.store()?, None)?;
    if how.json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, devices })?);
        return Ok(());
    }
    let mut rows = table(["device", "gateway", "ward", "last heard", "model", "serial", "udi"]);
    for one in devices {
        rows.add_row([
            one.device,
            one.gateway,
            one.ward.unwrap_or_default(),
            clock::words(one.heard_ns),
            one.asset.model,
            one.asset.serial,
            one.asset.udi,
        ]);
    }
    println!("{rows}");
    Ok(())
}

impl Set {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let device = DeviceId::parse(&self.device)
            .with_context(|| format!("{}: a device has 16 hexadecimal digits", self.device))?;
        let db = Db::open(&config.store)?;
        let Self { udi, serial, model, maker, place, .. } = self;
        let asset = Asset { udi, serial, model, maker, place };
        let describe = |db: &Db| inventory::describe(db, device, &asset);
        Ok(with_entry(&db, Deed::Inventory, &device.to_string(), &asset.udi, describe)?)
    }
}
