//! `ward bench`: plain measurements, one table row each; history in `tests/bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

#[path = "bench/blast.rs"]
mod blast;
#[path = "bench/bridge.rs"]
mod bridge;
#[path = "bench/line.rs"]
mod line;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/stages.rs"]
mod stages;

/// Measures the stages and the whole line.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// What to measure; everything if none is named.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Appends the rows to tests/bench/RESULTS.md.
    #[arg(long)]
    append: bool,
    /// Seconds of load for measurements of the whole line.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Numerics a second that devices say in measurements of the whole line.
    #[arg(long, default_value_t = 700_000.0)]
    rate: f64,
}

/// The measurements.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum What {
    /// Encoding, encrypting and signing batches.
    Seal,
    /// Bytes on the wire a value.
    Wire,
    /// Appending and fdatasync; bytes written a sealed byte under W1.
    Append,
    /// Start with a gibibyte of backlog: time and memory.
    Recover,
    /// Numerics from device to store, and draining after an outage.
    Line,
    /// The same readings through a mosquitto bridge, and its loss.
    Bridge,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
}

/// A row.
pub fn row(name: impl Into<String>, value: f64, unit: &'static str) -> Row {
    Row { name: name.into(), value, unit }
}

const ALL: [What; 6] =
    [What::Seal, What::Wire, What::Append, What::Recover, What::Line, What::Bridge];

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// A part of the line fails.
    pub async fn run(self) -> Result<bool> {
        let wanted = if self.what.is_empty() { ALL.to_vec() } else { self.what.clone() };
        let mut text = String::new();
        for what in wanted {
            let rows = match what {
                What::Seal => stages::seal()?,
                What::Wire => stages::wire_bytes()?,
                What::Append => stages::append()?,
                What::Recover => line::recover().await?,
                What::Line => line::end_to_end(self.seconds, self.rate).await?,
                What::Bridge => bridge::measure().await?,
            };
            for row in rows {
                let line = format!(
                    "| {} | {} | {} | {} | {} | `cargo demo -- bench {what:?}` |",
                    row.name,
                    figure(row.value),
                    row.unit,
                    machine(),
                    commit()
                );
                let line = line.replace(&format!("{what:?}"), &format!("{what:?}").to_lowercase());
                println!("{line}");
                writeln!(text, "{line}")?;
            }
        }
        if self.append {
            let path = Path::new("tests/bench/RESULTS.md");
            let before = std::fs::read_to_string(path)?;
            std::fs::write(path, before + &text)?;
        }
        Ok(true)
    }
}

fn figure(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn commit() -> String {
    let said = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let text = said.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':'])).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} x {model}")
}
