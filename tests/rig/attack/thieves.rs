//! Whoever has stolen a key, or makes one: receipts, keyrings, commands, and a gateway's own key.

use agent::uplink::driver::MessageKind;
use ed25519_dalek::SigningKey;
use wire::command::Command;
use wire::frame::{Core, Record, frame_payload, join, read_frame_payload};
use wire::identity::{BootId, SegmentId, StoreEpoch};
use wire::keyring::{FleetPart, Keyring};
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::seal::{
    OpenError, RecipientSecret, SegmentKeys, SegmentSecret, open_frame, seal_frame, seal_header,
    unwrap_secret, verify_frame, verify_header,
};
use wire::segment::{Header, Suite, header_payload, read_header_payload};
use wire::signed::{Purpose, sign};
use wire::time::UnixNanos;

use super::scene::{Agent, Scene, Sent};
use super::{Outcome, demand, words};
use crate::fleet::named;
use crate::world::forger::{Forger, Forgery, identity_of};

/// A receipt that calls one record stored, with everything in it true but that.
fn receipt_for(agent: &Agent, epoch: StoreEpoch, record: &Sent) -> Result<Receipt, String> {
    let (segment, index, last_hash) = identity_of(&record.bytes).ok_or("no record")?;
    let (disposition, reason) = (Disposition::Stored, Reason::None);
    let range = Range { first: index, last: index, disposition, reason, last_hash };
    Ok(Receipt {
        gateway: agent.id,
        store_epoch: epoch,
        commit: 1,
        sink_time: UnixNanos(1),
        segments: vec![(segment, vec![range])],
        headers_wanted: Vec::new(),
    })
}

/// Says receipts to the gateway; the agent's words about them, which must forget nothing.
fn receipts_are_refused(agent: &mut Agent, forged: &[Vec<u8>]) -> Outcome {
    let (owed, before) = (agent.owed(), agent.receipts_refused()?);
    for receipt in forged {
        agent.told(MessageKind::Receipt, receipt.clone());
    }
    let refused = agent.receipts_refused()? - before;
    demand(agent.owed() == owed, "the gateway has forgotten what no sink has")?;
    demand(refused == forged.len() as u64, format!("{refused} of {} refused", forged.len()))?;
    Ok(format!("receipts_refused {refused}, {owed} bytes still owed"))
}

pub fn forges_receipts(scene: &mut Scene) -> Outcome {
    let record = scene.one.records().swap_remove(1);
    let forger =
        Forger { key: scene.fleet.receipt.clone(), epoch: scene.epoch, gateway: scene.one.id };
    let made = |how| forger.receipt(how, &record.bytes).ok_or("no record");
    let stranger = made(Forgery::Stranger)?;
    let older = receipt_for(&scene.one, StoreEpoch([0x0E; 16]), &record)?;
    let all = [stranger.clone(), made(Forgery::OtherGateway)?, older.sign(&scene.fleet.receipt)];
    let keys = &scene.fleet.keyring.fleet.receipt_keys;
    let why = Receipt::verify(&stranger, keys).err().ok_or("a stranger's receipt verifies")?;
    Ok(format!("{}; the first: {why}", receipts_are_refused(&mut scene.one, &all)?))
}

pub fn guesses_hash(scene: &mut Scene) -> Outcome {
    let record = scene.one.records().swap_remove(1);
    let forger =
        Forger { key: scene.fleet.receipt.clone(), epoch: scene.epoch, gateway: scene.one.id };
    let forged = forger.receipt(Forgery::StolenKey, &record.bytes).ok_or("no record")?;
    receipts_are_refused(&mut scene.one, &[forged])
}

