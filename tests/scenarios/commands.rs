//! What people type: checks before a start, the doctor while it runs, a look into the log, manuals.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cloud_sink::audit::Deed;
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use serde_json::Value;
use tempfile::tempdir;
use tokio::runtime::Runtime;
use wire::audit::AuditKind;

use crate::any_state::story::{SOCKET, speak};

const PATIENCE: Duration = Duration::from_secs(25);

pub struct Gateway {
    pub site: Site,
    programs: Programs,
    runtime: Runtime,
}

/// Level and words of each check, by code.
type Levels = BTreeMap<String, (String, String)>;

impl Gateway {
    pub fn prepare() -> Self {
        let runtime = Runtime::new().unwrap();
        let programs = Programs::build().unwrap();
        let plan = Plan {
            broker: Some(BrokerKind::Rig),
            intakes: vec![Intake::Unix(SOCKET.into())],
            flush: Some(Duration::from_millis(10)),
        };
        let site = runtime.block_on(Site::prepare(programs.clone(), &plan)).unwrap();
        Self { site, programs, runtime }
    }

    pub fn folder(&self) -> PathBuf {
        self.site.intake_folder()
    }

    pub fn wardline(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.programs.agent);
        command.args(words).current_dir(self.folder()).output().unwrap()
    }

    fn look(&self, words: &[&str]) -> (Option<i32>, Levels) {
        let output = self.wardline(words);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("no JSON: {}", String::from_utf8_lossy(&output.stderr));
        });
        assert_eq!(said["schema"], 1);
        let text = |found: &Value, key: &str| found[key].as_str().unwrap().to_owned();
        let found = said["findings"].as_array().unwrap().iter();
        let levels = found.map(|found| {
            let is_good = ["pass", "skip"].contains(&found["level"].as_str().unwrap());
            assert_eq!(found["remedy"].is_null(), is_good, "{found}");
            (text(found, "code"), (text(found, "level"), text(found, "says")))
        });
        (output.status.code(), levels.collect())
    }

    /// Something of the gateway that runs until it is ended.
    pub fn begin(&self, words: &[&str]) -> Child {
        let mut command = Command::new(&self.programs.agent);
        command.args(words).current_dir(self.folder());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The device says three numbers, of this run.
    pub fn speak(&self, boot: u32) {
        self.runtime.block_on(speak(&self.folder(), boot)).unwrap();
    }

    pub fn run(&mut self) {
        self.runtime.block_on(self.site.start_all(PATIENCE)).unwrap();
        self.speak(1);
        self.runtime.block_on(self.site.wait_for_receipts(PATIENCE)).unwrap();
    }
}

fn level<'a>(levels: &'a Levels, code: &str) -> &'a str {
    levels.get(code).map_or("not looked at", |(level, _)| level)
}

#[test]
fn check_needs_no_broker_when_it_is_told_so_and_names_it_otherwise() {
    let gateway = Gateway::prepare();

    let (code, levels) = gateway.look(&["check", "--no-env", "--json"]);
    assert_eq!((code, level(&levels, "WL-1401")), (Some(0), "not looked at"), "{levels:?}");
    for good in ["WL-1001", "WL-1101", "WL-1201", "WL-1203", "WL-1301"] {
        assert_eq!(level(&levels, good), "pass", "{good}: {levels:?}");
    }
    let (code, levels) = gateway.look(&["check", "--json"]);
    assert_eq!(code, Some(78));
    assert_eq!(level(&levels, "WL-1103"), "pass", "{levels:?}");
    assert_eq!(level(&levels, "WL-1402"), "fail", "the forwarder hangs up: {levels:?}");

    fs::remove_dir_all(gateway.folder().join("state/keys")).unwrap();
    let (code, levels) = gateway.look(&["check", "--no-env", "--json"]);
    assert_eq!((code, level(&levels, "WL-1101")), (Some(78), "fail"), "{levels:?}");
    assert_eq!(level(&levels, "WL-1102"), "fail", "{levels:?}");
}

#[test]
fn the_doctor_of_a_good_line_finds_no_fault_and_says_what_has_ended() {
    let mut gateway = Gateway::prepare();
    gateway.run();

    let (code, levels) = gateway.look(&["doctor", "--json"]);
    assert_eq!(code, Some(0), "{levels:?}");
    for good in ["WL-1401", "WL-1402", "WL-1403", "WL-1601", "WL-1602", "WL-1604", "WL-1606"] {
        assert_eq!(level(&levels, good), "pass", "{good}: {levels:?}");
    }
    let (_, one) = gateway.look(&["doctor", "--check", "WL-1602", "--json"]);
    assert_eq!(one.len(), 1);
    assert_eq!(gateway.wardline(&["doctor", "--check", "mood"]).status.code(), Some(1));

    assert!(gateway.site.kill(Role::Agent).unwrap());
    let (code, levels) = gateway.look(&["doctor", "--json"]);
    assert_eq!((code, level(&levels, "WL-1601")), (Some(1), "fail"), "{levels:?}");
    assert_eq!(level(&levels, "WL-1402"), "pass", "the broker is still there");
}

