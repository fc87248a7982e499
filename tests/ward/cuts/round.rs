//! One gateway: provisioned, started and cut again and again, then healed and settled.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rig::faultfs::{Cut, FaultFs, Faults};
use rig::random::Random;
use rig::site::{BrokerKind, Ground, Intake, Plan, Programs, Role, Site};

use super::Tally;
use crate::hazards::site::settle;
use crate::talker::{Talker, Tone};
use crate::vitals::Vitals;

/// Two cuts while a gateway is provisioned, one in its first start, and two under load.
pub const CUTS_MIN: u64 = 5;

/// Where the device talks.
const SOCKET: &str = "bed.sock";
/// Short, so that something is acknowledged between two cuts.
const FLUSH: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(2);
/// From the start of the process to the first acknowledgement of what is new.
const START_WITHIN: Duration = Duration::from_secs(10);
/// For the rest, once no power goes any more.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);
/// In the control the chain may be torn so that some of it never gets a receipt.
const CONTROL_DRAINED_WITHIN: Duration = Duration::from_secs(5);
/// A cut comes at most this long after the start, or after the first acknowledgement.
const EARLY_MS: u64 = 60;
const LATE_MS: u64 = 120;
/// A fault lasts at most this long before the cut.
const FAULT_MS: u64 = 120;

/// One gateway's round.
pub struct Round {
    pub number: u32,
    pub cuts: u64,
    pub without_sync: bool,
    pub random: Random,
    pub tally: Tally,
}

/// What was wrong before a cut.
#[derive(Clone, Copy)]
enum Kind {
    /// The agent was still starting.
    Early,
    /// Nothing, and there is no cut: only the process dies.
    Killed,
    /// Nothing.
    Plain,
    /// Syncs failed.
    SyncFails,
    /// The medium was full.
    Full,
    /// The medium was read-only.
    ReadOnly,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Early => "while starting",
            Self::Killed => "none",
            Self::Plain => "under load",
            Self::SyncFails => "after failed syncs",
            Self::Full => "while full",
            Self::ReadOnly => "while read-only",
        }
    }
}

impl Round {
    /// # Errors
    /// The round could not be brought to its end; what was counted until then stays counted.
    pub async fn run(&mut self, programs: Programs) -> Result<()> {
        let place = tempfile::Builder::new().prefix("ward-fs-").tempdir()?;
        let fs = FaultFs::mount(place.path(), self.random.number())
            .context("the fault file system cannot be mounted: /dev/fuse and root are needed")?;
        let mut site = self.provision(programs, &fs, place.path()).await?;
        let told = self.tell(&mut site, &fs).await;
        self.tally.counts.calls_refused = fs.refused();
        let words = site.last_words();
        // Whoever has files open on the file system ends before it does.
        drop(site);
        told.with_context(|| words)
    }

    /// Provisions a gateway whose power goes after each step.
    async fn provision(
        &mut self,
        programs: Programs,
        fs: &FaultFs,
        place: &std::path::Path,
    ) -> Result<Site> {
        let plan = Plan {
            broker: Some(BrokerKind::Rig),
            intakes: vec![Intake::Unix(SOCKET.into())],
            flush: Some(FLUSH),
        };
        let taken = Mutex::new(Vec::new());
        let after_step = || {
            if let Ok(mut taken) = taken.lock() {
                taken.push(fs.cut());
            }
        };
        let state = place.join("gateway/state");
        let ground =
            Ground { state: &state, quota_mib: None, free_mib: None, after_step: &after_step };
        let site = Site::prepare_on(programs, &plan, Some(&ground)).await;
        for cut in taken.into_inner().unwrap_or_default() {
            self.count("while provisioning", cut);
        }
        site
    }

