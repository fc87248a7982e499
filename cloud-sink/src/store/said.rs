//! What a device said under each number, as a short digest: the same number with other words is no
//! repeat, and both are kept.
//!
//! A device that forgets its boot id begins again at number 1. Taken for repeats, its readings
//! would be missing without a word.

use std::collections::BTreeSet;

use wire::batch::{Block, Note, NoteKind, Table, WaveRun};
use wire::decimal::Number;

use super::StoreError;
use super::db::{Db, values};
use super::heard::RunKey;

/// Digests of what a run said, by number, ascending; one for each part of a frame until
/// [`join_parts`].
pub(super) type Digests = Vec<(i64, u32)>;

/// Records in which a number is looked for: those that begin next before it.
const RECORDS_MAX: u32 = 16;

/// Adds what a block says under each number.
pub(super) fn add_block(digests: &mut Digests, block: &Block) {
    block.tables.iter().for_each(|table| add_table(digests, block, table));
    block.waves.iter().for_each(|run| add_wave(digests, run));
    block.notes.iter().for_each(|note| add_note(digests, block, note));
}

/// One digest a number: of its parts, which may stand in several blocks in any order.
///
/// A device that came back within the batch has said some parts twice; they count once.
pub(super) fn join_parts(digests: &mut Digests) {
    digests.sort_unstable();
    digests.dedup();
    digests.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.wrapping_add(next.1);
        }
        same
    });
}

fn add(digests: &mut Digests, number: i64, words: &[u8]) {
    digests.push((number, crc32c::crc32c(words)));
}

fn add_table(digests: &mut Digests, block: &Block, table: &Table) {
    let moments = table.times.len();
    let mut words = Vec::with_capacity(16 + table.channels * 8);
    for (moment, number) in table.sequences.iter().enumerate() {
        words.clear();
        let time = block.time_ticks.wrapping_add(table.times[moment]);
        words.extend_from_slice(&time.to_le_bytes());
        words.extend_from_slice(&(table.channel_first as u64).to_le_bytes());
        let values = table.values[moment..].iter().step_by(moments.max(1));
        words.extend(values.flat_map(|value| value.to_le_bytes()));
        add(digests, *number, &words);
    }
    for (position, number, status) in &table.exceptions {
        let (channel, moment) =
            (*position as usize / moments.max(1), *position as usize % moments.max(1));
        let (mantissa, exponent) = match number {
            Number::Is(decimal) => (decimal.mantissa, i64::from(decimal.exponent)),
            Number::Not(state) => (*state as i64, i64::MAX),
        };
        let words = [channel as i64, mantissa, exponent, i64::from(*status)];
        add(digests, table.sequences[moment], &words.map(i64::to_le_bytes).concat());
    }
}

fn add_wave(digests: &mut Digests, run: &WaveRun) {
    let mut start = 0;
    for (number, count) in &run.parts {
        let end = start + usize::try_from(*count).unwrap_or(0);
        let mut words = (run.sample_first + start as u64).to_le_bytes().to_vec();
        words.extend_from_slice(&run.status.to_le_bytes());
        words.extend_from_slice(&(run.channel_first as u64).to_le_bytes());
        for samples in &run.samples {
            let part = samples.get(start..end).unwrap_or_default();
            words.extend(part.iter().flat_map(|sample| sample.to_le_bytes()));
        }
        add(digests, *number, &words);
        start = end;
    }
}

fn add_note(digests: &mut Digests, block: &Block, note: &Note) {
    // A loss has no time of the device: in whichever block it comes again, it is the same.
    let time = match &note.what {
        NoteKind::Loss { .. } => 0,
        _ => block.time_ticks.wrapping_add(note.time_ticks),
    };
    let mut words = time.to_le_bytes().to_vec();
    match &note.what {
        NoteKind::Alert { code, source, levels, text } => {
            words.extend_from_slice(&code.to_le_bytes());
            words.extend_from_slice(&source.to_le_bytes());
            words.extend_from_slice(levels);
            words.extend_from_slice(text.as_bytes());
        }
        NoteKind::Event { code, value } => {
            words.extend_from_slice(&code.to_le_bytes());
            words.extend_from_slice(&value.to_le_bytes());
        }
        NoteKind::Loss { readings, cause } => {
            words.extend_from_slice(&readings.to_le_bytes());
            words.push(*cause);
        }
        NoteKind::Health(report) => words.extend_from_slice(report),
    }
    add(digests, note.sequence, &words);
}

/// Keeps the digests of what one record brought of a run.
pub(super) fn insert(
    db: &Db,
    evidence: i64,
    key: RunKey,
    lane: u8,
    digests: &[(i64, u32)],
) -> Result<(), StoreError> {
    let Some((first, _)) = digests.first() else { return Ok(()) };
    // What the gateway notes about a run stands far behind the run's own numbers.
    let is_near = |(number, _): &(i64, u32)| number - first <= i64::from(u32::MAX);
    let (near, far) = digests.split_at(digests.partition_point(is_near));
    insert_near(db, evidence, key, lane, near)?;
    insert(db, evidence, key, lane, far)
}

