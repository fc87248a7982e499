//! Audit: who did what, in a chain. Entries are added and never changed; each carries the hash of
//! all before it, so that a changed or missing one is named by [`verify`].

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use wire::time::UnixNanos;

use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Row, Turn, values};

mod export;

pub mod gateway;

pub use export::{Form, Wanted, export_to};

macro_rules! deeds {
    ($($deed:ident $name:literal $words:literal,)*) => {
        /// What somebody did.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Deed {
            $(#[doc = $words] $deed,)*
        }

        impl Deed {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$deed),*];

            /// Its word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$deed => $name,)* }
            }

            /// What it means, for the catalogue.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$deed => $words,)* }
            }
        }
    };
}

deeds! {
    SignIn "sign-in" "Somebody came in.",
    SignInRefused "sign-in-refused" "Somebody did not come in.",
    Locked "locked" "An account is locked after wrong attempts.",
    SignOut "sign-out" "Somebody left.",
    Invite "invite" "A link, an invitation or a token was made on the terminal.",
    Account "account" "An account was made, changed, or switched off or on.",
    Values "values" "Values were looked at.",
    Evidence "evidence" "Sealed records and receipts were taken away.",
    Export "export" "Readings were written into files, or a feed began.",
    Incident "incident" "An incident was taken or closed.",
    Inventory "inventory" "The inventory, or a gateway's ward, was changed.",
    Hold "hold" "A legal hold began or ended.",
    Maintenance "maintenance" "A window of maintenance began or ended.",
    Disposal "disposal" "Readings were disposed of, under a rule of retention.",
    Audit "audit" "The audit trail was read.",
    Enrol "enrol" "A gateway got a certificate: it was enrolled, or renewed its own.",
    EnrolRefused "enrol-refused" "A gateway's request was refused at the endpoint.",
    Revoke "revoke" "A gateway was revoked or replaced, or that was taken back.",
    Release "release" "Records of a suspect speaker were let go by a person.",
    Keys "keys" "Keys or certificates of the site were changed or destroyed.",
    Import "import" "Records came from a card, or were opened with the recovery keys.",
    Restored "restored" "The store was put back from a backup.",
    Erasure "erasure" "A patient's, a device's or a period's readings were erased.",
}

/// What is to be written down.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// Who.
    pub who: &'a str,
    /// In which role; `terminal` for whoever has the sink's files.
    pub role: &'a str,
    /// What.
    pub what: Deed,
    /// With which gateway, device, account or incident.
    pub object: &'a str,
    /// In words.
    pub words: &'a str,
}

/// The role of somebody who works on the sink's terminal.
pub const TERMINAL: &str = "terminal";

/// What was written down.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Number; without gaps.
    pub id: i64,
    /// When, UTC nanoseconds.
    pub at_ns: i64,
    /// Who.
    pub who: String,
    /// In which role.
    pub role: String,
    /// What.
    pub what: String,
    /// With which gateway, device, account or incident.
    pub object: String,
    /// In words.
    pub words: String,
    /// SHA-256 over the hash before and this entry, hexadecimal.
    pub hash: String,
}

/// Hash of what is before the first entry.
const BEGIN: [u8; 32] = [0; 32];

/// What is hashed: every text with its length, so that no two entries hash alike.
fn chain(before: &[u8], id: i64, at_ns: i64, texts: [&str; 5]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(id.to_be_bytes());
    hash.update(at_ns.to_be_bytes());
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// Writes down what somebody does, durable when this returns.
///
/// # Errors
/// The store does not answer: then it must not be done.
pub fn write(db: &Db, act: &Act<'_>, now: UnixNanos) -> Result<(), StoreError> {
    db.transaction(Turn::Incidents, |db| add(db, act, now))
}

/// The same inside a transaction of [`Turn::Incidents`].
///
/// # Errors
/// The store does not answer.
pub fn add(db: &Db, act: &Act<'_>, now: UnixNanos) -> Result<(), StoreError> {
    let last = db.row("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", &[])?;
    let (id, before): (i64, Vec<u8>) = match last {
        Some(row) => (row.at::<i64>(0)? + 1, row.at(1)?),
        None => (1, BEGIN.to_vec()),
    };
    let Act { who, role, what, object, words } = *act;
    let hash = chain(&before, id, now.0, [who, role, what.name(), object, words]);
    let insert = "INSERT INTO audit (id, at_ns, who, role, what, object, words, hash)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    db.execute(insert, values![id, now.0, who, role, what.name(), object, words, hash])?;
    Ok(())
}

/// Changes something and writes it down, both or neither.
///
/// # Errors
/// The store does not answer, or the change is refused.
pub fn with<T, E: From<StoreError>>(
    db: &Db,
    act: &Act<'_>,
    now: UnixNanos,
    change: impl FnOnce(&Db) -> Result<T, E>,
) -> Result<T, E> {
    let mut refused = None;
    let done = db.transaction(Turn::Incidents, |db| {
        let refuse = |error| {
            refused = Some(error);
            StoreError::Shape("a change was refused")
        };
        let changed = change(db).map_err(refuse)?;
        add(db, act, now)?;
        Ok(changed)
    });
    match refused {
        Some(error) => Err(error),
        None => Ok(done?),
    }
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: row.at(0)?,
        at_ns: row.at(1)?,
        who: row.at(2)?,
        role: row.at(3)?,
        what: row.at(4)?,
        object: row.at(5)?,
        words: row.at(6)?,
        hash: hex(&row.at::<Vec<u8>>(7)?),
    })
}

