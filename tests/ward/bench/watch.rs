//! What a store gains, seen from outside while it grows: when each batch became readable in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rusqlite::Connection;

/// Between two looks: what is shown may have been there for so long.
const LOOK: Duration = Duration::from_millis(4);
const VITALS: &str = "SELECT id, evidence, from_ns, to_ns, last_row - first_row + 1 FROM block
    WHERE id > ?1 ORDER BY id";
const WAVES: &str = "SELECT id, evidence, at_ns, at_ns, count FROM wave WHERE id > ?1 ORDER BY id";

/// One batch of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Oldest moment in it, UTC nanoseconds.
    pub from_ns: i64,
    /// Newest moment; of waves the newest beginning of a run.
    pub to_ns: i64,
    /// Numerics or samples.
    pub values: u64,
    /// When it was seen, UTC nanoseconds.
    pub seen_ns: i64,
}

/// Batches of both lanes in the order of their commits.
#[derive(Debug, Default)]
pub struct Gained {
    /// Numerics.
    pub vitals: Vec<Batch>,
    /// Samples.
    pub waves: Vec<Batch>,
}

/// A thread that looks at a store.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Gained>>,
}

impl Watch {
    /// Begins to look.
    pub fn begin(store: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        Self { stop, thread: std::thread::spawn(move || look(store, &stopped)) }
    }

    /// Looks once more; everything that was seen.
    pub fn end(self) -> Result<Gained> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the store's watch has failed")?
    }
}

/// Now, UTC nanoseconds.
pub fn now_ns() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as i64
}

fn look(store: PathBuf, stop: &AtomicBool) -> Result<Gained> {
    let db = rig::store::open_file(&store)?;
    let mut gained = Gained::default();
    let mut last = [0; 2];
    loop {
        let is_last = stop.load(Ordering::Relaxed);
        take(&db, VITALS, &mut last[0], &mut gained.vitals)?;
        take(&db, WAVES, &mut last[1], &mut gained.waves)?;
        if is_last {
            return Ok(gained);
        }
        std::thread::sleep(LOOK);
    }
}

/// Joins the rows that came since the last look by the record that brought them.
fn take(db: &Connection, sql: &str, last: &mut i64, batches: &mut Vec<Batch>) -> Result<()> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([*last])?;
    let mut evidence = None;
    let mut seen_ns = None;
    while let Some(row) = rows.next()? {
        let seen_ns = *seen_ns.get_or_insert_with(now_ns);
        *last = row.get(0)?;
        let (from_ns, to_ns, values) = (row.get(2)?, row.get(3)?, row.get::<_, i64>(4)? as u64);
        let of: i64 = row.get(1)?;
        match batches.last_mut().filter(|_| evidence == Some(of)) {
            Some(batch) => {
                batch.from_ns = batch.from_ns.min(from_ns);
                batch.to_ns = batch.to_ns.max(to_ns);
                batch.values += values;
            }
            None => batches.push(Batch { from_ns, to_ns, values, seen_ns }),
        }
        evidence = Some(of);
    }
    Ok(())
}
