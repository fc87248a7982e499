//! The routes: files of the page, and the JSON behind it.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ask::COOKIE_NAME;
use super::problem::Problem;
use super::{
    Shared, completeness, handle, proof, readings, service, session, sign_on, stock, trail, wall,
    watch,
};

/// Everything comes from here, and nothing is put into another's page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A note on an incident is the longest that anybody says to us: 2000 letters, each written as two
/// escapes of six bytes at most.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// The interface as a document, which other programs read.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Wardline sink",
        description = "What the page asks. Informational: not an alarm system, not for clinical \
            decisions."
    ),
    components(schemas(Problem)),
    modifiers(&Session)
)]
struct Document;

/// Everything but coming in needs the session's cookie.
struct Session;

impl utoipa::Modify for Session {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE_NAME)));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", cookie);
    }
}

fn interface() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(session::begin_session, session::end_session))
        .routes(routes!(session::read_invitation))
        .routes(routes!(session::accept_invitation))
        .routes(routes!(session::person))
        .routes(routes!(sign_on::ways))
        .routes(routes!(sign_on::ask))
        .routes(routes!(sign_on::answer))
        .routes(routes!(watch::line))
        .routes(routes!(watch::follow))
        .routes(routes!(watch::map))
        .routes(routes!(completeness::of_devices))
        .routes(routes!(service::month))
        .routes(routes!(handle::list))
        .routes(routes!(handle::orders))
        .routes(routes!(handle::one))
        .routes(routes!(handle::take))
        .routes(routes!(handle::close))
        .routes(routes!(wall::values_of))
        .routes(routes!(readings::of_device))
        .routes(routes!(proof::receipts))
        .routes(routes!(proof::records))
        .routes(routes!(stock::list))
        .routes(routes!(stock::describe))
        .routes(routes!(trail::list))
}

/// The page's files: without data, for everybody.
fn files() -> Router<Arc<Shared>> {
    const HTML: &str = "text/html";
    const SCRIPT: &str = "text/javascript";
    [
        ("/", HTML, include_str!("page/index.html")),
        ("/login", HTML, include_str!("page/login.html")),
        ("/join", HTML, include_str!("page/join.html")),
        ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
        ("/page.css", "text/css", include_str!("page/page.css")),
        ("/page.js", SCRIPT, include_str!("page/page.js")),
        ("/common.js", SCRIPT, include_str!("page/common.js")),
        ("/map.js", SCRIPT, include_str!("page/map.js")),
        ("/gateway.js", SCRIPT, include_str!("page/gateway.js")),
        ("/wall.js", SCRIPT, include_str!("page/wall.js")),
        ("/trail.js", SCRIPT, include_str!("page/trail.js")),
        ("/login.js", SCRIPT, include_str!("page/login.js")),
        ("/join.js", SCRIPT, include_str!("page/join.js")),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || file(kind, text)))
    })
}

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let (interface, document) = interface().split_for_parts();
    interface
        .route("/v1/openapi.json", get(|| async { Json(document) }))
        .merge(files())
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
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