/// Entries before number `before`, newest first.
///
/// # Errors
/// The store does not answer.
pub fn list(db: &Db, before: i64, most: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT id, at_ns, who, role, what, object, words, hash FROM audit
               WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    db.rows(sql, values![before, most])?.iter().map(entry).collect()
}

/// What a check of the whole chain has found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// Entries that hold.
    pub good: u64,
    /// The first that does not follow from those before it.
    pub broken_at: Option<i64>,
    /// Hash of the last good one: what is to be kept elsewhere, to see a cut end.
    pub head: String,
}

/// Checks the whole chain, oldest first; each entry is given to `with`.
///
/// # Errors
/// The store does not answer, or `with` fails.
pub fn verify<E: From<StoreError>>(
    db: &Db,
    mut with: impl FnMut(&Entry) -> Result<(), E>,
) -> Result<Verdict, E> {
    let (mut head, mut good, mut broken_at) = (BEGIN.to_vec(), 0, None);
    let sql = "SELECT id, at_ns, who, role, what, object, words, hash FROM audit ORDER BY id";
    db.each(sql, &[], |row| {
        let entry = entry(&row)?;
        with(&entry)?;
        let Entry { who, role, what, object, words, .. } = &entry;
        let hash = chain(&head, entry.id, entry.at_ns, [who, role, what, object, words]);
        if broken_at.is_none() && entry.id == good + 1 && hex(&hash) == entry.hash {
            (head, good) = (hash.to_vec(), entry.id);
        } else {
            broken_at = broken_at.or(Some(good + 1));
        }
        Ok::<_, E>(())
    })?;
    Ok(Verdict { good: good.cast_unsigned(), broken_at, head: hex(&head) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

    fn trail() -> Db {
        let db = Db::in_memory();
        for (what, object) in Deed::ALL.iter().copied().zip(0..) {
            let object = format!("gw-{object}");
            let act = Act { who: "ada", role: "admin", what, object: &object, words: "because" };
            write(&db, &act, NOW).unwrap();
        }
        db
    }

    fn check(db: &Db) -> Verdict {
        verify(db, |_| Ok::<_, StoreError>(())).unwrap()
    }

    #[test]
    fn an_entry_that_was_changed_or_taken_out_is_named() {
        let whole = check(&trail());
        assert_eq!((whole.good, whole.broken_at), (Deed::ALL.len() as u64, None));
        for (sql, at) in [
            ("UPDATE audit SET words = 'becaus' WHERE id = 3", 3_u64),
            ("UPDATE audit SET words = 'ebecause', object = 'gw-' WHERE id = 4", 4),
            ("UPDATE audit SET at_ns = at_ns + 1 WHERE id = 1", 1),
            ("DELETE FROM audit WHERE id = 5", 5),
            ("UPDATE audit SET id = id + 100 WHERE id > 6", 7),
        ] {
            let db = trail();
            db.batch(sql).unwrap();
            let verdict = check(&db);
            assert_eq!(
                (verdict.good, verdict.broken_at),
                (at - 1, Some(at.cast_signed())),
                "{sql}"
            );
        }
        let cut = trail();
        cut.batch("DELETE FROM audit WHERE id > 8").unwrap();
        assert_ne!(check(&cut).head, whole.head, "a cut end is seen by who has kept the head");
    }

    #[test]
    fn the_newest_come_first_page_by_page() {
        let db = trail();
        let page = list(&db, 12, 3).unwrap();
        assert_eq!(page.iter().map(|entry| entry.id).collect::<Vec<_>>(), [11, 10, 9]);
        assert_eq!(page[0].what, "inventory");
    }
}
