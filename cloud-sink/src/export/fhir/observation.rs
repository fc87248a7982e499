//! Observations: numbers, runs of samples, alerts and words.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wire::decimal::{Absent, Decimal, Number};
use wire::reading::{STATUS_INVALID, Status};

use super::identity::{
    device_id, gateway_id, metric_id, note_id, numeric_id, observation, patient_id, wave_id,
};
use super::resources::{MDC, concept};
use crate::codes;
use crate::export::reading::{About, Dated, Note, Numeric, Wave};
use crate::signal::Signal;

const UCUM: &str = "http://unitsofmeasure.org";
const LOINC: &str = "http://loinc.org";
const RELIABILITY: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
const STATUS: &str = "http://terminology.hl7.org/CodeSystem/measurement-status";
const GATEWAY: &str = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice";
/// LOINC codes of the vital-signs profiles.
const VITAL: [&str; 12] = [
    "8867-4", "9279-1", "2708-6", "59408-5", "8310-5", "85354-9", "8480-6", "8462-4", "8478-0",
    "29463-7", "8302-2", "8328-7",
];
/// What each measurement-status bit is called there.
const INTERPRETATIONS: [(u32, &str); 7] = [
    (1, "questionable"),
    (3, "calibration-ongoing"),
    (8, "validated-data"),
    (9, "early-indication"),
    (10, "msmt-ongoing"),
    (14, "in-alarm"),
    (15, "alarm-inhibited"),
];

/// A number with the digits that the device wrote.
fn digits(decimal: Decimal) -> anyhow::Result<Box<RawValue>> {
    let Decimal { mantissa, exponent } = decimal;
    // A power of ten keeps the precision of what stands before the point.
    let text = if exponent > 0 { format!("{mantissa}e{exponent}") } else { decimal.to_string() };
    Ok(RawValue::from_string(text)?)
}

