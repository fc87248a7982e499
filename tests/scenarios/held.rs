//! What the sink cannot decode yet is durable, receipted as held, and opened when it can be.

use cloud_sink::limits::PARKED_MAX;
use cloud_sink::store::db::Value;
use cloud_sink::store::query::{Reopened, StoreRegistry};
use ed25519_dalek::SigningKey;
use wire::frame::{Foreign, Record, join};
use wire::receipt::{Disposition, Reason};
use wire::segment::Suite;
use wire::signed::{Purpose, sign};

use crate::device::{monitor, numerics};
use crate::gateway::Sent;
use crate::sink::{Sink, fates, wanted};
use crate::site::{Site, site};
use rig::fleet::{Fleet, named};

/// The same record as a gateway of a later version would sign it.
fn of_version(sent: &Sent, version: u8, signer: &SigningKey) -> Sent {
    let record = Record::parse(&sent.bytes).unwrap();
    let mut payload = record.payload.to_vec();
    assert_eq!(payload[1], 1, "the version is the core's first field");
    payload[1] = version;
    let signed = sign(signer, Purpose::Record, payload);
    let ciphertext = Some(record.ciphertext).filter(|bytes| !bytes.is_empty());
    Sent { bytes: join(&signed, ciphertext), ..sent.clone() }
}

#[test]
fn a_record_of_an_unknown_version_is_held_and_named() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let later: Vec<Sent> =
        records.iter().map(|sent| of_version(sent, 2, &gateway.signer)).collect();

    let rounds = sink.take(&later);

    let segment = records[0].segment;
    let held = |index| (segment, index, index, Disposition::Held, Reason::Version);
    assert_eq!(fates(&rounds), [held(0), held(1), held(2)]);
    assert_eq!(sink.readings().values().sum::<u64>(), 0);
    assert_eq!(sink.ledger().kept[0].reason, "unknown version");
}

#[test]
fn a_record_of_an_unknown_version_with_another_ciphertext_or_signer_is_dropped() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let later = of_version(&records[1], 2, &gateway.signer);
    let record = Record::parse(&records[2].bytes).unwrap();
    let signed = Foreign::parse(&later.bytes).unwrap().signed;
    let spliced = Sent { bytes: join(signed, Some(record.ciphertext)), ..later.clone() };
    let forged = of_version(&records[1], 2, &Fleet::signer(named("gw-2")));

    sink.take(&[spliced, forged]);

    assert_eq!(sink.dropped.len(), 2);
    assert_eq!(sink.rows().values().sum::<u64>(), 0);
}

#[test]
fn what_no_key_opens_is_held_and_opened_when_the_key_is_there() {
    let Site { fleet, mut gateway, sink, folder } = site();
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let keyless = Fleet::with(Suite::X25519, Vec::new());
    let mut sink = Sink::open(&keyless, sink.location());

    let rounds = sink.take(&gateway.records());
    let before = sink.heart_rates();
    let mut sink = Sink::open(&fleet, sink.location());
    let held = StoreRegistry::open(sink.location()).unwrap().reopen(0, true).unwrap();
    let again = |held: Reopened| Sent::read(held.gateway, held.lane, held.bytes);
    sink.take(&held.into_iter().map(again).collect::<Vec<_>>());

    let no_key = |fate: &&crate::sink::Fate| fate.3 == Disposition::Held && fate.4 == Reason::NoKey;
    assert_eq!(fates(&rounds).iter().filter(no_key).count(), 1);
    assert_eq!(before, Vec::<i64>::new());
    assert_eq!(sink.heart_rates(), [61, 62, 63]);
    assert_eq!(sink.ledger().kept.len(), 0);
    drop(folder);
}

#[test]
fn parking_has_an_end_and_what_is_behind_it_is_not_signed_for() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let db = cloud_sink::store::db::Db::open(sink.location()).unwrap();
    sink.take(&records[1..2]);
    let fill = "INSERT INTO evidence (segment, idx, hash, disposition, reason, received_ns, bytes)
        SELECT segment, ?1, ?2, disposition, reason, 0, ?2 FROM evidence WHERE idx = 1";
    for index in 2..=PARKED_MAX.cast_signed() {
        let hash = Value::from(index.to_be_bytes());
        db.later(fill, &[Value::from(100 + index), hash]).unwrap();
    }
    assert_eq!(db.one::<u64>("SELECT count(*) FROM evidence", &[]).unwrap(), PARKED_MAX);
    let mut sink = Sink::open(&fleet, sink.location());

    let rounds = sink.take(&records[2..3]);

    assert_eq!(fates(&rounds), []);
    assert_eq!(wanted(&rounds), [records[0].segment], "the header is asked for all the same");
}

#[test]
fn a_parked_record_that_comes_again_and_again_takes_no_more_room() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let repeats = vec![records[1].clone(); PARKED_MAX as usize + 1];
    sink.take(&repeats);

    let rounds = sink.take(&records[2..3]);

    assert_eq!(fates(&rounds).len(), 1, "there is room for another one");
    sink.take(&records[..1]);
    assert_eq!(sink.heart_rates(), [61, 62]);
}
