//! Of sealed records: blocks go, their copies in other records, too, and the rest stays provable.

use std::collections::{BTreeMap, BTreeSet};

use wire::batch;
use wire::frame::Record;
use wire::identity::{DeviceId, GatewayId, SegmentId};
use wire::seal::{Remnant, open_frame, stored_frame};

use super::Erased;
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::said;
use crate::verify::keyring::Keys;

/// Whose blocks go: those of a device in one context.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Which {
    pub(super) device: DeviceId,
    /// Empty when there is none.
    pub(super) token: Vec<u8>,
}

/// What is erased in one transaction: of which records the blocks of which devices, whose numbers
/// in the store stand beside.
#[derive(Debug, Default)]
pub(super) struct Erasing(BTreeMap<i64, BTreeSet<(i64, Which)>>);

impl Erasing {
    pub(super) fn add(&mut self, evidence: i64, device: i64, which: Which) {
        self.0.entry(evidence).or_default().insert((device, which));
    }

    pub(super) fn erase(
        mut self,
        db: &Db,
        opener: &mut Keys,
        erased: &mut Erased,
    ) -> Result<(), StoreError> {
        // A device that was not sure of its receipt has said the same in another record.
        for (evidence, all) in self.0.clone() {
            for (device, which) in all {
                for copy in said::copies(db, evidence, device)? {
                    self.add(copy, device, which.clone());
                }
            }
        }
        for (evidence, all) in self.0 {
            erase_in(db, opener, evidence, &all, erased)?;
        }
        Ok(())
    }
}

/// A record as the store has it.
pub(super) struct Kept {
    gateway: GatewayId,
    segment: SegmentId,
    index: u32,
    bytes: Vec<u8>,
    remnant: Option<Vec<u8>>,
    header: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What is left of a record, and its signed part if that is not kept apart yet.
pub(super) struct Opened {
    pub(super) remnant: Remnant,
    signed: Option<Vec<u8>>,
}

impl Kept {
    pub(super) fn read(db: &Db, evidence: i64) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT gateway.name, segment.segment, evidence.idx, evidence.bytes,
                     remnant.blocks, segment.header, segment.kept_secret
                   FROM evidence JOIN segment ON segment.id = evidence.segment
                     JOIN gateway ON gateway.id = segment.gateway
                     LEFT JOIN remnant ON remnant.evidence = evidence.id
                   WHERE evidence.id = ?1";
        let Some(row) = db.row(sql, values![evidence])? else { return Ok(None) };
        let name: String = row.at(0)?;
        let header: Option<Vec<u8>> = row.at(5)?;
        let secret: Option<Vec<u8>> = row.at(6)?;
        Ok(Some(Self {
            gateway: GatewayId::new(&name).map_err(|_| StoreError::Shape("no gateway's name"))?,
            segment: SegmentId(row.at(1)?),
            index: row.at(2)?,
            bytes: row.at(3)?,
            remnant: row.at(4)?,
            header: header.map(|header| (header, secret)),
        }))
    }

    /// Its bytes went under a rule of retention.
    fn is_disposed(&self) -> bool {
        self.bytes.is_empty() && self.remnant.is_none()
    }

    /// Its blocks, as far as they are left; none if no key here opens them.
    pub(super) fn open(self, opener: &mut Keys) -> Option<Opened> {
        if let Some(blocks) = self.remnant {
            return Some(Opened { remnant: Remnant::decode(&blocks).ok()?, signed: None });
        }
        let record = Record::parse(&self.bytes).ok()?;
        let header = self.header;
        let opened = opener.recall(self.gateway, self.segment, || header)?;
        let keys = opened.keys.as_ref()?;
        let plaintext = open_frame(keys, &stored_frame(&record).ok()?).ok()?;
        let remnant = Remnant::whole(keys, self.index, &plaintext).ok()?;
        Some(Opened { remnant, signed: Some(record.signed.to_vec()) })
    }
}

impl Opened {
    /// Keeps what is left instead of the sealed bytes.
    pub(super) fn keep(self, db: &Db, evidence: i64) -> Result<(), StoreError> {
        let blocks = self.remnant.encode().ok_or(StoreError::Shape("a batch is too large"))?;
        let Some(signed) = self.signed else {
            return db.later(
                "UPDATE remnant SET blocks = ?2 WHERE evidence = ?1",
                values![evidence, blocks],
            );
        };
        db.later("INSERT INTO remnant VALUES (?1, ?2, ?3)", values![evidence, signed, blocks])?;
        let nothing: &[u8] = &[];
        db.later("UPDATE evidence SET bytes = ?2 WHERE id = ?1", values![evidence, nothing])
    }
}

fn erase_in(
    db: &Db,
    opener: &mut Keys,
    evidence: i64,
    all: &BTreeSet<(i64, Which)>,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let Some(kept) = Kept::read(db, evidence)? else { return Ok(()) };
    let is_disposed = kept.is_disposed();
    let Some(mut opened) = kept.open(opener) else {
        erased.closed += u64::from(!is_disposed);
        for (device, _) in all {
            said::blank(db, evidence, *device, None)?;
        }
        return Ok(());
    };
    let mut gone = 0;
    for (device, which) in all {
        let numbers = erase_of(&mut opened.remnant, which, &mut gone)?;
        said::blank(db, evidence, *device, Some(&numbers))?;
    }
    if gone > 0 {
        erased.blocks += gone;
        opened.keep(db, evidence)?;
    }
    Ok(())
}

/// Erases the blocks of a device in a context; which numbers stood in them.
fn erase_of(
    remnant: &mut Remnant,
    which: &Which,
    gone: &mut u64,
) -> Result<BTreeSet<i64>, StoreError> {
    let changed = StoreError::Shape("a stored batch was changed");
    let Some(plaintext) = remnant.plaintext() else { return Err(changed) };
    let Ok(batch) = batch::decode(&plaintext) else { return Err(changed) };
    // The head comes first, and stays.
    let blocks: Vec<u32> = remnant.blocks().skip(1).map(|(at, _)| at).collect();
    let mut numbers = BTreeSet::new();
    for (at, block) in blocks.into_iter().zip(&batch.blocks) {
        let is_which = block.source.device == which.device && block.context == which.token;
        if is_which && remnant.erase(at) {
            *gone += 1;
            numbers.extend(block.sequences());
        }
    }
    Ok(numbers)
}
