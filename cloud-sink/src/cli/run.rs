//! `wardline-sink run`: puts the stages together and lets them go.

use anyhow::Context;
use sd_notify::NotifyState;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::enroll::site;
use super::{ConfigArg, Failure, write_down, wrong_config};
use crate::audit::Deed;
use crate::clock;
use crate::config::{Config, EnrolConfig, SignOn, ViewConfig};
use crate::feed::{self, Feed};
use crate::incident;
use crate::keys::KeyFolder;
use crate::limits::{INCOMING_MAX, VERIFIED_MAX};
use crate::line::{Committer, reopen_held, verify_all};
use crate::notify::{self, Receiver};
use crate::receive::driver::{self, Incoming};
use crate::retention::erase::{self, Erased};
use crate::retention::{self, Disposed, How, PolicyError, Rule};
use crate::store::commit::SqlStore;
use crate::store::db::{Db, Location};
use crate::store::query::StoreRegistry;
use crate::store::times::Righting;
use crate::trust::desk;
use crate::trust::ends::Certificates;
use crate::trust::enrol::Site;
use crate::trust::keeper::{Keeper, Kept};
use crate::verify::dispose::Verifier;
use crate::verify::keyring::Keys;
use crate::view::access::Vault;
use crate::view::metrics::Metrics;
use crate::view::{Trust, View};

/// Receives, verifies, stores and signs.
#[derive(Debug, clap::Args)]
pub struct Run {
    #[command(flatten)]
    config: ConfigArg,
}

/// Answers that may wait for the broker.
const ANSWERS_MAX: usize = 512;
/// Between two looks for what needs a person.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks for what is to be told, and the longest pause after a failure.
const TELL: Duration = Duration::from_secs(5);
const TELL_MAX: Duration = Duration::from_secs(300);
/// Between two looks at what is held.
const REOPEN: Duration = Duration::from_secs(30);
/// Between two looks at the folder of keys.
const KEYS: Duration = Duration::from_secs(5);
/// Between two looks for what an order to erase means: each goes through the whole store.
const ERASE: Duration = Duration::from_secs(86_400);
/// Between two disposals; rules count in days.
const CLEAN: Duration = Duration::from_secs(3600);

fn begin_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WARDLINE_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
}

/// Tells the service manager, if there is one, that the store answers.
fn feed_watchdog() {
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready, NotifyState::Watchdog]) {
        tracing::warn!(%error, "the service manager does not hear us");
    }
}

/// Frames that are put right between two looks: a day of a gateway within minutes, and commits
/// never wait for more than one group of them.
const GROUPS_A_LOOK: usize = 8;

/// Dates what was dated by a guess, as far as it became known.
fn put_times_right(db: &Db, righting: &mut Righting) {
    for _ in 0..GROUPS_A_LOOK {
        match righting.look(db) {
            Ok(0) => return,
            Ok(frames) => tracing::info!(frames, "dated anew: a gateway's clock became known"),
            Err(error) => return tracing::error!(%error, "times cannot be put right"),
        }
    }
}

/// Opens and closes incidents, for as long as the sink runs.
async fn watch(mut db: Db, mut certificates: Certificates) {
    let mut righting = Righting::default();
    loop {
        tokio::time::sleep(LOOK).await;
        let look = move || {
            put_times_right(&db, &mut righting);
            if let Err(error) = certificates.note(&db, clock::now()) {
                tracing::error!(%error, "ends of certificates are not written down; trying again");
            }
            let changes = incident::look(&db, clock::now());
            // A rule that fails is no reason to start anew what goes on storing.
            let answers = changes.is_ok() || db.store_epoch().is_ok();
            (db, righting, certificates, changes, answers)
        };
        let Ok(looked) = tokio::task::spawn_blocking(look).await else { return };
        let (changes, answers);
        (db, righting, certificates, changes, answers) = looked;
        if answers {
            feed_watchdog();
        }
        match changes {
            Ok(changes) => changes.iter().for_each(|words| tracing::warn!("incident {words}")),
            Err(error) => tracing::error!(%error, "incidents are not looked for; trying again"),
        }
    }
}

