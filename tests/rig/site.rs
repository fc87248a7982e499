//! One site: the real `wardline`, a broker and the real `wardline-sink` as processes, provisioned
//! with their own commands, in one temporary folder.
//!
//! The gateway reaches the broker through a forwarder of ours, which can cut the link. Whatever
//! was started here ends when its guard is dropped, also on a panic or an interrupt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cloud_sink::store::db::Location;
use serde_json::Value;
use wire::identity::DeviceId;

use crate::proxy::Papers;

mod credentials;
mod forwarder;
mod layout;
mod process;
mod programs;

pub use forwarder::{Forwarder, Traffic};
pub use layout::{BrokerKind, Ground, Intake, Plan, free_port};
pub use programs::Programs;

use layout::Layout;
pub(crate) use process::Process;

/// One of those that can be killed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// `wardline run`.
    Agent,
    /// mosquitto or the rig's broker.
    Broker,
    /// `wardline-sink run`.
    Sink,
    /// Another one over the same store: the second, the third.
    AnotherSink(u8),
}

impl Role {
    /// The three of every site, in the order in which they are started.
    pub const ALL: [Self; 3] = [Self::Broker, Self::Sink, Self::Agent];

    /// Its name in logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Broker => "broker",
            Self::Sink => "sink",
            Self::AnotherSink(2) => "sink-2",
            Self::AnotherSink(_) => "sink-3",
        }
    }
}

/// A running site.
pub struct Site {
    programs: Programs,
    running: BTreeMap<Role, Process>,
    starts: BTreeMap<Role, u64>,
    forwarder: Forwarder,
    layout: Layout,
}

