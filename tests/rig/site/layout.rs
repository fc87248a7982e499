//! The folder of a site: configurations, keys and logs, made with the product's own commands.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cloud_sink::store::db::Location;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::{Forwarder, Programs, Role};
use crate::proxy::Papers;
use crate::store;

/// Which broker stands between gateway and sink.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BrokerKind {
    /// Eclipse mosquitto, as installed here.
    Mosquitto,
    /// The rig's own.
    Rig,
}

/// Where devices speak to the gateway.
#[derive(Clone, Debug)]
pub enum Intake {
    /// A serial port or a pseudo-terminal.
    Serial(PathBuf),
    /// A Unix socket of this name in the gateway's folder.
    Unix(String),
    /// HL7 messages at this port of the loopback.
    Hl7(u16),
}

/// What a site shall be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The broker; `None` takes mosquitto where it is installed.
    pub broker: Option<BrokerKind>,
    /// Ports.
    pub intakes: Vec<Intake>,
    /// Flush interval of the clinical lanes but alerts; `None` keeps the product's default.
    pub flush: Option<Duration>,
}

/// A medium of its own for the gateway's state.
pub struct Ground<'a> {
    /// Where the state shall be.
    pub state: &'a Path,
    /// All buffer files together, MiB; `None` keeps the product's default.
    pub quota_mib: Option<u32>,
    /// What the file system keeps free, MiB; `None` keeps the product's default.
    pub free_mib: Option<u32>,
    /// Happens to the medium after each step of provisioning.
    pub after_step: &'a (dyn Fn() + Sync),
}

/// Paths and ports of a site.
pub struct Layout {
    folder: Option<TempDir>,
    root: PathBuf,
    state: PathBuf,
    pub broker: BrokerKind,
    pub broker_port: u16,
    mosquitto: Option<PathBuf>,
    /// Where the gateway's programs are given credentials, if they are.
    pub credentials: Option<PathBuf>,
}

/// A Unix socket's path has 108 bytes; ours need up to 40 below the folder.
const FOLDER_NAME_MAX: usize = 60;

impl Layout {
    /// Makes the folder and everything in it.
    pub fn provision(
        programs: &Programs,
        plan: &Plan,
        ground: Option<&Ground<'_>>,
        forwarder: &Forwarder,
    ) -> Result<Self> {
        let below = std::env::temp_dir();
        let below =
            if below.as_os_str().len() > FOLDER_NAME_MAX { PathBuf::from("/tmp") } else { below };
        let folder = tempfile::Builder::new().prefix("ward-").tempdir_in(below)?;
        let mosquitto = find_mosquitto();
        let broker = match (plan.broker, &mosquitto) {
            (Some(BrokerKind::Mosquitto), None) => {
                bail!("mosquitto is neither in PATH nor in /usr/sbin nor in $WARD_MOSQUITTO")
            }
            (Some(kind), _) => kind,
            (None, Some(_)) => BrokerKind::Mosquitto,
            (None, None) => BrokerKind::Rig,
        };
        let root = folder.path().to_owned();
        let broker_port = free_port()?;
        let state = ground.map_or_else(|| root.join("gw/state"), |ground| ground.state.to_owned());
        let folder = Some(folder);
        let credentials = None;
        let layout = Self { folder, root, state, broker, broker_port, mosquitto, credentials };
        layout.make_sink(programs)?;
        layout.make_gateway(programs, plan, ground, forwarder.port())?;
        Ok(layout)
    }

    fn make_sink(&self, programs: &Programs) -> Result<()> {
        fs::create_dir(self.root.join("log"))?;
        let port = self.broker_port.to_string();
        let mut init = Command::new(&programs.sink);
        init.args(["init", "--broker-host", "localhost", "--broker-port", &port]);
        init.args(["--view-listen", &format!("127.0.0.1:{}", free_port()?)]);
        if let Location::Postgres(address) = store::fresh(&self.sink_folder()) {
            init.args(["--store", &address]);
        }
        run(init.arg("--folder").arg(self.sink_folder()))?;
        if self.broker == BrokerKind::Mosquitto && rustix::process::geteuid().is_root() {
            // Started by root, mosquitto would become a user that may not read the keys.
            let path = self.sink_folder().join("mosquitto.conf");
            let text = fs::read_to_string(&path).context("mosquitto.conf")?;
            if !text.lines().any(|line| line.starts_with("user ")) {
                fs::write(&path, format!("user root\n{text}"))?;
            }
        }
        Ok(())
    }

