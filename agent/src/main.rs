//! `wardline`: the gateway agent.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    agent::cli::Cli::parse().run()
}
