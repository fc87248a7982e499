//! `wardline-sink enroll`: a gateway's request becomes a grant; or a person vouches beforehand, by
//! one-time tokens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use wire::identity::GatewayId;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::config::Config;
use crate::keys::{KeyFolder, write_secret};
use crate::store::db::Db;
use crate::store::query;
use crate::trust::desk::in_transaction;
use crate::trust::enrol::{Granted, Site, Voucher, grant};
use crate::trust::token::{self, Wanted};

/// Answers a gateway's request, or makes one-time tokens by which gateways enrol themselves.
#[derive(Debug, clap::Args)]
pub struct Enroll {
    #[command(flatten)]
    config: ConfigArg,
    /// What `wardline provision` wrote.
    #[arg(required_unless_present_any = ["token", "batch"])]
    #[arg(conflicts_with_all = ["token", "batch"])]
    request: Option<PathBuf>,
    /// Takes another key of a gateway that is enrolled: it lost its own. What the old key signed
    /// stays valid.
    #[arg(long)]
    new_key: bool,
    /// Prints a token by which this gateway may enrol itself, once.
    #[arg(long, value_name = "GATEWAY", conflicts_with = "batch")]
    token: Option<String>,
    /// The same for all gateways of a table: a line `gateway,ward` each; writes a file for each
    /// one's boot medium, and one for labels, into the folder of --output.
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// The ward in which the gateway of --token will stand.
    #[arg(long, requires = "token")]
    ward: Option<String>,
    /// How long tokens are good, days.
    #[arg(long, default_value_t = token::DAYS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Where to write the grant, or the folder of --batch.
    #[arg(long, value_name = "FILE", default_value = "gateway.grant")]
    output: PathBuf,
}

/// What a gateway finds on its boot medium.
#[derive(Serialize)]
struct Provision<'a> {
    gateway: &'a str,
    sink: &'a str,
    token: &'a str,
    broker: Broker<'a>,
}

#[derive(Serialize)]
struct Broker<'a> {
    host: &'a str,
    port: u16,
}

impl Enroll {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        match (&self.token, &self.batch, &self.request) {
            (Some(gateway), ..) => self.one(&config, gateway)?,
            (_, Some(table), _) => self.many(&config, table)?,
            (_, _, Some(request)) => self.answer(&config, request)?,
            // The command line's own rules see to it that one of them is there.
            (None, None, None) => {}
        }
        Ok(())
    }

    fn answer(&self, config: &Config, request: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(request).with_context(|| request.display().to_string())?;
        let db = Db::open(&config.store)?;
        let voucher = Voucher::Person { another_key: self.new_key };
        let granted =
            in_transaction(&db, |db| grant(&site(config), db, &text, voucher, clock::now()))?;
        let Granted { gateway, words, key, grant } = granted;
        write_down(&db, Deed::Enrol, gateway.as_str(), &format!("key {words}"))?;
        fs::write(&self.output, grant)?;
        println!("enrolled {gateway}, key id {key}");
        println!("in words: {words}; compare them with what the gateway shows");
        println!("next: wardline provision --grant {}", self.output.display());
        Ok(())
    }

    fn one(&self, config: &Config, gateway: &str) -> anyhow::Result<()> {
        let db = Db::open(&config.store)?;
        let token = self.make(config, &db, gateway, self.ward.as_deref())?;
        println!("{token}");
        let endpoint = config.enrol.as_ref().map(|enrol| enrol.url.as_str());
        let Some(url) = endpoint else {
            eprintln!("nobody can use it yet: [enrol] is not in the configuration");
            return Ok(());
        };
        eprintln!("for {gateway}, once, within {} days", self.days);
        eprintln!("next: wardline provision --sink {url} --token TOKEN");
        Ok(())
    }

    /// One line a gateway; nothing is written unless all of them are good.
    fn many(&self, config: &Config, table: &Path) -> anyhow::Result<()> {
        let url = config.enrol.as_ref().map(|enrol| enrol.url.as_str());
        let url =
            url.context("[enrol] is not in the configuration: nobody could use the tokens")?;
        let wanted = read_table(table)?;
        fs::create_dir_all(&self.output).with_context(|| self.output.display().to_string())?;
        let db = Db::open(&config.store)?;
        let mut labels = csv::Writer::from_path(self.output.join("labels.csv"))?;
        labels.write_record(["gateway", "ward", "until"])?;
        let until = clock::words(clock::now().0 + i64::from(self.days) * 86_400_000_000_000);
        for (gateway, ward) in &wanted {
            let token = self.make(config, &db, gateway, ward.as_deref())?;
            let broker = Broker { host: &config.broker_host, port: config.broker_port };
            let file = Provision { gateway, sink: url, token: &token, broker };
            let path = self.output.join(format!("{gateway}.toml"));
            write_secret(&path, toml::to_string(&file)?.as_bytes())
                .with_context(|| path.display().to_string())?;
            labels.write_record([gateway, ward.as_deref().unwrap_or_default(), &until])?;
        }
        labels.flush()?;
        println!("{} gateways, files in {}", wanted.len(), self.output.display());
        println!("next: wardline provision --from GATEWAY.toml, or the file on the boot medium");
        Ok(())
    }

    fn make(
        &self,
        config: &Config,
        db: &Db,
        gateway: &str,
        ward: Option<&str>,
    ) -> anyhow::Result<String> {
        let gateway = GatewayId::new(gateway)?;
        let is_new = query::keys_that_speak(db, gateway)?.is_empty();
        ensure!(
            is_new || self.new_key,
            "{gateway} is enrolled already; if it lost its key, add --new-key"
        );
        let (days, another_key) = (self.days, self.new_key);
        let wanted = Wanted { gateway, ward, days, another_key };
        let words = format!("a token, for {} days", self.days);
        write_down(db, Deed::Invite, gateway.as_str(), &words)?;
        token::make(&KeyFolder(config.keys.clone()), db, wanted, clock::now())
    }
}

/// A site's keys and endpoint, as the configuration says.
pub(super) fn site(config: &Config) -> Site {
    let endpoint = config.enrol.as_ref().map(|enrol| enrol.url.clone());
    Site { keys: KeyFolder(config.keys.clone()), endpoint }
}

/// Gateways and their wards; each name is good and stands once.
fn read_table(path: &Path) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path)?;
    let mut wanted: Vec<(String, Option<String>)> = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let place = || format!("{}, line {}", path.display(), line + 1);
        let record = record.with_context(place)?;
        let field = |at: usize| record.get(at).map(str::trim).filter(|text| !text.is_empty());
        let Some(gateway) = field(0) else { continue };
        if line == 0 && gateway == "gateway" {
            continue;
        }
        GatewayId::new(gateway).with_context(place)?;
        if wanted.iter().any(|(other, _)| other == gateway) {
            bail!("{}: {gateway} stands there twice", place());
        }
        wanted.push((gateway.to_owned(), field(1).map(str::to_owned)));
    }
    ensure!(!wanted.is_empty(), "{}: names no gateway", path.display());
    Ok(wanted)
}
