//! A simulated device: says things over a real port and keeps each frame until it is acknowledged.
//!
//! [`Speech`] turns readings into link frames and writes down what was said; [`Device`] sends them
//! the way a real device does: hello first, frames numbered from 1, at most a window of them
//! unacknowledged, from the oldest again when the line was interrupted or nothing was heard.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub mod bed;
mod driver;
pub(crate) mod machine;
mod port;
mod said;
mod speech;

pub use machine::{Manner, Progress, Utterance};
pub use port::{Port, PseudoTerminal};
pub use said::{Said, SaidAlert, SaidChannel, Stretch, Values};
pub use speech::{About, Speech};

/// Utterances that may wait for the window; more than an hour of a bed.
const WAITING_MAX: usize = 65_536;

/// A running device.
pub struct Device {
    say: mpsc::Sender<Utterance>,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<()>,
}

impl Device {
    /// Starts to speak over `port` on the current runtime; says nothing before it is introduced.
    #[must_use]
    pub fn start(port: Port, manner: Manner) -> Self {
        let (say, heard) = mpsc::channel(WAITING_MAX.min(manner.window_frames * 64));
        let (shown, progress) = watch::channel(Progress::default());
        let task = tokio::spawn(driver::drive(port, manner, heard, shown));
        Self { say, progress, task }
    }

    /// Says it as soon as the window has room; waits while too much waits already.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn say(&self, utterance: Utterance) -> Result<()> {
        if self.say.send(utterance).await.is_err() {
            bail!("the simulated device has ended");
        }
        Ok(())
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// How far it is, also after the device was given away.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Says nothing new and waits until everything is acknowledged.
    ///
    /// # Errors
    /// It is not after `patience`.
    pub async fn finish(mut self, patience: Duration) -> Result<Progress> {
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.say, closed));
        let ended = tokio::time::timeout(patience, &mut self.task).await;
        let progress = self.progress();
        if ended.is_err() {
            bail!("{} frames are not acknowledged after {patience:?}", progress.kept);
        }
        Ok(progress)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}
