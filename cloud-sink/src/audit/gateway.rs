//! Gateways' own audit trails, as they signed them: listed, and checked once more.
//!
//! A trail is known by its first entry, number 1, which names none before it; every other entry
//! belongs to the trail of the one whose hash it names. A gateway whose state was lost begins
//! another trail, so that numbers come again: entries are never compared by number alone.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;
use wire::audit::{AuditEntry, entry_hash};

use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};
use crate::store::trails;

/// An entry of a gateway's trail.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct GatewayEntry {
    /// Number in its trail.
    pub number: i64,
    /// When, UTC nanoseconds, if the gateway knew.
    pub at_ns: Option<i64>,
    /// What; `unverified` if no key of the gateway has signed it.
    pub kind: String,
    /// With which version, key, device or file.
    pub object: String,
    /// In words.
    pub words: String,
    /// SHA-256 of its signed bytes, hexadecimal.
    pub hash: String,
    /// Its signed bytes, hexadecimal.
    pub entry: String,
}

/// Where a trail ends.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Head {
    /// Number of its newest entry.
    pub number: i64,
    /// Hash of that: what is to be kept elsewhere, to see a cut end.
    pub hash: String,
}

/// What a check of all entries of a gateway has found.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// Entries.
    pub entries: u64,
    /// First entries: more than one if the gateway's state was lost, or taken away.
    pub trails: u64,
    /// The first number that is missing.
    pub missing: Option<i64>,
    /// What does not hold, in words; of many, the first.
    pub wrong: Vec<String>,
    /// Entries that no other one names: one a trail.
    pub heads: Vec<Head>,
}

/// Things that are named one by one.
const NAMED_MAX: usize = 100;

fn row_of(db: &Db, gateway: &str) -> Result<Option<i64>, StoreError> {
    let row = db.row("SELECT id FROM gateway WHERE name = ?1", values![gateway])?;
    row.map(|row| row.at(0)).transpose()
}

fn entry(row: &Row) -> Result<(GatewayEntry, Vec<u8>), StoreError> {
    let bytes: Vec<u8> = row.at(6)?;
    let entry = GatewayEntry {
        number: row.at(0)?,
        at_ns: row.at(1)?,
        kind: row.at(2)?,
        object: row.at(3)?,
        words: row.at(4)?,
        hash: hex(&row.at::<Vec<u8>>(5)?),
        entry: hex(&bytes),
    };
    Ok((entry, bytes))
}

/// The newest entries of a gateway, as they came; `None` if there is no such gateway.
///
/// # Errors
/// The store does not answer.
pub fn list(db: &Db, gateway: &str, most: i64) -> Result<Option<Vec<GatewayEntry>>, StoreError> {
    let sql = "SELECT number, at_ns, kind, object, words, hash, entry FROM gateway_audit
               WHERE gateway = ?1 ORDER BY evidence DESC, number DESC LIMIT ?2";
    let Some(row) = row_of(db, gateway)? else { return Ok(None) };
    let rows = db.rows(sql, values![row, most])?;
    let entries = rows.iter().map(|row| Ok(entry(row)?.0));
    entries.collect::<Result<_, StoreError>>().map(Some)
}

/// Checks all entries of a gateway, by number; each is given to `with`. `None` if there is no such
/// gateway.
///
/// # Errors
/// The store does not answer, or `with` fails.
pub fn verify<E: From<StoreError>>(
    db: &Db,
    gateway: &str,
    mut with: impl FnMut(&GatewayEntry) -> Result<(), E>,
) -> Result<Option<Verdict>, E> {
    let Some(row) = row_of(db, gateway)? else { return Ok(None) };
    let keys = trails::keys(db, row)?;
    let is_signed = |bytes: &[u8]| {
        let by = |key| AuditEntry::verify(bytes, key).ok();
        keys.iter().find_map(by).is_some_and(|entry| entry.gateway.as_str() == gateway)
    };
    let mut walk = Walk::default();
    let sql = "SELECT number, at_ns, kind, object, words, hash, entry FROM gateway_audit
               WHERE gateway = ?1 ORDER BY number, hash";
    db.each(sql, values![row], |row| {
        let (entry, bytes) = entry(&row)?;
        with(&entry)?;
        walk.step(&entry, &bytes, is_signed(&bytes));
        Ok::<_, E>(())
    })?;
    Ok(Some(walk.end()))
}

/// A walk over all entries, number by number.
#[derive(Default)]
struct Walk {
    verdict: Verdict,
    /// The present number, and the hashes of its entries and of those one before it.
    number: i64,
    here: HashSet<[u8; 32]>,
    before: HashSet<[u8; 32]>,
    /// What entries of the present number name.
    named: HashSet<[u8; 32]>,
    /// Entries that nothing names so far.
    open: BTreeSet<(i64, [u8; 32])>,
}

impl Walk {
    fn wrong(&mut self, words: String) {
        if self.verdict.wrong.len() < NAMED_MAX {
            self.verdict.wrong.push(words);
        }
    }

    /// Leads to the next number that is there.
    fn advance(&mut self, number: i64) {
        if number == self.number {
            return;
        }
        let next = self.number.saturating_add(1);
        self.before = std::mem::take(&mut self.here);
        self.named.clear();
        if number > next {
            self.before.clear();
            self.verdict.missing.get_or_insert(next);
            self.wrong(format!("entries {next} to {} are missing", number - 1));
        }
        self.number = number;
    }

