//! Readings as resources, each with what it leads to.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::identity::{device_id, frame_id, gateway_id, metric_id, patient_id};
use super::observation;
use super::resources::{device, gateway, metric, patient, provenance};
use crate::export::reading::{About, Origin, Reading};
use crate::inventory::Asset;

/// A resource that is ready to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// Its type.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// It, as JSON.
    pub text: String,
}

/// Gathers readings into resources.
pub struct Resources {
    /// What is known of devices, by EUI-64.
    assets: BTreeMap<String, Asset>,
    /// Resources that others lead to, and that were made.
    said: HashSet<String>,
    /// The frame whose readings are being gathered, and which those are.
    frame: Option<(Arc<Origin>, Vec<String>)>,
    ready: Vec<Made>,
}

impl Resources {
    /// Nothing yet.
    #[must_use]
    pub fn new(assets: BTreeMap<String, Asset>) -> Self {
        Self { assets, said: HashSet::new(), frame: None, ready: Vec::new() }
    }

    /// Takes a reading; whether it became a resource, or has none.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn add(&mut self, reading: &Reading) -> anyhow::Result<bool> {
        let (id, origin, text) = match reading {
            Reading::Numeric(numeric) => {
                self.introduce(&numeric.about);
                let (id, text) = observation::of_numeric(numeric)?;
                (id, numeric.about.origin.clone(), text)
            }
            Reading::Wave(wave) => {
                self.introduce(&wave.about);
                let (id, text) = observation::of_wave(wave)?;
                (id, wave.about.origin.clone(), text)
            }
            Reading::Note(note) => {
                let Some((id, text)) = observation::of_note(note) else { return Ok(false) };
                self.introduce_device(&note.device, &note.origin.gateway);
                self.introduce_patient(note.patient.as_deref());
                (id, note.origin.clone(), text)
            }
        };
        self.came_by(&origin, id.clone());
        self.ready.push(Made { kind: "Observation", id, text });
        Ok(true)
    }

    /// What is ready; with `end`, also what might have grown.
    pub fn take(&mut self, end: bool) -> Vec<Made> {
        if end {
            self.end_frame();
        }
        std::mem::take(&mut self.ready)
    }

    /// Writes a resource that others lead to, once.
    fn entity(&mut self, kind: &'static str, id: &str, make: impl FnOnce() -> Value) {
        if self.said.insert(format!("{kind}/{id}")) {
            self.ready.push(Made { kind, id: id.to_owned(), text: make().to_string() });
        }
    }

    /// Everything that a reading leads to.
    fn introduce(&mut self, about: &About) {
        self.introduce_device(&about.device, &about.origin.gateway);
        let id = metric_id(about);
        self.entity("DeviceMetric", &id, || metric(about, &id));
        self.introduce_patient(about.patient.as_deref());
    }

    fn introduce_device(&mut self, eui: &str, through: &str) {
        let id = gateway_id(through);
        self.entity("Device", &id, || gateway(through, &id));
        let asset = self.assets.get(eui).cloned().unwrap_or_default();
        let id = device_id(eui);
        self.entity("Device", &id, || device(eui, &asset, &id));
    }

    fn introduce_patient(&mut self, token: Option<&str>) {
        let Some(token) = token else { return };
        let id = patient_id(token);
        self.entity("Patient", &id, || patient(token, &id));
    }

    /// Notes that a resource came out of a frame.
    fn came_by(&mut self, origin: &Arc<Origin>, resource: String) {
        if self.frame.as_ref().is_some_and(|(known, _)| known.evidence != origin.evidence) {
            self.end_frame();
        }
        let of_frame = || (origin.clone(), Vec::new());
        self.frame.get_or_insert_with(of_frame).1.push(resource);
    }

    fn end_frame(&mut self) {
        let Some((origin, targets)) = self.frame.take() else { return };
        let id = frame_id(&origin, &targets);
        let text = provenance(&origin, &targets, &id).to_string();
        self.ready.push(Made { kind: "Provenance", id, text });
    }
}
