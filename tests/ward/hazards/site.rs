//! One site and one hazard.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use rig::device::bed::{Bed, Shift};
use rig::device::{Device, Manner, Port, Progress, Said};
use rig::ledger::Ledger;
use rig::proxy::{Hazards, Proxy};
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::Outcome;
use super::list::{Action, Hazard};

/// With what a hazard is tried.
pub struct Trial {
    pub programs: Programs,
    pub broker: BrokerKind,
    pub seed: u64,
    pub number: u32,
}

/// Where the beds speak.
pub const SOCKET: &str = "beds.sock";
const MANNER: Manner = Manner { window_frames: 256, resend_after: Duration::from_secs(3) };
/// Until the line runs, and until a process that was killed is up again.
const START_PATIENCE: Duration = Duration::from_secs(25);
/// After its end a hazard is overcome within this time, back-off of a minute's storm included.
const MENDED_WITHIN: Duration = Duration::from_secs(60);
/// One deadline more than a hazard lasts: the second stall may need a probe of its own.
const REBUILT_WITHIN: Duration = Duration::from_secs(16);
/// For the last acknowledgement of a device.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);
/// A killed process stays away so long.
const AWAY: Duration = Duration::from_secs(3);
/// A bed says ten times a second what its waves did; a device that is held back says less.
const FRAMES_A_SECOND: u64 = 5;
/// Longer than any trial.
const SHIFT_SECONDS: u64 = 600;

/// A bed that speaks until it is told to stop.
pub struct Beds {
    task: JoinHandle<Result<(Said, Progress)>>,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
}

impl Beds {
    /// Bed `number` begins to speak to the gateway of a site.
    pub fn begin(site: &Site, number: u32, seed: u64) -> Self {
        Self::begin_behind(site, (number, seed, true), Duration::ZERO)
    }

    /// The same with a shift that began a while ago: what the bed has not said yet, it says as fast
    /// as it is acknowledged, with the times of then, and goes on in real time. Unless it is to be
    /// `compared`, it only counts what it says.
    pub fn begin_behind(
        site: &Site,
        (number, seed, compared): (u32, u64, bool),
        behind: Duration,
    ) -> Self {
        let port = Port::Unix(site.intake_folder().join(SOCKET));
        let device = Device::start(port, MANNER);
        let progress = device.watch();
        let (stop, stopped) = watch::channel(false);
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as i64;
        let shift = Shift {
            begins: Instant::now() - behind,
            begins_ns: (now_ms - behind.as_millis() as i64) * 1_000_000,
            seconds: SHIFT_SECONDS + behind.as_secs(),
            restart_after: None,
            stop: stopped,
        };
        let bed = Bed::new(number, seed, device);
        let bed = if compared { bed } else { bed.counting() };
        let work = bed.work(shift, ACKNOWLEDGED_WITHIN);
        Self { task: tokio::spawn(work), progress, stop }
    }

    /// Frames that the device was acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.progress.borrow().acknowledged
    }

    /// Frames that the device was not acknowledged yet.
    pub fn kept(&self) -> usize {
        self.progress.borrow().kept
    }

    /// Ends the shift; what was said.
    pub async fn end(self) -> Result<Said> {
        self.stop.send_replace(true);
        Ok(self.task.await.context("the bed has failed")??.0)
    }
}

/// Provisions a site whose gateway reaches the broker through a proxy at `listen`.
pub async fn build(
    programs: Programs,
    broker: BrokerKind,
    listen: SocketAddr,
) -> Result<(Site, Proxy)> {
    let intakes = vec![Intake::Unix(SOCKET.into())];
    let plan = Plan { broker: Some(broker), intakes, flush: None };
    let site = Site::prepare(programs, &plan).await?;
    let proxy = Proxy::start(listen, site.broker_port(), &site.papers()).await?;
    let address = proxy.address();
    let host =
        if address.ip().is_loopback() { "localhost".into() } else { address.ip().to_string() };
    site.lead_gateway_to(&host, address.port())?;
    Ok((site, proxy))
}

/// Compares what beds said with what the store holds.
pub fn settle(site: &Site, said: &[Said]) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for said in said {
        let out = site.folder().join("export").join(said.device.to_string());
        site.export(said.device, &out)?;
        ledger.compare(said, &out)?;
    }
    Ok(ledger)
}

/// Tries one hazard from the first reading to the ledger.
pub(super) async fn run(hazard: Hazard, trial: Trial, door: &Mutex<()>) -> Result<Outcome> {
    let (mut site, proxy) = {
        let _turn = door.lock().await;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (mut site, proxy) = build(trial.programs.clone(), trial.broker, listen).await?;
        site.start_all(START_PATIENCE).await?;
        (site, proxy)
    };
    let bed = Beds::begin(&site, trial.number, trial.seed);
    let mut outcome = Outcome::default();
    let ended = endure(&hazard, &mut site, &proxy, &bed, &mut outcome).await;
    let ended = match ended {
        Ok(()) => finish(&hazard, &mut site, bed, &mut outcome).await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        let folder = site.keep();
        outcome.wrong.push(format!("{error:#}; its logs are in {}", folder.display()));
    }
    Ok(outcome)
}

