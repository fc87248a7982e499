//! FHIR R4: one resource a line, or transactions of them. Identifiers are made from what a reading
//! is, so that importing twice changes nothing.
//!
//! Source: HL7 PoCD and PHD guides, as far as `docs/interoperability.md` says.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Writing;
use super::parts::{Folder, Part};
use super::read::Kind;
use super::reading::{About, Origin, Reading};
use crate::inventory::Asset;

mod identity;

mod observation;

mod resources;

use identity::{deed_id, device_id, frame_id, gateway_id, metric_id, patient_id};
use resources::{device, gateway, metric, patient, provenance};

/// Resources of one transaction.
const BUNDLE_MAX: usize = 200;

/// Writes parts, a file for each type of resource.
pub struct Fhir {
    /// What is known of devices, by EUI-64.
    assets: BTreeMap<String, Asset>,
    as_bundles: bool,
    files: BTreeMap<String, Part>,
    /// Resources whose words are already in a file.
    said: HashSet<String>,
    bundle: Vec<String>,
    /// The frame whose readings are being written, and which those are.
    frame: Option<(Arc<Origin>, Vec<String>)>,
    /// Where parts go, and of which kind they are.
    place: Option<(Folder, Kind)>,
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Numerics => "numerics",
        Kind::Waves => "waves",
        Kind::Notes => "notes",
    }
}

impl Fhir {
    /// Lines of resources, or of transactions.
    #[must_use]
    pub fn new(assets: BTreeMap<String, Asset>, as_bundles: bool) -> Self {
        Self {
            assets,
            as_bundles,
            files: BTreeMap::new(),
            said: HashSet::new(),
            bundle: Vec::new(),
            frame: None,
            place: None,
        }
    }

    /// Writes a resource.
    fn write(&mut self, kind: &str, id: &str, resource: String) -> anyhow::Result<()> {
        if !self.as_bundles {
            return self.line(kind, &resource);
        }
        self.bundle.push(format!(
            "{{\"fullUrl\":\"urn:wardline:{kind}:{id}\",\"resource\":{resource},\"request\":\
             {{\"method\":\"PUT\",\"url\":\"{kind}/{id}\"}}}}"
        ));
        if self.bundle.len() >= BUNDLE_MAX { self.end_bundle() } else { Ok(()) }
    }

    fn end_bundle(&mut self) -> anyhow::Result<()> {
        let entries = std::mem::take(&mut self.bundle);
        if entries.is_empty() {
            return Ok(());
        }
        let entries = entries.join(",");
        let bundle = format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{entries}]}}"
        );
        self.line("Bundle", &bundle)
    }

    fn line(&mut self, kind: &str, text: &str) -> anyhow::Result<()> {
        if !self.files.contains_key(kind) {
            let Some((folder, of)) = &self.place else { return Ok(()) };
            let part = folder.part(*of, &format!("{}-{kind}", word(*of)), "ndjson")?;
            self.files.insert(kind.to_owned(), part);
        }
        if let Some(part) = self.files.get_mut(kind) {
            writeln!(part.out, "{text}")?;
        }
        Ok(())
    }

    /// Writes a resource that others lead to, once.
    fn entity(&mut self, kind: &str, id: &str, make: impl FnOnce() -> Value) -> anyhow::Result<()> {
        if self.said.insert(format!("{kind}/{id}")) {
            let resource = make().to_string();
            self.write(kind, id, resource)?;
        }
        Ok(())
    }

    /// Everything that a reading leads to.
    fn introduce(&mut self, about: &About) -> anyhow::Result<()> {
        self.introduce_device(&about.device, &about.origin.gateway)?;
        let id = metric_id(about);
        self.entity("DeviceMetric", &id, || metric(about, &id))?;
        self.introduce_patient(about.patient.as_deref())
    }

    fn introduce_device(&mut self, eui: &str, through: &str) -> anyhow::Result<()> {
        let id = gateway_id(through);
        self.entity("Device", &id, || gateway(through, &id))?;
        let asset = self.assets.get(eui).cloned().unwrap_or_default();
        let id = device_id(eui);
        self.entity("Device", &id, || device(eui, &asset, &id))
    }

    fn introduce_patient(&mut self, token: Option<&str>) -> anyhow::Result<()> {
        let Some(token) = token else { return Ok(()) };
        let id = patient_id(token);
        self.entity("Patient", &id, || patient(token, &id))
    }

    /// Notes that a resource came out of a frame.
    fn came_by(&mut self, origin: &Arc<Origin>, resource: String) -> anyhow::Result<()> {
        if self.frame.as_ref().is_some_and(|(known, _)| known.evidence != origin.evidence) {
            self.end_frame()?;
        }
        let of_frame = || (origin.clone(), Vec::new());
        self.frame.get_or_insert_with(of_frame).1.push(resource);
        Ok(())
    }

    fn end_frame(&mut self) -> anyhow::Result<()> {
        let Some((origin, targets)) = self.frame.take() else { return Ok(()) };
        let id = frame_id(&origin, &targets);
        let resource = provenance(&origin, &targets, &id).to_string();
        self.write("Provenance", &id, resource)
    }
}

impl Writing for Fhir {
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()> {
        self.place = Some((folder.clone(), kind));
        Ok(())
    }

    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        let (id, origin, text) = match &reading {
            Reading::Numeric(numeric) => {
                self.introduce(&numeric.about)?;
                let (id, text) = observation::of_numeric(numeric)?;
                (id, numeric.about.origin.clone(), text)
            }
            Reading::Wave(wave) => {
                self.introduce(&wave.about)?;
                let (id, text) = observation::of_wave(wave)?;
                (id, wave.about.origin.clone(), text)
            }
            Reading::Note(note) => {
                let Some((id, text)) = observation::of_note(note) else { return Ok(false) };
                self.introduce_device(&note.device, &note.origin.gateway)?;
                self.introduce_patient(note.patient.as_deref())?;
                (id, note.origin.clone(), text)
            }
        };
        self.write("Observation", &id, text)?;
        self.came_by(&origin, id)?;
        Ok(true)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.end_frame()?;
        self.end_bundle()?;
        std::mem::take(&mut self.files).into_values().try_for_each(Part::finish)
    }
}

/// The resource that says that an export was made: who did it, of what.
#[must_use]
pub fn audit_event(what: &str, now: &str) -> Value {
    json!({
        "resourceType": "AuditEvent",
        "id": deed_id(what, now),
        "type": {"system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
                 "code": "transmit", "display": "Transmit Record Lifecycle Event"},
        "action": "R",
        "recorded": now,
        "outcome": "0",
        "agent": [{"who": {"display": "terminal"}, "requestor": true}],
        "source": {"observer": {"display": "wardline-sink"}},
        "entity": [{"what": {"display": what}}],
    })
}
