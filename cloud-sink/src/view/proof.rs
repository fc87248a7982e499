//! Receipts and evidence over HTTP: how far each lane is safely stored, and the sealed records
//! themselves, for whoever wants to check them elsewhere.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wire::identity::Lane;
use wire::receipt::{Disposition, Reason};

use super::Shared;
use super::access::Person;
use super::ask::{Named, Witness, Words};
use super::fleet::gateway_of;
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// Records in one answer: of 64 KiB at most, in hexadecimal.
const RECORDS_MAX: i64 = 50;
/// Segments that are shown of a lane, the newest.
const SEGMENTS_MAX: i64 = 20;

/// How far a gateway's lanes are safely stored.
#[derive(Serialize, ToSchema)]
pub(super) struct ReceiptsAnswer {
    schema: u32,
    /// Public key under which receipts are signed, Ed25519, hexadecimal.
    receipt_key: String,
    /// The store's life; another one if it was put back from a backup.
    store_epoch: String,
    /// Commits in this life; not for people of one ward, of whom it tells nothing.
    commit: Option<i64>,
    /// Newest first.
    segments: Vec<SegmentHead>,
}

/// One segment of a lane.
#[derive(Serialize, ToSchema)]
struct SegmentHead {
    lane: &'static str,
    /// Its number, hexadecimal.
    segment: String,
    /// Records that are here.
    records: i64,
    /// Records from its first on that are here without a hole.
    contiguous: i64,
    /// Hash of the newest of them that is here, hexadecimal.
    head: String,
    /// When it came, UTC nanoseconds.
    received_ns: i64,
}

fn no_gateway(name: &str) -> Problem {
    Problem::not_found(format!("there is no gateway {name}"))
}

/// How far each lane is safely stored
#[utoipa::path(get, path = "/v1/gateways/{gateway}/receipts", tag = "evidence",
    params(("gateway" = String, Path, description = "Its name")),
    responses((status = 200, body = ReceiptsAnswer), Refused))]
pub(super) async fn receipts(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Named(gateway): Named<String>,
) -> Result<Json<ReceiptsAnswer>, Problem> {
    let receipt_key = hex(&shared.trust.receipt_key);
    let ask = move |db: &Db| {
        let Some(id) = gateway_of(db, &person, &gateway)? else {
            return Ok(Err(no_gateway(&gateway)));
        };
        let epoch: [u8; 16] = db.store_epoch()?;
        let commit = "SELECT value FROM meta WHERE key = 'commit' AND CAST(?1 AS TEXT) IS NULL";
        let commit = db.row(commit, values![person.ward.as_deref()])?;
        let commit = commit.map(|row| row.at(0)).transpose()?;
        Ok(Ok(Json(ReceiptsAnswer {
            schema: 1,
            receipt_key,
            store_epoch: hex(&epoch),
            commit,
            segments: segments(db, id)?,
        })))
    };
    shared.desk.ask(ask).await?
}

/// The first hole is behind the record whose successor is missing.
const SEGMENTS: &str = "
SELECT segment.lane, segment.segment, count(DISTINCT evidence.idx),
  (SELECT coalesce(min(here.idx) + 1, 0) FROM evidence AS here WHERE here.segment = segment.id
     AND EXISTS (SELECT 1 FROM evidence AS begin WHERE begin.segment = segment.id AND begin.idx = 0)
     AND NOT EXISTS (SELECT 1 FROM evidence AS next
                     WHERE next.segment = segment.id AND next.idx = here.idx + 1)),
  (SELECT hash FROM evidence AS newest WHERE newest.segment = segment.id
   ORDER BY idx DESC, newest.id DESC LIMIT 1), max(evidence.received_ns)
FROM segment JOIN evidence ON evidence.segment = segment.id
WHERE segment.gateway = ?1 AND segment.id IN (
  SELECT id FROM segment AS newest WHERE newest.gateway = ?1 ORDER BY id DESC LIMIT ?2)
GROUP BY segment.id, segment.lane, segment.segment ORDER BY segment.id DESC";

fn segments(db: &Db, gateway: i64) -> Result<Vec<SegmentHead>, StoreError> {
    let rows = db.rows(SEGMENTS, values![gateway, SEGMENTS_MAX])?;
    let heads = rows.iter().map(|row| {
        Ok(SegmentHead {
            lane: lane(row, 0)?,
            segment: hex(&row.at::<Vec<u8>>(1)?),
            records: row.at(2)?,
            contiguous: row.at(3)?,
            head: hex(&row.at::<Vec<u8>>(4)?),
            received_ns: row.at(5)?,
        })
    });
    heads.collect()
}

