//! One connection to the store's database, SQLite or PostgreSQL, asked in the SQL that both speak.
//!
//! Statements are written with `?1`, `?2`; every value is a number, a text or bytes. A statement
//! that brings nothing back may be given to [`Db::later`]: PostgreSQL gets many of them at once.

use std::path::{Path, PathBuf};

use super::StoreError;

mod appended;

mod lite;

mod numerics;

mod postgres;

mod value;

pub(super) use appended::Appended;
pub use numerics::NumericRow;
pub(crate) use value::values;
pub use value::{FromValue, Row, Value};

use lite::Lite;
use postgres::Postgres;

/// Where a store is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// SQLite, in this file.
    File(PathBuf),
    /// PostgreSQL, at this address: `postgres://user@host/database`, or libpq's words.
    Postgres(String),
}

/// What is PostgreSQL and no file.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

impl Location {
    /// What stands in a configuration in this folder.
    #[must_use]
    pub fn parse(text: &str, folder: &Path) -> Self {
        let is_postgres = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        if is_postgres {
            Self::Postgres(postgres::located(text, folder))
        } else {
            Self::File(folder.join(text))
        }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

/// What a transaction is for: of each kind one at a time over all sinks of a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Records and their rows.
    Commit,
    /// Incidents: the rules' and people's.
    Incidents,
}

/// A connection.
pub struct Db(Kind);

enum Kind {
    Lite(Lite),
    Postgres(Box<Postgres>),
}

impl Db {
    /// Makes the tables of a new store.
    ///
    /// # Errors
    /// [`StoreError`]; there may be a store already.
    pub fn create(location: &Location) -> Result<Self, StoreError> {
        Ok(Self(match location {
            Location::File(path) => Kind::Lite(Lite::create(path)?),
            Location::Postgres(address) => Kind::Postgres(Box::new(Postgres::create(address)?)),
        }))
    }

