//! `wardline init`: a commented configuration, and the name of the next command.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use wire::identity::GatewayId;

use super::{Failure, wrong_config};
use crate::config::TEMPLATE;

/// Writes a commented configuration.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The gateway's name.
    #[arg(long)]
    gateway: String,
    /// Name or address of the broker.
    #[arg(long)]
    broker: String,
    /// Where to write it.
    #[arg(long, value_name = "FILE", default_value = "wardline.toml")]
    output: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        GatewayId::new(&self.gateway).map_err(wrong_config)?;
        let text = TEMPLATE.replace("@GATEWAY@", &self.gateway).replace("@HOST@", &self.broker);
        let mut file = std::fs::File::create_new(&self.output).with_context(|| {
            format!("{} is there already or cannot be made", self.output.display())
        })?;
        file.write_all(text.as_bytes())?;
        println!("wrote {}", self.output.display());
        println!("next: wardline provision --config {}", self.output.display());
        Ok(())
    }
}
