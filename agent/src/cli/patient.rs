//! `wardline patient`: whom devices measure, by a person's word.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, anyhow};
use wire::identity::DeviceId;

use super::device::parse_device;
use super::{ConfigArg, EXIT_UNREACHABLE, Failure, printable};
use crate::intake::associations::{Answer, Wish};
use crate::local;

/// What can be said of patients.
#[derive(Debug, clap::Subcommand)]
pub enum Patient {
    /// A device measures this patient from now on; the identifier is read from standard input.
    Begin(Begin),
    /// A device measures nobody from now on.
    End(End),
    /// Lists devices with a patient, and who said so; never whom.
    Ls(Ls),
}

/// A device measures a patient.
#[derive(Debug, clap::Args)]
pub struct Begin {
    #[command(flatten)]
    end: End,
    /// Who gives the identifier, as in PID-3.4.
    #[arg(long, value_name = "NAME", default_value = "")]
    authority: String,
}

/// A device measures nobody.
#[derive(Debug, clap::Args)]
pub struct End {
    #[command(flatten)]
    config: ConfigArg,
    /// The device's EUI-64, 16 hexadecimal digits.
    #[arg(value_parser = parse_device)]
    device: DeviceId,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// Lists associations.
#[derive(Debug, clap::Args)]
pub struct Ls {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// Longer than an association may take to become durable.
const PATIENCE: Duration = Duration::from_secs(40);

impl Patient {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Begin(Begin { end, authority }) => {
                let mut patient = String::new();
                std::io::stdin().lock().read_line(&mut patient)?;
                let patient = patient.trim().to_owned();
                if patient.is_empty() {
                    return Err(anyhow!("standard input holds no identifier").into());
                }
                end.say(authority, patient)
            }
            Self::End(end) => end.say(String::new(), String::new()),
            Self::Ls(ls) => ls.list(),
        }
    }
}

impl End {
    fn say(self, authority: String, patient: String) -> Result<(), Failure> {
        let device = Some(self.device.to_string());
        ask(&self.config, &Wish { schema: 1, device, authority, patient, by: self.by }).map(drop)
    }
}

impl Ls {
    fn list(self) -> Result<(), Failure> {
        let (authority, patient, by) = (String::new(), String::new(), String::new());
        let wish = Wish { schema: 1, device: None, authority, patient, by };
        let answer = ask(&self.config, &wish)?;
        if self.json {
            println!("{}", serde_json::to_string(&answer)?);
            return Ok(());
        }
        for association in answer.associations {
            println!("{}  by {}", association.device, printable(&association.by));
        }
        Ok(())
    }
}

fn ask(config: &ConfigArg, wish: &Wish) -> Result<Answer, Failure> {
    let socket = config.load_to_ask()?.state.join(local::PATIENTS);
    let mut stream = UnixStream::connect(&socket)
        .with_context(|| format!("{}: is `wardline run` running?", socket.display()))
        .map_err(|error| Failure(EXIT_UNREACHABLE, error))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all((serde_json::to_string(wish)? + "\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Answer = serde_json::from_str(&line).context("the agent gave no answer")?;
    match answer.error {
        Some(error) => Err(anyhow!(error).into()),
        None => Ok(answer),
    }
}
