//! Whoever has the medium: a gateway's card, copied or stolen, or the sink's store.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cloud_sink::incident::{self, Kind};
use cloud_sink::store::db::{Db, Value};
use cloud_sink::trust::registry;
use wire::frame::{Record, RecordKind};
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::Reason;
use wire::seal::{SegmentKeys, SegmentSecret, open_frame, unwrap_secret, verify_frame};
use wire::segment::read_header_payload;
use wire::signed::{Purpose, verify};
use wire::time::UnixNanos;

use super::scene::{Agent, Scene, Sent};
use super::{Outcome, demand, words};
use crate::fleet::Fleet;

/// Values of the clone's device begin here.
const CLONE_FIRST: i64 = 400;
/// When somebody looks at incidents.
const LOOK: UnixNanos = UnixNanos(1_767_225_700_000_000_000);

/// Names and secrets of the segments whose headers are among some records, as the sink opens them.
fn secrets(fleet: &Fleet, records: &[Sent]) -> Result<Vec<(SegmentId, SegmentSecret)>, String> {
    let mut found = Vec::new();
    for sent in records {
        let record = Record::parse(&sent.bytes).map_err(words)?;
        if record.kind != RecordKind::Header {
            continue;
        }
        let (header, core, wrapped) = read_header_payload(record.payload).map_err(words)?;
        let secret = unwrap_secret(&header, core, &wrapped, &fleet.pairs[0].secret);
        found.push((header.segment, secret.map_err(words)?));
    }
    Ok(found)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// No key and nonce twice, both branches kept, and somebody is told.
pub fn clones(scene: &mut Scene) -> Outcome {
    let id = scene.robbed.id;
    let copy = scene.folder.path().join("gw-2-copy");
    copy_folder(&scene.robbed.card.join("buffer"), &copy.join("buffer")).map_err(words)?;
    let mut clone = Agent::start(&scene.fleet, id, &copy, CLONE_FIRST)?;
    let common = clone.records().len();
    scene.robbed.hear(1)?;
    clone.hear(1)?;
    scene.beside.extend(clone.values());
    let (mine, theirs) = (scene.robbed.records(), clone.records());
    scene.take(&mine[..common])?;
    let before = scene.books(id)?;
    scene.take(&[&mine[..], &theirs[..]].concat())?;
    let after = scene.books(id)?;
    demand(after.forked == before.forked + 2, format!("no fork is seen: {after:?}"))?;
    let all = secrets(&scene.fleet, &[&mine[..], &theirs[common..]].concat())?;
    let names: BTreeSet<_> = all.iter().map(|(segment, _)| *segment).collect();
    let keys: BTreeSet<_> = all.iter().map(|(_, secret)| *secret.as_bytes()).collect();
    demand((names.len(), keys.len()) == (all.len(), all.len()), "a segment's key comes twice")?;
    let db = scene.db()?;
    incident::look(&db, LOOK).map_err(words)?;
    let open = incident::list(&db, false).map_err(words)?;
    let kinds = [Kind::OldCard, Kind::Clone, Kind::Fork].map(Kind::name);
    let fork = open.iter().find(|incident| kinds.contains(&incident.kind));
    let fork = fork.ok_or("nobody is told")?;
    Ok(format!("{}: {}; {}", fork.kind, fork.words, fork.remedy))
}

/// What it says then is held; a person who finds it good lets it go.
pub fn speaks_when_revoked(scene: &mut Scene) -> Outcome {
    let db = scene.db()?;
    let name = scene.robbed.id.to_string();
    registry::revoke(&db, &name, ("stolen", None), LOOK).map_err(words)?;
    scene.robbed.hear(2)?;
    let all = scene.robbed.records();
    scene.take(&all)?;
    let held = "SELECT count(*) FROM evidence WHERE disposition = 2 AND reason = ?1";
    let suspect = [Value::from(Reason::Suspect as u8)];
    let held: i64 = db.one(held, &suspect).map_err(words)?;
    demand(held > 0, "what it says is stored like anything else")?;
    incident::look(&db, LOOK).map_err(words)?;
    let open = incident::list(&db, false).map_err(words)?;
    let told = open.iter().find(|incident| incident.kind == Kind::Revoked.name());
    let told = told.ok_or("nobody is told")?;
    let let_go = registry::release(&db, &name).map_err(words)?;
    demand(let_go == held.unsigned_abs(), format!("{let_go} of {held} are let go"))?;
    scene.take(&all)?;
    registry::restore(&db, &name).map_err(words)?;
    Ok(format!("{}: {}", told.kind, told.words))
}

/// All files of a folder in one.
fn bytes_of(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        all.extend(if path.is_dir() { bytes_of(&path)? } else { fs::read(path)? });
    }
    Ok(all)
}

