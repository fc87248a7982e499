//! `wardline-sink export`: a device's readings as files.

use std::path::PathBuf;

use anyhow::Context;
use wire::identity::DeviceId;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::export::csv;
use crate::store::db::Db;

/// Writes a device's readings into files.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    config: ConfigArg,
    /// Format of the files.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// The device's EUI-64, 16 hexadecimal digits.
    #[arg(long, value_name = "ID")]
    device: String,
    /// Folder to write into.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One file a signal.
    Csv,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let device = DeviceId::parse(&self.device)
            .with_context(|| format!("{}: a device has 16 hexadecimal digits", self.device))?;
        let db = Db::open(&config.store)?;
        write_down(&db, Deed::Export, &device.to_string(), "all its readings, as files")?;
        let written = match self.format {
            Format::Csv => csv::export(&db, device, &self.out)?,
        };
        println!("{} files, {} rows in {}", written.files, written.rows, self.out.display());
        Ok(())
    }
}
