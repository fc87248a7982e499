//! Keys that are gone in both copies, or have expired; configurations that are wrong.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agent::seal::keyring::store;
use rig::fleet::Fleet;
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use wire::keyring::{RootPart, join};
use wire::segment::Suite;
use wire::time::UnixNanos;

use super::story::{self, Nest, SOCKET, alarms_at, say, speak};

const PATIENCE: Duration = Duration::from_secs(30);

/// A provisioned site with a socket for devices; nothing runs yet.
async fn site() -> (Site, Programs) {
    let programs = Programs::build().unwrap();
    let (broker, flush) = (Some(BrokerKind::Rig), Some(Duration::from_millis(10)));
    let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush };
    (Site::prepare(programs.clone(), &plan).await.unwrap(), programs)
}

fn lose(folder: &Path, names: &[&str]) {
    for name in names {
        for copy in [(*name).to_owned(), format!("{name}.2")] {
            fs::write(folder.join("state/keys").join(copy), b"rubbish").unwrap();
        }
    }
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    assert!(output.status.success(), "{command:?}: {words}");
    words
}

/// `wardline provision` with some words.
fn provision(programs: &Programs, folder: &Path, word: &str, file: &Path) -> String {
    let mut command = Command::new(&programs.agent);
    command.arg("provision").arg("--config").arg(folder.join("wardline.toml"));
    done(command.arg(word).arg(file))
}

fn enroll(programs: &Programs, site: &Site, request: &Path, grant: &Path) -> Command {
    let mut command = Command::new(&programs.sink);
    command.arg("enroll").arg("--config").arg(site.folder().join("sink/sink.toml"));
    command.arg(request).arg("--output").arg(grant);
    command
}

fn block_on(story: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(story);
}

#[test]
fn without_any_keyring_nothing_is_accepted_until_the_broker_brings_one() {
    block_on(async {
        let (mut site, _) = site().await;
        let folder = site.intake_folder();
        lose(&folder, &["keyring"]);
        site.start(Role::Agent).unwrap();
        let words = say(&folder, 1).await.unwrap();
        let socket = folder.join("state/status.sock");

        story::wait_for(&socket, |alarms| {
            let all = alarms.join("\n");
            all.contains("no keyring") && all.contains("devices are held back")
        })
        .await
        .unwrap();
        assert!(words.are_not_taken(), "a reading was acknowledged that nobody could seal");
        site.start_all(PATIENCE).await.unwrap();

        words.are_taken().await.unwrap();
        site.wait_for_receipts(PATIENCE).await.unwrap();
        story::wait_for(&socket, |alarms| alarms.is_empty()).await.unwrap();
        assert_eq!(site.sink_status().unwrap()["gap_records"], 0, "nothing was lost");
    });
}

#[test]
fn lost_root_keys_hold_devices_back_until_the_grant_is_installed_again() {
    block_on(async {
        let (mut site, programs) = site().await;
        let folder = site.intake_folder();
        lose(&folder, &["roots"]);
        site.start_all(PATIENCE).await.unwrap();
        let words = say(&folder, 1).await.unwrap();
        let socket = folder.join("state/status.sock");
        let named = |alarms: &[String]| alarms.join("\n").contains("no root keys");
        story::wait_for(&socket, named).await.unwrap();
        assert!(words.are_not_taken());

        provision(&programs, &folder, "--grant", &folder.join("gateway.grant"));

        words.are_taken().await.unwrap();
        story::wait_for(&socket, |alarms| alarms.is_empty()).await.unwrap();
    });
}

#[test]
fn a_gateway_that_lost_its_key_collects_and_is_believed_once_it_is_enrolled_again() {
    block_on(async {
        let (mut site, programs) = site().await;
        let folder = site.intake_folder();
        let (request, grant) = (folder.join("again.request"), folder.join("again.grant"));
        site.start(Role::Agent).unwrap();
        speak(&folder, 1).await.unwrap();
        site.kill(Role::Agent).unwrap();
        lose(&folder, &["signing.key"]);
        let tls = folder.join("state/keys/gateway-tls.key");
        fs::write(&tls, b"rubbish").unwrap();
        site.start(Role::Agent).unwrap();
        let socket = folder.join("state/status.sock");

        // Collects, and says that frames wait and why there is no connection.
        speak(&folder, 2).await.unwrap();
        let said = |alarms: &[String]| {
            let all = alarms.join("\n");
            all.contains("provisional key") && all.contains("gateway-tls.key")
        };
        story::wait_for(&socket, said).await.unwrap();

        // With a certificate again, the sink has what the old key signed and nothing else.
        provision(&programs, &folder, "--request", &request);
        let refused = enroll(&programs, &site, &request, &grant).output().unwrap();
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--new-key"));
        let pem = certificate_for(&site, &tls);
        fs::write(folder.join("state/keys/gateway.pem"), pem).unwrap();
        site.start_all(PATIENCE).await.unwrap();
        wait_for_sink(&site, |status| {
            status["unsigned"].as_u64() > Some(0) && present_in(status) > 0
        })
        .await;
        assert!(site.wait_for_receipts(Duration::from_secs(2)).await.is_err());
        let before = present(&site);

        // Enrolled while everything runs: what waited is stored.
        done(enroll(&programs, &site, &request, &grant).arg("--new-key"));
        provision(&programs, &folder, "--grant", &grant);
        site.wait_for_receipts(PATIENCE).await.unwrap();
        story::wait_for(&socket, |alarms| alarms.is_empty()).await.unwrap();
        assert!(present(&site) > before);
        speak(&folder, 3).await.unwrap();
        site.kill(Role::Agent).unwrap();
        assert!(!folder.join("state/keys/provisional.key").exists());
        site.start(Role::Agent).unwrap();
        site.wait_for_receipts(PATIENCE).await.unwrap();
    });
}

