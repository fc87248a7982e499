//! Feed: what is stored goes to another system as it comes.
//!
//! store -> read (pages) -> messages or resources -> send, until taken -> cursor
//!
//! It reads beside the store and never holds it up. What it has sent and not yet written down it
//! sends again after a crash, under the same control ids and resource ids.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::export::fhir::{BUNDLE_MAX, Made, Resources};
use crate::export::hl7::{Message, Messages};
use crate::export::read::{Kind, Reader, Selection};
use crate::export::reading::Reading;
use crate::inventory;
use crate::store::db::{Db, Location};

mod cursor;

mod fhir;

mod mllp;

pub use cursor::{Standing, standings};
pub use fhir::Server;
pub use mllp::Engine;

use cursor::Cursor;

/// One block of `[[export]]`.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Its name; how far it has come is remembered under it.
    pub name: String,
    /// Where readings go.
    pub to: Target,
    /// HL7: also what is not valid, with its flags.
    pub flagged: bool,
}

/// Where readings go.
#[derive(Clone)]
pub enum Target {
    /// HL7 v2.6 by MLLP.
    Mllp(Engine),
    /// FHIR R4, as transactions.
    Fhir(Server),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mllp(engine) => engine.fmt(f),
            Self::Fhir(server) => server.fmt(f),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What a receiver says to something that can be said again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It has it.
    Taken,
    /// It will never take it.
    Refused,
}

/// Rows of a page, at least: what is read ahead of a receiver that takes its time.
const PAGE: i64 = 64;
/// Between two looks for what is new.
const LOOK: Duration = Duration::from_millis(250);
/// Longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Alerts first: they never wait behind a backlog of numbers.
const ORDER: [Kind; 3] = [Kind::Notes, Kind::Numerics, Kind::Waves];

/// Something that is sent at once.
enum Parcel {
    Message(Message),
    Resources(Vec<Made>),
}

/// Readings on their way into parcels.
enum Packing {
    Hl7(Messages),
    Fhir(Resources),
}

impl Packing {
    fn add(&mut self, reading: Reading) -> anyhow::Result<()> {
        match self {
            Self::Hl7(messages) => drop(messages.add(reading)),
            Self::Fhir(resources) => drop(resources.add(&reading)?),
        }
        Ok(())
    }

    fn take(&mut self) -> VecDeque<Parcel> {
        match self {
            Self::Hl7(messages) => messages.take(true).into_iter().map(Parcel::Message).collect(),
            Self::Fhir(resources) => {
                let ready = resources.take(true);
                ready.chunks(BUNDLE_MAX).map(|part| Parcel::Resources(part.to_vec())).collect()
            }
        }
    }
}

/// Feeds until it is over.
pub fn run(store: &Location, feed: &Feed, runtime: &Handle, is_over: impl Fn() -> bool) {
    let mut pause = LOOK;
    while !is_over() {
        let Err(error) = go_on(store, feed, runtime, &is_over) else { return };
        tracing::warn!(feed = feed.name, %error, "the store cannot be read; trying again");
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Feeds until it is over, or something fails.
fn go_on(
    store: &Location,
    feed: &Feed,
    runtime: &Handle,
    is_over: &dyn Fn() -> bool,
) -> anyhow::Result<()> {
    let db = Db::open(store)?;
    let opened = Reader::open(&db, Selection::default())?;
    let reader = opened.ok_or_else(|| anyhow::anyhow!("the store cannot be read"))?.by(PAGE);
    let packing = match &feed.to {
        Target::Mllp(_) => Packing::Hl7(Messages::live(feed.flagged)),
        Target::Fhir(_) => {
            let devices = inventory::devices(&db, None)?.into_iter();
            Packing::Fhir(Resources::new(devices.map(|one| (one.device, one.asset)).collect()))
        }
    };
    let has_waves = !matches!(feed.to, Target::Mllp(_));
    let cursor = Cursor::open(&db, &feed.name, &reader, has_waves)?;
    let (db, to) = (&db, feed.to.clone());
    let mut passage = Passage { db, reader, packing, cursor, to, runtime, is_over };
    while !is_over() {
        if !passage.pass()? {
            passage.cursor.keep(db)?;
            std::thread::sleep(LOOK);
        }
    }
    Ok(passage.cursor.keep(db)?)
}

struct Passage<'a> {
    db: &'a Db,
    reader: Reader<'a>,
    packing: Packing,
    cursor: Cursor,
    to: Target,
    runtime: &'a Handle,
    is_over: &'a dyn Fn() -> bool,
}

impl Passage<'_> {
    /// A page of each kind; whether there was anything.
    fn pass(&mut self) -> anyhow::Result<bool> {
        let mut any = false;
        for kind in ORDER {
            if kind == Kind::Waves && matches!(self.to, Target::Mllp(_)) {
                continue;
            }
            any |= self.page(kind)? | self.dated_by_now(kind)?;
        }
        Ok(any)
    }

    fn page(&mut self, kind: Kind) -> anyhow::Result<bool> {
        let (after, until) = (self.cursor.after(kind), self.reader.last(kind)?);
        // Before the page is read: what is dated meanwhile is then sent twice, and never not.
        let guessed = self.cursor.guessed(self.db, kind, until)?;
        let packing = &mut self.packing;
        let page = self.reader.page(kind, (after, until), |reading| packing.add(reading));
        let Some(end) = page? else { return Ok(false) };
        if !self.send() {
            return Ok(false);
        }
        self.cursor.reached(kind, end, guessed);
        self.cursor.keep_sometimes(self.db)?;
        Ok(true)
    }

    /// Sends what had no date when it was passed, and has one now.
    fn dated_by_now(&mut self, kind: Kind) -> anyhow::Result<bool> {
        let dated = self.cursor.dated_by_now(self.db, kind)?;
        for (first, last) in &dated {
            let mut after = first - 1;
            let packing = &mut self.packing;
            while let Some(end) =
                self.reader.page(kind, (after, *last), |reading| packing.add(reading))?
            {
                after = end;
            }
        }
        if !self.send() {
            return Ok(false);
        }
        self.cursor.has_sent(self.db, kind, &dated)?;
        Ok(!dated.is_empty())
    }

    /// Sends what is packed, each until it is taken or refused for good; whether all of it was.
    fn send(&mut self) -> bool {
        for parcel in self.packing.take() {
            let mut pause = LOOK;
            let answers = loop {
                match self.hand_over(&parcel) {
                    Ok(answers) => break answers,
                    Err(error) => tracing::warn!("a feed stands, and tries again: {error:#}"),
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                if (self.is_over)() {
                    return false;
                }
            };
            self.cursor.counted(&answers);
        }
        true
    }

    fn hand_over(&mut self, parcel: &Parcel) -> anyhow::Result<Vec<Answer>> {
        match (&mut self.to, parcel) {
            (Target::Mllp(engine), Parcel::Message(message)) => Ok(vec![engine.send(message)?]),
            (Target::Fhir(server), Parcel::Resources(resources)) => {
                self.runtime.block_on(server.send(resources))
            }
            _ => Ok(Vec::new()),
        }
    }
}
