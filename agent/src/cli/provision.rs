//! `wardline provision`: keys are made here and never leave; the sink answers a request.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;
use wire::audit::AuditKind;
use wire::hex::unhex;
use wire::words;

use super::{ConfigArg, Failure};
use crate::clock::floor::Floor;
use crate::config::{Config, TEMPLATE};
use crate::enrol::token::Token;
use crate::enrol::{self, Pins};
use crate::seal::keep;
use crate::seal::keyring::key_to_enrol;

/// Makes keys and a request, installs a grant, or does both at once with a one-time token.
#[derive(Debug, clap::Args)]
pub struct Provision {
    #[command(flatten)]
    config: ConfigArg,
    /// What `wardline-sink enroll` answered.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sink", "from", "renew"])]
    grant: Option<PathBuf>,
    /// Where to write the request.
    #[arg(long, value_name = "FILE", default_value = "gateway.request")]
    request: PathBuf,
    /// The sink's enrolment endpoint; asked with the token of --token.
    #[arg(long, value_name = "URL", requires = "token")]
    sink: Option<String>,
    /// What `wardline-sink enroll --token` has printed.
    #[arg(long, value_name = "TOKEN", requires = "sink")]
    token: Option<Token>,
    /// A file of `wardline-sink enroll --batch`: gateway, broker, endpoint and token. Writes the
    /// configuration, too, if there is none.
    #[arg(long, value_name = "FILE", conflicts_with = "sink")]
    from: Option<PathBuf>,
    /// Asks the endpoint for a new certificate now, by the key that is enrolled.
    #[arg(long, conflicts_with_all = ["sink", "from"])]
    renew: bool,
    /// Lets another signing key follow: the present one names it in the request. It speaks from the
    /// next start on; what the old one signed stays valid.
    #[arg(long, conflicts_with_all = ["sink", "from", "grant"])]
    rotate: bool,
    /// The grant may bring other roots than those that this gateway believes: the site was made
    /// anew.
    #[arg(long)]
    new_roots: bool,
}

/// What stands on the boot medium.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Medium {
    gateway: String,
    sink: String,
    token: String,
    broker: MediumBroker,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MediumBroker {
    host: String,
    port: u16,
}

impl Provision {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(path) = &self.from {
            return self.by_medium(path);
        }
        let config = self.config.load()?;
        match (&self.grant, &self.sink, &self.token) {
            (Some(grant), ..) => {
                let text =
                    fs::read_to_string(grant).with_context(|| grant.display().to_string())?;
                install(&config, &text, self.pins())?;
            }
            (_, Some(sink), Some(token)) => enrol_by_token(&config, sink, token, self.pins())?,
            _ if self.renew => self.renew(&config)?,
            _ => self.request(&config)?,
        }
        Ok(())
    }

    const fn pins(&self) -> Pins {
        if self.new_roots { Pins::Replace } else { Pins::First }
    }

    fn by_medium(&self, path: &Path) -> Result<(), Failure> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let medium: Medium = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let own = &self.config.config;
        if !own.exists() {
            let port = format!("port = {}", medium.broker.port);
            let text = TEMPLATE
                .replace("@GATEWAY@", &medium.gateway)
                .replace("@HOST@", &medium.broker.host)
                .replace("port = 8883", &port);
            fs::write(own, text).with_context(|| own.display().to_string())?;
            println!("written: {}; say there where devices speak", own.display());
        }
        let config = self.config.load()?;
        if medium.gateway != config.gateway.as_str() {
            let words = format!(
                "{} is for gateway {}, {} for {}",
                path.display(),
                medium.gateway,
                own.display(),
                config.gateway
            );
            return Err(anyhow::anyhow!(words).into());
        }
        let token: Token = medium.token.parse()?;
        enrol_by_token(&config, &medium.sink, &token, self.pins())?;
        Ok(())
    }

    fn request(&self, config: &Config) -> anyhow::Result<()> {
        make_folders(config)?;
        let files = config.key_files();
        let request = if self.rotate {
            enrol::request_for_successor(config)?
        } else {
            enrol::request(config, &key_to_enrol(&files)?)?
        };
        fs::write(&self.request, serde_json::to_string_pretty(&request)?)?;
        println!("keys in {}", files.folder.display());
        for place in [files.signing(), config.broker.key.clone()] {
            place.remember();
            let seen = place.look("not made yet");
            println!("{}: {}", seen.key, seen.place);
        }
        show_key(&request)?;
        println!("next: wardline-sink enroll {}", self.request.display());
        Ok(())
    }

    fn renew(&self, config: &Config) -> anyhow::Result<()> {
        let sink = enrol::sink(config);
        let sink = sink.context("this gateway knows no endpoint: carry a request to the sink")?;
        let floor = Floor::below(&config.state);
        let runtime = runtime()?;
        if !self.rotate {
            runtime.block_on(enrol::renew::renew(config, &sink, &floor))?;
            super::write_down(config, AuditKind::Keys, "certificate", "renewed");
            println!("the certificate is renewed");
            return Ok(());
        }
        let request = enrol::request_for_successor(config)?;
        let grant = runtime.block_on(enrol::by_key(config, &sink, &request, &floor))?;
        enrol::install(config, &grant, Pins::Keep)?;
        let words = "another one is enrolled, and speaks from the next start on";
        super::write_down(config, AuditKind::Keys, "signing key", words);
        show_key(&request)?;
        println!("next: restart the agent; the new key speaks from then on");
        Ok(())
    }
}

fn make_folders(config: &Config) -> anyhow::Result<()> {
    for folder in [&config.state, &config.key_files().folder] {
        keep::folder(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime")
}

/// What two people compare.
fn show_key(request: &enrol::Request) -> anyhow::Result<()> {
    let key = unhex(&request.signing_key).context("no key")?;
    let key = ed25519_dalek::VerifyingKey::try_from(key.as_slice())?;
    let id = wire::signed::signing_key_id(&key);
    println!("key id {id}");
    println!("in words: {}; compare them with what the sink shows", words::of_key(id));
    Ok(())
}

fn enrol_by_token(config: &Config, sink: &str, token: &Token, pins: Pins) -> anyhow::Result<()> {
    ensure!(sink.starts_with("https://"), "{sink}: the sink is at https://HOST:PORT");
    make_folders(config)?;
    let request = enrol::request(config, &key_to_enrol(&config.key_files())?)?;
    let floor = Floor::below(&config.state);
    let grant = runtime()?.block_on(enrol::by_token(sink, token, &request, &floor))?;
    show_key(&request)?;
    install(config, &grant, pins)
}

fn install(config: &Config, grant: &str, pins: Pins) -> anyhow::Result<()> {
    enrol::install(config, grant, pins)?;
    super::write_down(config, AuditKind::Keys, "grant", "enrolled: a grant is installed");
    println!("provisioned {}", config.gateway);
    println!("next: wardline check, then wardline run");
    Ok(())
}
