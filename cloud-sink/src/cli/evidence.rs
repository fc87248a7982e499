//! `wardline-sink evidence`: one file that anybody can check.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use super::export::parse;
use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::evidence::{self, Wanted};
use crate::keys::KeyFolder;
use crate::store::db::Db;
use anyhow::{Context, ensure};

/// Writes sealed records, keys, receipts, gaps and the audit trail of one device and time into one
/// file, for `wardline verify-evidence`. It holds the device's readings in the clear, with proofs.
#[derive(Debug, clap::Args)]
pub struct Evidence {
    #[command(flatten)]
    config: ConfigArg,
    /// The device's EUI-64, 16 hexadecimal digits.
    #[arg(long)]
    device: String,
    /// From this moment on, as 2026-11-28T10:00:00Z.
    #[arg(long)]
    from: jiff::Timestamp,
    /// Before this moment.
    #[arg(long)]
    to: jiff::Timestamp,
    /// Where to write it; never over another file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Evidence {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        self.write(&config)?;
        Ok(())
    }

    fn write(&self, config: &crate::config::Config) -> anyhow::Result<()> {
        let nanos = |moment: jiff::Timestamp| i64::try_from(moment.as_nanosecond());
        let (from_ns, to_ns) = (nanos(self.from)?, nanos(self.to)?);
        ensure!(from_ns < to_ns, "--to has to be later than --from");
        let db = Db::open(&config.store)?;
        let device = parse(&self.device)?;
        let words = format!("evidence from {} to {}", self.from, self.to);
        write_down(&db, Deed::Evidence, &device.to_string(), &words)?;
        let shown = || self.out.display().to_string();
        let file = File::create_new(&self.out).with_context(shown)?;
        let wanted = Wanted { device, from_ns, to_ns };
        let keys = KeyFolder(config.keys.clone());
        let written = evidence::write(&db, &keys, wanted, BufWriter::new(&file))?;
        file.sync_all().with_context(shown)?;
        println!("{} records, {} blocks in the clear", written.records, written.blocks);
        if written.disposed > 0 {
            println!("{} records have lost their bytes to retention", written.disposed);
        }
        println!("next: wardline verify-evidence {}", self.out.display());
        Ok(())
    }
}
