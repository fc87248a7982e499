//! What one file says about another: links, anchors, named tests, run bits, paths of a machine.

use std::collections::{BTreeMap, BTreeSet};

use super::source::line_at;
use super::tree::{Finding, Tree};

/// Every relative link of a Markdown file leads to a file, and to a heading where it names one.
pub fn links(path: &str, text: &str, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in targets(text) {
        let elsewhere = ["http:", "https:", "mailto:", "data:"];
        if elsewhere.iter().any(|scheme| target.starts_with(scheme)) {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let Some(wanted) = resolved(path, file) else {
            let cure = format!("`{target}` leads out of the repository: make it relative");
            findings.push(Finding::new(path, line, cure));
            continue;
        };
        if !tree.has(&wanted) {
            let cure = format!("`{target}`: there is no {wanted}");
            findings.push(Finding::new(path, line, cure));
            continue;
        }
        let aimed =
            if file.is_empty() { Some(text) } else { tree.texts.get(&wanted).map(String::as_str) };
        let markdown = file.is_empty() || wanted.ends_with(".md");
        if let (true, false, Some(aimed)) = (markdown, anchor.is_empty(), aimed)
            && !anchors(aimed).contains(anchor)
        {
            let cure = format!("`{target}`: there is no heading #{anchor}");
            findings.push(Finding::new(path, line, cure));
        }
    }
    findings
}

/// No text names a folder of the machine on which it was written.
pub fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    const ROOTS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Vec::new();
    for root in ROOTS {
        for (at, _) in text.match_indices(root) {
            let before = text[..at].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "._-~}>*/".contains(c));
            let named = text[at + root.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
            // A home needs a name behind it; `<user>` and `$USER` are anybody's.
            if !inside && (named || !root.starts_with(concat!("/ho", "me"))) {
                let cure =
                    format!("{root} is a place on one machine: name it from the top of the tree");
                findings.push(Finding::new(path, line_at(text, at), cure));
            }
        }
    }
    findings
}

/// Every requirement in `docs/measures.md` names tests, and each of them exists.
///
/// Only the columns whose heading says "test" are read; without such a heading, the whole row.
pub fn measures(path: &str, text: &str, functions: &BTreeSet<String>, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut columns: Vec<usize> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|') else {
            inside = false;
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').collect();
        if !inside {
            inside = true;
            let named = cells.iter().enumerate();
            let tests = named.filter(|(_, cell)| cell.to_lowercase().contains("test"));
            columns = tests.map(|(column, _)| column).collect();
        }
        let Some(id) = cells.iter().find_map(|cell| requirement(cell)) else {
            continue;
        };
        let read = cells.iter().enumerate();
        let read = read.filter(|(column, _)| columns.is_empty() || columns.contains(column));
        let quoted: Vec<&str> = read.flat_map(|(_, cell)| quotes(cell)).collect();
        let tests: Vec<&str> = quoted.iter().filter_map(|quote| test_name(quote)).collect();
        if tests.is_empty() {
            findings.push(Finding::new(path, at + 1, format!("{id} names no test")));
        }
        for name in tests.iter().filter(|name| !functions.contains(**name)) {
            findings.push(Finding::new(path, at + 1, format!("{id}: there is no `fn {name}`")));
        }
        for file in quoted.iter().filter(|quote| names_a_file(quote, tree)) {
            if !tree.has(file.trim_end_matches('/')) {
                findings.push(Finding::new(path, at + 1, format!("{id}: there is no {file}")));
            }
        }
    }
    findings
}

/// A script can be run.
pub fn run_bit(path: &str, text: &str, mode: u32) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let script = text.starts_with("#!");
    if !script && (name.ends_with(".sh") || !name.contains('.')) {
        return vec![Finding::new(path, 1, "a script opens with `#!`")];
    }
    if script && mode & 0o111 == 0 {
        return vec![Finding::new(path, 1, format!("chmod +x {path}"))];
    }
    Vec::new()
}

/// Line and target of each link, outside code.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, words) in prose(text) {
        let definition = words.trim_start().strip_prefix('[').filter(|rest| !rest.starts_with('^'));
        if let Some((_, target)) = definition.and_then(|rest| rest.split_once("]: ")) {
            found.push((line, plain(target)));
        }
        for part in words.split("](").skip(1) {
            found.push((line, plain(part.split(')').next().unwrap_or_default())));
        }
    }
    found
}

/// The target without its title and its brackets.
fn plain(target: &str) -> String {
    let target = target.split_whitespace().next().unwrap_or_default();
    target.trim_matches(['<', '>']).replace("%20", " ")
}

/// The lines outside fences, numbered, without what stands in `code`.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((at + 1, line.split('`').step_by(2).collect()));
        }
    }
    lines
}