    fn step(&mut self, stored: &GatewayEntry, bytes: &[u8], is_signed: bool) {
        self.verdict.entries += 1;
        let number = stored.number;
        self.advance(number);
        let hash = entry_hash(bytes);
        self.here.insert(hash);
        let said = AuditEntry::read(bytes).ok();
        let said = said.filter(|said| i64::try_from(said.number) == Ok(number));
        let Some(said) = said.filter(|_| is_signed && hex(&hash) == stored.hash) else {
            return self.wrong(format!("entry {number} is not what the gateway has signed"));
        };
        self.open.insert((number, hash));
        if said.number == 1 {
            self.verdict.trails += 1;
            return;
        }
        self.open.remove(&(number - 1, said.previous));
        if !self.named.insert(said.previous) {
            self.wrong(format!("two entries have number {number} and follow the same one"));
        } else if !self.before.is_empty() && !self.before.contains(&said.previous) {
            self.verdict.missing.get_or_insert(number - 1);
            self.wrong(format!("entry {number} follows none that is here"));
        }
    }

    fn end(mut self) -> Verdict {
        let heads = self.open.into_iter();
        self.verdict.heads =
            heads.map(|(number, hash)| Head { number, hash: hex(&hash) }).collect();
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use wire::audit::{AuditKind, BEGIN};
    use wire::identity::{BootId, GatewayId};
    use wire::time::MonotonicNanos;

    use super::*;

    fn signer(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    /// Entries of one trail: so many, by these keys in turn.
    fn trail(keys: &[u8], words: &str) -> Vec<Vec<u8>> {
        let (mut entries, mut previous) = (Vec::new(), BEGIN);
        for (number, key) in (1..).zip(keys) {
            let entry = AuditEntry {
                gateway: GatewayId::new("gw-1").unwrap(),
                number,
                previous,
                boot: BootId([1; 16]),
                monotonic: MonotonicNanos(number),
                utc: None,
                kind: AuditKind::Start,
                object: "1.0".into(),
                words: words.into(),
            };
            let signed = entry.sign(&signer(*key));
            previous = entry_hash(&signed);
            entries.push(signed);
        }
        entries
    }

    /// A store with these entries of a gateway that has the keys 7 and 8.
    fn store(entries: &[Vec<u8>]) -> Db {
        let db = Db::in_memory();
        let [own, former] = [8, 7].map(|seed| signer(seed).verifying_key().to_bytes());
        db.execute("INSERT INTO gateway VALUES (1, 'gw-1', ?1, 0)", values![own]).unwrap();
        db.execute("INSERT INTO gateway_key VALUES (1, ?1, 0)", values![former]).unwrap();
        for bytes in entries {
            let number = AuditEntry::read(bytes).unwrap().number.cast_signed();
            let insert = "INSERT INTO gateway_audit
                          VALUES (1, ?1, ?2, 1, NULL, 'start', '1.0', '', ?3)";
            db.execute(insert, values![number, entry_hash(bytes), bytes]).unwrap();
        }
        db
    }

    fn check(entries: &[Vec<u8>]) -> Verdict {
        verify(&store(entries), "gw-1", |_| Ok::<_, StoreError>(())).unwrap().unwrap()
    }

    #[test]
    fn a_whole_trail_holds_over_a_change_of_keys_and_over_another_beginning() {
        let one = trail(&[7, 7, 8, 8], "one");
        let found = check(&one);
        assert_eq!((found.entries, found.trails, found.wrong.len()), (4, 1, 0));
        assert_eq!((found.heads.len(), found.heads[0].number), (1, 4));
        let both = [one, trail(&[8, 8], "another")].concat();
        let found = check(&both);
        assert_eq!((found.entries, found.trails, found.wrong.len()), (6, 2, 0));
        assert_eq!(found.heads.iter().map(|head| head.number).collect::<Vec<_>>(), [2, 4]);
        let nobody = verify(&store(&[]), "gw-2", |_| Ok::<_, StoreError>(())).unwrap();
        assert_eq!(nobody, None);
    }

    #[test]
    fn the_first_hole_is_named_and_so_is_a_changed_a_strange_and_a_second_entry() {
        let mut holed = trail(&[8; 6], "one");
        drop(holed.drain(2..4));
        let found = check(&holed);
        assert_eq!(found.missing, Some(3));
        assert_eq!(found.wrong, ["entries 3 to 4 are missing"]);

        let [one, other] = [trail(&[8; 3], "one"), trail(&[8; 3], "other")];
        let spliced = [one[0].clone(), other[1].clone()];
        assert_eq!(check(&spliced).wrong, ["entry 2 follows none that is here"]);
        let strange = trail(&[8, 9], "one");
        assert_eq!(check(&strange).wrong, ["entry 2 is not what the gateway has signed"]);
        let second = AuditEntry { words: "else".into(), ..AuditEntry::read(&one[1]).unwrap() };
        let forked = [one, vec![second.sign(&signer(8))]].concat();
        assert_eq!(check(&forked).wrong, ["two entries have number 2 and follow the same one"]);
        let changed = store(&trail(&[8; 3], "one"));
        changed.batch("UPDATE gateway_audit SET entry = x'00' WHERE number = 2").unwrap();
        let found = verify(&changed, "gw-1", |_| Ok::<_, StoreError>(())).unwrap().unwrap();
        assert_eq!(found.wrong[0], "entry 2 is not what the gateway has signed");
    }
}
