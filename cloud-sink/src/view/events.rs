//! Events: what has changed on the line, once a second, to everybody who watches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt, once};
use wire::time::UnixNanos;

use super::Shared;
use super::fleet::{self, GatewayRow};
use crate::clock;
use crate::incident::{self, Incident};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Changes that a slow watcher may be behind; then it gets everything anew.
const BEHIND_MAX: usize = 16;
/// Keeps proxies from closing a connection; a page does not see it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What stands on the first page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Line {
    schema: u32,
    /// Grows with each look.
    sequence: u64,
    /// When it was looked at, UTC nanoseconds.
    now_ns: i64,
    /// Whether this is the whole, or what has changed only.
    whole: bool,
    gateways: Vec<GatewayRow>,
    /// All that are open; absent if none has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<Vec<Incident>>,
}

/// The line as it was seen last, and who is told of changes.
pub(super) struct Events {
    last: Mutex<Line>,
    changes: broadcast::Sender<Arc<Line>>,
}

impl Default for Events {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(BEHIND_MAX);
        Self { last: Mutex::default(), changes }
    }
}

fn look(db: &Connection, now: UnixNanos) -> Result<Line, rusqlite::Error> {
    let (gateways, incidents) = (fleet::read(db, now)?, Some(incident::list(db, false)?));
    Ok(Line { schema: 1, sequence: 0, now_ns: now.0, whole: true, gateways, incidents })
}

impl Line {
    /// What is different from an earlier look.
    fn since(&self, before: &Self) -> Self {
        let known: HashMap<&str, &GatewayRow> =
            before.gateways.iter().map(|row| (row.name.as_str(), row)).collect();
        // Gateways are never forgotten: with fewer of them, it is another store.
        let whole = self.gateways.len() < known.len();
        let is_new = |row: &&GatewayRow| whole || known.get(row.name.as_str()) != Some(row);
        let gateways: Vec<_> = self.gateways.iter().filter(is_new).cloned().collect();
        let incidents = self.incidents.clone().filter(|_| self.incidents != before.incidents);
        Self { gateways, incidents, whole, ..*self }
    }
}

impl Events {
    /// The line as it is now.
    pub(super) fn now(&self) -> Line {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a fresh look, and tells what has changed. That nothing has is told, too: a page knows
    /// by it that somebody looks.
    fn take(&self, mut fresh: Line) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.sequence = last.sequence + 1;
        // Nobody may be watching.
        let _: Result<usize, _> = self.changes.send(Arc::new(fresh.since(&last)));
        *last = fresh;
    }
}

/// Looks once a second, for as long as the sink runs.
pub(super) async fn keep_watching(shared: Arc<Shared>) {
    loop {
        match shared.desk.ask(|db| look(db, clock::now())).await {
            Ok(line) => shared.events.take(line),
            Err(error) => tracing::warn!(%error, "the page shows what it knew"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn event(line: &Line) -> Event {
    let event = Event::default().event("line").id(line.sequence.to_string());
    event.json_data(line).unwrap_or_else(|_| Event::default().comment("not JSON"))
}

/// The whole line, then each change.
pub(super) fn stream(
    shared: &Arc<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    // First listen, then look: a change between the two comes twice, and none is missed.
    let changes = BroadcastStream::new(shared.events.changes.subscribe());
    let first = event(&shared.events.now());
    let shared = shared.clone();
    let later = changes.map(move |change| match change {
        Ok(line) => event(&line),
        Err(BroadcastStreamRecvError::Lagged(_)) => event(&shared.events.now()),
    });
    Sse::new(once(first).chain(later).map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
