//! `wardline test-send`: one marked reading through the whole line, with the time of each hop.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context;

use super::{ConfigArg, EXIT_TRY_AGAIN, EXIT_UNREACHABLE, Failure};
use crate::line::probe::Hop;
use crate::local;

/// Sends one reading, marked as a service's, and waits for its signed receipt.
#[derive(Debug, clap::Args)]
pub struct TestSend {
    #[command(flatten)]
    config: ConfigArg,
    /// Longest wait for each hop, seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// A line of JSON with "schema": 1 for each hop.
    #[arg(long)]
    json: bool,
}

/// The last hop.
const RECEIPTED: &str = "receipted";

impl TestSend {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let socket = config.state.join(local::TEST);
        let stream = UnixStream::connect(&socket)
            .with_context(|| format!("{}: is `wardline run` running?", socket.display()))
            .map_err(|error| Failure(EXIT_UNREACHABLE, error))?;
        stream.set_read_timeout(Some(Duration::from_secs(self.wait)))?;
        let mut last = "asked".to_owned();
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let hop: Hop = serde_json::from_str(&line).context("another version of the agent")?;
            self.show(&hop, &line);
            if hop.hop == RECEIPTED {
                return Self::judge(&hop);
            }
            last = hop.hop;
        }
        let error = anyhow::anyhow!(
            "no further than `{last}` within {} s; what is durable is kept and sent later; see \
             `wardline doctor`",
            self.wait
        );
        Err(Failure(EXIT_TRY_AGAIN, error))
    }

    fn show(&self, hop: &Hop, line: &str) {
        if self.json {
            println!("{line}");
            return;
        }
        let what = match hop.hop.as_str() {
            "durable" => "sealed and durable on the medium",
            "given" => "given to the broker's connection",
            RECEIPTED => "signed receipt of the sink",
            other => other,
        };
        let fate = hop.fate.as_ref().map(|fate| format!(", {fate}")).unwrap_or_default();
        println!("{:>10.3} ms  {what}{fate}", hop.micros as f64 / 1000.0);
    }

    fn judge(hop: &Hop) -> Result<(), Failure> {
        match hop.fate.as_deref() {
            Some("stored") => Ok(()),
            fate => {
                let fate = fate.unwrap_or("no word");
                Err(anyhow::anyhow!("the sink says {fate}; see its `incidents`").into())
            }
        }
    }
}
