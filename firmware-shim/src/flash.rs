//! Flash: what is not durable at the gateway, kept over a loss of power.
//!
//! With it a reading counts as taken once it is in flash, and goes out only then. After a start
//! what an earlier run left is given back, oldest run first, to be sent under that run's number
//! before the present run says anything.

use core::ops::Range;

use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wire::limits::LINK_PAYLOAD_BYTES_MAX;

use crate::ring::{LOSSES, Loss, Ring};

/// Boot, sequence, what it is, readings.
const HEAD_BYTES: usize = 4 + 4 + 1 + 1;
/// In place of what a record is: readings that are lost and found no room in the ring to be said.
const LOST: u8 = 0xFE;
/// They are written down when they have grown by a quarter, and by so many at least; what may have
/// been lost since is added when they are read.
const LOST_STEP: u64 = 16;
/// Records that one call forgets: each takes a walk over a page.
const FORGET_MAX: usize = 16;
/// Records in a row that may be unreadable.
const HOLE_MAX: u32 = 256;
/// Longest record, and room for the alignment of a flash's words.
const RECORD_BYTES: usize = HEAD_BYTES + LINK_PAYLOAD_BYTES_MAX + 8;

/// The flash did not take or give something; readings that it did not take are counted as lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlashFault {
    /// There is no room until the gateway acknowledges.
    Full,
    /// The chip, or what stands in it.
    Chip,
}

impl core::fmt::Display for FlashFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the flash is full: the gateway must acknowledge first",
            Self::Chip => "the flash fails; replace the chip",
        })
    }
}

impl core::error::Error for FlashFault {}

fn fault<E>(error: sequential_storage::Error<E>) -> FlashFault {
    match error {
        sequential_storage::Error::FullStorage => FlashFault::Full,
        _ => FlashFault::Chip,
    }
}

/// Records that wait, in a part of a flash.
pub struct Flash<F: NorFlash> {
    queue: QueueStorage<F, Cache<Uncached, Uncached, Uncached, ()>>,
    boot: u32,
    /// The first record of the present run that is not in flash.
    unkept: u32,
    /// Lost readings that are written down.
    lost: u64,
}

/// A record as it lies in flash.
struct Kept<'a> {
    boot: u32,
    sequence: u32,
    tag: u8,
    readings: u8,
    payload: &'a [u8],
}

impl<'a> Kept<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, payload) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let [a, b, c, d, e, f, g, h, tag, readings] = *head;
        let (boot, sequence) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        Some(Self { boot, sequence, tag, readings, payload })
    }

    fn write(&self, bytes: &mut [u8; RECORD_BYTES]) -> usize {
        bytes[..4].copy_from_slice(&self.boot.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..HEAD_BYTES].copy_from_slice(&[self.tag, self.readings]);
        let end = HEAD_BYTES + self.payload.len();
        bytes[HEAD_BYTES..end].copy_from_slice(self.payload);
        end
    }
}

impl<F: MultiwriteNorFlash> Flash<F> {
    /// What lies between two addresses, for the run `boot`; none if they are not at the ends of
    /// pages, or there are fewer than two pages.
    #[must_use]
    pub fn open(flash: F, range: Range<u32>, boot: u32) -> Option<Self> {
        let has_two = (range.end.saturating_sub(range.start)) as usize >= 2 * F::ERASE_SIZE;
        let config = QueueConfig::try_new(range).ok().filter(|_| has_two)?;
        Some(Self {
            queue: QueueStorage::new(flash, config, Cache::new_uncached()),
            boot,
            unkept: 1,
            lost: 0,
        })
    }

    /// Gives the ring what the oldest earlier run left, as far as it has room, and the run's
    /// number; none if no earlier run left anything.
    ///
    /// # Errors
    /// [`FlashFault`]
    pub async fn restore<const BYTES: usize>(
        &mut self,
        ring: &mut Ring<BYTES>,
    ) -> Result<Option<u32>, FlashFault> {
        let mut bytes = [0; RECORD_BYTES];
        let (mut run, mut lost) = (None, [0; LOSSES.len()]);
        let mut items = self.queue.iter().await.map_err(fault)?;
        loop {
            let Some(item) = items.next(&mut bytes).await.map_err(fault)? else { break };
            let Some(kept) = Kept::read(&item) else { continue };
            if kept.boot == self.boot || run.is_some_and(|run| run != kept.boot) {
                break;
            }
            if run.is_none() {
                *ring = Ring::resumed(kept.sequence);
                run = Some(kept.boot);
            }
            if kept.tag == LOST {
                lost = read_lost(kept.payload);
                continue;
            }
            // A record that follows has said them.
            lost = [0; LOSSES.len()];
            if !fill_hole(ring, kept.sequence)
                || !ring.put_back(kept.tag, kept.readings, kept.payload)
            {
                break;
            }
        }
        ring.lose_all(
            lost.map(|readings| if readings == 0 { 0 } else { readings + step(readings) }),
        );
        ring.close_gaps();
        Ok(run)
    }

