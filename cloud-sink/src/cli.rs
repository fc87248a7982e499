//! The commands of `wardline-sink`, one file each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod enroll;
mod export;
mod incidents;
mod init;
mod link;
mod pages;
mod run;
mod status;

/// Cloud sink: verifies what gateways send, stores it, and signs for it. Informational, not an
/// alarm system.
#[derive(Debug, Parser)]
#[command(name = "wardline-sink", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes CA, keys, keyring, store and the broker's configuration for a new site.
    Init(init::Init),
    /// Answers a gateway's request: certificate, roots and keyring.
    Enroll(enroll::Enroll),
    /// Receives, verifies, stores and signs until it is stopped.
    Run(run::Run),
    /// Shows the ledger: what is present, double, missing, linked, forked, held, refused.
    Status(status::Status),
    /// Shows what needs a person and what to do; takes an incident or closes it.
    Incidents(incidents::Incidents),
    /// Makes a link to the page that lets one person in, once, within ten minutes.
    Link(link::Link),
    /// Writes a device's readings into files.
    Export(export::Export),
    /// Prints completions for a shell.
    Completions(pages::Completions),
    /// Writes the manual, one page a command.
    Man(pages::Man),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArg {
    /// Configuration file.
    #[arg(long, value_name = "FILE", default_value = "sink.toml")]
    config: PathBuf,
}

/// Why a command failed: the exit code and what to say.
struct Failure(u8, anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(1, error.into())
    }
}

/// Exit code of a wrong configuration, as in sysexits.
const EXIT_CONFIG: u8 = 78;

fn wrong_config(error: impl Into<anyhow::Error>) -> Failure {
    Failure(EXIT_CONFIG, error.into())
}

/// A table without lines, under a header.
fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table
}

impl Cli {
    /// Carries the command out.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Init(command) => command.run(),
            Command::Enroll(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Incidents(command) => command.run(),
            Command::Link(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure(code, error)) => {
                eprintln!("wardline-sink: {error:#}");
                ExitCode::from(code)
            }
        }
    }
}
