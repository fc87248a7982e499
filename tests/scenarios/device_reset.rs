//! P1 at the bedside: what a device held when it lost its power is declared, over restarts of the
//! gateway and for runs that nobody heard.

use std::path::Path;

use agent::intake::Registry;
use agent::intake::link::Session;
use agent::line::Resets;
use firmware_shim::about::About;
use firmware_shim::ring::Class;
use firmware_shim::sender::Sender;
use rig::fleet::{Fleet, named};
use tempfile::tempdir;
use tokio::sync::mpsc;
use wire::identity::{DeviceId, GatewayId};
use wire::link::DataWriter;
use wire::reading::{Channel, ChannelKind, Mode};
use wire::segment::Suite;
use wire::time::MonotonicNanos;

use crate::gateway::Gateway;
use crate::gateway_line::line_of;
use crate::sink::Sink;

/// Bytes of the ring; of readings that take ten bytes at least it holds forty.
const RING_BYTES: usize = 400;
const CAPACITY: i64 = 40;
const CHANNEL: Channel<'static> = Channel {
    code: 150_344,
    unit: 268_192,
    kind: ChannelKind::Numeric { exponent: -1 },
    label: "",
    unit_label: "",
};

/// All that a device says that begins a run and takes so many readings.
fn said(boot: u32, is_counted: bool, readings: i64) -> Vec<u8> {
    let (device, mode) = (DeviceId(1), Mode::Demo);
    let channels = &[CHANNEL];
    let about = About { device, model: "x", firmware: "1", is_counted, mode, channels };
    let mut sender = Sender::<RING_BYTES>::new(about, boot, 0);
    for time in 0..readings {
        let mut writer = DataWriter::new(time);
        assert!(writer.numerics(0, &[Ok(365)]));
        assert!(sender.ring.push(Class::Vital, 1, writer.finish().as_slice()).is_some());
    }
    let mut bytes = [0; 1024];
    let mut room = &mut bytes[..];
    while sender.send(&mut room, 0).unwrap() {}
    let left = room.len();
    bytes[..bytes.len() - left].to_vec()
}

struct Site {
    fleet: Fleet,
    id: GatewayId,
}

impl Site {
    fn new() -> Self {
        Self { fleet: Fleet::new(Suite::X25519), id: named("gw-1") }
    }

    /// One life of the gateway, ended by SIGKILL, in which devices say this.
    fn live(&self, folder: &Path, words: &[Vec<u8>]) {
        let gateway = Gateway::start(&self.fleet, self.id, &folder.join("buffer"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (events, _broker) = mpsc::channel(256);
            let mut line = line_of(&self.fleet, gateway, folder.to_owned(), events);
            line.resets = Resets::kept(folder.join("devices"));
            let mut session = Session::new(Registry::default());
            for words in words {
                let (chunks, mut heard) = mpsc::channel(16);
                session.push(words, MonotonicNanos(1), &chunks).await.unwrap();
                while let Ok(chunk) = heard.try_recv() {
                    line.hear(&chunk);
                }
                line.turn(true);
            }
        });
    }

    /// Readings that are stored, runs that ended, and readings that were declared lost with them.
    fn stored(&self, folder: &Path) -> (i64, Vec<i64>, i64) {
        let mut gateway = Gateway::start(&self.fleet, self.id, &folder.join("buffer"));
        let mut sink = Sink::create(&self.fleet, folder, &[self.id]);
        sink.take_each(&gateway.records());
        let db = sink.db();
        let number = |sql| db.one::<i64>(sql, &[]).unwrap();
        let ended = "SELECT boot FROM said WHERE last = 4294967296 ORDER BY boot";
        let ended = db.rows(ended, &[]).unwrap();
        let lost = "SELECT CAST(sum(value) AS BIGINT) FROM note WHERE kind = 'loss' AND code = 65";
        (
            number("SELECT count(*) FROM numeric"),
            ended.iter().map(|row| row.at(0).unwrap()).collect(),
            number(lost),
        )
    }
}

#[test]
fn what_a_device_held_when_its_run_ended_is_declared_once_for_each_run() {
    let (site, folder) = (Site::new(), tempdir().unwrap());
    site.live(folder.path(), &[said(7, true, 3), said(7, true, 3)]);
    site.live(folder.path(), &[said(7, true, 4), said(10, true, 2)]);
    site.live(folder.path(), &[said(10, true, 2)]);
    site.live(folder.path(), &[said(11, true, 1), said(10, true, 2)]);

    let (stored, ended, lost) = site.stored(folder.path());

    assert_eq!(stored, 3 + 1 + 2 + 1);
    // Runs 8 and 9 were never heard; run 10 came again after run 11, which had then ended.
    assert_eq!((ended, lost), (vec![7, 8, 9, 10, 11], 5 * CAPACITY));
}

#[test]
fn runs_without_a_count_are_declared_one_by_one() {
    let (site, folder) = (Site::new(), tempdir().unwrap());
    site.live(folder.path(), &[said(7, false, 1), said(900, false, 1)]);
    assert_eq!(site.stored(folder.path()), (2, vec![7], CAPACITY));
}
