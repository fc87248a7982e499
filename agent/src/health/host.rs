//! The machine under the agent: heat, supply, wear, memory, and why the agent was started anew.
//!
//! Everything is read where Linux shows it. What a machine does not show is left out.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::identity::BootId;
use wire::status::{Start, counter, supply};

use crate::seal::keep;

/// A machine, and the file in which the agent remembers its last run.
#[derive(Clone, Debug)]
pub struct Host {
    /// Where the system's own file systems are; `/` but for tests.
    root: PathBuf,
    /// The gateway's state folder.
    state: PathBuf,
    boot: BootId,
    start: Start,
}

/// How a machine is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Machine {
    /// Hottest part, thousandths of a kelvin.
    pub temperature_millikelvin: Option<u64>,
    /// Whether the supply's voltage is too low.
    pub low_voltage: Option<bool>,
    /// Whether the processor is slowed down.
    pub slowed: Option<bool>,
    /// Used part of the medium's life, percent.
    pub wear_percent: Option<u64>,
    /// Memory that programs may still have, bytes.
    pub memory_available: Option<u64>,
    /// Free bytes of the buffer's file system.
    pub disk_free: Option<u64>,
    /// Seconds since the machine was started.
    pub uptime_s: Option<u64>,
}

/// Last run of the agent: the kernel's boot id, and whether it has been stopped.
const LAST_RUN: &str = "last-run";
/// What a hardware watchdog says that has reset the machine: `WDIOF_CARDRESET`.
const RESET_BY_WATCHDOG: u64 = 0x20;
/// 0 °C.
const FREEZING_MILLIKELVIN: i64 = 273_150;
/// Bits of the Raspberry Pi's `get_throttled` that speak of now: the first is the voltage; the
/// others are a capped frequency, throttling, and the soft limit of heat.
const PI_LOW_VOLTAGE: u64 = 1;
const PI_SLOWED: u64 = 0b1110;

impl Host {
    /// This machine; remembers that the agent runs.
    #[must_use]
    pub fn begin(root: &Path, state: &Path, boot: BootId) -> Self {
        let start = why(root, &std::fs::read_to_string(state.join(LAST_RUN)), boot);
        let host = Self { root: root.to_owned(), state: state.to_owned(), boot, start };
        host.remember("running");
        host
    }

    /// Why the agent was started.
    #[must_use]
    pub const fn start(&self) -> Start {
        self.start
    }

    /// The agent was stopped and has stored what it had.
    pub fn stopped(&self) {
        self.remember("stopped");
    }

    /// It is a hint for people only: without it the next start is a first one.
    fn remember(&self, word: &str) {
        let text = format!("{:032x} {word}\n", u128::from_be_bytes(self.boot.0));
        if let Err(error) = keep::write(&self.state.join(LAST_RUN), text.as_bytes()) {
            tracing::warn!(%error, "nobody will know why the agent was started");
        }
    }

    /// How it is now.
    #[must_use]
    pub fn look(&self) -> Machine {
        let throttled = self.number("sys/devices/platform/soc/soc:firmware/get_throttled", 16);
        let alarm = self.voltage_alarm();
        let disk = rustix::fs::statvfs(&self.state);
        let pi = |bits| throttled.map(|all| all & bits != 0);
        Machine {
            temperature_millikelvin: self.temperature(),
            low_voltage: alarm.or(pi(PI_LOW_VOLTAGE)),
            slowed: pi(PI_SLOWED),
            wear_percent: self.wear(),
            memory_available: self.memory(),
            disk_free: disk.ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            uptime_s: self.uptime(),
        }
    }

    /// What was seen, as counters of a health report.
    pub(super) fn counters(&self, seen: &Machine) -> Vec<(u16, u64)> {
        let bit = |on: Option<bool>, bit: u8| on.map(|on| u64::from(on) << bit);
        let supply = [bit(seen.low_voltage, supply::LOW_VOLTAGE), bit(seen.slowed, supply::SLOWED)];
        let supply = supply.into_iter().flatten().reduce(|all, bit| all | bit);
        let said = [
            (counter::TEMPERATURE_MILLIKELVIN, seen.temperature_millikelvin),
            (counter::SUPPLY, supply),
            (counter::WEAR_PERCENT, seen.wear_percent),
            (counter::MEMORY_AVAILABLE, seen.memory_available),
            (counter::DISK_FREE, seen.disk_free),
            (counter::START, Some(self.start as u64)),
            (counter::MACHINE_SECONDS, seen.uptime_s),
        ];
        said.into_iter().filter_map(|(number, value)| Some((number, value?))).collect()
    }

    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    fn number(&self, path: impl AsRef<Path>, base: u32) -> Option<u64> {
        u64::from_str_radix(self.text(path)?.trim().trim_start_matches("0x"), base).ok()
    }

