//! `wardline verify-evidence`: checks a bundle of evidence with public keys alone; its shape stands
//! in docs/evidence.md.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use serde_json::Value;
use wire::keyring::{Keyring, Roots};
use wire::signed::signing_key_id;
use wire::words;

use super::Failure;
use wire::hex::{hex, unhex};

mod content;

mod records;

mod seal;

mod trails;

use content::Blocks;
use records::Chains;
use seal::Seal;
use trails::Trails;

/// Checks a bundle that `wardline-sink evidence` wrote, offline, with public keys alone, and says
/// what holds. Exit code 1 if anything does not; each is named by its line.
#[derive(Debug, clap::Args)]
pub struct VerifyEvidence {
    /// The bundle.
    file: PathBuf,
    /// A root key of the site, 64 hexadecimal digits, once for each: those that the bundle names
    /// are only believed if they are these. Without it, compare the words that are printed.
    #[arg(long, value_name = "KEY")]
    root: Vec<String>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// What a check has found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    schema: u32,
    ok: bool,
    lines: usize,
    records: usize,
    blocks: usize,
    readings: u64,
    receipts: usize,
    audit: usize,
    trail: usize,
    holes: u64,
    wrong: Vec<String>,
    #[serde(skip)]
    words: Vec<String>,
}

impl Report {
    fn wrong(&mut self, line: usize, what: impl std::fmt::Display) {
        self.wrong.push(format!("line {line}: {what}"));
    }
}

/// One line of the bundle.
struct Line {
    number: usize,
    value: Value,
}

impl Line {
    fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap_or_default()
    }

    fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.value[key].as_str().and_then(unhex)
    }

    fn key(&self, key: &str) -> Option<VerifyingKey> {
        VerifyingKey::try_from(self.bytes(key)?.as_slice()).ok()
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.value[key].as_u64()
    }
}

/// An enrolled key of a gateway, and from which start on another one speaks.
struct Enrolled {
    key: VerifyingKey,
    successor_start: Option<u64>,
}

/// What the lines so far have vouched for.
#[derive(Default)]
struct Known {
    roots: Option<Roots>,
    /// Those that the newest keyring leads to.
    successors: Option<Roots>,
    keyrings: Vec<Keyring>,
    gateways: BTreeMap<String, Vec<Enrolled>>,
}

impl VerifyEvidence {
    pub(super) fn run(self) -> Result<(), Failure> {
        let report = self.check()?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            report.words.iter().for_each(|line| println!("{line}"));
            report.wrong.iter().for_each(|line| println!("WRONG  {line}"));
        }
        match report.wrong.len() {
            0 => Ok(()),
            count => Err(anyhow::anyhow!("{count} things in this bundle do not hold").into()),
        }
    }

    fn check(&self) -> anyhow::Result<Report> {
        let mut report = Report { schema: 1, ..Report::default() };
        let (mut known, mut seal) = (Known::default(), Seal::default());
        let (mut chains, mut blocks) = (Chains::default(), Blocks::default());
        let (mut audit, mut trails) = (content::Trail::default(), Trails::default());
        for (number, text) in lines(&self.file)? {
            report.lines = number;
            let Ok(value) = serde_json::from_str(&text) else {
                seal.hear(&text);
                report.wrong(number, "is no JSON");
                continue;
            };
            let line = Line { number, value };
            if line.text("is") != "seal" {
                seal.hear(&text);
            }
            match line.text("is") {
                "request" => request(&line, &mut report),
                "roots" => known.roots(&line, &mut report),
                "keyring" => known.keyring(&line, &mut report),
                "gateway" => known.gateway(&line, &mut report),
                "record" => chains.record(&line, &known, &mut report),
                "block" => blocks.block(&line, &chains, &mut report),
                "receipt" => chains.receipt(&line, &known, &mut report),
                "audit" => audit.entry(&line, &mut report),
                "gateway-audit" => trails.entry(&line, &known, &mut report),
                "seal" => seal.close(&line, &known, &mut report),
                "revoked" | "time" | "disposed" => {}
                other => report.wrong(number, format!("of an unknown kind, {other:?}")),
            }
        }
        if !self.root.is_empty() && !known.are_roots(&self.root) {
            report.wrong(2, "the roots are not those that you gave");
        }
        seal.end(&mut report);
        chains.end(&mut report);
        blocks.end(&mut report);
        audit.end(&mut report);
        trails.end(&mut report);
        report.ok = report.wrong.is_empty();
        Ok(report)
    }
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = (usize, String)>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    // What is no UTF-8 any more is no JSON either, and is named by its line.
    let lines = lines.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(lines.enumerate().map(|(at, text)| (at + 1, text)))
}

