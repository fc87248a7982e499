//! What each request shows: who asks, and what their role allows.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Shared;
use super::access::{Person, recognise};
use super::problem::Problem;
use crate::clock;
use crate::store::db::Db;

/// Name of the session's cookie.
pub(super) const COOKIE_NAME: &str = "wardline";

/// The session's secret, if the browser has one.
pub(super) fn session_of(headers: &HeaderMap) -> Option<String> {
    cookie_of(headers, COOKIE_NAME)
}

/// A cookie, if the browser has it.
pub(super) fn cookie_of(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
}

impl FromRequestParts<Arc<Shared>> for Person {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let session = session_of(&parts.headers).ok_or_else(Problem::stranger)?;
        let ask = move |db: &Db| recognise(db, &session, clock::now());
        shared.desk.ask(ask).await?.ok_or_else(Problem::stranger)
    }
}

/// A person whose role allows something.
macro_rules! allowed {
    ($(#[$doc:meta])* $name:ident, $may:ident) => {
        $(#[$doc])*
        pub(super) struct $name(pub(super) Person);

        impl FromRequestParts<Arc<Shared>> for $name {
            type Rejection = Problem;

            async fn from_request_parts(
                parts: &mut Parts,
                shared: &Arc<Shared>,
            ) -> Result<Self, Self::Rejection> {
                let person = Person::from_request_parts(parts, shared).await?;
                if person.role.$may() { Ok(Self(person)) } else { Err(Problem::forbidden()) }
            }
        }
    };
}

allowed!(
    /// Somebody who may handle incidents and keep the inventory.
    Handler,
    may_handle
);
allowed!(
    /// Somebody who may see values.
    Onlooker,
    may_see_values
);
allowed!(
    /// Somebody who may take evidence away.
    Witness,
    may_take_evidence
);
allowed!(
    /// Somebody who may see who did what.
    Auditor,
    may_audit
);

/// No text of ours has the letter zero, and PostgreSQL takes none.
fn no_zero() -> Problem {
    Problem::wrong("a text has the letter U+0000, which is none")
}

fn check_address(parts: &Parts) -> Result<(), Problem> {
    let has_zero = parts.uri.path_and_query().is_some_and(|text| text.as_str().contains("%00"));
    if has_zero { Err(no_zero()) } else { Ok(()) }
}

/// The words after `?`, refused in ours.
pub(super) struct Words<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Words<T> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        check_address(parts)?;
        let query: Result<Query<T>, QueryRejection> =
            Query::from_request_parts(parts, shared).await;
        query.map(|Query(words)| Self(words)).map_err(|error| Problem::wrong(error.body_text()))
    }
}

/// A part of the address, refused in ours.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        check_address(parts)?;
        let path: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, shared).await;
        path.map(|Path(name)| Self(name)).map_err(|error| Problem::wrong(error.body_text()))
    }
}

/// A body is short; whoever sends it slowly holds a connection.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A body of JSON, refused in ours.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let read = tokio::time::timeout(BODY_WITHIN, Json::from_request(request, shared)).await;
        let body: Result<Json<Value>, JsonRejection> =
            read.map_err(|_| Problem::wrong("the body did not come in time"))?;
        let Json(body) = body.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::too_long()
            } else {
                Problem::wrong(error.body_text())
            }
        })?;
        // A struct would be read out of a list, too.
        if !body.is_object() {
            return Err(Problem::wrong("the body is no JSON object"));
        }
        if has_zero(&body) {
            return Err(no_zero());
        }
        serde_json::from_value(body).map(Self).map_err(|error| Problem::wrong(error.to_string()))
    }
}

fn has_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_zero),
        Value::Object(fields) => fields.values().any(has_zero),
        _ => false,
    }
}