/// The same of numbers of which none is 2^32 or more behind the first.
fn insert_near(
    db: &Db,
    evidence: i64,
    key: RunKey,
    lane: u8,
    digests: &[(i64, u32)],
) -> Result<(), StoreError> {
    let (Some((first, _)), Some((last, _))) = (digests.first(), digests.last()) else {
        return Ok(());
    };
    let pair = |(number, digest): &(i64, u32)| {
        let offset = u32::try_from(number - first).unwrap_or(u32::MAX);
        [offset.to_le_bytes(), digest.to_le_bytes()].concat()
    };
    let packed: Vec<u8> = digests.iter().flat_map(pair).collect();
    let insert = "INSERT INTO said VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.later(insert, values![key.0, key.1, lane, *first, evidence, *last, packed])
}

/// Whether a number is known with other words, and with these it is not.
pub(super) fn differs(
    db: &Db,
    key: RunKey,
    lane: u8,
    number: i64,
    digest: u32,
) -> Result<bool, StoreError> {
    let sql = "SELECT first, digests FROM said
               WHERE device = ?1 AND boot = ?2 AND lane = ?3 AND first <= ?4 AND last >= ?4
               ORDER BY first DESC LIMIT ?5";
    let mut differs = false;
    for row in db.rows(sql, values![key.0, key.1, lane, number, RECORDS_MAX])? {
        let (first, packed): (i64, Vec<u8>) = (row.at(0)?, row.at(1)?);
        for (_, said) in unpack(first, &packed).filter(|(said_at, _)| *said_at == number) {
            if said == digest && said != BLANK {
                return Ok(false);
            }
            differs = true;
        }
    }
    Ok(differs)
}

/// Stands for what was erased: whatever comes under its number is taken for something new, so that
/// no reading of a device that counts anew goes missing.
const BLANK: u32 = 0;

fn unpack(first: i64, packed: &[u8]) -> impl Iterator<Item = (i64, u32)> + '_ {
    let (pairs, _) = packed.as_chunks::<8>();
    pairs.iter().map(move |[a, b, c, d, rest @ ..]| {
        (first + i64::from(u32::from_le_bytes([*a, *b, *c, *d])), u32::from_le_bytes(*rest))
    })
}

/// A run of a device, and a number in it.
pub(crate) type Place = (i64, i64);

/// Other records in which a device said the same as in this one, and under which numbers.
pub(crate) fn copies(db: &Db, evidence: i64, device: i64) -> Result<Vec<(i64, Place)>, StoreError> {
    let own = "SELECT boot, lane, first, last, digests FROM said
               WHERE evidence = ?1 AND device = ?2";
    let others = "SELECT evidence, first, digests FROM said
                  WHERE device = ?1 AND boot = ?2 AND lane = ?3 AND first > ?7 AND first <= ?5
                    AND last >= ?4 AND evidence <> ?6";
    let mut found = Vec::new();
    for row in db.rows(own, values![evidence, device])? {
        let (boot, lane): (i64, i64) = (row.at(0)?, row.at(1)?);
        let (first, last, packed): (i64, i64, Vec<u8>) = (row.at(2)?, row.at(3)?, row.at(4)?);
        let said: BTreeSet<_> = unpack(first, &packed).filter(|pair| pair.1 != BLANK).collect();
        let from = first.saturating_sub(SPAN_MAX);
        let asked = values![device, boot, lane, first, last, evidence, from];
        for other in db.rows(others, asked)? {
            let (copy, packed): (i64, Vec<u8>) = (other.at(0)?, other.at(2)?);
            let same = unpack(other.at(1)?, &packed).filter(|pair| said.contains(pair));
            found.extend(same.map(|(number, _)| (copy, (boot, number))));
        }
    }
    Ok(found)
}

/// Numbers that one record brings of a run lie within so many: a batch has no room for more, and
/// for holes as many again.
const SPAN_MAX: i64 = 1 << 17;

/// Forgets what a device said in a record under some numbers, or under all.
pub(crate) fn blank(
    db: &Db,
    evidence: i64,
    device: i64,
    numbers: Option<&BTreeSet<Place>>,
) -> Result<(), StoreError> {
    let sql = "SELECT boot, lane, first, digests FROM said WHERE evidence = ?1 AND device = ?2";
    for row in db.rows(sql, values![evidence, device])? {
        let (boot, lane, first): (i64, i64, i64) = (row.at(0)?, row.at(1)?, row.at(2)?);
        let mut packed: Vec<u8> = row.at(3)?;
        let (pairs, _) = packed.as_chunks_mut::<8>();
        for pair in pairs {
            let [a, b, c, d, ..] = *pair;
            let number = first + i64::from(u32::from_le_bytes([a, b, c, d]));
            if numbers.is_none_or(|numbers| numbers.contains(&(boot, number))) {
                pair[4..].copy_from_slice(&BLANK.to_le_bytes());
            }
        }
        let update = "UPDATE said SET digests = ?6 WHERE device = ?1 AND boot = ?2 AND lane = ?3
                        AND first = ?4 AND evidence = ?5";
        db.later(update, values![device, boot, lane, first, evidence, packed])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_a_device_said_twice_within_a_batch_counts_once() {
        let once = vec![(7, 0xA), (8, 0xB), (7, 0xC)];
        let mut twice = [once.clone(), once.clone()].concat();
        let mut once = once;

        join_parts(&mut once);
        join_parts(&mut twice);

        assert_eq!(once, [(7, 0xA + 0xC), (8, 0xB)]);
        assert_eq!(twice, once);
    }
}
