//! Names, LOINC and UCUM for device codes; joined on export, never stored with a reading.
//!
//! Source: `data/codes.csv`, MDC codes as published in NIST RTMMS 2019; unknown codes pass through.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What the table says of one code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CodeRow {
    /// Plain name.
    pub label: String,
    /// Reference id of ISO/IEEE 11073-10101.
    pub refid: String,
    /// UCUM unit, empty if the table has none.
    pub ucum: String,
}

static TABLE: &str = include_str!("../data/codes.csv");

/// Cells of one line; a cell in quotes may hold commas.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(letter);
                }
            }
        }
    }
    cells
}

fn table() -> &'static (HashMap<u32, CodeRow>, HashMap<u32, String>) {
    static PARSED: OnceLock<(HashMap<u32, CodeRow>, HashMap<u32, String>)> = OnceLock::new();
    PARSED.get_or_init(|| {
        let (mut codes, mut units) = (HashMap::new(), HashMap::new());
        for row in TABLE.lines().skip(1).map(cells).filter(|row| row.len() == 12) {
            let ucum = row[8].clone();
            if let Ok(unit) = row[7].parse() {
                units.entry(unit).or_insert_with(|| ucum.clone());
            }
            let (label, refid) = (row[1].clone(), row[2].clone());
            if let Ok(code) = row[3].parse() {
                codes.entry(code).or_insert(CodeRow { label, refid, ucum });
            }
        }
        (codes, units)
    })
}

/// What the table says of a code.
#[must_use]
pub fn code(code: u32) -> Option<&'static CodeRow> {
    table().0.get(&code)
}

/// UCUM of a unit code; the code itself in brackets when the table has none.
#[must_use]
pub fn unit(unit: u32) -> String {
    match table().1.get(&unit) {
        Some(ucum) => ucum.clone(),
        None => format!("[MDC {unit}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_its_code_is_partition_and_term() {
        let rows: Vec<Vec<String>> = TABLE.lines().skip(1).map(cells).collect();
        assert!(rows.iter().all(|row| row.len() == 12));
        for row in &rows {
            let (partition, term) = row[4].split_once(':').unwrap();
            let number = partition.parse::<u32>().unwrap() * 65_536 + term.parse::<u32>().unwrap();
            assert_eq!(number, row[3].parse::<u32>().unwrap(), "{row:?}");
        }
        assert_eq!(code(150_456).unwrap().refid, "MDC_PULS_OXIM_SAT_O2");
        assert_eq!(unit(266_016), "mm[Hg]");
    }
}
