//! `ward`: beds, agent, broker and sink on this machine, an outage, and the ledger at the end.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rig::device::bed::{Bed, Shift};
use rig::device::{Device, Manner, Port, Progress, PseudoTerminal, Said};
use rig::ledger::Ledger;
use rig::site::{Intake, Plan, Programs, Role, Site};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::chaos::{self, Blow};
use crate::choice::{BrokerChoice, broker_name, duration};
use crate::report::{DemoReport, show_differences};
use crate::stage::Stage;

/// Runs the demo.
#[derive(Clone, Debug, clap::Args)]
pub struct Demo {
    /// How long the beds speak.
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = duration)]
    length: Duration,
    /// Simulated beds: 30 numerics a second and 4 waves at 250 Hz each.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=200))]
    beds: u32,
    /// How long the gateway cannot reach the broker, in the middle of the run; 0s for never.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    outage: Duration,
    /// Decides the patients and the schedule of chaos.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Kills agent, broker and sink with SIGKILL, each at least once.
    #[arg(long)]
    chaos: bool,
    /// Which broker.
    #[arg(long, value_enum, default_value = "auto")]
    broker: BrokerChoice,
    /// Prints one line of JSON at the end; everything else goes to standard error.
    #[arg(long)]
    json: bool,
    /// Does not open the page in a browser where there is a desktop.
    #[arg(long)]
    no_browser: bool,
    /// Keeps the folder with configurations, keys, buffer, store and logs.
    #[arg(long)]
    keep: bool,
}

/// Everything must be acknowledged, and receipted, within this time after the last word.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often the demo looks at the line.
const LOOK: Duration = Duration::from_millis(100);
/// The outage begins after this part of the run.
const OUTAGE_AT: f64 = 0.4;
const MANNER: Manner = Manner { window_frames: 64, resend_after: Duration::from_millis(2500) };

const WORDS: &str = "\
The path of a reading:
  bed -> pseudo-terminal -> wardline (seal, buffer, fdatasync) -> MQTT 5 over TLS 1.3 -> broker
      -> wardline-sink (verify, open, store) -> signed receipt -> wardline forgets its copy
Every part is the real one; only the patients are simulated. Informational, not an alarm system.";

/// A demo under way.
struct Run {
    demo: Demo,
    site: Site,
    stage: Stage,
    began: Instant,
    blows: Vec<Blow>,
    returns: Vec<(Instant, Role)>,
    report: DemoReport,
}

impl Demo {
    pub async fn run(self) -> Result<bool> {
        let programs = Programs::build()?;
        let terminals: Vec<PseudoTerminal> =
            (0..self.beds).map(|_| PseudoTerminal::new()).collect::<Result<_, _>>()?;
        let serial = |terminal: &PseudoTerminal| Intake::Serial(terminal.path().to_owned());
        let intakes = terminals.iter().map(serial).collect();
        let plan = Plan { broker: self.broker.kind(), intakes, flush: None };
        let mut site = Site::prepare(programs, &plan).await?;
        if self.keep {
            eprintln!("everything stays in {}", site.keep().display());
        }
        site.start_all(Duration::from_secs(15)).await?;
        let (seed, broker, beds) = (self.seed, broker_name(site.broker()), self.beds);
        let report = DemoReport { schema: 1, seed, beds, broker, ..DemoReport::default() };
        let blows = if self.chaos { chaos::schedule(seed, self.length) } else { Vec::new() };
        let link = site.view_link("engineer")?;
        let stage = Stage::open(&link).await?;
        let began = Instant::now();
        let run = Run { demo: self, site, stage, began, blows, returns: Vec::new(), report };
        run.say_what_comes();
        run.run_out(terminals).await
    }
}

impl Run {
    fn say_what_comes(&self) {
        let Demo { beds, length, outage, seed, .. } = &self.demo;
        let mut words = vec![WORDS.to_owned()];
        words.push(format!(
            "{beds} beds for {length:?}, seed {seed}, broker: {}.",
            self.report.broker
        ));
        if !outage.is_zero() {
            let at = length.mul_f64(OUTAGE_AT);
            words.push(format!("After {at:?} the gateway cannot reach the broker for {outage:?}."));
        }
        for Blow { at, role, down } in &self.blows {
            let name = role.name();
            words
                .push(format!("After {at:.1?} the {name} is killed (-9) and stays away {down:?}."));
        }
        words.push(format!("The page, for one sign-in: {}", self.stage.link()));
        let admin = self.site.sink_command("link --role admin");
        words.push(format!("Another, of another role: {admin}"));
        if !self.demo.no_browser {
            self.stage.show();
        }
        let words = words.join("\n");
        if self.demo.json { eprintln!("{words}") } else { println!("{words}") }
    }

