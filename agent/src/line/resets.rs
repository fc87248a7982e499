//! Runs of devices that ended: what a device held then is declared lost when its next run begins.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Line;
use crate::buffer::disk::Disk;
use crate::intake::past::{Last, Past};
use crate::intake::{Device, Names, Run};
use crate::seal::{Sealer, keep};
use crate::uplink::Hands;

/// The last runs of devices, and where they are kept.
///
/// Order: a loss is durable before the run that follows it is kept, so that a power cut between the
/// two declares it twice and never not at all.
#[derive(Debug, Default)]
pub struct Resets {
    past: Past,
    /// None: they are kept in memory.
    path: Option<PathBuf>,
    /// The order of the newest loss that must be durable before they are kept.
    declared: u64,
    has_failed: bool,
    /// Not again before.
    keep_after: Option<Instant>,
}

/// Between two times that they are kept: each costs some syncs.
const KEEP_EVERY: Duration = Duration::from_secs(1);

impl Resets {
    /// What is kept in a file, as far as it can be read.
    #[must_use]
    pub fn kept(path: PathBuf) -> Self {
        let read = |bytes: &[u8]| Past::read(bytes);
        let past = match keep::load(&path, read) {
            Ok(kept) => {
                kept.mended.iter().for_each(|words| tracing::error!("{words}"));
                kept.value
            }
            Err(keep::KeepError::Missing { .. }) => Past::default(),
            Err(error) => {
                tracing::error!(%error, "runs of devices are unknown: no loss is declared");
                Past::default()
            }
        };
        Self { past, path: Some(path), declared: 0, has_failed: false, keep_after: None }
    }
}

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// A device has introduced a run: if it is a new one, what it held in the last one is lost.
    pub(super) fn begin_run(&mut self, device: &Arc<Device>, run: &Run, begun: Last) {
        if run.is_news() {
            self.order += 1;
            let clock = self.clock.state();
            self.batcher.label_run(device, &clock, self.order);
        }
        // Who speaks for others says nothing of what those hold.
        if device.names != Names::Patients {
            return;
        }
        let id = device.source.device;
        let known = self.resets.past.of(id);
        // A device that has not said its standing yet is as it was in its last run.
        let begun = match known {
            Some(last) if begun.capacity == 0 => Last { boot: begun.boot, ..last },
            _ => begun,
        };
        if begun.capacity == 0 {
            return;
        }
        let last = known.filter(|last| last.boot != begun.boot);
        // Each run has a loss of its own, so that it is the same whoever says it, and how often.
        for run in 0..last.map_or(0, |last| last.runs_to(&begun)) {
            let Some(Last { boot, capacity, .. }) = last else { break };
            self.order += 1;
            let clock = self.clock.state();
            self.batcher.end_run(device, boot.wrapping_add(run), capacity, &clock, self.order);
            self.resets.declared = self.order;
            tracing::warn!(device = %id, run = boot.wrapping_add(run), capacity,
                "a device began anew: what it held is declared lost");
        }
        self.resets.past.set(id, begun);
    }

    /// Keeps the runs that are known, once what was declared of them is durable; with `all`, now.
    pub(super) fn keep_runs(&mut self, all: bool) {
        let now = self.clock.now();
        let Resets { past, path: Some(path), declared, has_failed, keep_after } = &mut self.resets
        else {
            return;
        };
        let is_durable = self.batcher.oldest_order().is_none_or(|oldest| *declared < oldest);
        let is_soon = !all && keep_after.is_some_and(|after| now < after);
        if !past.is_changed() || !is_durable || is_soon {
            return;
        }
        *keep_after = Some(now + KEEP_EVERY);
        match keep::store(path, past.write().as_bytes()) {
            Ok(()) => {
                past.is_kept();
                *has_failed = false;
            }
            // The next turn tries again.
            Err(error) if !std::mem::replace(has_failed, true) => {
                tracing::error!(%error, "runs of devices are not kept");
            }
            Err(_) => {}
        }
    }
}