    fn make_gateway(
        &self,
        programs: &Programs,
        plan: &Plan,
        ground: Option<&Ground<'_>>,
        port: u16,
    ) -> Result<()> {
        let (folder, config) = (self.gateway_folder(), self.gateway_config());
        fs::create_dir(&folder)?;
        let mut init = Command::new(&programs.agent);
        init.args(["init", "--gateway", "gw-1", "--broker", "localhost"]);
        run(init.arg("--output").arg(&config))?;
        let written = fs::read_to_string(&config)?;
        let adapted = adapt(&written, plan, ground, port).context("wardline.toml")?;
        fs::write(&config, adapted)?;
        let (request, grant) = (folder.join("gateway.request"), folder.join("gateway.grant"));
        let provision = || {
            let mut command = Command::new(&programs.agent);
            command.arg("provision").arg("--config").arg(&config);
            command
        };
        let after_step = || ground.iter().for_each(|ground| (ground.after_step)());
        run(provision().arg("--request").arg(&request))?;
        after_step();
        let mut enroll = Command::new(&programs.sink);
        enroll.arg("enroll").arg("--config").arg(self.sink_config()).arg(&request);
        run(enroll.arg("--output").arg(&grant))?;
        run(provision().arg("--grant").arg(&grant))?;
        after_step();
        Ok(())
    }

    pub fn papers(&self) -> Papers {
        let (sink, state) = (self.sink_folder(), &self.state);
        Papers {
            ca: sink.join("keys/ca.pem"),
            ca_key: sink.join("keys/ca.key"),
            certificate: state.join("keys/gateway.pem"),
            key: state.join("keys/gateway-tls.key"),
        }
    }

    pub fn lead_gateway_to(&self, host: &str, port: u16) -> Result<()> {
        let port = i64::from(port).into();
        self.change_gateway("broker", [("host", host.into()), ("port", port)])
    }

    pub fn flush_after(&self, vital: Duration, wave: Duration) -> Result<()> {
        let ms = |time: Duration| anyhow::Ok(i64::try_from(time.as_millis())?.into());
        self.change_gateway("seal", [("vital_ms", ms(vital)?), ("wave_ms", ms(wave)?)])
    }

    fn change_gateway<const N: usize>(
        &self,
        section: &str,
        values: [(&str, toml::Value); N],
    ) -> Result<()> {
        let mut config: toml::Table = fs::read_to_string(self.gateway_config())?.parse()?;
        let section = config.get_mut(section).and_then(toml::Value::as_table_mut);
        let section = section.context("a section is missing")?;
        section.extend(values.map(|(key, value)| (key.to_owned(), value)));
        Ok(fs::write(self.gateway_config(), toml::to_string(&config)?)?)
    }

    /// The sink's database, if it is a file.
    pub fn store(&self) -> PathBuf {
        self.sink_folder().join("store.sqlite")
    }

