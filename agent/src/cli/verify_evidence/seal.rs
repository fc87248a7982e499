//! The seal: each line is what it was when the sink signed for it.

use sha2::{Digest, Sha256};
use wire::signed::{Purpose, verify};

use super::{Known, Line, Report};
use wire::hex::unhex;

/// Hashes of the lines as they are.
#[derive(Default)]
pub(super) struct Seal {
    lines: Vec<[u8; 32]>,
    closed: bool,
}

impl Seal {
    pub(super) fn hear(&mut self, text: &str) {
        self.lines.push(Sha256::digest(text.as_bytes()).into());
    }

    pub(super) fn close(&mut self, line: &Line, known: &Known, report: &mut Report) {
        self.closed = true;
        let listed = line.value["hashes"].as_array().cloned().unwrap_or_default();
        let listed: Vec<_> = listed.iter().map(|hash| hash.as_str().and_then(unhex)).collect();
        for at in 0..listed.len().max(self.lines.len()) {
            let (now, then) = (self.lines.get(at), listed.get(at).and_then(Option::as_deref));
            if now.map(<[u8; 32]>::as_slice) != then {
                report.wrong(at + 1, "is not what the sink has sealed");
            }
        }
        let (key, signed) = (line.key("key"), line.bytes("signed").unwrap_or_default());
        let newest = known.keyrings.last();
        let key = key
            .filter(|key| newest.is_some_and(|keyring| keyring.fleet.receipt_keys.contains(key)));
        let Some(key) = key else {
            return report
                .wrong(line.number, "the seal is by no receipt key of the newest keyring");
        };
        let bytes: Vec<u8> = listed.into_iter().flatten().flatten().collect();
        match verify(&key, Purpose::Evidence, &signed) {
            Ok(payload) if payload == bytes => {
                let words = format!("seal: {} lines are as the sink has signed", self.lines.len());
                report.words.push(words);
            }
            Ok(_) => report.wrong(line.number, "the seal is of other hashes"),
            Err(error) => report.wrong(line.number, error),
        }
    }

    pub(super) fn end(&self, report: &mut Report) {
        if !self.closed {
            report.wrong(report.lines, "the bundle ends without its seal: it was cut off");
        }
    }
}