/// Disposes of what the rules of retention no longer keep, for as long as the sink runs.
async fn keep_clean(store: Location, rules: Vec<Rule>) {
    loop {
        // First of all it waits: a clock that is set after the start is right by then.
        tokio::time::sleep(CLEAN).await;
        let (store, rules) = (store.clone(), rules.clone());
        let clean = move || {
            let db = Db::open(&store).map_err(PolicyError::from)?;
            retention::dispose(&db, &rules, clock::now(), How::default())
        };
        match tokio::task::spawn_blocking(clean).await {
            Ok(Ok(disposed)) if disposed != Disposed::default() => {
                tracing::info!(?disposed, "under the rules of retention");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "nothing is disposed of; trying again"),
            Err(_) => return,
        }
    }
}

/// Carries out orders to erase on what has come since, for as long as the sink runs.
async fn keep_erased(store: Location, keys: KeyFolder) {
    loop {
        let (store, keys) = (store.clone(), keys.clone());
        let again = move || {
            let db = Db::open(&store)?;
            erase::carry_out_all(&db, &keys, clock::now())
        };
        match tokio::task::spawn_blocking(again).await {
            Ok(Ok(erased)) if erased != Erased::default() => {
                tracing::info!(?erased, "under orders to erase");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let error = format!("{error:#}");
                tracing::error!(error, "orders to erase are not carried out; trying again");
            }
            Err(_) => return,
        }
        tokio::time::sleep(ERASE).await;
    }
}

/// Tells a receiver of incidents, for as long as the sink runs.
async fn tell(store: Location, receiver: Receiver) {
    let mut pause = TELL;
    loop {
        tokio::time::sleep(pause).await;
        pause = match notify::deliver(&store, &receiver).await {
            Ok(0) => TELL,
            Ok(_) => receiver.pause(),
            Err(error) => {
                tracing::warn!(%error, "a message was not taken; trying again");
                (pause * 2).min(TELL_MAX)
            }
        };
    }
}

/// Serves the page. Receiving goes on without it.
async fn show(store: Location, view: ViewConfig, trust: Trust, sign_on: Option<SignOn>) {
    let served = match View::open(&store, &view, trust, sign_on).await {
        Ok(view) => view.serve().await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "there is no page");
    }
}

/// Serves metrics. Receiving goes on without them.
async fn measure(store: Location, address: SocketAddr) {
    let served = match Metrics::open(&store, address).await {
        Ok(metrics) => metrics.serve().await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "there are no metrics");
    }
}

/// Has what is held looked at again: at the start, since keys or program may be newer, and whenever
/// a person lets something go.
async fn reopen(mut held: StoreRegistry, again: mpsc::WeakSender<Incoming>) {
    let mut all = true;
    loop {
        let again = again.clone();
        let look = move || {
            reopen_held(&held, &again, all);
            held
        };
        let Ok(looked) = tokio::task::spawn_blocking(look).await else { return };
        (held, all) = (looked, false);
        tokio::time::sleep(REOPEN).await;
    }
}

/// Looks after keys once.
fn look_after_keys(keeper: &Keeper, db: &Db) {
    match keeper.look(db, clock::now()) {
        Ok(changes) => changes.iter().for_each(|words| tracing::info!("keys: {words}")),
        Err(error) => tracing::error!(error = format!("{error:#}"), "keys are not looked after"),
    }
}

/// Looks after keys, for as long as the sink runs.
async fn keep_keys(mut keeper: Keeper, mut db: Db) {
    loop {
        tokio::time::sleep(KEYS).await;
        let look = move || {
            look_after_keys(&keeper, &db);
            (keeper, db)
        };
        let Ok(looked) = tokio::task::spawn_blocking(look).await else { return };
        (keeper, db) = looked;
    }
}

/// Answers gateways that enrol. Receiving goes on without it.
async fn enrol_gateways(enrol: EnrolConfig, site: Site, store: Location) {
    if let Err(error) = desk::serve(enrol, site, store).await {
        tracing::error!(error = format!("{error:#}"), "no gateway can enrol by itself");
    }
}

