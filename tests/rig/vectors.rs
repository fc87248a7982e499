//! Test vectors of every format in `wire`: made with the real crate, read back, compared.
//!
//! `write` makes a folder and `check` reads one; the folder that is committed, `tests/vectors/v1`,
//! was made once. A second implementation, `tests/vectors/opener.py`, opens the same folders.
//!
//! Shape of a folder: `suite1` and `suite2` with `keys.json`, records in the order of their chain,
//! `expected.json`, a receipt, a keyring, a command and a status; `batch`, `link` and `wave` with
//! plain bytes and their `expected.json`. What is in `expected.json` decides, not the file's name.
//! The wrapped secrets are random, so two folders differ in their headers and all that hangs on
//! them; everything else is a function of its content, and `check` makes it again to prove that.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

mod check;
mod expected;
mod keys;
mod links;
mod make;
mod reports;
mod sample;

/// What a check has looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Files, without `keys.json` and `expected.json`.
    pub files: u64,
    /// Sealed frames that were opened.
    pub frames: u64,
}

/// Writes a whole folder of vectors, which must not exist or be empty.
///
/// # Errors
/// The disk refuses, or a sample does not fit its format.
pub fn write(folder: &Path) -> Result<()> {
    make::all(folder)
}

/// Reads a folder back: verifies, opens, compares, encodes again.
///
/// # Errors
/// The first file that is not what `expected.json` says, by name.
pub fn check(folder: &Path) -> Result<Summary> {
    check::all(folder)
}

const EXPECTED: &str = "expected.json";
const SUITES: [(&str, wire::segment::Suite); 2] =
    [("suite1", wire::segment::Suite::XWing), ("suite2", wire::segment::Suite::X25519)];

/// Files of one folder with what they hold, in the order of their names.
#[derive(Default)]
struct Listing(Vec<(String, Value)>);

impl Listing {
    fn add(&mut self, folder: &Path, name: String, bytes: &[u8], holds: Value) -> Result<()> {
        fs::write(folder.join(&name), bytes).with_context(|| name.clone())?;
        self.0.push((name, holds));
        Ok(())
    }

    /// One line a file, so that a difference shows which.
    fn close(self, folder: &Path) -> Result<()> {
        let line = |(name, holds): &(String, Value)| format!("{}:{holds}", Value::from(&**name));
        let lines: Vec<String> = self.0.iter().map(line).collect();
        let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        Ok(fs::write(folder.join(EXPECTED), text)?)
    }
}

fn read_json(path: &Path) -> Result<Map<String, Value>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    pairs.map(byte).collect()
}
