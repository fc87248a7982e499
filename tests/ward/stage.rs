//! The demo's page: the sink's own, with a button beside it that cuts the gateway's link.
//!
//! A small proxy stands before the sink. The button is the demo's; the product has none.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rig::http::{forward, text};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The page with its button.
pub struct Stage {
    link: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    sink: SocketAddr,
    cut: AtomicBool,
}

const BAR: &str = include_str!("stage/bar.js");
/// What is put into the sink's page.
const SCRIPT: &str = "<script type=\"module\" src=\"/ward/bar.js\"></script></body>";

impl Stage {
    /// Stands before the page of a link that lets somebody in.
    pub async fn open(link: &str) -> Result<Self> {
        let (sink, rest) = link
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .context("the sink's link has another form")?;
        let shared = Arc::new(Shared { sink: sink.parse()?, cut: AtomicBool::new(false) });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let link = format!("http://{}/{rest}", listener.local_addr()?);
        let router = Router::new()
            .route("/ward/bar.js", get(|| async { ([(CONTENT_TYPE, "text/javascript")], BAR) }))
            .route("/ward/link", get(said))
            .route("/ward/link/{state}", post(set))
            .fallback(pass)
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            // It ends with the demo; until then accepting cannot fail for good.
            let _: std::io::Result<()> = axum::serve(listener, router).await;
        });
        Ok(Self { link, shared, task })
    }

    /// For one sign-in.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Whether somebody has cut the gateway's link.
    pub fn is_cut(&self) -> bool {
        self.shared.cut.load(Ordering::Relaxed)
    }

    /// Opens it in a browser, if this machine has a desktop.
    pub fn show(&self) {
        let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        if has_desktop || cfg!(target_os = "macos") {
            let mut command = Command::new(opener);
            command.arg(&self.link).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            // Without such a program the printed link is enough.
            let _: std::io::Result<std::process::Child> = command.spawn();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(shared: &Shared) -> String {
    format!("{{\"cut\":{}}}", shared.cut.load(Ordering::Relaxed))
}

async fn said(State(shared): State<Arc<Shared>>) -> String {
    answer(&shared)
}

async fn set(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(state): axum::extract::Path<String>,
) -> Result<String, StatusCode> {
    let cut = match state.as_str() {
        "cut" => true,
        "restored" => false,
        _ => return Err(StatusCode::NOT_FOUND),
    };
    shared.cut.store(cut, Ordering::Relaxed);
    Ok(answer(&shared))
}

/// Everything else is the sink's.
async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_page = request.uri().path() == "/";
    match forward(shared.sink, request).await {
        Ok(response) if is_page => with_bar(response).await,
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn with_bar(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(page) = text(Response::new(body)).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let page = page.replace("</body>", SCRIPT);
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(page.len()));
    Response::from_parts(head, Body::from(page))
}
