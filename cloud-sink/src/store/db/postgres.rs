//! PostgreSQL. One connection, which comes back by itself after it was lost.
//!
//! Rows are numbered day by day, so that a day's rows are one partition whatever time they tell of,
//! and old days are dropped as a whole. A commit holds one lock over all sinks of the store: their
//! commits follow each other as in a file, and what one must know of the other's is there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::{Appended, NumericRow, Row, Turn, Value};
use crate::clock;
use crate::store::StoreError;
use crate::store::schema::{UPGRADES, VERSION, in_postgres, spelled_for_postgres};

mod copy;

mod dial;

mod types;

use copy::Copies;
use dial::Dialler;
pub(super) use dial::located;

const DAY_NS: i64 = 86_400_000_000_000;
/// Rows of a day have so many bits for their number: more than can be written in one.
const DAY_BITS: u32 = 40;

pub(super) struct Postgres {
    runtime: Option<Runtime>,
    dialler: Dialler,
    client: RefCell<Arc<Client>>,
    in_transaction: Cell<bool>,
    statements: RefCell<HashMap<&'static str, Statement>>,
    /// Statements that wait for the next question.
    later: RefCell<Vec<(&'static str, Vec<Value<'static>>)>>,
    copies: RefCell<Copies>,
    /// Number of the next row.
    next_row: Cell<i64>,
    /// The last day that has its partitions.
    day: Cell<i64>,
}

type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

