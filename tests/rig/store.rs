//! Stores as tests see them: a new one, and a file that is read without the product.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cloud_sink::store::db::{Db, Location};
use rusqlite::{Connection, OpenFlags};

/// Longest wait for a sink that writes.
const BUSY: Duration = Duration::from_secs(20);

/// Opens a store's file for questions.
///
/// # Errors
/// There is no such file.
pub fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// Names a PostgreSQL server, `postgres://user@localhost:port`, on which tests make their stores.
pub const SERVER: &str = "WARDLINE_TEST_POSTGRES";

/// Where a test's new store is: a file in its folder, or a new database of the server.
///
/// # Panics
/// The server makes none.
#[must_use]
pub fn fresh(folder: &Path) -> Location {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var(SERVER) else {
        return Location::File(folder.join("store.sqlite"));
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("wardline_{}_{number}", std::process::id());
    let (address, create) = (format!("{server}/postgres"), format!("CREATE DATABASE {name}"));
    // A thread of its own: who asks may be inside a runtime.
    let made = std::thread::spawn(move || Db::run_once(&address, &create)).join();
    made.expect("it does not panic").expect("the server makes a database");
    Location::Postgres(format!("{server}/{name}"))
}
