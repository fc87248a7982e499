//! `ward hl7`: HL7 messages to an agent that is killed again and again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cloud_sink::store::db::Db;
use rig::mllp::{DEVICE, Sender, framed, oru};
use rig::random::Random;
use rig::site::{Intake, Plan, Programs, Role, Site, free_port};
use serde::Serialize;
use tokio::process::Command;

/// Sends messages to a real gateway that is killed again and again. No message may be acknowledged
/// whose reading does not get into the sink's store, and none may get there twice.
#[derive(Debug, clap::Args)]
pub struct Hl7Command {
    /// How often the agent is killed.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// `mllp_send` of the PyPI package hl7, which sends in every fifth life of the agent.
    #[arg(long, value_name = "FILE")]
    mllp_send: Option<PathBuf>,
    /// Seed of everything random; a new one without it.
    #[arg(long)]
    seed: Option<u64>,
    /// One line of JSON at the end.
    #[arg(long)]
    json: bool,
}

/// What was sent, said and stored.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    seed: u64,
    kills: u32,
    /// Messages that were sent, and of these by `mllp_send`.
    sent: u64,
    sent_by_peer: u64,
    /// Times that one was sent again.
    repeats: u64,
    /// Messages that were acknowledged before the last life.
    acknowledged: u64,
    stored: u64,
    /// Acknowledged and not stored.
    lost: Vec<u64>,
    /// Stored more than once.
    doubled: Vec<u64>,
}

/// Life of an agent from the time that it listens, milliseconds.
const LIFE: (u64, u64) = (1, 120);
const PEER_LIFE: (u64, u64) = (150, 400);
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// For what was acknowledged to be in the store.
const DRAIN_WITHIN: Duration = Duration::from_secs(120);
/// Messages that the peer is given for one life.
const PEER_MESSAGES: u64 = 40;

struct Ward {
    site: Site,
    port: u16,
    random: Random,
    next: u64,
    /// What was sent and not acknowledged.
    open: Vec<u64>,
    acknowledged: Vec<u64>,
    report: Report,
}

impl Hl7Command {
    /// Runs it; whether everything agrees.
    ///
    /// # Errors
    /// The site fails.
    pub async fn run(self) -> Result<bool> {
        let seed = self.seed.unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("ward: seed {seed}");
        let port = free_port()?;
        let plan = Plan { broker: None, intakes: vec![Intake::Hl7(port)], flush: None };
        let mut site = Site::prepare(Programs::build()?, &plan).await?;
        site.start_all(Duration::from_secs(15)).await?;
        let report = Report { schema: 1, seed, kills: self.kills, ..Report::default() };
        let (random, open, acknowledged) = (Random::new(seed), Vec::new(), Vec::new());
        let mut ward = Ward { site, port, random, next: 1, open, acknowledged, report };
        for life in 0..self.kills {
            match self.mllp_send.as_ref().filter(|_| life % 5 == 4) {
                Some(peer) => ward.live_with_peer(peer).await?,
                None => ward.live().await?,
            }
        }
        ward.report.acknowledged = ward.acknowledged.len() as u64;
        ward.end().await?;
        let Report { sent, stored, lost, doubled, .. } = &ward.report;
        if self.json {
            println!("{}", serde_json::to_string(&ward.report)?);
        } else {
            println!("{sent} messages sent, {stored} stored, lost {lost:?}, twice {doubled:?}");
        }
        Ok(lost.is_empty() && doubled.is_empty() && stored == sent)
    }
}

impl Ward {
    /// One life of the agent: messages until it is killed, first those that wait for an answer.
    async fn live(&mut self) -> Result<()> {
        let mut sender = self.listening().await?;
        let life = LIFE.0 + self.random.below(LIFE.1 - LIFE.0);
        let until = tokio::time::Instant::now() + Duration::from_millis(life);
        while let Ok(Ok(())) = tokio::time::timeout_at(until, self.say(&mut sender)).await {}
        self.site.kill(Role::Agent)?;
        // What it had said before is still under way to us.
        if let Ok(Ok(code)) = tokio::time::timeout(Duration::from_secs(1), sender.answer()).await {
            self.hear(&code)?;
        }
        self.site.start(Role::Agent)
    }