#[test]
fn the_doctor_sees_that_the_broker_refuses_a_strangers_certificate() {
    let mut gateway = Gateway::prepare();
    gateway.run();
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["gw-1".into()]).unwrap().self_signed(&key);
    let keys = gateway.folder().join("state/keys");
    fs::write(keys.join("gateway.pem"), own.unwrap().pem()).unwrap();
    fs::write(keys.join("gateway-tls.key"), key.serialize_pem()).unwrap();

    let (code, levels) = gateway.look(&["doctor", "--json"]);

    assert_eq!((code, level(&levels, "WL-1402")), (Some(1), "fail"), "{levels:?}");
    assert!(levels["WL-1402"].1.contains("refuses our certificate"), "{levels:?}");
}

#[test]
fn a_service_manager_is_told_that_the_line_works_and_in_which_state() {
    let gateway = Gateway::prepare();
    let place = gateway.folder().join("notify.sock");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(&gateway.programs.agent);
    command.arg("run").current_dir(gateway.folder()).env("NOTIFY_SOCKET", &place);
    let mut agent = command.stderr(Stdio::null()).spawn().unwrap();
    let told = || {
        let mut bytes = [0; 1024];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };

    let (first, second) = (told(), told());
    agent.kill().unwrap();
    agent.wait().unwrap();

    for said in [first, second] {
        assert!(said.contains("READY=1") && said.contains("WATCHDOG=1"), "{said}");
        assert!(said.contains("STATUS=not connected: buffering"), "{said}");
    }
}

#[test]
fn the_log_is_listed_as_it_is_verified() {
    let mut gateway = Gateway::prepare();
    gateway.run();
    assert!(gateway.site.kill(Role::Agent).unwrap());
    let json = |words: &[&str]| -> Value {
        serde_json::from_slice(&gateway.wardline(words).stdout).unwrap()
    };

    let listed = json(&["log", "ls", "state/buffer", "--json"]);
    let verified = json(&["log", "verify", "state/buffer", "--json"]);

    let segments = listed["segments"].as_array().unwrap();
    let sum = |key: &str| segments.iter().map(|one| one[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(segments.len() as u64, verified["segments"].as_u64().unwrap());
    for key in ["frames", "gaps", "readings"] {
        assert_eq!(sum(key), verified[key].as_u64().unwrap(), "{key}");
    }
    assert!(segments.iter().any(|one| one["lane"] == "vital" && one["frames"] != 0), "{listed}");
}

fn texts(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let text = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(text).collect()
}

/// Writes what the programs say of themselves; `hardware/package` holds the same.
fn write_manuals(programs: &Programs, folder: &Path) {
    let [man, completions, schema] = ["man", "completions", "schema"].map(|part| folder.join(part));
    fs::create_dir_all(&completions).unwrap();
    fs::create_dir_all(&schema).unwrap();
    for (program, name) in [(&programs.agent, "wardline"), (&programs.sink, "wardline-sink")] {
        let out = man.to_str().unwrap();
        assert!(
            Command::new(program).args(["man", "--out", out]).output().unwrap().status.success()
        );
        for shell in ["bash", "zsh", "fish"] {
            let output = Command::new(program).args(["completions", shell]).output().unwrap();
            assert!(output.status.success());
            fs::write(completions.join(format!("{name}.{shell}")), output.stdout).unwrap();
        }
        let output = Command::new(program).arg("schema").output().unwrap();
        assert!(output.status.success());
        fs::write(schema.join(format!("{name}.schema.json")), output.stdout).unwrap();
    }
}

/// A catalogue with names and words of the programs between two marks.
fn with(catalogue: &str, mark: &str, rows: impl Iterator<Item = [&'static str; 2]>) -> String {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->\n"));
    let (head, rest) = catalogue.split_once(&begin).unwrap();
    let (_, tail) = rest.split_once(&end).unwrap();
    let rows: String = rows.map(|[name, words]| format!("| `{name}` | {words} |\n")).collect();
    format!("{head}{begin}| | |\n|---|---|\n{rows}{end}{tail}")
}

/// The catalogue as the programs have it.
fn catalogue(kept: &str) -> String {
    let deeds = Deed::ALL.iter().map(|deed| [deed.name(), deed.words()]);
    let kinds = AuditKind::ALL.iter().map(|kind| [kind.name(), kind.words()]);
    with(&with(kept, "deeds", deeds), "kinds", kinds)
}

#[test]
fn the_packaged_manuals_and_completions_are_those_of_the_programs() {
    let programs = Programs::build().unwrap();
    let fresh = tempdir().unwrap();
    write_manuals(&programs, fresh.path());
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (kept, document) = (top.join("hardware/package"), top.join("docs/audit.md"));
    let known = catalogue(&fs::read_to_string(&document).unwrap());
    if std::env::var_os("WARDLINE_WRITE_MANUALS").is_some() {
        write_manuals(&programs, &kept);
        fs::write(&document, &known).unwrap();
    }
    let cure = "run it with WARDLINE_WRITE_MANUALS=1, look at the difference, commit it";
    assert_eq!(fs::read_to_string(&document).unwrap(), known, "docs/audit.md: {cure}");
    for part in ["man", "completions", "schema"] {
        let (fresh, kept) = (texts(&fresh.path().join(part)), texts(&kept.join(part)));
        let names = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&fresh), names(&kept), "{cure}");
        let stale: Vec<_> = fresh.iter().filter(|(name, text)| kept[*name] != **text).collect();
        assert!(stale.is_empty(), "{:?}: {cure}", stale.first().map(|(name, _)| name));
    }
}
