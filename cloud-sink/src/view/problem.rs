//! What is answered when a request cannot be: what is wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::inventory::InventoryError;
use crate::store::StoreError;

/// A refusal in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    schema: u32,
    #[serde(skip)]
    #[schema(ignore)]
    status: StatusCode,
    error: String,
    remedy: &'static str,
}

impl Problem {
    fn new(status: StatusCode, error: impl Into<String>, remedy: &'static str) -> Self {
        Self { schema: 1, status, error: error.into(), remedy }
    }

    pub(super) fn stranger() -> Self {
        let remedy = "sign in: `wardline-sink link` makes a link that lets one person in once";
        Self::new(StatusCode::UNAUTHORIZED, "nobody is signed in", remedy)
    }

    pub(super) fn bad_claim() -> Self {
        let error = "name, password or code is wrong";
        let remedy = "try again with a fresh code; after five attempts an account is locked for \
                      a quarter of an hour";
        Self::new(StatusCode::UNAUTHORIZED, error, remedy)
    }

    pub(super) fn bad_invitation() -> Self {
        let remedy = "ask for another: `wardline-sink account reset` or `account add`";
        let error = "the invitation was used before, or is older than three days";
        Self::new(StatusCode::UNAUTHORIZED, error, remedy)
    }

    pub(super) fn bad_password() -> Self {
        let error = "the password has less than 12 letters, more than 256, or is the name";
        Self::new(StatusCode::BAD_REQUEST, error, "choose another; a few words are good")
    }

    pub(super) fn bad_code() -> Self {
        let remedy = "enter the six digits that the authenticator shows now; is its clock right?";
        Self::new(StatusCode::BAD_REQUEST, "the code is wrong", remedy)
    }

    pub(super) fn bad_ticket() -> Self {
        let remedy = "make another: `wardline-sink link`";
        let error = "the link was used before, or is older than ten minutes";
        Self::new(StatusCode::UNAUTHORIZED, error, remedy)
    }

    pub(super) fn too_many() -> Self {
        let error = "too many people sign in at once";
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, "try again in a few seconds")
    }

    pub(super) fn forbidden() -> Self {
        let remedy = "ask somebody whose role does; `wardline-sink account set` changes it";
        Self::new(StatusCode::FORBIDDEN, "your role does not allow this", remedy)
    }

    pub(super) fn foreign() -> Self {
        let error = "the request comes from another page";
        Self::new(StatusCode::FORBIDDEN, error, "use the page of this sink")
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, "see /v1/openapi.json for what there is")
    }

    pub(super) fn method() -> Self {
        let error = "this address does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, error, "read with GET")
    }

    pub(super) fn no_provider() -> Self {
        let error = "the hospital's sign-on does not answer as it should";
        let remedy = "try again, or come in by name and password; the sink's log has the cause";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, remedy)
    }

    pub(super) fn too_many_watch() -> Self {
        let error = "too many pages are open";
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, "close some of yours, or ask another sink")
    }

    pub(super) fn too_long() -> Self {
        let error = "the request's body is too long";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, error, "say it in 32 KiB")
    }

    pub(super) fn wrong(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, "correct the request")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request is not answered");
        let error = "the store does not answer";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again; the sink's log has the cause")
    }
}

impl From<InventoryError> for Problem {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Store(error) => error.into(),
            InventoryError::Unknown(_) => Self::not_found(error.to_string()),
            _ => Self::wrong(error.to_string()),
        }
    }
}

/// How each request may be refused.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is never made: the document reads its shape")]
pub(super) enum Refused {
    /// The request is not understood
    #[response(status = 400)]
    Wrong(Problem),
    /// Nobody is signed in
    #[response(status = 401)]
    Stranger(Problem),
    /// Their role does not allow it, or another page asks
    #[response(status = 403)]
    Forbidden(Problem),
    /// It is not there, or they do not see it
    #[response(status = 404)]
    NotFound(Problem),
    /// The body is too long
    #[response(status = 413)]
    Long(Problem),
    /// Too many ask at once
    #[response(status = 429)]
    TooMany(Problem),
    /// The store does not answer
    #[response(status = 503)]
    NoStore(Problem),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