    async fn tell(&mut self, site: &mut Site, fs: &FaultFs) -> Result<()> {
        // What a sink has taken at once cannot be lost any more: the control keeps it away.
        if !self.without_sync {
            start_cloud(site)?;
        }
        fs.ail(|faults| faults.forgets_sync = self.without_sync);
        let patience = DRAINED_WITHIN;
        let tone = Tone { number: self.number, pause: PAUSE, patience };
        let mut talker = Talker::begin(site.intake_folder().join(SOCKET), tone);
        self.cut_while(site, fs, &mut talker, Kind::Early).await?;
        while self.tally.counts.cuts() < self.cuts {
            let kind = self.pick();
            self.cut_while(site, fs, &mut talker, kind).await?;
        }
        if self.without_sync {
            start_cloud(site)?;
        }
        self.start(site, &mut talker).await?;
        let said = talker.end().await?;
        let within = if self.without_sync { CONTROL_DRAINED_WITHIN } else { DRAINED_WITHIN };
        let drained = site.wait_for_receipts(within).await;
        self.look(site);
        self.tally.ledger = tokio::task::block_in_place(|| settle(site, &[said]))?;
        if self.without_sync { Ok(()) } else { drained }
    }

    fn pick(&mut self) -> Kind {
        match self.random.below(11) {
            0 | 1 => Kind::Early,
            10 => Kind::Killed,
            2 => Kind::SyncFails,
            3 => Kind::Full,
            4 => Kind::ReadOnly,
            _ => Kind::Plain,
        }
    }

    /// Starts the agent, lets it run into something, and cuts its power.
    async fn cut_while(
        &mut self,
        site: &mut Site,
        fs: &FaultFs,
        talker: &mut Talker,
        kind: Kind,
    ) -> Result<()> {
        if matches!(kind, Kind::Early) {
            site.start(Role::Agent)?;
            self.let_pass(EARLY_MS).await;
        } else {
            self.start(site, talker).await?;
            self.let_pass(LATE_MS).await;
        }
        let (syncs_good, syncs_fail) =
            (self.random.below(5) as u32, 1 + self.random.below(4) as u32);
        fs.ail(|faults| match kind {
            Kind::Early | Kind::Killed | Kind::Plain => {}
            Kind::SyncFails => *faults = Faults { syncs_good, syncs_fail, ..*faults },
            Kind::Full => faults.full = true,
            Kind::ReadOnly => faults.read_only = true,
        });
        if !matches!(kind, Kind::Early | Kind::Killed | Kind::Plain) {
            self.let_pass(FAULT_MS).await;
        }
        if let Err(error) = site.check_running() {
            self.tally.counts.failed_starts += 1;
            eprintln!("ward: {error:#}");
        }
        self.look(site);
        if matches!(kind, Kind::Killed) {
            self.tally.counts.kills += 1;
            return site.kill(Role::Agent).map(drop);
        }
        // First the power and then the process: a sync that is under way does not come to its end.
        fs.power_off();
        site.kill(Role::Agent)?;
        let cut = fs.cut();
        self.count(kind.name(), cut);
        Ok(())
    }

    /// Starts the agent and waits until a device is acknowledged something new.
    async fn start(&mut self, site: &mut Site, talker: &mut Talker) -> Result<()> {
        let (before, began) = (talker.acknowledged(), Instant::now());
        site.start(Role::Agent)?;
        self.tally.counts.starts += 1;
        let acknowledged = talker.wait_beyond(before, START_WITHIN).await;
        let took_ms = began.elapsed().as_millis() as u64;
        self.tally.counts.slowest_start_ms = self.tally.counts.slowest_start_ms.max(took_ms);
        if !acknowledged {
            self.tally.counts.failed_starts += 1;
            bail!("nothing was acknowledged {START_WITHIN:?} after a start");
        }
        Ok(())
    }

    /// The moment of a cut is random: that is what is tried here.
    async fn let_pass(&mut self, most_ms: u64) {
        let micros = self.random.below(most_ms * 1000);
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    fn look(&mut self, site: &Site) {
        let seen = site.id(Role::Agent).and_then(|id| Vitals::of(id).ok());
        self.tally.vitals = self.tally.vitals.or_more(seen.unwrap_or_default());
    }

    fn count(&mut self, kind: &'static str, cut: Cut) {
        *self.tally.counts.kinds.entry(kind).or_default() += 1;
        self.tally.taken.pieces += cut.pieces;
        self.tally.taken.pieces_lost += cut.pieces_lost;
        self.tally.taken.names_lost += cut.names_lost;
    }
}

fn start_cloud(site: &mut Site) -> Result<()> {
    site.start(Role::Broker)?;
    site.start(Role::Sink)
}
