//! `ward thin`: the line over a link of a few kilobits a second, in a network namespace.
//!
//! The gateway's agent runs in the namespace and reaches the proxy over a pair of virtual devices;
//! everything else stays outside. Whoever calls has made namespace and devices; the rates are set
//! here. First an old alert must leave and be receipted on the thinnest link while vitals wait;
//! then a bed speaks over a thin one, which must not be torn down; then everything must drain.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rig::ledger::Ledger;
use rig::proxy::{Hazards, Hole, Proxy};
use rig::site::{BrokerKind, Programs, Site};
use serde::Serialize;
use serde_json::Value;

use crate::choice::{BrokerChoice, broker_name};
use crate::hazards::site::{Beds, build, number, settle};
use crate::report::show_differences;

/// Runs the line over a thin link.
#[derive(Debug, clap::Args)]
pub struct Thin {
    /// The namespace of the gateway.
    #[arg(long)]
    namespace: String,
    /// Our end of the pair.
    #[arg(long)]
    device: String,
    /// The gateway's end of the pair.
    #[arg(long)]
    peer: String,
    /// Address of our end.
    #[arg(long)]
    address: Ipv4Addr,
    /// Rate of the thinnest link, as tc understands it.
    #[arg(long, default_value = "1kbit")]
    thinnest: String,
    /// Rate of the thin link.
    #[arg(long, default_value = "64kbit")]
    thin: String,
    /// How long the bed speaks over the thin link, seconds.
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Which broker.
    #[arg(long, value_enum, default_value = "rig")]
    broker: BrokerChoice,
    /// Decides the patients.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// The last line.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    broker: &'static str,
    /// From the link's return to the receipt of the old alert, on the thinnest link.
    alert_receipted_after_s: f64,
    /// Bytes of vitals that waited at that moment.
    vital_bytes_waiting: u64,
    thinnest_connects: u64,
    thinnest_rebuilds: u64,
    thin_connects: u64,
    thin_rebuilds: u64,
    /// Bytes without a receipt when the bed had spoken over the thin link.
    thin_backlog_bytes: u64,
    lost: u64,
    duplicates: u64,
    altered: u64,
    produced: u64,
}

/// Until the line runs.
const START_PATIENCE: Duration = Duration::from_secs(25);
/// A bed speaks so long while the link is away.
const AWAY: Duration = Duration::from_secs(6);
/// Handshake, keyring, the segment's header and the alert at 125 bytes a second, and a reserve.
const ALERT_WITHIN: Duration = Duration::from_secs(240);
/// For the rest, on a link without a limit.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at the agent.
const LOOK: Duration = Duration::from_millis(250);

impl Thin {
    pub async fn run(self) -> Result<bool> {
        let mut programs = Programs::build()?;
        let folder = tempfile::tempdir()?;
        programs.agent = self.wrap(&programs.agent, folder.path())?;
        let broker = self.broker.kind().unwrap_or(BrokerKind::Rig);
        let listen = SocketAddr::from((self.address, 0));
        let (mut site, proxy) = build(programs, broker, listen).await?;
        let mut report = Report { schema: 1, broker: broker_name(broker), ..Report::default() };
        let ledger = self.tell(&mut site, &proxy, &mut report).await;
        let ledger = ledger.with_context(|| site.last_words())?;
        show_differences(&ledger);
        (report.lost, report.altered) = (ledger.lost, ledger.altered);
        (report.duplicates, report.produced) = (ledger.duplicates_stored, ledger.produced);
        println!("{}", serde_json::to_string(&report)?);
        let kept = report.thinnest_rebuilds + report.thin_rebuilds == 0
            && (report.thinnest_connects, report.thin_connects) == (1, 0);
        Ok(ledger.is_clean() && kept && report.vital_bytes_waiting > 0)
    }

    async fn tell(&self, site: &mut Site, proxy: &Proxy, report: &mut Report) -> Result<Ledger> {
        site.start_all(START_PATIENCE).await?;
        site.wait_for_receipts(START_PATIENCE).await?;
        let hole = Hazards { up: Hole::Swallowed, down: Hole::Swallowed, ..Hazards::default() };
        proxy.set(hole);
        let first = Beds::begin(site, 0, self.seed);
        tokio::time::sleep(AWAY).await;
        let mut said = vec![first.end().await?];
        self.rate(Some(&self.thinnest))?;
        let before = status(site).await;
        proxy.cut();
        proxy.set(Hazards::default());
        let back = Instant::now();
        let alert = wait_for_alert(site, back + ALERT_WITHIN).await?;
        report.alert_receipted_after_s = back.elapsed().as_secs_f64();
        report.vital_bytes_waiting = backlog(&alert, "vital");
        (report.thinnest_connects, report.thinnest_rebuilds) = since(&before, &alert);
        eprintln!("the alert had its receipt after {:.1} s", report.alert_receipted_after_s);

        self.rate(Some(&self.thin))?;
        let second = Beds::begin(site, 1, self.seed);
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        let after = status(site).await;
        (report.thin_connects, report.thin_rebuilds) = since(&alert, &after);
        report.thin_backlog_bytes = number(&after, "backlog_bytes");
        self.rate(None)?;
        said.push(second.end().await?);
        site.wait_for_receipts(DRAINED_WITHIN).await?;
        settle(site, &said)
    }

    /// The agent as it is started in the namespace.
    fn wrap(&self, agent: &Path, folder: &Path) -> Result<std::path::PathBuf> {
        let path = folder.join("wardline");
        let agent = agent.canonicalize()?;
        let line = format!("exec ip netns exec {} {} \"$@\"\n", self.namespace, agent.display());
        fs::write(&path, format!("#!/bin/sh\n{line}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Sets the rate of both ends; `None` takes the limit away. The queue is that of a modem.
    fn rate(&self, rate: Option<&str>) -> Result<()> {
        let inside = ["netns", "exec", &self.namespace, "tc"];
        for (program, head, device) in
            [("tc", &[][..], &self.device), ("ip", &inside[..], &self.peer)]
        {
            let mut command = Command::new(program);
            command.args(head).args(["qdisc", if rate.is_some() { "replace" } else { "del" }]);
            command.args(["dev", device, "root"]);
            if let Some(rate) = rate {
                command.args(["tbf", "rate", rate, "burst", "1500", "limit", "30000"]);
            }
            let done = command.status().context("tc cannot be started")?;
            if !done.success() {
                bail!("{command:?}: {done}");
            }
        }
        Ok(())
    }
}

async fn status(site: &Site) -> Value {
    site.agent_status().await.unwrap_or_default()
}

/// Connections and rebuilt clients between two looks.
fn since(before: &Value, after: &Value) -> (u64, u64) {
    let more = |key| number(after, key) - number(before, key);
    (more("connects"), more("rebuilds"))
}

fn backlog(status: &Value, lane: &str) -> u64 {
    let lanes = status["lanes"].as_array().into_iter().flatten();
    let bytes = |shown: &Value| number(shown, "backlog_bytes");
    lanes.filter(|shown| shown["lane"] == lane).map(bytes).sum()
}

/// Waits until every alert has its receipt; the status at that moment.
async fn wait_for_alert(site: &Site, until: Instant) -> Result<Value> {
    loop {
        let now = status(site).await;
        if now["connected"] == true && backlog(&now, "alert") == 0 {
            return Ok(now);
        }
        if Instant::now() > until {
            bail!("the alert has no receipt in time; the gateway says {now}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
