//! Records of a bundle: those that hold something of the device, and all that lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use anyhow::Context;
use serde_json::{Value, json};
use wire::batch;
use wire::frame::{Record as Parsed, RecordKind};
use wire::identity::{DeviceId, GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::seal::{Remnant, open_frame, stored_frame};

use super::{Wanted, device_row};
use crate::keys::hex;
use crate::store::db::{Db, values};
use crate::verify::keyring::Keys;

/// A segment of which something is wanted.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub gateway: (i64, GatewayId),
    pub lane: Lane,
    pub segment: SegmentId,
    row: i64,
    /// Header and kept secret, for opening.
    header: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// Records up to this one are wanted.
    last: i64,
    /// Records that hold something of the device.
    of_device: BTreeSet<i64>,
    /// Only these are wanted: gap records that stand elsewhere.
    only: Option<BTreeSet<i64>>,
}

/// A record of a bundle.
#[derive(Debug)]
pub(super) struct Record {
    pub id: i64,
    pub index: u32,
    pub hash: [u8; 32],
    pub previous: Option<[u8; 32]>,
    pub disposition: u8,
    pub reason: u8,
    pub received_ns: i64,
    bytes: Vec<u8>,
    /// What an erasure left of it: its signed part, and its blocks.
    remnant: Option<(Vec<u8>, Vec<u8>)>,
    is_of_device: bool,
}

/// Frames with rows of a device: their numbers in the store.
const FRAMES: &str = "
SELECT block.evidence FROM block JOIN series ON series.id = block.series
WHERE series.device = ?1 AND block.to_ns >= ?2 AND block.from_ns < ?3
UNION SELECT wave.evidence FROM wave JOIN series ON series.id = wave.series
WHERE series.device = ?1 AND wave.at_ns >= ?2 AND wave.at_ns < ?3
UNION SELECT note.evidence FROM note
WHERE note.device = ?1 AND note.at_ns >= ?2 AND note.at_ns < ?3
ORDER BY 1";

/// Gap records of a gateway and lane that overlap a time, or do not say theirs.
const GAPS: &str = "
SELECT evidence FROM gap WHERE gateway = ?1 AND lane = ?2
  AND (from_ns IS NULL OR from_ns < ?4) AND (to_ns IS NULL OR to_ns >= ?3)";

/// Gap records that declare something of a segment, whenever it was.
const GAPS_OF: &str = "SELECT evidence FROM gap WHERE gateway = ?1 AND hole_segment = ?2";

/// The segments of which something is wanted, by gateway, lane and number.
pub(super) fn places(db: &Db, wanted: Wanted) -> anyhow::Result<Vec<Place>> {
    let device = device_row(db, wanted.device)?;
    let mut places: BTreeMap<(String, u8, [u8; 16]), Place> = BTreeMap::new();
    let (from, to) = (wanted.from_ns, wanted.to_ns);
    for row in db.rows(FRAMES, values![device, from, to])? {
        let evidence: i64 = row.at(0)?;
        let (place, index) = place_of(db, evidence)?;
        let key = (place.gateway.1.to_string(), place.lane as u8, place.segment.0);
        let place = places.entry(key).or_insert(place);
        place.last = place.last.max(index);
        place.of_device.insert(evidence);
    }
    let lanes: BTreeSet<(i64, u8)> =
        places.values().map(|place| (place.gateway.0, place.lane as u8)).collect();
    let mut gaps = BTreeSet::new();
    for (gateway, lane) in lanes {
        for row in db.rows(GAPS, values![gateway, lane, from, to])? {
            gaps.insert(row.at::<i64>(0)?);
        }
    }
    for place in places.values() {
        for row in db.rows(GAPS_OF, values![place.gateway.0, place.segment.0])? {
            gaps.insert(row.at::<i64>(0)?);
        }
    }
    for evidence in gaps {
        let (place, index) = place_of(db, evidence)?;
        let key = (place.gateway.1.to_string(), place.lane as u8, place.segment.0);
        let place =
            places.entry(key).or_insert_with(|| Place { only: Some(BTreeSet::new()), ..place });
        match &mut place.only {
            Some(only) => drop(only.insert(evidence)),
            None => place.last = place.last.max(index),
        }
    }
    Ok(places.into_values().collect())
}

fn place_of(db: &Db, evidence: i64) -> anyhow::Result<(Place, i64)> {
    let sql = "SELECT gateway.id, gateway.name, segment.lane, segment.segment, segment.id,
                 segment.header, segment.kept_secret, evidence.idx
               FROM evidence JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway WHERE evidence.id = ?1";
    let row = db.row(sql, values![evidence])?.context("a reading without its record")?;
    let (name, lane): (String, u64) = (row.at(1)?, row.at::<i64>(2)?.cast_unsigned());
    let header: Option<Vec<u8>> = row.at(5)?;
    let secret: Option<Vec<u8>> = row.at(6)?;
    let place = Place {
        gateway: (row.at(0)?, GatewayId::new(&name)?),
        lane: Lane::from_number(lane).context("an unknown lane")?,
        segment: SegmentId(row.at(3)?),
        row: row.at(4)?,
        header: header.map(|header| (header, secret)),
        last: 0,
        of_device: BTreeSet::new(),
        only: None,
    };
    Ok((place, row.at(7)?))
}

