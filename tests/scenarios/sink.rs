//! A sink in this process: the real verification, store, receipts and ledger on a real file.

use std::collections::BTreeMap;
use std::path::Path;

use cloud_sink::ledger::{self, LaneBooks, Ledger};
use cloud_sink::receipt;
use cloud_sink::store::commit::{SqlStore, create};
use cloud_sink::store::db::{Db, Location};
use cloud_sink::store::query::{StoreRegistry, enroll};
use cloud_sink::store::{Committed, Store};
use cloud_sink::verify::dispose::Verifier;
use cloud_sink::verify::keyring::Keys;
use cloud_sink::verify::{Disposed, Unsigned};
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Range, Reason, Receipt};

use crate::gateway::{Gateway, Sent};
use rig::fleet::Fleet;

/// One sink.
pub struct Sink {
    location: Location,
    verifier: Verifier<StoreRegistry>,
    store: SqlStore,
    /// Why bytes were dropped, in the order in which they came.
    pub dropped: Vec<Unsigned>,
}

/// Tables whose rows mean that something was stored.
const TABLES: [(&str, &str); 9] = [
    ("segment", "SELECT count(*) FROM segment"),
    ("evidence", "SELECT count(*) FROM evidence"),
    ("device", "SELECT count(*) FROM device"),
    ("series", "SELECT count(*) FROM series"),
    ("numeric", "SELECT count(*) FROM numeric"),
    ("block", "SELECT count(*) FROM block"),
    ("wave", "SELECT count(*) FROM wave"),
    ("note", "SELECT count(*) FROM note"),
    ("gap", "SELECT count(*) FROM gap"),
];
/// Those of them that do not hold what devices said, or what is missing.
const OF_RECORDS: [&str; 2] = ["segment", "evidence"];

fn open(fleet: &Fleet, location: &Location) -> (Verifier<StoreRegistry>, SqlStore) {
    let recipients = fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
    let registry = StoreRegistry::open(location).expect("the store opens for questions");
    let verifier = Verifier::new(registry, Keys::new(recipients, fleet.store_key));
    (verifier, SqlStore::open(location).expect("the store opens for writing"))
}

impl Sink {
    /// A sink with an empty store that knows these gateways.
    pub fn create(fleet: &Fleet, folder: &Path, gateways: &[GatewayId]) -> Self {
        Self::create_at(fleet, rig::store::fresh(folder), gateways)
    }

    /// The same, at this place.
    pub fn create_at(fleet: &Fleet, location: Location, gateways: &[GatewayId]) -> Self {
        create(&location, fleet.epoch).expect("a new store can be made");
        for gateway in gateways {
            let key = Fleet::signer(*gateway).verifying_key();
            assert!(enroll(&location, *gateway, &key).expect("the store answers"), "name taken");
        }
        Self::open(fleet, &location)
    }

    /// A sink on a store that is there.
    pub fn open(fleet: &Fleet, location: &Location) -> Self {
        let (verifier, store) = open(fleet, location);
        Self { location: location.clone(), verifier, store, dropped: Vec::new() }
    }

    /// Ends without a word and starts again: nothing that was only in memory is left.
    pub fn crash_and_start(self, fleet: &Fleet) -> Self {
        let Self { location, dropped, .. } = self;
        Self { dropped, ..Self::open(fleet, &location) }
    }

    /// Its two halves, for two threads.
    pub fn into_parts(self) -> (Verifier<StoreRegistry>, SqlStore) {
        (self.verifier, self.store)
    }

    /// Where the store is.
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// Verifies one delivery and keeps nothing.
    pub fn judge(&mut self, sent: &Sent) -> Result<Disposed, Unsigned> {
        self.verifier.dispose(sent.gateway, sent.lane, sent.bytes.clone())
    }

    /// Takes deliveries as one group, as the sink's two threads do; what the group frees from
    /// parking goes round again. Returns one commit a round.
    pub fn take(&mut self, deliveries: &[Sent]) -> Vec<Committed> {
        let mut rounds: Vec<Committed> = Vec::new();
        let mut incoming: Vec<_> =
            deliveries.iter().map(|sent| (sent.gateway, sent.lane, sent.bytes.clone())).collect();
        while !incoming.is_empty() {
            let (mut group, mut unsigned) = (Vec::new(), 0);
            for (gateway, lane, bytes) in incoming {
                match self.verifier.dispose(gateway, lane, bytes) {
                    Ok(disposed) => group.push(disposed),
                    Err(reason) => {
                        unsigned += 1;
                        self.dropped.push(reason);
                    }
                }
            }
            let committed = self.store.commit(&group).expect("the store takes a group");
            self.store.count_unsigned(unsigned).expect("the store counts");
            incoming = committed.parked.clone();
            rounds.push(committed);
        }
        rounds
    }