    /// Entries of a class of devices.
    fn class(&self, name: &str) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.root.join("sys/class").join(name));
        folder.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    fn temperature(&self) -> Option<u64> {
        let zones = self
            .class("thermal")
            .into_iter()
            .filter_map(|zone| self.text(zone.join("temp"))?.trim().parse::<i64>().ok());
        u64::try_from(zones.max()? + FREEZING_MILLIKELVIN).ok()
    }

    /// The Raspberry Pi's kernel says it of the driver `rpi_volt`.
    fn voltage_alarm(&self) -> Option<bool> {
        let is_ours = |path: &PathBuf| {
            self.text(path.join("name")).is_some_and(|name| name.trim() == "rpi_volt")
        };
        let path = self.class("hwmon").into_iter().find(is_ours)?;
        Some(self.number(path.join("in0_lcrit_alarm"), 10)? != 0)
    }

    /// The worse of a memory card's two estimates, each in tenths of its life, 11 for used up.
    fn wear(&self) -> Option<u64> {
        let device = rustix::fs::stat(&self.state).ok()?.st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let block = Path::new("sys/dev/block").join(format!("{major}:{minor}"));
        let of = |path: &str| self.text(block.join(path));
        let text = of("device/life_time").or_else(|| of("../device/life_time"))?;
        let tenth = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
        text.split_whitespace().filter_map(tenth).max().filter(|most| *most > 0).map(|t| t * 10)
    }

    fn memory(&self) -> Option<u64> {
        let text = self.text("proc/meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    }

    fn uptime(&self) -> Option<u64> {
        self.text("proc/uptime")?.split('.').next()?.parse().ok()
    }
}

/// Why the agent was started, by what it remembers and what the machine says.
fn why(root: &Path, last: &std::io::Result<String>, boot: BootId) -> Start {
    let Some((id, word)) = last.as_ref().ok().and_then(|text| text.trim().split_once(' ')) else {
        return Start::First;
    };
    let is_same_boot = u128::from_str_radix(id, 16) == Ok(u128::from_be_bytes(boot.0));
    let status = std::fs::read_to_string(root.join("sys/class/watchdog/watchdog0/bootstatus"));
    let status = status.ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    match (is_same_boot, word) {
        (true, "stopped") => Start::Stopped,
        (true, _) => Start::Ended,
        (false, _) if status & RESET_BY_WATCHDOG != 0 => Start::Watchdog,
        (false, "stopped") => Start::Shutdown,
        (false, _) => Start::PowerLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTS: [BootId; 2] = [BootId([1; 16]), BootId([2; 16])];

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_machine_that_shows_nothing_says_nothing_but_its_disk_and_start() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::begin(folder.path(), folder.path(), BOOTS[0]);
        let free = host.look().disk_free;
        assert_eq!(host.look(), Machine { disk_free: free, ..Machine::default() });
        let numbers: Vec<u16> =
            host.counters(&host.look()).iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [counter::DISK_FREE, counter::START]);
    }

    #[test]
    fn heat_supply_wear_and_memory_are_what_the_kernel_shows() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let device = rustix::fs::stat(root).unwrap().st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        put(root, "sys/class/thermal/thermal_zone0/temp", "48312\n");
        put(root, "sys/class/thermal/thermal_zone1/temp", "-1000\n");
        put(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
        put(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        put(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        put(root, &format!("sys/dev/block/{major}:{minor}/device/life_time"), "0x02 0x09\n");
        put(root, "proc/meminfo", "MemTotal: 9 kB\nMemAvailable:     512 kB\n");
        put(root, "proc/uptime", "77.31 100.00\n");

        let seen = Host::begin(root, root, BOOTS[0]).look();
        let shown = Machine {
            temperature_millikelvin: Some(321_462),
            low_voltage: Some(false),
            slowed: Some(true),
            wear_percent: Some(90),
            memory_available: Some(524_288),
            disk_free: seen.disk_free,
            uptime_s: Some(77),
        };
        assert_eq!(seen, shown);
        put(root, "sys/class/hwmon/hwmon1/name", "other\n");
        assert_eq!(Host::begin(root, root, BOOTS[0]).look().low_voltage, Some(true));
    }

    #[test]
    fn an_agent_knows_how_its_last_run_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (root, state) = (folder.path(), folder.path());
        let begin = |boot| Host::begin(root, state, boot);

        assert_eq!(begin(BOOTS[0]).start(), Start::First);
        let second = begin(BOOTS[0]);
        assert_eq!(second.start(), Start::Ended);
        second.stopped();
        assert_eq!(begin(BOOTS[0]).start(), Start::Stopped);
        let moved = begin(BOOTS[1]);
        assert_eq!(moved.start(), Start::PowerLost);
        moved.stopped();
        assert_eq!(begin(BOOTS[0]).start(), Start::Shutdown);
        put(root, "sys/class/watchdog/watchdog0/bootstatus", "32\n");
        assert_eq!(begin(BOOTS[1]).start(), Start::Watchdog);
    }
}
