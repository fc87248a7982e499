//! Makes a folder of vectors with the real crate.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ed25519_dalek::SigningKey;
use serde_json::json;
use wire::batch::{Batch, wave};
use wire::command::Command;
use wire::frame::{Core, Record, hash_of, join};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{BootId, Lane, RecordHash, SegmentId, StoreEpoch};
use wire::keyring::{self, FleetPart, Keyring, RootPart};
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::seal::{SegmentKeys, SegmentSecret, seal_frame, seal_header};
use wire::segment::{Continues, Found, Header, read_header_payload};
use wire::signed::{Purpose, sign, signing_key_id};
use wire::status::Status;
use wire::time::UnixNanos;

use super::keys::Keys;
use super::{Listing, SUITES, expected, links, reports, sample};

const BOOT: BootId = BootId([0xB0; 16]);
const EPOCH: StoreEpoch = StoreEpoch([0xE0; 16]);

/// Writes everything.
pub fn all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let empty = fs::read_dir(folder)?.next().is_none();
    ensure!(empty, "{} is not empty", folder.display());
    for (name, suite) in SUITES {
        records(&folder.join(name), Keys::generate(suite)?)?;
    }
    batches(&folder.join("batch"))?;
    waves(&folder.join("wave"))?;
    links::all(&folder.join("link"))
}

/// The chain of one lane in the making.
struct Chain<'a> {
    folder: PathBuf,
    keys: &'a Keys,
    listing: Listing,
    header: Option<Header>,
    segment_keys: Option<SegmentKeys>,
    head: (u32, RecordHash),
    sequence_next: u64,
    done: Vec<(SegmentId, u32, RecordHash)>,
}

impl Chain<'_> {
    fn file(&mut self, kind: &str, bytes: &[u8], holds: serde_json::Value) -> Result<()> {
        let name = format!("{:03}-{kind}.bin", self.listing.0.len());
        self.listing.add(&self.folder, name, bytes, holds)
    }

    /// Opens a segment; it continues the one before if that is of the same lane.
    fn segment(&mut self, lane: Lane, number: u8) -> Result<()> {
        let before = self.header.take().filter(|header| header.lane == lane);
        let (index, hash) = self.head;
        if before.is_none() {
            self.sequence_next = 1;
        }
        let header = Header {
            suite: self.keys.suite,
            lane,
            gateway: self.keys.gateway,
            segment: SegmentId([number; 16]),
            boot: BOOT,
            start_count: 3,
            sequence_next: self.sequence_next,
            continues: before.as_ref().map(|header| Continues {
                segment: header.segment,
                index,
                hash,
            }),
            found: before.map_or(Found::Nothing, |_| Found::WholeTail),
            signing_key: signing_key_id(&self.keys.signer.verifying_key()),
            clock: sample::clock(number.is_multiple_of(2)),
            receipt_seen: u64::from(number) * 100,
            software: "0.1.0".to_owned(),
        };
        let secret = SegmentSecret::from_bytes([number ^ 0x5A; 32]);
        let recipients: Vec<_> = self.keys.of(lane).map(|pair| pair.public.clone()).collect();
        let ephemeral = SegmentSecret::from_bytes([number ^ 0xA5; 32]);
        let (bytes, hash, keys) =
            seal_header(&header, &secret, &ephemeral, &recipients, &self.keys.signer)?;
        let (_, _, wrapped) = read_header_payload(Record::parse(&bytes)?.payload)?;
        let holds = expected::header(&header, &wrapped, &secret, hash);
        self.head = (0, hash);
        (self.header, self.segment_keys) = (Some(header), Some(keys));
        self.file("header", &bytes, holds)
    }

    fn frame(&mut self, batch: &Batch) -> Result<()> {
        let header = self.header.as_ref().context("no segment is open")?;
        let keys = self.segment_keys.as_ref().context("no segment is open")?;
        let plaintext = wire::batch::encode(batch)?;
        let index = self.head.0 + 1;
        let last = self.sequence_next + batch.readings().max(1) - 1;
        let mut core = Core {
            lane: header.lane,
            segment: header.segment,
            index,
            sequence_first: self.sequence_next,
            sequence_last: last,
            previous: self.head.1,
            content_root: [0; 32],
        };
        core.content_root = keys.content_root(index, &plaintext)?;
        let (bytes, hash) = seal_frame(keys, &self.keys.signer, &core, plaintext)?;
        self.sequence_next = last + 1;
        self.head = (index, hash);
        self.file("frame", &bytes, expected::frame(&core, batch, hash)?)
    }

    fn gap(&mut self, hole: Hole) -> Result<()> {
        let header = self.header.as_ref().context("no segment is open")?;
        let gap = Gap {
            lane: header.lane,
            segment: header.segment,
            index: self.head.0 + 1,
            previous: self.head.1,
            hole,
        };
        let signed = sign(&self.keys.signer, Purpose::Record, gap.encode());
        let hash = hash_of(&signed);
        self.head = (gap.index, hash);
        self.file("gap", &join(&signed, None), expected::gap(&gap, hash))
    }

    /// Notes how far the open segment came, for the receipt.
    fn close(&mut self) {
        let open = self.header.as_ref();
        self.done.extend(open.map(|header| (header.segment, self.head.0, self.head.1)));
    }
}

