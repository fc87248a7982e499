//! What is answered when a request cannot be: what is wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::StoreError;

/// A refusal in words.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    schema: u32,
    #[serde(skip)]
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

    pub(super) fn bad_ticket() -> Self {
        let remedy = "make another: `wardline-sink link`";
        let error = "the link was used before, or is older than ten minutes";
        Self::new(StatusCode::UNAUTHORIZED, error, remedy)
    }

    pub(super) fn too_many() -> Self {
        let error = "too many attempts to sign in went wrong";
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, "wait for a minute")
    }

    pub(super) fn forbidden() -> Self {
        let remedy = "ask somebody with the role engineer or admin";
        Self::new(StatusCode::FORBIDDEN, "your role does not allow this", remedy)
    }

    pub(super) fn foreign() -> Self {
        let error = "the request comes from another page";
        Self::new(StatusCode::FORBIDDEN, error, "use the page of this sink")
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, "see /v1/line and /v1/incidents")
    }

    pub(super) fn method() -> Self {
        let error = "this address does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, error, "read with GET")
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
