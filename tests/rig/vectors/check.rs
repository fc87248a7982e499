//! Reads a folder of vectors back and makes everything again that is a function of its content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Map, Value, json};
use wire::batch::wave;
use wire::command::Command;
use wire::frame::{Record, RecordKind, join, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{RecordHash, SegmentId};
use wire::keyring::{self, Keyring};
use wire::link::{Challenge, SourceGap, Standing, write_gap, write_hello};
use wire::link::{DataWriter, Deframer, ENCODED_BYTES_MAX, Entries, Entry, Frame, Hello, Kind};
use wire::receipt::Receipt;
use wire::seal::{SegmentKeys, open_frame, seal_frame, unwrap_secret, verify_frame, verify_header};
use wire::segment::header_payload;
use wire::signed::{Purpose, sign, signing_key_id, verify};
use wire::status::Status;

use super::keys::Keys;
use super::{EXPECTED, SUITES, Summary, expected, read_json, reports};

/// Checks everything.
pub fn all(folder: &Path) -> Result<Summary> {
    let mut summary = Summary::default();
    for (name, suite) in SUITES {
        let mut chain = Chain::open(&folder.join(name))?;
        ensure!(chain.keys.suite == suite, "{name}: another suite");
        let files = each(&folder.join(name), |name, bytes, _| chain.file(name, bytes))?;
        summary.files += files;
        summary.frames += chain.frames;
    }
    summary.files += each(&folder.join("batch"), |_, bytes, _| batch(bytes))?;
    summary.files += each(&folder.join("link"), |_, bytes, _| link(bytes))?;
    let mut blocks: BTreeMap<String, Value> = BTreeMap::new();
    summary.files += each(&folder.join("wave"), |name, bytes, holds| {
        let value = wave_block(bytes, holds, &blocks)?;
        blocks.insert(name.to_owned(), holds["samples"].clone());
        Ok(value)
    })?;
    Ok(summary)
}

type Holds<'a> = dyn FnMut(&str, &[u8], &Value) -> Result<Value> + 'a;

/// Reads each file in the order of the names; files and `expected.json` must agree both ways.
fn each(folder: &Path, mut holds: impl FnMut(&str, &[u8], &Value) -> Result<Value>) -> Result<u64> {
    let holds: &mut Holds<'_> = &mut holds;
    let wanted: Map<String, Value> = read_json(&folder.join(EXPECTED))?;
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".bin") {
            there.insert(name);
        }
    }
    let named: BTreeSet<String> = wanted.keys().cloned().collect();
    ensure!(there == named, "{}: other files than named", folder.display());
    for (name, wanted) in &wanted {
        let path: PathBuf = folder.join(name);
        let here = || path.display().to_string();
        let bytes = fs::read(&path).with_context(here)?;
        let found = holds(name, &bytes, wanted).with_context(here)?;
        ensure!(found == *wanted, "{}: holds something else: {found}", here());
    }
    Ok(wanted.len() as u64)
}

/// What one suite's records have said so far.
struct Chain {
    keys: Keys,
    segments: BTreeMap<SegmentId, SegmentKeys>,
    heads: BTreeMap<u8, (SegmentId, u32, RecordHash)>,
    hashes: BTreeMap<(SegmentId, u32), RecordHash>,
    frames: u64,
}

