//! Words that do not stand in our code, and words that need a reason beside them.

use super::source::{attributes, closed, code_of, line_at, name_at, product_code_of, words};
use super::tree::Finding;

/// A path or the beginning of one, and why the rule does not hold there.
type Exception = (&'static str, &'static str);

const UNSAFE: &[Exception] = &[
    ("tests/no_std/probe.rs", "an exported symbol and a panic handler"),
    ("hardware/board/lm3s6965evb/src/register.rs", "the one door to registers"),
    ("hardware/board/lm3s6965evb/src/tick.rs", "the declaration of an interrupt handler"),
    ("hardware/board/nucleo-f411re/src/line.rs", "lets an interrupt come"),
];

const FILES: &[Exception] = &[
    ("agent/src/buffer/disk.rs", "the one door to the disk"),
    ("agent/src/config", "reads its own file and its last good copy"),
    ("agent/src/cli", "commands read and write what they are told to"),
    ("agent/src/seal/keep.rs", "what is kept twice: two checksummed copies"),
    ("agent/src/local.rs", "removes the socket of an earlier process"),
    ("agent/src/health/host.rs", "reads what the kernel says, remembers the last run"),
    ("agent/src/health.rs", "reads what the kernel says about this process"),
    ("agent/src/clock.rs", "reads the kernel's boot id"),
    ("agent/src/intake/ports.rs", "removes the socket of an earlier process"),
    ("agent/src/uplink/traffic.rs", "reads the kernel's table of sockets"),
    ("agent/src/uplink/tls.rs", "reads certificates and their key"),
];

const CLOCK_READS: [&str; 4] = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];

const HOMELESS: [&str; 6] = ["utils", "util", "common", "misc", "helpers", "manager"];

const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Product code has no `unwrap()`, and its `expect` says in three words why it cannot be.
pub fn unwraps(path: &str, text: &str) -> Vec<Finding> {
    let code = product_code_of(path, text);
    let mut findings = Vec::new();
    for at in words(&code, "unwrap") {
        if code[at + "unwrap".len()..].trim_start().starts_with("()") {
            let cure = "no `unwrap` outside tests: `?`, `match`, or `expect` with its reason";
            findings.push(Finding::new(path, line_at(&code, at), cure));
        }
    }
    for at in words(&code, "expect") {
        let after = text[at + "expect".len()..].trim_start();
        let Some(argument) = after.strip_prefix('(').map(str::trim_start) else {
            continue;
        };
        let reason = argument.strip_prefix('"').and_then(|rest| rest.split('"').next());
        let short = reason.is_some_and(|reason| reason.split_whitespace().count() < 3);
        if short || argument.starts_with("&format!") {
            let cure = "`expect` says in at least three words why this cannot be";
            findings.push(Finding::new(path, line_at(&code, at), cure));
        }
    }
    findings
}

/// Nothing is left for later.
pub fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    let code = code_of(text);
    let mut findings = marks(path, text);
    for name in ["todo", "dbg", "unimplemented"] {
        for at in words(&code, name) {
            if code[at + name.len()..].starts_with('!') {
                let cure = format!("finish it or take it out: `{name}!`");
                findings.push(Finding::new(path, line_at(&code, at), cure));
            }
        }
    }
    findings
}

/// Markdown promises nothing for later; a word in `code` is only quoted.
pub fn unfinished_prose(path: &str, text: &str) -> Vec<Finding> {
    let quoted = |line: &str| -> String {
        let parts = line.split('`').enumerate();
        parts.filter(|(at, _)| at % 2 == 0).map(|(_, part)| part).collect::<Vec<_>>().join("`")
    };
    let prose: Vec<String> = text.lines().map(quoted).collect();
    marks(path, &prose.join("\n"))
}

fn marks(path: &str, text: &str) -> Vec<Finding> {
    let found = UNFINISHED.iter().flat_map(|&mark| words(text, mark).map(move |at| (mark, at)));
    found
        .map(|(mark, at)| {
            Finding::new(path, line_at(text, at), format!("do it now or drop it: {mark}"))
        })
        .collect()
}

/// No `unsafe` but where a reason is given.
pub fn unsafes(path: &str, text: &str) -> Vec<Finding> {
    if excepted(UNSAFE, path) {
        return Vec::new();
    }
    let code = code_of(text);
    words(&code, "unsafe")
        .map(|at| {
            let cure = "say it without `unsafe`, or name the file and the reason in tidy/words.rs";
            Finding::new(path, line_at(&code, at), cure)
        })
        .collect()
}

