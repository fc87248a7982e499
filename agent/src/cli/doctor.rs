//! `wardline doctor`: what is wrong now, within five seconds, and what to do about each.

use std::path::Path;

use super::finding::{Code, Findings, Level};
use super::{ConfigArg, Failure, examine, given, status};
use crate::clock::Clock;
use crate::config::Config;

/// Looks at everything within five seconds: pass, warn, fail or skip, each with a remedy.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArg,
    /// One check only, by its name or code.
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut findings = look(&self.config.config);
        if let Some(check) = &self.check {
            findings.keep(check);
            if findings.is_empty() {
                return Err(anyhow::anyhow!("no check is called {check}; see `doctor`").into());
            }
        }
        findings.print(self.json)?;
        match findings.worst() {
            Level::Fail => {
                Err(anyhow::anyhow!("see FAIL above; docs/codes.md has a page each").into())
            }
            Level::Pass | Level::Skip | Level::Warn => Ok(()),
        }
    }
}

/// Looks at everything that can be looked at.
pub(super) fn look(path: &Path) -> Findings {
    let mut findings = Findings::default();
    let config = match Config::load(path) {
        Ok(config) => {
            findings.add(Code::Configuration, Level::Pass, path.display().to_string());
            Some(config)
        }
        Err(error) => {
            findings.add(Code::Configuration, Level::Fail, error.to_string());
            Config::last_good(path)
        }
    };
    if let Some(config) = config.map(given) {
        let clock = Clock::new().state();
        examine::files(&config, clock.utc, &mut findings);
        examine::broker(&config, &mut findings);
        examine::time(&clock, &mut findings);
        let status = status::ask(&config).ok();
        let status = status.and_then(|text| serde_json::from_str(&text).ok());
        examine::running(status.as_ref(), &mut findings);
    }
    findings
}
