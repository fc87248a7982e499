//! `wardline-sink feeds`: how other systems are fed.

use serde::Serialize;

use super::{Failure, ListArg, table};
use crate::clock;
use crate::feed::{Standing, standings};

/// Lists feeds to other systems: how far behind each is, what it gave and what was refused.
#[derive(Debug, clap::Args)]
pub struct Feeds {
    #[command(flatten)]
    how: ListArg,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    feeds: Vec<Standing>,
}

impl Feeds {
    pub(super) fn run(self) -> Result<(), Failure> {
        let feeds = standings(&self.how.store()?)?;
        if self.how.json {
            println!("{}", serde_json::to_string(&Listing { schema: 1, feeds })?);
            return Ok(());
        }
        let mut table =
            table(["feed", "behind", "undated", "taken", "refused", "left out", "last moved"]);
        for feed in feeds {
            let Standing { name, behind, undated, taken, refused, left_out, at_ns } = feed;
            let counts = [behind, undated, taken, refused, left_out].map(|count| count.to_string());
            table.add_row([vec![name], counts.to_vec(), vec![clock::words(at_ns)]].concat());
        }
        println!("{table}");
        Ok(())
    }
}