impl Chain {
    fn open(folder: &Path) -> Result<Self> {
        Ok(Self {
            keys: Keys::from_json(&read_json(&folder.join("keys.json"))?)?,
            segments: BTreeMap::new(),
            heads: BTreeMap::new(),
            hashes: BTreeMap::new(),
            frames: 0,
        })
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<Value> {
        match name {
            "receipt.bin" => self.receipt(bytes),
            "keyring.bin" => self.keyring(bytes),
            "command.bin" => self.command(bytes),
            "status.bin" => self.status(bytes),
            _ => {
                let record = Record::parse(bytes)?;
                match record.kind {
                    RecordKind::Header => self.header(&record, bytes),
                    RecordKind::Frame => self.frame(&record, bytes),
                    RecordKind::Gap => self.gap(&record, bytes),
                }
            }
        }
    }

    fn link(&mut self, lane: u8, place: (SegmentId, u32), hash: RecordHash) -> Result<()> {
        self.heads.insert(lane, (place.0, place.1, hash));
        let repeated = self.hashes.insert(place, hash).is_some();
        ensure!(!repeated, "a second record in one place");
        Ok(())
    }

    /// The record follows the head of its lane in the same segment.
    fn follows(&self, lane: u8, place: (SegmentId, u32), previous: RecordHash) -> Result<()> {
        let wanted = (place.0, place.1.wrapping_sub(1), previous);
        ensure!(self.heads.get(&lane) == Some(&wanted), "the chain is broken");
        Ok(())
    }

    fn header(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<Value> {
        let key = self.keys.signer.verifying_key();
        let (header, core, wrapped) = verify_header(record, &key)?;
        let named = signing_key_id(&key);
        ensure!(header.signing_key == named && header.gateway == self.keys.gateway);
        let mut secrets = Vec::new();
        for pair in self.keys.of(header.lane) {
            secrets.push(unwrap_secret(&header, core, &wrapped, &pair.private)?);
        }
        let secret = secrets.first().context("nobody can open it")?;
        let same = |one: &wire::seal::SegmentSecret| one.as_bytes() == secret.as_bytes();
        ensure!(secrets.iter().all(same), "two recipients, two secrets");
        let head = self.heads.get(&(header.lane as u8)).copied();
        let continues = header.continues.map(|c| (c.segment, c.index, c.hash));
        ensure!(continues == head, "it does not continue its lane");
        ensure!(header.encode() == core, "another core when encoded again");
        let payload = header_payload(core, &wrapped);
        let signed = sign(&self.keys.signer, Purpose::Record, payload);
        ensure!(join(&signed, None) == bytes, "another record when signed again");
        self.segments.insert(header.segment, SegmentKeys::derive(secret, core));
        let hash = record.hash();
        self.link(header.lane as u8, (header.segment, 0), hash)?;
        Ok(expected::header(&header, &wrapped, secret, hash))
    }

    fn frame(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<Value> {
        let frame = verify_frame(record, &self.keys.signer.verifying_key())?;
        let core = frame.core;
        let keys = self.segments.get(&core.segment).context("no header")?;
        let place = (core.segment, core.index);
        self.follows(core.lane as u8, place, core.previous)?;
        let plaintext = open_frame(keys, &frame)?;
        let batch = wire::batch::decode(&plaintext)?;
        ensure!(wire::batch::encode(&batch)? == plaintext, "another batch");
        let (_, core_bytes, _) = read_frame_payload(record.payload)?;
        ensure!(core.encode() == core_bytes, "another core");
        let (again, hash) = seal_frame(keys, &self.keys.signer, &core, plaintext)?;
        ensure!(again == bytes && hash == record.hash(), "another frame");
        self.frames += 1;
        self.link(core.lane as u8, place, hash)?;
        expected::frame(&core, &batch, hash)
    }

    fn gap(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<Value> {
        let key = self.keys.signer.verifying_key();
        let gap = Gap::decode(verify(&key, Purpose::Record, record.signed)?)?;
        let place = (gap.segment, gap.index);
        self.follows(gap.lane as u8, place, gap.previous)?;
        let signed = sign(&self.keys.signer, Purpose::Record, gap.encode());
        ensure!(join(&signed, None) == bytes, "another gap");
        self.link(gap.lane as u8, place, record.hash())?;
        Ok(expected::gap(&gap, record.hash()))
    }

    fn receipt(&self, bytes: &[u8]) -> Result<Value> {
        let receipt = Receipt::verify(bytes, &[self.keys.receipt.verifying_key()])?;
        ensure!(receipt.sign(&self.keys.receipt) == bytes, "another receipt");
        for (segment, ranges) in &receipt.segments {
            for range in ranges {
                let ours = self.hashes.get(&(*segment, range.last));
                ensure!(ours == Some(&range.last_hash), "it names another record");
            }
        }
        Ok(reports::receipt(&receipt))
    }

    fn keyring(&self, bytes: &[u8]) -> Result<Value> {
        let ring = Keyring::verify(bytes, &self.keys.pinned())?;
        let signers = self.keys.roots.iter().take(self.keys.pinned().needed);
        let parts = signers.map(|key| ring.root.sign(key)).collect();
        let again = keyring::join(parts, ring.fleet.sign(&self.keys.fleet));
        ensure!(again == bytes, "another keyring");
        Ok(reports::keyring(&ring))
    }

    fn command(&self, bytes: &[u8]) -> Result<Value> {
        let command = Command::verify(bytes, &self.keys.command.verifying_key())?;
        ensure!(command.sign(&self.keys.command) == bytes, "another command");
        Ok(reports::command(&command))
    }

    fn status(&self, bytes: &[u8]) -> Result<Value> {
        let status = Status::verify(bytes, &self.keys.signer.verifying_key())?;
        ensure!(status.sign(&self.keys.signer) == bytes, "another status");
        Ok(reports::status(&status))
    }
}

fn batch(bytes: &[u8]) -> Result<Value> {
    let batch = wire::batch::decode(bytes)?;
    ensure!(wire::batch::encode(&batch)? == bytes, "another batch");
    expected::batch(&batch)
}

fn samples_of(value: &Value) -> Result<Vec<i32>> {
    let list = value.as_array().context("no list of samples")?;
    let sample = |value: &Value| Ok(i32::try_from(value.as_i64().context("no sample")?)?);
    list.iter().map(sample).collect()
}

/// The count stands outside a waveform block, so `holds` is needed to open it.
fn wave_block(bytes: &[u8], holds: &Value, before: &BTreeMap<String, Value>) -> Result<Value> {
    let leader = match holds["previous"].as_str() {
        Some(name) => Some(samples_of(before.get(name).context("no leader")?)?),
        None => None,
    };
    let count = samples_of(&holds["samples"])?.len();
    let samples = wave::decode(bytes, count, leader.as_deref())?;
    let again = wave::encode(&samples, leader.as_deref());
    ensure!(again == bytes, "another block");
    Ok(json!({ "samples": samples, "previous": holds["previous"] }))
}

fn link(bytes: &[u8]) -> Result<Value> {
    let mut deframer = Deframer::default();
    let (delimiter, none) = deframer.push(bytes);
    ensure!(delimiter == 1 && none.is_none(), "no delimiter in front");
    let (taken, frame) = deframer.push(&bytes[1..]);
    let frame = frame.context("no delimiter at the end")??;
    ensure!(taken + 1 == bytes.len(), "bytes behind the frame");
    let payload = payload_again(&frame)?;
    ensure!(payload == frame.payload, "another payload");
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = frame.encode(&mut out);
    ensure!(out[..length] == *bytes, "another frame");
    expected::link(&frame)
}

fn payload_again(frame: &Frame<'_>) -> Result<Vec<u8>> {
    let room = match frame.kind {
        Kind::Data => return data_again(Entries::read(frame.payload)?),
        Kind::Hello => {
            let hello = Hello::read(frame.payload)?;
            let about = (hello.device, hello.clock, hello.tick_exponent, hello.mode);
            let channels: Vec<_> = hello.channels().collect();
            let first = hello.channel_first;
            write_hello(about, hello.parts, hello.model, first, &channels)
        }
        Kind::Gap => write_gap(SourceGap::read(frame.payload)?),
        Kind::Standing => Standing::read(frame.payload)?.write(),
        Kind::Sealed => {
            let sealing = expected::link_sealing();
            let opened = sealing.open(frame).map_err(|_| anyhow!("not under the test key"))?;
            let again = sealing.seal(&opened.frame()).context("it cannot be sealed")?;
            return Ok(again.frame().payload.to_vec());
        }
        Kind::Query if !frame.payload.is_empty() => {
            let challenge = Challenge::read(frame.payload).context("no challenge")?;
            return Ok(challenge.write().as_slice().to_vec());
        }
        Kind::Ack | Kind::Query | Kind::Heard => return Ok(Vec::new()),
    };
    Ok(room.context("it does not fit")?.as_slice().to_vec())
}

fn data_again(entries: Entries<'_>) -> Result<Vec<u8>> {
    let mut writer = DataWriter::new(entries.time_ticks);
    for entry in entries {
        let fits = match entry {
            Entry::Numerics(numerics) => {
                let values: Vec<_> = numerics.values().collect();
                writer.numerics(numerics.channel_first, &values)
            }
            Entry::Wave(wave) => {
                let samples: Vec<_> = wave.samples().collect();
                let channels: Vec<_> = samples.chunks(wave.count).collect();
                writer.wave(wave.channel_first, wave.sample_first, wave.status, &channels)
            }
            Entry::Alert(alert) => writer.alert(&alert),
            Entry::Event(event) => writer.event(event),
            Entry::Context(token) => writer.context(token),
        };
        if !fits {
            bail!("an entry does not fit");
        }
    }
    Ok(writer.finish().as_slice().to_vec())
}