/// Feeds, each on a thread of its own.
#[derive(Default)]
struct Feeds {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Feeds have so long to write down how far they came; what they did not they send again.
const FEEDS_END_WITHIN: Duration = Duration::from_secs(1);

impl Feeds {
    fn begin(&mut self, store: Location, feed: Feed) -> anyhow::Result<()> {
        let is_over = self.is_over.clone();
        let thread = std::thread::Builder::new().name("feed".into());
        let feeding = move || feed::run(&store, &feed, || is_over.load(Ordering::Relaxed));
        self.threads.push(thread.spawn(feeding).context("no thread")?);
        Ok(())
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let step = FEEDS_END_WITHIN / 20;
        for _ in 0..20 {
            if self.threads.iter().all(JoinHandle::is_finished) {
                return;
            }
            std::thread::sleep(step);
        }
    }
}

/// Everything that goes on beside receiving, and without which it goes on all the same.
fn begin_beside(runtime: &Runtime, config: &Config, trust: Trust) -> anyhow::Result<Feeds> {
    let mut feeds = Feeds::default();
    let watched = Db::open(&config.store)?;
    runtime.spawn(watch(watched, Certificates::of(config)));
    runtime.spawn(keep_erased(config.store.clone(), KeyFolder(config.keys.clone())));
    if !config.retention.is_empty() {
        runtime.spawn(keep_clean(config.store.clone(), config.retention.clone()));
    }
    for channel in &config.notify {
        runtime.spawn(tell(config.store.clone(), Receiver::new(channel.clone())?));
    }
    for feed in config.feeds.clone() {
        let (words, db) = (format!("feed, to {}", feed.to), Db::open(&config.store)?);
        write_down(&db, Deed::Export, &feed.name, &words)?;
        feeds.begin(config.store.clone(), feed)?;
    }
    if let Some(view) = config.view.clone() {
        runtime.spawn(show(config.store.clone(), view, trust, config.sign_on.clone()));
    }
    if let Some(enrol) = config.enrol.clone() {
        runtime.spawn(enrol_gateways(enrol, site(config), config.store.clone()));
    }
    if let Some(address) = config.metrics {
        runtime.spawn(measure(config.store.clone(), address));
    }
    Ok(feeds)
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        begin_log();
        let keys = KeyFolder(config.keys.clone());
        let own = Keys::new(
            keys.recipients().map_err(wrong_config)?,
            keys.store_key().map_err(wrong_config)?,
        );
        let own = own.looking_into(keys.clone());
        let keeper = Keeper::begin(keys.clone(), config.rotate_days).map_err(wrong_config)?;
        let (keeper, Kept { keyring, receipt }) = keeper;
        // Before anything is published: another sink may have a newer keyring.
        let kept = Db::open(&config.store)?;
        look_after_keys(&keeper, &kept);
        let verifier = Verifier::new(StoreRegistry::open(&config.store)?, own);
        let store = SqlStore::open(&config.store)?;
        let (incoming, received) = mpsc::channel(INCOMING_MAX);
        let (to_store, verified) = mpsc::channel(VERIFIED_MAX);
        let (answers, to_broker) = mpsc::channel(ANSWERS_MAX);
        let again = incoming.downgrade();
        let trust = Trust {
            receipt_key: receipt.borrow().verifying_key().to_bytes(),
            vault: Vault::new(&keys.store_key().map_err(wrong_config)?),
        };
        let committer = Committer::new(store, receipt, answers, again);
        let verifying = std::thread::Builder::new()
            .name("verify".into())
            .spawn(move || verify_all(verifier, received, &to_store))
            .context("no thread")?;
        let storing = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || committer.run(verified))
            .context("no thread")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("no runtime")?;
        runtime.spawn(reopen(StoreRegistry::open(&config.store)?, incoming.downgrade()));
        runtime.spawn(keep_keys(keeper, kept));
        let feeds = begin_beside(&runtime, &config, trust)?;
        tracing::info!(sink = config.name, "receiving");
        let ended = runtime.block_on(async {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! {
                ended = driver::run(config, keys, keyring, incoming, to_broker) => ended,
                _ = terminate.recv() => Ok(()),
                _ = interrupt.recv() => Ok(()),
            }
        });
        runtime.shutdown_background();
        feeds.end();
        verifying.join().map_err(|_| anyhow::anyhow!("verification has failed"))?;
        storing.join().map_err(|_| anyhow::anyhow!("the store has failed"))?;
        Ok(ended?)
    }
}
