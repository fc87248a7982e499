//! What commands write down: the agent takes it in while it runs; else it is appended here and now.

use std::io;
use std::path::Path;

use wire::identity::GatewayId;
use wire::time::ClockState;

use super::{By, Deed, FOLDER, Moment, SPOOL, Trail, spool};
use crate::buffer::disk::{Disk, Folder, give_to_owner, refuse_link};
use crate::clock::{Clock, boot_id};
use crate::seal::keyring::{CustodyError, KeyFiles, load_signing_key};

/// Leaves what a command has done for whoever writes the trail next; it is durable when this
/// returns.
///
/// # Errors
/// The medium refuses.
pub fn leave(state: &Path, deed: &Deed) -> io::Result<()> {
    leave_at(state, deed, &Clock::new().state())
}

fn leave_at(state: &Path, deed: &Deed, clock: &ClockState) -> io::Result<()> {
    [SPOOL, FOLDER].iter().try_for_each(|name| refuse_link(&state.join(name)))?;
    let folder = Folder::open(&state.join(SPOOL))?;
    let moment = Moment { boot: boot_id(), monotonic: clock.monotonic, utc: clock.utc };
    spool::leave(&folder, deed, &moment)?;
    give_all(&state.join(SPOOL))
}

/// Writes down what a command has done. Without a key to sign with it waits for the agent's next
/// start.
///
/// # Errors
/// The medium refuses.
pub fn write_down(state: &Path, gateway: GatewayId, deed: &Deed) -> io::Result<()> {
    let clock = Clock::new().state();
    leave_at(state, deed, &clock)?;
    let files = KeyFiles::below(state);
    let key = match load_signing_key(&files.signing()) {
        // Only the agent is given the key.
        Err(CustodyError::Credential(_)) => return Ok(()),
        loaded => loaded.or_else(|_| load_signing_key(&files.provisional().into())),
    };
    let Ok(signer) = key else { return Ok(()) };
    let mut trail = Trail::below(state, By { gateway, boot: boot_id(), signer })?;
    trail.lock = trail.disk.lock()?;
    let written = if trail.lock.is_some() { trail.write(&clock) } else { Ok(()) };
    written.and(give_all(&state.join(FOLDER)))
}

/// Gives a folder and its files to whoever has the state folder: commands may be root's.
fn give_all(folder: &Path) -> io::Result<()> {
    give_to_owner(folder)?;
    for (name, _) in Folder::existing(folder)?.list()? {
        match give_to_owner(&folder.join(name)) {
            // The agent has taken it in meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            given => given?,
        }
    }
    Ok(())
}
