//! Rows of which there are many, written by binary COPY at the end of their transaction.

use std::pin::pin;

use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::parameters;
use crate::store::db::{Appended, NumericRow, Value};

/// Rows that wait for the end of the transaction.
#[derive(Default)]
pub(super) struct Copies {
    numerics: Vec<(i64, NumericRow)>,
    appended: [Vec<Vec<Value<'static>>>; Appended::ALL.len()],
}

const NUMERIC: [Type; 7] =
    [Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT2, Type::INT4, Type::INT2];

const BLOCK: [Type; 10] = [const { Type::INT8 }; 10];
const WAVE: [Type; 12] = [
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::BYTEA,
    Type::BYTEA,
    Type::INT8,
    Type::INT8,
    Type::INT8,
];

const fn types(table: Appended) -> &'static [Type] {
    match table {
        Appended::Block => &BLOCK,
        Appended::Wave => &WAVE,
    }
}

/// Makes the partitions of a day, if they are not there.
pub(super) fn partitions(day: i64, bits: u32) -> String {
    let (from, to) = (day << bits, (day + 1) << bits);
    let tables = Appended::ALL.map(Appended::name).into_iter().chain(["numeric"]);
    let table = |name| {
        // Numerics lie in the order of their numbers; of the others single rows are taken.
        let kind = if name == "numeric" { "brin" } else { "btree" };
        let index = format!(
            "CREATE INDEX IF NOT EXISTS {name}_{day}_id ON {name}_{day} USING {kind} (id);"
        );
        format!(
            "CREATE TABLE IF NOT EXISTS {name}_{day} PARTITION OF {name}
               FOR VALUES FROM ({from}) TO ({to});{index}"
        )
    };
    tables.map(table).collect()
}

impl Copies {
    pub(super) fn is_empty(&self) -> bool {
        self.numerics.is_empty() && self.appended.iter().all(Vec::is_empty)
    }

    pub(super) fn numerics_len(&self) -> usize {
        self.numerics.len()
    }

    pub(super) fn numerics(&mut self, first: i64, rows: &[NumericRow]) {
        self.numerics.extend((first..).zip(rows.iter().copied()));
    }

    pub(super) fn append(&mut self, table: Appended, row: i64, values: &[Value<'_>]) {
        let values = values.iter().cloned().map(Value::into_owned);
        let row = std::iter::once(Value::Int(row)).chain(values).collect();
        self.put(table, row);
    }

    /// A row that begins with its number.
    pub(super) fn put(&mut self, table: Appended, row: Vec<Value<'static>>) {
        self.appended[table as usize].push(row);
    }

    /// Writes everything.
    pub(super) async fn write(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        if !self.numerics.is_empty() {
            self.write_numerics(client).await?;
        }
        for table in Appended::ALL {
            let rows = &self.appended[table as usize];
            if rows.is_empty() {
                continue;
            }
            let (name, columns) = (table.name(), table.columns());
            let sql = format!("COPY {name} (id, {columns}) FROM STDIN BINARY");
            let sink = client.copy_in::<_, bytes::Bytes>(&sql).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, types(table)));
            for row in rows {
                writer.as_mut().write(&parameters(row)).await?;
            }
            writer.finish().await?;
        }
        Ok(())
    }

    async fn write_numerics(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let sql = "COPY numeric (id, series, at_ns, mantissa, exponent, status, absent)
                   FROM STDIN BINARY";
        let sink = client.copy_in::<_, bytes::Bytes>(sql).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &NUMERIC));
        for (id, row) in &self.numerics {
            let (exponent, status) = (i16::from(row.exponent), i32::from(row.status));
            let absent = row.absent.map(i16::from);
            let values: [&(dyn ToSql + Sync); 7] =
                [id, &row.series, &row.at_ns, &row.mantissa, &exponent, &status, &absent];
            writer.as_mut().write(&values).await?;
        }
        writer.finish().await?;
        Ok(())
    }
}
