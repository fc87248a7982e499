//! What was said, sealed and accepted, written down apart from the product.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use agent::seal::sealer::Seal;
use agent::seal::{SealError, Sealer, SegmentDraft};
use sha2::{Digest, Sha256};
use wire::batch::{self, NoteKind};
use wire::frame::{Core, Record};
use wire::gap::Gap;
use wire::identity::{DeviceId, KeyId, Lane, RecordHash, SegmentId};
use wire::keyring::{Audience, Keyring};
use wire::segment::read_header_payload;
use wire::time::ClockState;

use super::bedside::{self, MARK, number_at};
use super::time::VirtualTime;
use crate::fleet::Fleet;

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
    /// Whether the medium said that it had flushed, and had not: O5 and O6 then say nothing.
    pub medium_lied: bool,
    /// Digest of each record that was made, header included.
    pub bytes: BTreeMap<Place, [u8; 32]>,
    /// What a sink has signed for: segment, first and last index.
    pub signed: Vec<(SegmentId, u32, u32)>,
    /// Every index that was ever sealed under a segment's key.
    spent: BTreeSet<Place>,
    /// Processes so far, and the one that seals each segment.
    processes: u64,
    sealed_by: BTreeMap<SegmentId, u64>,
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
        self.leads_to(place, visible, &mut BTreeSet::new())
    }

    /// The same for places not `asked` for yet: gaps of a broken product may cover each other.
    fn leads_to(
        &self,
        place: Place,
        visible: &BTreeSet<Place>,
        asked: &mut BTreeSet<Place>,
    ) -> bool {
        asked.insert(place);
        self.covering(place).into_iter().any(|at| {
            at != place
                && (visible.contains(&at)
                    || (!asked.contains(&at) && self.leads_to(at, visible, asked)))
        })
    }

    /// The gaps that cover a place, by their own place: what became of a reading.
    pub fn covering(&self, place: Place) -> Vec<Place> {
        let covers = |gap: &&Gap| {
            let (first, last) = gap.hole.indexes;
            gap.hole.segment == Some(place.0) && (first..=last).contains(&place.1)
        };
        self.gaps.iter().filter(covers).map(|gap| (gap.segment, gap.index)).collect()
    }

    /// One (key, nonce) pair, one plaintext; one segment, one process.
    fn spend(&mut self, place: Place, process: u64) {
        if !self.spent.insert(place) {
            self.violate("O3 nonce", format!("{place:?} was sealed twice"));
        }
        if *self.sealed_by.entry(place.0).or_insert(process) != process {
            self.violate("O4 chain", format!("{place:?} was sealed by a later process"));
        }
    }

    fn read(&mut self, core: &Core, plaintext: &[u8]) {
        let place = (core.segment, core.index);
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
            let notes = block.notes.iter().filter_map(|note| match &note.what {
                NoteKind::Alert { text, .. } => text.strip_prefix(MARK)?.parse().ok(),
                NoteKind::Loss { readings, .. } => u32::try_from(*readings).ok(),
                _ => None,
            });
            for number in numerics.chain(waves).chain(notes) {
                self.sealed.entry(Reading { device, number }).or_default().push(place);
            }
        }
    }
}

/// The real sealer, looked over the shoulder.
pub struct Watched {
    seal: Seal,
    books: SharedBooks,
    clocks: Clocks,
    process: u64,
    /// Who may open the health lane.
    health: Vec<KeyId>,
}

impl Watched {
    /// Watches a process's sealer.
    #[must_use]
    pub fn new(seal: Seal, books: SharedBooks, time: VirtualTime, fleet: &Fleet) -> Self {
        books.borrow_mut().processes += 1;
        let process = books.borrow().processes;
        let mine = fleet.pairs.iter().filter(|pair| pair.audience == Audience::Health);
        let health = mine.map(|pair| pair.public.id()).collect();
        Self { seal, books, clocks: Clocks::new(time), process, health }
    }

