//! Runs of devices that ended: what a device held then is declared lost when its next run begins.

use std::path::PathBuf;
use std::sync::Arc;

use super::Line;
use crate::buffer::disk::Disk;
use crate::intake::Device;
use crate::intake::past::{Last, Past};
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
}

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
        Self { past, path: Some(path), declared: 0, has_failed: false }
    }
}

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// A device has introduced a run: if it is a new one, what it held in the last one is lost.
    pub(super) fn begin_run(&mut self, device: &Arc<Device>, begun: Last) {
        let id = device.source.device;
        if let Some(last) = self.resets.past.of(id).filter(|last| last.boot != begun.boot) {
            let readings = last.lost(&begun);
            self.order += 1;
            let clock = self.clock.state();
            self.batcher.end_run(device, last.boot, readings, &clock, self.order);
            self.resets.declared = self.order;
            tracing::warn!(device = %id, readings, "began anew: what it held is declared lost");
        }
        self.resets.past.set(id, begun);
    }

    /// Keeps the runs that are known, once what was declared of them is durable.
    pub(super) fn keep_runs(&mut self) {
        let Resets { past, path: Some(path), declared, has_failed } = &mut self.resets else {
            return;
        };
        let is_durable = self.batcher.oldest_order().is_none_or(|oldest| *declared < oldest);
        if !past.is_changed() || !is_durable {
            return;
        }
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