    /// Says one message, and takes the answer.
    async fn say(&mut self, sender: &mut Sender) -> Result<()> {
        let number = match self.open.first() {
            Some(number) => {
                self.report.repeats += 1;
                *number
            }
            None => self.new_message(),
        };
        sender.write(&framed(oru(DEVICE, number, 1).as_bytes())).await?;
        let code = sender.answer().await?;
        self.hear(&code)
    }

    fn new_message(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.push(number);
        number
    }

    /// The first that waits is answered.
    fn hear(&mut self, code: &str) -> Result<()> {
        if code != "AA" {
            bail!("a message was answered {code}\n{}", self.site.last_words());
        }
        if !self.open.is_empty() {
            self.acknowledged.push(self.open.remove(0));
        }
        Ok(())
    }

    /// One life in which the peer sends from a file, one after the other, as it does.
    async fn live_with_peer(&mut self, peer: &PathBuf) -> Result<()> {
        drop(self.listening().await?);
        while (self.open.len() as u64) < PEER_MESSAGES {
            self.new_message();
        }
        self.report.sent_by_peer += self.open.len() as u64;
        let messages: Vec<String> =
            self.open.iter().map(|number| oru(DEVICE, *number, 1)).collect();
        let file = self.site.folder().join("messages.hl7");
        std::fs::write(&file, messages.concat())?;
        let mut command = Command::new(peer);
        command.args(["--loose", "--port", &self.port.to_string(), "--file"]).arg(&file);
        command.arg("127.0.0.1").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().with_context(|| peer.display().to_string())?;
        let life = PEER_LIFE.0 + self.random.below(PEER_LIFE.1 - PEER_LIFE.0);
        tokio::time::sleep(Duration::from_millis(life)).await;
        self.site.kill(Role::Agent)?;
        let said = String::from_utf8_lossy(&child.wait_with_output().await?.stdout).into_owned();
        for answered in said.split("MSA|AA|").skip(1) {
            let digits: String = answered.chars().take_while(char::is_ascii_digit).collect();
            let number: u64 = digits.parse().context("an answer names no message")?;
            if let Some(at) = self.open.iter().position(|open| *open == number) {
                self.acknowledged.push(self.open.remove(at));
            }
        }
        self.site.start(Role::Agent)
    }

    /// Waits until the agent listens.
    async fn listening(&mut self) -> Result<Sender> {
        let until = Instant::now() + LISTENS_WITHIN;
        loop {
            if let Ok(sender) = Sender::connect(self.port).await {
                return Ok(sender);
            }
            self.site.check_running()?;
            if Instant::now() > until {
                bail!("the agent does not listen\n{}", self.site.last_words());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The last life: everything is acknowledged, and looked for in the store.
    async fn end(&mut self) -> Result<()> {
        let mut sender = self.listening().await?;
        while !self.open.is_empty() {
            self.say(&mut sender).await?;
        }
        self.site.wait_for_receipts(DRAIN_WITHIN).await?;
        let db = Db::open(&self.site.location()?)?;
        let sql = "SELECT numeric.mantissa FROM numeric JOIN series ON series.id = numeric.series";
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for row in db.rows(sql, &[])? {
            *counts.entry(row.at::<i64>(0)?.unsigned_abs()).or_default() += 1;
        }
        self.report.sent = self.next - 1;
        self.report.stored = counts.len() as u64;
        let is_lost = |number: &&u64| !counts.contains_key(number);
        self.report.lost = self.acknowledged.iter().filter(is_lost).copied().collect();
        let twice = counts.iter().filter(|(_, count)| **count > 1);
        self.report.doubled = twice.map(|(number, _)| *number).collect();
        Ok(())
    }
}
