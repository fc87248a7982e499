//! Sign-on: people come in by the hospital's own identity provider.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::{IntoParams, ToSchema};

use super::access::{Person, SESSION_LIFE, begin, begin_sign_on, end_sign_on};
use super::ask::{Words, cookie_of};
use super::problem::{Problem, Refused};
use super::session::{refused, set_cookie};
use super::{Shared, ViewError};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::config::SignOn;
use crate::store::StoreError;
use crate::store::db::Db;

mod provider;

use provider::{Provider, ProviderError, Secrets};

/// The cookie that binds an answer to the browser that has asked.
const COOKIE_NAME: &str = "wardline-sign-on";
const WORDS: &str = "by the hospital's sign-on";
/// Seconds within which somebody signs on.
const PATIENCE_S: u64 = 600;

/// Questions to the provider at once; all others are told to come later.
const ASKED_AT_ONCE: usize = 4;

/// The provider, if there is one.
pub(super) struct Gate {
    provider: Option<Provider>,
    room: Semaphore,
}

impl Gate {
    pub(super) fn new(config: Option<SignOn>, url: &str) -> Result<Self, ViewError> {
        let provider = config.map(|config| Provider::new(config, url)).transpose();
        let provider = provider.map_err(|error| ViewError::SignOn(error.to_string()))?;
        Ok(Self { provider, room: Semaphore::new(ASKED_AT_ONCE) })
    }

    fn enter(&self) -> Result<(&Provider, SemaphorePermit<'_>), Problem> {
        let none = || Problem::not_found("there is no sign-on: [sign_on] is not configured");
        let provider = self.provider.as_ref().ok_or_else(none)?;
        Ok((provider, self.room.try_acquire().map_err(|_| Problem::too_many())?))
    }
}

/// How people may come in.
#[derive(Serialize, ToSchema)]
pub(super) struct Ways {
    schema: u32,
    /// Whether the hospital's own sign-on is one.
    sign_on: bool,
}

/// How people may come in
#[utoipa::path(get, path = "/v1/ways", tag = "session",
    responses((status = 200, body = Ways), Refused))]
pub(super) async fn ways(State(shared): State<Arc<Shared>>) -> Json<Ways> {
    Json(Ways { schema: 1, sign_on: shared.sign_on.provider.is_some() })
}

/// It is the browser's way back from another site that has to bring it.
fn binding(url: &str, value: &str, seconds: u64) -> (HeaderName, String) {
    let secure = if url.starts_with("https://") { "; Secure" } else { "" };
    let rules = format!("HttpOnly; SameSite=Lax; Path=/v1/sign-on; Max-Age={seconds}{secure}");
    (SET_COOKIE, format!("{COOKIE_NAME}={value}; {rules}"))
}

fn away(error: &ProviderError) -> Problem {
    tracing::warn!(%error, "nobody signs on");
    Problem::no_provider()
}

/// Sends a person to the hospital's sign-on
#[utoipa::path(get, path = "/v1/sign-on", tag = "session",
    responses((status = 303, description = "To the provider"), Refused))]
pub(super) async fn ask(State(shared): State<Arc<Shared>>) -> Result<impl IntoResponse, Problem> {
    let (provider, _place) = shared.sign_on.enter()?;
    let (state, nonce, verifier) = shared.desk.ask(|db| begin_sign_on(db, clock::now())).await?;
    let secrets = Secrets { nonce, verifier };
    let url = provider.question(&state, &secrets).await.map_err(|error| away(&error))?;
    let to = [(LOCATION, url.to_string()), binding(&shared.url, &state, PATIENCE_S)];
    Ok((StatusCode::SEE_OTHER, to))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Answer {
    /// What the provider gave.
    code: Option<String>,
    /// What we gave.
    state: Option<String>,
}

/// Takes the provider's answer; the browser goes on to the page, or back with a word why not
#[utoipa::path(get, path = "/v1/sign-on/back", tag = "session", params(Answer),
    responses((status = 303, description = "To the page, or back to the sign-in"), Refused))]
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Words(answer): Words<Answer>,
) -> Result<impl IntoResponse, Problem> {
    let (provider, _place) = shared.sign_on.enter()?;
    let came = come_in(&shared, provider, &headers, answer).await?;
    let mut to = vec![binding(&shared.url, "", 0)];
    match came {
        Ok(session) => {
            to.push((LOCATION, "/".to_owned()));
            to.extend(set_cookie(&shared.url, &session, SESSION_LIFE.as_secs()));
        }
        Err(why) => to.push((LOCATION, format!("/login?refused={why}"))),
    }
    // Two cookies: one header each, and none in the place of the other.
    Ok((StatusCode::SEE_OTHER, AppendHeaders(to)))
}

/// The session's secret of who has come in, or why nobody has.
async fn come_in(
    shared: &Arc<Shared>,
    provider: &Provider,
    headers: &HeaderMap,
    Answer { code, state }: Answer,
) -> Result<Result<String, &'static str>, Problem> {
    let Some((code, state)) = code.zip(state) else { return Ok(Err("provider")) };
    if cookie_of(headers, COOKIE_NAME).as_ref() != Some(&state) {
        return Ok(Err("expired"));
    }
    let taken = shared.desk.ask(move |db| end_sign_on(db, &state, clock::now())).await?;
    let Some((nonce, verifier)) = taken else { return Ok(Err("expired")) };
    let secrets = Secrets { nonce, verifier };
    let (person, subject) = match provider.answer(&code, &secrets).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "nobody signs on");
            let (name, why) = match error {
                ProviderError::NoRole(name, _) => (name, "role"),
                _ => ("?".to_owned(), "provider"),
            };
            let asked = shared.clone();
            let refused = move |db: &Db| refused(db, &asked.door, &name, WORDS);
            shared.desk.ask(refused).await?;
            return Ok(Err(why));
        }
    };
    Ok(Ok(shared.desk.ask(move |db| enter(db, &person, &subject)).await?))
}

/// A name may be another's tomorrow; what the provider calls them for ever is written down, too.
fn enter(db: &Db, person: &Person, subject: &str) -> Result<String, StoreError> {
    let (who, role) = (person.name.as_str(), person.role.name());
    let words = &format!("{WORDS}, as {subject}");
    let act = Act { who, role, what: Deed::SignIn, object: who, words };
    audit::with(db, &act, clock::now(), |db| begin(db, person, clock::now()))
}
