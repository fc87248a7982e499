//! Ten million numerics out of a store into Parquet: time, and memory of the command.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cloud_sink::store::db::{Db, Location};
use rig::site::Programs;

use super::store::filled;
use super::{Row, row};

const NUMERICS: u64 = 10_000_000;
/// Between two looks at the memory of the command.
const LOOK: Duration = Duration::from_millis(20);

/// Fills a store with small frames, a bed's second each, and exports it with the product's command.
pub fn measure() -> Result<Vec<Row>> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let location = Location::File(folder.path().join("store.sqlite"));
    filled(&location, NUMERICS)?;
    let stored = Db::open(&location)?.numerics_stored()?;
    let config =
        "[sink]\nname = \"sink\"\nstore = \"store.sqlite\"\n[broker]\nhost = \"localhost\"\n";
    std::fs::write(folder.path().join("sink.toml"), config)?;
    let (out, begin) = (folder.path().join("out"), Instant::now());
    let mut command = Command::new(&programs.sink);
    command.args(["export", "--all", "--format", "parquet", "--config"]);
    command.arg(folder.path().join("sink.toml")).arg("--out").arg(&out);
    let mut child = command.spawn().context("the sink's command")?;
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(peak(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "the export failed");
    let seconds = begin.elapsed().as_secs_f64();
    let name = |what: &str| {
        format!("export of {} million numerics to Parquet: {what}", stored / 1_000_000)
    };
    Ok(vec![
        row(name("time"), seconds, "s"),
        row(name("numerics"), stored as f64 / seconds, "1/s"),
        row(name("memory, most"), peak_kib as f64 / 1024.0, "MiB"),
        row(name("bytes a numeric"), bytes(&out)? as f64 / stored as f64, "B"),
    ])
}

/// Most memory that a process has had, KiB.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn bytes(folder: &Path) -> Result<u64> {
    let sizes = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    sizes.sum()
}
