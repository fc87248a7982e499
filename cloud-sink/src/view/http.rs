//! The routes: files of the page, and the JSON behind it.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::TransactionBehavior;
use serde::{Deserialize, Serialize};

use super::access::Person;
use super::problem::Problem;
use super::session::{Handler, begin_session, end_session};
use super::{Shared, coverage, events};
use crate::clock;
use crate::incident::{self, Entry, Incident};

/// Everything comes from here, and nothing is put into another's page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A note on an incident is the longest that anybody says to us.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// A week on one map.
const HOURS_MAX: i64 = 168;
const HOURS: i64 = 2;

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| file("text/html", include_str!("page/index.html"))))
        .route("/login", get(|| file("text/html", include_str!("page/login.html"))))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("page/icon.svg"))))
        .route("/page.css", get(|| file("text/css", include_str!("page/page.css"))))
        .route("/page.js", get(|| file("text/javascript", include_str!("page/page.js"))))
        .route("/map.js", get(|| file("text/javascript", include_str!("page/map.js"))))
        .route("/login.js", get(|| file("text/javascript", include_str!("page/login.js"))))
        .route("/v1/session", post(begin_session).delete(end_session))
        .route("/v1/person", get(person))
        .route("/v1/line", get(line))
        .route("/v1/events", get(follow))
        .route("/v1/coverage", get(map))
        .route("/v1/incidents", get(list))
        .route("/v1/incidents/{id}", get(one))
        .route("/v1/incidents/{id}/take", post(take))
        .route("/v1/incidents/{id}/close", post(close))
        .fallback(|| async { Problem::not_found("there is no such page") })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// What every answer says to the browser, and what is asked of requests that change something.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let is_ours = is_our_page(request.headers(), &shared.url);
    let foreign = !request.method().is_safe() && !is_ours;
    let mut response =
        if foreign { Problem::foreign().into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a request comes from our own page, or from a program and no page.
fn is_our_page(headers: &HeaderMap, url: &str) -> bool {
    let word = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(origin) = word("origin") else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    // A proxy may have put another host in the place of the one that people see.
    origin == url || host.is_some() && host == word("host")
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text)
}

#[derive(Serialize)]
struct PersonAnswer {
    schema: u32,
    #[serde(flatten)]
    person: Person,
    may_handle: bool,
}

async fn person(person: Person) -> impl IntoResponse {
    let may_handle = person.role.may_handle();
    Json(PersonAnswer { schema: 1, person, may_handle })
}

async fn line(_: Person, State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    Json(shared.events.now())
}

async fn follow(_: Person, State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    events::stream(&shared)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapQuery {
    gateway: Option<String>,
    hours: Option<i64>,
}

async fn map(
    _: Person,
    State(shared): State<Arc<Shared>>,
    query: Result<Query<MapQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(query) = query.map_err(|error| Problem::wrong(error.body_text()))?;
    let hours = query.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::wrong(format!("hours is 1 to {HOURS_MAX}, and not {hours}")));
    }
    let ask = move |db: &mut rusqlite::Connection| {
        coverage::read(db, query.gateway.as_deref(), hours, clock::now())
    };
    Ok(Json(shared.desk.ask(ask).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    all: bool,
}

#[derive(Serialize)]
struct IncidentsAnswer {
    schema: u32,
    incidents: Vec<Incident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
}

async fn list(
    _: Person,
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(query) = query.map_err(|error| Problem::wrong(error.body_text()))?;
    let incidents = shared.desk.ask(move |db| incident::list(db, query.all)).await?;
    Ok(Json(IncidentsAnswer { schema: 1, incidents, timeline: None }))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::wrong(format!("{id}: an incident has a number")))
}

fn no_incident(id: i64) -> Problem {
    Problem::not_found(format!("there is no incident {id}"))
}

async fn one(
    _: Person,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let id = number(&id)?;
    let ask = move |db: &mut rusqlite::Connection| {
        let mut incidents = incident::list(db, true)?;
        incidents.retain(|incident| incident.id == id);
        Ok((incidents, incident::timeline(db, id)?))
    };
    let (incidents, timeline) = shared.desk.ask(ask).await?;
    if incidents.is_empty() {
        return Err(no_incident(id));
    }
    Ok(Json(IncidentsAnswer { schema: 1, incidents, timeline: Some(timeline) }))
}

/// What a person says to an incident.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    #[serde(default)]
    note: String,
}

type SayingBody = Result<Json<Saying>, axum::extract::rejection::JsonRejection>;

async fn take(
    handler: Handler,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: SayingBody,
) -> Result<StatusCode, Problem> {
    handle(handler, &shared, &id, body, incident::acknowledge).await
}

async fn close(
    handler: Handler,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: SayingBody,
) -> Result<StatusCode, Problem> {
    handle(handler, &shared, &id, body, incident::close).await
}

type Change = fn(
    &rusqlite::Connection,
    i64,
    wire::time::UnixNanos,
    (&str, &str),
) -> Result<bool, rusqlite::Error>;

async fn handle(
    Handler(person): Handler,
    shared: &Shared,
    id: &str,
    body: SayingBody,
    change: Change,
) -> Result<StatusCode, Problem> {
    let id = number(id)?;
    let Json(Saying { note }) = body.map_err(|error| Problem::wrong(error.body_text()))?;
    let words = move |db: &mut rusqlite::Connection| {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = change(&tx, id, clock::now(), (&person.name, &note))?;
        tx.commit()?;
        Ok(changed)
    };
    if shared.desk.ask(words).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_incident(id)) }
}
