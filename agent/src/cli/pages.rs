//! `wardline completions`, `man` and `schema`: what shells, readers of manuals and editors get.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::{Cli, Failure};

/// Prints completions for a shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut command = Cli::command();
        clap_complete::generate(self.shell, &mut command, "wardline", &mut std::io::stdout());
        Ok(())
    }
}

/// Writes the manual, one page a command.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Folder to write into.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.out)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.out))
            .with_context(|| self.out.display().to_string())?;
        println!("man --local-file {}", self.out.join("wardline.1").display());
        Ok(())
    }
}

/// Prints the JSON Schema of the configuration, for editors.
#[derive(Debug, clap::Args)]
pub struct Schema;

impl Schema {
    pub(super) fn run(self) -> Result<(), Failure> {
        println!("{}", serde_json::to_string_pretty(&crate::config::schema())?);
        Ok(())
    }
}
