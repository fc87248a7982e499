//! `ward bench`: plain measurements, one table row each; history in `tests/bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rig::uart::{Carried, carry_ecg};

#[path = "bench/blast.rs"]
mod blast;
#[path = "bench/bridge.rs"]
mod bridge;
#[path = "bench/erase.rs"]
mod erase;
#[path = "bench/export.rs"]
mod export;
#[path = "bench/fleet.rs"]
mod fleet;
#[path = "bench/hl7.rs"]
mod hl7;
#[path = "bench/line.rs"]
mod line;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/outage.rs"]
mod outage;
#[path = "bench/stages.rs"]
mod stages;
#[path = "bench/store.rs"]
mod store;
#[path = "bench/storm.rs"]
mod storm;
#[path = "bench/watch.rs"]
mod watch;

use crate::choice::BrokerChoice;

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
    /// Minutes of W1 that wait at the end of the outage.
    #[arg(long, default_value_t = 20)]
    backlog_minutes: u64,
    /// Which broker, for outage, storm and fleet.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Ends the outage with one line of JSON.
    #[arg(long)]
    json: bool,
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
    /// What live readings see of the draining after a long outage, against its limits.
    Outage,
    /// Numerics verified and committed, into SQLite or the server of `WARDLINE_TEST_POSTGRES`.
    Store,
    /// A thousand gateways whose link returns, and whose broker restarts.
    Storm,
    /// A thousand gateways on one sink, and what its page answers meanwhile.
    Fleet,
    /// An ECG of three leads over a line of a megabit.
    Link,
    /// Ten million numerics out of a store into Parquet.
    Export,
    /// A device out of ten million numerics, erased.
    Erase,
    /// HL7 messages of ten observations over fifty connections, each acknowledged when durable.
    Hl7,
    /// The same readings through a mosquitto bridge, its loss and its draining.
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

const ALL: [What; 14] = [
    What::Seal,
    What::Wire,
    What::Link,
    What::Hl7,
    What::Export,
    What::Erase,
    What::Append,
    What::Recover,
    What::Line,
    What::Store,
    What::Outage,
    What::Storm,
    What::Fleet,
    What::Bridge,
];

impl Bench {
    /// Measures and prints; whether every limit holds.
    ///
    /// # Errors
    /// A part of the line fails.
    pub async fn run(self) -> Result<bool> {
        let wanted = if self.what.is_empty() { ALL.to_vec() } else { self.what.clone() };
        let mut text = String::new();
        let mut good = true;
        for what in wanted {
            let mut last_line = None;
            let rows = match what {
                What::Seal => stages::seal()?,
                What::Wire => stages::wire_bytes()?,
                What::Append => stages::append()?,
                What::Recover => line::recover().await?,
                What::Line => line::end_to_end(self.seconds, self.rate).await?,
                What::Outage => {
                    let report = outage::measure(self.broker.kind(), self.backlog()).await?;
                    report.broken().iter().for_each(|words| eprintln!("ward: {words}"));
                    good &= report.broken().is_empty();
                    last_line = self.json.then(|| serde_json::to_string(&report)).transpose()?;
                    report.rows()
                }
                What::Store => {
                    let time = Duration::from_secs(self.seconds);
                    tokio::task::block_in_place(|| store::measure(time))?
                }
                What::Storm => storm::measure(self.broker.kind()).await?,
                What::Fleet => {
                    let time = Duration::from_secs(self.seconds);
                    fleet::measure(self.broker.kind(), time).await?
                }
                What::Link => link_rows(&carry_ecg(1_000_000, 600).await?),
                What::Export => tokio::task::block_in_place(export::measure)?,
                What::Erase => tokio::task::block_in_place(erase::measure)?,
                What::Hl7 => hl7::measure(Duration::from_secs(self.seconds)).await?,
                What::Bridge => bridge::measure(self.backlog()).await?,
            };
            let command = self.command(what);
            for row in rows {
                let line = format!(
                    "| {} | {} | {} | {} | {} | `{command}` |",
                    row.name,
                    figure(row.value),
                    row.unit,
                    machine(),
                    commit()
                );
                println!("{line}");
                writeln!(text, "{line}")?;
            }
            last_line.iter().for_each(|line| println!("{line}"));
        }
        if self.append {
            let path = Path::new("tests/bench/RESULTS.md");
            let before = std::fs::read_to_string(path)?;
            std::fs::write(path, before + &text)?;
        }
        Ok(good)
    }

    fn backlog(&self) -> Duration {
        Duration::from_secs(60 * self.backlog_minutes)
    }

    /// How the rows of a measurement are made again.
    fn command(&self, what: What) -> String {
        let name = format!("{what:?}").to_lowercase();
        let minutes = match what {
            What::Outage | What::Bridge => format!(" --backlog-minutes {}", self.backlog_minutes),
            What::Fleet | What::Store | What::Hl7 => format!(" --seconds {}", self.seconds),
            _ => String::new(),
        };
        format!("cargo demo -- bench {name}{minutes}")
    }
}

/// What a line of a megabit carries in ten minutes.
fn link_rows(carried: &Carried) -> Vec<Row> {
    let of = |name: &str, value: u64, unit| {
        row(format!("link, 1 Mbit/s, 3 leads at 500 Hz, 600 s: {name}"), value as f64, unit)
    };
    vec![
        of("samples given", carried.given, "count"),
        of("samples that came", carried.came, "count"),
        of("gaps", carried.gaps, "count"),
        of("bytes of the device", carried.bytes, "B"),
        of("line busy", carried.busy_permille, "1/1000"),
        of("records that waited, most", carried.waiting_max.into(), "count"),
    ]
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