fn records(folder: &Path, keys: Keys) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("keys.json"), format!("{:#}\n", keys.to_json()))?;
    let mut chain = Chain {
        folder: folder.to_owned(),
        keys: &keys,
        listing: Listing::default(),
        header: None,
        segment_keys: None,
        head: (0, RecordHash::default()),
        sequence_next: 1,
        done: Vec::new(),
    };
    vital(&mut chain)?;
    for (lane, number, batch) in [
        (Lane::Wave, 0x30, sample::waves()),
        (Lane::Alert, 0x40, sample::notes()),
        (Lane::Health, 0x50, sample::health()),
    ] {
        chain.segment(lane, number)?;
        chain.frame(&batch)?;
        chain.close();
    }
    signed_documents(&mut chain)?;
    chain.listing.close(folder)
}

/// Two segments: three frames with two gaps between them, then one frame.
fn vital(chain: &mut Chain<'_>) -> Result<()> {
    chain.segment(Lane::Vital, 0x10)?;
    chain.frame(&sample::numerics())?;
    let before = chain.head.1;
    chain.gap(Hole {
        segment: Some(SegmentId([0x0F; 16])),
        indexes: (17, 40),
        sequences: Some((900, 1899)),
        readings: (1000, 1000),
        moments: Some((UnixNanos(-1), UnixNanos(1_767_225_000_000_000_000))),
        cause: Cause::Evicted,
        before: Some(before),
        after: None,
    })?;
    chain.frame(&sample::notes())?;
    chain.gap(Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (0, 256),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    })?;
    chain.frame(&sample::extremes())?;
    chain.close();
    chain.segment(Lane::Vital, 0x11)?;
    chain.frame(&sample::numerics())?;
    chain.close();
    Ok(())
}

fn signed_documents(chain: &mut Chain<'_>) -> Result<()> {
    let (folder, keys) = (chain.folder.clone(), chain.keys);
    let receipt = receipt(keys, &chain.done);
    let bytes = receipt.sign(&keys.receipt);
    let mut add = |name: &str, bytes: &[u8], holds| {
        chain.listing.add(&folder, format!("{name}.bin"), bytes, holds)
    };
    add("receipt", &bytes, reports::receipt(&receipt))?;
    let (ring, bytes) = ring(keys);
    add("keyring", &bytes, reports::keyring(&ring))?;
    let command = Command {
        gateway: keys.gateway,
        boot: BOOT,
        number: 12,
        action: 3,
        argument: vec![0x82, 0x01, 0x61, 0x61],
    };
    let bytes = command.sign(&keys.command);
    add("command", &bytes, reports::command(&command))?;
    let status = Status { boot: BOOT, start_count: 3, online: false };
    add("status", &status.sign(&keys.signer), reports::status(&status))
}

fn receipt(keys: &Keys, done: &[(SegmentId, u32, RecordHash)]) -> Receipt {
    let fates = [
        (Disposition::Stored, Reason::None),
        (Disposition::Stored, Reason::None),
        (Disposition::Held, Reason::NoKey),
        (Disposition::Refused, Reason::Content),
        (Disposition::Held, Reason::NoKey),
    ];
    let segment = |((id, last, last_hash), (disposition, reason)): (&(_, u32, _), _)| {
        let range = Range { first: 0, last: *last, disposition, reason, last_hash: *last_hash };
        (*id, vec![range])
    };
    Receipt {
        gateway: keys.gateway,
        store_epoch: EPOCH,
        commit: 1 << 40,
        sink_time: UnixNanos(1_767_225_601_000_000_000),
        segments: done.iter().zip(fates).map(segment).collect(),
        headers_wanted: vec![SegmentId([0x77; 16])],
    }
}

fn ring(keys: &Keys) -> (Keyring, Vec<u8>) {
    let list = |recovery: bool| {
        let wanted = keys.pairs.iter().filter(move |p| p.recovery == recovery);
        wanted.map(|pair| (pair.audience, pair.public.clone())).collect()
    };
    let root = RootPart {
        version: 2,
        expires: UnixNanos(1_798_761_600_000_000_000),
        fleet_key: keys.fleet.verifying_key(),
        recovery: list(true),
    };
    let fleet = FleetPart {
        version: 9,
        recipients: list(false),
        receipt_keys: vec![keys.receipt.verifying_key()],
        command_key: keys.command.verifying_key(),
        formats: (1, 1),
        store_epoch: EPOCH,
    };
    let signers = keys.roots.iter().take(keys.pinned().needed);
    let parts = signers.map(|key: &SigningKey| root.sign(key)).collect();
    let bytes = keyring::join(parts, fleet.sign(&keys.fleet));
    (Keyring { root, fleet }, bytes)
}

fn batches(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut listing = Listing::default();
    for (name, batch) in [
        ("00-empty.bin", sample::empty()),
        ("01-numerics.bin", sample::numerics()),
        ("02-extremes.bin", sample::extremes()),
        ("03-waves.bin", sample::waves()),
        ("04-notes.bin", sample::notes()),
        ("05-health.bin", sample::health()),
    ] {
        let bytes = wire::batch::encode(&batch)?;
        listing.add(folder, name.to_owned(), &bytes, expected::batch(&batch)?)?;
    }
    listing.close(folder)
}

fn waves(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut listing = Listing::default();
    let mut before: Option<(String, Vec<i32>)> = None;
    for (name, samples, led, method) in sample::wave_blocks() {
        let name = format!("{name}.bin");
        let leader = before.take().filter(|_| led);
        let bytes = wave::encode(&samples, leader.as_ref().map(|one| one.1.as_slice()));
        ensure!(bytes[0] == method, "{name}: method {}", bytes[0]);
        let holds = json!({ "samples": samples, "previous": leader.map(|one| one.0) });
        listing.add(folder, name.clone(), &bytes, holds)?;
        before = Some((name, samples));
    }
    listing.close(folder)
}