/// An attribute that silences the compiler, or a test, says why.
pub fn silences(path: &str, text: &str) -> Vec<Finding> {
    let code = code_of(text);
    let mut findings = Vec::new();
    for (begin, end) in attributes(&code) {
        let (attribute, written) = (&code[begin..end], &text[begin..end]);
        let line = line_at(&code, begin);
        let says = |name: &str| {
            let mut found = words(attribute, name);
            found.any(|at| attribute[at + name.len()..].starts_with('('))
        };
        if (says("allow") || says("expect")) && !written.contains("reason = \"") {
            findings.push(Finding::new(path, line, "add `reason = \"...\"` to the attribute"));
        }
        let ignored = attribute.trim_start_matches("#[").trim_start();
        if name_at(ignored) == "ignore" && !written.contains("= \"") {
            findings.push(Finding::new(path, line, "say why: `#[ignore = \"...\"]`"));
        }
    }
    findings
}

/// The agent touches files in `buffer/disk.rs` only.
pub fn files(path: &str, text: &str) -> Vec<Finding> {
    if !path.starts_with("agent/src/") || excepted(FILES, path) {
        return Vec::new();
    }
    let code = product_code_of(path, text);
    let mut places = Vec::new();
    for door in ["std", "tokio", "rustix"] {
        places.extend(words(&code, door).filter(|at| leads_to_files(&code[at + door.len()..])));
    }
    let cure = "files are touched in buffer/disk.rs; an exception is named in tidy/words.rs";
    places.into_iter().map(|at| Finding::new(path, line_at(&code, at), cure)).collect()
}

/// `::fs`, or `::{...}` with `fs` or `fs::...` in it.
fn leads_to_files(after: &str) -> bool {
    let Some(inner) = after.strip_prefix("::") else {
        return false;
    };
    if !inner.starts_with('{') {
        return name_at(inner) == "fs";
    }
    let end = closed(inner, 0, b'{', b'}').unwrap_or(inner.len());
    words(&inner[..end], "fs").next().is_some()
}

/// Only `clock.rs` reads a clock.
pub fn clocks(path: &str, text: &str) -> Vec<Finding> {
    let watched = path.starts_with("agent/src/") || path.starts_with("cloud-sink/src/");
    if !watched || path.ends_with("/clock.rs") {
        return Vec::new();
    }
    let code = product_code_of(path, text);
    let reads = CLOCK_READS.iter().flat_map(|read| words(&code, read));
    let cure = "only clock.rs reads a clock: take the moment as an argument";
    reads.map(|at| Finding::new(path, line_at(&code, at), cure)).collect()
}

/// No file, folder or module is a drawer for what has no home.
pub fn homes(path: &str, text: &str) -> Vec<Finding> {
    let cure = "a thing without a home is not understood yet: name it for what it holds";
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let mut findings = Vec::new();
    if stem.split('/').any(|part| HOMELESS.contains(&part)) {
        findings.push(Finding::new(path, 1, cure));
    }
    let code = code_of(text);
    for at in words(&code, "mod") {
        if HOMELESS.contains(&name_at(&code[at + "mod".len()..])) {
            findings.push(Finding::new(path, line_at(&code, at), cure));
        }
    }
    findings
}

/// No `fn get_`, no `Manager`, no `Helper`.
pub fn names(path: &str, text: &str) -> Vec<Finding> {
    let code = code_of(text);
    let mut findings = Vec::new();
    for keyword in ["fn", "struct", "enum", "trait", "type"] {
        for at in words(&code, keyword) {
            let name = name_at(&code[at + keyword.len()..]);
            let empty = ["Manager", "Helper"].iter().any(|ending| name.ends_with(ending));
            if (keyword == "fn" && name.starts_with("get_")) || (keyword != "fn" && empty) {
                let cure =
                    format!("`{name}`: say what it is or does, without get, Manager, Helper");
                findings.push(Finding::new(path, line_at(&code, at), cure));
            }
        }
    }
    findings
}

