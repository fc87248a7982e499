//! What stands in the clear: blocks under their frames' roots, and the audit trail.

use sha2::{Digest, Sha256};
use wire::batch;
use wire::seal::BlockProof;
use wire::strict::Writer;

use super::records::Chains;
use super::{Line, Report};
use wire::hex::unhex;

/// Blocks of the frame that is read just now.
#[derive(Default)]
pub(super) struct Blocks {
    head: Option<(String, Vec<u8>)>,
}

impl Blocks {
    pub(super) fn block(&mut self, line: &Line, chains: &Chains, report: &mut Report) {
        report.blocks += 1;
        let hash = line.bytes("hash").unwrap_or_default();
        let index = line.number("index").unwrap_or(u64::MAX);
        let Some(root) = chains.root(line.text("segment"), index, &hash) else {
            return report.wrong(line.number, "a block of no frame that is here");
        };
        let bytes = line.bytes("bytes").unwrap_or_default();
        let proof = proof(line);
        if !proof.is_some_and(|proof| proof.holds(&root, &bytes)) {
            return report.wrong(line.number, "a block that does not stand under its frame's root");
        }
        if line.number("block") == Some(0) {
            self.head = Some((line.text("hash").to_owned(), bytes));
            return;
        }
        let head = self.head.as_ref().filter(|(of, _)| of == line.text("hash"));
        let batch = head.and_then(|(_, head)| {
            let mut writer = Writer::new(Vec::new());
            writer.array(2).bytes(head).bytes(&bytes);
            batch::decode(&writer.finish()?).ok()
        });
        match batch {
            Some(batch) => report.readings += batch.readings(),
            None => report.wrong(line.number, "a block that says nothing with its frame's head"),
        }
    }

    pub(super) fn end(&self, report: &mut Report) {
        let words = format!(
            "in the clear: {} blocks with {} readings, each proven under its frame's root",
            report.blocks, report.readings
        );
        report.words.push(words);
    }
}

fn proof(line: &Line) -> Option<BlockProof> {
    let salt = line.bytes("salt")?.try_into().ok()?;
    let step = |step: &serde_json::Value| {
        let hash = step[1].as_str().and_then(unhex)?.try_into().ok()?;
        Some((step[0].as_bool()?, hash))
    };
    let path = line.value["path"].as_array()?.iter().map(step).collect::<Option<_>>()?;
    Some(BlockProof { salt, path })
}

/// The audit trail, entry after entry.
#[derive(Default)]
pub(super) struct Trail {
    before: Option<Vec<u8>>,
    last: Option<i64>,
}

impl Trail {
    pub(super) fn entry(&mut self, line: &Line, report: &mut Report) {
        report.audit += 1;
        let before = self.before.take().or_else(|| line.bytes("before")).unwrap_or_default();
        let (id, at) = (line.value["id"].as_i64(), line.value["at_ns"].as_i64());
        let (id, at) = (id.unwrap_or_default(), at.unwrap_or_default());
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(id.to_be_bytes());
        hash.update(at.to_be_bytes());
        for key in ["who", "role", "what", "object", "words"] {
            let text = line.text(key);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        let follows = self.last.is_none_or(|last| id == last + 1);
        let hash = hash.finalize().to_vec();
        if !follows || Some(&hash) != line.bytes("hash").as_ref() {
            report.wrong(line.number, format!("entry {id} of the audit trail does not follow"));
        }
        (self.before, self.last) = (line.bytes("hash"), Some(id));
    }

    pub(super) fn end(&self, report: &mut Report) {
        if report.audit > 0 {
            let words = format!("audit trail: {} entries, without a hole", report.audit);
            report.words.push(words);
        }
    }
}
