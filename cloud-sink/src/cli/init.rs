//! `wardline-sink init`: a new site. Every key is made here; nothing is shared, nothing a default.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use wire::identity::StoreEpoch;
use wire::keyring::{FleetPart, RootPart, Roots, join};
use wire::time::UnixNanos;

use super::Failure;
use crate::clock;
use crate::config::TEMPLATE;
use crate::keys::{KeyFolder, random, write_secret};
use crate::store::commit;
use crate::store::db::Location;
use crate::trust::certificates::{self, Service};
use crate::trust::keyring;

/// Makes a new site.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// Folder to make it in.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Name or address of the broker, as gateways reach it.
    #[arg(long)]
    broker_host: String,
    /// The broker's port.
    #[arg(long, default_value_t = 8883)]
    broker_port: u16,
    /// Where the page listens; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8780")]
    view_listen: SocketAddr,
    /// The store: a file in the folder, or an empty database, "postgres://user@localhost/name".
    #[arg(long, value_name = "FILE|URL", default_value = "store.sqlite")]
    store: String,
    /// This sink's name.
    #[arg(long, default_value = "sink-1")]
    name: String,
}

/// The keyring's life: after this an alarm is raised; collecting never stops.
const KEYRING_DAYS: i64 = 365;

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.folder.join("sink.toml").exists() {
            return Err(anyhow::anyhow!("{} is a site already", self.folder.display()).into());
        }
        let folder = KeyFolder(self.folder.join("keys"));
        let offline = KeyFolder(folder.path("offline"));
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.folder).with_context(|| self.folder.display().to_string())?;
        builder.create(&offline.0)?;
        self.certificates(&folder)?;
        let epoch = StoreEpoch(random()?[..16].try_into().unwrap_or_default());
        make_keyring(&folder, &offline, epoch)?;
        write_secret(&folder.path("store.key"), &random()?)?;
        commit::create(&Location::parse(&self.store, &self.folder), epoch)?;
        self.broker_files()?;
        let text = TEMPLATE
            .replace("@NAME@", &self.name)
            .replace("@STORE@", &self.store)
            .replace("@HOST@", &self.broker_host)
            .replace("@PORT@", &self.broker_port.to_string())
            .replace("@LISTEN@", &self.view_listen.to_string());
        fs::write(self.folder.join("sink.toml"), text)?;
        println!("site made in {}", self.folder.display());
        println!("move {} to a safe that is offline", offline.0.display());
        println!("broker: mosquitto -c {}", self.folder.join("mosquitto.conf").display());
        println!("next: wardline-sink enroll, then wardline-sink run");
        Ok(())
    }

    /// CA, broker, enrolment and sink certificates.
    fn certificates(&self, keys: &KeyFolder) -> anyhow::Result<()> {
        let now = clock::now();
        certificates::make_authority(keys, now)?;
        let mut names = vec![self.broker_host.clone(), "localhost".into(), "127.0.0.1".into()];
        names.dedup();
        let enrolment = Service::Enrolment(names.clone());
        certificates::certify(keys, "broker", &Service::Broker(names), now)?;
        certificates::certify(keys, "enrolment", &enrolment, now)?;
        certificates::certify(keys, &self.name, &Service::Sink, now)?;
        certificates::list_none(keys, now)
    }

    /// Configuration and access list for mosquitto: the certificate's name is the gateway id.
    fn broker_files(&self) -> anyhow::Result<()> {
        let folder = fs::canonicalize(&self.folder)?;
        if folder.to_string_lossy().contains('\n') {
            bail!("the folder's name cannot stand in a configuration");
        }
        let below = |name: &str| folder.join(name).display().to_string();
        fs::create_dir_all(folder.join("broker"))?;
        // Started by root, mosquitto would become a user who cannot read these files.
        let owner = if rustix::process::getuid().is_root() { "user root\n" } else { "" };
        let conf = format!(
            "# Written by wardline-sink init.\n\
             {}per_listener_settings false\nallow_anonymous false\nlistener {}\n\
             cafile {}\ncertfile {}\nkeyfile {}\ncrlfile {}\nrequire_certificate true\n\
             use_identity_as_username true\ntls_version tlsv1.3\nacl_file {}\n\
             persistence true\npersistence_location {}/\nautosave_interval 60\n\
             max_inflight_messages 200\nmax_queued_messages 100000\n\
             max_queued_bytes 268435456\nmax_packet_size 131072\nlog_dest stderr\n\
             log_type error\nlog_type warning\n",
            owner,
            self.broker_port,
            below("keys/ca.pem"),
            below("keys/broker.pem"),
            below("keys/broker.key"),
            below("keys/crl.pem"),
            below("mosquitto.acl"),
            below("broker"),
        );
        fs::write(folder.join("mosquitto.conf"), conf)?;
        fs::write(folder.join("mosquitto.acl"), access_list(&self.name))?;
        Ok(())
    }
}

fn access_list(sink: &str) -> String {
    let mut list = format!(
        "# Written by wardline-sink init. The certificate's name is the gateway id.\n\
         user {sink}\ntopic readwrite wardline/v1/#\n\n"
    );
    for lane in ["alert", "vital", "wave", "health", "status"] {
        list.push_str(&format!("pattern write wardline/v1/%u/{lane}\n"));
    }
    for word in ["receipt", "command"] {
        list.push_str(&format!("pattern read wardline/v1/%u/{word}\n"));
    }
    list.push_str("pattern read wardline/v1/keyring\n");
    list
}

/// Root and recovery keys go to the offline folder; fleet, receipt and command keys stay here.
fn make_keyring(
    folder: &KeyFolder,
    offline: &KeyFolder,
    store_epoch: StoreEpoch,
) -> anyhow::Result<()> {
    let root = keyring::make_signing(offline, "root.key")?;
    let fleet = keyring::make_signing(folder, "fleet.key")?;
    let receipt = keyring::make_signing(folder, "receipt.key")?;
    let command = keyring::make_signing(folder, "command.key")?;
    let root_part = RootPart {
        version: 1,
        expires: UnixNanos(clock::now().0 + KEYRING_DAYS * 86_400_000_000_000),
        fleet_key: fleet.verifying_key(),
        recovery: keyring::make_recipients(offline)?,
    };
    let fleet_part = FleetPart {
        version: 1,
        recipients: keyring::make_recipients(folder)?,
        receipt_keys: vec![receipt.verifying_key()],
        command_key: command.verifying_key(),
        formats: (wire::FORMAT_VERSION, wire::FORMAT_VERSION),
        store_epoch,
    };
    let document = join(vec![root_part.sign(&root)], fleet_part.sign(&fleet));
    certificates::replace(folder, "keyring.cbor", &document)?;
    keyring::keep_roots(folder, &Roots { keys: vec![root.verifying_key()], needed: 1 })
}
