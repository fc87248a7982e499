//! SQLite: one file, write-ahead log, synchronous = FULL.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior, params};

use super::numerics::INSERT;
use super::{NumericRow, Row, Value};
use crate::store::StoreError;
use crate::store::schema::{ADDITIONS, LITE, SETTINGS, TABLES, UPGRADES, VERSION};

/// Longest wait for another process that writes.
const BUSY: Duration = Duration::from_secs(20);

pub(super) struct Lite(Connection);

impl Lite {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let db = Connection::open(path)?;
        first_version(&db)?;
        upgrade(&db)?;
        Ok(Self(db))
    }

    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY)?;
        let found = version(&db)?;
        if !(1..=VERSION).contains(&found) {
            return Err(StoreError::Version { found, known: VERSION });
        }
        db.execute_batch(SETTINGS)?;
        if found < VERSION {
            upgrade(&db)?;
        }
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self(db))
    }

    pub(super) fn execute(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let values = rusqlite::params_from_iter(values);
        Ok(self.0.prepare_cached(sql)?.execute(values)? as u64)
    }

    pub(super) fn each<E: From<StoreError>>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        mut each: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.0.prepare_cached(sql).map_err(StoreError::from)?;
        let columns = statement.column_count();
        let values = rusqlite::params_from_iter(values);
        let mut rows = statement.query(values).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let values = (0..columns).map(|at| row.get_ref(at).map(owned).map_err(Into::into));
            each(Row(values.collect::<Result<_, StoreError>>()?))?;
        }
        Ok(())
    }

    pub(super) fn numerics(&self, rows: &[NumericRow]) -> Result<i64, StoreError> {
        let mut insert = self.0.prepare_cached(INSERT)?;
        let mut first = None;
        for NumericRow { series, at_ns, mantissa, exponent, status, absent } in rows {
            insert.execute(params![series, at_ns, mantissa, exponent, status, absent])?;
            first.get_or_insert_with(|| self.0.last_insert_rowid());
        }
        Ok(first.unwrap_or(0))
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.0.execute_batch(sql)?)
    }

    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        Self::create(Path::new(":memory:")).expect("memory takes the tables")
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn first_version(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA page_size = 8192;")?;
    [SETTINGS, LITE, TABLES, ADDITIONS].iter().try_for_each(|sql| db.execute_batch(sql))?;
    db.pragma_update(None, "user_version", 1)
}

/// Brings an older store to our version, as a whole. Another program may have done so meanwhile.
fn upgrade(db: &Connection) -> Result<(), StoreError> {
    let step = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let found = version(&step)?;
    if found > VERSION {
        return Err(StoreError::Version { found, known: VERSION });
    }
    if found < 2 {
        step.execute_batch(ADDITIONS)?;
    }
    for sql in UPGRADES.iter().skip(usize::try_from(found - 1).unwrap_or(UPGRADES.len())) {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "user_version", VERSION)?;
    Ok(step.commit()?)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn owned(value: ValueRef<'_>) -> Value<'static> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned().into()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_store_is_brought_forward_once_and_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.sqlite");
        let old = Connection::open(&path).expect("a file");
        first_version(&old).expect("the tables of version 1");
        old.execute_batch("INSERT INTO device VALUES (7, '0242ACFFFE000001')").expect("a row");

        for _ in 0..2 {
            let Lite(db) = Lite::open(&path).expect("it opens");
            assert_eq!(version(&db), Ok(VERSION));
            db.execute_batch("SELECT count(*) FROM account").expect("the new tables are there");
            let kept = db.query_row("SELECT id FROM device", [], |row| row.get::<_, i64>(0));
            assert_eq!(kept, Ok(7));
        }

        old.pragma_update(None, "user_version", VERSION + 1).expect("a newer program's store");
        let refused = Lite::open(&path).map(drop);
        let is_named = matches!(refused, Err(StoreError::Version { found, .. }) if found > VERSION);
        assert!(is_named, "{refused:?}");
    }
}