/// The path of `target` from the top, seen from the file `from`; `None` if it leaves the tree.
fn resolved(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a Markdown file as GitHub makes them, and those set by hand.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let outside: BTreeSet<usize> = prose(text).into_iter().map(|(line, _)| line).collect();
    for (at, line) in text.lines().enumerate() {
        if !outside.contains(&(at + 1)) {
            continue;
        }
        for mark in ["id=\"", "name=\""] {
            let set = line.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(set.map(str::to_owned));
        }
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if (1..=6).contains(&level) && title.starts_with(' ') {
            let slug = slug(title);
            let seen = times.entry(slug.clone()).or_default();
            found.insert(if *seen == 0 { slug } else { format!("{slug}-{seen}") });
            *seen += 1;
        }
    }
    found
}

fn slug(title: &str) -> String {
    // A link in a heading counts with its words only.
    let mut words = title.trim().to_owned();
    while let Some(at) = words.find("](") {
        let end = words[at..].find(')').map_or(words.len(), |to| at + to + 1);
        words.replace_range(at..end, "");
    }
    let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// `RQ-` and its digits, if the cell begins so.
fn requirement(cell: &str) -> Option<&str> {
    let cell = cell.trim().trim_matches(['`', '*']);
    let number = cell.strip_prefix("RQ-")?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| &cell[.."RQ-".len() + digits])
}

/// Whether a quote is a path from the top: its first part is there.
fn names_a_file(quote: &str, tree: &Tree) -> bool {
    let first = quote.split_once('/').map(|(first, _)| first);
    !quote.contains(' ') && first.is_some_and(|first| !first.is_empty() && tree.has(first))
}

/// What stands in `code`.
fn quotes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The function that a quote names: `a_sentence`, `file::a_sentence`; paths and files are none.
fn test_name(quote: &str) -> Option<&str> {
    let name = quote.rsplit("::").next().unwrap_or(quote).trim_end_matches("()");
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    (plain && name.contains('_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.paths.insert((*path).to_owned());
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
        }
        tree
    }

    fn places(findings: &[Finding]) -> Vec<String> {
        let texts = findings.iter().map(ToString::to_string);
        texts.map(|text| text.split(": ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_link_to_nothing_is_found_and_code_is_not_read() {
        let text = "[a](b.md) ![c](../wire/FORMAT.md \"title\")\n[d](gone.md)\n```\n\
                    [e](no.md)\n```\n`[f](no.md)` [g](https://x.org/y) [h](../wire/)\n\
                    [i]: lost.md\n[j](../../k)\n\
                    [l](/etc/x)";
        let tree = tree(&[("docs/a.md", text), ("docs/b.md", ""), ("wire/FORMAT.md", "")]);

        let found = links("docs/a.md", text, &tree);

        let at = |line: usize| format!("docs/a.md:{line}");
        assert_eq!(places(&found), [at(2), at(7), at(8), at(9)]);
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        let other =
            "# One, two: `three`\n## Same\n## Same\n```\n# Not this\n```\n<a id=\"set\"></a>";
        let text = "# Top\n[a](#top) [b](b.md#one-two-three) [c](b.md#same-1) [d](b.md#set)\n\
                    [e](#bottom)\n[f](b.md#same-2)\n[g](b.md#not-this)\n[h](c.rs#L1)";
        let tree = tree(&[("a.md", text), ("b.md", other), ("c.rs", "")]);

        let found = links("a.md", text, &tree);

        assert_eq!(places(&found), ["a.md:3", "a.md:4", "a.md:5"]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = concat!(
            "cd /wo",
            "rk/main\nx=\"/ro",
            "ot/.ssh\"\n/ho",
            "me/ann/x\n/ho",
            "me/<user>/x\n",
            "https://a.org/wo",
            "rk/1\nnet/wo",
            "rk/2\n"
        );

        let found = machine_paths("README.md", text);

        assert_eq!(places(&found), ["README.md:1", "README.md:2", "README.md:3"]);
    }

    #[test]
    fn a_requirement_without_a_test_that_exists_is_found() {
        let functions: BTreeSet<String> = ["a_test_that_is".to_owned()].into();
        let tree = tree(&[("tests/legs/broker", "")]);
        let text = "| id | what | tests |\n|---|---|---|\n\
                    | RQ-01 | `some_key` | `a_test_that_is` |\n| RQ-02 | x | none |\n\
                    | **RQ-03** | x | `scenarios::a_test_that_is_not` |\n\
                    | RQ-04 | x | `a_test_that_is`, `tests/legs/broker` |\n\
                    | RQ-05 | x | `a_test_that_is`, `tests/legs/gone` |\n\nRQ-06 is prose.";

        let found = measures("docs/measures.md", text, &functions, &tree);

        let at = |line: usize| format!("docs/measures.md:{line}");
        assert_eq!(places(&found), [at(4), at(5), at(7)]);
    }

    #[test]
    fn a_script_without_its_run_bit_is_found() {
        assert!(run_bit(".ci/run", "#!/bin/sh\n", 0o755).is_empty());
        assert_eq!(run_bit(".ci/run", "#!/bin/sh\n", 0o644).len(), 1);
        assert_eq!(run_bit("tests/legs/a", "echo\n", 0o755).len(), 1);
        assert!(run_bit("tests/legs/README.md", "# Legs\n", 0o644).is_empty());
        assert!(run_bit("tests/legs/peer.py", "import x\n", 0o644).is_empty());
    }
}
