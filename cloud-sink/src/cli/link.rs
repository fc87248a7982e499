//! `wardline-sink link`: lets one person in, who needs no password for it.

use anyhow::Context;
use serde::Serialize;

use super::{ConfigArg, Failure, write_down, wrong_config};
use crate::audit::Deed;
use crate::clock;
use crate::store::db::Db;
use crate::view::access::{Person, Role, TICKET_LIFE, issue};

/// Makes a link to the page that lets one person in, once, within ten minutes.
#[derive(Debug, clap::Args)]
pub struct Link {
    #[command(flatten)]
    config: ConfigArg,
    /// Whom it is for: the name that stands in timelines.
    #[arg(long, default_value = "terminal")]
    name: String,
    /// What they may do.
    #[arg(long, value_enum, default_value = "engineer")]
    role: Role,
    /// The only ward whose gateways they see; all without.
    #[arg(long)]
    ward: Option<String>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    schema: u32,
    url: String,
    seconds: u64,
}

impl Link {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let view = config.view.context("there is no page: [view] is not in the configuration");
        let view = view.map_err(wrong_config)?;
        let db = Db::open(&config.store)?;
        let person = Person { name: self.name, role: self.role, ward: self.ward };
        let words = format!("a link for one sign-in as {}", person.role);
        write_down(&db, Deed::Invite, &person.name, &words)?;
        let ticket = issue(&db, &person, clock::now())?;
        // Behind the '#' it reaches no server's log.
        let url = format!("{}/login#{ticket}", view.url);
        if self.json {
            let answer = Answer { schema: 1, url, seconds: TICKET_LIFE.as_secs() };
            println!("{}", serde_json::to_string(&answer)?);
        } else {
            println!("{url}");
            eprintln!("for {}, once, within ten minutes", person.role);
        }
        Ok(())
    }
}