/// A certificate of the site for a gateway's new TLS key, as if only that had been renewed.
fn certificate_for(site: &Site, tls: &Path) -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let keys = site.folder().join("sink/keys");
    let ca_key = rcgen::KeyPair::from_pem(&read(&keys.join("ca.key"))).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read(&keys.join("ca.pem")), ca_key).unwrap();
    let key = rcgen::KeyPair::from_pem(&read(tls)).unwrap();
    certificate("gw-1", None).signed_by(&key, &issuer).unwrap().pem()
}

fn certificate(name: &str, end: Option<i32>) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    if let Some(year) = end {
        params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
    }
    params
}

/// Records that the sink has stored.
fn present(site: &Site) -> u64 {
    present_in(&site.sink_status().unwrap())
}

fn present_in(status: &serde_json::Value) -> u64 {
    let lanes = status["lanes"].as_array().unwrap().iter();
    lanes.map(|lane| lane["present"].as_u64().unwrap()).sum()
}

async fn wait_for_sink(site: &Site, wanted: impl Fn(&serde_json::Value) -> bool) {
    let until = std::time::Instant::now() + PATIENCE;
    while !wanted(&site.sink_status().unwrap()) {
        assert!(std::time::Instant::now() < until, "{}", site.sink_status().unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn an_expired_keyring_or_certificate_stops_no_collecting_and_is_said() {
    block_on(async {
        let (site, programs) = site().await;
        let nest = Nest::copy(&site.intake_folder(), &programs.agent);
        let keys = nest.folder.join("state/keys");
        let fleet = Fleet::new(Suite::XWing);
        let root = ed25519_dalek::SigningKey::from_bytes(&[0x21; 32]);
        let signer = ed25519_dalek::SigningKey::from_bytes(&[0x31; 32]);
        let expires = UnixNanos(1_700_000_000_000_000_000);
        let root_part = RootPart { expires, ..fleet.keyring.root.clone() };
        let document = join(vec![root_part.sign(&root)], fleet.keyring.fleet.sign(&signer));
        let roots = [&[1][..], root.verifying_key().as_bytes()].concat();
        store(&keys.join("roots"), &roots).unwrap();
        store(&keys.join("keyring"), &document).unwrap();
        let tls = rcgen::KeyPair::generate().unwrap();
        let old = certificate("gw-1", Some(2024)).self_signed(&tls).unwrap();
        fs::write(keys.join("gateway.pem"), old.pem()).unwrap();

        let _agent = nest.start();
        speak(&nest.folder, 1).await.unwrap();

        nest.wait_for_alarm("the keyring has expired; collecting goes on").await.unwrap();
        nest.wait_for_alarm("the certificate has expired; collecting goes on").await.unwrap();
        assert!(alarms_at(&nest.folder.join("state/status.sock")).await.is_some());
    });
}

#[test]
fn a_wrong_configuration_is_named_by_check_and_stops_only_a_first_run() {
    block_on(async {
        let (site, programs) = site().await;
        let nest = Nest::copy(&site.intake_folder(), &programs.agent);
        let config = nest.folder.join("wardline.toml");
        let good = fs::read_to_string(&config).unwrap();
        let wrong = good.replace("[buffer]", "[bufer]");
        fs::write(&config, &wrong).unwrap();
        assert_eq!(nest.run(&["run"]).status.code(), Some(78), "there is no good one yet");
        fs::write(&config, &good).unwrap();
        drop({
            let agent = nest.start();
            speak(&nest.folder, 1).await.unwrap();
            agent
        });
        fs::write(&config, &wrong).unwrap();

        let _agent = nest.start();
        speak(&nest.folder, 2).await.unwrap();

        nest.wait_for_alarm("the last good configuration is used").await.unwrap();
        let checked = nest.run(&["check"]);
        assert_eq!(checked.status.code(), Some(78));
        assert!(String::from_utf8_lossy(&checked.stderr).contains("did you mean `buffer`?"));
        let shown = String::from_utf8(nest.run(&["status"]).stdout).unwrap();
        assert!(shown.contains("ALARM") && shown.contains("bufer"), "{shown}");
    });
}
