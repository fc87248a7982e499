//! The desk: connections to the store that answer requests, some at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::store::StoreError;
use crate::store::schema::ADDITIONS;
use crate::store::sqlite::open_for_reading;

/// Questions that are answered at once; more of them wait.
const CLERKS: usize = 4;

/// Answers questions to the store.
pub(super) struct Desk {
    store: PathBuf,
    idle: Mutex<Vec<Connection>>,
    clerks: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn open(store: &Path) -> Result<Self, StoreError> {
        let first = open_for_reading(store)?;
        first.execute_batch(ADDITIONS)?;
        let idle = Mutex::new(vec![first]);
        Ok(Self { store: store.to_owned(), idle, clerks: Arc::new(Semaphore::new(CLERKS)) })
    }

    /// Asks the store, on a thread that may wait.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        // It goes with the question: who hangs up does not free a clerk who still works. The
        // semaphore is never closed.
        let clerk = self.clerks.clone().acquire_owned().await;
        let idle = self.idle().pop();
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut db = idle.map_or_else(|| open_for_reading(&store), Ok)?;
            let answer = question(&mut db)?;
            drop(clerk);
            Ok::<_, StoreError>((db, answer))
        });
        let (db, answer) = asked.await.unwrap_or_else(|panic| {
            // A panic of the question is one of ours: it is not to be hidden.
            std::panic::resume_unwind(panic.into_panic())
        })?;
        self.idle().push(db);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
