//! `wardline tap`: what devices say, live and before it is sealed.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use wire::identity::DeviceId;

use super::{ConfigArg, EXIT_UNREACHABLE, Failure, printable};
use crate::local;
use crate::tap::{Ask, Shown, Told};

/// Shows what devices say, until it is interrupted; values are masked without --phi.
#[derive(Debug, clap::Args)]
pub struct Tap {
    #[command(flatten)]
    config: ConfigArg,
    /// Only this device: its EUI-64, 16 hexadecimal digits.
    device: Option<String>,
    /// With the values. They are a patient's: the look is logged and reported to the sink, which
    /// writes it into its audit trail.
    #[arg(long)]
    phi: bool,
    /// One line of JSON for each, with "schema": 1.
    #[arg(long)]
    json: bool,
}

impl Tap {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let device = self.device.as_deref().map(parse).transpose()?;
        let socket = config.state.join(local::TAP);
        let unreachable = |error| Failure(EXIT_UNREACHABLE, error);
        let mut stream = UnixStream::connect(&socket)
            .with_context(|| format!("{}: is `wardline run` running?", socket.display()))
            .map_err(unreachable)?;
        let ask = serde_json::to_string(&Ask { device, phi: self.phi })? + "\n";
        stream.write_all(ask.as_bytes()).context("the agent has hung up").map_err(unreachable)?;
        let mut is_shown = false;
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            is_shown = true;
            match self.show(&line) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                shown => shown?,
            }
        }
        let words =
            if is_shown { "the agent has ended" } else { "too many look already; try again later" };
        Err(unreachable(anyhow::anyhow!(words)))
    }

    fn show(&self, line: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match serde_json::from_str(line)? {
            Told::Following { .. } => {
                let masked = if self.phi { "" } else { "; values are masked" };
                eprintln!("following{masked}");
                Ok(())
            }
            Told::Missed { chunks, .. } => {
                eprintln!("this terminal is slow: {chunks} times something was not shown");
                Ok(())
            }
            Told::Said(_) if self.json => writeln!(out, "{line}"),
            Told::Said(said) => writeln!(out, "{}", words(&said)),
        }
    }
}

fn parse(text: &str) -> anyhow::Result<String> {
    let device = DeviceId::parse(text).with_context(|| {
        format!("{text}: a device has 16 hexadecimal digits; see `wardline device ls`")
    })?;
    Ok(device.to_string())
}

fn words(said: &Shown) -> String {
    let Shown { device, sequence, what, signal, value, unit, status, .. } = said;
    let value = value.as_deref().unwrap_or("***");
    let status = if *status == 0 { String::new() } else { format!("  status {status:#06x}") };
    let line = format!("{device} {sequence:>10}  {what:<8} {signal:<24} {value} {unit}{status}");
    printable(line.trim_end())
}
