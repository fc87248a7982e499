//! Records: signed by an enrolled key, each following the one before, each receipted.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};
use wire::frame::{RecordKind, hash_of, read_frame_payload};
use wire::gap::{Gap, Hole};
use wire::hex::hex;
use wire::receipt::{Disposition, Receipt};
use wire::segment::read_header_payload;
use wire::signed::{Purpose, signing_key_id, verify};
use wire::strict::Reader;

use super::{Known, Line, Report};

/// Gateway, segment and index of a record.
type At = (String, String, u64);

/// A record that was checked.
struct Seen {
    line: usize,
    hash: Vec<u8>,
    disposition: String,
    /// Content root, of frames.
    root: Option<[u8; 32]>,
    receipted: bool,
}

/// The segment that is read just now.
#[derive(Default)]
struct Current {
    of: (String, String),
    key: Option<VerifyingKey>,
    last: Option<u64>,
}

/// Records that are not there before one that is.
struct Missing {
    line: usize,
    segment: String,
    indexes: (u64, u64),
}

/// All records of a bundle.
#[derive(Default)]
pub(super) struct Chains {
    seen: BTreeMap<At, Vec<Seen>>,
    current: Current,
    missing: Vec<Missing>,
    /// Segments with something in the clear, or that had: of these every record belongs here.
    whole: BTreeSet<String>,
    /// What gap records declare, by segment.
    holes: Vec<(String, (u64, u64))>,
    frames: usize,
    gaps: u64,
    gone: usize,
    linked: usize,
}

/// What the payload of a record says of itself.
struct Said {
    kind: RecordKind,
    segment: [u8; 16],
    index: u64,
    previous: Option<Vec<u8>>,
    root: Option<[u8; 32]>,
    /// Digest of the ciphertext, of frames.
    digest: Option<Vec<u8>>,
    /// Key id and start, of headers.
    header: Option<(wire::identity::KeyId, u64)>,
    hole: Option<Hole>,
    lane: wire::identity::Lane,
    /// Whom a header names.
    gateway: Option<String>,
}

fn said(payload: &[u8]) -> Option<Said> {
    let mut reader = Reader::new(payload);
    reader.array().ok()?;
    reader.uint().ok()?;
    match reader.uint().ok()? {
        0 => {
            let (header, ..) = read_header_payload(payload).ok()?;
            Some(Said {
                kind: RecordKind::Header,
                segment: header.segment.0,
                index: 0,
                previous: None,
                root: None,
                digest: None,
                header: Some((header.signing_key, header.start_count)),
                hole: None,
                lane: header.lane,
                gateway: Some(header.gateway.to_string()),
            })
        }
        1 => {
            let (core, _, digest) = read_frame_payload(payload).ok()?;
            Some(Said {
                kind: RecordKind::Frame,
                segment: core.segment.0,
                index: core.index.into(),
                previous: Some(core.previous.0.to_vec()),
                root: Some(core.content_root),
                digest: Some(digest.to_vec()),
                header: None,
                hole: None,
                lane: core.lane,
                gateway: None,
            })
        }
        _ => {
            let gap = Gap::decode(payload).ok()?;
            Some(Said {
                kind: RecordKind::Gap,
                segment: gap.segment.0,
                index: gap.index.into(),
                previous: Some(gap.previous.0.to_vec()),
                root: None,
                digest: None,
                header: None,
                hole: Some(gap.hole),
                lane: gap.lane,
                gateway: None,
            })
        }
    }
}

