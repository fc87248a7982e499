//! Rust text with its comments and literals blanked, so that rules see code only.
//!
//! Not a parser: it knows comments, strings, characters and brackets, which is what the rules need.

/// The text with each comment, string and character literal replaced by spaces.
///
/// Byte offsets and line numbers stay as they were.
pub fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_prose(bytes, at).min(bytes.len());
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).unwrap_or_default()
}

/// Number, from 1, of the line that holds this byte.
pub fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The code before the tests of a file, blanked as in [`code_of`].
///
/// A file `tests.rs`, or one in a folder `tests/` inside a package, holds tests only.
pub fn product_code_of(path: &str, text: &str) -> String {
    let inside = path.split_once('/').map_or("", |(_, inside)| inside);
    if inside.split('/').any(|part| part == "tests" || part == "tests.rs") {
        return String::new();
    }
    let mut code = code_of(text);
    let marks = code.match_indices("#[cfg(test)]").map(|(at, mark)| (at, at + mark.len()));
    let tests = marks.filter(|&(_, end)| begins_module(&code[end..])).map(|(at, _)| at).next();
    code.truncate(tests.unwrap_or(code.len()));
    code
}

/// A single item for tests, such as a `use`, does not end the product code; a module does.
fn begins_module(after: &str) -> bool {
    let mut rest = after.trim_start();
    while rest.starts_with("#[") {
        rest = closed(rest, 0, b'[', b']').map_or("", |end| rest[end..].trim_start());
    }
    let head = rest.split(['{', ';']).next().unwrap_or_default();
    words(head, "mod").next().is_some()
}

/// Where `word` stands in `text` as a whole word.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = at + word.len();
        (at == 0 || !is_name(bytes[at - 1])) && bytes.get(after).is_none_or(|&b| !is_name(b))
    })
}

/// The name that begins `text`, after spaces.
pub fn name_at(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.bytes().position(|byte| !is_name(byte)).unwrap_or(text.len());
    &text[..end]
}

/// Offset just behind the bracket that closes the first `open` at or after `from`.
pub fn closed(code: &str, from: usize, open: u8, close: u8) -> Option<usize> {
    let mut depth = 0;
    for (at, &byte) in code.as_bytes().iter().enumerate().skip(from) {
        if byte == open {
            depth += 1;
        } else if byte == close && depth > 0 {
            depth -= 1;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Begin and end of each attribute, `#[...]` or `#![...]`.
pub fn attributes(code: &str) -> Vec<(usize, usize)> {
    let starts = code.match_indices('#').map(|(at, _)| at);
    starts
        .filter(|&at| code[at + 1..].trim_start_matches('!').starts_with('['))
        .filter_map(|at| Some((at, closed(code, at, b'[', b']')?)))
        .collect()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// End of the comment or literal that begins at `at`; `at` where none begins.
fn end_of_prose(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        }
        b'/' if rest.starts_with(b"/*") => at + end_of_block(rest),
        b'"' => at + end_of_string(rest),
        b'\'' => at + end_of_character(rest),
        b'r' | b'b' | b'c' if at == 0 || !is_name(bytes[at - 1]) => at + end_of_prefixed(rest),
        _ => at,
    }
}

fn end_of_block(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// A lifetime is no literal: 0.
fn end_of_character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|&b| b == b'\'');
        return close.map_or(rest.len(), |at| at + 4);
    }
    let width = match rest.get(1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// Literals with a prefix: `b".."`, `c".."`, `b'.'`, `r".."`, `r#".."#`, `br#".."#`.
fn end_of_prefixed(rest: &[u8]) -> usize {
    let skip = usize::from(rest[0] != b'r');
    if skip == 1 {
        match rest.get(1) {
            Some(b'"') => return 1 + end_of_string(&rest[1..]),
            Some(b'\'') if rest[0] == b'b' => return 1 + end_of_character(&rest[1..]),
            Some(b'r') => {}
            _ => return 0,
        }
    }
    let after = &rest[skip + 1..];
    let hashes = after.iter().take_while(|&&b| b == b'#').count();
    if after.get(hashes) != Some(&b'"') {
        return 0;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = skip + 1 + hashes + 1;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |at| body + at + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays_in_place() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("}\"{") + g"#, "f(      ) + g"),
            ("f(r#\"a\"b\"#) x", "f(        ) x"),
            ("f(b'{', '\\'', 'ä', '}') y", "f(    ,     ,     ,    ) y"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("r#type + bar\"x\"", "r#type + bar   "),
        ];
        for (text, code) in cases {
            assert_eq!(code_of(text), code, "{text}");
        }
    }

    #[test]
    fn a_word_is_found_only_whole() {
        let found: Vec<usize> = words("unsafe unsafe_code xunsafe (unsafe)", "unsafe").collect();

        assert_eq!(found, [0, 28]);
    }

    #[test]
    fn product_code_ends_where_the_tests_begin() {
        let text = "fn a() {}\n#[cfg(test)]\n#[path = \"b.rs\"]\nmod tests {}";
        let early = "#[cfg(test)]\nuse b;\nfn a() {}\n";

        assert_eq!(product_code_of("wire/src/a.rs", text), "fn a() {}\n");
        assert_eq!(product_code_of("tests/rig/a.rs", text), "fn a() {}\n");
        assert_eq!(product_code_of("wire/src/a/tests.rs", text), "");
        assert_eq!(product_code_of("wire/src/a.rs", early), early);
    }

    #[test]
    fn attributes_end_at_their_own_bracket() {
        let code = "#![a(b[1])] #[c] x[2]";

        let found: Vec<&str> = attributes(code).iter().map(|&(a, b)| &code[a..b]).collect();

        assert_eq!(found, ["#![a(b[1])]", "#[c]"]);
    }
}