    /// Opens a store.
    ///
    /// # Errors
    /// [`StoreError`]; it may be of another version.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(Self(match location {
            Location::File(path) => Kind::Lite(Lite::open(path)?),
            Location::Postgres(address) => Kind::Postgres(Box::new(Postgres::open(address)?)),
        }))
    }

    /// Says statements to a PostgreSQL server, whatever is in its database.
    ///
    /// # Errors
    /// It does not answer.
    pub fn run_once(address: &str, sql: &str) -> Result<(), StoreError> {
        Postgres::connect(address)?.batch(sql)
    }

    /// Says a statement; how many rows it has touched.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match &self.0 {
            Kind::Lite(lite) => lite.execute(sql, values),
            Kind::Postgres(postgres) => postgres.execute(sql, values),
        }
    }

    /// Says a statement before the next question or the end of the transaction.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn later(&self, sql: &'static str, values: &[Value<'_>]) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Lite(lite) => lite.execute(sql, values).map(drop),
            Kind::Postgres(postgres) => postgres.later(sql, values),
        }
    }

    /// All rows that answer a question.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn rows(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, values, |row| {
            rows.push(row);
            Ok::<_, StoreError>(())
        })?;
        Ok(rows)
    }

    /// The first row that answers a question.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn row(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// The one value that answers a question.
    ///
    /// # Errors
    /// The store does not answer, or has no answer.
    pub fn one<T: FromValue>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<T, StoreError> {
        self.row(sql, values)?.ok_or(StoreError::Shape("no row"))?.at(0)
    }

    /// Row by row, in whatever memory one row takes.
    ///
    /// # Errors
    /// The store does not answer, or what is done with a row fails.
    pub fn each<E: From<StoreError>>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        each: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Kind::Lite(lite) => lite.each(sql, values, each),
            Kind::Postgres(postgres) => postgres.each(sql, values, each),
        }
    }

    /// Writes numerics in order; the number of the first row, from which they count up.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) fn numerics(&self, rows: &[NumericRow]) -> Result<i64, StoreError> {
        match &self.0 {
            Kind::Lite(lite) => lite.numerics(rows),
            Kind::Postgres(postgres) => postgres.numerics(rows),
        }
    }

    /// Writes one row more.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) fn append(&self, table: Appended, values: &[Value<'_>]) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Lite(lite) => drop(lite.execute(table.insert(), values)?),
            Kind::Postgres(postgres) => postgres.append(table, values),
        }
        Ok(())
    }

    /// Drops whole days of numerics, waveforms and their blocks that were stored before a day;
    /// where rows lie in no days, nothing. How many days.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn drop_days(&self, before_ns: i64) -> Result<u64, StoreError> {
        match &self.0 {
            Kind::Lite(_) => Ok(0),
            Kind::Postgres(postgres) => postgres.drop_days(before_ns),
        }
    }

    /// Whether the number of a table's newest row comes again once that row is gone.
    pub(crate) const fn counts_again(&self) -> bool {
        matches!(self.0, Kind::Lite(_))
    }

    /// Lets nothing of what was deleted lie about in the store's files, as far as can be: SQLite
    /// has overwritten it, and its log goes; PostgreSQL's dead rows may be written over.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) fn tidy_up(&self) -> Result<(), StoreError> {
        self.batch(match self.0 {
            Kind::Lite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
            Kind::Postgres(_) => "VACUUM numeric, block, wave, note, said, evidence, remnant",
        })
    }

    /// The store's life: another one after it was put back from a backup.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn store_epoch(&self) -> Result<[u8; 16], StoreError> {
        match &self.0 {
            Kind::Lite(_) => self.one("SELECT value FROM meta WHERE key = 'store_epoch'", &[]),
            Kind::Postgres(_) => self.one("SELECT epoch FROM life", &[]),
        }
    }

    /// How many numerics were ever stored.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn numerics_stored(&self) -> Result<u64, StoreError> {
        let stored: Option<i64> = match &self.0 {
            Kind::Lite(_) => self.one("SELECT max(id) FROM numeric", &[])?,
            Kind::Postgres(_) => self.one("SELECT value FROM meta WHERE key = 'numerics'", &[])?,
        };
        Ok(stored.unwrap_or(0).cast_unsigned())
    }

    /// Does work as a whole or not at all, durable when this returns.
    ///
    /// # Errors
    /// The store does not answer, or the work fails.
    pub fn transaction<T>(
        &self,
        turn: Turn,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = match &self.0 {
            Kind::Lite(lite) => lite.batch("BEGIN IMMEDIATE"),
            Kind::Postgres(postgres) => postgres.begin(turn),
        };
        // What was half begun is rolled back, too: the next one begins anew.
        self.end(begun.and_then(|()| work(self)))
    }

    /// Reads what was stored together.
    ///
    /// # Errors
    /// The store does not answer, or the work fails.
    pub fn snapshot<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0 {
            Kind::Lite(lite) => lite.batch("BEGIN")?,
            Kind::Postgres(postgres) => postgres.begin_reading()?,
        }
        let done = work(self);
        self.roll_back()?;
        done
    }

    fn end<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let ended = done.and_then(|done| {
            match &self.0 {
                Kind::Lite(lite) => lite.batch("COMMIT")?,
                Kind::Postgres(postgres) => postgres.commit()?,
            }
            Ok(done)
        });
        if ended.is_err()
            && let Err(error) = self.roll_back()
        {
            tracing::debug!(%error, "nothing to roll back");
        }
        ended
    }

    fn roll_back(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Lite(lite) => lite.batch("ROLLBACK"),
            Kind::Postgres(postgres) => postgres.roll_back(),
        }
    }

    /// Says statements without values.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Lite(lite) => lite.batch(sql),
            Kind::Postgres(postgres) => postgres.batch(sql),
        }
    }
}

/// A database that is being filled; no sink takes it before [`Db::finish`].
impl Db {
    pub(super) fn begin(address: &str) -> Result<Self, StoreError> {
        Ok(Self(Kind::Postgres(Box::new(Postgres::begin_store(address)?))))
    }

    fn postgres(&self) -> Result<&Postgres, StoreError> {
        match &self.0 {
            Kind::Postgres(postgres) => Ok(postgres),
            Kind::Lite(_) => Err(StoreError::NoTarget),
        }
    }

    /// Where rows are counted from.
    pub(super) fn first_row(&self) -> Result<i64, StoreError> {
        self.postgres()?.first_row()
    }

    /// New rows of a table are counted on from those that are there.
    pub(super) fn count_on(&self, table: &str) -> Result<(), StoreError> {
        self.batch(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
        ))
    }

    pub(super) fn put_numeric(&self, id: i64, row: NumericRow) -> Result<(), StoreError> {
        self.postgres()?.put_numeric(id, row);
        Ok(())
    }

    /// Writes a row that begins with its number.
    pub(super) fn put(&self, table: Appended, row: Vec<Value<'static>>) -> Result<(), StoreError> {
        self.postgres()?.put(table, row)
    }

    pub(super) fn finish(&self, epoch: [u8; 16], commit: i64) -> Result<(), StoreError> {
        self.transaction(Turn::Commit, |db| {
            db.execute("INSERT INTO life VALUES (?1)", values![epoch])?;
            db.execute("INSERT INTO meta VALUES ('commit', ?1)", values![commit])?;
            self.postgres()?.finish_store()
        })
    }
}

#[cfg(test)]
impl Db {
    /// A store in memory.
    pub(crate) fn in_memory() -> Self {
        Self(Kind::Lite(Lite::in_memory()))
    }
}
