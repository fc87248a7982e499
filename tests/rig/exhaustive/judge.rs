//! What must hold on a disk that a cut or a kill has left, said without the product's books.

use std::collections::{BTreeMap, BTreeSet};

use wire::frame::{Record, RecordKind};
use wire::gap::{Cause, Gap};
use wire::segment::read_header_payload;

use super::shapes::{At, Sealed, number_of};
use super::work::{Log, Promised, Stage, Taken, clock, everything};

/// Starts twice on a disk, with a batch and a cut that loses all it may in between.
///
/// # Errors
/// What is wrong, in words.
pub fn judge(stage: &mut Stage) -> Result<(), String> {
    stage.seconds += 1;
    let now = clock(stage.seconds);
    let mut log = stage.start().ok_or("it does not start")?;
    let shown = everything(&mut log, &now);
    check(&shown, stage, "first start")?;
    lives_on(stage, &mut log)?;
    let sent = everything(&mut log, &now);
    drop(log);

    let bare = stage.disk.images().image(0);
    let mut after = stage.branch(bare);
    after.seconds += 1;
    let mut log = after.start().ok_or("it does not start a second time")?;
    // What is met only when it is read is said with the next commit.
    everything(&mut log, &clock(after.seconds));
    lives_on(&mut after, &mut log)?;
    let found = everything(&mut log, &clock(after.seconds));
    check(&found, &after, "second start")?;
    let there: BTreeSet<At> = found.iter().map(|taken| taken.at).collect();
    let lost = sent.iter().find(|taken| !there.contains(&taken.at));
    match lost.filter(|lost| !is_in_a_gap(lost.at, &after, &there)) {
        Some(lost) => Err(format!("{:?} was published and not durable", lost.at)),
        None => Ok(()),
    }
}

fn lives_on(stage: &mut Stage, log: &mut Log) -> Result<(), String> {
    match stage.accept_one(log) {
        true => Ok(()),
        false => Err("it starts and takes nothing".into()),
    }
}

fn check(all: &[Taken], stage: &Stage, when: &str) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{when}: {what}"));
    let sealed = stage.sealed.borrow();
    if let Some(at) = sealed.reused.first() {
        return wrong(format!("{at:?} was sealed twice"));
    }
    let visible: BTreeSet<At> = all.iter().map(|taken| taken.at).collect();
    let counts = counted(all).or_else(|what| wrong(what).map(|()| BTreeMap::new()))?;
    if let Some((number, count)) = counts.iter().find(|(_, count)| **count > 1) {
        return wrong(format!("batch {number} is there {count} times"));
    }
    let Promised { accepted, receipted, gaps } = &stage.promised;
    let said: BTreeSet<At> = visible.union(gaps).copied().collect();
    for number in accepted.keys() {
        let there = counts.contains_key(number) || receipted.contains(number);
        if !there && !is_said(*number, &sealed, stage, &said) {
            return wrong(format!("batch {number} is lost in silence"));
        }
    }
    for gap in all.iter().filter_map(gap_of) {
        if gap.hole.cause == Cause::Damaged && gap.hole.readings.0 > 0 {
            return wrong(format!("a cut is no damage: {:?}", gap.hole));
        }
    }
    chain(all).or_else(wrong)
}

fn is_said(number: u64, sealed: &Sealed, stage: &Stage, visible: &BTreeSet<At>) -> bool {
    let places = sealed.batches.get(&number).map(Vec::as_slice).unwrap_or_default();
    places.iter().any(|at| is_in_a_gap(*at, stage, visible))
}

/// How often each batch is there.
fn counted(all: &[Taken]) -> Result<BTreeMap<u64, usize>, String> {
    let mut counts = BTreeMap::new();
    for taken in all {
        let record = Record::parse(&taken.bytes).map_err(|error| error.to_string())?;
        if record.kind == RecordKind::Frame {
            let number = number_of(record.ciphertext);
            let number = number.ok_or_else(|| format!("{:?} was altered", taken.at))?;
            *counts.entry(number).or_default() += 1;
        }
    }
    Ok(counts)
}

fn gap_of(taken: &Taken) -> Option<Gap> {
    let record = Record::parse(&taken.bytes).ok()?;
    (record.kind == RecordKind::Gap).then(|| Gap::decode(record.payload).ok()).flatten()
}

/// Whether a gap names a record that anybody can see, or that is itself gone under such a gap.
fn is_in_a_gap(at: At, stage: &Stage, visible: &BTreeSet<At>) -> bool {
    let sealed = stage.sealed.borrow();
    let mut asked = vec![at];
    let mut seen = BTreeSet::new();
    while let Some(at) = asked.pop() {
        for gap in &sealed.gaps {
            let (first, last) = gap.hole.indexes;
            let place = (gap.segment, gap.index);
            if gap.hole.segment != Some(at.0) || !(first..=last).contains(&at.1) {
                continue;
            }
            if visible.contains(&place) {
                return true;
            }
            if seen.insert(place) {
                asked.push(place);
            }
        }
    }
    false
}

/// Neighbours in a segment name each other; each record names its own place.
fn chain(all: &[Taken]) -> Result<(), String> {
    let mut last = None;
    for taken in all {
        let record = Record::parse(&taken.bytes).map_err(|error| error.to_string())?;
        let unreadable = |_| format!("{:?} cannot be read", taken.at);
        let (named, previous) = match record.kind {
            RecordKind::Header => {
                let (header, _, _) = read_header_payload(record.payload).map_err(unreadable)?;
                ((header.segment, 0), None)
            }
            RecordKind::Frame => {
                let (core, _, _) =
                    wire::frame::read_frame_payload(record.payload).map_err(unreadable)?;
                ((core.segment, core.index), Some(core.previous))
            }
            RecordKind::Gap => {
                let gap = Gap::decode(record.payload).map_err(unreadable)?;
                ((gap.segment, gap.index), Some(gap.previous))
            }
        };
        if named != taken.at {
            return Err(format!("{named:?} stands at {:?}", taken.at));
        }
        if let Some(((segment, index), hash)) = last
            && (segment, index + 1) == taken.at
            && previous != Some(hash)
        {
            return Err(format!("{:?} does not follow its neighbour", taken.at));
        }
        last = Some((taken.at, record.hash()));
    }
    Ok(())
}
