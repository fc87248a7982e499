//! Work orders as a table: what a maintenance system takes in, one incident a row.

use super::{Event, idempotency_key};
use crate::clock;
use crate::incident::Incident;
use crate::inventory::{self, Asset};
use crate::store::StoreError;
use crate::store::db::Db;

const HEAD: [&str; 18] = [
    "idempotency_key",
    "incident",
    "kind",
    "problem",
    "action",
    "gateway",
    "ward",
    "subject",
    "count",
    "first_seen",
    "last_seen",
    "closed",
    "owner",
    "udi",
    "serial",
    "model",
    "maker",
    "place",
];

const NEVER_FULL: &str = "memory takes every row";

/// Incidents as comma-separated values, RFC 4180, with a head. Times are UTC; no patient data. The
/// last column is where the page tells more, if people reach it by `url`.
///
/// # Errors
/// The store does not answer.
pub fn work_orders(db: &Db, incidents: &[Incident], url: &str) -> Result<String, StoreError> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let life = db.store_epoch()?;
    out.write_record(HEAD.iter().chain(&["link"])).expect(NEVER_FULL);
    for one in incidents {
        let asset = inventory::asset(db, &one.subject)?.unwrap_or_default();
        let Asset { udi, serial, model, maker, place } = asset;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            idempotency_key(&life, one.id, Event::Opened),
            one.id.to_string(),
            one.kind.to_owned(),
            one.words.clone(),
            one.remedy.to_owned(),
            text(&one.gateway),
            text(&one.ward),
            one.subject.clone(),
            one.count.to_string(),
            clock::words(one.opened_ns),
            clock::words(one.last_ns),
            one.closed_ns.map(clock::words).unwrap_or_default(),
            text(&one.owner),
            udi,
            serial,
            model,
            maker,
            place,
            format!("{url}/v1/incidents/{}", one.id),
        ];
        out.write_record(cells.map(defused)).expect(NEVER_FULL);
    }
    let bytes = out.into_inner().expect(NEVER_FULL);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn defused(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
