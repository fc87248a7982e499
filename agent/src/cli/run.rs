//! `wardline run`: puts the stages together and lets them go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use wire::card::Veil;
use wire::status::Status as StatusHint;
use wire::time::ClockState;

use super::{ConfigArg, Failure, given, wrong_config};
use crate::audit::{Begun, By, Trail};
use crate::buffer::disk::Folder;
use crate::buffer::{Buffer, Writer};
use crate::clock::floor::Floor;
use crate::clock::{Clock, boot_id};
use crate::config::Config;
use crate::enrol::renew;
use crate::health::host::Host;
use crate::health::{Alarm, Health, metrics, watchdog};
use crate::intake::admission::Admission;
use crate::intake::associations::Register;
use crate::intake::patients::Patients;
use crate::intake::runs::next_run;
use crate::intake::{Chunk, Registry, ports};
use crate::limits::INTAKE_CHUNKS_MAX;
use crate::line::{Line, Resets, Trust};
use crate::local;
use crate::seal::batcher::Batcher;
use crate::seal::keep::{self, Kept};
use crate::seal::keyring::{Custody, CustodyError, KeyFiles, local_veil};
use crate::seal::sealer::Seal;
use crate::uplink::driver::Driver;
use crate::uplink::machine::Uplink;

/// Collects, seals, keeps and sends.
#[derive(Debug, clap::Args)]
pub struct Run {
    #[command(flatten)]
    config: ConfigArg,
}

/// Events of the broker that the line may be behind.
const BROKER_EVENTS_MAX: usize = 256;

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        tracing_subscriber::fmt()
            .with_env_filter(
                tracing_subscriber::EnvFilter::try_from_env("WARDLINE_LOG")
                    .unwrap_or_else(|_| "info".into()),
            )
            .with_writer(std::io::stderr)
            .init();
        let Kept { value: config, mended } =
            Config::load_to_run(&self.config.config).map_err(wrong_config)?;
        let config = given(config);
        if let Some(words) = &mended {
            tracing::error!("{words}");
        }
        let runtime = runtime()?;
        let (broker_events, from_broker) = mpsc::channel(BROKER_EVENTS_MAX);
        let admission = Admission::by_keys(&config.state, config.strangers);
        let registry = Registry::admitting(admission, config.port_rate);
        keep::folder(&config.state).with_context(|| config.state.display().to_string())?;
        let host = Host::begin(Path::new("/"), &config.state, boot_id());
        tracing::info!(because = host.start().words(), "started");
        let floor = Floor::below(&config.state);
        let mut line = assemble(&config, &host, &floor, runtime.handle(), broker_events)?;
        line.health = line.health.hearing(registry.complaints());
        line.health.alarm(Alarm::Config, mended.into_iter().collect());
        let screen = line.health.screen();
        let (chunks, intake) = mpsc::channel(INTAKE_CHUNKS_MAX);
        let (stop, stopped) = watch::channel(false);
        for port in config.ports.clone() {
            runtime.spawn(ports::serve(port, registry.clone(), chunks.clone()));
        }
        serve_onboard(&config, &registry, &chunks, runtime.handle())?;
        runtime.spawn(renew::keep(config.clone(), floor.clone(), screen.clone(), line.pen()));
        serve_hl7(&config, (&registry, floor), &chunks, runtime.handle())?;
        runtime.spawn(watchdog::feed(screen.clone()));
        runtime.spawn(local::serve_tap(config.state.clone(), line.taps(), line.pen()));
        serve_patients(&config, &chunks, &runtime);
        runtime.spawn(local::serve_test(config.state.clone(), line.take_probes()));
        if let Some(address) = config.metrics {
            runtime.spawn(metrics::serve(address, screen.clone()));
        }
        runtime.spawn(local::serve_status(config.state.clone(), screen));
        runtime.spawn(async move {
            wait_for_stop().await;
            stop.send_replace(true);
        });
        tracing::info!(gateway = %config.gateway, ports = config.ports.len(), "collecting");
        let line = std::thread::Builder::new().name("line".into()).spawn(move || {
            let alone = tokio::runtime::Builder::new_current_thread().enable_time().build();
            alone.map(|alone| alone.block_on(line.run(intake, from_broker, stopped)))
        });
        line.context("no thread")?.join().map_err(|_| anyhow::anyhow!("the line has failed"))??;
        drop(chunks);
        host.stopped();
        runtime.shutdown_timeout(Duration::from_millis(500));
        Ok(())
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_stack_size(512 * 1024).enable_all();
    builder.build().context("no runtime")
}