fn request(line: &Line, report: &mut Report) {
    if line.number != 1 || line.number("schema") != Some(1) {
        report.wrong(line.number, "is not the request of a bundle that this program knows");
    }
    report.words.push(format!(
        "device {}, from {} to {}",
        line.text("device"),
        moment(&line.value["from_ns"]),
        moment(&line.value["to_ns"])
    ));
}

/// Whether either version is lower than before.
const fn falls(before: (u64, u64), now: (u64, u64)) -> bool {
    now.0 < before.0 || now.1 < before.1
}

fn moment(ns: &Value) -> String {
    let ns = ns.as_i64().unwrap_or_default();
    jiff::Timestamp::from_nanosecond(ns.into()).map_or_else(|_| ns.to_string(), |at| at.to_string())
}

impl Known {
    fn roots(&mut self, line: &Line, report: &mut Report) {
        let keys = line.value["keys"].as_array().cloned().unwrap_or_default();
        let key = |text: &Value| VerifyingKey::try_from(unhex(text.as_str()?)?.as_slice()).ok();
        let keys: Vec<_> = keys.iter().filter_map(key).collect();
        let needed = line.number("needed").and_then(|needed| usize::try_from(needed).ok());
        for root in &keys {
            report.words.push(format!("root key {}", words::of_key(signing_key_id(root))));
        }
        match needed.filter(|needed| (1..=keys.len()).contains(needed)) {
            Some(needed) => self.roots = Some(Roots { keys, needed }),
            None => report.wrong(line.number, "names too few root keys, or none"),
        }
    }

    fn keyring(&mut self, line: &Line, report: &mut Report) {
        let document = line.bytes("document").unwrap_or_default();
        let Some(roots) = &self.roots else { return report.wrong(line.number, "has no roots") };
        let before = self.keyrings.last().map(Keyring::versions);
        match Keyring::verify(&document, roots) {
            Ok(keyring) if before.is_some_and(|before| falls(before, keyring.versions())) => {
                report.wrong(line.number, "a keyring of lower version than the one before");
            }
            Ok(keyring) => {
                self.successors = roots.after(&document).ok();
                self.keyrings.push(keyring);
            }
            Err(error) => report.wrong(line.number, error),
        }
    }

    /// Whether given keys are those of the first roots, or of those that follow from them.
    fn are_roots(&self, given: &[String]) -> bool {
        let are = |roots: &Roots| {
            let digits = |root: &VerifyingKey| hex(root.as_bytes());
            let is_given = |digits: String| given.iter().any(|g| g.eq_ignore_ascii_case(&digits));
            roots.keys.len() == given.len() && roots.keys.iter().map(digits).all(is_given)
        };
        [&self.roots, &self.successors].into_iter().flatten().any(are)
    }

    fn gateway(&mut self, line: &Line, report: &mut Report) {
        let Some(key) = line.key("key") else {
            return report.wrong(line.number, "a gateway's key is none");
        };
        let name = line.text("gateway").to_owned();
        let id = words::of_key(signing_key_id(&key));
        report.words.push(format!("gateway {name}, key {id}"));
        let successor_start = line.number("successor_start");
        self.gateways.entry(name).or_default().push(Enrolled { key, successor_start });
    }
}
