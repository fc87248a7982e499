//! Orders to erase, where no restore of the store reaches: in the folder of keys, one line each.
//! What is read back is carried out before anything else.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use wire::signed::{Purpose, sign};
use wire::time::UnixNanos;

use super::{Erased, Order, apply, destroy_secrets};
use crate::audit::{self, Act, Deed};
use crate::keys::{KeyFolder, hex};
use crate::store::db::{Db, values};
use crate::trust::keyring;
use crate::verify::keyring::Keys;

/// The list in the folder of keys.
const LIST: &str = "erasures.jsonl";

/// All orders that were ever given here, oldest first.
///
/// # Errors
/// The list cannot be read; the message names the line.
pub fn list(keys: &KeyFolder) -> anyhow::Result<Vec<Order>> {
    let path = keys.path(LIST);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.with_context(|| path.display().to_string())?,
    };
    let orders = text.lines().zip(1..).map(|(line, at)| {
        let place = || format!("{}: line {at} is no order: put it right by hand", path.display());
        serde_json::from_str(line).with_context(place)
    });
    orders.collect()
}

/// Writes orders down, each once; durable when this returns.
///
/// # Errors
/// The list cannot be read or written.
pub fn write_down(keys: &KeyFolder, orders: &[Order]) -> anyhow::Result<()> {
    keyring::locked(keys, || {
        let known = list(keys)?;
        let mut all = known.clone();
        for order in orders {
            if !all.contains(order) {
                all.push(order.clone());
            }
        }
        if all == known {
            return Ok(());
        }
        let lines = all.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let (path, fresh) = (keys.path(LIST), keys.path("erasures.jsonl.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&fresh).with_context(|| fresh.display().to_string())?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        fs::File::open(&keys.0)?.sync_all().context("the list of erasures is not durable")
    })
}

/// Takes over the orders that stand in a store, another sink's or our own.
///
/// # Errors
/// The store does not answer, or the list cannot be written.
pub fn take_over(keys: &KeyFolder, db: &Db) -> anyhow::Result<()> {
    let sql = "SELECT device, patient, from_ns, to_ns, reason, who, at_ns FROM erasure ORDER BY id";
    let mut orders = Vec::new();
    for row in db.rows(sql, &[])? {
        orders.push(Order {
            device: row.at(0)?,
            patient: row.at::<Option<Vec<u8>>>(1)?.map(|token| hex(&token)),
            from_ns: row.at(2)?,
            to_ns: row.at(3)?,
            reason: row.at(4)?,
            who: row.at(5)?,
            at_ns: row.at(6)?,
        });
    }
    write_down(keys, &orders)
}

/// Carries one order out; what has gone by it now stands in the store, too.
///
/// # Errors
/// The store does not answer: the order stands, and is carried out again.
pub fn carry_out(db: &Db, opener: &mut Keys, order: &Order) -> anyhow::Result<Erased> {
    let digest = order.digest()?;
    let patient = order.patient.as_deref().and_then(wire::hex::unhex);
    let insert = "INSERT INTO erasure (digest, at_ns, device, patient, from_ns, to_ns, reason, who,
                    rows_gone, blocks_gone)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0) ON CONFLICT (digest) DO NOTHING";
    let (device, reason, who) = (order.device.as_deref(), &order.reason, &order.who);
    let Order { at_ns, from_ns, to_ns, .. } = *order;
    db.execute(insert, values![digest, at_ns, device, patient, from_ns, to_ns, reason, who])?;
    let erased = apply(db, opener, order, false)?;
    if erased.rows + erased.blocks > 0 {
        db.tidy_up()?;
    }
    Ok(erased)
}

/// Carries all orders out again: on what has come since, on what a hold kept, and on a store that
/// was put back. What went is written down.
///
/// # Errors
/// The store does not answer, or the list cannot be read.
pub fn carry_out_all(db: &Db, keys: &KeyFolder, now: UnixNanos) -> anyhow::Result<Erased> {
    take_over(keys, db)?;
    let (orders, mut all) = (list(keys)?, Erased::default());
    if orders.is_empty() {
        return Ok(all);
    }
    let mut opener = Keys::new(keys.recipients()?, keys.store_key()?);
    for order in &orders {
        let erased = carry_out(db, &mut opener, order)?;
        all.add(erased);
        if erased.rows + erased.blocks > 0 {
            let Erased { rows, blocks, .. } = erased;
            let words = &format!("again: {rows} rows, {blocks} sealed blocks: {}", order.reason);
            let object = &order.object(&keys.store_key()?);
            let act = Act { who: &order.who, role: "", what: Deed::Erasure, object, words };
            audit::write(db, &act, now)?;
        }
    }
    destroy_secrets(db, &mut opener, now.0)?;
    Ok(all)
}

/// What is signed.
#[derive(Serialize)]
struct Proof<'a> {
    schema: u32,
    store_epoch: String,
    /// Whose readings, in words.
    of: String,
    reason: &'a str,
    who: &'a str,
    ordered_ns: i64,
    /// All that has gone under this order by now.
    rows: i64,
    blocks: i64,
    /// Rows that stay: under a legal hold, or with sealed records that do not open here.
    held: u64,
    closed: u64,
    /// Records of all gateways that are held unopened: nobody knows what is in them.
    unopened: i64,
    /// Systems that were fed, and may have a copy.
    fed: BTreeSet<String>,
}

/// A signed statement of what was erased.
///
/// # Errors
/// The store does not answer, or has no such order.
pub fn prove(db: &Db, keys: &KeyFolder, order: &Order, erased: Erased) -> anyhow::Result<Value> {
    let mut fed = BTreeSet::new();
    for row in db.rows("SELECT name FROM feed", &[])? {
        fed.insert(row.at(0)?);
    }
    let gone = "SELECT rows_gone, blocks_gone FROM erasure WHERE digest = ?1";
    let gone = db.row(gone, values![order.digest()?])?.context("nobody has ordered this here")?;
    let proof = json!(Proof {
        schema: 1,
        store_epoch: hex(&db.store_epoch()?),
        of: order.object(&keys.store_key()?),
        reason: &order.reason,
        who: &order.who,
        ordered_ns: order.at_ns,
        rows: gone.at(0)?,
        blocks: gone.at(1)?,
        held: erased.held,
        closed: erased.closed,
        unopened: db.one("SELECT count(*) FROM evidence WHERE disposition = 2", &[])?,
        fed,
    })
    .to_string();
    let key = keys.signing("receipt.key")?;
    let signed = hex(&sign(&key, Purpose::Erasure, proof.clone().into_bytes()));
    let signing_key = hex(key.verifying_key().as_bytes());
    Ok(json!({ "schema": 1, "proof": proof, "signed": signed, "signing_key": signing_key }))
}
