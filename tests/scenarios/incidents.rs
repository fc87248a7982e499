//! P9 seen: what goes wrong has one incident a cause, with what to do, and it ends when that does.

use cloud_sink::availability::{self, Month};
use cloud_sink::clock;
use cloud_sink::incident::{self, Incident};
use cloud_sink::store::db::{Db, Location, Value};
use cloud_sink::store::hours::HOUR_NS;
use tempfile::{TempDir, tempdir};
use wire::frame::join;
use wire::gap::{Cause, Gap, Hole};
use wire::identity::Lane;
use wire::segment::Suite;
use wire::signed::{Purpose, sign};
use wire::status::{alarm, counter};
use wire::time::UnixNanos;

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

fn second(number: i64) -> UnixNanos {
    UnixNanos(1_700_000_000_000_000_000 + number * 1_000_000_000)
}

/// The sink looks at this second; what is open then.
fn look(store: &Location, at: i64) -> Vec<Incident> {
    let db = Db::open(store).unwrap();
    incident::look(&db, second(at)).unwrap();
    incident::list(&db, false).unwrap()
}

fn kinds(incidents: &[Incident]) -> Vec<&'static str> {
    incidents.iter().map(|incident| incident.kind).collect()
}

struct Site {
    gateways: Vec<Gateway>,
    sink: Sink,
    _folder: TempDir,
}

impl Site {
    fn with(count: usize) -> Self {
        let folder = tempdir().unwrap();
        let fleet = Fleet::new(Suite::X25519);
        let ids: Vec<_> = (0..count).map(|number| named(&format!("gw-{number}"))).collect();
        let start = |id| Gateway::start(&fleet, id, &folder.path().join(id.as_str()));
        let gateways = ids.iter().copied().map(start).collect();
        let sink = Sink::create(&fleet, folder.path(), &ids);
        Self { gateways, sink, _folder: folder }
    }

    /// A gateway reports, and the report is stored.
    fn report(&mut self, gateway: usize, counters: &[(u16, u64)]) {
        self.gateways[gateway].report(counters);
        let records = self.gateways[gateway].records_of(Lane::Health);
        let newest = [records.first(), records.last()];
        self.sink.take(&newest.into_iter().flatten().cloned().collect::<Vec<_>>());
    }

    fn look(&self, at: i64) -> Vec<Incident> {
        look(self.sink.location(), at)
    }
}

#[test]
fn a_silent_gateway_is_seen_within_a_minute_and_its_incident_ends_with_its_silence() {
    let mut site = Site::with(1);
    assert!(site.look(0).is_empty(), "who has never spoken is not silent");
    site.report(0, &[(counter::UPTIME_SECONDS, 1000)]);
    assert!(site.look(1).is_empty());
    assert!(site.look(45).is_empty());

    let open = site.look(47);
    assert_eq!(kinds(&open), ["silent"]);
    assert_eq!(open[0].gateway.as_deref(), Some("gw-0"));
    assert!(open[0].remedy.contains("power"));
    assert_eq!(site.look(50)[0].id, open[0].id, "one cause is one incident");

    site.report(0, &[(counter::UPTIME_SECONDS, 1060)]);
    assert!(site.look(61).is_empty());
    let db = Db::open(site.sink.location()).unwrap();
    let timeline = incident::timeline(&db, open[0].id).unwrap();
    let what: Vec<_> = timeline.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(what, ["opened", "closed"]);
}

#[test]
fn one_outage_of_many_gateways_is_one_incident() {
    let mut site = Site::with(5);
    for gateway in 0..5 {
        site.report(gateway, &[(counter::UPTIME_SECONDS, 1000)]);
    }
    site.look(0);
    site.report(0, &[(counter::UPTIME_SECONDS, 1040)]);
    site.look(40);

    let open = site.look(60);

    assert_eq!(kinds(&open), ["outage"]);
    assert!(open[0].words.starts_with("4 of 5"), "{}", open[0].words);
}

#[test]
fn a_line_on_which_live_readings_take_long_is_an_incident() {
    let mut site = Site::with(3);
    let db = Db::open(site.sink.location()).unwrap();
    let hour = second(0).0 / HOUR_NS;
    let set = |gateway: usize, soon: i64, slow: i64, minutes: i64| {
        let insert = "INSERT INTO gateway_hour
                      VALUES (?1, ?2, 0, ?5, 0, 0, ?3, 0, 0, 0, 0, ?4, 0, 0, 0, 0, 0, 0, 0)
                      ON CONFLICT (gateway, hour) DO UPDATE
                      SET d2 = excluded.d2, d7 = excluded.d7, live = excluded.live";
        let live = (1 << minutes) - 1;
        let values = [gateway as i64 + 1, hour, soon, slow, live].map(Value::Int);
        db.execute(insert, &values).unwrap();
    };
    // Within one second, and within ten: one of a hundred; more than that; too early to say.
    for (gateway, (soon, slow, minutes)) in
        [(792, 8, 20), (791, 9, 20), (0, 800, 9)].into_iter().enumerate()
    {
        site.report(gateway, &[(counter::UPTIME_SECONDS, 1000)]);
        set(gateway, soon, slow, minutes);
    }

    let open = site.look(0);

    assert_eq!(kinds(&open), ["slow line"]);
    assert_eq!(open[0].gateway.as_deref(), Some("gw-1"));
    assert!(open[0].words.contains("up to 10 s"), "{}", open[0].words);
    let seen = open[0].last_ns;
    assert_eq!(site.look(5)[0].last_ns, seen, "nothing slow has come since");
    set(1, 791, 10, 20);
    assert_eq!(site.look(6)[0].last_ns, second(6).0);
}

