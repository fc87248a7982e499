//! How long things may be, and that each file says what it is.

use super::source::{closed, code_of, line_at, name_at, product_code_of, words};
use super::tree::Finding;

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

/// A file opens with `//!`.
pub fn opening(path: &str, text: &str) -> Vec<Finding> {
    if text.starts_with("//!") {
        return Vec::new();
    }
    let cure = "open the file with `//!`: what it is for, in one sentence";
    vec![Finding::new(path, 1, cure)]
}

/// No line is wider than 100 characters.
pub fn columns(path: &str, text: &str) -> Vec<Finding> {
    let widths = text.lines().map(|line| line.chars().count());
    widths
        .enumerate()
        .filter(|&(_, width)| width > COLUMNS_MAX)
        .map(|(at, width)| {
            let cure = format!("{width} columns: break the line at {COLUMNS_MAX}");
            Finding::new(path, at + 1, cure)
        })
        .collect()
}

/// No file has more than 400 lines before its tests.
pub fn file_lines(path: &str, text: &str) -> Vec<Finding> {
    let lines = product_code_of(path, text).lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let cure = format!("{lines} lines before the tests: split at {FILE_LINES_MAX} by meaning");
    vec![Finding::new(path, FILE_LINES_MAX + 1, cure)]
}

/// No function has more than 60 lines, from its `fn` to its closing brace.
pub fn function_lines(path: &str, text: &str) -> Vec<Finding> {
    let code = code_of(text);
    let mut findings = Vec::new();
    for at in words(&code, "fn") {
        let name = name_at(&code[at + 2..]);
        let Some(body) = body_after(&code, at) else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        let end = closed(&code, body, b'{', b'}').unwrap_or(code.len());
        let lines = code[at..end].lines().count();
        if lines > FUNCTION_LINES_MAX {
            let cure = format!("`{name}` has {lines} lines: split at {FUNCTION_LINES_MAX}");
            findings.push(Finding::new(path, line_at(&code, at), cure));
        }
    }
    findings
}

/// Where the body of the function that begins at `from` opens, if it has one.
fn body_after(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_opening_is_found() {
        assert!(opening("a.rs", "//! A.\n").is_empty());
        assert_eq!(opening("a.rs", "// A.\n").len(), 1);
        assert_eq!(opening("a.rs", "").len(), 1);
    }

    #[test]
    fn a_wide_line_is_found_and_counted_in_characters() {
        let (fits, wide) = ("ä".repeat(100), "a".repeat(101));

        assert!(columns("a.rs", &fits).is_empty());
        assert_eq!(
            columns("a.rs", &format!("\n{wide}")),
            [Finding::new("a.rs", 2, "101 columns: break the line at 100")]
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{}}\n{}", "y\n".repeat(900));

        assert!(file_lines("a.rs", &format!("{}{tests}", "x\n".repeat(400))).is_empty());
        assert_eq!(file_lines("a.rs", &"x\n".repeat(401)).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_whatever_its_strings_say() {
        let of =
            |lines: usize| format!("fn f(x: [u8; 2]) {{\n{}}}\n", "g(\"}\");\n".repeat(lines - 2));
        let rest = "type F = fn(u8);\ntrait T { fn h(); }\n";

        assert!(function_lines("a.rs", &format!("{}{rest}", of(60))).is_empty());
        assert_eq!(
            function_lines("a.rs", &format!("{rest}{}", of(61))),
            [Finding::new("a.rs", 3, "`f` has 61 lines: split at 60")]
        );
    }
}
