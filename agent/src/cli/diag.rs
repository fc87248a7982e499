//! `wardline diag`: what helps to find a fault, in one file. No secret and no reading goes into it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use wire::audit::AuditKind;

use super::{ConfigArg, Failure, doctor, log, status, write_down};
use crate::clock::Clock;
use crate::config::Config;

/// Packs configuration, state, findings, versions, the list of sealed records and the journal.
#[derive(Debug, clap::Args)]
pub struct Diag {
    #[command(flatten)]
    config: ConfigArg,
    /// Where it is written.
    #[arg(long, value_name = "FILE", default_value = "wardline-diag.tar.gz")]
    output: PathBuf,
    /// Only lists what would go into it.
    #[arg(long)]
    list: bool,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// Lines of the journal, the newest.
const JOURNAL_LINES: &str = "5000";

/// What is packed.
struct Part {
    name: &'static str,
    what: &'static str,
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Said {
    schema: u32,
    file: Option<PathBuf>,
    parts: Vec<SaidPart>,
}

#[derive(Serialize)]
struct SaidPart {
    name: &'static str,
    what: &'static str,
    bytes: usize,
}

impl Diag {
    pub(super) fn run(self) -> Result<(), Failure> {
        let parts = collect(&self.config.config);
        let said = Said {
            schema: 1,
            file: (!self.list).then(|| self.output.clone()),
            parts: parts
                .iter()
                .map(|Part { name, what, bytes }| SaidPart { name, what, bytes: bytes.len() })
                .collect(),
        };
        if self.json {
            println!("{}", serde_json::to_string(&said)?);
        } else {
            show(&said);
        }
        if self.list {
            return Ok(());
        }
        pack(&self.output, &parts)?;
        // Whose configuration cannot be read has no trail that could be found.
        if let Ok(config) = self.config.load_to_ask() {
            write_down(&config, AuditKind::Export, "diagnostics", "were packed");
        }
        Ok(())
    }
}

fn show(said: &Said) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["part", "bytes", "what it is"]);
    for SaidPart { name, what, bytes } in &said.parts {
        table.add_row([*name, &bytes.to_string(), what]);
    }
    println!("{table}");
    println!("No secret and no reading is among them.");
    if let Some(file) = &said.file {
        println!("{}", file.display());
    }
}

/// Everything that can be had. What cannot says why in its place.
fn collect(path: &Path) -> Vec<Part> {
    let config = Config::load(path).ok().or_else(|| Config::last_good(path));
    let of_config = |ask: fn(&Config) -> anyhow::Result<Vec<u8>>| match &config {
        Some(config) => ask(config),
        None => Err(anyhow::anyhow!("the configuration is wrong, and no good one was kept")),
    };
    let part = |name, what, bytes: anyhow::Result<Vec<u8>>| {
        let bytes = bytes.unwrap_or_else(|error| format!("not to be had: {error:#}\n").into());
        Part { name, what, bytes }
    };
    vec![
        part("versions.txt", "agent, kernel, machine", Ok(versions())),
        part(
            "wardline.toml",
            "the configuration; it names keys and holds none",
            std::fs::read(path).map_err(Into::into),
        ),
        part(
            "status.json",
            "what the running agent says of itself",
            of_config(|config| Ok(status::ask(config)?.into())),
        ),
        part(
            "doctor.json",
            "what `wardline doctor` finds",
            doctor::look(path).to_json().map(Into::into),
        ),
        part(
            "log.json",
            "segments of the buffer: numbers, no contents",
            of_config(|config| Ok(log::list(&config.state.join("buffer"))?.into())),
        ),
        part("journal.txt", "the newest of the service's journal", journal()),
    ]
}

fn versions() -> Vec<u8> {
    let kernel = rustix::system::uname();
    let clock = Clock::new().state();
    format!(
        "wardline {}\n{} {} {}\nUTC nanoseconds {:?}, source {:?}\n",
        env!("CARGO_PKG_VERSION"),
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
        kernel.machine().to_string_lossy(),
        clock.utc.map(|utc| utc.0),
        clock.source
    )
    .into()
}

fn journal() -> anyhow::Result<Vec<u8>> {
    let asked = Command::new("journalctl")
        .args(["--unit", "wardline", "--no-pager", "--lines", JOURNAL_LINES])
        .output()
        .context("journalctl")?;
    let said = String::from_utf8_lossy(&asked.stderr);
    anyhow::ensure!(asked.status.success(), "journalctl: {}", said.trim());
    Ok(asked.stdout)
}

fn pack(path: &Path, parts: &[Part]) -> anyhow::Result<()> {
    let shown = || format!("{}; --output names another place", path.display());
    let file = std::fs::File::create_new(path).with_context(shown)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for Part { name, bytes, .. } in parts {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        let name = Path::new("wardline-diag").join(name);
        archive.append_data(&mut header, name, bytes.as_slice()).with_context(shown)?;
    }
    let mut file = archive.into_inner()?.finish().with_context(shown)?;
    file.flush()?;
    file.sync_all().with_context(shown)
}
