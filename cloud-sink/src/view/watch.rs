//! The line as it is and as it changes, and the coverage map, over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Person;
use super::ask::{Words, session_of};
use super::coverage::Map;
use super::events::Line;
use super::problem::{Problem, Refused};
use super::{Shared, coverage, events};
use crate::clock;
use crate::store::db::Db;

/// A week on one map.
const HOURS_MAX: i64 = 168;
const HOURS: i64 = 2;

/// The line now
#[utoipa::path(get, path = "/v1/line", tag = "line",
    responses((status = 200, body = Line), Refused))]
pub(super) async fn line(person: Person, State(shared): State<Arc<Shared>>) -> Json<Line> {
    Json(shared.events.now().seen_by(&person))
}

/// The line, and each change of it; server-sent events named `line`
#[utoipa::path(get, path = "/v1/events", tag = "line",
    responses((status = 200, content_type = "text/event-stream", body = String), Refused))]
pub(super) async fn follow(
    person: Person,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let session = session_of(&headers).ok_or_else(Problem::stranger)?;
    events::stream(&shared, person, session).ok_or_else(Problem::too_many_watch)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MapQuery {
    /// One gateway; all without.
    gateway: Option<String>,
    /// So many hours back.
    #[param(minimum = 1, maximum = 168, default = 2)]
    hours: Option<i64>,
}

/// Devices by time: what came live, late, not at all
#[utoipa::path(get, path = "/v1/coverage", tag = "line", params(MapQuery),
    responses((status = 200, body = Map), Refused))]
pub(super) async fn map(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Words(query): Words<MapQuery>,
) -> Result<Json<Map>, Problem> {
    let hours = query.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::wrong(format!("hours is 1 to {HOURS_MAX}, and not {hours}")));
    }
    let gateway = query.gateway;
    let ask = move |db: &Db| coverage::read(db, &person, gateway.as_deref(), hours, clock::now());
    Ok(Json(shared.desk.ask(ask).await?))
}
