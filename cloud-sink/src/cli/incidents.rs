//! `wardline-sink incidents`: what needs a person, worst first.

use serde::Serialize;

use super::{ConfigArg, Failure, table, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::incident::{self, Entry, Incident};
use crate::notify;
use crate::store::db::{Db, Turn};

/// Shows what needs a person and what to do; takes an incident or closes it.
#[derive(Debug, clap::Args)]
pub struct Incidents {
    #[command(flatten)]
    config: ConfigArg,
    /// One incident with its timeline.
    #[arg(value_name = "ID")]
    id: Option<i64>,
    /// Closed ones, too.
    #[arg(long)]
    all: bool,
    /// Takes the incident, in this person's name.
    #[arg(long, value_name = "NAME", requires = "id", conflicts_with = "close")]
    take: Option<String>,
    /// Closes the incident, in this person's name.
    #[arg(long, value_name = "NAME", requires = "id")]
    close: Option<String>,
    /// What the person says about it.
    #[arg(long, value_name = "WORDS", default_value = "", requires = "id")]
    note: String,
    /// One line of JSON with "schema": 1.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Work orders as comma-separated values, for a maintenance system.
    #[arg(long)]
    csv: bool,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    incidents: Vec<Incident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
}

impl Incidents {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        if let Some(id) = self.id {
            if let Some(name) = self.take.as_ref().or(self.close.as_ref()) {
                let done = if self.take.is_some() { "take" } else { "close" };
                write_down(&db, Deed::Incident, &id.to_string(), &format!("{done}, as {name}"))?;
            }
            let now = clock::now();
            let open = db.transaction(Turn::Incidents, |db| match (&self.take, &self.close) {
                (Some(name), _) => incident::acknowledge(db, id, now, (name, &self.note)),
                (None, Some(name)) => incident::close(db, id, now, (name, &self.note)),
                (None, None) => Ok(true),
            })?;
            if !open {
                return Err(anyhow::anyhow!("no open incident {id}: see --all").into());
            }
        }
        let mut incidents = incident::list(&db, self.all || self.id.is_some())?;
        incidents.retain(|incident| self.id.is_none_or(|id| id == incident.id));
        let timeline = self.id.map(|id| incident::timeline(&db, id)).transpose()?;
        if let (Some(id), true) = (self.id, incidents.is_empty()) {
            return Err(anyhow::anyhow!("there is no incident {id}: see --all").into());
        }
        let listing = Listing { schema: 1, incidents, timeline };
        if self.csv {
            let url = config.view.map(|view| view.url).unwrap_or_default();
            print!("{}", notify::work_orders(&db, &listing.incidents, &url)?);
        } else if self.json {
            println!("{}", serde_json::to_string(&listing)?);
        } else {
            show(&listing);
        }
        Ok(())
    }
}

fn show(listing: &Listing) {
    if listing.incidents.is_empty() {
        println!("nothing needs a person");
        return;
    }
    let mut incidents = table(["id", "what", "gateway", "since", "count", "owner", "says", "do"]);
    for incident in &listing.incidents {
        let gateway = incident.gateway.clone().unwrap_or_else(|| "all".into());
        let owner = incident.owner.clone().unwrap_or_default();
        let ended =
            incident.closed_ns.map(|ns| format!(" to {}", clock::words(ns))).unwrap_or_default();
        incidents.add_row([
            incident.id.to_string(),
            incident.kind.to_owned(),
            gateway,
            format!("{}{ended}", clock::words(incident.opened_ns)),
            incident.count.to_string(),
            owner,
            incident.words.clone(),
            incident.remedy.to_owned(),
        ]);
    }
    println!("{incidents}");
    let Some(timeline) = &listing.timeline else { return };
    let mut entries = table(["at", "what", "who", "note"]);
    for Entry { at_ns, what, who, note } in timeline {
        let who = who.clone().unwrap_or_default();
        entries.add_row([clock::words(*at_ns), what.clone(), who, note.clone()]);
    }
    println!("{entries}");
}