/// How long a process may take from SIGTERM to its end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Site {
    /// Provisions a site; nothing runs yet but the forwarder.
    ///
    /// # Errors
    /// A command of the product fails; its words are in the error.
    pub async fn prepare(programs: Programs, plan: &Plan) -> Result<Self> {
        Self::prepare_on(programs, plan, None).await
    }

    /// The same with the gateway's state on a medium of its own.
    ///
    /// # Errors
    /// A command of the product fails; its words are in the error.
    pub async fn prepare_on(
        programs: Programs,
        plan: &Plan,
        ground: Option<&Ground<'_>>,
    ) -> Result<Self> {
        let forwarder = Forwarder::start().await?;
        let layout = Layout::provision(&programs, plan, ground, &forwarder)?;
        forwarder.aim(layout.broker_port);
        Ok(Self { programs, running: BTreeMap::new(), starts: BTreeMap::new(), forwarder, layout })
    }

    /// The folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.layout.folder()
    }

    /// Where the sockets of [`Intake::Unix`] are.
    #[must_use]
    pub fn intake_folder(&self) -> PathBuf {
        self.layout.gateway_folder()
    }

    /// Which broker this is.
    #[must_use]
    pub fn broker(&self) -> BrokerKind {
        self.layout.broker
    }

    /// The link between gateway and broker.
    #[must_use]
    pub fn forwarder(&self) -> &Forwarder {
        &self.forwarder
    }

    /// Where the broker listens on the loopback.
    #[must_use]
    pub fn broker_port(&self) -> u16 {
        self.layout.broker_port
    }

    /// The files that a proxy between gateway and broker needs.
    #[must_use]
    pub fn papers(&self) -> Papers {
        self.layout.papers()
    }

    /// Leads the gateway to another address than the forwarder's, from its next start on.
    ///
    /// # Errors
    /// Its configuration cannot be rewritten.
    pub fn lead_gateway_to(&self, host: &str, port: u16) -> Result<()> {
        self.layout.lead_gateway_to(host, port)
    }

    /// Sets how long the gateway's vitals and waves wait for others, from its next start on.
    ///
    /// # Errors
    /// Its configuration cannot be rewritten.
    pub fn flush_after(&self, vital: Duration, wave: Duration) -> Result<()> {
        self.layout.flush_after(vital, wave)
    }

    /// The sink's database, if it is a file.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.layout.store()
    }

    /// The sink's database, wherever it is.
    ///
    /// # Errors
    /// The sink's configuration is wrong.
    pub fn location(&self) -> Result<Location> {
        Ok(cloud_sink::config::Config::load(&self.layout.sink_config())?.store)
    }

    /// Takes away what the broker has kept on its disk; for while it is down.
    ///
    /// # Errors
    /// A file is there and cannot be removed.
    pub fn empty_broker(&self) -> Result<()> {
        self.layout.empty_broker()
    }

    /// Keeps the folder when the site ends.
    pub fn keep(&mut self) -> PathBuf {
        self.layout.keep()
    }

    /// Starts one of the three; nothing happens if it runs.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&mut self, role: Role) -> Result<()> {
        if self.running.contains_key(&role) {
            return Ok(());
        }
        let command = self.layout.command(role, &self.programs);
        let process = Process::start(role.name(), command, &self.log(role))?;
        self.running.insert(role, process);
        *self.starts.entry(role).or_default() += 1;
        Ok(())
    }

    /// Starts broker, sink and agent, and waits until the gateway is connected.
    ///
    /// # Errors
    /// One of them ends, or the gateway is not connected after `patience`.
    pub async fn start_all(&mut self, patience: Duration) -> Result<()> {
        Role::ALL.into_iter().try_for_each(|role| self.start(role))?;
        let until = Instant::now() + patience;
        loop {
            self.check_running()?;
            if self.agent_status().await.is_some_and(|status| status["connected"] == true) {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the gateway is not connected after {patience:?}\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills one of the three with SIGKILL; whether it was running.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn kill(&mut self, role: Role) -> Result<bool> {
        let Some(mut process) = self.running.remove(&role) else { return Ok(false) };
        process.kill()?;
        Ok(true)
    }

    /// Asks one of the three to stop, and kills it when it does not.
    ///
    /// # Errors
    /// The system does not let us.
    pub async fn stop(&mut self, role: Role) -> Result<()> {
        if let Some(mut process) = self.running.remove(&role) {
            process.stop(STOP_PATIENCE).await?;
        }
        Ok(())
    }

    /// How often it was started.
    #[must_use]
    pub fn starts(&self, role: Role) -> u64 {
        self.starts.get(&role).copied().unwrap_or(0)
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn id(&self, role: Role) -> Option<u32> {
        self.running.get(&role).map(Process::id)
    }

    /// # Errors
    /// One of those that should run has ended by itself.
    pub fn check_running(&mut self) -> Result<()> {
        for (role, process) in &mut self.running {
            if let Some(status) = process.ended()? {
                let log = self.layout.log(role.name());
                let words = process::tail(&log);
                bail!("{} has ended by itself ({status}):\n{words}", role.name());
            }
        }
        Ok(())
    }

    /// What the agent's status socket says; `None` while nobody answers.
    pub async fn agent_status(&self) -> Option<Value> {
        layout::read_status(&self.layout.status_socket()).await
    }

    /// What `wardline-sink status --json` says.
    ///
    /// # Errors
    /// The command fails or says no JSON.
    pub fn sink_status(&self) -> Result<Value> {
        let said = self.layout.sink(&self.programs, &["status"], &["--json"])?;
        serde_json::from_str(said.trim()).context("the sink's status is no JSON")
    }

    /// What one of the sink's commands prints.
    ///
    /// # Errors
    /// The command fails.
    pub fn sink(&self, words: &[&str], options: &[&str]) -> Result<String> {
        self.layout.sink(&self.programs, words, options)
    }

    /// What one of the gateway's commands prints.
    ///
    /// # Errors
    /// The command fails.
    pub fn gateway(&self, words: &[&str], options: &[&str]) -> Result<String> {
        self.layout.gateway(&self.programs, words, options)
    }

    /// The sink's configuration.
    #[must_use]
    pub fn sink_config(&self) -> PathBuf {
        self.layout.sink_config()
    }

    /// The programs that run here.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Says that the store was put back.
    ///
    /// # Errors
    /// The command fails.
    pub fn restored(&self) -> Result<()> {
        self.layout.sink(&self.programs, &["restored"], &[]).map(drop)
    }

    /// A link that lets one person into the sink's page, once.
    ///
    /// # Errors
    /// The command fails.
    pub fn view_link(&self, role: &str) -> Result<String> {
        let said = self.layout.sink(&self.programs, &["link"], &["--role", role, "--json"])?;
        let answer: Value = serde_json::from_str(said.trim()).context("the link is no JSON")?;
        answer["url"].as_str().map(str::to_owned).context("the answer has no link")
    }

    /// Gives a device a key, with the gateway's own command; what the device is to hold.
    ///
    /// # Errors
    /// The command fails.
    pub fn add_device(&self, device: DeviceId) -> Result<[u8; 32]> {
        let device = device.to_string();
        let said = self.layout.gateway(&self.programs, &["device", "add", &device], &[])?;
        let digits = said.trim();
        ensure!(digits.len() == 64, "a key is not {} digits long", digits.len());
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16);
        let mut key = [0; 32];
        for (at, place) in key.iter_mut().enumerate() {
            *place = byte(at)?;
        }
        Ok(key)
    }

    /// How somebody gives the sink's own commands, in one line for a shell.
    #[must_use]
    pub fn sink_command(&self, words: &str) -> String {
        let (program, config) = (self.programs.sink.display(), self.layout.sink_config());
        format!("{program} {words} --config {}", config.display())
    }

    /// Exports one device as CSV into `out`, with the product's own command.
    ///
    /// # Errors
    /// The command fails.
    pub fn export(&self, device: DeviceId, out: &Path) -> Result<()> {
        self.export_as("csv", device, out)
    }

    /// The same in another format.
    ///
    /// # Errors
    /// The command fails.
    pub fn export_as(&self, format: &str, device: DeviceId, out: &Path) -> Result<()> {
        let device = device.to_string();
        let out = out.to_str().context("the folder's name is no UTF-8")?;
        let asked = ["--format", format, "--device", &device, "--out", out];
        self.layout.sink(&self.programs, &["export"], &asked).map(drop)
    }

    /// Waits until the gateway has a receipt for everything in the clinical lanes.
    ///
    /// # Errors
    /// It has not after `patience`; the error says what is left.
    pub async fn wait_for_receipts(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        // The agent shows its state once a second: the first answer may be of the time before the
        // last reading was accepted.
        let stale = self.agent_status().await.and_then(|status| status["uptime_s"].as_u64());
        loop {
            self.check_running()?;
            let status = self.agent_status().await.unwrap_or_default();
            let fresh = status["uptime_s"].as_u64().is_some_and(|uptime| Some(uptime) != stale);
            let lanes = status["lanes"].as_array().cloned().unwrap_or_default();
            let clinical = lanes.iter().filter(|lane| lane["lane"] != "health");
            let left: u64 = clinical.filter_map(|lane| lane["backlog_bytes"].as_u64()).sum();
            if left == 0 && !lanes.is_empty() && fresh {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{left} bytes without receipt after {patience:?}\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The ends of all logs.
    #[must_use]
    pub fn last_words(&self) -> String {
        let words = Role::ALL
            .map(|role| format!("--- {} ---\n{}", role.name(), process::tail(&self.log(role))));
        words.join("\n")
    }

    /// Where a process logs.
    #[must_use]
    pub fn log(&self, role: Role) -> PathBuf {
        self.layout.log(role.name())
    }
}
