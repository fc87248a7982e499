//! One line of a header, and the refusals that carry its number.

use std::path::Path;
use std::str::FromStr;

use super::super::WfdbError;

/// One line of a header and where it stands.
pub(super) struct Line<'a> {
    pub(super) file: &'a Path,
    pub(super) number: usize,
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// The first `count` fields, and everything behind them as one text.
    pub(super) fn split_fields(&self, count: usize) -> (std::vec::IntoIter<&'a str>, &'a str) {
        let mut fields = Vec::with_capacity(count);
        let mut rest = self.text;
        while fields.len() < count && !rest.is_empty() {
            let (field, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            fields.push(field);
            rest = after.trim_start();
        }
        (fields.into_iter(), rest)
    }

    pub(super) fn number<T: FromStr>(&self, text: &str, what: &str) -> Result<T, WfdbError> {
        text.parse().map_err(|_| self.not(what, text))
    }

    pub(super) fn number_or<T: FromStr>(
        &self,
        text: Option<&str>,
        what: &str,
        usual: T,
    ) -> Result<T, WfdbError> {
        text.map_or(Ok(usual), |text| self.number(text, what))
    }

    /// Refuses every name that could lead out of the record's folder.
    pub(super) fn plain_name(&self, name: &str) -> Result<(), WfdbError> {
        let plain = name.chars().all(|c| c.is_alphanumeric() || "-_.+".contains(c));
        if plain && !name.starts_with('.') && !matches!(name, "" | "-") {
            return Ok(());
        }
        let name = name.to_owned();
        Err(WfdbError::Outside { file: self.file.to_path_buf(), line: self.number, name })
    }

    pub(super) fn not(&self, what: &str, text: &str) -> WfdbError {
        self.malformed(&format!("{text:?} is no {what}"), "correct it after header(5)")
    }

    pub(super) fn malformed(&self, problem: &str, cure: &'static str) -> WfdbError {
        let problem = problem.to_owned();
        WfdbError::Malformed { file: self.file.to_path_buf(), line: self.number, problem, cure }
    }
}
