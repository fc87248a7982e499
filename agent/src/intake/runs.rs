//! Numbers of runs of what has none of its own: each start is one more than the last, and the
//! first one is drawn, since another gateway, or this one with a new card, may have heard the same
//! device.

use std::path::Path;

use crate::seal::keep::{self, KeepError};

const RUN_MAX: u32 = u32::MAX >> 1;

fn drawn() -> u32 {
    let mut bytes = [0; 4];
    // Without random numbers nothing could be sealed either, and the agent says so.
    if getrandom::fill(&mut bytes).is_err() {
        return 0;
    }
    u32::from_be_bytes(bytes)
}

/// The number of this run of a name in a folder, of 31 bits, one more than that of the one before;
/// it is kept when this returns.
///
/// # Errors
/// [`KeepError`]: without a number of its own nothing may be said.
pub fn next_run(folder: &Path, name: &str) -> Result<u32, KeepError> {
    let understand = |bytes: &[u8]| {
        let bytes = bytes.try_into().map_err(|_| "no number of a run".to_owned())?;
        Ok(u32::from_be_bytes(bytes))
    };
    let path = folder.join(name);
    let last = match keep::load(&path, understand) {
        Ok(kept) => kept.value,
        Err(KeepError::Missing { .. }) => drawn(),
        Err(error) => return Err(error),
    };
    let next = last.wrapping_add(1) & RUN_MAX;
    keep::store(&path, &next.to_be_bytes())?;
    Ok(next)
}
