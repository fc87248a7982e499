//! `wardline-sink audit`: who did what.

use std::io::{BufWriter, Write};

use serde::Serialize;

use super::{ConfigArg, Failure, table};
use crate::audit::{self, Entry, Form, Verdict, Wanted};
use crate::clock;
use crate::store::StoreError;
use crate::store::db::Db;

/// Shows who did what, newest first; with --format, writes it for another system; with --verify,
/// checks that nothing of it was changed.
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
    /// All entries, oldest first, for another system.
    #[arg(long, value_enum, conflicts_with_all = ["verify", "json"])]
    format: Option<Form>,
    /// With --format, from this moment on, as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", requires = "format")]
    from: Option<jiff::Timestamp>,
    /// With --format, before this moment.
    #[arg(long, value_name = "TIME", requires = "format")]
    to: Option<jiff::Timestamp>,
    /// The same as --format ndjson.
    #[arg(long, conflicts_with_all = ["verify", "format"])]
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
        if let Some(form) = self.format.or(self.ndjson.then_some(Form::Ndjson)) {
            return self.export(&db, form, &config.name);
        }
        if self.verify {
            return self.check(&db);
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

    fn export(&self, db: &Db, form: Form, sink: &str) -> Result<(), Failure> {
        let ns = |moment: Option<jiff::Timestamp>| {
            moment.map(|moment| i64::try_from(moment.as_nanosecond())).transpose()
        };
        let wanted = Wanted { form, from_ns: ns(self.from)?, to_ns: ns(self.to)?, sink };
        let mut out = BufWriter::new(std::io::stdout().lock());
        let verdict = audit::export_to(db, &wanted, &mut out)?;
        out.flush()?;
        whole(&verdict)
    }

    fn check(&self, db: &Db) -> Result<(), Failure> {
        let verdict = audit::verify(db, |_| Ok::<_, StoreError>(()))?;
        if self.json {
            let checked = Checked { schema: 1, verdict: verdict.clone() };
            println!("{}", serde_json::to_string(&checked)?);
        } else {
            println!("{} entries hold; head {}", verdict.good, verdict.head);
        }
        whole(&verdict)
    }
}

/// Whether everything holds.
fn whole(verdict: &Verdict) -> Result<(), Failure> {
    match verdict.broken_at {
        Some(id) => Err(anyhow::anyhow!(
            "entry {id} does not follow from those before it: it, or one before it, was changed \
             or taken out; compare with a backup of the store"
        )
        .into()),
        None => Ok(()),
    }
}
