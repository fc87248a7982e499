//! What was said, sealed and accepted, written down apart from the product.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use agent::seal::sealer::Seal;
use agent::seal::{SealError, Sealer, SegmentDraft};
use wire::batch::{self, NoteKind};
use wire::frame::Core;
use wire::gap::Gap;
use wire::identity::{DeviceId, Lane, RecordHash, SegmentId};
use wire::keyring::Keyring;

use super::bedside::{self, MARK, number_at};

/// One reading of a device, by the number that it carries as its value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reading {
    /// Which device.
    pub device: DeviceId,
    /// Its number there.
    pub number: u32,
}

/// A place in the log: segment and index.
pub type Place = (SegmentId, u32);

/// The books of a world.
#[derive(Default)]
pub struct Books {
    /// Readings that the gateway has acknowledged to their device.
    pub accepted: BTreeSet<Reading>,
    /// Where each reading was sealed; several places after a poisoned segment or a repeat.
    pub sealed: BTreeMap<Reading, Vec<Place>>,
    /// Lane and lane sequences of each frame that was sealed, ends included.
    pub frames: BTreeMap<Place, (Lane, u64, u64)>,
    /// Gaps that were signed, with their own place.
    pub gaps: Vec<Gap>,
    /// Every index that was ever sealed under a segment's key.
    spent: BTreeSet<Place>,
    /// What must never happen.
    pub violations: Vec<(&'static str, String)>,
}

/// Books that several parts of the world write in.
pub type SharedBooks = Rc<RefCell<Books>>;

impl Books {
    /// Writes down a violation of an oracle.
    pub fn violate(&mut self, oracle: &'static str, what: String) {
        self.violations.push((oracle, what));
    }

    /// Whether a place is inside a gap that is in `visible`, or inside one that is itself so.
    pub fn is_in_a_gap(&self, place: Place, visible: &BTreeSet<Place>) -> bool {
        let mut covering = self.covering(place).into_iter();
        covering.any(|at| at != place && (visible.contains(&at) || self.is_in_a_gap(at, visible)))
    }

    /// The gaps that cover a place, by their own place: what became of a reading.
    pub fn covering(&self, place: Place) -> Vec<Place> {
        let covers = |gap: &&Gap| {
            let (first, last) = gap.hole.indexes;
            gap.hole.segment == Some(place.0) && (first..=last).contains(&place.1)
        };
        self.gaps.iter().filter(covers).map(|gap| (gap.segment, gap.index)).collect()
    }

    fn read(&mut self, core: &Core, plaintext: &[u8]) {
        let place = (core.segment, core.index);
        if !self.spent.insert(place) {
            self.violate("O3 nonce", format!("{place:?} was sealed twice"));
        }
        self.frames.insert(place, (core.lane, core.sequence_first, core.sequence_last));
        let batch = match batch::decode(plaintext) {
            Ok(batch) => batch,
            Err(error) => return self.violate("O2 bytes", format!("sealed no batch: {error}")),
        };
        for block in &batch.blocks {
            let device = block.source.device;
            let moments = block.tables.iter().flat_map(|table| table.times.iter());
            let numerics = moments.filter_map(|time| number_at(block.time_ticks + time));
            let waves = block.waves.iter().flat_map(|run| {
                let count = run.samples.first().map_or(0, Vec::len) as u64;
                let first = run.sample_first / bedside::SAMPLES;
                (first..first + count / bedside::SAMPLES).filter_map(|n| u32::try_from(n).ok())
            });
            let alerts = block.notes.iter().filter_map(|note| match &note.what {
                NoteKind::Alert { text, .. } => text.strip_prefix(MARK)?.parse().ok(),
                _ => None,
            });
            for number in numerics.chain(waves).chain(alerts) {
                self.sealed.entry(Reading { device, number }).or_default().push(place);
            }
        }
    }
}

/// The real sealer, looked over the shoulder.
pub struct Watched {
    seal: Seal,
    books: SharedBooks,
}

impl Watched {
    /// Watches a sealer.
    #[must_use]
    pub const fn new(seal: Seal, books: SharedBooks) -> Self {
        Self { seal, books }
    }
}

impl Sealer for Watched {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        self.seal.open_segment(draft)
    }

    fn seal(
        &mut self,
        core: &Core,
        plaintext: Vec<u8>,
    ) -> Result<(Vec<u8>, RecordHash), SealError> {
        if core.lane != Lane::Health {
            self.books.borrow_mut().read(core, &plaintext);
        }
        self.seal.seal(core, plaintext)
    }

    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash) {
        self.books.borrow_mut().gaps.push(*gap);
        self.seal.sign_gap(gap)
    }

    fn forget(&mut self, segment: SegmentId) {
        self.seal.forget(segment);
    }

    fn renew(&mut self, keyring: Keyring) {
        self.seal.renew(keyring);
    }
}