fn lane(row: &Row, at: usize) -> Result<&'static str, StoreError> {
    Ok(Lane::from_number(row.at::<i64>(at)?.cast_unsigned()).map_or("?", Lane::name))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordsQuery {
    /// Only records that came at this time or later, UTC nanoseconds.
    from_ns: Option<i64>,
    /// Only records that came before this time, UTC nanoseconds.
    to_ns: Option<i64>,
    /// Only records with a greater number: the next page.
    after: Option<i64>,
}

/// Sealed records, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordsAnswer {
    schema: u32,
    records: Vec<Record>,
    /// Where the next page begins, if there is one.
    after: Option<i64>,
}

/// One record, as it came.
#[derive(Serialize, ToSchema)]
struct Record {
    id: i64,
    lane: &'static str,
    /// Its segment, hexadecimal.
    segment: String,
    /// The segment's header, hexadecimal, if it is here.
    header: Option<String>,
    index: i64,
    /// SHA-256 of its bytes, hexadecimal.
    hash: String,
    /// `stored`, `held` or `refused`.
    disposition: &'static str,
    /// Why, if it is not stored.
    reason: &'static str,
    /// When it came, UTC nanoseconds.
    received_ns: i64,
    /// Its bytes, sealed and signed, hexadecimal.
    bytes: String,
}

/// Sealed records of a gateway by the time of their arrival. Every page is written down
#[utoipa::path(get, path = "/v1/gateways/{gateway}/records", tag = "evidence",
    params(("gateway" = String, Path, description = "Its name"), RecordsQuery),
    responses((status = 200, body = RecordsAnswer), Refused))]
pub(super) async fn records(
    Witness(person): Witness,
    State(shared): State<Arc<Shared>>,
    Named(gateway): Named<String>,
    Words(query): Words<RecordsQuery>,
) -> Result<Json<RecordsAnswer>, Problem> {
    let ask = move |db: &Db| {
        let Some(id) = gateway_of(db, &person, &gateway)? else {
            return Ok(Err(no_gateway(&gateway)));
        };
        let records = page(db, id, &query)?;
        let after = records.last().map(|record| record.id);
        let after = after.filter(|_| records.len() as i64 == RECORDS_MAX);
        let (who, role) = (person.name.as_str(), person.role.name());
        let words = &format!("took {} sealed records away", records.len());
        let act = Act { who, role, what: Deed::Evidence, object: &gateway, words };
        audit::write(db, &act, clock::now())?;
        Ok(Ok(Json(RecordsAnswer { schema: 1, records, after })))
    };
    shared.desk.ask(ask).await?
}

fn page(db: &Db, gateway: i64, query: &RecordsQuery) -> Result<Vec<Record>, StoreError> {
    let sql = "SELECT evidence.id, lane, segment.segment, header, idx, hash, disposition, reason,
                 received_ns, bytes
               FROM evidence JOIN segment ON segment.id = evidence.segment
               WHERE segment.gateway = ?1 AND evidence.id > ?2 AND received_ns >= ?3
                 AND received_ns < ?4 ORDER BY evidence.id LIMIT ?5";
    let (from, to) = (query.from_ns.unwrap_or(i64::MIN), query.to_ns.unwrap_or(i64::MAX));
    let after = query.after.unwrap_or(0);
    let rows = db.rows(sql, values![gateway, after, from, to, RECORDS_MAX])?;
    let records = rows.iter().map(|row| {
        let disposition = Disposition::from_number(row.at(6)?);
        let disposition = disposition.unwrap_or(Disposition::Held);
        let reason = Reason::from_number(row.at(7)?);
        Ok(Record {
            id: row.at(0)?,
            lane: lane(row, 1)?,
            segment: hex(&row.at::<Vec<u8>>(2)?),
            header: row.at::<Option<Vec<u8>>>(3)?.map(|header| hex(&header)),
            index: row.at(4)?,
            hash: hex(&row.at::<Vec<u8>>(5)?),
            disposition: disposition.name(),
            reason: reason.unwrap_or(Reason::None).name(),
            received_ns: row.at(8)?,
            bytes: hex(&row.at::<Vec<u8>>(9)?),
        })
    });
    records.collect()
}