/// Opens the desk of HL7 messages and listens for them, if any are wanted.
fn serve_hl7(
    config: &Config,
    (registry, floor): (&Registry, Arc<Floor>),
    line: &mpsc::Sender<Chunk>,
    runtime: &tokio::runtime::Handle,
) -> anyhow::Result<()> {
    use crate::intake::hl7::desk::{self, Ground};
    use crate::intake::hl7::seen::Seen;
    use crate::intake::hl7::{self, Cast, Office};
    let Some(gather) = config.hl7.iter().map(|(_, gather)| *gather).min() else { return Ok(()) };
    let folder = config.state.join("hl7");
    let memory = Folder::open(&folder).and_then(Seen::open);
    let run = next_run(&folder, "run");
    let (seen, run) = match (memory, run) {
        (Ok(seen), Ok(run)) => (seen, run),
        // Everything else goes on collecting; senders keep what nobody acknowledges.
        (Err(error), _) => {
            tracing::error!(folder = %folder.display(), %error, "no HL7 message is taken");
            return Ok(());
        }
        (_, Err(error)) => {
            tracing::error!(%error, "no HL7 message is taken");
            return Ok(());
        }
    };
    let patients = Patients::at(&config.state, config.patients);
    let cast = Cast::new(registry.clone(), patients, run);
    let ground = Ground { seen, run, line: line.clone(), gather, cast };
    let desk = desk::open(ground).context("no thread")?;
    let (gateway, registry, answers) = (config.gateway, registry.clone(), Arc::default());
    let office = Office { gateway, registry, desk, answers, floor };
    for (port, _) in config.hl7.clone() {
        runtime.spawn(hl7::serve(port, office.clone()));
    }
    Ok(())
}

/// Takes people's word for whom devices measure, as it was when the agent ended.
fn serve_patients(config: &Config, line: &mpsc::Sender<Chunk>, runtime: &Runtime) {
    let patients = Patients::at(&config.state, config.patients);
    match Register::open(config.state.join("patients"), patients, line.clone()) {
        Ok(register) => drop(runtime.spawn(local::serve_patients(config.state.clone(), register))),
        Err(error) => tracing::error!(%error, "nobody can say whom devices measure"),
    }
}

#[cfg(feature = "onboard")]
fn serve_onboard(
    config: &Config,
    registry: &Registry,
    line: &mpsc::Sender<Chunk>,
    runtime: &tokio::runtime::Handle,
) -> anyhow::Result<()> {
    use crate::intake::onboard::{self, Outlet};
    let folder = onboard::folder(&config.state);
    keep::folder(&folder).with_context(|| folder.display().to_string())?;
    for sensor in config.onboard.clone() {
        let (registry, line, runtime) = (registry.clone(), line.clone(), runtime.clone());
        let outlet = Outlet { registry, line, runtime, folder: folder.clone() };
        let thread = std::thread::Builder::new().name("sensor".into());
        thread.spawn(move || onboard::serve(&sensor, &outlet)).context("no thread")?;
    }
    Ok(())
}

/// The configuration of such a build names no sensors.
#[cfg(not(feature = "onboard"))]
#[allow(clippy::unnecessary_wraps, reason = "the same shape as with the feature")]
fn serve_onboard(
    _: &Config,
    _: &Registry,
    _: &mpsc::Sender<Chunk>,
    _: &tokio::runtime::Handle,
) -> anyhow::Result<()> {
    Ok(())
}

