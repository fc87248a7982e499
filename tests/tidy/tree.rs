//! The tree that the rules look at, and how a finding reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// Larger files are data, not text that anybody wrote.
const TEXT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// One place that breaks a rule, and what to do about it.
#[derive(Debug, Eq, PartialEq)]
pub struct Finding {
    path: String,
    line: usize,
    cure: String,
}

impl Finding {
    /// In this file, at this line (from 1).
    pub fn new(path: &str, line: usize, cure: impl Into<String>) -> Self {
        let (path, cure) = (path.to_owned(), cure.into());
        Self { path, line, cure }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.cure)
    }
}

/// Fails with all findings at once.
pub fn none_of(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<String> = findings.into_iter().map(|one| one.to_string()).collect();
    assert!(lines.is_empty(), "{} to mend\n{}", lines.len(), lines.join("\n"));
}

/// Every file of ours, by its path from the top; those that are text with it.
#[derive(Default)]
pub struct Tree {
    /// All files.
    pub paths: BTreeSet<String>,
    /// The files that are UTF-8.
    pub texts: BTreeMap<String, String>,
}

impl Tree {
    /// What git tracks or would track; without git, what lies there.
    pub fn at(top: &Path) -> Self {
        let mut tree = Self::default();
        let listed = listed_by_git(top).unwrap_or_else(|| {
            let mut found = Vec::new();
            walk(top, "", &mut found);
            found
        });
        for path in listed {
            // Nested packages build into their own `target`, which no .gitignore of ours names.
            if path.split('/').any(|part| part == "target") {
                continue;
            }
            let file = top.join(&path);
            let Ok(meta) = file.metadata() else { continue };
            if !meta.is_file() {
                continue;
            }
            if meta.len() <= TEXT_BYTES_MAX
                && let Ok(text) = std::fs::read_to_string(&file)
            {
                tree.texts.insert(path.clone(), text);
            }
            tree.paths.insert(path);
        }
        tree
    }

    /// Whether a file or a folder of this path is there; "" is the top.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.paths.contains(path)
            || self.paths.iter().any(|known| known.starts_with(&folder))
    }

    /// Path and text of each `.rs` file under the packages and the boards.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        const PACKAGES: [&str; 6] =
            ["wire/", "firmware-shim/", "agent/", "cloud-sink/", "tests/", "hardware/"];
        self.with_ending(".rs")
            .filter(|(path, _)| PACKAGES.iter().any(|package| path.starts_with(package)))
    }

    /// Path and text of each file whose name ends so.
    pub fn with_ending(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(p, t)| (p.as_str(), t.as_str()));
        texts.filter(move |(path, _)| path.ends_with(ending))
    }
}

fn listed_by_git(top: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(top)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let listed: Vec<String> =
        names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    (output.status.success() && !listed.is_empty()).then_some(listed)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if [".git", "target", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_without_git_finds_what_git_lists() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut walked = Vec::new();

        walk(top, "", &mut walked);

        assert!(walked.contains(&"tidy/tree.rs".to_owned()));
        assert!(!walked.iter().any(|path| path.contains("target/")));
    }

    #[test]
    #[should_panic(expected = "1 to mend\na.rs:3: say why")]
    fn a_finding_fails_with_its_file_its_line_and_its_cure() {
        none_of([Finding::new("a.rs", 3, "say why")]);
    }
}
