//! The enrolment endpoint: HTTPS by itself, TLS 1.3, asked by gateways that may have no certificate
//! yet, or one that has expired.
//!
//! Shape:  `POST /v1/enrol` with a token and a request; `POST /v1/renew` with a request that a key
//! of the gateway has signed. Both answer with a grant, or with words that say what to do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use wire::limits::REQUEST_BYTES_MAX;

use super::enrol::{Granted, Site, Voucher, grant, signed_request};
use super::token;
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::config::EnrolConfig;
use crate::keys::unhex;
use crate::store::StoreError;
use crate::store::db::{Db, Location, Turn};
use crate::view::tls::Page;

/// A request and hexadecimal digits of it are no longer.
const BODY_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;
/// Requests that are looked at, at once; more of them are turned away.
const AT_ONCE: usize = 4;

struct Shared {
    site: Site,
    store: Location,
    clerks: tokio::sync::Semaphore,
    /// Refusals of this minute.
    refused: Mutex<(i64, u32)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByToken {
    token: String,
    request: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByKey {
    gateway: String,
    signed: String,
}

#[derive(Debug, Serialize)]
struct Refusal {
    error: String,
}

type Answer = Result<String, (StatusCode, Json<Refusal>)>;

/// What somebody asks, and by which right.
enum Asked {
    Token(ByToken),
    Key(ByKey),
}

/// Serves for as long as the sink runs.
///
/// # Errors
/// The port is taken, or `enrol.pem` is missing.
pub async fn serve(config: EnrolConfig, site: Site, store: Location) -> anyhow::Result<()> {
    let files = (site.keys.path("enrol.pem"), site.keys.path("enrol.key"));
    let page = Page::open(files)
        .context("[enrol] `wardline-sink keys certify` makes the endpoint's certificate")?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("[enrol] listen = {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, url = config.url, "gateways may enrol");
    let clerks = tokio::sync::Semaphore::new(AT_ONCE);
    let router = Router::new()
        .route("/v1/enrol", post(enrol))
        .route("/v1/renew", post(renew))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(Shared { site, store, clerks, refused: Mutex::default() }));
    Ok(page.serve(listener, router).await?)
}

async fn enrol(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Json(asked): Json<ByToken>,
) -> Answer {
    answer(shared, from, Asked::Token(asked)).await
}

async fn renew(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Json(asked): Json<ByKey>,
) -> Answer {
    answer(shared, from, Asked::Key(asked)).await
}

fn refused(status: StatusCode, error: String) -> (StatusCode, Json<Refusal>) {
    (status, Json(Refusal { error }))
}

async fn answer(shared: Arc<Shared>, from: SocketAddr, asked: Asked) -> Answer {
    let busy = || refused(StatusCode::TOO_MANY_REQUESTS, "busy; try again in a minute".into());
    let Ok(_clerk) = shared.clerks.try_acquire() else { return Err(busy()) };
    let looking = {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || look(&shared, from, &asked))
    };
    match looking.await {
        Ok(Ok(granted)) => Ok(granted.grant),
        Ok(Err(error)) if error.is::<StoreError>() => {
            tracing::error!(%error, "a gateway could not be enrolled");
            Err(refused(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer".into()))
        }
        Ok(Err(error)) => {
            tracing::warn!(%from, error = format!("{error:#}"), "a request is refused");
            Err(refused(StatusCode::FORBIDDEN, format!("{error:#}")))
        }
        Err(_) => Err(busy()),
    }
}

fn look(shared: &Shared, from: SocketAddr, asked: &Asked) -> anyhow::Result<Granted> {
    let db = Db::open(&shared.store)?;
    let now = clock::now();
    // Strangers never wait for, or hold up, a commit: what they show is looked at first.
    if let Asked::Token(ByToken { token, .. }) = asked
        && !token::is_known(&db, token)?
    {
        return refuse(shared, &db, from, "there is no such token; `wardline-sink enroll --token`");
    }
    if let Asked::Key(ByKey { gateway, signed }) = asked {
        let signed = unhex(signed).context("what was signed is not hexadecimal")?;
        if let Err(error) = signed_request(&db, gateway, &signed) {
            return refuse(shared, &db, from, &format!("{error:#}"));
        }
    }
    let looked = in_transaction(&db, |db| match asked {
        Asked::Token(ByToken { token, request }) => {
            grant(&shared.site, db, request, Voucher::Token(token), now)
        }
        Asked::Key(ByKey { gateway, signed }) => {
            let signed = unhex(signed).context("what was signed is not hexadecimal")?;
            let request = signed_request(db, gateway, &signed)?;
            grant(&shared.site, db, &request, Voucher::Key, now)
        }
    });
    let address = from.ip().to_string();
    let write = |what, object: &str, words: &str| {
        audit::write(&db, &Act { who: &address, role: "gateway", what, object, words }, now)
    };
    match &looked {
        Ok(Granted { gateway, words, .. }) => {
            write(Deed::Enrol, gateway.as_str(), &format!("key {words}"))?;
        }
        Err(error) => return refuse(shared, &db, from, &format!("{error:#}")),
    }
    looked
}

/// Refusals that are written down in a minute; more of them are only counted in the log.
const WRITTEN_A_MINUTE: u32 = 20;
const MINUTE_NS: i64 = 60 * 1_000_000_000;

fn refuse<T>(shared: &Shared, db: &Db, from: SocketAddr, words: &str) -> anyhow::Result<T> {
    let now = clock::now();
    let may_write = {
        let mut minute = shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.0 != now.0 / MINUTE_NS {
            *minute = (now.0 / MINUTE_NS, 0);
        }
        minute.1 += 1;
        minute.1 <= WRITTEN_A_MINUTE
    };
    if may_write {
        let (who, what) = (from.ip().to_string(), Deed::EnrolRefused);
        audit::write(db, &Act { who: &who, role: "gateway", what, object: "", words }, now)?;
    }
    bail!("{words}")
}

/// Does something in one transaction of commits; nothing of it stays if it fails.
///
/// # Errors
/// What it says, or the store does not answer.
pub fn in_transaction<T>(
    db: &Db,
    change: impl FnOnce(&Db) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut why = None;
    let done = db.transaction(Turn::Commit, |db| {
        change(db).map_err(|error| {
            why = Some(error);
            StoreError::Shape("a change was refused")
        })
    });
    match why {
        Some(error) => Err(error),
        None => Ok(done?),
    }
}
