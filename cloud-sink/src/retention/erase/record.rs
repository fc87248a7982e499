//! Of sealed records: blocks go, their copies in other records, too, and the rest stays provable.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use wire::batch::{self, Block};
use wire::frame::Record;
use wire::identity::{DeviceId, GatewayId, Lane, SegmentId};
use wire::seal::{Remnant, open_frame, stored_frame};

use super::Erased;
use crate::retention::policy::{Candidate, Policy};
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::said::{self, Place};
use crate::verify::keyring::Keys;

/// Whose blocks go: those of a device in one context.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Which {
    pub(super) device: DeviceId,
    /// Empty when there is none.
    pub(super) token: Vec<u8>,
}

/// A record of which something goes.
struct Work {
    /// None if retention has taken its bytes.
    opened: Option<Opened>,
    /// Numbers of devices in the store, and whose blocks go.
    whose: BTreeSet<(i64, Which)>,
}

/// What is erased in one transaction, by record; none of it if the record does not open.
#[derive(Default)]
pub(super) struct Erasing(BTreeMap<i64, Option<Work>>);

/// Numbers that are erased in copies, by record and device.
type Copies = BTreeMap<i64, BTreeMap<(i64, DeviceId), BTreeSet<Place>>>;

impl Erasing {
    /// Adds blocks of a record; whether it can be done.
    pub(super) fn add(
        &mut self,
        db: &Db,
        opener: &mut Keys,
        evidence: i64,
        whose: (i64, Which),
    ) -> Result<bool, StoreError> {
        let work = match self.0.entry(evidence) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Work::begin(db, opener, evidence)?),
        };
        if let Some(work) = work {
            work.whose.insert(whose);
        }
        Ok(work.is_some())
    }

    pub(super) fn erase(
        self,
        db: &Db,
        opener: &mut Keys,
        policy: &Policy,
        erased: &mut Erased,
    ) -> Result<(), StoreError> {
        let mut copies = Copies::new();
        for (evidence, work) in self.0 {
            if let Some(work) = work {
                work.erase(db, evidence, &mut copies, erased)?;
            }
        }
        for (evidence, whose) in copies {
            erase_copy(db, opener, policy, (evidence, &whose), erased)?;
        }
        Ok(())
    }
}

impl Work {
    /// None if the record does not open.
    fn begin(db: &Db, opener: &mut Keys, evidence: i64) -> Result<Option<Self>, StoreError> {
        let kept = Kept::read(db, evidence)?.ok_or(StoreError::Shape("a row of no record"))?;
        let work = |opened| Self { opened, whose: BTreeSet::new() };
        if kept.is_disposed() {
            return Ok(Some(work(None)));
        }
        Ok(kept.open(opener).map(|opened| work(Some(opened))))
    }

    fn erase(
        self,
        db: &Db,
        evidence: i64,
        copies: &mut Copies,
        erased: &mut Erased,
    ) -> Result<(), StoreError> {
        let Self { mut opened, whose } = self;
        let mut gone = 0;
        for (device, which) in whose {
            let numbers = match &mut opened {
                Some(opened) => Some(opened.erase(&mut gone, |block| {
                    block.source.device == which.device && block.context == which.token
                })?),
                None => None,
            };
            // A device that was not sure of its receipt has said the same in another record.
            for (copy, number) in said::copies(db, evidence, device)? {
                if numbers.as_ref().is_none_or(|numbers| numbers.contains(&number)) {
                    let of = copies.entry(copy).or_default();
                    of.entry((device, which.device)).or_default().insert(number);
                }
            }
            said::blank(db, evidence, device, numbers.as_ref())?;
        }
        erased.blocks += gone;
        match opened {
            Some(opened) if gone > 0 => opened.keep(db, evidence),
            _ => Ok(()),
        }
    }
}

