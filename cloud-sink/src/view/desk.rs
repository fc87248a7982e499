//! The desk: connections to the store that answer requests, some at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::store::StoreError;
use crate::store::db::{Db, Location};

/// Questions that are answered at once; more of them wait.
const CLERKS: usize = 4;

/// Answers questions to the store.
pub(super) struct Desk {
    store: Location,
    idle: Mutex<Vec<Db>>,
    clerks: Arc<Semaphore>,
}

impl Desk {
    /// Opens the store, to have said early that it cannot be.
    pub(super) async fn open(store: &Location) -> Result<Self, StoreError> {
        let idle = Mutex::default();
        let desk = Self { store: store.clone(), idle, clerks: Arc::new(Semaphore::new(CLERKS)) };
        desk.ask(|_| Ok(())).await?;
        Ok(desk)
    }

    /// Asks the store, on a thread that may wait.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // It goes with the question: who hangs up does not free a clerk who still works. The
        // semaphore is never closed.
        let clerk = self.clerks.clone().acquire_owned().await;
        let idle = self.idle().pop();
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let db = idle.map_or_else(|| Db::open(&store), Ok)?;
            let answer = question(&db)?;
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

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Db>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