    fn look_at_header(&mut self, lane: Lane, bytes: &[u8]) {
        let Ok(record) = Record::parse(bytes) else { return };
        let Ok((header, _, wrapped)) = read_header_payload(record.payload) else { return };
        let books = &mut *self.books.borrow_mut();
        let place = (header.segment, 0);
        books.spend(place, self.process);
        books.bytes.insert(place, Sha256::digest(bytes).into());
        let recipients = || wrapped.iter().map(|one| one.recipient);
        let health_only = recipients().all(|id| self.health.contains(&id));
        let clinical_only = recipients().all(|id| !self.health.contains(&id));
        if !(if lane == Lane::Health { health_only } else { clinical_only }) {
            books.violate("O9 secret", format!("a {lane} segment is sealed to the wrong key"));
        }
    }
}

impl Sealer for Watched {
    fn open_segment(
        &mut self,
        draft: SegmentDraft,
    ) -> Result<(SegmentId, Vec<u8>, RecordHash), SealError> {
        let lane = draft.lane;
        let made = self.seal.open_segment(draft)?;
        self.look_at_header(lane, &made.1);
        Ok(made)
    }

    fn seal(
        &mut self,
        core: &Core,
        plaintext: Vec<u8>,
    ) -> Result<(Vec<u8>, RecordHash), SealError> {
        let place = (core.segment, core.index);
        {
            let books = &mut *self.books.borrow_mut();
            books.spend(place, self.process);
            books.frames.insert(place, (core.lane, core.sequence_first, core.sequence_last));
            if core.lane != Lane::Health {
                books.read(core, &plaintext);
            }
            if let Ok(batch) = batch::decode(&plaintext)
                && let Some(what) = self.clocks.look_at(&batch.clock)
            {
                books.violate("O10 time", what);
            }
        }
        let made = self.seal.seal(core, plaintext)?;
        self.books.borrow_mut().bytes.insert(place, Sha256::digest(&made.0).into());
        Ok(made)
    }

    fn sign_gap(&mut self, gap: &Gap) -> (Vec<u8>, RecordHash) {
        let made = self.seal.sign_gap(gap);
        let books = &mut *self.books.borrow_mut();
        let place = (gap.segment, gap.index);
        books.spend(place, self.process);
        books.bytes.insert(place, Sha256::digest(&made.0).into());
        books.gaps.push(*gap);
        made
    }

    fn forget(&mut self, segment: SegmentId) {
        self.seal.forget(segment);
    }

    fn renew(&mut self, keyring: Keyring) {
        self.seal.renew(keyring);
    }
}

/// O10: what one process says of its clock, against the truth.
struct Clocks {
    time: VirtualTime,
    /// Wall clock less monotonic clock of each epoch, as it was first said, and by how much that
    /// may have been off, nanoseconds.
    epochs: BTreeMap<u32, (i64, i64)>,
}

/// Within an epoch the wall clock goes with the monotonic one, but for this and for what both say
/// that they may be off; nanoseconds. A stopped clock is noticed after half a second, and one more
/// passes until the next look.
const EPOCH_SPREAD_NS: i64 = 2_000_000_000;

impl Clocks {
    fn new(time: VirtualTime) -> Self {
        Self { time, epochs: BTreeMap::new() }
    }

    fn look_at(&mut self, clock: &ClockState) -> Option<String> {
        let utc = clock.utc?.0;
        let off = utc.abs_diff(self.time.truth_at(clock.monotonic));
        if clock.error_us != u64::MAX && off / 1000 > clock.error_us {
            return Some(format!("said to be within {} us and {off} ns off", clock.error_us));
        }
        let offset = utc - clock.monotonic.0.cast_signed();
        let error = i64::try_from(clock.error_us.saturating_mul(1000)).unwrap_or(0);
        let (first, error_then) = *self.epochs.entry(clock.epoch).or_insert((offset, error));
        let spread = (offset - first).abs();
        (spread > EPOCH_SPREAD_NS.saturating_add(error).saturating_add(error_then))
            .then(|| format!("epoch {} spreads {spread} ns", clock.epoch))
    }
}