async fn wait_for_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        }
        _ => std::future::pending().await,
    }
}

/// The veil of the medium, or none if there cannot be one.
fn veil(files: &KeyFiles) -> anyhow::Result<Veil> {
    match local_veil(files) {
        // What lies under a key in a credential would be taken for damage.
        Err(error @ CustodyError::Credential(_)) => Err(error.into()),
        Err(error) => {
            // Records without a veil are as good; only `erase` has less to hold on to.
            tracing::error!(%error, "records lie on the medium without a key of its own");
            Ok(Veil::default())
        }
        Ok(veil) => Ok(veil),
    }
}

fn assemble(
    config: &Config,
    host: &Host,
    floor: &Arc<Floor>,
    runtime: &tokio::runtime::Handle,
    events: mpsc::Sender<(u64, crate::uplink::driver::FromBroker)>,
) -> anyhow::Result<Line<Folder, Seal, Driver>> {
    let files = config.key_files();
    for folder in [&files.folder, &config.state.join("buffer")] {
        keep::folder(folder).with_context(|| folder.display().to_string())?;
    }
    for place in [files.signing(), config.broker.key.clone(), files.local()] {
        place.remember();
    }
    let custody = Custody::open(&files)?;
    for words in custody.missing.iter().chain(&custody.mended) {
        tracing::error!("{words}");
    }
    let mut clock = Clock::new();
    let now = clock.state();
    let folder = Folder::open(&config.state.join("buffer")).context("buffer folder")?;
    let folder = folder.under(veil(&files)?);
    let sealer = Seal::new(custody.signing.clone(), custody.keyring.clone(), config.suite);
    let boot = boot_id();
    let software = env!("CARGO_PKG_VERSION").to_owned();
    let writer = Writer { gateway: config.gateway, boot, software };
    let (buffer, found) = Buffer::recover(folder, sealer, writer, config.quota, &now)?;
    tracing::info!(?found, start = buffer.start_count(), "buffer recovered");
    let hint = |online| {
        StatusHint { boot, start_count: buffer.start_count(), online }.sign(&custody.signing)
    };
    let status = [hint(true), hint(false)];
    let (runtime, broker, gateway) = (runtime.clone(), config.broker.clone(), config.gateway);
    let driver = Driver::new(runtime, broker, gateway, status, floor.clone(), events);
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).context("the kernel gives no random bytes")?;
    let uplink = Uplink::new(clock.now(), config.window_bytes, u64::from_be_bytes(seed));
    let health = Health::new(config.gateway, config.intervals[3], now.monotonic).on(host.clone());
    let by = By { gateway: config.gateway, boot, signer: custody.signing.clone() };
    let mut trust = Trust::watching(config.gateway, custody, files, &config.broker, clock.now());
    trust.floor = Some(floor.clone());
    let patients = Patients::at(&config.state, config.patients);
    let batcher = Batcher::new(config.intervals).naming(patients);
    let mut line = Line::new(clock, batcher, buffer, uplink, driver, health, trust);
    line.resets = Resets::kept(config.state.join("devices"));
    line.audit = begin_trail(config, host, by, &now);
    Ok(line)
}

/// The trail of this gateway, in which a run begins. Nothing else waits for it.
fn begin_trail(config: &Config, host: &Host, by: By, now: &ClockState) -> Option<Trail<Folder>> {
    let begun = Begun {
        software: env!("CARGO_PKG_VERSION").into(),
        config: config.digest,
        why: host.start().words().into(),
    };
    match Trail::below(&config.state, by) {
        Ok(mut trail) => {
            trail.begin(begun, now);
            Some(trail)
        }
        Err(error) => {
            tracing::error!(%error, "no audit trail is kept");
            None
        }
    }
}
