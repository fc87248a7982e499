//! `wardline check`: what is wrong before anything runs.

use super::finding::{Code, Findings, Level};
use super::{ConfigArg, EXIT_CONFIG, Failure, examine};
use crate::clock::Clock;

/// Checks configuration, keys, dates, storage and ports, and calls the broker.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// Looks at files only: neither at the broker nor at the clock.
    #[arg(long)]
    no_env: bool,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let (mut findings, clock) = (Findings::default(), Clock::new().state());
        let path = self.config.config.display().to_string();
        findings.add(Code::Configuration, Level::Pass, path);
        let now = clock.utc.filter(|_| !self.no_env);
        examine::files(&config, now, &mut findings);
        if !self.no_env {
            examine::broker(&config, &mut findings);
            examine::time(&clock, &mut findings);
        }
        findings.print(self.json)?;
        match findings.worst() {
            Level::Fail => Err(Failure(EXIT_CONFIG, anyhow::anyhow!("not ready: see FAIL above"))),
            Level::Pass | Level::Skip | Level::Warn => Ok(()),
        }
    }
}
