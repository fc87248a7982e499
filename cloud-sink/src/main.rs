//! `wardline-sink`: the cloud sink.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cloud_sink::cli::Cli::parse().run()
}