#[test]
fn what_a_gateway_gave_is_counted_by_how_long_it_took() {
    let mut site = Site::with(1);
    let device = monitor(1, 7);
    (1..=3).for_each(|sequence| site.gateways[0].hear(&device, sequence, &numerics(sequence)));
    site.gateways[0].flush();
    let records = site.gateways[0].records();
    site.sink.take(&records);
    site.report(0, &[(counter::UPTIME_SECONDS, 1000)]);

    let db = Db::open(site.sink.location()).unwrap();
    let now = clock::now();
    let months = availability::read(&db, None, Month::at(now).unwrap(), now).unwrap();

    let [one] = &months[..] else { panic!("{months:?}") };
    assert_eq!((one.live_delay.readings, one.backlog_delay.readings), (0, 3));
    assert_eq!(one.backlog_delay.p50_ms, None, "what was taken years ago took over a day");
}

#[test]
fn a_gap_is_told_until_a_person_closes_it() {
    let mut site = Site::with(1);
    let gateway = &mut site.gateways[0];
    gateway.hear_each(&monitor(1, 7), 1..=2, numerics);
    let records = gateway.records();
    let last = records.last().unwrap();
    let hole = Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (3, 5),
        moments: None,
        cause: Cause::Evicted,
        before: None,
        after: None,
    };
    let (lane, segment) = (last.lane, last.segment);
    let gap = Gap { lane, segment, index: last.index + 1, previous: last.hash, hole };
    let signed = sign(&gateway.signer, Purpose::Record, gap.encode());
    let gap = Sent::read(gateway.id, lane, join(&signed, None));
    site.sink.take(&records);
    site.sink.take(&[gap]);

    let open = site.look(0);
    assert_eq!(kinds(&open), ["gap"]);
    assert!(open[0].words.contains("3 to 5 readings"), "{}", open[0].words);
    let open = site.look(100_000);
    assert_eq!((kinds(&open), open[0].count), (vec!["gap"], 1), "told once, and not forgotten");

    let db = Db::open(site.sink.location()).unwrap();
    let (id, now) = (open[0].id, second(100_001));
    assert!(incident::acknowledge(&db, id, now, ("A. Nurse", "seen")).unwrap());
    assert_eq!(incident::list(&db, false).unwrap()[0].owner.as_deref(), Some("A. Nurse"));
    assert!(incident::close(&db, id, now, ("A. Nurse", "quota raised")).unwrap());
    assert!(!incident::close(&db, id, now, ("A. Nurse", "again")).unwrap());
    assert!(site.look(100_002).is_empty());
    assert_eq!(incident::timeline(&db, id).unwrap().len(), 3);
}

#[test]
fn what_a_report_says_opens_and_closes() {
    let mut site = Site::with(1);
    let up = |seconds| (counter::UPTIME_SECONDS, seconds);
    site.report(0, &[up(1000)]);
    site.look(0);
    let keyring = (counter::ALARMS, 1 << alarm::KEYRING);
    site.report(0, &[up(1015), keyring, (counter::RECEIPTS_REFUSED, 2)]);

    let open = site.look(15);
    assert_eq!(kinds(&open), ["receipts refused", "gateway"]);
    assert_eq!((open[0].count, open[1].subject.as_str()), (2, "the keyring expires"));

    site.report(0, &[up(5), (counter::UNRECEIPTED_SECONDS, 400)]);
    let open = site.look(30);
    let wanted = ["receipts refused", "late", "restart"];
    assert!(wanted.iter().all(|kind| kinds(&open).contains(kind)), "{:?}", kinds(&open));
    assert!(!kinds(&open).contains(&"gateway"));

    site.report(0, &[up(20)]);
    assert!(!kinds(&site.look(45)).contains(&"late"));
}

#[test]
fn a_report_out_of_the_backlog_says_that_the_gateway_is_there_and_nothing_else() {
    let mut site = Site::with(1);
    let late = (counter::UNRECEIPTED_SECONDS, 400);
    site.gateways[0].report(&[(counter::UPTIME_SECONDS, 1000), late]);
    site.gateways[0].report(&[(counter::UPTIME_SECONDS, 1015)]);
    let records = site.gateways[0].records_of(Lane::Health);
    assert_eq!(records.len(), 3);
    site.sink.take(&[records[0].clone(), records[2].clone()]);
    assert!(site.look(0).is_empty());

    site.sink.take(&[records[1].clone()]);

    assert!(site.look(44).is_empty());
    assert!(site.look(60).is_empty(), "it was heard a moment ago");
}
