//! What observations lead to: devices, their signals, patients, and where each reading came from.

use serde_json::{Value, json};

use super::identity::{device_id, gateway_id};
use crate::codes;
use crate::export::reading::{About, Origin};
use crate::inventory::Asset;

/// ISO/IEEE 11073-10101.
pub(super) const MDC: &str = "urn:iso:std:iso:11073:10101";
const EUI_64: &str = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680";
/// The gateway, as the code table names it.
const GATEWAY: u32 = 531_981;

/// A code of a device: its MDC code if it has one, and the name that it goes by.
pub(super) fn concept(code: u32, name: &str) -> Value {
    if code == 0 {
        return json!({"text": name});
    }
    let mut coding = json!({"system": MDC, "code": code.to_string()});
    if let Some(known) = codes::code(code).filter(|known| !known.refid.is_empty()) {
        coding["display"] = known.refid.clone().into();
    }
    json!({"coding": [coding], "text": name})
}

/// A text as a value; nothing if it is empty.
fn text(words: &str) -> Option<Value> {
    (!words.is_empty()).then(|| words.into())
}

/// Fields that are there.
fn with(
    mut resource: Value,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Value {
    for (name, value) in fields {
        if let Some(value) = value {
            resource[name] = value;
        }
    }
    resource
}

/// A device system.
pub(super) fn device(eui: &str, asset: &Asset, id: &str) -> Value {
    let name = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let udi = text(&asset.udi).map(|udi| json!([{"carrierHRF": udi}]));
    let names = (!asset.model.is_empty()).then(|| json!([name(&asset.model, "model-name")]));
    let place = text(&asset.place).map(|place| json!([{"text": place}]));
    let resource = json!({
        "resourceType": "Device",
        "id": id,
        "identifier": [{"system": EUI_64, "value": eui}],
    });
    let fields = [
        ("udiCarrier", udi),
        ("manufacturer", text(&asset.maker)),
        ("serialNumber", text(&asset.serial)),
        ("deviceName", names),
        ("note", place),
    ];
    with(resource, fields)
}

/// A gateway.
pub(super) fn gateway(name: &str, id: &str) -> Value {
    json!({
        "resourceType": "Device",
        "id": id,
        "identifier": [{"system": "urn:wardline:gateway", "value": name}],
        "type": concept(GATEWAY, "Gateway"),
        "deviceName": [{"name": name, "type": "user-friendly-name"}],
    })
}

/// A signal of a device.
pub(super) fn metric(about: &About, id: &str) -> Value {
    let signal = &about.signal;
    let status = if signal.mode == 0 { "on" } else { "off" };
    let unit = codes::unit_of(signal.unit_code).map(|unit| {
        json!({"coding": [{"system": MDC, "code": unit.unit.to_string(), "display": unit.refid}]})
    });
    let unit = unit.or_else(|| text(&signal.unit).map(|unit| json!({"text": unit})));
    let resource = json!({
        "resourceType": "DeviceMetric",
        "id": id,
        "identifier": [{"system": "urn:wardline:signal", "value": id}],
        "type": concept(signal.code, &signal.label),
        "source": {"reference": format!("Device/{}", device_id(&about.device))},
        "operationalStatus": status,
        "category": "measurement",
    });
    with(resource, [("unit", unit)])
}

/// A patient, known by a pseudonym or as the site sent it.
pub(super) fn patient(token: &str, id: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": "urn:wardline:patient", "value": token}],
    })
}

/// Where readings came from: the frame that its gateway signed, which a receipt names by segment
/// and index.
pub(super) fn provenance(origin: &Origin, targets: &[String], id: &str) -> Value {
    let targets: Vec<Value> =
        targets.iter().map(|id| json!({"reference": format!("Observation/{id}")})).collect();
    let (segment, index) = &origin.place;
    let stored = super::observation::instant(origin.stored_ns);
    let named = |system: &str, value: String| {
        let identifier = json!({"system": system, "value": value});
        json!({"role": "source", "what": {"identifier": identifier}})
    };
    json!({
        "resourceType": "Provenance",
        "id": id,
        "target": targets,
        "recorded": stored,
        "activity": {"text": "verified and stored; signed for in a receipt"},
        "agent": [
            {"type": {"text": "assembler"},
             "who": {"reference": format!("Device/{}", gateway_id(&origin.gateway))}},
            {"type": {"text": "verifier"}, "who": {"display": "wardline-sink"}},
        ],
        "entity": [
            named("urn:wardline:frame:sha-256", origin.frame.clone()),
            named("urn:wardline:receipt", format!("{segment}/{index}")),
        ],
    })
}
