//! Incidents over HTTP: what needs a person, and what the person says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::access::Person;
use super::ask::{Body, Handler, Named, Words};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::incident::{self, Entry, Incident};
use crate::notify;
use crate::store::StoreError;
use crate::store::db::{Db, Turn};

/// Letters of a note, at most.
const NOTE_MAX: usize = 2000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Closed ones, too.
    #[serde(default)]
    all: bool,
}

/// Incidents, worst first.
#[derive(Serialize, ToSchema)]
pub(super) struct IncidentsAnswer {
    schema: u32,
    incidents: Vec<Incident>,
    /// Of one incident that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
}

/// Whether somebody sees an incident. What is of no one gateway tells of all wards, and is not for
/// people of one.
pub(super) fn is_seen(incident: &Incident, person: &Person) -> bool {
    person.sees(incident.ward.as_deref())
}

fn visible(db: &Db, person: &Person, closed_too: bool) -> Result<Vec<Incident>, StoreError> {
    let mut incidents = incident::list(db, closed_too)?;
    incidents.retain(|incident| is_seen(incident, person));
    Ok(incidents)
}

/// What needs a person
#[utoipa::path(get, path = "/v1/incidents", tag = "incidents", params(ListQuery),
    responses((status = 200, body = IncidentsAnswer), Refused))]
pub(super) async fn list(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Words(query): Words<ListQuery>,
) -> Result<Json<IncidentsAnswer>, Problem> {
    let incidents = shared.desk.ask(move |db| visible(db, &person, query.all)).await?;
    Ok(Json(IncidentsAnswer { schema: 1, incidents, timeline: None }))
}

/// The same as work orders, comma-separated
#[utoipa::path(get, path = "/v1/incidents.csv", tag = "incidents", params(ListQuery),
    responses((status = 200, content_type = "text/csv", body = String), Refused))]
pub(super) async fn orders(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Words(query): Words<ListQuery>,
) -> Result<impl IntoResponse, Problem> {
    let url = shared.url.clone();
    let ask = move |db: &Db| notify::work_orders(db, &visible(db, &person, query.all)?, &url);
    let text = shared.desk.ask(ask).await?;
    let name = "attachment; filename=\"wardline-incidents.csv\"";
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, name)], text))
}

fn no_incident(id: i64) -> Problem {
    Problem::not_found(format!("there is no incident {id}, or it is closed"))
}

/// One incident, with its timeline
#[utoipa::path(get, path = "/v1/incidents/{id}", tag = "incidents",
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, body = IncidentsAnswer), Refused))]
pub(super) async fn one(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Named(id): Named<i64>,
) -> Result<Json<IncidentsAnswer>, Problem> {
    let ask = move |db: &Db| {
        let incident = incident::one(db, id)?.filter(|incident| is_seen(incident, &person));
        Ok((incident, incident::timeline(db, id)?))
    };
    let (incident, timeline) = shared.desk.ask(ask).await?;
    let incidents = vec![incident.ok_or_else(|| no_incident(id))?];
    Ok(Json(IncidentsAnswer { schema: 1, incidents, timeline: Some(timeline) }))
}

/// What a person says to an incident.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// Takes an incident
#[utoipa::path(post, path = "/v1/incidents/{id}/take", tag = "incidents", request_body = Saying,
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 204, description = "It is theirs"), Refused))]
pub(super) async fn take(
    handler: Handler,
    State(shared): State<Arc<Shared>>,
    Named(id): Named<i64>,
    Body(saying): Body<Saying>,
) -> Result<StatusCode, Problem> {
    handle(handler, &shared, id, saying, ("taken", incident::acknowledge)).await
}

/// Closes an incident
#[utoipa::path(post, path = "/v1/incidents/{id}/close", tag = "incidents", request_body = Saying,
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 204, description = "It is closed"), Refused))]
pub(super) async fn close(
    handler: Handler,
    State(shared): State<Arc<Shared>>,
    Named(id): Named<i64>,
    Body(saying): Body<Saying>,
) -> Result<StatusCode, Problem> {
    handle(handler, &shared, id, saying, ("closed", incident::close)).await
}

type Change = fn(&Db, i64, wire::time::UnixNanos, (&str, &str)) -> Result<bool, StoreError>;

async fn handle(
    Handler(person): Handler,
    shared: &Shared,
    id: i64,
    Saying { note }: Saying,
    (done, change): (&'static str, Change),
) -> Result<StatusCode, Problem> {
    if note.chars().count() > NOTE_MAX {
        return Err(Problem::wrong(format!("the note has more than {NOTE_MAX} letters")));
    }
    let words = move |db: &Db| {
        if !incident::one(db, id)?.is_some_and(|incident| is_seen(&incident, &person)) {
            return Ok(false);
        }
        let now = clock::now();
        db.transaction(Turn::Incidents, |db| {
            let changed = change(db, id, now, (&person.name, &note))?;
            if changed {
                let (who, role) = (person.name.as_str(), person.role.name());
                let object = &id.to_string();
                let act = Act { who, role, what: Deed::Incident, object, words: done };
                audit::add(db, &act, now)?;
            }
            Ok(changed)
        })
    };
    if shared.desk.ask(words).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_incident(id)) }
}
