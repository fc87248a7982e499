//! What the running agent says of itself.

use serde_json::Value;

use crate::cli::finding::{Code, Findings, Level};

/// Records that wait for longer while the link is up have a reason, seconds.
const WAIT_SECONDS: u64 = 60;
/// A device that is silent for longer is warned of, seconds.
const SILENT_SECONDS: u64 = 60;
/// A sync that takes longer is a card on its way out, milliseconds.
const SYNC_MS: u64 = 250;

/// What nobody knows while the agent does not run.
const UNKNOWN: [Code; 6] =
    [Code::Link, Code::Receipts, Code::Storing, Code::Alarms, Code::Devices, Code::Sync];

/// Looks at the status of the running agent; nothing if nobody answers.
pub(in crate::cli) fn running(status: Option<&Value>, findings: &mut Findings) {
    let Some(status) = status else {
        findings.add(Code::Running, Level::Fail, "nobody answers on the status socket");
        for code in UNKNOWN {
            findings.add(code, Level::Skip, "the agent does not run");
        }
        return;
    };
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let up = format!("version {}, for {} s", status["software"], number("uptime_s"));
    findings.add(Code::Running, Level::Pass, up);
    let connected = status["connected"] == true;
    let says = if connected { "connected" } else { "not connected: buffering" };
    findings.add(Code::Link, if connected { Level::Pass } else { Level::Warn }, says);
    let age = number("unreceipted_age_s");
    let stalled = connected && age > WAIT_SECONDS;
    let says = format!("the oldest record waits for {age} s, {} bytes", number("backlog_bytes"));
    findings.add(Code::Receipts, if stalled { Level::Warn } else { Level::Pass }, says);
    let held = status["held_back"] == true;
    let says = if held { "nothing can be stored: devices are held back" } else { "all is stored" };
    findings.add(Code::Storing, if held { Level::Fail } else { Level::Pass }, says);
    alarms(status, findings);
    devices(status, findings);
    let sync = number("sync_ms_max");
    let level = if sync > SYNC_MS { Level::Warn } else { Level::Pass };
    findings.add(Code::Sync, level, format!("the longest took {sync} ms lately"));
}

fn alarms(status: &Value, findings: &mut Findings) {
    let alarms = status["alarms"].as_array().into_iter().flatten();
    let said: Vec<&str> = alarms.filter_map(Value::as_str).collect();
    match said.is_empty() {
        true => findings.add(Code::Alarms, Level::Pass, "none"),
        false => said.iter().for_each(|words| findings.add(Code::Alarms, Level::Warn, *words)),
    }
}

fn devices(status: &Value, findings: &mut Findings) {
    let devices: Vec<&Value> = status["devices"].as_array().into_iter().flatten().collect();
    if devices.is_empty() {
        return findings.add(Code::Devices, Level::Warn, "no device has spoken yet");
    }
    let age = |device: &&&Value| device["age_s"].as_u64().unwrap_or(0) > SILENT_SECONDS;
    let silent: Vec<&&Value> = devices.iter().filter(age).collect();
    if silent.is_empty() {
        findings.add(Code::Devices, Level::Pass, format!("{} speak", devices.len()));
    }
    for device in silent {
        let name = device["device"].as_str().unwrap_or("?");
        let says = format!("{name} has said nothing for {} s", device["age_s"]);
        findings.add(Code::Devices, Level::Warn, says);
    }
}
