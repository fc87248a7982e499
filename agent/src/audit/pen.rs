//! A pen for those parts of the agent that are not the line: what they write waits for its turn.

use std::sync::{Arc, Mutex, PoisonError};

use super::Deed;

/// What may wait for one turn of the line, a quarter of a second.
const WAITING_MAX: usize = 64;

/// A pen; clones write into the same trail.
#[derive(Clone, Debug, Default)]
pub struct Pen(Arc<Mutex<Vec<Deed>>>);

impl Pen {
    /// Writes down what happened.
    pub fn write(&self, deed: Deed) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(deed);
        } else {
            tracing::warn!(?deed, "too much happens at once for the audit trail");
        }
    }

    /// What was written since.
    pub(crate) fn take(&self) -> Vec<Deed> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
