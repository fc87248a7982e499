//! `wardline-sink audit`: who did what.

use serde::Serialize;

use super::{ConfigArg, Failure, table};
use crate::audit::{self, Entry, Verdict};
use crate::clock;
use crate::store::db::Db;

/// Shows who did what, newest first; with --verify, checks that nothing of it was changed.
#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(flatten)]
    config: ConfigArg,
    /// Entries to show.
    #[arg(long, default_value_t = 50)]
    last: u32,
    /// Checks the whole chain, and prints its head: who keeps that elsewhere sees a cut end, too.
    #[arg(long)]
    verify: bool,
    /// All entries, oldest first, one line of JSON each: for another log.
    #[arg(long, conflicts_with = "verify")]
    ndjson: bool,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checked {
    schema: u32,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    entries: Vec<Entry>,
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        if self.verify || self.ndjson {
            return self.walk(&db);
        }
        let entries = audit::list(&db, i64::MAX, self.last.into())?;
        if self.json {
            println!("{}", serde_json::to_string(&Listing { schema: 1, entries })?);
            return Ok(());
        }
        let mut rows = table(["id", "at", "who", "role", "what", "object", "words"]);
        for Entry { id, at_ns, who, role, what, object, words, .. } in entries {
            rows.add_row([id.to_string(), clock::words(at_ns), who, role, what, object, words]);
        }
        println!("{rows}");
        Ok(())
    }

    fn walk(&self, db: &Db) -> Result<(), Failure> {
        let verdict = audit::verify(db, |entry| {
            if self.ndjson {
                println!("{}", serde_json::to_string(entry)?);
            }
            Ok::<_, anyhow::Error>(())
        })?;
        if self.json && self.verify {
            println!(
                "{}",
                serde_json::to_string(&Checked { schema: 1, verdict: verdict.clone() })?
            );
        } else if self.verify {
            println!("{} entries hold; head {}", verdict.good, verdict.head);
        }
        match verdict.broken_at {
            Some(id) => Err(anyhow::anyhow!(
                "entry {id} does not follow from those before it: it, or one before it, was \
                 changed or taken out; compare with a backup of the store"
            )
            .into()),
            None => Ok(()),
        }
    }
}
