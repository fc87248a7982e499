//! `wardline status`: one screen, worst first.

use std::io::{IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context;

use super::{ConfigArg, EXIT_UNREACHABLE, Failure};
use crate::config::Config;
use crate::local;

/// Shows the state of the running agent.
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    config: ConfigArg,
    /// Shows it again each second, until it is interrupted.
    #[arg(short, long)]
    watch: bool,
    /// One line of JSON with "schema": 1; with --watch, one each second.
    #[arg(long)]
    json: bool,
}

/// Between two screens of --watch; the agent shows its state as often.
const AGAIN: Duration = Duration::from_secs(1);
/// Takes what stands on a terminal away.
const CLEAR: &str = "\x1b[H\x1b[2J";

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        loop {
            let asked = ask(&config);
            if self.watch && !self.json && std::io::stdout().is_terminal() {
                print!("{CLEAR}");
            }
            match asked {
                Ok(text) if self.json => println!("{text}"),
                Ok(text) => show(&serde_json::from_str(&text).context("no status yet")?),
                // It may come back while somebody watches.
                Err(error) if self.watch => println!("{error:#}"),
                Err(error) => return Err(Failure(EXIT_UNREACHABLE, error)),
            }
            if !self.watch {
                return Ok(());
            }
            std::thread::sleep(AGAIN);
        }
    }
}

/// What the running agent says on its status socket.
pub(super) fn ask(config: &Config) -> anyhow::Result<String> {
    let socket = config.state.join(local::STATUS);
    let mut stream = UnixStream::connect(&socket)
        .with_context(|| format!("{}: is `wardline run` running?", socket.display()))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut text = String::new();
    stream.read_to_string(&mut text).context("the agent did not answer")?;
    Ok(text)
}

/// A running agent answers at once.
const ANSWER: Duration = Duration::from_secs(2);

fn show(status: &serde_json::Value) {
    let text = |key: &str| match &status[key] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for alarm in status["alarms"].as_array().into_iter().flatten() {
        println!("ALARM  {}", alarm.as_str().unwrap_or_default());
    }
    let link = if status["connected"] == true { "connected" } else { "NOT CONNECTED, buffering" };
    table.add_row(["gateway".to_owned(), text("gateway")]);
    table.add_row(["link".to_owned(), link.to_owned()]);
    let stores = if status["held_back"] == true { "NO, DEVICES ARE HELD BACK" } else { "yes" };
    table.add_row(["stores".to_owned(), stores.to_owned()]);
    for (name, key) in [
        ("oldest without receipt, s", "unreceipted_age_s"),
        ("backlog, bytes", "backlog_bytes"),
        ("room, bytes", "room_bytes"),
        ("readings accepted", "readings_accepted"),
        ("receipts refused", "receipts_refused"),
        ("records refused", "records_refused"),
        ("records too large for the broker", "records_parked"),
        ("segments poisoned", "segments_poisoned"),
        ("longest sync, ms", "sync_ms_max"),
        ("clock may be off by, µs", "clock_error_us"),
        ("certificate, days left", "certificate_days"),
        ("keyring, days left", "keyring_days"),
        ("uptime, s", "uptime_s"),
        ("why it was started", "started"),
        ("version", "software"),
    ] {
        table.add_row([name.to_owned(), text(key)]);
    }
    for (name, key) in [
        ("hottest part, mK", "temperature_millikelvin"),
        ("voltage too low", "low_voltage"),
        ("processor slowed down", "slowed"),
        ("medium's life used, %", "wear_percent"),
        ("memory available, bytes", "memory_available"),
        ("disk free, bytes", "disk_free"),
        ("machine's uptime, s", "uptime_s"),
    ] {
        // What the machine does not show is left out.
        if !status["machine"][key].is_null() {
            table.add_row([name.to_owned(), status["machine"][key].to_string()]);
        }
    }
    for key in status["keys"].as_array().into_iter().flatten() {
        let cell = |name: &str| key[name].as_str().unwrap_or_default();
        table.add_row([format!("key {}", cell("key")), cell("place").to_owned()]);
    }
    println!("{table}");
    show_devices(status);
}

fn show_devices(status: &serde_json::Value) {
    let mut devices = comfy_table::Table::new();
    devices.load_style(comfy_table::presets::NOTHING);
    devices.set_header(["device", "age, s", "accepted", "link errors"]);
    for device in status["devices"].as_array().into_iter().flatten() {
        let cell = |key: &str| device[key].to_string().trim_matches('"').to_owned();
        devices.add_row([cell("device"), cell("age_s"), cell("accepted"), cell("link_errors")]);
    }
    println!("{devices}");
}
