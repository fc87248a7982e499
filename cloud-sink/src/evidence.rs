//! Evidence: one file about one device and time that anybody can check without us. Its shape stands
//! in docs/evidence.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::identity::{DeviceId, GatewayId, RecordHash, SegmentId, StoreEpoch};
use wire::limits::RECEIPT_RANGES_MAX;
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::signed::{Purpose, sign};
use wire::time::UnixNanos;

use crate::keys::{KeyFolder, hex};
use crate::store::db::{Db, values};
use crate::trust::keyring;
use crate::verify::keyring::Keys;

mod records;

mod story;

use records::Record;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The device.
    pub device: DeviceId,
    /// From this moment on, UTC nanoseconds.
    pub from_ns: i64,
    /// Before this moment.
    pub to_ns: i64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Records, those of other devices included.
    pub records: usize,
    /// Blocks in the clear.
    pub blocks: usize,
    /// Records whose bytes retention or erasure has taken.
    pub disposed: usize,
}

/// The file while it grows: each line's hash is kept for the seal.
struct Bundle<W> {
    out: W,
    hashes: Vec<[u8; 32]>,
}

impl<W: Write> Bundle<W> {
    fn line(&mut self, value: &Value) -> anyhow::Result<()> {
        let text = serde_json::to_string(value)?;
        self.hashes.push(Sha256::digest(text.as_bytes()).into());
        writeln!(self.out, "{text}")?;
        Ok(())
    }
}

/// Writes a bundle.
///
/// Cost:   memory of the hashes of all lines and of one segment's records.
///
/// # Errors
/// The store does not answer, a key is missing, or nothing can be written.
pub fn write(
    db: &Db,
    keys: &KeyFolder,
    wanted: Wanted,
    out: impl Write,
) -> anyhow::Result<Written> {
    let mut bundle = Bundle { out, hashes: Vec::new() };
    let epoch: [u8; 16] = db.store_epoch()?;
    bundle.line(&json!({
        "is": "request", "schema": 1, "device": wanted.device.to_string(),
        "from_ns": wanted.from_ns, "to_ns": wanted.to_ns, "store_epoch": hex(&epoch),
        "software": env!("CARGO_PKG_VERSION"),
    }))?;
    let roots = keyring::first_roots(keys)?;
    let of_roots: Vec<_> = roots.keys.iter().map(|key| hex(key.as_bytes())).collect();
    bundle.line(&json!({ "is": "roots", "needed": roots.needed, "keys": of_roots }))?;
    for line in story::keyrings(db, keys)? {
        bundle.line(&line)?;
    }
    let places = records::places(db, wanted)?;
    let gateways: BTreeSet<i64> = places.iter().map(|place| place.gateway.0).collect();
    for line in story::gateways(db, &gateways)? {
        bundle.line(&line)?;
    }
    let opener = Keys::new(keys.recipients()?, keys.store_key()?);
    let (written, receipts) = write_records(db, &mut bundle, wanted, places, opener)?;
    for line in story::times(db, &gateways, wanted)? {
        bundle.line(&line)?;
    }
    let key = keys.signing("receipt.key")?;
    for receipt in receipts.sign(StoreEpoch(epoch), &key) {
        bundle.line(&json!({ "is": "receipt", "bytes": hex(&receipt) }))?;
    }
    let around = [
        story::disposals(db, wanted)?,
        story::audit(db, wanted)?,
        story::trails(db, &gateways, wanted)?,
    ];
    for line in around.into_iter().flatten() {
        bundle.line(&line)?;
    }
    seal(bundle, &key)?;
    Ok(written)
}

fn seal<W: Write>(mut bundle: Bundle<W>, key: &SigningKey) -> anyhow::Result<()> {
    let signed = sign(key, Purpose::Evidence, bundle.hashes.concat());
    let hashes: Vec<_> = bundle.hashes.iter().map(|hash| hex(hash)).collect();
    let seal = json!({
        "is": "seal", "hashes": hashes, "key": hex(key.verifying_key().as_bytes()),
        "signed": hex(&signed),
    });
    writeln!(bundle.out, "{}", serde_json::to_string(&seal)?)?;
    bundle.out.flush().context("the bundle is not whole")
}

fn write_records<W: Write>(
    db: &Db,
    bundle: &mut Bundle<W>,
    wanted: Wanted,
    places: Vec<records::Place>,
    mut opener: Keys,
) -> anyhow::Result<(Written, Receipts)> {
    let (mut written, mut receipts) = (Written::default(), Receipts::default());
    for place in places {
        for record in records::of(db, &place)? {
            bundle.line(&record.line(&place))?;
            written.records += 1;
            written.disposed += usize::from(record.is_disposed());
            receipts.cover(&place, &record);
            for line in record.blocks(&place, wanted.device, &mut opener)? {
                bundle.line(&line)?;
                written.blocks += 1;
            }
        }
    }
    Ok((written, receipts))
}

/// What is signed for, by gateway and segment.
#[derive(Default)]
struct Receipts {
    of: BTreeMap<GatewayId, Vec<(SegmentId, Range)>>,
    newest: (i64, i64),
}

impl Receipts {
    /// A record joins the range before it if it follows from it.
    fn cover(&mut self, place: &records::Place, record: &Record) {
        let Some(disposition) = Disposition::from_number(record.disposition) else { return };
        let reason = Reason::from_number(record.reason).unwrap_or(Reason::None);
        self.newest = self.newest.max((record.id, record.received_ns));
        let hash = RecordHash(record.hash);
        let ranges = self.of.entry(place.gateway.1).or_default();
        if let Some((segment, last)) = ranges.last_mut()
            && *segment == place.segment
            && last.last + 1 == record.index
            && record.previous == Some(last.last_hash.0)
            && (last.disposition, last.reason) == (disposition, reason)
        {
            (last.last, last.last_hash) = (record.index, hash);
            return;
        }
        let (first, last) = (record.index, record.index);
        let range = Range { first, last, disposition, reason, last_hash: hash };
        ranges.push((place.segment, range));
    }

    fn sign(self, store_epoch: StoreEpoch, key: &SigningKey) -> Vec<Vec<u8>> {
        let (commit, sink_time) = (self.newest.0.cast_unsigned(), UnixNanos(self.newest.1));
        let mut signed = Vec::new();
        for (gateway, ranges) in self.of {
            for part in ranges.chunks(RECEIPT_RANGES_MAX) {
                let segments = part.iter().map(|(segment, range)| (*segment, vec![*range]));
                let receipt = Receipt {
                    gateway,
                    store_epoch,
                    commit,
                    sink_time,
                    segments: segments.collect(),
                    headers_wanted: Vec::new(),
                };
                signed.push(receipt.sign(key));
            }
        }
        signed
    }
}

/// The store's number of a device.
fn device_row(db: &Db, device: DeviceId) -> anyhow::Result<i64> {
    let row = db.row("SELECT id FROM device WHERE eui = ?1", values![&device.to_string()])?;
    let row = row.with_context(|| format!("no reading of device {device} has come"))?;
    Ok(row.at(0)?)
}
