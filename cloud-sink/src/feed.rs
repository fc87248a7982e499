//! Feed: what is stored goes to another system as it comes.
//!
//! store -> read (pages) -> way (messages or resources, until taken) -> cursor
//!
//! It reads beside the store and never holds it up. What it has sent and not yet written down it
//! sends again after a crash, under the same control ids and resource ids.

use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::clock;
use crate::export::fhir::{BUNDLE_MAX, Resources};
use crate::export::hl7::Messages;
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
/// Between two looks whether what was passed without a date has one now.
const DATED_LOOK_NS: i64 = 2_000_000_000;
/// Longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Alerts first: they never wait behind a backlog of numbers.
const ORDER: [Kind; 3] = [Kind::Notes, Kind::Numerics, Kind::Waves];

/// How readings are put and where they go.
enum Way {
    Hl7(Messages, Engine),
    Fhir(Resources, Server, Runtime),
}

/// Says something until it is answered; false if it is over before.
type Insist<'a> = dyn FnMut(&mut dyn FnMut() -> anyhow::Result<Vec<Answer>>) -> bool + 'a;

impl Way {
    fn of(feed: &Feed, db: &Db) -> anyhow::Result<Self> {
        Ok(match &feed.to {
            Target::Mllp(engine) => Self::Hl7(Messages::live(feed.flagged), engine.clone()),
            Target::Fhir(server) => {
                let devices = inventory::devices(db, None)?.into_iter();
                let assets = devices.map(|one| (one.device, one.asset)).collect();
                // Of its own: it is there for as long as this thread is.
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                Self::Fhir(Resources::new(assets), server.clone(), runtime)
            }
        })
    }

    const fn takes(&self, kind: Kind) -> bool {
        !matches!((self, kind), (Self::Hl7(..), Kind::Waves))
    }

    /// Packs a reading; whether it has a place in the format.
    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        match self {
            Self::Hl7(messages, _) => Ok(messages.add(reading)),
            Self::Fhir(resources, ..) => resources.add(&reading),
        }
    }

    /// Sends what is packed; whether all of it was answered.
    fn send(&mut self, insist: &mut Insist<'_>) -> bool {
        match self {
            Self::Hl7(messages, engine) => {
                let mut ready = messages.take(true).into_iter();
                ready.all(|message| insist(&mut || Ok(vec![engine.send(&message)?])))
            }
            Self::Fhir(resources, server, runtime) => {
                let ready = resources.take(true);
                let mut parts = ready.chunks(BUNDLE_MAX);
                parts.all(|part| insist(&mut || runtime.block_on(server.send(part))))
            }
        }
    }
}

/// Feeds until it is over.
pub fn run(store: &Location, feed: &Feed, is_over: impl Fn() -> bool) {
    let mut pause = LOOK;
    while !is_over() {
        let Err(error) = go_on(store, feed, &mut pause, &is_over) else { return };
        tracing::warn!(feed = feed.name, "the store cannot be read; trying again: {error:#}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Feeds until it is over, or something fails; what was sent by then is written down if it can be.
fn go_on(
    store: &Location,
    feed: &Feed,
    pause: &mut Duration,
    is_over: &dyn Fn() -> bool,
) -> anyhow::Result<()> {
    let db = Db::open(store)?;
    let opened = Reader::open(&db, Selection::default())?;
    let reader = opened.context("the store cannot be read")?.by(PAGE);
    let way = Way::of(feed, &db)?;
    let cursor = Cursor::open(&db, &feed.name, &reader, way.takes(Kind::Waves))?;
    let db = &db;
    let mut passage = Passage { db, reader, way, cursor, is_over, looked_ns: 0 };
    let ended = passage.go(pause);
    passage.cursor.keep(db)?;
    ended
}

struct Passage<'a> {
    db: &'a Db,
    reader: Reader<'a>,
    way: Way,
    cursor: Cursor,
    is_over: &'a dyn Fn() -> bool,
    /// When it was last looked whether something has a date now, UTC nanoseconds.
    looked_ns: i64,
}

impl Passage<'_> {
    fn go(&mut self, pause: &mut Duration) -> anyhow::Result<()> {
        while !(self.is_over)() {
            let any = self.pass()?;
            *pause = LOOK;
            if !any {
                self.cursor.keep(self.db)?;
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// A page of each kind; whether there was anything.
    fn pass(&mut self) -> anyhow::Result<bool> {
        let mut any = false;
        let now = clock::now().0;
        let looks = !(0..DATED_LOOK_NS).contains(&(now - self.looked_ns));
        if looks {
            self.looked_ns = now;
        }
        for kind in ORDER {
            if !self.way.takes(kind) {
                continue;
            }
            any |= self.page(kind)?;
            while looks && self.dated_by_now(kind)? {
                any = true;
            }
        }
        Ok(any)
    }

    fn page(&mut self, kind: Kind) -> anyhow::Result<bool> {
        let (after, until) = (self.cursor.after(kind), self.reader.last(kind)?);
        let Some(end) = self.reader.page_end(kind, (after, until))? else { return Ok(false) };
        // Before the page is read: what is dated meanwhile is then sent twice, and never not.
        let guessed = self.cursor.guessed(self.db, kind, end)?;
        let left_out = self.pack(kind, (after, end))?;
        if !self.send() {
            return Ok(false);
        }
        self.cursor.reached(kind, end, guessed, left_out);
        self.cursor.keep_sometimes(self.db)?;
        Ok(true)
    }

    /// Packs rows; how many readings have no place in the format.
    fn pack(&mut self, kind: Kind, rows: (i64, i64)) -> anyhow::Result<i64> {
        let (way, mut left_out) = (&mut self.way, 0);
        self.reader.rows(kind, rows, |reading| {
            left_out += i64::from(!way.add(reading)?);
            Ok(())
        })?;
        Ok(left_out)
    }

    /// Sends what had no date when it was passed, and has one now; whether there may be more.
    fn dated_by_now(&mut self, kind: Kind) -> anyhow::Result<bool> {
        let dated = self.cursor.dated_by_now(self.db, kind)?;
        for (first, last) in &dated {
            self.pack(kind, (first - 1, *last))?;
        }
        if dated.is_empty() || !self.send() {
            return Ok(false);
        }
        self.cursor.has_sent(self.db, kind, &dated)?;
        Ok(true)
    }

    /// Sends what is packed, each until it is taken or refused for good; whether all of it was.
    fn send(&mut self) -> bool {
        let (cursor, is_over) = (&mut self.cursor, self.is_over);
        self.way.send(&mut |say| {
            let mut pause = LOOK;
            loop {
                match say() {
                    Ok(answers) => {
                        cursor.counted(&answers);
                        return true;
                    }
                    Err(error) => tracing::warn!("a feed stands, and tries again: {error:#}"),
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                if is_over() {
                    return false;
                }
            }
        })
    }
}
