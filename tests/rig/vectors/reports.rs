//! What is signed outside the chain, as JSON: receipt, keyring, command, status; health report.

use serde_json::{Value, json};
use wire::command::Command;
use wire::keyring::{Audience, Keyring};
use wire::receipt::{Range, Receipt};
use wire::seal::Recipient;
use wire::status::{DeviceHealth, HealthReport, LaneHealth, Status};

use super::hex;

/// A health report.
pub fn health(report: &HealthReport) -> Value {
    let lane = |lane: &LaneHealth| {
        json!({
            "lane": lane.lane as u8,
            "head": lane.head.map(|(id, index, hash)| json!([hex(&id.0), index, hex(&hash.0)])),
            "oldest_unreceipted": lane.oldest_unreceipted
                .map(|(id, index)| json!([hex(&id.0), index])),
            "sequence_next": lane.sequence_next,
            "backlog_bytes": lane.backlog_bytes,
            "gap_readings": lane.gap_readings,
        })
    };
    let device = |device: &DeviceHealth| {
        json!({
            "device": device.device.to_string(),
            "minute": device.minute,
            "accepted": device.accepted,
            "lost": [device.lost.0, device.lost.1],
        })
    };
    json!({
        "lanes": report.lanes.iter().map(lane).collect::<Vec<_>>(),
        "devices": report.devices.iter().map(device).collect::<Vec<_>>(),
        "counters": report.counters.iter().map(|(n, v)| json!([n, v])).collect::<Vec<_>>(),
        "software": report.software,
    })
}

/// A receipt.
pub fn receipt(receipt: &Receipt) -> Value {
    let range = |range: &Range| {
        json!([
            range.first,
            range.last,
            range.disposition as u8,
            range.reason as u8,
            hex(&range.last_hash.0)
        ])
    };
    let segments = receipt.segments.iter();
    let segments = segments.map(|(id, ranges)| {
        let ranges: Vec<Value> = ranges.iter().map(range).collect();
        json!([hex(&id.0), ranges])
    });
    json!({
        "kind": "receipt",
        "gateway": receipt.gateway.as_str(),
        "store_epoch": hex(&receipt.store_epoch.0),
        "commit": receipt.commit,
        "sink_time_ns": receipt.sink_time.0,
        "segments": segments.collect::<Vec<_>>(),
        "headers_wanted": receipt.headers_wanted.iter().map(|id| hex(&id.0)).collect::<Vec<_>>(),
    })
}

/// A keyring.
pub fn keyring(keyring: &Keyring) -> Value {
    let recipients = |list: &[(Audience, Recipient)]| -> Value {
        let one = |(audience, recipient): &(Audience, Recipient)| {
            json!([*audience as u8, recipient.suite as u8, hex(&recipient.public)])
        };
        list.iter().map(one).collect()
    };
    let (root, fleet) = (&keyring.root, &keyring.fleet);
    let receipt_keys = fleet.receipt_keys.iter().map(|key| hex(key.as_bytes()));
    json!({
        "kind": "keyring",
        "root": {
            "version": root.version,
            "expires_ns": root.expires.0,
            "fleet_key": hex(root.fleet_key.as_bytes()),
            "recovery": recipients(&root.recovery),
        },
        "fleet": {
            "version": fleet.version,
            "recipients": recipients(&fleet.recipients),
            "receipt_keys": receipt_keys.collect::<Vec<_>>(),
            "command_key": hex(fleet.command_key.as_bytes()),
            "formats": [fleet.formats.0, fleet.formats.1],
            "store_epoch": hex(&fleet.store_epoch.0),
        },
    })
}

/// A command.
pub fn command(command: &Command) -> Value {
    json!({
        "kind": "command",
        "gateway": command.gateway.as_str(),
        "boot": hex(&command.boot.0),
        "number": command.number,
        "action": command.action,
        "argument": hex(&command.argument),
    })
}

/// A status.
pub fn status(status: &Status) -> Value {
    json!({
        "kind": "status",
        "boot": hex(&status.boot.0),
        "start_count": status.start_count,
        "online": status.online,
    })
}
