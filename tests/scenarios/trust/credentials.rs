//! Keys that systemd gives as credentials are used, said to be, and never made anew; a key
//! that follows counts at once.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use rig::site::Role;
use serde_json::{Value, json};

use super::{LOOK, PATIENCE, Place, run};

/// The gateway's private keys, as the status names them.
const KEYS: [&str; 3] = ["signing.key", "gateway-tls.key", "local.key"];
const FILE: &str = "file, mode 0600";
const CREDENTIAL: &str = "systemd credential";

/// Waits until the running agent's status is as wanted.
async fn shown(place: &Place, wanted: impl Fn(&Value) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = place.site.agent_status().await.unwrap_or_default();
        if wanted(&status) {
            return;
        }
        assert!(Instant::now() < until, "{status:#}\n{}", place.site.last_words());
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the running agent says that its keys are there.
async fn keys_are(place: &Place, places: [&str; 3]) {
    let keys = KEYS.iter().zip(places).map(|(key, place)| json!({ "key": key, "place": place }));
    let wanted = Value::Array(keys.collect());
    shown(place, |status| status["keys"] == wanted).await;
}

/// Which of the keys are files.
fn files(place: &Place) -> Vec<&'static str> {
    let folder = place.site.gateway_keys();
    KEYS.into_iter().filter(|key| folder.join(key).exists()).collect()
}

/// Says with which words a command of the gateway fails.
fn refused(place: &Place, words: &[&str], options: &[&str]) -> String {
    format!("{:#}", place.site.gateway(words, options).unwrap_err())
}

impl Place {
    /// Stops the agent and moves all keys into credentials; their folder.
    async fn seal_keys(&mut self) -> PathBuf {
        self.site.stop(Role::Agent).await.unwrap();
        self.site.move_into_credentials(&KEYS).unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.below(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_gateway_whose_keys_are_credentials_delivers_everything_and_says_where_they_are() {
    run(async {
        let mut place = Place::running().await;
        keys_are(&place, [FILE; 3]).await;
        place.site.forwarder().open(false);
        place.say(10).await;

        place.seal_keys().await;
        place.site.forwarder().open(true);
        place.site.start(Role::Agent).unwrap();
        place.say(10).await;
        place.settled().await;

        keys_are(&place, [CREDENTIAL; 3]).await;
        let said = place.site.gateway(&["status"], &[]).unwrap();
        assert_eq!(said.matches(CREDENTIAL).count(), 3, "{said}");
        let request = place.path("request");
        place.site.gateway(&["provision"], &["--request", &request]).unwrap();
        assert_eq!(files(&place), [""; 0], "no other key is made");

        // A command at a shell, without what systemd gives to the service.
        place.site.give_credentials(None);
        let words = refused(&place, &["provision"], &["--request", &request]);
        assert!(words.contains("wardline.signing.key, which is not given here"), "{words}");
        assert_eq!(files(&place), [""; 0], "no other key is made");
    });
}

#[test]
fn a_key_that_follows_lies_in_a_file_and_counts_before_the_credential() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;
        place.seal_keys().await;
        let (request, grant) = (place.path("request"), place.path("grant"));
        // Enrolled again by the same key, to learn where certificates are renewed.
        place.site.gateway(&["provision"], &["--request", &request]).unwrap();
        place.site.sink(&["enroll"], &[&request, "--output", &grant]).unwrap();
        place.site.gateway(&["provision"], &["--grant", &grant]).unwrap();
        place.site.gateway(&["provision"], &["--renew"]).unwrap();
        assert_eq!(files(&place), [""; 0], "a certificate is renewed without a new key");

        place.site.gateway(&["provision"], &["--renew", "--rotate"]).unwrap();
        place.site.start(Role::Agent).unwrap();
        place.say(10).await;
        place.settled().await;

        assert_eq!(files(&place), ["signing.key"]);
        keys_are(&place, [FILE, CREDENTIAL, CREDENTIAL]).await;
    });
}

#[test]
fn a_credential_that_is_no_key_is_named_and_costs_no_reading() {
    run(async {
        let mut place = Place::running().await;
        place.site.forwarder().open(false);
        place.say(10).await;
        let given = place.seal_keys().await;
        let spoil = |name: &str| {
            let path = given.join(name);
            let good = fs::read(&path).unwrap();
            fs::write(&path, "rubbish").unwrap();
            (path, good)
        };

        let (path, good) = spoil("wardline.local.key");
        let words = refused(&place, &["run"], &[]);
        assert!(words.contains("wardline.local.key cannot be used (too short)"), "{words}");
        fs::write(path, good).unwrap();
        place.site.forwarder().open(true);
        place.site.start(Role::Agent).unwrap();
        place.say(10).await;
        place.settled().await;

        place.site.stop(Role::Agent).await.unwrap();
        spoil("wardline.signing.key");
        place.site.start(Role::Agent).unwrap();
        let named = |status: &Value| {
            let alarms = status["alarms"].to_string();
            alarms.contains("provisional key") && alarms.contains("wardline.signing.key")
        };
        shown(&place, named).await;
        let request = place.path("request");
        let words = refused(&place, &["provision"], &["--request", &request]);
        assert!(words.contains("seal the key again with `systemd-creds encrypt`"), "{words}");
        assert_eq!(files(&place), [""; 0], "no other key is made");
    });
}

#[test]
fn an_erasure_names_the_sealed_key_that_it_cannot_destroy() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;
        let given = place.seal_keys().await;
        place.site.start(Role::Agent).unwrap();
        keys_are(&place, [CREDENTIAL; 3]).await;
        place.site.forwarder().open(false);
        place.say(30).await;
        place.site.stop(Role::Agent).await.unwrap();
        let proof = place.path("proof");
        let options = ["--yes", "--reason", "sold", "--proof", proof.as_str()];
        place.site.give_credentials(None);
        let words = refused(&place, &["erase"], &options);
        assert!(words.contains("wardline.local.key, which is not given here"), "{words}");
        assert!(!place.below("proof").exists(), "nothing was erased");

        place.site.give_credentials(Some(&given));
        let words = refused(&place, &["erase"], &options);

        assert!(words.contains("something is left"), "{words}");
        let proof: Value = serde_json::from_str(&fs::read_to_string(proof).unwrap()).unwrap();
        let said: Value = serde_json::from_str(proof["proof"].as_str().unwrap()).unwrap();
        assert_eq!(said["left"], json!(["/etc/credstore.encrypted/wardline.local.key"]));
        assert_eq!(said["undeclared"], Value::Null);
        assert!(said["lanes"][1]["readings_min"].as_u64() >= Some(30), "{said}");
    });
}