/// The one attack of these that gains something for a while: what it costs and how it ends.
pub fn trims_early(scene: &mut Scene) -> Outcome {
    scene.one.hear(1)?;
    let owed = scene.one.records();
    let kept_back = owed.last().ok_or("no record")?.clone();
    let forged = receipt_for(&scene.one, scene.epoch, &kept_back)?.sign(&scene.fleet.receipt);
    scene.one.told(MessageKind::Receipt, forged);
    demand(scene.one.records().len() + 1 == owed.len(), "the forged receipt is not even read")?;
    // The remedy of the handbook: another life of the store, for which everything is offered again.
    let reborn = scene.fleet.reborn();
    scene.epoch = reborn.epoch;
    for agent in [&mut scene.one, &mut scene.robbed] {
        agent.told(MessageKind::Keyring, reborn.document.clone());
    }
    let again = scene.one.records();
    let (_, index, _) = identity_of(&kept_back.bytes).ok_or("no record")?;
    let is_there = again.iter().any(|sent| sent.bytes == kept_back.bytes);
    demand(is_there, "what was trimmed early is gone")?;
    scene.take(std::slice::from_ref(&kept_back))?;
    Ok(format!("record {index} was no longer sent, stayed on the card, and came with a new epoch"))
}

/// Comes after [`trims_early`], which has brought a newer keyring.
pub fn rolls_back(scene: &mut Scene) -> Outcome {
    let versions = |agent: &Agent| agent.line.trust.keyring.as_ref().map(Keyring::versions);
    let before = versions(&scene.one).ok_or("no keyring is in force")?;
    demand(before > scene.fleet.keyring.versions(), "there is no older keyring")?;
    scene.one.told(MessageKind::Keyring, scene.fleet.document.clone());
    demand(versions(&scene.one) == Some(before), "an older keyring is in force")?;
    Ok(format!("root {}, fleet {} stay in force", before.0, before.1))
}

pub fn forges_keyring(scene: &mut Scene) -> Outcome {
    let thief = SigningKey::from_bytes(&[0x77; 32]);
    let Keyring { root, fleet } = scene.fleet.keyring.clone();
    let part = FleetPart { receipt_keys: vec![thief.verifying_key()], version: 99, ..fleet };
    let mine = wire::keyring::root_parts(&scene.fleet.document).map_err(words)?;
    let of_roots = wire::keyring::join(mine, part.sign(&thief));
    let of_mine = wire::keyring::join(vec![root.sign(&thief)], part.sign(&thief));
    let mut said = Vec::new();
    for document in [of_roots, of_mine] {
        let why = Keyring::verify(&document, &scene.fleet.roots);
        said.push(why.err().ok_or("it verifies")?.to_string());
        scene.one.told(MessageKind::Keyring, document);
    }
    let in_force = scene.one.line.trust.keyring.as_ref();
    demand(in_force == Some(&scene.fleet.keyring), "it is in force")?;
    Ok(said.join("; "))
}

pub fn commands(scene: &mut Scene) -> Outcome {
    let (boot, argument) = (BootId([0xB0; 16]), Vec::new());
    let command = Command { gateway: scene.one.id, boot, number: 1, action: 1, argument };
    let forged = command.sign(&scene.fleet.receipt);
    let owed = scene.one.owed();
    scene.one.told(MessageKind::Command, forged.clone());
    demand(scene.one.owed() == owed, "it was carried out")?;
    match Command::verify(&forged, &scene.fleet.keyring.fleet.command_key) {
        Ok(_) => Err("it verifies".into()),
        Err(error) => Ok(error.to_string()),
    }
}

type Made = Result<Sent, String>;

/// Another core over the same ciphertext, signed by who may sign.
fn signed_again(agent: &Agent, sent: &Sent, change: impl FnOnce(&mut Core)) -> Made {
    let record = Record::parse(&sent.bytes).map_err(words)?;
    let (mut core, _, _) = read_frame_payload(record.payload).map_err(words)?;
    change(&mut core);
    let payload = frame_payload(&core.encode(), record.ciphertext);
    let signed = sign(&agent.signer, Purpose::Record, payload);
    Ok(Sent { bytes: join(&signed, Some(record.ciphertext)), ..sent.clone() })
}

/// A header of the robbed gateway with another core; its wrapped secrets stay as they are.
fn header_again(agent: &Agent, sent: &Sent, change: impl FnOnce(&mut Header)) -> Made {
    let record = Record::parse(&sent.bytes).map_err(words)?;
    let (mut header, _, wrapped) = read_header_payload(record.payload).map_err(words)?;
    change(&mut header);
    let payload = header_payload(&header.encode(), &wrapped);
    let signed = sign(&agent.signer, Purpose::Record, payload);
    Ok(Sent { bytes: join(&signed, None), ..sent.clone() })
}