/// A moment as FHIR writes it.
pub(super) fn instant(at_ns: i64) -> String {
    let moment = jiff::Timestamp::from_nanosecond(at_ns.into());
    moment.map(|moment| moment.to_string()).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observation {
    resource_type: &'static str,
    id: String,
    meta: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<Value>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Value>,
    code: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_period: Option<Value>,
    issued: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_quantity: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_sampled_data: Option<Sampled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_absent_reason: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpretation: Option<Value>,
    device: Value,
}

#[derive(Serialize)]
struct Quantity {
    value: Box<RawValue>,
    #[serde(flatten)]
    unit: Units,
}

#[derive(Clone, Serialize)]
struct Units {
    #[serde(skip_serializing_if = "String::is_empty")]
    unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled {
    origin: Quantity,
    period: Box<RawValue>,
    factor: Box<RawValue>,
    dimensions: u8,
    data: String,
}

/// A signal's unit: UCUM if it is known, MDC if only that is, else the device's word.
fn units(signal: &Signal) -> Units {
    let known = codes::unit_of(signal.unit_code);
    let (system, code) = match (known, signal.unit_code) {
        (Some(unit), _) => (Some(UCUM), Some(unit.ucum.clone())),
        (None, 0) => (None, None),
        (None, code) => (Some(MDC), Some(code.to_string())),
    };
    Units { unit: signal.unit.clone(), system, code }
}

/// The code, with LOINC where somebody has published that both mean the same in this unit.
fn code(signal: &Signal) -> (Value, bool) {
    let mut concept = concept(signal.code, &signal.label);
    let mut is_vital = false;
    let row = codes::code_in(signal.code, signal.unit_code);
    for loinc in row.into_iter().flat_map(|row| row.loinc()) {
        is_vital |= VITAL.contains(&loinc);
        if let Some(coding) = concept["coding"].as_array_mut() {
            coding.push(json!({"system": LOINC, "code": loinc}));
        }
    }
    (concept, is_vital)
}

/// Through which gateway it came, how reliable a value is, and whether it may look clinical.
fn meta(gateway: &str, is_clinical: bool, status: Status) -> Value {
    let reliability = match status {
        status if status & 1 != 0 => Some("UNRELIABLE"),
        status if status & (1 << 1 | 1 << 3) != 0 => Some("UNCERTREL"),
        status if status & (1 << 8) != 0 => Some("HRELIABLE"),
        0 => Some("RELIABLE"),
        _ => None,
    };
    let mut labels: Vec<Value> = Vec::new();
    labels.extend(reliability.map(|code| json!({"system": RELIABILITY, "code": code})));
    if !is_clinical {
        labels.push(json!({"system": REASON, "code": "HTEST"}));
    }
    let mut meta = json!({"source": format!("urn:wardline:gateway:{gateway}")});
    // FHIR's JSON has no empty lists.
    if !labels.is_empty() {
        meta["security"] = labels.into();
    }
    meta
}

fn interpretation(status: Status) -> Option<Value> {
    let said: Vec<Value> = INTERPRETATIONS
        .iter()
        .filter(|(bit, _)| u32::from(status) & (1 << bit) != 0)
        .map(|(_, code)| json!({"coding": [{"system": STATUS, "code": code}]}))
        .collect();
    (!said.is_empty()).then(|| said.into())
}

/// Why there is no number.
fn absent_reason(number: Number, status: Status) -> Option<Value> {
    let reason = match number {
        Number::Not(Absent::NaN) => "not-a-number",
        Number::Not(Absent::PositiveInfinity) => "positive-infinity",
        Number::Not(Absent::NegativeInfinity) => "negative-infinity",
        Number::Not(Absent::NRes | Absent::Reserved) => "error",
        _ if status & STATUS_INVALID != 0 => "error",
        Number::Not(Absent::Missing) if status & (1 << 2 | 1 << 10) != 0 => "temp-unknown",
        Number::Not(Absent::Missing) => "unknown",
        Number::Is(_) => return None,
    };
    Some(json!({"coding": [{"system": ABSENT, "code": reason}]}))
}

fn identifiers(value: String) -> Value {
    json!([{"system": "urn:wardline:observation", "value": value}])
}

/// What all observations of a signal have in common.
fn of(about: &About, status: Status, identifier: String, id: String) -> Observation {
    // An identifier says when; of a guess nobody does.
    let identifier = (about.dated != Dated::Guess).then(|| identifiers(identifier));
    let is_clinical = about.is_clinical(status);
    let (code, is_vital) = code(&about.signal);
    let category = (is_vital && is_clinical && about.dated != Dated::Guess).then(|| {
        let system = "http://terminology.hl7.org/CodeSystem/observation-category";
        json!([{"coding": [{"system": system, "code": "vital-signs"}]}])
    });
    let patient = about.patient.as_deref();
    let gateway = format!("Device/{}", gateway_id(&about.origin.gateway));
    Observation {
        resource_type: "Observation",
        id,
        meta: meta(&about.origin.gateway, is_clinical, status),
        extension: Some(json!([{"url": GATEWAY, "valueReference": {"reference": gateway}}])),
        identifier,
        status: "final",
        category,
        code,
        subject: patient
            .map(|token| json!({"reference": format!("Patient/{}", patient_id(token))})),
        effective_date_time: None,
        effective_period: None,
        issued: instant(about.origin.stored_ns),
        value_quantity: None,
        value_sampled_data: None,
        data_absent_reason: None,
        interpretation: interpretation(status),
        device: json!({"reference": format!("DeviceMetric/{}", metric_id(about))}),
    }
}

/// A number: its id and its resource.
pub(super) fn of_numeric(numeric: &Numeric) -> anyhow::Result<(String, String)> {
    let about = &numeric.about;
    let identifier = observation(about, numeric.at_ns, None);
    let id = numeric_id(numeric);
    let mut resource = of(about, numeric.status, identifier, id.clone());
    resource.effective_date_time = (about.dated != Dated::Guess).then(|| instant(numeric.at_ns));
    resource.value_quantity = numeric
        .valid()
        .map(|decimal| anyhow::Ok(Quantity { value: digits(decimal)?, unit: units(&about.signal) }))
        .transpose()?;
    resource.data_absent_reason = absent_reason(numeric.number, numeric.status);
    Ok((id, serde_json::to_string(&resource)?))
}

/// A quotient with as many digits as a double has.
fn quotient(above: f64, below: f64) -> anyhow::Result<Box<RawValue>> {
    let below = if below == 0.0 { 1.0 } else { below };
    Ok(RawValue::from_string(serde_json::to_string(&(above / below))?)?)
}

/// A run of samples: the device's own integers, and how they become physical.
pub(super) fn of_wave(wave: &Wave) -> anyhow::Result<(String, String)> {
    let (about, run) = (&wave.about, &wave.run);
    let signal = &about.signal;
    let count = run.samples.len();
    let end_ns = run.time_of(count.saturating_sub(1), signal.rate);
    let identifier = observation(about, run.at_ns, Some(&count.to_string()));
    let id = wave_id(about, run.first);
    let mut resource = of(about, run.status, identifier, id.clone());
    if about.dated != Dated::Guess {
        let (start, end) = (instant(run.at_ns), instant(end_ns));
        resource.effective_period = Some(json!({"start": start, "end": end}));
    }
    let gain = signal.gain.mantissa as f64 * 10f64.powi(signal.gain.exponent.into());
    let (rate, below) = (signal.rate.numerator as f64, signal.rate.denominator as f64);
    let mut data = String::with_capacity(count * 5);
    for sample in &run.samples {
        let space = if data.is_empty() { "" } else { " " };
        match sample {
            Some(sample) => write!(data, "{space}{sample}")?,
            None => write!(data, "{space}E")?,
        }
    }
    let zero = quotient(-f64::from(signal.baseline), gain)?;
    resource.value_sampled_data = Some(Sampled {
        origin: Quantity { value: zero, unit: units(signal) },
        period: quotient(1000.0 * below, rate)?,
        factor: quotient(1.0, gain)?,
        dimensions: 1,
        data,
    });
    Ok((id, serde_json::to_string(&resource)?))
}

/// An alert, an event or words; nothing of a loss, which is no observation.
pub(super) fn of_note(note: &Note) -> Option<(String, String)> {
    if !matches!(note.kind.as_str(), "alert" | "event" | "words") {
        return None;
    }
    let code = note.codes[0].unwrap_or(0);
    let words = note.text.clone().unwrap_or_default();
    let patient = note.patient.as_deref();
    let id = note_id(note);
    let mut resource = json!({
        "resourceType": "Observation",
        "id": id,
        "meta": {"tag": [{"system": "urn:wardline:kind", "code": note.kind}]},
        "status": "final",
        "code": concept(code, &note.kind),
        "issued": instant(note.origin.stored_ns),
        "device": {"reference": format!("Device/{}", device_id(&note.device))},
    });
    if let Some(token) = patient {
        resource["subject"] = json!({"reference": format!("Patient/{}", patient_id(token))});
    }
    if note.dated != Dated::Guess {
        let (of, kind) = (patient.unwrap_or(""), &note.kind);
        let moment = format!("{}-{of}-{code}-{}-{kind}-{words}", note.device, note.at_ns);
        resource["identifier"] = identifiers(moment);
        resource["effectiveDateTime"] = instant(note.at_ns).into();
    }
    match (note.value, words.is_empty()) {
        (Some(value), _) if i32::try_from(value).is_ok() => resource["valueInteger"] = value.into(),
        (Some(value), _) => resource["valueString"] = value.to_string().into(),
        (None, false) => resource["valueString"] = words.into(),
        (None, true) => {}
    }
    let names = ["event phase", "alarm state", "alarm priority"];
    let codes = [68_481, 68_482, 68_484];
    let components: Vec<Value> = note
        .levels
        .iter()
        .zip(names.iter().zip(codes))
        .filter_map(|(level, (name, code))| {
            Some(json!({"code": concept(code, name), "valueInteger": (*level)?}))
        })
        .collect();
    if note.kind == "alert" && !components.is_empty() {
        resource["component"] = components.into();
    }
    Some((id, resource.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_clinical_says_so_and_no_list_is_empty() {
        let codes = |is_clinical, status| -> Vec<String> {
            let meta = meta("gw-1", is_clinical, status);
            let labels = meta.get("security").cloned().unwrap_or_default();
            let all = labels.as_array().cloned().unwrap_or_default();
            assert!(meta.get("security").is_none() || !all.is_empty());
            all.iter().map(|label| label["code"].as_str().unwrap_or("").to_owned()).collect()
        };
        let none: [&str; 0] = [];
        assert_eq!(codes(true, 0), ["RELIABLE"]);
        assert_eq!(codes(false, 0), ["RELIABLE", "HTEST"]);
        assert_eq!(codes(true, 1), ["UNRELIABLE"]);
        assert_eq!(codes(true, 1 << 14), none);
        assert_eq!(codes(false, 1 << 4), ["HTEST"]);
    }
}