    /// Takes deliveries one by one, each a commit of its own.
    pub fn take_each(&mut self, deliveries: &[Sent]) -> Vec<Committed> {
        let one = |sent| self.take(std::slice::from_ref(sent));
        deliveries.iter().flat_map(one).collect()
    }

    /// Rows in every table.
    pub fn rows(&self) -> BTreeMap<&'static str, u64> {
        let db = self.db();
        let count = |(table, sql)| (table, db.one(sql, &[]).expect("the table is there"));
        TABLES.map(count).into()
    }

    /// Rows in the tables of readings.
    pub fn readings(&self) -> BTreeMap<&'static str, u64> {
        let mut rows = self.rows();
        rows.retain(|table, _| !OF_RECORDS.contains(table));
        rows
    }

    pub fn db(&self) -> Db {
        Db::open(&self.location).expect("the store opens for reading")
    }

    /// What the store says of every record.
    pub fn ledger(&self) -> Ledger {
        ledger::read(&self.db()).expect("the ledger reads")
    }

    /// The books of one lane of one gateway; all zeros if there are none.
    pub fn books(&self, gateway: GatewayId, lane: Lane) -> LaneBooks {
        let lanes = self.ledger().lanes.into_iter();
        let mine = |books: &LaneBooks| {
            (books.gateway.as_str(), books.lane.as_str()) == (gateway.as_str(), lane.name())
        };
        let mut mine = lanes.filter(mine);
        mine.next().unwrap_or_default()
    }

    /// When the readings were, and when the losses were declared, UTC nanoseconds.
    pub fn moments(&self) -> (Vec<i64>, Vec<i64>) {
        let db = self.db();
        let all = |sql| {
            let rows = db.rows(sql, &[]).expect("the store answers");
            rows.iter().map(|row| row.at(0).expect("a moment")).collect()
        };
        let losses = all("SELECT at_ns FROM note WHERE kind = 'loss' ORDER BY at_ns");
        (all("SELECT at_ns FROM reading ORDER BY at_ns"), losses)
    }

    /// Every heart rate that is stored, of any device, in the order of their times.
    pub fn heart_rates(&self) -> Vec<i64> {
        let sql = "SELECT mantissa FROM numeric JOIN series ON series.id = numeric.series
                   WHERE code = 147842 AND absent IS NULL ORDER BY at_ns, mantissa";
        let rows = self.db().rows(sql, &[]).expect("the store answers");
        rows.iter().map(|row| row.at(0).expect("mantissas are numbers")).collect()
    }
}

/// One range as a receipt says it.
pub type Fate = (SegmentId, u32, u32, Disposition, Reason);

/// All ranges of some commits, in their order.
pub fn fates(rounds: &[Committed]) -> Vec<Fate> {
    let gateways = rounds.iter().flat_map(|round| &round.gateways);
    let segments = gateways.flat_map(|signable| &signable.segments);
    let fate = |id: SegmentId, r: &Range| (id, r.first, r.last, r.disposition, r.reason);
    segments.flat_map(|(id, ranges)| ranges.iter().map(move |range| fate(*id, range))).collect()
}

/// The headers that some commits want.
pub fn wanted(rounds: &[Committed]) -> Vec<SegmentId> {
    let gateways = rounds.iter().flat_map(|round| &round.gateways);
    gateways.flat_map(|signable| signable.headers_wanted.iter().copied()).collect()
}

/// The signed receipts of some commits, verified as a gateway would.
pub fn receipts(fleet: &Fleet, rounds: &[Committed]) -> Vec<Receipt> {
    let time = cloud_sink::clock::now();
    let sign = |round| receipt::sign(round, fleet.epoch, time, &fleet.receipt);
    let signed = rounds.iter().flat_map(sign);
    let keys = &fleet.keyring.fleet.receipt_keys;
    signed.map(|one| Receipt::verify(&one.bytes, keys).expect("the sink signs well")).collect()
}

/// Hands receipts to a gateway as its line does.
pub fn settle(gateway: &mut Gateway, receipts: &[Receipt]) {
    let now = gateway.now();
    for receipt in receipts.iter().filter(|receipt| receipt.gateway == gateway.id) {
        for (segment, ranges) in &receipt.segments {
            for range in ranges {
                gateway.buffer.settle(*segment, range, &now).expect("the folder can rename");
            }
        }
    }
}
