//! Events: what has changed on the line, once a second, to everybody who watches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, once};
use utoipa::ToSchema;
use wire::time::UnixNanos;

use super::Shared;
use super::access::{Person, recognise};
use super::fleet::{self, GatewayRow};
use super::handle::is_seen;
use crate::clock;
use crate::incident::{self, Incident};
use crate::store::StoreError;
use crate::store::db::Db;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Changes that a slow watcher may be behind; then it gets everything anew.
const BEHIND_MAX: usize = 16;
/// Pages that are open at once, at most: each costs a connection and a copy of each change.
const WATCHERS_MAX: usize = 512;
/// Pages of one session: windows and a wall.
const PAGES_MAX: usize = 8;
/// Between two looks whether the session of a watcher still lasts, and how many of them may be
/// without an answer.
const SESSION_LOOK: Duration = Duration::from_secs(5);
const UNANSWERED_MAX: u32 = 6;
/// Keeps proxies from closing a connection; a page does not see it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What stands on the first page.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
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

/// Two looks at the line.
#[derive(Debug)]
struct Change {
    before: Line,
    now: Line,
    /// What is different, as everybody sees it who is bound to no ward.
    difference: Line,
}

impl Change {
    /// What is different, as somebody sees it: of another ward not even that something is.
    fn seen_by(&self, person: &Person) -> Line {
        if person.ward.is_none() {
            return self.difference.clone();
        }
        self.now.clone().seen_by(person).since(&self.before.clone().seen_by(person))
    }
}

/// The line as it was seen last, and who is told of changes.
pub(super) struct Events {
    last: Mutex<Line>,
    changes: broadcast::Sender<Arc<Change>>,
    watchers: Arc<Semaphore>,
    /// Open pages of each session.
    pages: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Default for Events {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(BEHIND_MAX);
        let watchers = Arc::new(Semaphore::new(WATCHERS_MAX));
        Self { last: Mutex::default(), changes, watchers, pages: Mutex::default() }
    }
}

fn look(db: &Db, now: UnixNanos) -> Result<Line, StoreError> {
    let (gateways, incidents) = (fleet::read(db, now)?, Some(incident::list(db, false)?));
    Ok(Line { schema: 1, sequence: 0, now_ns: now.0, whole: true, gateways, incidents })
}

impl Line {
    /// What of it somebody sees.
    pub(super) fn seen_by(mut self, person: &Person) -> Self {
        if person.ward.is_some() {
            self.gateways.retain(|row| person.sees(row.ward.as_deref()));
            if let Some(incidents) = &mut self.incidents {
                incidents.retain(|incident| is_seen(incident, person));
            }
        }
        self
    }

    /// What is different from an earlier look.
    fn since(&self, before: &Self) -> Self {
        let known: HashMap<&str, &GatewayRow> =
            before.gateways.iter().map(|row| (row.name.as_str(), row)).collect();
        // Gateways are never forgotten: with fewer of them, it is another store, or one was moved
        // out of the ward that is seen.
        let whole = self.gateways.len() < known.len();
        let is_new = |row: &&GatewayRow| whole || known.get(row.name.as_str()) != Some(row);
        let gateways: Vec<_> = self.gateways.iter().filter(is_new).cloned().collect();
        let incidents = self.incidents.clone().filter(|_| self.incidents != before.incidents);
        Self { gateways, incidents, whole, ..*self }
    }
}

/// A watcher's place: one of all, and one of the session's, whose count lives as long.
struct Place(#[expect(dead_code, reason = "held, and never read")] [OwnedSemaphorePermit; 2]);

impl Events {
    /// A place for one more page of a session, if there is one.
    fn place(&self, session: &str) -> Option<Place> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|_, own| own.strong_count() > 0);
        let known = pages.get(session).and_then(Weak::upgrade);
        let own = known.unwrap_or_else(|| Arc::new(Semaphore::new(PAGES_MAX)));
        pages.insert(session.to_owned(), Arc::downgrade(&own));
        let of_session = own.try_acquire_owned().ok()?;
        let of_all = self.watchers.clone().try_acquire_owned().ok()?;
        Some(Place([of_session, of_all]))
    }

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
        let difference = fresh.since(&last);
        let before = std::mem::replace(&mut *last, fresh.clone());
        let change = Change { before, now: fresh, difference };
        let _: Result<usize, _> = self.changes.send(Arc::new(change));
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

/// The whole line, then each change, as long as the session lasts; none if too many watch.
pub(super) fn stream(
    shared: &Arc<Shared>,
    person: Person,
    session: String,
) -> Option<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let place = shared.events.place(&session)?;
    // First listen, then look: a change between the two comes twice, and none is missed.
    let changes = BroadcastStream::new(shared.events.changes.subscribe());
    let first = event(&shared.events.now().seen_by(&person));
    let ended = Box::pin(session_ends(shared.clone(), session, place));
    let shared = shared.clone();
    let later = changes.map(move |change| match change {
        Ok(change) => event(&change.seen_by(&person)),
        Err(BroadcastStreamRecvError::Lagged(_)) => event(&shared.events.now().seen_by(&person)),
    });
    let lines = once(first).chain(later).take_until(ended).map(Ok);
    Some(Sse::new(lines).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Returns when a session has ended; holds the watcher's place until then, or until it hangs up.
async fn session_ends(shared: Arc<Shared>, session: String, _place: Place) {
    let mut unanswered = 0;
    while unanswered < UNANSWERED_MAX {
        tokio::time::sleep(SESSION_LOOK).await;
        let session = session.clone();
        let ask = move |db: &Db| recognise(db, &session, clock::now());
        match shared.desk.ask(ask).await {
            Ok(None) => return,
            Ok(Some(_)) => unanswered = 0,
            Err(_) => unanswered += 1,
        }
    }
}
