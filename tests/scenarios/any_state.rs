//! P7: whatever the state folder holds, the agent starts, collects, and says what is wrong.
//!
//! The real `wardline` as a process, without a broker: a state that it made itself is damaged in
//! one place, then a device must be acknowledged again. Nothing bad may be deleted, and what a
//! device was promised must be in the log or inside a gap.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};

mod damage;
mod keys;
pub mod story;

use damage::{Damage, Target};
use story::{Nest, SOCKET, speak};

/// States that are tried at a time.
const AT_ONCE: usize = 4;
/// Values that a device says before it must be acknowledged.
pub const VALUES: u64 = 3;
/// Runs of the agent that made the state, and devices that spoke in each.
const RUNS: (u64, u64) = (3, 3);

/// A gateway's folder after three runs, each with a few records in a segment of its own.
struct Template {
    site: Site,
    wardline: PathBuf,
}

impl Template {
    async fn make() -> Self {
        let programs = Programs::build().unwrap();
        let wardline = programs.agent.clone();
        let (broker, flush) = (Some(BrokerKind::Rig), Some(Duration::from_millis(10)));
        let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush };
        let mut site = Site::prepare(programs, &plan).await.unwrap();
        for run in 0..RUNS.0 {
            site.start(Role::Agent).unwrap();
            for device in 0..RUNS.1 {
                speak(&site.intake_folder(), (run * RUNS.1 + device) as u32).await.unwrap();
            }
            assert!(site.kill(Role::Agent).unwrap());
        }
        let template = Self { site, wardline };
        // As if the first run's segment had all its receipts.
        let first = template.files("-vital-").remove(0);
        fs::rename(&first, first.with_extension("done")).unwrap();
        template
    }

    fn folder(&self) -> PathBuf {
        self.site.intake_folder()
    }

    /// Files of the buffer with these letters in their name, oldest first.
    fn files(&self, letters: &str) -> Vec<PathBuf> {
        let buffer = self.folder().join("state/buffer");
        let all = fs::read_dir(buffer).unwrap().map(|entry| entry.unwrap().path());
        let named = |path: &PathBuf| path.to_string_lossy().contains(letters);
        let mut files: Vec<PathBuf> = all.filter(named).collect();
        files.sort();
        files
    }

    /// Everything that can be damaged, below the gateway's folder.
    fn targets(&self) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for letters in ["-vital-", "-health-", "spare-"] {
            targets.extend(self.files(letters).iter().map(|path| self.target(path)));
        }
        let keys = ["signing.key", "keyring", "roots"];
        let copies = keys.iter().flat_map(|name| [(*name).to_owned(), format!("{name}.2")]);
        let plain = ["gateway.pem", "gateway-tls.key", "ca.pem"].map(str::to_owned);
        for name in copies.chain(plain) {
            targets.push(self.target(&self.folder().join("state/keys").join(name)));
        }
        for name in ["wardline.toml", "wardline.toml.good", "wardline.toml.good.2"] {
            targets.push(self.target(&self.folder().join(name)));
        }
        targets
    }

    fn target(&self, path: &Path) -> Target {
        Target::new(path.strip_prefix(self.folder()).unwrap())
    }
}

/// Damages one file, and then everything must be as promised; what is not, in words.
async fn outlive(template: &Template, target: &Target, damage: Damage) -> Result<(), String> {
    let nest = Nest::copy(&template.folder(), &template.wardline);
    let Some(bad) = damage.strike(&nest.folder, target) else { return Ok(()) };
    if target.is_segment() {
        let words = nest.verify();
        if !words.contains(target.file_name()) {
            return Err(format!("`log verify` does not name it: {words}"));
        }
    }
    let agent = nest.start();
    speak(&nest.folder, 100).await.map_err(|error| format!("{error:#}\n{}", nest.log()))?;
    if let Some(words) = target.alarm(damage) {
        nest.wait_for_alarm(words).await.map_err(|error| format!("{error:#}"))?;
    }
    drop(agent);
    if damage.is_kept_aside(target) && !nest.still_holds(&bad) {
        return Err("the bad bytes are gone".into());
    }
    // Each run has a label beside its values.
    nest.check_books(((RUNS.0 - 1) * RUNS.1 + 1) * (VALUES + 1))
}

#[test]
fn whatever_one_file_holds_the_agent_starts_and_collects() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let template = runtime.block_on(Template::make());
    let targets = template.targets();
    let all = targets.iter().flat_map(|target| Damage::ALL.map(|damage| (target, damage)));
    let cases: Mutex<VecDeque<(&Target, Damage)>> = Mutex::new(all.collect());
    let failures = Mutex::new(Vec::new());
    let count = cases.lock().unwrap().len();

    std::thread::scope(|scope| {
        let worker = || {
            let alone = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let alone = alone.unwrap();
            loop {
                let Some((target, damage)) = cases.lock().unwrap().pop_front() else { return };
                if let Err(error) = alone.block_on(outlive(&template, target, damage)) {
                    failures.lock().unwrap().push(format!("{target} {damage:?}: {error}"));
                }
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });

    let failures = failures.into_inner().unwrap();
    assert!(count > 150, "only {count} states");
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}