/// A frame, its header, and whether a secret opens it.
struct Safe<'a> {
    header: &'a Sent,
    frame: &'a Sent,
    agent: &'a Agent,
}

impl Safe<'_> {
    fn opens_with(&self, secret: &SegmentSecret) -> Result<bool, String> {
        let header = Record::parse(&self.header.bytes).map_err(words)?;
        let (_, core, _) = read_header_payload(header.payload).map_err(words)?;
        let record = Record::parse(&self.frame.bytes).map_err(words)?;
        let frame = verify_frame(&record, &self.agent.signer.verifying_key()).map_err(words)?;
        Ok(open_frame(&SegmentKeys::derive(secret, core), &frame).is_ok())
    }
}

/// The search has a control: what the sink unwraps opens the frame.
pub fn searches(scene: &mut Scene) -> Outcome {
    let own = scene.one.card.join("signing.key");
    agent::seal::keyring::store(&own, scene.one.signer.as_bytes()).map_err(words)?;
    let records = scene.one.records();
    let [header, frame, ..] = &records[..] else { return Err("too few records".into()) };
    let safe = Safe { header, frame, agent: &scene.one };
    let truth = secrets(&scene.fleet, std::slice::from_ref(header))?;
    let (_, truth) = truth.first().ok_or("no secret")?;
    demand(safe.opens_with(truth)?, "the search finds nothing, not even the key itself")?;
    let card = bytes_of(&scene.one.card).map_err(words)?;
    let windows = card.windows(32).filter(|window| window.iter().any(|byte| *byte != 0));
    let tried: BTreeSet<[u8; 32]> = windows.filter_map(|window| window.try_into().ok()).collect();
    for key in &tried {
        let opens = safe.opens_with(&SegmentSecret::from_bytes(*key))?;
        demand(!opens, "a key of the backlog stands on the card")?;
    }
    Ok(format!("{} keys tried, none opens a frame", tried.len()))
}

/// Evidence that its gateway has not signed so, as anybody finds it who has the public key.
fn unsound(db: &Db) -> Result<Vec<String>, String> {
    let sql = "SELECT gateway.name, evidence.bytes, evidence.idx FROM evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway ORDER BY evidence.id";
    let mut unsound = Vec::new();
    for row in db.rows(sql, &[]).map_err(words)? {
        let name: String = row.at(0).map_err(words)?;
        let bytes: Vec<u8> = row.at(1).map_err(words)?;
        let index: i64 = row.at(2).map_err(words)?;
        let key = Fleet::signer(GatewayId::new(&name).map_err(words)?).verifying_key();
        if let Err(why) = sound(&bytes, &key) {
            unsound.push(format!("record {index} of {name}: {why}"));
        }
    }
    Ok(unsound)
}

fn sound(bytes: &[u8], key: &ed25519_dalek::VerifyingKey) -> Result<(), String> {
    let record = Record::parse(bytes).map_err(words)?;
    verify(key, Purpose::Record, record.signed).map_err(words)?;
    if record.kind == RecordKind::Frame {
        verify_frame(&record, key).map_err(words)?;
    }
    Ok(())
}

/// The byte is put back: this store is still needed.
pub fn changes_store(scene: &mut Scene) -> Outcome {
    let db = scene.db()?;
    demand(unsound(&db)?.is_empty(), "the evidence is not sound to begin with")?;
    let sql = "SELECT evidence.id, evidence.bytes FROM evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE segment.lane = ?1 AND disposition = 1 AND idx = 2 ORDER BY evidence.id";
    let row = db.row(sql, &[Value::from(Lane::Vital as u8)]).map_err(words)?;
    let row = row.ok_or("no evidence")?;
    let (id, bytes): (i64, Vec<u8>) = (row.at(0).map_err(words)?, row.at(1).map_err(words)?);
    let mut changed = bytes.clone();
    *changed.last_mut().ok_or("no bytes")? ^= 1;
    let put = |bytes: &Vec<u8>| {
        let update = "UPDATE evidence SET bytes = ?2 WHERE id = ?1";
        db.execute(update, &[Value::from(id), Value::from(bytes)]).map_err(words)
    };
    put(&changed)?;
    let found = unsound(&db)?;
    put(&bytes)?;
    match &found[..] {
        [one] => Ok(one.clone()),
        _ => Err(format!("{} records are found, not one: {found:?}", found.len())),
    }
}
