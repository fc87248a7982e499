//! `wardline-sink audit`: who did what.

use std::io::{BufWriter, Write};

use anyhow::Context;
use serde::Serialize;

use super::{ConfigArg, Failure, table};
use crate::audit::gateway::{self, GatewayEntry, Head};
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
    /// What happened to this gateway instead, by its own signed trail.
    #[arg(long, value_name = "ID")]
    gateway: Option<String>,
    /// Entries to show.
    #[arg(long, default_value_t = 50)]
    last: u32,
    /// Checks the whole chain, and prints its head: who keeps that elsewhere sees a cut end, too.
    #[arg(long)]
    verify: bool,
    /// All entries, oldest first, for another system.
    #[arg(long, value_enum, conflicts_with_all = ["verify", "json", "gateway"])]
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

#[derive(Serialize)]
struct GatewayChecked<'a> {
    schema: u32,
    gateway: &'a str,
    #[serde(flatten)]
    verdict: gateway::Verdict,
}

#[derive(Serialize)]
struct GatewayListing<'a> {
    schema: u32,
    gateway: &'a str,
    entries: Vec<GatewayEntry>,
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        if let Some(gateway) = &self.gateway {
            return Ok(self.of_gateway(&db, gateway)?);
        }
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

impl Audit {
    fn of_gateway(&self, db: &Db, name: &str) -> anyhow::Result<()> {
        let unknown = || format!("{name}: there is no such gateway; see `gateway ls`");
        if self.verify || self.ndjson {
            let verdict = gateway::verify(db, name, |entry| {
                if self.ndjson {
                    println!("{}", serde_json::to_string(entry)?);
                }
                Ok::<_, anyhow::Error>(())
            })?;
            return self.judge(name, verdict.with_context(unknown)?);
        }
        let entries = gateway::list(db, name, self.last.into())?.with_context(unknown)?;
        if self.json {
            let listing = GatewayListing { schema: 1, gateway: name, entries };
            println!("{}", serde_json::to_string(&listing)?);
            return Ok(());
        }
        let mut rows = table(["number", "at", "kind", "object", "words"]);
        for GatewayEntry { number, at_ns, kind, object, words, .. } in entries {
            let at = at_ns.map_or_else(|| "no clock".into(), clock::words);
            rows.add_row([number.to_string(), at, kind, printable(&object), printable(&words)]);
        }
        println!("{rows}");
        Ok(())
    }

    fn judge(&self, gateway: &str, verdict: gateway::Verdict) -> anyhow::Result<()> {
        let wrong = verdict.wrong.len();
        if self.json && self.verify {
            let checked = GatewayChecked { schema: 1, gateway, verdict };
            println!("{}", serde_json::to_string(&checked)?);
        } else if self.verify {
            verdict.wrong.iter().for_each(|words| println!("WRONG  {words}"));
            println!("{} entries in {} trails", verdict.entries, verdict.trails);
            for Head { number, hash } in &verdict.heads {
                println!("head: entry {number}, {hash}");
            }
        }
        anyhow::ensure!(wrong == 0, "{wrong} things in the trail of {gateway} do not hold");
        Ok(())
    }
}

/// What a gateway says, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}
