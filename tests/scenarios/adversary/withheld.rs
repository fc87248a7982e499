//! The end of a lane does not come, while everything else of its gateway does.

use cloud_sink::incident::{self, Incident};
use wire::identity::Lane;
use wire::receipt::{Disposition, Receipt};
use wire::status::{HealthReport, counter};
use wire::time::UnixNanos;

use super::{site, whole};
use crate::device::{monitor, numerics};
use crate::gateway::Sent;
use crate::sink::{receipts, settle};
use crate::site::Site;

/// A report is due each 15 seconds.
const EVERY: i64 = 15;

impl Site {
    /// The sink takes records, and the gateway gets its receipts.
    fn take(&mut self, records: &[Sent]) {
        let rounds = self.sink.take(records);
        settle(&mut self.gateway, &receipts(&self.fleet, &rounds));
    }

    /// The gateway reports where its lanes stand, and the sink looks at that second: what is open.
    fn report(&mut self, second: i64) -> Vec<Incident> {
        let lanes = Lane::ALL.map(|lane| self.gateway.buffer.lane_health(lane)).into();
        let counters = vec![(counter::UPTIME_SECONDS, 1000 + second.unsigned_abs())];
        self.gateway.report_all(&HealthReport { lanes, counters, ..HealthReport::default() });
        let reports = self.gateway.records_of(Lane::Health);
        self.take(&reports);
        let db = self.sink.db();
        let now = UnixNanos((1_800_000_000 + second) * 1_000_000_000);
        incident::look(&db, now).unwrap();
        incident::list(&db, false).unwrap()
    }

    /// The same each 15 seconds; when something is open first, and what.
    fn report_each(&mut self, seconds: std::ops::RangeInclusive<i64>) -> Option<(i64, Incident)> {
        seconds.step_by(EVERY as usize).find_map(|second| {
            let open = self.report(second);
            open.into_iter().next().map(|incident| (second, incident))
        })
    }
}

#[test]
fn withheld_end_of_a_lane_is_told_after_ten_minutes_and_until_it_has_come() {
    let mut site = site();
    let records = site.gateway.records();
    let (last, others) = records.split_last().unwrap();
    site.take(others);

    let told = site.report_each(0..=900);
    site.gateway.hear_each(&monitor(1, 7), 5..=5, numerics);
    let still = site.report(915);
    let newer = site.gateway.records_of(Lane::Vital).pop().unwrap();
    site.take(&[newer]);
    let over = site.report(930);
    site.take(std::slice::from_ref(last));

    let (second, incident) = told.expect("nobody is told");
    assert_eq!((second, incident.kind, incident.subject.as_str()), (600, "withheld", "vital"));
    assert!(incident.words.contains("nothing of lane vital has come since"), "{incident:?}");
    assert_eq!(still.len(), 1, "{still:?}");
    assert!(over.is_empty(), "its head has come, and the one before is a hole: {over:?}");
    assert_eq!(site.sink.heart_rates(), [61, 62, 63, 64, 65]);
}

/// Whoever has a receipt key signs for what he holds back; the reports give it away.
#[test]
fn withheld_end_that_a_stolen_receipt_key_has_signed_for_is_told_all_the_same() {
    let mut site = site();
    let records = site.gateway.records();
    let (last, others) = records.split_last().unwrap();
    site.take(others);
    let forged = Receipt {
        gateway: site.gateway.id,
        store_epoch: site.fleet.epoch,
        commit: 9,
        sink_time: UnixNanos(1),
        segments: vec![(last.segment, vec![whole(last, Disposition::Stored)])],
        headers_wanted: Vec::new(),
    };
    settle(&mut site.gateway, &[forged]);
    assert_eq!(site.gateway.buffer.lane_health(Lane::Vital).oldest_unreceipted, None);

    let told = site.report_each(0..=900);

    let told = told.map(|(second, incident)| (second, incident.kind));
    assert_eq!(told, Some((600, "withheld")));
}

#[test]
fn withheld_is_nothing_that_a_link_keeps_back_for_all_lanes_or_lets_through_late() {
    let mut site = site();
    let records = site.gateway.records();
    site.take(&records[..2]);

    let before = site.report_each(0..=585);
    let after = site.report_each(4000..=4585);
    site.take(&records[2..3]);
    let drains = site.report_each(4600..=5180);
    site.take(&records[3..]);
    let through = site.report_each(5195..=6000);

    for told in [before, after, drains, through] {
        assert!(told.is_none(), "{told:?}");
    }
}