impl Chains {
    pub(super) fn record(&mut self, line: &Line, known: &Known, report: &mut Report) {
        report.records += 1;
        let of = (line.text("gateway").to_owned(), line.text("segment").to_owned());
        if self.current.of != of {
            self.current = Current { of: of.clone(), ..Current::default() };
        }
        let index = line.number("index").unwrap_or(u64::MAX);
        let hash = line.bytes("hash").unwrap_or_default();
        let checked = match line.bytes("signed") {
            Some(signed) => self.check(line, known, (&signed, &hash, index)),
            None => {
                self.gone += 1;
                Ok(None)
            }
        };
        let root = checked.unwrap_or_else(|why| {
            report.wrong(line.number, format!("record {index} of segment {}: {why}", of.1));
            None
        });
        if line.value["ciphertext"].is_string() || line.value["signed"].is_null() {
            self.whole.insert(of.1.clone());
        }
        self.miss(line.number, &of.1, index);
        let disposition = line.text("disposition").to_owned();
        let seen = Seen { line: line.number, hash, disposition, root, receipted: false };
        self.seen.entry((of.0, of.1, index)).or_default().push(seen);
    }

    /// Signature, place, link and ciphertext of a record; its content root.
    fn check(
        &mut self,
        line: &Line,
        known: &Known,
        (signed, hash, index): (&[u8], &[u8], u64),
    ) -> Result<Option<[u8; 32]>, String> {
        if hash_of(signed).0[..] != *hash {
            return Err("its hash is another".into());
        }
        let enrolled = known.gateways.get(line.text("gateway"));
        let enrolled = enrolled.ok_or("its gateway is not enrolled")?;
        let signer = enrolled.iter().find_map(|enrolled| {
            Some((enrolled, verify(&enrolled.key, Purpose::Record, signed).ok()?))
        });
        let (enrolled, payload) = signer.ok_or("no enrolled key of its gateway has signed it")?;
        let said = said(payload).ok_or("is no record")?;
        if hex(&said.segment) != line.text("segment") || said.index != index {
            return Err("stands in another place than it says".into());
        }
        let word = match said.kind {
            RecordKind::Header => "header",
            RecordKind::Frame => "frame",
            RecordKind::Gap => "gap",
        };
        let gateway = said.gateway.as_deref().unwrap_or_else(|| line.text("gateway"));
        if (line.text("kind"), line.text("lane"), line.text("gateway"))
            != (word, said.lane.name(), gateway)
        {
            return Err("is another kind, lane or gateway than it says".into());
        }
        if let Some((id, start)) = said.header {
            if id != signing_key_id(&enrolled.key) {
                return Err("names another key than it is signed by".into());
            }
            if enrolled.successor_start.is_some_and(|end| start >= end) {
                return Err("is by a key that had a successor by then".into());
            }
            self.current.key = Some(enrolled.key);
        } else if self.current.key != Some(enrolled.key) {
            return Err("is not by the key of its segment".into());
        }
        let of = (line.text("gateway").to_owned(), line.text("segment").to_owned());
        self.link(&said, &of, index)?;
        self.count(&said);
        let ciphertext = line.bytes("ciphertext");
        let fits = ciphertext.as_ref().is_none_or(|bytes| {
            said.digest.as_ref().is_some_and(|digest| Sha256::digest(bytes)[..] == **digest)
        });
        if fits {
            Ok(said.root)
        } else {
            Err("the ciphertext is not the one that was signed".into())
        }
    }

    /// A record names one of those that stand before it, if any does.
    fn link(&mut self, said: &Said, of: &(String, String), index: u64) -> Result<(), String> {
        let Some(before) = index.checked_sub(1) else { return Ok(()) };
        let Some(seen) = self.seen.get(&(of.0.clone(), of.1.clone(), before)) else {
            return Ok(());
        };
        if seen.iter().any(|seen| said.previous.as_deref() == Some(&seen.hash)) {
            self.linked += 1;
            return Ok(());
        }
        Err(format!("does not follow record {before}"))
    }

    /// Notes what is not there between this record and the last one.
    fn miss(&mut self, line: usize, segment: &str, index: u64) {
        let next = self.current.last.map_or(0, |last| last + 1);
        if index > next {
            let indexes = (next, index - 1);
            self.missing.push(Missing { line, segment: segment.to_owned(), indexes });
        }
        self.current.last = Some(index);
    }