    /// Keeps what the present run's ring has taken since; to be called before anything is sent.
    ///
    /// # Errors
    /// [`FlashFault`]; what could not be kept is counted as lost.
    pub async fn keep<const BYTES: usize>(
        &mut self,
        ring: &mut Ring<BYTES>,
    ) -> Result<(), FlashFault> {
        let is_said = ring.close_gaps();
        let mut bytes = [0; RECORD_BYTES];
        if self.unkept.wrapping_sub(ring.first()).cast_signed() < 0 {
            self.unkept = ring.first();
        }
        while let Some((tag, readings, payload)) = ring.raw(self.unkept) {
            let kept = Kept { boot: self.boot, sequence: self.unkept, tag, readings, payload };
            let end = kept.write(&mut bytes);
            if let Err(error) = self.queue.push(&bytes[..end], false).await {
                ring.withdraw(self.unkept, Loss::Storage);
                return Err(fault(error));
            }
            self.unkept = self.unkept.wrapping_add(1);
        }
        if is_said {
            self.lost = 0;
            return Ok(());
        }
        self.keep_lost(ring.unsaid()).await
    }

    /// Writes down what was lost and finds no room to be said, now and then.
    async fn keep_lost(&mut self, lost: [u64; LOSSES.len()]) -> Result<(), FlashFault> {
        let all: u64 = lost.iter().sum();
        if all < self.lost + if self.lost == 0 { 1 } else { step(self.lost) } {
            return Ok(());
        }
        let mut payload = [0; 8 * LOSSES.len()];
        for (place, readings) in payload.chunks_exact_mut(8).zip(lost) {
            place.copy_from_slice(&readings.to_be_bytes());
        }
        let (boot, sequence) = (self.boot, self.unkept);
        let kept = Kept { boot, sequence, tag: LOST, readings: 0, payload: &payload };
        let mut bytes = [0; RECORD_BYTES];
        let end = kept.write(&mut bytes);
        self.queue.push(&bytes[..end], false).await.map_err(fault)?;
        self.lost = all;
        Ok(())
    }

    /// Forgets what is durable of a run: everything before `first`, at most sixteen records a call.
    /// Whether there may be more.
    ///
    /// # Errors
    /// [`FlashFault`]; what is not forgotten is sent once more after the next start.
    pub async fn forget(&mut self, boot: u32, first: u32) -> Result<bool, FlashFault> {
        let mut bytes = [0; RECORD_BYTES];
        let mut items = self.queue.iter().await.map_err(fault)?;
        for _ in 0..FORGET_MAX {
            let Some(item) = items.next(&mut bytes).await.map_err(fault)? else {
                return Ok(false);
            };
            // What cannot be read is none of ours.
            let is_durable = Kept::read(&item).is_none_or(|kept| {
                kept.boot == boot && kept.sequence.wrapping_sub(first).cast_signed() < 0
            });
            if !is_durable {
                return Ok(false);
            }
            item.pop().await.map_err(fault)?;
        }
        Ok(true)
    }
}

/// What may be lost before it is written down again.
const fn step(lost: u64) -> u64 {
    if lost / 4 > LOST_STEP { lost / 4 } else { LOST_STEP }
}

fn read_lost(payload: &[u8]) -> [u64; LOSSES.len()] {
    let mut lost = [0; LOSSES.len()];
    for (readings, place) in lost.iter_mut().zip(payload.as_chunks().0) {
        *readings = u64::from_be_bytes(*place);
    }
    lost
}

