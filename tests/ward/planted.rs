//! Planted bugs: each known mistake, switched on in a scratch copy, must be caught by its oracle.
//!
//! The bugs stand in `tests/planted` as pieces of source and what they become. All of them go into
//! one copy of the workspace, each behind its number, so that the copy is built once; nothing of
//! it is compiled into what ships.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;

/// One piece of source and what it becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: PathBuf,
    find: String,
    replace: String,
}

/// One known mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    number: u32,
    name: String,
    oracle: String,
    /// A trial that shows it; worlds if there is none.
    trial: Option<String>,
    #[serde(default)]
    change: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What several bugs need, and changes nothing by itself.
    #[serde(default)]
    ground: Vec<Change>,
    bug: Vec<Bug>,
}

/// Worlds in which a bug must show itself.
const SEEDS: &str = "0..240";
/// What the scratch copy consists of.
const PARTS: [&str; 7] =
    ["Cargo.toml", "Cargo.lock", "wire", "firmware-shim", "agent", "cloud-sink", "tests"];
/// The switch, in the crate that all others know.
const SWITCH: &str = "//! Which bug is switched on in this copy.
use core::sync::atomic::{AtomicU32, Ordering};
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// Switches one on.
pub fn choose(number: u32) {
    NUMBER.store(number, Ordering::Relaxed);
}
/// Whether this one is.
#[must_use]
pub fn is_on(number: u32) -> bool {
    NUMBER.load(Ordering::Relaxed) == number
}
";

fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn tables() -> Result<Vec<Table>> {
    let mut files: Vec<_> = std::fs::read_dir(workspace().join("tests/planted"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)?;
        toml::from_str(&text).with_context(|| format!("{} is no table of bugs", path.display()))
    };
    files.iter().map(read).collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        std::fs::copy(from, to)?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn apply(folder: &Path, change: &Change, what: &str) -> Result<()> {
    let path = folder.join(&change.file);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{what}: {} is gone", change.file.display()))?;
    let found = text.matches(&change.find).count();
    ensure!(found == 1, "{what} no longer fits {}: {found} places", change.file.display());
    std::fs::write(path, text.replacen(&change.find, &change.replace, 1))?;
    Ok(())
}

/// The scratch copy with all bugs in it, each switched off.
fn plant(tables: &[Table]) -> Result<PathBuf> {
    let folder = workspace().join("target/planted");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for part in PARTS {
        copy(&workspace().join(part), &folder.join(part))?;
    }
    std::fs::write(folder.join("wire/src/planted.rs"), SWITCH)?;
    let frame = [
        ("wire/src/lib.rs", "pub mod limits;", "pub mod limits;\npub mod planted;"),
        ("tests/Cargo.toml", "name = \"ward\"", "name = \"ward-planted\""),
        (
            "tests/bin/ward.rs",
            "    let cli = Cli::parse();",
            "    let chosen = std::env::var(\"PLANTED\").ok().and_then(|n| n.parse().ok());
    wire::planted::choose(chosen.unwrap_or(0));
    let cli = Cli::parse();",
        ),
    ];
    for (file, find, replace) in frame {
        let (file, find, replace) = (file.into(), find.into(), replace.into());
        apply(&folder, &Change { file, find, replace }, "the switch")?;
    }
    for table in tables {
        for change in &table.ground {
            apply(&folder, change, "the ground of a table")?;
        }
        for bug in &table.bug {
            for change in &bug.change {
                apply(&folder, change, &format!("planted bug {} ({})", bug.number, bug.name))?;
            }
        }
    }
    Ok(folder)
}

fn build(folder: &Path) -> Result<PathBuf> {
    // Not the workspace's own: cargo would take the copy's pieces for those of the source.
    let target = workspace().join("target/planted-target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "tests", "--bin", "ward-planted"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "the copy with the planted bugs does not build");
    Ok(target.join("release/ward-planted"))
}

/// Runs the copy with one bug, 0 for none; the first violation of an oracle, or of any.
fn first_violation(
    ward: &Path,
    number: u32,
    arguments: &[&str],
    oracle: &str,
) -> Result<Option<String>> {
    let mut child = Command::new(ward)
        .arg("world")
        .args(arguments)
        .env("PLANTED", number.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let Some(output) = child.stderr.take() else { bail!("no output of the copy") };
    let mut found = None;
    for line in BufReader::new(output).lines() {
        let line = line?;
        let said = line.split_once(": ").map_or("", |(_, said)| said);
        if (line.starts_with("seed ") || line.starts_with("trial ")) && said.starts_with(oracle) {
            found = Some(line);
            break;
        }
    }
    // One violation is enough; the rest of the run would tell nothing more.
    let _: std::io::Result<()> = child.kill();
    child.wait()?;
    Ok(found)
}

/// Plants every bug and tells which were caught; `only` one if it is given.
///
/// # Errors
/// The copy cannot be made: a bug no longer fits the source, or the copy does not build.
pub fn run(as_json: bool, only: Option<u32>) -> Result<bool> {
    let tables = tables()?;
    let ward = build(&plant(&tables)?)?;
    for arguments in [&["--trials"][..], &["--seeds", SEEDS]] {
        if only.is_none()
            && let Some(violation) = first_violation(&ward, 0, arguments, "O")?
        {
            bail!("without a bug: {violation}");
        }
    }
    let mut caught = BTreeMap::new();
    let bugs = tables.iter().flat_map(|table| &table.bug);
    for bug in bugs.filter(|bug| only.is_none_or(|only| only == bug.number)) {
        let arguments = match &bug.trial {
            Some(trial) => vec!["--trials", trial],
            None => vec!["--seeds", SEEDS],
        };
        let violation = first_violation(&ward, bug.number, &arguments, &bug.oracle)?;
        let shown = violation.as_deref().unwrap_or("NOT CAUGHT");
        let shown: String = shown.chars().take(120).collect();
        eprintln!("{:3} {}: {shown}", bug.number, bug.name);
        caught.insert(bug.number, violation.is_some());
    }
    let count = caught.values().filter(|caught| **caught).count();
    let missed: Vec<u32> =
        caught.iter().filter(|(_, caught)| !**caught).map(|(number, _)| *number).collect();
    let report =
        json!({"schema": 1, "planted": caught.len(), "caught": count, "not_caught": missed});
    println!("{}", if as_json { report.to_string() } else { format!("{report:#}") });
    Ok(missed.is_empty())
}
