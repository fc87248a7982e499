//! The trail for other systems, oldest entry first: FHIR AuditEvents, comma-separated values, or
//! lines of JSON. Each entry brings its hash along: whoever has them can go along the chain.
//!
//! Source: HL7 FHIR R4, AuditEvent; types of events are those of DICOM PS3.16, CID 400, and of ISO
//! 21089.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Deed, Entry, Verdict, verify};
use crate::keys::{hex, unhex};
use crate::store::db::Db;

/// In what the trail is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Form {
    /// FHIR R4, one AuditEvent a line.
    Fhir,
    /// Comma-separated values, with a head.
    Csv,
    /// JSON, one entry a line.
    Ndjson,
}

/// What is wanted of the trail.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// In what.
    pub form: Form,
    /// From this moment on, UTC nanoseconds; from the first entry without.
    pub from_ns: Option<i64>,
    /// Before this moment; to the last entry without.
    pub to_ns: Option<i64>,
    /// The sink's name, which stands in each event.
    pub sink: &'a str,
}

impl Wanted<'_> {
    fn holds(&self, entry: &Entry) -> bool {
        self.from_ns.is_none_or(|from| entry.at_ns >= from)
            && self.to_ns.is_none_or(|to| entry.at_ns < to)
    }
}

/// Columns of comma-separated values; `at` says in words what `at_ns` says.
const HEAD: [&str; 9] = ["id", "at_ns", "at", "who", "role", "what", "object", "words", "hash"];

/// Writes what is wanted, and checks the whole chain on the way. A broken chain is written to its
/// end all the same; the verdict says where it breaks.
///
/// # Errors
/// The store does not answer, or nothing can be written.
pub fn export_to(db: &Db, wanted: &Wanted<'_>, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    match wanted.form {
        Form::Ndjson => walk(db, wanted, |entry| {
            writeln!(out, "{}", serde_json::to_string(entry)?)?;
            Ok(())
        }),
        Form::Csv => in_csv(db, wanted, out),
        Form::Fhir => {
            let source = source(wanted.sink, &db.store_epoch()?);
            walk(db, wanted, |entry| {
                writeln!(out, "{}", event(entry, &source)?)?;
                Ok(())
            })
        }
    }
}

/// Goes along the whole chain; what is wanted of it is given to `with`.
fn walk(
    db: &Db,
    wanted: &Wanted<'_>,
    mut with: impl FnMut(&Entry) -> anyhow::Result<()>,
) -> anyhow::Result<Verdict> {
    verify(db, |entry| if wanted.holds(entry) { with(entry) } else { Ok(()) })
}

fn in_csv(db: &Db, wanted: &Wanted<'_>, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(HEAD)?;
    let verdict = walk(db, wanted, |entry| {
        let Entry { id, at_ns, who, role, what, object, words, hash } = entry;
        let (id, number, at) = (id.to_string(), at_ns.to_string(), moment(*at_ns)?);
        rows.write_record([&id, &number, &at, who, role, what, object, words, hash])?;
        Ok(())
    })?;
    rows.flush()?;
    Ok(verdict)
}

/// A moment to the nanosecond, RFC 3339.
fn moment(at_ns: i64) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_nanosecond(at_ns.into())?.to_string())
}

