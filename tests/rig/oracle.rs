//! The oracles: written apart from the product, they look at what is left of a world.

use std::collections::BTreeMap;

use anyhow::Result;
use cloud_sink::audit::gateway::verify;
use cloud_sink::store::StoreError;
use cloud_sink::store::db::Db;
use wire::gap::Gap;

pub mod chain;
pub mod durable;
pub mod seen;
mod stored;
pub mod trim;

use crate::store::open_file;
use crate::world::World;
use crate::world::bedside::MARK;
use crate::world::books::Books;
use stored::Stored;

/// Examples of one violation that are reported.
const EXAMPLES_MAX: usize = 3;
/// What a segment takes on the disk at the least, bytes.
const SEGMENT_BYTES_MIN: u64 = 256 * 1024;
/// What the disk may hold beyond the quota: one open segment a lane, its growth, spare files, and
/// the gaps that are written before anything is given up.
const BEYOND_QUOTA_BYTES: u64 = 24 * SEGMENT_BYTES_MIN;

/// An oracle and what it saw.
type Violation = (&'static str, String);

/// Looks at everything that is left: O1 ledger, O2 bytes, O4 chain, O8 bounded, O9 secret, O13
/// trail.
///
/// # Errors
/// The store cannot be read.
pub fn judge(world: &mut World) -> Result<()> {
    let db = open_file(world.store())?;
    let said = cloud_sink::ledger::read(&Db::open(&world.store().into())?)?;
    let found = stored::read(&db)?;
    let books = world.books();
    let mut violations = ledger(world, &books.borrow(), &found);
    // What was receipted before a store was restored is not counted again.
    if !world.was_restored() {
        violations.extend(gap_counts(&books.borrow(), &found));
        violations.extend(signed_for(&books.borrow(), &found));
    }
    for (place, digest) in &found.evidence {
        if books.borrow().bytes.get(place) != Some(digest) {
            violations.push(("O2 bytes", format!("{place:?} is not what was sealed")));
        }
    }
    let said_nowhere = |reading: &&_| !books.borrow().sealed.contains_key(*reading);
    for reading in found.readings.keys().filter(said_nowhere) {
        violations.push(("O1 lost", format!("{reading:?} is stored and was never sealed")));
    }
    for (reading, count) in found.readings.iter().filter(|(_, count)| **count > 1) {
        violations.push(("O1 duplicated", format!("{reading:?} is stored {count} times")));
    }
    violations.extend(found.wrong.into_iter().map(|wrong| ("O2 altered", wrong)));
    violations.extend(chain::compare(&db, &said)?.into_iter().map(|wrong| ("O4 chain", wrong)));
    if world.is_marked(MARK.trim().as_bytes()) {
        violations.push(("O9 secret", "a patient's mark is on the disk or the network".into()));
    }
    violations.extend(bounds(world));
    violations.extend(trail(world)?);
    let overlooked = world.overlooked()?;
    violations.extend(overlooked.into_iter().map(|wrong| ("O11 seen", wrong)));
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for (oracle, what) in violations {
        let count = shown.entry(oracle).or_default();
        *count += 1;
        if *count <= EXAMPLES_MAX {
            books.borrow_mut().violate(oracle, what);
        }
    }
    Ok(())
}

/// O1: every accepted reading is stored, or in a gap, or missing by number in a restored store.
fn ledger(world: &mut World, books: &Books, found: &Stored) -> Vec<Violation> {
    let (mut in_gaps, mut missing) = (0, 0);
    let mut violations = Vec::new();
    for reading in &books.accepted {
        if found.readings.contains_key(reading) {
            continue;
        }
        let places = books.sealed.get(reading).map_or(&[][..], Vec::as_slice);
        let frames = || places.iter().filter_map(|place| books.frames.get(place));
        if places.iter().any(|place| books.is_in_a_gap(*place, &found.gaps)) {
            in_gaps += 1;
        } else if world.was_restored()
            && (frames().any(|frame| found.shows_missing(*frame))
                || places.iter().any(|place| found.held.contains(place)))
        {
            // Its number is missing, or its bytes wait for a header that nobody has any more.
            missing += 1;
        } else if world.medium_lied() {
            // Flushed as far as anybody could know: said aloud as not preventable.
            missing += 1;
        } else {
            let gaps: Vec<_> = places.iter().map(|place| books.covering(*place)).collect();
            let what = format!("{reading:?}, sealed at {places:?}, in gaps {gaps:?}");
            violations.push(("O1 lost", what));
        }
    }
    world.count_said(in_gaps, missing);
    violations
}

/// O1: a gap does not name fewer readings than are missing inside.
fn gap_counts(books: &Books, found: &Stored) -> Vec<Violation> {
    let missing = |gap: &Gap| -> u64 {
        let Some(segment) = gap.hole.segment else { return 0 };
        let (first, last) = gap.hole.indexes;
        let frames = books.frames.range((segment, first)..=(segment, last));
        // What another gap names is counted there.
        let frames = frames.filter(|(place, _)| {
            !found.evidence.contains_key(place) && books.covering(**place).len() == 1
        });
        frames.map(|(_, (_, first, last))| last - first + 1).sum()
    };
    let visible = books.gaps.iter().filter(|gap| found.gaps.contains(&(gap.segment, gap.index)));
    visible
        .filter(|gap| missing(gap) > gap.hole.readings.1)
        .map(|gap| {
            let (segment, missing) = (gap.hole.segment, missing(gap));
            let what = format!("{missing} readings of {segment:?} are missing: {:?}", gap.hole);
            ("O1 lost", what)
        })
        .collect()
}

/// O5: what was signed for is there.
fn signed_for(books: &Books, found: &Stored) -> Vec<Violation> {
    let places = books
        .signed
        .iter()
        .flat_map(|(segment, first, last)| (*first..=*last).map(move |index| (*segment, index)));
    let gone = places.filter(|place| !found.evidence.contains_key(place));
    gone.map(|place| ("O5 receipt", format!("{place:?} is signed for and not there"))).collect()
}

/// O8: what stands on the disk, and how many files, have their bounds.
fn bounds(world: &World) -> Vec<Violation> {
    let (files, bytes) = world.disk_used_most();
    let most = world.quota_bytes() + BEYOND_QUOTA_BYTES;
    let files_most = most / SEGMENT_BYTES_MIN + 16;
    if bytes > most || files > files_most {
        let what = format!("{bytes} bytes in {files} files, at most {most} in {files_most}");
        return vec![("O8 bounded", what)];
    }
    Vec::new()
}

/// O13: in the gateway's own trail no number is used twice, and none begins anew, whatever happens;
/// only another card, or a medium that lies, brings numbers again. Some may be missing, in a gap.
fn trail(world: &World) -> Result<Vec<Violation>> {
    if world.medium_lied() || world.has_cards() {
        return Ok(Vec::new());
    }
    let db = Db::open(&world.store().into())?;
    let found = verify(&db, "gw-1", |_| Ok::<_, StoreError>(()))?.unwrap_or_default();
    let again = (found.trails > 1).then(|| format!("{} trails of one gateway", found.trails));
    let wrong = found.wrong.into_iter().filter(|words| !words.ends_with("are missing"));
    Ok(again.into_iter().chain(wrong).map(|what| ("O13 trail", what)).collect())
}