/// The names of all functions in this file.
pub fn functions(text: &str) -> Vec<String> {
    let code = code_of(text);
    let names = words(&code, "fn").map(|at| name_at(&code[at + "fn".len()..]).to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn excepted(exceptions: &[Exception], path: &str) -> bool {
    exceptions.iter().any(|(prefix, _)| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(rule: fn(&str, &str) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        let found = rule(path, text);
        found.iter().map(|one| one.to_string()).map(|one| line_in(&one)).collect()
    }

    fn line_in(finding: &str) -> usize {
        let number = finding.split(':').nth(1).expect("a finding has a line");
        number.parse().expect("a line is a number")
    }

    #[test]
    fn an_unwrap_is_found_but_not_in_tests_or_prose() {
        let text = "//! unwrap()\nfn a() { b.unwrap() }\nfn c() { d.unwrap_or(1) }\n#[cfg(test)]\n\
                    mod t { fn e() { f.unwrap() } }";

        assert_eq!(lines_of(unwraps, "agent/src/a.rs", text), [2]);
    }

    #[test]
    fn an_expect_without_a_reason_is_found() {
        let text = "a.expect(\"bad\");\nb.expect(\n  \"two words\");\nc.expect(\"the loop ends \
                    here\");\nd.expect(&format!(\"x\"));\nparser.expect(b'x');";

        assert_eq!(lines_of(unwraps, "agent/src/a.rs", text), [1, 2, 5]);
    }

    #[test]
    fn what_is_left_for_later_is_found_in_code_and_in_comments() {
        let text =
            concat!("// TO", "DO: more\nto", "do!();\ndb", "g!(1);\n// FIX", "ME\nfn todo() {}");

        let mut lines = lines_of(unfinished, "wire/src/a.rs", text);

        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert!(unfinished("a.rs", "let s = \"mktemp XXXXXX\"; // todos").is_empty());
    }

    #[test]
    fn markdown_may_quote_the_word_but_not_use_it() {
        let text = concat!("no `TO", "DO` here\nTO", "DO: write");

        assert_eq!(lines_of(unfinished_prose, "README.md", text), [2]);
    }

    #[test]
    fn unsafe_is_found_outside_the_named_files() {
        let text = "// unsafe\nunsafe { a() }\n#![forbid(unsafe_code)]";

        assert_eq!(lines_of(unsafes, "agent/src/a.rs", text), [2]);
        assert!(unsafes("tests/no_std/probe.rs", text).is_empty());
    }

    #[test]
    fn a_silenced_lint_or_test_without_a_reason_is_found() {
        let text = "#[allow(dead_code)]\n#[expect(x, reason = \"y z\")]\n\
                    #![cfg_attr(a, allow(b))]\n#[ignore]\n#[ignore = \"slow\"]\n\
                    #[should_panic(expected = \"x\")]";

        assert_eq!(lines_of(silences, "agent/src/a.rs", text), [1, 3, 4]);
    }

    #[test]
    fn the_agent_touching_files_elsewhere_is_found() {
        let text = "use std::fs::File;\nuse std::{io, fs};\nuse std::collections::BTreeMap;\n\
                    use tokio::fs;\n#[cfg(test)]\nmod t { use std::fs; }";

        let mut lines = lines_of(files, "agent/src/uplink/driver.rs", text);

        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 4]);
        assert!(files("agent/src/buffer/disk.rs", text).is_empty());
        assert!(files("agent/src/config.rs", text).is_empty());
        assert!(files("cloud-sink/src/store.rs", text).is_empty());
    }

    #[test]
    fn a_clock_read_elsewhere_is_found() {
        let text =
            "let a = Instant::now();\nlet b = std::time::SystemTime::now();\n// Instant::now";

        let mut lines = lines_of(clocks, "cloud-sink/src/receive.rs", text);

        lines.sort_unstable();
        assert_eq!(lines, [1, 2]);
        assert!(clocks("cloud-sink/src/clock.rs", text).is_empty());
        assert!(clocks("tests/rig/world.rs", text).is_empty());
    }

    #[test]
    fn a_drawer_for_the_homeless_is_found() {
        assert_eq!(lines_of(homes, "agent/src/utils.rs", "//! A.\nmod misc;"), [1, 2]);
        assert_eq!(lines_of(homes, "agent/src/common/a.rs", "//! A."), [1]);
        assert!(homes("agent/src/commonly.rs", "mod manager_of_none;").is_empty());
    }

    #[test]
    fn empty_names_are_found() {
        let text = "fn get_a() {}\nfn budget_a() {}\nstruct KeyManager;\nstruct Managers;";

        assert_eq!(lines_of(names, "agent/src/a.rs", text), [1, 3]);
    }

    #[test]
    fn each_exception_has_its_reason() {
        for (path, reason) in UNSAFE.iter().chain(FILES) {
            assert!(reason.split_whitespace().count() >= 3, "{path}: {reason}");
        }
    }
}