/// Which system says what kind of event it is, by which code, and what that means there.
type Kind = (&'static str, &'static str, &'static str);

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";

const ACTIVITY: Kind = (DICOM, "110100", "Application Activity");
const LOG_USED: Kind = (DICOM, "110101", "Audit Log Used");
const EXPORT: Kind = (DICOM, "110106", "Export");
const IMPORT: Kind = (DICOM, "110107", "Import");
const SECURITY: Kind = (DICOM, "110113", "Security Alert");
const SIGN_IN: Kind = (DICOM, "110114", "User Authentication");
const ACCESS: Kind = (LIFECYCLE, "access", "Access/View Record Lifecycle Event");
const AMEND: Kind = (LIFECYCLE, "amend", "Amend (Update) Record Lifecycle Event");
const DESTROY: Kind = (LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event");
const HOLD: Kind = (LIFECYCLE, "hold", "Add Legal Hold Record Lifecycle Event");
const RESTORE: Kind = (LIFECYCLE, "restore", "Restore Record Lifecycle Event");

/// How it ended: it was done; it was refused; it was refused and is not tried again for a while.
const DONE: &str = "0";
const REFUSED: &str = "4";
const STOPPED: &str = "8";

/// What a deed is to others: its kind; whether it creates, reads, updates, deletes or executes; and
/// how it ended.
const fn seen_as(deed: Deed) -> (Kind, &'static str, &'static str) {
    match deed {
        Deed::SignIn | Deed::SignOut => (SIGN_IN, "E", DONE),
        Deed::SignInRefused => (SIGN_IN, "E", REFUSED),
        Deed::Locked => (SECURITY, "U", STOPPED),
        Deed::Invite | Deed::Enrol => (SECURITY, "C", DONE),
        Deed::EnrolRefused => (SECURITY, "C", REFUSED),
        Deed::Account | Deed::Revoke | Deed::Release | Deed::Keys => (SECURITY, "U", DONE),
        Deed::Values => (ACCESS, "R", DONE),
        Deed::Evidence | Deed::Export => (EXPORT, "R", DONE),
        Deed::Incident | Deed::Inventory | Deed::Maintenance => (AMEND, "U", DONE),
        Deed::Hold => (HOLD, "U", DONE),
        Deed::Disposal | Deed::Erasure => (DESTROY, "D", DONE),
        Deed::Audit => (LOG_USED, "R", DONE),
        Deed::Import => (IMPORT, "C", DONE),
        Deed::Restored => (RESTORE, "U", DONE),
    }
}

/// Names of ours in an event.
const DEED: &str = "urn:wardline:deed";
const ROLE: &str = "urn:wardline:role";
const STORE: &str = "urn:wardline:store";
const NUMBER: &str = "urn:wardline:audit:id";
const HASH: &str = "urn:wardline:audit:sha-256";

/// Where an event was seen: by this sink, over the store of this life.
fn source(sink: &str, life: &[u8; 16]) -> Value {
    json!({
        "site": sink,
        "observer": {
            "identifier": {"system": STORE, "value": hex(life)},
            "display": "wardline-sink",
        },
        "type": [{"system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                  "code": "4", "display": "Application Server"}],
    })
}

/// Sets a field to what a text becomes; FHIR has no empty ones.
fn put(of: &mut Value, field: &str, text: &str, value: fn(&str) -> Value) {
    if !text.is_empty() {
        of[field] = value(text);
    }
}

/// An entry as an AuditEvent. Everything that its hash is made of stands there, each text as it is.
fn event(entry: &Entry, source: &Value) -> anyhow::Result<Value> {
    // A store may be older or newer than this program.
    let deed = Deed::ALL.iter().copied().find(|deed| deed.name() == entry.what);
    let (kind, action, outcome) = deed.map_or((ACTIVITY, "E", DONE), seen_as);
    let (system, code, display) = kind;
    let mut subtype = json!({"system": DEED, "code": entry.what});
    put(&mut subtype, "display", deed.map_or("", Deed::words), |words| words.into());
    let mut agent = json!({"requestor": true});
    put(&mut agent, "who", &entry.who, |who| json!({"display": who}));
    let coded = |role: &str| json!([{"coding": [{"system": ROLE, "code": role}]}]);
    put(&mut agent, "role", &entry.role, coded);
    let hash = unhex(&entry.hash).context("a hash has other letters than digits")?;
    let mut entity = json!({"detail": [
        {"type": NUMBER, "valueString": entry.id.to_string()},
        {"type": HASH, "valueBase64Binary": STANDARD.encode(hash)},
    ]});
    put(&mut entity, "what", &entry.object, |object| json!({"display": object}));
    put(&mut entity, "description", &entry.words, |words| words.into());
    Ok(json!({
        "resourceType": "AuditEvent",
        "id": format!("a-{}", entry.hash.get(..32).unwrap_or(&entry.hash)),
        "type": {"system": system, "code": code, "display": display},
        "subtype": [subtype],
        "action": action,
        "recorded": moment(entry.at_ns)?,
        "outcome": outcome,
        "agent": [agent],
        "source": source,
        "entity": [entity],
    }))
}

#[cfg(test)]
mod tests {
    use wire::time::UnixNanos;

    use super::super::{Act, BEGIN, chain, list, write};
    use super::*;

    const BEGUN: i64 = 1_700_000_000_000_000_000;
    /// Between two entries, so that moments have all nine digits or fewer.
    const STEP: i64 = 10_000_000_001;

    /// One entry of each deed; the words of some would break a careless table, others are empty.
    fn trail() -> Db {
        let db = Db::in_memory();
        db.batch("INSERT INTO meta VALUES ('store_epoch', x'000102030405060708090A0B0C0D0E0F')")
            .unwrap();
        for (at, what) in (0..).zip(Deed::ALL.iter().copied()) {
            let (role, object) = if at % 2 == 0 { ("admin", "gw-1") } else { ("", "") };
            let words = ["", "because", "\"so\", he said;\nand\r went, ü", " "][at as usize % 4];
            let act = Act { who: "ada", role, what, object, words };
            write(&db, &act, UnixNanos(BEGUN + at * STEP)).unwrap();
        }
        db
    }

    fn exported(db: &Db, form: Form, span: (Option<i64>, Option<i64>)) -> (String, Verdict) {
        let mut out = Vec::new();
        let wanted = Wanted { form, from_ns: span.0, to_ns: span.1, sink: "sink-1" };
        let verdict = export_to(db, &wanted, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), verdict)
    }

    fn events(db: &Db) -> Vec<Value> {
        let (lines, _) = exported(db, Form::Fhir, (None, None));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }

    #[test]
    fn the_chain_is_made_again_out_of_the_events_alone() {
        let db = trail();
        let (_, verdict) = exported(&db, Form::Fhir, (None, None));
        let mut head = BEGIN.to_vec();
        for event in events(&db) {
            let (agent, entity) = (&event["agent"][0], &event["entity"][0]);
            let at: jiff::Timestamp = text(&event["recorded"]).parse().unwrap();
            let texts = [
                &agent["who"]["display"],
                &agent["role"][0]["coding"][0]["code"],
                &event["subtype"][0]["code"],
                &entity["what"]["display"],
                &entity["description"],
            ];
            let id = text(&entity["detail"][0]["valueString"]).parse().unwrap();
            let at_ns = i64::try_from(at.as_nanosecond()).unwrap();
            head = chain(&head, id, at_ns, texts.map(text)).to_vec();
            let said = text(&entity["detail"][1]["valueBase64Binary"]);
            assert_eq!(said, STANDARD.encode(&head), "{event}");
        }
        assert_eq!((hex(&head), verdict.broken_at), (verdict.head, None));
    }

    #[test]
    fn what_was_refused_is_told_as_refused_and_no_text_is_empty() {
        fn is_full(value: &Value) -> bool {
            match value {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(all) => !all.is_empty() && all.iter().all(is_full),
                Value::Object(all) => !all.is_empty() && all.values().all(is_full),
                Value::Bool(_) | Value::Number(_) => true,
            }
        }
        let events = events(&trail());
        assert_eq!(events.len(), Deed::ALL.len());
        for (event, deed) in events.iter().zip(Deed::ALL) {
            let wanted = match deed {
                Deed::SignInRefused | Deed::EnrolRefused => "4",
                Deed::Locked => "8",
                _ => "0",
            };
            assert_eq!(text(&event["outcome"]), wanted, "{}", deed.name());
            assert_eq!(text(&event["subtype"][0]["display"]), deed.words());
            assert!(is_full(event), "{event}");
        }
    }

    #[test]
    fn a_row_says_what_its_entry_says_whatever_stands_in_it() {
        let db = trail();
        let (table, _) = exported(&db, Form::Csv, (None, None));
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        assert_eq!(rows.headers().unwrap(), &csv::StringRecord::from(HEAD.to_vec()));
        let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
        let mut entries = list(&db, i64::MAX, 1_000).unwrap();
        entries.reverse();
        assert_eq!(rows.len(), entries.len());
        for (row, entry) in rows.iter().zip(&entries) {
            let Entry { id, at_ns, who, role, what, object, words, hash } = entry;
            let (id, number) = (id.to_string(), at_ns.to_string());
            let at = moment(*at_ns).unwrap();
            let cells = [&id, &number, &at, who, role, what, object, words, hash];
            assert_eq!(row.iter().collect::<Vec<_>>(), cells);
        }
    }

    #[test]
    fn a_part_is_written_and_the_whole_chain_is_checked() {
        let db = trail();
        let part = (Some(BEGUN + 3 * STEP), Some(BEGUN + 5 * STEP));
        let ids = |lines: &str| -> Vec<i64> {
            let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            entries.map(|entry| entry["id"].as_i64().unwrap()).collect()
        };
        let (lines, verdict) = exported(&db, Form::Ndjson, part);
        assert_eq!((ids(&lines), verdict.broken_at), (vec![4, 5], None));

        db.batch("UPDATE audit SET words = 'otherwise' WHERE id = 2").unwrap();
        let (lines, verdict) = exported(&db, Form::Ndjson, part);
        assert_eq!((ids(&lines), verdict.broken_at), (vec![4, 5], Some(2)));
        let (lines, _) = exported(&db, Form::Ndjson, (None, None));
        assert_eq!(ids(&lines).len(), Deed::ALL.len(), "it is written to its end");
    }
}
