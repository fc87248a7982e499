//! The gateways' own audit trails: each entry is signed, and follows one that is here.

use std::collections::BTreeMap;

use wire::audit::{AuditEntry, entry_hash};

use super::{Enrolled, Known, Line, Report};

/// Hashes of the entries of one number: of two if a gateway's trail began anew.
type Numbers = BTreeMap<u64, Vec<[u8; 32]>>;

/// Trails by gateway.
#[derive(Default)]
pub(super) struct Trails(BTreeMap<String, Numbers>);

impl Trails {
    pub(super) fn entry(&mut self, line: &Line, known: &Known, report: &mut Report) {
        report.trail += 1;
        let (gateway, signed) = (line.text("gateway"), line.bytes("entry").unwrap_or_default());
        let enrolled = known.gateways.get(gateway).map_or(&[][..], Vec::as_slice);
        let by = |enrolled: &Enrolled| AuditEntry::verify(&signed, &enrolled.key).ok();
        let entry = enrolled.iter().find_map(by);
        let Some(entry) = entry.filter(|entry| entry.gateway.as_str() == gateway) else {
            let words = "an entry of a trail that no enrolled key of its gateway has signed";
            return report.wrong(line.number, words);
        };
        let numbers = self.0.entry(gateway.to_owned()).or_default();
        let is_begin = numbers.first_key_value().is_none_or(|(first, _)| *first == entry.number);
        let follows = match numbers.get(&(entry.number - 1)) {
            _ if entry.number == 1 => true,
            Some(before) => before.contains(&entry.previous),
            None => is_begin,
        };
        if !follows {
            let words = format!("entry {} of a trail does not follow", entry.number);
            report.wrong(line.number, words);
        }
        numbers.entry(entry.number).or_default().push(entry_hash(&signed));
    }

    pub(super) fn end(&self, report: &mut Report) {
        if report.trail > 0 {
            let words = format!(
                "trails of {} gateways: {} entries, without a hole",
                self.0.len(),
                report.trail
            );
            report.words.push(words);
        }
    }
}
