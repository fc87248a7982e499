//! Sessions over HTTP: who asks, and how somebody comes in and leaves.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Shared;
use super::access::{Person, SESSION_LIFE, leave, recognise, redeem};
use super::problem::Problem;
use crate::clock;

const NAME: &str = "wardline";

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim().to_owned())
}

fn set_cookie(url: &str, value: &str, seconds: u64) -> [(axum::http::HeaderName, String); 1] {
    let secure = if url.starts_with("https://") { "; Secure" } else { "" };
    let rules = format!("HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    let cookie = format!("{NAME}={value}; {rules}");
    [(SET_COOKIE, cookie)]
}

impl FromRequestParts<Arc<Shared>> for Person {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let session = cookie(&parts.headers).ok_or_else(Problem::stranger)?;
        let ask = move |db: &mut rusqlite::Connection| recognise(db, &session, clock::now());
        shared.desk.ask(ask).await?.ok_or_else(Problem::stranger)
    }
}

/// A person who may handle incidents.
pub(super) struct Handler(pub(super) Person);

impl FromRequestParts<Arc<Shared>> for Handler {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let person = Person::from_request_parts(parts, shared).await?;
        if person.role.may_handle() { Ok(Self(person)) } else { Err(Problem::forbidden()) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    ticket: String,
}

pub(super) async fn begin_session(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Ticket>, JsonRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Json(Ticket { ticket }) = body.map_err(|error| Problem::wrong(error.body_text()))?;
    if !shared.attempts.may_try(clock::now()) {
        return Err(Problem::too_many());
    }
    let ask = move |db: &mut rusqlite::Connection| redeem(db, &ticket, clock::now());
    let Some(session) = shared.desk.ask(ask).await? else {
        shared.attempts.failed();
        return Err(Problem::bad_ticket());
    };
    Ok((StatusCode::NO_CONTENT, set_cookie(&shared.url, &session, SESSION_LIFE.as_secs())))
}

pub(super) async fn end_session(
    _: Person,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    if let Some(session) = cookie(&headers) {
        shared.desk.ask(move |db| leave(db, &session)).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&shared.url, "", 0)))
}
