//! The commands of `wardline`, one file each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wire::audit::AuditKind;

use crate::audit::Deed;
use crate::config::Config;

mod audit;
mod check;
mod device;
mod diag;
mod doctor;
mod erase;
mod examine;
mod finding;
mod init;
mod log;
mod pages;
mod patient;
mod provision;
mod run;
mod status;
mod tap;
mod test_send;
mod verify_evidence;

/// Gateway agent: seals what medical devices say, keeps it through power cuts and outages, and
/// forwards it with signed receipts. Informational, not an alarm system.
#[derive(Debug, Parser)]
#[command(name = "wardline", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes a commented configuration.
    Init(init::Init),
    /// Makes the gateway's keys and a request; with --grant installs what the sink answered.
    Provision(provision::Provision),
    /// Checks configuration, keys, dates, storage, ports and broker; exit code 78 when it fails.
    Check(check::Check),
    /// Collects, seals, keeps and sends until it is stopped.
    Run(run::Run),
    /// Shows the state of the running agent.
    Status(status::Status),
    /// Looks at everything within five seconds: pass, warn, fail or skip, each with a remedy.
    Doctor(doctor::Doctor),
    /// Shows what devices say, live and before it is sealed; values only with --phi.
    Tap(tap::Tap),
    /// Lists the devices that speak at this gateway.
    #[command(subcommand)]
    Device(device::Device),
    /// Says whom a device measures, from now on; identifiers are replaced before they are kept.
    #[command(subcommand)]
    Patient(patient::Patient),
    /// Shows what happened to this gateway, by its own signed trail, and checks that.
    Audit(audit::Audit),
    /// Sends one marked reading through the whole line and says how long each hop took.
    TestSend(test_send::TestSend),
    /// Packs what helps to find a fault: no secret, no reading; lists it first.
    Diag(diag::Diag),
    /// Looks into a buffer folder; needs public keys only.
    #[command(subcommand)]
    Log(log::Log),
    /// Checks a bundle of evidence, offline, with public keys alone.
    VerifyEvidence(verify_evidence::VerifyEvidence),
    /// Makes everything that is buffered here unreadable for good, and leaves a signed proof.
    Erase(erase::Erase),
    /// Prints completions for a shell.
    Completions(pages::Completions),
    /// Writes the manual, one page a command.
    Man(pages::Man),
    /// Prints the JSON Schema of the configuration, for editors.
    Schema(pages::Schema),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArg {
    /// Configuration file.
    #[arg(long, value_name = "FILE", default_value = "wardline.toml")]
    config: PathBuf,
}

impl ConfigArg {
    /// The configuration as it stands there.
    fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.config).map(given).map_err(wrong_config)
    }

    /// The configuration of the agent that runs: the last good one if the present one is wrong.
    fn load_to_ask(&self) -> Result<Config, Failure> {
        let path = &self.config;
        Config::load(path)
            .or_else(|error| Config::last_good(path).ok_or(error))
            .map(given)
            .map_err(wrong_config)
    }
}

/// Where systemd gives this process credentials, if it does.
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// A configuration whose keys may lie in the credentials of this process.
fn given(config: Config) -> Config {
    config.given(credentials())
}

/// Writes down in the gateway's audit trail what a command has done, and by whom. It is done: if it
/// cannot be written down, that is said.
fn write_down(config: &Config, kind: AuditKind, object: &str, words: &str) {
    if let Err(error) =
        crate::audit::write_down(&config.state, config.gateway, &deed(kind, object, words))
    {
        eprintln!("not in the audit trail: {error}");
    }
}

/// What whoever is at this terminal has done.
fn deed(kind: AuditKind, object: &str, words: &str) -> Deed {
    let user = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    Deed::new(kind, object, format!("{words}, by {}", user.as_deref().unwrap_or("?")))
}

/// A device's words without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

/// Exit code of a wrong configuration, as in sysexits.
const EXIT_CONFIG: u8 = 78;
/// Exit code of something that cannot be reached.
const EXIT_UNREACHABLE: u8 = 69;

/// Exit code of what may be good later.
const EXIT_TRY_AGAIN: u8 = 75;

/// Why a command failed: the exit code and what to say.
struct Failure(u8, anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(1, error.into())
    }
}

fn wrong_config(error: impl Into<anyhow::Error>) -> Failure {
    Failure(EXIT_CONFIG, error.into())
}

impl Cli {
    /// Carries the command out.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Init(command) => command.run(),
            Command::Provision(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Doctor(command) => command.run(),
            Command::Tap(command) => command.run(),
            Command::Device(command) => command.run(),
            Command::Patient(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::TestSend(command) => command.run(),
            Command::Diag(command) => command.run(),
            Command::Log(command) => command.run(),
            Command::VerifyEvidence(command) => command.run(),
            Command::Erase(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Schema(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure(code, error)) => {
                eprintln!("wardline: {error:#}");
                ExitCode::from(code)
            }
        }
    }
}