    async fn run_out(mut self, terminals: Vec<PseudoTerminal>) -> Result<bool> {
        let (_stop, stopped) = watch::channel(false);
        let mut beds = self.begin(terminals, &stopped);
        let bar = ProgressBar::new(self.demo.length.as_millis() as u64);
        let style = "{wide_bar} {elapsed} {msg}";
        bar.set_style(ProgressStyle::with_template(style).context("the bar's template is wrong")?);
        let mut said: Vec<Said> = Vec::new();
        loop {
            let wake = tokio::time::sleep(LOOK);
            tokio::select! {
                ended = beds.join_next() => match ended {
                    None => break,
                    Some(ended) => {
                        let ended = ended.context("a bed has failed")?;
                        let (words, progress) =
                            ended.with_context(|| self.site.last_words())?;
                        self.report.frames_resent += progress.resent;
                        said.push(words);
                    }
                },
                () = wake => self.look(&bar).await?,
            }
        }
        self.mend()?;
        bar.set_message("waiting for the last receipts");
        self.site.wait_for_receipts(PATIENCE).await?;
        bar.finish_and_clear();
        let silent = self.began + self.demo.length;
        self.report.drain_ms = silent.elapsed().as_millis() as u64;
        self.settle(&said)
    }

    fn begin(
        &self,
        terminals: Vec<PseudoTerminal>,
        stopped: &watch::Receiver<bool>,
    ) -> JoinSet<Result<(Said, Progress)>> {
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as i64;
        let seconds = self.demo.length.as_secs_f64().ceil() as u64;
        let mut beds = JoinSet::new();
        for (number, terminal) in (0u32..).zip(terminals) {
            // Neighbouring beds do not speak in step.
            let later = Duration::from_millis(u64::from(number) * 137 % 1000);
            let shift = Shift {
                begins: self.began + later,
                begins_ns: (now_ms + later.as_millis() as i64) * 1_000_000,
                seconds,
                restart_after: self.demo.chaos.then(|| u64::from(number) % seconds.max(1)),
                stop: stopped.clone(),
            };
            let device = Device::start(Port::Pty(terminal), MANNER);
            let bed = Bed::new(number, self.demo.seed, device);
            beds.spawn(bed.work(shift, PATIENCE));
        }
        beds
    }

    /// Looks at the line, and strikes it where the plan says so.
    async fn look(&mut self, bar: &ProgressBar) -> Result<()> {
        self.site.check_running()?;
        let elapsed = self.began.elapsed();
        let outage_at = self.demo.length.mul_f64(OUTAGE_AT);
        let out = elapsed >= outage_at && elapsed < outage_at + self.demo.outage;
        let out = out || self.stage.is_cut();
        self.site.forwarder().open(!out);
        while let Some(blow) = self.blows.first().copied().filter(|blow| blow.at <= elapsed) {
            self.blows.remove(0);
            self.report.kills += u64::from(self.site.kill(blow.role)?);
            self.returns.push((Instant::now() + blow.down, blow.role));
        }
        let now = Instant::now();
        for (_, role) in self.returns.extract_if(.., |(at, _)| *at <= now) {
            self.site.start(role)?;
        }
        let status = self.site.agent_status().await.unwrap_or_default();
        let backlog = status["backlog_bytes"].as_u64().unwrap_or(0);
        self.report.backlog_peak = self.report.backlog_peak.max(backlog);
        bar.set_position(elapsed.as_millis() as u64);
        let link = if out { "link cut" } else { "link up" };
        bar.set_message(format!("{link}, {} kills, backlog {backlog} B", self.report.kills));
        Ok(())
    }

    /// Whoever is down comes back, and the link with them.
    fn mend(&mut self) -> Result<()> {
        self.site.forwarder().open(true);
        Role::ALL.into_iter().try_for_each(|role| self.site.start(role))
    }

    /// Compares, and says the result; whether nothing is lost, doubled or altered.
    fn settle(mut self, said: &[Said]) -> Result<bool> {
        let mut ledger = Ledger::default();
        for said in said {
            let out = self.site.folder().join("export").join(said.device.to_string());
            self.site.export(said.device, &out)?;
            ledger.compare(said, &out)?;
        }
        let status = self.site.sink_status()?;
        let report = &mut self.report;
        report.judge(&ledger);
        report.gaps_declared = status["gap_records"].as_u64().unwrap_or(0);
        report.redelivered = status["records_double"].as_u64().unwrap_or(0);
        let traffic = self.site.forwarder().traffic();
        report.reconnects = traffic.connections.saturating_sub(1);
        report.bytes_up = traffic.bytes_up;
        show_differences(&ledger);
        if self.demo.json {
            eprint!("{}", report.table());
            println!("{}", serde_json::to_string(report)?);
        } else {
            print!("{}", report.table());
        }
        Ok(ledger.is_clean())
    }
}