fn parameters<'a>(values: &'a [Value<'_>]) -> Parameters<'a> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// `?1` is `$1` there.
fn spelled(sql: &str) -> String {
    sql.replace('?', "$")
}

impl Postgres {
    pub(super) fn create(address: &str) -> Result<Self, StoreError> {
        let postgres = Self::begin_store(address)?;
        postgres.finish_store()?;
        Ok(postgres)
    }

    /// Makes the tables in an empty database.
    pub(super) fn begin_store(address: &str) -> Result<Self, StoreError> {
        let postgres = Self::connect(address)?;
        let mut is_there = false;
        postgres.each("SELECT to_regclass('meta') IS NOT NULL", &[], |row| {
            is_there = row.at(0)?;
            Ok::<_, StoreError>(())
        })?;
        if is_there {
            return Err(StoreError::NotEmpty);
        }
        postgres.batch(&in_postgres())?;
        Ok(postgres)
    }

    /// From now on it is a store.
    pub(super) fn finish_store(&self) -> Result<(), StoreError> {
        self.execute("INSERT INTO meta VALUES ('version', ?1)", &[VERSION.into()]).map(drop)
    }

    pub(super) fn open(address: &str) -> Result<Self, StoreError> {
        let postgres = Self::connect(address)?;
        match postgres.version() {
            Ok(Some(VERSION)) => Ok(postgres),
            Ok(Some(found)) if (1..VERSION).contains(&found) => {
                postgres.upgrade()?;
                Ok(postgres)
            }
            Ok(Some(found)) => Err(StoreError::Version { found, known: VERSION }),
            Err(StoreError::Postgres(error)) if error.as_db_error().is_none() => Err(error.into()),
            _ => Err(StoreError::NoStore),
        }
    }

    fn version(&self) -> Result<Option<i64>, StoreError> {
        let mut found = None;
        self.each("SELECT value FROM meta WHERE key = 'version'", &[], |row| {
            found = row.at(0)?;
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }

    /// Brings an older store to our version, as a whole. Another sink may have done so meanwhile.
    fn upgrade(&self) -> Result<(), StoreError> {
        self.begin(Turn::Incidents)?;
        let found = self.version()?.unwrap_or(VERSION);
        if found > VERSION {
            self.roll_back()?;
            return Err(StoreError::Version { found, known: VERSION });
        }
        for sql in UPGRADES.iter().skip(usize::try_from(found - 1).unwrap_or(UPGRADES.len())) {
            self.batch(&spelled_for_postgres(sql))?;
        }
        self.execute("UPDATE meta SET value = ?1 WHERE key = 'version'", &[VERSION.into()])?;
        self.commit()
    }

    pub(super) fn connect(address: &str) -> Result<Self, StoreError> {
        let dialler = Dialler::parse(address)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(dialler.call())?;
        Ok(Self {
            runtime: Some(runtime),
            dialler,
            client: RefCell::new(Arc::new(client)),
            in_transaction: Cell::new(false),
            statements: RefCell::default(),
            later: RefCell::default(),
            copies: RefCell::default(),
            next_row: Cell::new(0),
            day: Cell::new(0),
        })
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Shape("no runtime"))?;
        Ok(runtime.block_on(work))
    }

    fn client(&self) -> Arc<Client> {
        self.client.borrow().clone()
    }

    /// Calls again; only where no transaction is open.
    fn come_back(&self) -> Result<(), StoreError> {
        let client = self.wait(self.dialler.call())??;
        self.client.replace(Arc::new(client));
        self.statements.borrow_mut().clear();
        Ok(())
    }

    /// Asks, and once more over a new connection if the old one turns out to be gone; what belongs
    /// to a transaction goes with it.
    fn ask<T>(&self, ask: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.in_transaction.get() {
            return ask();
        }
        match ask() {
            Err(StoreError::Postgres(error)) if types::has_hung_up(&error) => {
                self.come_back()?;
                ask()
            }
            answer => answer,
        }
    }

    fn statement(&self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let client = self.client();
        let statement = self.wait(async { client.prepare(&spelled(sql)).await })??;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Says what waits, all at once, and then `last`, in one go.
    fn say<T>(
        &self,
        last: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let later = self.later.take();
        let mut statements = Vec::with_capacity(later.len());
        for (sql, values) in &later {
            statements.push((self.statement(sql)?, parameters(values)));
        }
        let client = self.client();
        let first = statements.iter().map(|(statement, values)| client.execute(statement, values));
        let (_, last) = self.wait(futures_util::future::try_join(try_join_all(first), last))??;
        Ok(last)
    }

    pub(super) fn execute(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let values = parameters(values);
        self.ask(|| {
            let (client, statement) = (self.client(), self.statement(sql)?);
            self.say(client.execute(&statement, &values))
        })
    }

    pub(super) fn later(&self, sql: &'static str, values: &[Value<'_>]) -> Result<(), StoreError> {
        let values = values.iter().cloned().map(Value::into_owned).collect();
        self.later.borrow_mut().push((sql, values));
        Ok(())
    }

    pub(super) fn each<E: From<StoreError>>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        mut each: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let stream = self.ask(|| {
            let (client, statement) = (self.client(), self.statement(sql)?);
            self.say(client.query_raw(&statement, parameters(values)))
        })?;
        let mut stream = std::pin::pin!(stream);
        while let Some(row) = self.wait(stream.try_next())?.map_err(StoreError::from)? {
            each(types::owned(&row)?)?;
        }
        Ok(())
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let client = self.client();
        self.say(client.batch_execute(sql))
    }

    pub(super) fn begin(&self, turn: Turn) -> Result<(), StoreError> {
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({})", turn as u8);
        self.ask(|| self.batch(&begin))?;
        self.in_transaction.set(true);
        if turn == Turn::Commit {
            self.begin_rows()?;
        }
        Ok(())
    }

    pub(super) fn begin_reading(&self) -> Result<(), StoreError> {
        self.ask(|| self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))?;
        self.in_transaction.set(true);
        Ok(())
    }

    /// Takes up the numbering of rows, in the partitions of this day or of a later one that another
    /// sink's clock has begun.
    fn begin_rows(&self) -> Result<(), StoreError> {
        let mut next: i64 = 0;
        self.each("SELECT value FROM meta WHERE key = 'row'", &[], |row| {
            next = row.at(0)?;
            Ok::<_, StoreError>(())
        })?;
        let today = clock::now().0.div_euclid(DAY_NS);
        let day = today.max(next >> DAY_BITS);
        self.next_row.set(next.max(day << DAY_BITS));
        if self.day.replace(day) != day {
            self.batch(&copy::partitions(day, DAY_BITS))?;
        }
        Ok(())
    }

    /// Drops the partitions of all days that ended before a moment.
    pub(super) fn drop_days(&self, before_ns: i64) -> Result<u64, StoreError> {
        let sql = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                   WHERE inhparent IN ('numeric'::regclass, 'block'::regclass, 'wave'::regclass)";
        // Of the day that is being written, and whatever a clock says, nothing goes.
        let last = before_ns.div_euclid(DAY_NS).min(self.next_row.get() >> DAY_BITS);
        let mut old = Vec::new();
        self.each(sql, &[], |row| {
            let name: String = row.at(0)?;
            let day = name.rsplit('_').next().and_then(|day| day.parse::<i64>().ok());
            if day.is_some_and(|day| day < last) {
                old.push(name);
            }
            Ok::<_, StoreError>(())
        })?;
        // Somebody may read them for long; commits do not wait for that.
        self.batch("SET LOCAL lock_timeout = '2s'")?;
        for name in &old {
            // Its name is one that we have made: letters, '_' and digits.
            self.batch(&format!("DROP TABLE IF EXISTS {name}"))?;
        }
        Ok(old.len() as u64 / 3)
    }

    pub(super) fn numerics(&self, rows: &[NumericRow]) -> Result<i64, StoreError> {
        let first = self.next_row.get();
        self.next_row.set(first + rows.len() as i64);
        self.copies.borrow_mut().numerics(first, rows);
        Ok(first)
    }

    pub(super) fn append(&self, table: Appended, values: &[Value<'_>]) {
        let row = self.next_row.get();
        self.next_row.set(row + 1);
        self.copies.borrow_mut().append(table, row, values);
    }

    pub(super) fn first_row(&self) -> Result<i64, StoreError> {
        self.begin(Turn::Commit)?;
        self.commit()?;
        Ok(self.next_row.get())
    }

    pub(super) fn put_numeric(&self, id: i64, row: NumericRow) {
        self.next_row.set(self.next_row.get().max(id + 1));
        self.copies.borrow_mut().numerics(id, &[row]);
    }

    pub(super) fn put(&self, table: Appended, row: Vec<Value<'static>>) -> Result<(), StoreError> {
        let Some(Value::Int(id)) = row.first() else { return Err(StoreError::Shape("no number")) };
        self.next_row.set(self.next_row.get().max(id + 1));
        self.copies.borrow_mut().put(table, row);
        Ok(())
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        let copies = self.copies.take();
        if !copies.is_empty() {
            let numerics = copies.numerics_len();
            let client = self.client();
            self.say(copies.write(&client))?;
            self.later(
                "UPDATE meta SET value = CASE key WHEN 'row' THEN ?1 ELSE value + ?2 END
                 WHERE key IN ('row', 'numerics')",
                &[self.next_row.get().into(), Value::Int(numerics as i64)],
            )?;
        }
        self.batch("COMMIT")?;
        self.in_transaction.set(false);
        Ok(())
    }

    pub(super) fn roll_back(&self) -> Result<(), StoreError> {
        self.in_transaction.set(false);
        self.later.take();
        self.copies.take();
        // A partition of this transaction is gone with it.
        self.day.set(0);
        self.batch("ROLLBACK")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A question may be asked, and its connection dropped, inside another runtime.
            runtime.shutdown_background();
        }
    }
}