    /// Whether gap records declare all of these.
    fn is_declared(&self, missing: &Missing) -> bool {
        let (first, last) = missing.indexes;
        let holes = self.holes.iter().filter(|(segment, _)| *segment == missing.segment);
        let holes: Vec<_> = holes.map(|(_, hole)| *hole).collect();
        let mut next = first;
        while next <= last {
            let covering = holes.iter().filter(|(from, to)| (*from..=*to).contains(&next));
            let Some(end) = covering.map(|(_, to)| *to).max() else { return false };
            next = end.saturating_add(1);
        }
        true
    }

    fn count(&mut self, said: &Said) {
        self.frames += usize::from(said.kind == RecordKind::Frame);
        let Some(hole) = said.hole else { return };
        self.gaps = self.gaps.saturating_add(hole.readings.1);
        if let Some(segment) = hole.segment {
            let (first, last) = hole.indexes;
            let segment = hex(&segment.0);
            self.holes.push((segment, (first.into(), last.into())));
        }
    }

    pub(super) fn receipt(&mut self, line: &Line, known: &Known, report: &mut Report) {
        report.receipts += 1;
        let keys: Vec<_> =
            known.keyrings.iter().flat_map(|ring| ring.fleet.receipt_keys.clone()).collect();
        let bytes = line.bytes("bytes").unwrap_or_default();
        let receipt = match Receipt::verify(&bytes, &keys) {
            Ok(receipt) => receipt,
            Err(error) => return report.wrong(line.number, error),
        };
        for (segment, ranges) in &receipt.segments {
            let segment = hex(&segment.0);
            for range in ranges.iter().filter(|range| range.disposition != Disposition::Refused) {
                self.cover(line, (receipt.gateway.as_str(), &segment), range, report);
            }
        }
    }

    /// The records of a range are receipted, if its last one is the record that is here.
    fn cover(
        &mut self,
        line: &Line,
        (gateway, segment): (&str, &str),
        range: &wire::receipt::Range,
        report: &mut Report,
    ) {
        let at = |index: u32| (gateway.to_owned(), segment.to_owned(), u64::from(index));
        let is_last = |seen: &Seen| seen.hash == range.last_hash.0;
        let last = self.seen.get(&at(range.last));
        if !last.is_some_and(|all| all.iter().any(is_last)) {
            return report.wrong(line.number, "a receipt is for a record that is not here");
        }
        let word = range.disposition.name();
        for index in range.first..=range.last {
            for seen in self.seen.get_mut(&at(index)).into_iter().flatten() {
                seen.receipted |= seen.disposition == word;
            }
        }
    }

    /// The content root of a frame that was checked.
    pub(super) fn root(&self, segment: &str, index: u64, hash: &[u8]) -> Option<[u8; 32]> {
        let all = self.seen.iter().filter(|((_, of, at), _)| of == segment && *at == index);
        all.flat_map(|(_, seen)| seen).find(|seen| seen.hash == hash)?.root
    }

    pub(super) fn end(self, report: &mut Report) {
        let owed = self
            .seen
            .values()
            .flatten()
            .filter(|seen| !seen.receipted && seen.disposition != Disposition::Refused.name());
        let undeclared = self
            .missing
            .iter()
            .filter(|missing| self.whole.contains(&missing.segment) && !self.is_declared(missing));
        for Missing { line, segment, indexes } in undeclared {
            let (first, last) = indexes;
            let words = "are not here, and stand in no gap";
            report.wrong(*line, format!("records {first} to {last} of segment {segment} {words}"));
        }
        for seen in owed {
            report.wrong.push(format!("line {}: no receipt covers this record", seen.line));
        }
        report.holes = self.gaps;
        report.words.push(format!(
            "records: {}, of them {} frames; {} follow the one before; {} receipts",
            report.records, self.frames, self.linked, report.receipts
        ));
        if self.gone > 0 {
            let words = format!("{} records have lost their bytes to retention", self.gone);
            report.words.push(words);
        }
        if self.gaps > 0 {
            report.words.push(format!("gaps: up to {} readings are declared lost", self.gaps));
        }
    }
}
