//! Sessions over HTTP: how somebody comes in, makes an account, and leaves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::access::{
    Door, Invitation, Person, Refusal, SESSION_LIFE, accept, leave, open_invitation, redeem,
    sign_in,
};
use super::ask::{Body, COOKIE_NAME, session_of};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, Turn};

pub(super) fn set_cookie(url: &str, value: &str, seconds: u64) -> [(HeaderName, String); 1] {
    let secure = if url.starts_with("https://") { "; Secure" } else { "" };
    let rules = format!("HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    let cookie = format!("{COOKIE_NAME}={value}; {rules}");
    [(SET_COOKIE, cookie)]
}

/// How somebody shows who they are.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Claim {
    /// By a link from the terminal.
    Ticket(Ticket),
    /// By an account.
    Account(AccountClaim),
}

/// What stands in a link behind the `#`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    #[schema(max_length = 200)]
    ticket: String,
}

/// Name, password and the six digits of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountClaim {
    #[schema(max_length = 200)]
    name: String,
    #[schema(max_length = 256)]
    password: String,
    #[schema(max_length = 20)]
    code: String,
}

/// The secret of the session of somebody who came in, or why not.
type Entrance = Result<String, Problem>;

fn enter_by_ticket(db: &Db, door: &Door, ticket: &str) -> Result<Entrance, StoreError> {
    let now = clock::now();
    let entered = db.transaction(Turn::Incidents, |db| {
        let Some((person, session)) = redeem(db, ticket, now)? else { return Ok(None) };
        let (who, role) = (person.name.as_str(), person.role.name());
        let act = Act { who, role, what: Deed::SignIn, object: who, words: "by a link" };
        audit::add(db, &act, now)?;
        Ok(Some(session))
    })?;
    if entered.is_none() {
        refused(db, door, "?", "by a link")?;
    }
    Ok(entered.ok_or_else(Problem::bad_ticket))
}

fn enter_by_account(
    shared: &Shared,
    db: &Db,
    claim: &AccountClaim,
) -> Result<Entrance, StoreError> {
    let AccountClaim { name, password, code } = claim;
    let refusal = match sign_in(db, &shared.trust.vault, name, (password, code), clock::now())? {
        Ok((_, session)) => return Ok(Ok(session)),
        Err(refusal) => refusal,
    };
    // What is no account's name may be a password in the wrong field: it is not kept.
    let name = if refusal == Refusal::Unknown { "?" } else { name };
    refused(db, &shared.door, name, "by name, password and code")?;
    Ok(Err(Problem::bad_claim()))
}

/// Writes down that somebody did not come in, unless a flood of them does not.
pub(super) fn refused(db: &Db, door: &Door, name: &str, words: &str) -> Result<(), StoreError> {
    let now = clock::now();
    if !door.writes(now) {
        tracing::warn!("more wrong claims than are written down");
        return Ok(());
    }
    let act = Act { who: name, role: "", what: Deed::SignInRefused, object: name, words };
    audit::write(db, &act, now)
}

/// Comes in
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = Claim,
    responses((status = 204, description = "The cookie is set"), Refused))]
pub(super) async fn begin_session(
    State(shared): State<Arc<Shared>>,
    Body(claim): Body<Claim>,
) -> Result<impl IntoResponse, Problem> {
    let asked = shared.clone();
    let entrance = match claim {
        Claim::Ticket(Ticket { ticket }) => {
            shared.desk.ask(move |db| enter_by_ticket(db, &asked.door, &ticket)).await?
        }
        Claim::Account(claim) => {
            let _turn = shared.door.turn().await.ok_or_else(Problem::too_many)?;
            shared.desk.ask(move |db| enter_by_account(&asked, db, &claim)).await?
        }
    };
    let life = SESSION_LIFE.as_secs();
    Ok((StatusCode::NO_CONTENT, set_cookie(&shared.url, &entrance?, life)))
}

/// Leaves
#[utoipa::path(delete, path = "/v1/session", tag = "session",
    responses((status = 204, description = "The session has ended"), Refused))]
pub(super) async fn end_session(
    person: Person,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    if let Some(session) = session_of(&headers) {
        let ask = move |db: &Db| {
            let (who, role) = (person.name.as_str(), person.role.name());
            let act = Act { who, role, what: Deed::SignOut, object: who, words: "" };
            audit::with(db, &act, clock::now(), |db| leave(db, &session))
        };
        shared.desk.ask(ask).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&shared.url, "", 0)))
}

/// Who is signed in, and what they may do.
#[derive(Serialize, ToSchema)]
pub(super) struct PersonAnswer {
    schema: u32,
    #[serde(flatten)]
    person: Person,
    may_handle: bool,
    may_see_values: bool,
    may_take_evidence: bool,
    may_audit: bool,
}

/// Who is signed in
#[utoipa::path(get, path = "/v1/person", tag = "session",
    responses((status = 200, body = PersonAnswer), Refused))]
pub(super) async fn person(person: Person) -> Json<PersonAnswer> {
    let role = person.role;
    Json(PersonAnswer {
        schema: 1,
        person,
        may_handle: role.may_handle(),
        may_see_values: role.may_see_values(),
        may_take_evidence: role.may_take_evidence(),
        may_audit: role.may_audit(),
    })
}

/// An invitation from the terminal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invited {
    #[schema(max_length = 200)]
    invitation: String,
}

/// What an invited person needs.
#[derive(Serialize, ToSchema)]
pub(super) struct InvitationAnswer {
    schema: u32,
    #[serde(flatten)]
    invitation: Invitation,
}

/// Opens an invitation
#[utoipa::path(post, path = "/v1/invitation", tag = "session", request_body = Invited,
    responses((status = 200, body = InvitationAnswer), Refused))]
pub(super) async fn read_invitation(
    State(shared): State<Arc<Shared>>,
    Body(Invited { invitation }): Body<Invited>,
) -> Result<Json<InvitationAnswer>, Problem> {
    let asked = shared.clone();
    let ask = move |db: &Db| open_invitation(db, &asked.trust.vault, &invitation, clock::now());
    let invitation = shared.desk.ask(ask).await?.ok_or_else(Problem::bad_invitation)?;
    Ok(Json(InvitationAnswer { schema: 1, invitation }))
}

/// What makes an account out of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acceptance {
    #[schema(max_length = 200)]
    invitation: String,
    /// 12 to 256 letters.
    #[schema(max_length = 256)]
    password: String,
    /// Six digits of the authenticator.
    #[schema(max_length = 20)]
    code: String,
}

/// Makes an account, or its password anew
#[utoipa::path(post, path = "/v1/account", tag = "session", request_body = Acceptance,
    responses((status = 204, description = "The account is there"), Refused))]
pub(super) async fn accept_invitation(
    State(shared): State<Arc<Shared>>,
    Body(acceptance): Body<Acceptance>,
) -> Result<StatusCode, Problem> {
    let _turn = shared.door.turn().await.ok_or_else(Problem::too_many)?;
    let asked = shared.clone();
    let ask = move |db: &Db| {
        let Acceptance { invitation, password, code } = &acceptance;
        accept(db, &asked.trust.vault, invitation, (password, code), clock::now())
    };
    let Err(refusal) = shared.desk.ask(ask).await? else { return Ok(StatusCode::NO_CONTENT) };
    Err(match refusal {
        Refusal::Password => Problem::bad_password(),
        Refusal::Code => Problem::bad_code(),
        _ => Problem::bad_invitation(),
    })
}