/// Erases what was said again, under whatever context; other numbers stay known.
fn erase_copy(
    db: &Db,
    opener: &mut Keys,
    policy: &Policy,
    (evidence, whose): (i64, &BTreeMap<(i64, DeviceId), BTreeSet<Place>>),
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let Some(kept) = Kept::read(db, evidence)? else { return Ok(()) };
    let (mut gone, at) = (0, kept.at);
    let mut opened = if kept.is_disposed() {
        None
    } else if let Some(opened) = kept.open(opener) {
        Some(opened)
    } else {
        erased.closed += 1;
        return Ok(());
    };
    for ((device, id), numbers) in whose {
        let (gateway, lane, stored_ns) = at;
        let device_text = Some(id.to_string());
        if policy.is_held(&Candidate { gateway, lane, device: device_text, stored_ns }) {
            erased.held += 1;
            continue;
        }
        if let Some(opened) = &mut opened {
            opened.erase(&mut gone, |block| {
                let boot = i64::from(block.source.boot.0);
                let is_again = |number| numbers.contains(&(boot, number));
                block.source.device == *id && block.sequences().any(is_again)
            })?;
        }
        said::blank(db, evidence, *device, Some(numbers))?;
    }
    erased.blocks += gone;
    match opened {
        Some(opened) if gone > 0 => opened.keep(db, evidence),
        _ => Ok(()),
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
    /// Its gateway's number, its lane, and when it was stored.
    at: (i64, Lane, i64),
}

/// What is left of a record, and its signed part if that is not kept apart yet.
pub(super) struct Opened {
    remnant: Remnant,
    signed: Option<Vec<u8>>,
}

impl Kept {
    pub(super) fn read(db: &Db, evidence: i64) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT gateway.name, segment.segment, evidence.idx, evidence.bytes,
                     remnant.blocks, segment.header, segment.kept_secret, gateway.id, segment.lane,
                     coalesce(opened_ns, received_ns)
                   FROM evidence JOIN segment ON segment.id = evidence.segment
                     JOIN gateway ON gateway.id = segment.gateway
                     LEFT JOIN remnant ON remnant.evidence = evidence.id
                   WHERE evidence.id = ?1";
        let Some(row) = db.row(sql, values![evidence])? else { return Ok(None) };
        let name: String = row.at(0)?;
        let header: Option<Vec<u8>> = row.at(5)?;
        let secret: Option<Vec<u8>> = row.at(6)?;
        let lane = Lane::from_number(row.at::<i64>(8)?.cast_unsigned());
        let lane = lane.ok_or(StoreError::Shape("no lane"))?;
        Ok(Some(Self {
            gateway: GatewayId::new(&name).map_err(|_| StoreError::Shape("no gateway's name"))?,
            segment: SegmentId(row.at(1)?),
            index: row.at(2)?,
            bytes: row.at(3)?,
            remnant: row.at(4)?,
            header: header.map(|header| (header, secret)),
            at: (row.at(7)?, lane, row.at(9)?),
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
    /// Erases blocks; which numbers stood in them.
    fn erase(
        &mut self,
        gone: &mut u64,
        is_meant: impl Fn(&Block) -> bool,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let changed = || StoreError::Shape("a stored batch was changed");
        let plaintext = self.remnant.plaintext().ok_or_else(changed)?;
        let batch = batch::decode(&plaintext).map_err(|_| changed())?;
        // The head comes first, and stays.
        let blocks: Vec<u32> = self.remnant.blocks().skip(1).map(|(at, _)| at).collect();
        let mut numbers = BTreeSet::new();
        for (at, block) in blocks.into_iter().zip(&batch.blocks) {
            if is_meant(block) && self.remnant.erase(at) {
                *gone += 1;
                let boot = i64::from(block.source.boot.0);
                numbers.extend(block.sequences().map(|number| (boot, number)));
            }
        }
        Ok(numbers)
    }

    /// Keeps what is left instead of the sealed bytes.
    pub(super) fn keep(self, db: &Db, evidence: i64) -> Result<(), StoreError> {
        let blocks = self.remnant.encode().ok_or(StoreError::Shape("a batch is too large"))?;
        let Some(signed) = self.signed else {
            let update = "UPDATE remnant SET blocks = ?2 WHERE evidence = ?1";
            return db.later(update, values![evidence, blocks]);
        };
        db.later("INSERT INTO remnant VALUES (?1, ?2, ?3)", values![evidence, signed, blocks])?;
        let nothing: &[u8] = &[];
        db.later("UPDATE evidence SET bytes = ?2 WHERE id = ?1", values![evidence, nothing])
    }
}
