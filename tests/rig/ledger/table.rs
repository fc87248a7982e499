//! Reads what `wardline-sink export` writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::device::SaidAlert;

/// One exported file: its comments, then its rows.
pub struct Table {
    comments: BTreeMap<String, String>,
    lines: BufReader<File>,
    line: String,
    number: u64,
}

/// One row of a signal.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub time_ns: i64,
    pub value: &'a str,
    pub unit: &'a str,
    pub validity: &'a str,
}

const HEADER: &str = "time_unix_ns,value,unit,validity";
const ALERTS_HEADER: &str = "time_unix_ns,kind,code,source,phase,state,priority,value,text";

impl Table {
    /// Opens a file and reads its head.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with_header(path, HEADER).with_context(|| path.display().to_string())
    }

    fn with_header(path: &Path, header: &str) -> Result<Self> {
        let lines = BufReader::with_capacity(1 << 18, File::open(path)?);
        let mut table = Self { comments: BTreeMap::new(), lines, line: String::new(), number: 0 };
        while table.read_line()? {
            let Some(comment) = table.line.strip_prefix('#') else {
                if table.line == header {
                    return Ok(table);
                }
                bail!("line {}: not the header {header}", table.number);
            };
            if let Some((key, value)) = comment.split_once(':') {
                table.comments.insert(key.trim().into(), value.trim().into());
            }
        }
        bail!("no header")
    }

    /// A comment of the head.
    pub fn comment(&self, key: &str) -> Option<&str> {
        self.comments.get(key).map(String::as_str)
    }

    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let read = self.lines.read_line(&mut self.line)?;
        while self.line.ends_with(['\n', '\r']) {
            self.line.pop();
        }
        self.number += 1;
        Ok(read > 0)
    }

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if !self.read_line()? {
            return Ok(None);
        }
        let number = self.number;
        parse(&self.line).with_context(|| format!("line {number} is no row")).map(Some)
    }
}

/// A unit may be quoted; its quotes then stay.
fn parse(line: &str) -> Option<Row<'_>> {
    let (time, rest) = line.split_once(',')?;
    let (value, rest) = rest.split_once(',')?;
    let (unit, validity) = rest.rsplit_once(',')?;
    let unit = unit.strip_prefix('"').and_then(|unit| unit.strip_suffix('"')).unwrap_or(unit);
    Some(Row { time_ns: time.parse().ok()?, value, unit, validity })
}

/// The alerts of `alerts.csv`; events and losses are left out.
pub fn read_alerts(path: &Path) -> Result<Vec<SaidAlert>> {
    let mut table = Table::with_header(path, ALERTS_HEADER)?;
    let mut alerts = Vec::new();
    while table.read_line()? {
        if table.line.split(',').nth(1) == Some("alert") {
            let alert = parse_alert(&table.line);
            alerts.push(alert.with_context(|| format!("line {} is no alert", table.number))?);
        }
    }
    Ok(alerts)
}

fn parse_alert(line: &str) -> Option<SaidAlert> {
    let mut cells = line.splitn(9, ',');
    let time_ns = cells.next()?.parse().ok()?;
    let mut number = || cells.next()?.parse::<u32>().ok();
    let _kind = number();
    let (code, source) = (number()?, number()?);
    let mut level = || u8::try_from(number()?).ok();
    let levels = [level()?, level()?, level()?];
    let text = cells.nth(1)?;
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = inner.map_or_else(|| text.to_owned(), |inner| inner.replace("\"\"", "\""));
    Some(SaidAlert { time_ns, code, source, levels, text })
}
