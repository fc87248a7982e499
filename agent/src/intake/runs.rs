//! Numbers of runs of what has none of its own: each start is one more than the last.

use std::path::Path;

use crate::seal::keep::{self, KeepError};

/// The number of this run of a name in a folder, one more than that of the one before; it is kept
/// when this returns.
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
        Err(KeepError::Missing { .. }) => 0,
        Err(error) => return Err(error),
    };
    let next = last.wrapping_add(1);
    keep::store(&path, &next.to_be_bytes())?;
    Ok(next)
}