    pub fn empty_broker(&self) -> Result<()> {
        for entry in fs::read_dir(self.sink_folder().join("broker"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// How one of the three is started.
    pub fn command(&self, role: Role, programs: &Programs) -> Command {
        let program = |path: &Path| Command::new(path);
        match (role, self.broker, &self.mosquitto) {
            (Role::Agent, ..) => {
                let mut command = self.agent(programs);
                command.arg("run").arg("--config").arg(self.gateway_config());
                command
            }
            (Role::Sink | Role::AnotherSink(_), ..) => {
                let mut command = program(&programs.sink);
                command.arg("run").arg("--config").arg(self.sink_config());
                command
            }
            (Role::Broker, BrokerKind::Mosquitto, Some(mosquitto)) => {
                let mut command = program(mosquitto);
                command.arg("-c").arg(self.sink_folder().join("mosquitto.conf"));
                command
            }
            (Role::Broker, ..) => {
                let mut command = program(&programs.ward);
                command.args(["broker", "--port", &self.broker_port.to_string()]);
                command.arg("--keys").arg(self.sink_folder().join("keys"));
                command
            }
        }
    }

    /// Runs `wardline-sink` with its configuration and returns what it prints.
    pub fn sink(&self, programs: &Programs, words: &[&str], options: &[&str]) -> Result<String> {
        let mut command = Command::new(&programs.sink);
        run(command.args(words).arg("--config").arg(self.sink_config()).args(options))
    }

    /// The same of `wardline`.
    pub fn gateway(&self, programs: &Programs, words: &[&str], options: &[&str]) -> Result<String> {
        let mut command = self.agent(programs);
        run(command.args(words).arg("--config").arg(self.gateway_config()).args(options))
    }

    /// `wardline` with the credentials that it is given.
    fn agent(&self, programs: &Programs) -> Command {
        let mut command = Command::new(&programs.agent);
        command.envs(self.credentials.iter().map(|folder| ("CREDENTIALS_DIRECTORY", folder)));
        command
    }

    /// The gateway's keys.
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    pub fn folder(&self) -> &Path {
        &self.root
    }

    pub fn keep(&mut self) -> PathBuf {
        self.folder.take().map_or_else(|| self.root.clone(), TempDir::keep)
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    pub fn status_socket(&self) -> PathBuf {
        self.state.join("status.sock")
    }

    /// Configuration and sockets of the gateway, and its state where it has no other ground.
    pub fn gateway_folder(&self) -> PathBuf {
        self.root.join("gw")
    }

    fn gateway_config(&self) -> PathBuf {
        self.gateway_folder().join("wardline.toml")
    }

    fn sink_folder(&self) -> PathBuf {
        self.root.join("sink")
    }

    pub fn sink_config(&self) -> PathBuf {
        self.sink_folder().join("sink.toml")
    }
}

/// The configuration that `wardline init` wrote, with our port and our devices.
fn adapt(written: &str, plan: &Plan, ground: Option<&Ground<'_>>, port: u16) -> Result<String> {
    let mut config: toml::Table = written.parse()?;
    let mut set = |section: &str, key: &str, value: toml::Value| {
        let section = config.get_mut(section).and_then(toml::Value::as_table_mut);
        section.context("a section is missing")?.insert(key.into(), value);
        anyhow::Ok(())
    };
    set("broker", "port", i64::from(port).into())?;
    let (mut unix, mut serial, mut hl7) = (Vec::new(), Vec::new(), Vec::new());
    for intake in &plan.intakes {
        match intake {
            Intake::Unix(name) => unix.push(toml::Value::from(name.as_str())),
            Intake::Hl7(port) => {
                let listen = toml::Value::from(format!("127.0.0.1:{port}"));
                hl7.push(toml::Value::from(toml::Table::from_iter([("listen".into(), listen)])));
            }
            Intake::Serial(path) => {
                let path = path.to_str().context("a port's path is no UTF-8")?;
                serial.push(toml::Value::from(toml::Table::from_iter([(
                    "path".into(),
                    path.into(),
                )])));
            }
        }
    }
    set("intake", "unix", unix.into())?;
    set("intake", "serial", serial.into())?;
    set("intake", "hl7", hl7.into())?;
    set("intake", "strangers", true.into())?;
    // A simulated ward says in a second what real devices say in minutes.
    set("intake", "port_kib_s", 65_536.into())?;
    if let Some(flush) = plan.flush {
        let ms = i64::try_from(flush.as_millis())?;
        set("seal", "vital_ms", ms.into())?;
        set("seal", "wave_ms", ms.into())?;
    }
    if let Some(ground) = ground {
        let state = ground.state.to_str().context("the state's path is no UTF-8")?;
        set("gateway", "state", state.into())?;
        for (key, mib) in [("quota_mib", ground.quota_mib), ("free_mib", ground.free_mib)] {
            mib.map_or(Ok(()), |mib| set("buffer", key, i64::from(mib).into()))?;
        }
    }
    Ok(toml::to_string(&config)?)
}

fn find_mosquitto() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WARD_MOSQUITTO") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join("mosquitto")).find(|path| path.is_file())
}

/// Ports that this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// A port that is free now, below those that the system gives to outgoing connections: a client
/// that tries again and again while nobody listens could otherwise connect to itself. Never the
/// same twice: a broker that is down for a while comes back to its own.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16> {
    let begin = std::process::id() % 12_000;
    for _ in 0..12_000 {
        let step = LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + ((begin + step % 12_000 * 7) % 12_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}

/// Runs a command to its end; its standard output.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}):\n{words}", output.status);
    }
    String::from_utf8(output.stdout).context("what it printed is no UTF-8")
}

/// What a status socket says; `None` while nobody answers.
pub async fn read_status(socket: &Path) -> Option<Value> {
    let ask = async {
        let mut text = String::new();
        UnixStream::connect(socket).await.ok()?.read_to_string(&mut text).await.ok()?;
        serde_json::from_str(&text).ok()
    };
    tokio::time::timeout(Duration::from_secs(1), ask).await.ok().flatten()
}
