//! The audit trail over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::ask::{Auditor, Words};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed, Entry};
use crate::clock;
use crate::store::db::Db;

/// Entries in one answer.
const ENTRIES_MAX: i64 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TrailQuery {
    /// Only entries with a smaller number: the next page.
    before: Option<i64>,
}

/// Who did what, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct TrailAnswer {
    schema: u32,
    entries: Vec<Entry>,
}

/// Who did what. Only somebody who is bound to no ward sees it
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(TrailQuery),
    responses((status = 200, body = TrailAnswer), Refused))]
pub(super) async fn list(
    Auditor(person): Auditor,
    State(shared): State<Arc<Shared>>,
    Words(query): Words<TrailQuery>,
) -> Result<Json<TrailAnswer>, Problem> {
    if person.ward.is_some() {
        return Err(Problem::forbidden());
    }
    let ask = move |db: &Db| {
        let before = query.before.unwrap_or(i64::MAX);
        let entries = audit::list(db, before, ENTRIES_MAX)?;
        let (who, role) = (person.name.as_str(), person.role.name());
        let object = entries.first().map(|entry| entry.id.to_string()).unwrap_or_default();
        let act = Act { who, role, what: Deed::Audit, object: &object, words: "read on the page" };
        audit::write(db, &act, clock::now())?;
        Ok(entries)
    };
    Ok(Json(TrailAnswer { schema: 1, entries: shared.desk.ask(ask).await? }))
}
