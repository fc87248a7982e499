//! `wardline device ls`: the devices that speak at this gateway.

use anyhow::Context;

use super::{ConfigArg, EXIT_UNREACHABLE, Failure, printable, status};
use crate::health::DeviceStatus;

/// What can be done with devices.
#[derive(Debug, clap::Subcommand)]
pub enum Device {
    /// Lists the devices that have spoken since the agent was started.
    Ls(Ls),
}

/// Lists devices.
#[derive(Debug, clap::Args)]
pub struct Ls {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// What the agent's status says of devices.
#[derive(serde::Deserialize, serde::Serialize)]
struct Listing {
    schema: u32,
    devices: Vec<DeviceStatus>,
}

impl Device {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
        }
    }
}

impl Ls {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let unreachable = |error| Failure(EXIT_UNREACHABLE, error);
        let text = status::ask(&config).map_err(unreachable)?;
        let listing: Listing = serde_json::from_str(&text).context("no status yet")?;
        if self.json {
            println!("{}", serde_json::to_string(&listing)?);
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["device", "model", "silent, s", "readings", "broken frames"]);
        for device in listing.devices {
            let (silent, accepted) = (device.age_s.to_string(), device.accepted.to_string());
            let errors = device.link_errors.to_string();
            let model = printable(&device.model);
            table.add_row([device.device, model, silent, accepted, errors]);
        }
        println!("{table}");
        Ok(())
    }
}