/// The hazard comes and goes; receipts flow before it and after it.
async fn endure(
    hazard: &Hazard,
    site: &mut Site,
    proxy: &Proxy,
    bed: &Beds,
    outcome: &mut Outcome,
) -> Result<()> {
    let mut receipts = proxy.receipt_at();
    let began = Instant::now();
    wait_for(&mut receipts, began, START_PATIENCE).await.context("before the hazard")?;
    let before = bed.acknowledged();
    let fired = proxy.stats().fired;
    let switch = |hazards: Hazards| {
        proxy.set(hazards);
        if hazard.fresh {
            proxy.cut();
        }
    };
    match &hazard.deed {
        Action::Proxy(hazards) => {
            switch(hazards.clone());
            tokio::time::sleep(hazard.lasts).await;
            if hazard.rebuilds {
                wait_for_rebuild(site).await;
            }
        }
        Action::Kill(role) => {
            outcome.fired = u64::from(site.kill(*role)?);
            tokio::time::sleep(AWAY).await;
            if *role == Role::Broker {
                site.empty_broker()?;
            }
        }
    }
    let status = site.agent_status().await.unwrap_or_default();
    outcome.acknowledged = bed.acknowledged() - before;
    outcome.fired += proxy.stats().fired - fired;
    if hazard.parks && number(&status, "records_parked") == 0 {
        outcome.wrong.push("no record was parked".into());
    }
    if hazard.rebuilds && number(&status, "rebuilds") == 0 {
        outcome.wrong.push("the watchdog did not rebuild the client".into());
    }
    let is_off = Instant::now();
    switch(Hazards::default());
    Role::ALL.into_iter().try_for_each(|role| site.start(role))?;
    wait_for(&mut receipts, is_off, MENDED_WITHIN).await.context("after the hazard")?;
    outcome.receipts_after_s = is_off.elapsed().as_secs_f64();
    let left = MENDED_WITHIN.saturating_sub(is_off.elapsed());
    // The bed goes on while the backlog drains; only its last seconds are waited for below.
    outcome.drained_after_s = drained(site, is_off, left).await.as_secs_f64();
    Ok(())
}

/// Waits until the watchdog has rebuilt the client; whether it has is asked afterwards.
async fn wait_for_rebuild(site: &Site) {
    let until = Instant::now() + REBUILT_WITHIN;
    while number(&site.agent_status().await.unwrap_or_default(), "rebuilds") == 0
        && Instant::now() < until
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until the backlog is what a bed says in a few seconds, and returns how long that took.
async fn drained(site: &Site, since: Instant, patience: Duration) -> Duration {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        let status = site.agent_status().await.unwrap_or_default();
        let lanes = status["lanes"].as_array().into_iter().flatten();
        let clinical = lanes.filter(|lane| lane["lane"] != "health");
        let ages: u64 = clinical.map(|lane| number(lane, "backlog_bytes")).sum();
        if status["connected"] == true && ages < LIVE_BYTES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    since.elapsed()
}

/// What one bed may have under way, bytes: two seconds of it.
const LIVE_BYTES: u64 = 12 * 1024;

/// The bed ends, everything is receipted, and the ledger is drawn up.
async fn finish(hazard: &Hazard, site: &mut Site, bed: Beds, outcome: &mut Outcome) -> Result<()> {
    let said = bed.end().await.with_context(|| site.last_words())?;
    site.wait_for_receipts(MENDED_WITHIN).await?;
    let status = site.agent_status().await.unwrap_or_default();
    (outcome.connects, outcome.rebuilds) =
        (number(&status, "connects"), number(&status, "rebuilds"));
    let ledger = tokio::task::block_in_place(|| settle(site, &[said]))?;
    outcome.produced = ledger.produced;
    outcome.lost = ledger.lost;
    outcome.duplicates = ledger.duplicates_stored;
    outcome.altered = ledger.altered;
    let mut claim = |holds: bool, wrong: &str| {
        if !holds {
            outcome.wrong.push(wrong.to_owned());
        }
    };
    claim(ledger.is_clean(), "not everything is stored once and unaltered");
    claim(outcome.produced > 0, "the bed said nothing");
    claim(outcome.fired > 0, "the hazard did nothing");
    claim(outcome.drained_after_s < MENDED_WITHIN.as_secs_f64(), "the backlog did not drain");
    let spoken = match hazard.deed {
        // Without an agent, or before it has recovered, nobody acknowledges.
        Action::Kill(Role::Agent) => 0,
        Action::Kill(_) => AWAY.as_secs() * FRAMES_A_SECOND,
        Action::Proxy(_) => hazard.lasts.as_secs() * FRAMES_A_SECOND,
    };
    claim(outcome.acknowledged >= spoken, "devices were held back while the hazard was on");
    outcome.wrong.extend(ledger.differences);
    Ok(())
}

/// Waits for a receipt that came after a moment.
pub async fn wait_for(
    receipts: &mut watch::Receiver<Option<Instant>>,
    after: Instant,
    patience: Duration,
) -> Result<()> {
    let came = receipts.wait_for(|at| at.is_some_and(|at| at > after));
    let came = tokio::time::timeout(patience, came).await;
    came.with_context(|| format!("no receipt within {patience:?}"))?.context("no proxy")?;
    Ok(())
}

/// A number of a status.
pub fn number(status: &Value, key: &str) -> u64 {
    status[key].as_u64().unwrap_or(0)
}
