//! O5: the gateway takes for receipted only what the store has.

use std::collections::BTreeSet;

use agent::buffer::segment::FileName;
use anyhow::Result;
use rusqlite::Connection;

use super::durable::found_in;
use crate::disk::InventedDisk;
use crate::world::books::SharedBooks;

/// Looks at each file that has become receipted since the last look; `seen` remembers them.
///
/// # Errors
/// The store cannot be read.
pub fn receipted(
    disk: &InventedDisk,
    books: &SharedBooks,
    seen: &mut BTreeSet<String>,
    store: impl Fn() -> Result<Connection>,
) -> Result<()> {
    let fresh: Vec<String> = disk
        .names()
        .into_iter()
        .filter(|name| name.ends_with(".done") && !seen.contains(name))
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let db = store()?;
    let mut ask = db.prepare(
        "SELECT count(*) FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE segment.segment = ?1 AND evidence.hash = ?2 AND evidence.disposition <> 3",
    )?;
    for file in fresh {
        let found = FileName::parse(&file).and_then(|name| found_in(&name, disk.bytes(&file)?));
        seen.insert(file.clone());
        let Some(found) = found else { continue };
        let Some(name) = FileName::parse(&file) else { continue };
        let header = found.header.as_ref().map(|(_, _, hash)| (0, *hash));
        let places = found.places.iter().map(|place| (place.index, place.hash));
        for (index, hash) in header.into_iter().chain(places) {
            let stored: i64 = ask.query_row((name.segment.0, hash.0), |row| row.get(0))?;
            // What could not be read once is declared, and may be whole again.
            let declared = || !books.borrow().covering((name.segment, index)).is_empty();
            if stored == 0 && !declared() {
                let what = format!("{file} is taken for receipted, and its {hash} is not stored");
                books.borrow_mut().violate("O5 receipt", what);
                break;
            }
        }
    }
    Ok(())
}
