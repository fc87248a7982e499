//! What can be seen without leaving this machine: keys, dates, storage, ports.

use std::fmt::Display;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};
use wire::identity::Lane;
use wire::time::UnixNanos;

use crate::cli::finding::{Code, Findings, Level};
use crate::clock::floor::Floor;
use crate::config::Config;
use crate::intake::ports::{Port, is_pattern};
use crate::seal::keyring::{KeyFiles, load_keyring, load_roots, load_signing_key};
use crate::uplink::tls;

/// A date that comes sooner is warned of, days.
const SOON_DAYS: i64 = 30;
const DAY_NS: i64 = 86_400_000_000_000;
/// What the ward of 20 beds writes, each with 30 numerics a second and 4 waves at 250 Hz; measured
/// by `cargo demo -- bench line`, bytes a second.
const WARD_BYTES_A_SECOND: u64 = 14_000;
/// A quota that lasts for less is warned of, days: the sink warns of less room than this, too.
const OFFLINE_DAYS: u64 = 2;

/// Looks at all files.
pub(in crate::cli) fn files(config: &Config, now: Option<UnixNanos>, findings: &mut Findings) {
    let files = config.key_files();
    let place = files.signing();
    let signing = load_signing_key(&place).map(|_| place.look("not enrolled").place);
    findings.note(Code::SigningKey, signing.map_err(text));
    keyring(config, &files, now, findings);
    certificate(config, now, findings);
    storage(config, findings);
    findings.note(Code::Intake, intake(config));
}

fn text(error: impl Display) -> String {
    error.to_string()
}

fn keyring(config: &Config, files: &KeyFiles, now: Option<UnixNanos>, findings: &mut Findings) {
    let loaded =
        load_roots(&files.roots()).and_then(|roots| load_keyring(&files.keyring(), &roots));
    let keyring = match loaded {
        Ok(keyring) => keyring,
        Err(error) => return findings.add(Code::Keyring, Level::Fail, text(error)),
    };
    let mut lanes = Lane::ALL.into_iter();
    if let Some(lane) = lanes.find(|lane| keyring.recipients(*lane, config.suite).is_empty()) {
        return findings.add(Code::Keyring, Level::Fail, format!("no recipient for lane {lane}"));
    }
    date(Code::Keyring, keyring.root.expires, now, findings);
}

fn certificate(config: &Config, now: Option<UnixNanos>, findings: &mut Findings) {
    if let Err(error) = tls::client(&config.broker, &Floor::below(&config.state)) {
        return findings.add(Code::Certificate, Level::Fail, text(error));
    }
    match tls::expires(&config.broker.certificate) {
        Some(end) => date(Code::Certificate, end, now, findings),
        None => findings.add(Code::Certificate, Level::Fail, "it holds no date"),
    }
}

fn date(code: Code, end: UnixNanos, now: Option<UnixNanos>, findings: &mut Findings) {
    let Some(now) = now else {
        return findings.add(code, Level::Skip, "there; its date is unknown without a clock");
    };
    let days = end.0.saturating_sub(now.0).div_euclid(DAY_NS);
    let level = if days < SOON_DAYS { Level::Warn } else { Level::Pass };
    let says = if days < 0 {
        "it has expired; collecting goes on".to_owned()
    } else {
        format!("good for {days} days")
    };
    findings.add(code, level, says);
}

fn storage(config: &Config, findings: &mut Findings) {
    let state = &config.state;
    if let Err(error) = access(state, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        return findings.add(Code::State, Level::Fail, format!("{}: {error}", state.display()));
    }
    findings.add(Code::State, Level::Pass, format!("{} can be written", state.display()));
    let quota = config.quota.bytes_max;
    match statvfs(state) {
        Err(error) => findings.add(Code::Room, Level::Skip, text(error)),
        Ok(medium) => {
            let free = medium.f_bavail.saturating_mul(medium.f_frsize);
            let held = used(&state.join("buffer"));
            let needed = quota.saturating_sub(held) + config.quota.free_bytes_min;
            let level = if free < needed { Level::Warn } else { Level::Pass };
            let mib = |bytes: u64| bytes >> 20;
            let says = format!("{} MiB are free, {} may be needed", mib(free), mib(needed));
            findings.add(Code::Room, level, says);
        }
    }
    let days = quota / WARD_BYTES_A_SECOND / 86_400;
    let level = if days < OFFLINE_DAYS { Level::Warn } else { Level::Pass };
    let says = format!(
        "at 20 beds of 30 numerics a second and 4 waves the quota of {} MiB lasts {days} days",
        quota >> 20
    );
    findings.add(Code::Offline, level, says);
}

/// Bytes of the files in a folder; 0 if it is not there yet.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum()
}

fn intake(config: &Config) -> Result<String, String> {
    if config.ports.is_empty() && config.onboard.is_empty() {
        return Err("no port is configured; add [[intake.serial]], unix or tcp".into());
    }
    let ports = config.ports.iter().filter_map(|port| match port {
        // What fits a pattern comes and goes.
        Port::Serial { path, .. } if is_pattern(path) => path.parent(),
        Port::Serial { path, .. } => Some(path.as_path()),
        Port::Unix(_) | Port::Tcp(_) => None,
    });
    let mut paths = ports.chain(config.onboard.iter().map(|sensor| sensor.bus.as_path()));
    match paths.find(|path| !path.exists()) {
        Some(path) => Err(format!("{} is not there; is the device plugged in?", path.display())),
        None => Ok(format!("{} ports, {} sensors", config.ports.len(), config.onboard.len())),
    }
}
