//! `wardline check`: what is wrong before anything runs.

use super::{ConfigArg, EXIT_CONFIG, Failure, wrong_config};
use crate::config::Config;
use crate::intake::ports::Port;
use crate::seal::keyring::{KeyFiles, load_keyring, load_roots, load_signing_key};
use crate::uplink::tls;

/// Checks configuration, keys and certificate.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    config: ConfigArg,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config.config).map_err(wrong_config)?;
        let mut findings = Vec::new();
        let mut note = |what: &str, result: Result<(), String>| match result {
            Ok(()) => println!("pass  {what}"),
            Err(error) => {
                println!("fail  {what}: {error}");
                findings.push(what.to_owned());
            }
        };
        let files = KeyFiles::below(&config.state);
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let signing = load_signing_key(&files.signing()).map(drop);
        note("signing key", signing.map_err(|error| said(&error)));
        let keyring =
            load_roots(&files.roots()).and_then(|roots| load_keyring(&files.keyring(), &roots));
        let usable = keyring.map_err(|error| said(&error)).and_then(|keyring| {
            let missing = wire::identity::Lane::ALL
                .into_iter()
                .find(|lane| keyring.recipients(*lane, config.suite).is_empty());
            missing.map_or(Ok(()), |lane| Err(format!("no recipient for lane {lane}")))
        });
        note("keyring", usable);
        let certificate = tls::client(&config.broker).map(drop);
        note("certificate", certificate.map_err(|error| said(&error)));
        note("intake", intake(&config));
        let days = config.quota.bytes_max as f64 / 14_000.0 / 86_400.0;
        println!(
            "info  at 20 beds of 30 numerics and 4 waves the quota lasts {days:.0} days offline"
        );
        if findings.is_empty() {
            return Ok(());
        }
        Err(Failure(EXIT_CONFIG, anyhow::anyhow!("{} finding(s)", findings.len())))
    }
}

fn intake(config: &Config) -> Result<(), String> {
    if config.ports.is_empty() {
        return Err(
            "no port is configured; add [[intake.serial]], intake.unix or intake.tcp".into()
        );
    }
    let missing = config.ports.iter().find_map(|port| match port {
        Port::Serial { path, .. } if !path.exists() => Some(path.display().to_string()),
        _ => None,
    });
    missing.map_or(Ok(()), |path| Err(format!("{path} is not there; is the device plugged in?")))
}