/// Says of records that cannot be read that they are missing, up to this one; whether there was
/// room for that.
fn fill_hole<const BYTES: usize>(ring: &mut Ring<BYTES>, sequence: u32) -> bool {
    let missing = sequence.wrapping_sub(ring.next());
    missing <= HOLE_MAX && (0..missing).all(|_| ring.miss(Loss::Storage))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ring::Class;
    use crate::sensor::block_on;
    use embedded_storage_async::nor_flash::{
        ErrorType, NorFlashError, NorFlashErrorKind, ReadNorFlash,
    };
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec;
    use std::vec::Vec;
    use wire::link::DataWriter;

    const PAGE: usize = 1024;

    /// A flash of two pages whose power goes at one of its operations, in the middle of it.
    #[derive(Clone)]
    struct Chip {
        bytes: Rc<RefCell<Vec<u8>>>,
        /// Operations until then.
        left: Rc<RefCell<usize>>,
    }

    #[derive(Debug)]
    struct NoPower;

    impl NorFlashError for NoPower {
        fn kind(&self) -> NorFlashErrorKind {
            NorFlashErrorKind::Other
        }
    }

    impl Chip {
        fn new() -> Self {
            Self { bytes: Rc::new(RefCell::new(vec![0xFF; 2 * PAGE])), left: Rc::default() }
        }

        fn lasts(&self, operations: usize) -> Self {
            *self.left.borrow_mut() = operations;
            self.clone()
        }

        /// How much of an operation on so many bytes is done.
        fn step(&self, length: usize) -> (usize, Result<(), NoPower>) {
            let mut left = self.left.borrow_mut();
            match left.checked_sub(1) {
                None => (0, Err(NoPower)),
                Some(0) => {
                    *left = 0;
                    (length / 2, Err(NoPower))
                }
                Some(less) => {
                    *left = less;
                    (length, Ok(()))
                }
            }
        }
    }

    impl ErrorType for Chip {
        type Error = NoPower;
    }

    impl ReadNorFlash for Chip {
        const READ_SIZE: usize = 1;

        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
            let offset = offset as usize;
            bytes.copy_from_slice(&self.bytes.borrow()[offset..offset + bytes.len()]);
            Ok(())
        }

        fn capacity(&self) -> usize {
            2 * PAGE
        }
    }

    impl NorFlash for Chip {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = PAGE;

        async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
            let (done, result) = self.step((to - from) as usize);
            self.bytes.borrow_mut()[from as usize..from as usize + done].fill(0xFF);
            result
        }

        async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
            let (done, result) = self.step(bytes.len());
            let mut cells = self.bytes.borrow_mut();
            for (cell, byte) in cells[offset as usize..].iter_mut().zip(&bytes[..done]) {
                *cell &= byte;
            }
            result
        }
    }

    impl MultiwriteNorFlash for Chip {}

    type Small = Ring<600>;

    fn take(ring: &mut Small, value: i64) {
        let mut writer = DataWriter::new(value);
        assert!(writer.numerics(0, &[Ok(value)]));
        let _: Option<u32> = ring.push(Class::Vital, 1, writer.finish().as_slice());
    }

    fn open(chip: Chip, boot: u32) -> Flash<Chip> {
        Flash::open(chip, 0..2 * PAGE as u32, boot).expect("it has two pages")
    }

    /// A run that takes readings, and hears after each three that the first of them are durable;
    /// the numbers that are in flash for certain, and the next one.
    fn live(chip: Chip, boot: u32, readings: i64) -> (Vec<u32>, u32) {
        let (mut flash, mut ring) = (open(chip, boot), Small::default());
        let (mut kept, mut written) = (Vec::new(), 1);
        for value in 0..readings {
            take(&mut ring, value);
            written = ring.next();
            if block_on(flash.keep(&mut ring)).is_err() {
                break;
            }
            kept.push(ring.next() - 1);
            if value % 3 == 2 {
                ring.acknowledge(ring.next() - 2);
                kept.retain(|sequence| *sequence >= ring.first());
                if block_on(flash.forget(boot, ring.first())).is_err() {
                    break;
                }
            }
        }
        (kept, written)
    }

    fn restored(chip: Chip, boot: u32) -> (Option<u32>, Vec<u32>) {
        let mut ring = Small::default();
        let run = block_on(open(chip, boot).restore(&mut ring)).unwrap();
        (run, (ring.first()..ring.next()).collect())
    }

    #[test]
    fn whatever_moment_the_power_goes_nothing_that_was_kept_is_missing() {
        let mut cuts = 0;
        for cut in 1..400 {
            let chip = Chip::new();
            let (kept, written) = live(chip.lasts(cut), 1, 30);
            cuts += usize::from(*chip.left.borrow() == 0);
            let (run, found) = restored(chip.lasts(usize::MAX), 2);
            let of_run = kept.is_empty() || run == Some(1);
            assert!(
                of_run && kept.iter().all(|one| found.contains(one)),
                "{cut}: {kept:?} {found:?}"
            );
            // The one that was being written, and those that were being forgotten.
            assert!(found.iter().all(|one| *one < written), "{cut}: {found:?} {written}");
            let in_order = found.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(in_order, "{cut}: {found:?}");
        }
        assert!(cuts > 100, "{cuts}");
    }

    #[test]
    fn runs_come_back_one_after_the_other_the_oldest_first() {
        let chip = Chip::new();
        live(chip.lasts(usize::MAX), 1, 2);
        live(chip.lasts(usize::MAX), 2, 2);
        let mut flash = open(chip.lasts(usize::MAX), 3);
        let mut ring = Small::default();
        let mut found = Vec::new();
        while let Some(run) = block_on(flash.restore(&mut ring)).unwrap() {
            found.push((run, ring.first(), ring.next()));
            while block_on(flash.forget(run, ring.next())).unwrap() {}
        }
        assert_eq!(found, [(1, 1, 3), (2, 1, 3)]);
        assert_eq!(restored(chip, 4), (None, vec![]));
    }

    #[test]
    fn what_a_full_flash_does_not_take_is_declared() {
        let (mut flash, mut ring) =
            (open(Chip::new().lasts(usize::MAX), 1), Ring::<8000>::default());
        let mut refused = 0;
        for value in 0..200 {
            let mut writer = DataWriter::new(value);
            assert!(writer.numerics(0, &[Ok(value)]));
            ring.push(Class::Vital, 1, writer.finish().as_slice());
            refused += usize::from(block_on(flash.keep(&mut ring)) == Err(FlashFault::Full));
        }
        let kept = ring.waiting();
        assert!(refused > 50 && ring.next() == kept + 1, "{refused} {kept}");
        ring.acknowledge(kept);
        while block_on(flash.forget(1, ring.first())).unwrap() {}
        block_on(flash.keep(&mut ring)).unwrap();
        let gap = ring.record(kept + 1).filter(|record| record.gap).unwrap();
        let gap = wire::link::SourceGap::read(gap.payload).unwrap();
        assert_eq!((gap.readings, gap.cause), (200 - u64::from(kept), Loss::Storage as u8));
    }

    #[test]
    fn what_found_no_room_in_the_ring_is_declared_after_a_loss_of_power() {
        let chip = Chip::new();
        let (mut flash, mut ring) = (open(chip.lasts(usize::MAX), 1), Small::default());
        let mut taken = 0;
        for value in 0..100 {
            take(&mut ring, value);
            taken += 1;
            block_on(flash.keep(&mut ring)).unwrap();
        }
        let waiting = u64::from(ring.waiting());
        let mut restored = Ring::<2_000>::default();
        let run = block_on(open(chip.lasts(usize::MAX), 2).restore(&mut restored)).unwrap();
        let records = (restored.first()..restored.next()).filter_map(|one| restored.record(one));
        let gaps = records
            .filter(|record| record.gap)
            .map(|record| wire::link::SourceGap::read(record.payload).unwrap().readings);
        let declared: u64 = gaps.sum();
        let lost = taken - waiting;
        assert_eq!(run, Some(1));
        let most = lost + lost / 2 + 2 * LOST_STEP;
        assert!((lost..=most).contains(&declared), "{declared} of {lost}");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_a_gap_in_its_place() {
        let chip = Chip::new();
        live(chip.lasts(usize::MAX), 1, 2);
        let place = |sequence: u8| {
            let head = [0, 0, 0, 1, 0, 0, 0, sequence, 1, 1];
            let cells = chip.bytes.borrow();
            cells.windows(head.len()).position(|window| window == head).unwrap()
        };
        let (mut flash, mut ring) = (open(chip.lasts(usize::MAX), 1), Small::resumed(3));
        flash.unkept = 3;
        take(&mut ring, 9);
        block_on(flash.keep(&mut ring)).unwrap();
        let second = place(2);
        chip.bytes.borrow_mut()[second + 12] ^= 1;

        let mut restored = Small::default();
        block_on(open(chip.lasts(usize::MAX), 2).restore(&mut restored)).unwrap();

        let gaps = [1, 2, 3].map(|sequence| restored.record(sequence).map(|record| record.gap));
        assert_eq!(gaps, [Some(false), Some(true), Some(false)]);
    }
}