pub fn moves_segment(scene: &mut Scene) -> Outcome {
    let victim = scene.robbed.records().swap_remove(1);
    let (segment, _, _) = identity_of(&victim.bytes).ok_or("no record")?;
    // Another start of the same gateway has another segment, and so another key.
    let card = scene.folder.path().join("gw-2-again");
    let mut again = Agent::start(&scene.fleet, scene.robbed.id, &card, 300)?;
    again.hear(1)?;
    let frame = again.records().swap_remove(1);
    let moved = signed_again(&again, &frame, |core| core.segment = segment)?;
    scene.refuse(&[moved])
}

/// The header is evidence like any other; what it should open stays shut.
pub fn downgrades(scene: &mut Scene) -> Outcome {
    let records = scene.robbed.records();
    let segment = SegmentId([0xD0; 16]);
    let weaker = header_again(&scene.robbed, &records[0], |header| {
        (header.suite, header.segment) = (Suite::X25519, segment);
    })?;
    scene.take(&[weaker])?;
    let frame = signed_again(&scene.robbed, &records[1], |core| core.segment = segment)?;
    scene.refuse(&[frame])
}

/// AES-GCM alone commits to no key; each recipient's secret opens only what it sealed.
pub fn tells_two(scene: &mut Scene) -> Outcome {
    let robbed = &mut scene.robbed;
    let first = robbed.records().swap_remove(0);
    let record = Record::parse(&first.bytes).map_err(words)?;
    let (header, _, _) = read_header_payload(record.payload).map_err(words)?;
    let header = Header { segment: SegmentId([0x2F; 16]), gateway: named("gw-2"), ..header };
    let (recovery, offline) = RecipientSecret::generate(header.suite);
    let sink = scene.fleet.keyring.recipients(header.lane, header.suite);
    let mut wrapped = Vec::new();
    let (mut sealing, signer) = (Vec::new(), &robbed.signer);
    for (number, recipients) in [(1, &sink[..]), (2, std::slice::from_ref(&offline))] {
        let secret = SegmentSecret::from_bytes([number; 32]);
        let ephemeral = SegmentSecret::from_bytes([number + 8; 32]);
        let made = seal_header(&header, &secret, &ephemeral, recipients, signer).map_err(words)?;
        let record = Record::parse(&made.0).map_err(words)?;
        wrapped.extend(read_header_payload(record.payload).map_err(words)?.2);
        sealing.push(made.2);
    }
    let core_bytes = header.encode();
    let signed = sign(signer, Purpose::Record, header_payload(&core_bytes, &wrapped));
    let (head, key) = (join(&signed, None), signer.verifying_key());
    let core = Core {
        lane: header.lane,
        segment: header.segment,
        index: 1,
        sequence_first: 1,
        sequence_last: 1,
        previous: wire::frame::hash_of(&signed),
        content_root: [0; 32],
    };
    // An array of one byte string: a batch as far as the seal looks.
    let (frame, _) = seal_frame(&sealing[0], signer, &core, vec![0x81, 0x41, 7]).map_err(words)?;
    let open = |secret: &RecipientSecret| -> Result<Vec<u8>, OpenError> {
        let record = Record::parse(&head).expect("it was joined a moment ago");
        let (header, core, wrapped) = verify_header(&record, &key)?;
        let keys = SegmentKeys::derive(&unwrap_secret(&header, core, &wrapped, secret)?, core);
        let record = Record::parse(&frame).expect("it was sealed a moment ago");
        open_frame(&keys, &verify_frame(&record, &key)?)
    };
    let clinical = &scene.fleet.pairs[0].secret;
    demand(open(clinical).is_ok(), "the sink cannot open what was sealed for it")?;
    match open(&recovery) {
        Ok(_) => Err("two keys open one frame".into()),
        Err(error) => Ok(format!("the sink reads one text, the recovery key none: {error}")),
    }
}
