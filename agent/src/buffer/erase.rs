//! Erasure: everything on the medium becomes unreadable, and what is lost is declared.
//!
//! Order:  gaps are durable first, outside the veil, since they hold no reading; then the medium's
//! key is destroyed; then files go. A power cut in between leaves what was there, or rubbish under
//! a gap.

use wire::gap::Cause;
use wire::identity::Lane;
use wire::time::ClockState;

use super::disk::Disk;
use super::{AppendError, Buffer};
use crate::seal::Sealer;

/// What was erased of a lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Erased {
    /// Segments without a receipt for every record.
    pub segments: u64,
    /// Fewest and most readings in them.
    pub readings: (u64, u64),
}

impl<D: Disk, S: Sealer> Buffer<D, S> {
    /// Declares what has no receipt, lets `destroy` take the medium's key, and removes every file
    /// but those of the gaps. Segments are counted as long as `may_count` says so; of the rest only
    /// bounds are declared. `destroy` is told what could not be declared, and may refuse.
    ///
    /// # Errors
    /// The key was not destroyed: nothing was removed then.
    pub fn erase(
        &mut self,
        clock: &ClockState,
        mut may_count: impl FnMut() -> bool,
        destroy: impl FnOnce(Option<&AppendError>) -> std::io::Result<()>,
    ) -> std::io::Result<([Erased; 4], Option<AppendError>)> {
        let before: Vec<u64> = self.segments.keys().copied().collect();
        let mut failed = self.begin_anew(clock).err();
        let mut erased = [Erased::default(); 4];
        for ordinal in &before {
            let Some(segment) = self.segments.get(ordinal) else { continue };
            let (lane, owed) = (segment.name.lane, !segment.name.done);
            if !owed {
                continue;
            }
            if may_count() {
                self.load(*ordinal, clock);
            }
            let declared = self.heads[lane as usize].gap_readings;
            let fewest = self.segments.get(ordinal).map_or(0, super::Segment::readings_min);
            if let Err(error) = self.declare_lost(*ordinal, Cause::Erased, clock) {
                failed = Some(error);
            }
            let most = self.heads[lane as usize].gap_readings.saturating_sub(declared);
            let sum = &mut erased[lane as usize];
            sum.segments += 1;
            sum.readings.0 = sum.readings.0.saturating_add(fewest);
            sum.readings.1 = sum.readings.1.saturating_add(most);
        }
        if let Err(error) = self.commit(clock) {
            failed = Some(error);
        }
        Lane::ALL.into_iter().for_each(|lane| self.close(lane));
        destroy(failed.as_ref())?;
        before.iter().for_each(|ordinal| self.remove(*ordinal, 0));
        for (name, _) in self.spares.split_off(0).into_iter().chain(self.quarantined.split_off(0)) {
            if let Err(error) = self.disk.remove(&name) {
                tracing::warn!(file = name, %error, "could not be removed; it means nothing now");
            }
        }
        self.disk.sync_names()?;
        Ok((erased, failed))
    }

    /// A segment in every lane that has a chain, so that the chain goes on behind the erasure.
    fn begin_anew(&mut self, clock: &ClockState) -> Result<(), AppendError> {
        let mut result = Ok(());
        for lane in Lane::ALL {
            if self.heads[lane as usize].last.is_some()
                && let Err(error) = self.ensure_open(lane, clock)
            {
                result = Err(error);
            }
        }
        result
    }
}
