//! The first receipt of a connection. Before it the way to the sink is not known: on a thin one
//! nothing is to be put behind an alert that is out, where the way back of its receipt would wait.

use wire::identity::Lane;

use super::flight::Flight;

#[derive(Debug)]
pub(super) struct FirstReceipt {
    is_due: bool,
}

impl FirstReceipt {
    /// Of a new connection.
    pub(super) const fn begin() -> Self {
        Self { is_due: true }
    }

    pub(super) fn came(&mut self) {
        self.is_due = false;
    }

    /// Whether what is out lets only alerts go beside it.
    pub(super) fn alerts_only<'a>(&self, mut out: impl Iterator<Item = &'a Flight>) -> bool {
        self.is_due && out.any(|flight| flight.lane == Lane::Alert)
    }

    /// What is out is late: whatever holds it up, the others have their turn now. Says whether
    /// they did not have it before.
    pub(super) fn is_late<'a>(&mut self, out: impl Iterator<Item = &'a Flight>) -> bool {
        let alerts_only = self.alerts_only(out);
        self.is_due &= !alerts_only;
        alerts_only
    }
}