/// The wanted records of a segment, in order.
pub(super) fn of(db: &Db, place: &Place) -> anyhow::Result<Vec<Record>> {
    let sql = "SELECT id, idx, hash, previous, disposition, reason, received_ns, bytes,
                 remnant.signed, remnant.blocks
               FROM evidence LEFT JOIN remnant ON remnant.evidence = evidence.id
               WHERE segment = ?1 AND (idx <= ?2 OR CAST(?3 AS BIGINT) = 1)
               ORDER BY idx, id";
    let only = i64::from(place.only.is_some());
    let mut records = Vec::new();
    for row in db.rows(sql, values![place.row, place.last, only])? {
        let id: i64 = row.at(0)?;
        let index: u32 = row.at(1)?;
        // The header says whose key signs, whatever else is wanted.
        let is_wanted = |only: &BTreeSet<i64>| index == 0 || only.contains(&id);
        if !place.only.as_ref().is_none_or(is_wanted) {
            continue;
        }
        records.push(Record {
            id,
            index,
            hash: row.at(2)?,
            previous: row.at(3)?,
            disposition: row.at(4)?,
            reason: row.at(5)?,
            received_ns: row.at(6)?,
            bytes: row.at(7)?,
            remnant: row.at::<Option<_>>(8)?.zip(row.at(9)?),
            is_of_device: place.of_device.contains(&id),
        });
    }
    Ok(records)
}

impl Record {
    /// Whether its bytes are gone, the signed part, too.
    pub(super) fn is_disposed(&self) -> bool {
        self.bytes.is_empty() && self.remnant.is_none()
    }

    pub(super) fn line(&self, place: &Place) -> Value {
        let parsed = Parsed::parse(&self.bytes).ok();
        let signed = self.remnant.as_ref().map(|(signed, _)| signed.as_slice());
        let kind = match parsed.map(|record| record.kind) {
            Some(RecordKind::Header) => "header",
            Some(RecordKind::Gap) => "gap",
            Some(RecordKind::Frame) => "frame",
            None if signed.is_some() => "frame",
            None => "gone",
        };
        let ciphertext = parsed.filter(|_| self.is_of_device).map(|record| record.ciphertext);
        let ciphertext = ciphertext.filter(|bytes| !bytes.is_empty()).map(hex);
        let disposition = Disposition::from_number(self.disposition).map_or("?", Disposition::name);
        let reason = Reason::from_number(self.reason).map_or("?", Reason::name);
        json!({
            "is": "record", "gateway": place.gateway.1.as_str(), "lane": place.lane.name(),
            "segment": hex(&place.segment.0), "index": self.index, "kind": kind,
            "hash": hex(&self.hash), "received_ns": self.received_ns,
            "disposition": disposition, "reason": reason,
            "signed": parsed.map(|record| record.signed).or(signed).map(hex),
            "ciphertext": ciphertext,
        })
    }

    /// The head and the device's blocks in the clear, each with its proof; nothing of a frame that
    /// is not open here.
    pub(super) fn blocks(
        &self,
        place: &Place,
        device: DeviceId,
        opener: &mut Keys,
    ) -> anyhow::Result<Vec<Value>> {
        if !self.is_of_device {
            return Ok(Vec::new());
        }
        let Some(remnant) = self.open(place, opener)? else { return Ok(Vec::new()) };
        let plaintext = remnant.plaintext().context("a stored batch is too large")?;
        let decoded = batch::decode(&plaintext).context("a stored batch is none")?;
        let mut lines = Vec::new();
        // The head comes first; the others stand as decoded.
        let devices = decoded.blocks.iter().map(|block| block.source.device);
        let devices = iter::once(device).chain(devices);
        for ((at, bytes), _) in remnant.blocks().zip(devices).filter(|(_, of)| *of == device) {
            let proof = remnant.prove(at).context("a block is not there")?;
            let path = proof.path.iter().map(|(is_left, hash)| json!([is_left, hex(hash)]));
            lines.push(json!({
                "is": "block", "segment": hex(&place.segment.0), "index": self.index,
                "hash": hex(&self.hash), "block": at, "salt": hex(&proof.salt),
                "bytes": hex(bytes), "path": path.collect::<Vec<_>>(),
            }));
        }
        Ok(lines)
    }

    /// Its blocks, as far as they are left; none if nothing here opens it.
    fn open(&self, place: &Place, opener: &mut Keys) -> anyhow::Result<Option<Remnant>> {
        if let Some((_, blocks)) = &self.remnant {
            return Ok(Some(Remnant::decode(blocks).context("what an erasure left was changed")?));
        }
        let Ok(record) = Parsed::parse(&self.bytes) else { return Ok(None) };
        let opened = opener.recall(place.gateway.1, place.segment, || place.header.clone());
        let Some(keys) = opened.and_then(|segment| segment.keys.as_ref()) else { return Ok(None) };
        let frame = stored_frame(&record).context("a stored frame was changed")?;
        let plaintext = open_frame(keys, &frame).context("a stored frame does not open")?;
        Ok(Some(Remnant::whole(keys, self.index, &plaintext)?))
    }
}
