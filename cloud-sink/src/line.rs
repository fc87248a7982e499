//! The line: two threads between the broker and the store; one verifies, one commits.

use std::collections::VecDeque;

use ed25519_dalek::SigningKey;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::limits::GROUP_RECORDS_MAX;
use crate::receipt;
use crate::receive::driver::{Answer, Incoming, Ticket};
use crate::store::Store;
use crate::store::commit::SqlStore;
use crate::store::query::{Reopened, StoreRegistry};
use crate::verify::Disposed;
use crate::verify::dispose::{Registry, Verifier};

/// A verified record on its way to the store, or a note that bytes were dropped.
#[derive(Debug)]
pub enum ToStore {
    /// A record with its ticket.
    Record(Box<Disposed>, Option<Ticket>),
    /// Bytes that no known gateway has signed.
    Unsigned(Option<Ticket>),
}

/// Verifies what comes in, in order, until the driver ends.
pub fn verify_all<R: Registry>(
    mut verifier: Verifier<R>,
    mut incoming: mpsc::Receiver<Incoming>,
    store: &mpsc::Sender<ToStore>,
) {
    while let Some(record) = incoming.blocking_recv() {
        let (gateway, lane) = (record.gateway, record.lane);
        let next = match verifier.dispose(gateway, lane, record.bytes) {
            Ok(disposed) => ToStore::Record(Box::new(disposed), record.ticket),
            Err(reason) => {
                tracing::warn!(%gateway, %lane, %reason, "dropped: not signed by a known gateway");
                ToStore::Unsigned(record.ticket)
            }
        };
        if store.blocking_send(next).is_err() {
            return;
        }
    }
}

/// Has held records verified once more: those that a person let go, or all of them, since this
/// program, or its keys, may be newer than the last.
pub fn reopen_held(store: &StoreRegistry, again: &mpsc::WeakSender<Incoming>, all: bool) {
    let mut after = 0;
    loop {
        let found = match store.reopen(after, all) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "held records stay as they are until the next start");
                return;
            }
        };
        let Some(last) = found.last() else { return };
        after = last.row;
        for Reopened { gateway, lane, bytes, .. } in found {
            let Some(again) = again.upgrade() else { return };
            let record = Incoming { gateway, lane, bytes, ticket: None };
            if again.blocking_send(record).is_err() {
                return;
            }
        }
    }
}

/// Commits in groups, then signs and acknowledges; never the other way round.
pub struct Committer {
    store: SqlStore,
    key: watch::Receiver<SigningKey>,
    answers: mpsc::Sender<Answer>,
    /// Parked records go round again.
    again: mpsc::WeakSender<Incoming>,
    /// Those that found no room yet.
    waiting: VecDeque<Incoming>,
    has_signed: bool,
}

/// Wait before a commit that failed is tried again.
const RETRY_WAIT: std::time::Duration = std::time::Duration::from_millis(500);

impl Committer {
    /// Commits into `store` and signs with `key`; receipts go to `answers`, and what was parked
    /// goes round `again`.
    #[must_use]
    pub const fn new(
        store: SqlStore,
        key: watch::Receiver<SigningKey>,
        answers: mpsc::Sender<Answer>,
        again: mpsc::WeakSender<Incoming>,
    ) -> Self {
        Self { store, key, answers, again, waiting: VecDeque::new(), has_signed: false }
    }

    /// Commits until verification ends.
    pub fn run(mut self, mut verified: mpsc::Receiver<ToStore>) {
        while let Some(first) = verified.blocking_recv() {
            let mut group = Group::default();
            group.take(first);
            while group.records.len() < GROUP_RECORDS_MAX
                && let Ok(next) = verified.try_recv()
            {
                group.take(next);
            }
            if !self.commit(group) {
                return;
            }
        }
    }

    fn commit(&mut self, group: Group) -> bool {
        let committed = loop {
            match self.store.commit(&group.records) {
                Ok(committed) => break committed,
                Err(error) => {
                    tracing::error!(%error, "nothing is stored and nothing is signed for");
                    std::thread::sleep(RETRY_WAIT);
                }
            }
        };
        if group.unsigned > 0
            && let Err(error) = self.store.count_unsigned(group.unsigned)
        {
            tracing::error!(%error, "dropped bytes could not be counted");
        }
        let key = self.key.borrow().clone();
        let receipts = receipt::sign(&committed, self.store.epoch(), clock::now(), &key);
        if !receipts.is_empty() && !std::mem::replace(&mut self.has_signed, true) {
            tracing::info!(commit = committed.commit, "the first receipts are signed");
        }
        let answers = receipts.into_iter().map(Answer::Receipt);
        for answer in answers.chain(group.tickets.into_iter().map(Answer::Done)) {
            if self.answers.blocking_send(answer).is_err() {
                return false;
            }
        }
        let parked = committed.parked.into_iter();
        self.waiting.extend(parked.map(|(gateway, lane, bytes)| Incoming {
            gateway,
            lane,
            bytes,
            ticket: None,
        }));
        self.send_round()
    }

    /// Sends what was parked round again, as far as there is room; the next commit goes on.
    fn send_round(&mut self) -> bool {
        let Some(again) = self.again.upgrade() else { return false };
        while let Some(parked) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(parked)) = again.try_send(parked) {
                self.waiting.push_front(parked);
                break;
            }
        }
        true
    }
}

#[derive(Default)]
struct Group {
    records: Vec<Disposed>,
    tickets: Vec<Ticket>,
    unsigned: u64,
}

impl Group {
    fn take(&mut self, next: ToStore) {
        match next {
            ToStore::Record(record, ticket) => {
                self.records.push(*record);
                self.tickets.extend(ticket);
            }
            ToStore::Unsigned(ticket) => {
                self.unsigned += 1;
                self.tickets.extend(ticket);
            }
        }
    }
}
