//! FHIR R4: one resource a line, or transactions of them. Identifiers are made from what a reading
//! is, so that importing twice changes nothing.
//!
//! Source: HL7 PoCD and PHD guides, as far as `docs/interoperability.md` says.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Value, json};

use super::Writing;
use super::parts::{Folder, Part};
use super::read::Kind;
use super::reading::Reading;
use crate::inventory::Asset;

mod gather;

mod identity;

mod observation;

mod resources;

pub use gather::{Made, Resources};

use identity::deed_id;

/// Resources of one transaction.
pub const BUNDLE_MAX: usize = 200;

/// Writes parts, a file for each type of resource.
pub struct Fhir {
    resources: Resources,
    as_bundles: bool,
    files: BTreeMap<&'static str, Part>,
    bundle: Vec<Made>,
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

/// A transaction that makes or renews resources.
#[must_use]
pub fn transaction(resources: &[Made]) -> String {
    let entry = |Made { kind, id, text }: &Made| {
        format!(
            "{{\"fullUrl\":\"urn:wardline:{kind}:{id}\",\"resource\":{text},\"request\":\
             {{\"method\":\"PUT\",\"url\":\"{kind}/{id}\"}}}}"
        )
    };
    let entries = resources.iter().map(entry).collect::<Vec<_>>().join(",");
    format!("{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{entries}]}}")
}

impl Fhir {
    /// Lines of resources, or of transactions.
    #[must_use]
    pub fn new(assets: BTreeMap<String, Asset>, as_bundles: bool) -> Self {
        let (resources, files) = (Resources::new(assets), BTreeMap::new());
        Self { resources, as_bundles, files, bundle: Vec::new(), place: None }
    }

    /// Writes what is ready.
    fn write(&mut self, end: bool) -> anyhow::Result<()> {
        for made in self.resources.take(end) {
            if self.as_bundles {
                self.bundle.push(made);
                self.end_bundle(BUNDLE_MAX)?;
            } else {
                self.line(made.kind, &made.text)?;
            }
        }
        Ok(())
    }

    /// Writes the transaction, once it has so many resources.
    fn end_bundle(&mut self, least: usize) -> anyhow::Result<()> {
        if self.bundle.len() < least {
            return Ok(());
        }
        let resources = std::mem::take(&mut self.bundle);
        self.line("Bundle", &transaction(&resources))
    }

    fn line(&mut self, kind: &'static str, text: &str) -> anyhow::Result<()> {
        if !self.files.contains_key(kind) {
            let Some((folder, of)) = &self.place else { return Ok(()) };
            let part = folder.part(*of, &format!("{}-{kind}", word(*of)), "ndjson")?;
            self.files.insert(kind, part);
        }
        if let Some(part) = self.files.get_mut(kind) {
            writeln!(part.out, "{text}")?;
        }
        Ok(())
    }
}

impl Writing for Fhir {
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()> {
        self.place = Some((folder.clone(), kind));
        Ok(())
    }

    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        let is_written = self.resources.add(&reading)?;
        self.write(false)?;
        Ok(is_written)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.write(true)?;
        self.end_bundle(1)?;
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
