//! `ward vectors`: writes the test vectors of every format into an empty folder.

use std::path::PathBuf;

use anyhow::Result;

/// Writes test vectors.
#[derive(Debug, clap::Args)]
pub struct Vectors {
    /// Folder to write into; must be empty or new.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Vectors {
    pub fn run(self) -> Result<bool> {
        rig::vectors::write(&self.out)?;
        let summary = rig::vectors::check(&self.out)?;
        println!("{} files, {} frames in {}", summary.files, summary.frames, self.out.display());
        Ok(true)
    }
}
