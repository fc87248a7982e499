//! Where a corpus begins: good inputs, from the committed vectors and from the encoders.

use std::fs;
use std::path::Path;

use agent::config::TEMPLATE;
use rig::fleet::{Fleet, named};
use rig::targets::{Chunk, Entry, encode_folder, keyring_keys};
use wire::batch::{self, Batch};
use wire::frame::{Core, Record, hash_of, join, payload_of};
use wire::gap::{Cause, Gap, Hole};
use wire::identity::{BootId, Lane, RecordHash, SegmentId};
use wire::keyring::{FleetPart, RootPart};
use wire::seal::{SegmentSecret, seal_frame, seal_header};
use wire::segment::{Continues, Found, Header, Suite};
use wire::signed::{Purpose, sign, signing_key_id};

use crate::gateway::clock;

type Seeds = Vec<(String, Vec<u8>)>;

/// Good inputs of a target.
pub fn of(target: &str) -> Seeds {
    match target {
        "link" => link(),
        "strict" | "batch" => vectors("batch", ""),
        "record" => vectors("suite2", "-"),
        "frame" => payloads("-frame"),
        "header" => payloads("-header"),
        "gap" => payloads("-gap"),
        "receipt" => signed("receipt"),
        "keyring" => keyrings(),
        "reports" => reports(),
        "config" => configs(),
        "wfdb" => headers_of_recordings(),
        "recovery" => folders(),
        _ => Vec::new(),
    }
}

/// Files of one folder of the committed vectors.
fn vectors(folder: &str, letters: &str) -> Seeds {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/v1").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &std::path::PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".bin") && path.file_name().unwrap().to_string_lossy().contains(letters)
    };
    let mut seeds: Seeds = entries
        .filter(wanted)
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

fn link() -> Seeds {
    let frames = vectors("link", "");
    let stream: Vec<u8> = frames.iter().flat_map(|(_, frame)| frame.clone()).collect();
    let mut seeds = vec![("stream".to_owned(), stream)];
    seeds.extend(frames);
    seeds
}

/// What the records of this kind have under their signatures.
fn payloads(kind: &str) -> Seeds {
    let records = vectors("suite2", kind).into_iter();
    let payload = |bytes: Vec<u8>| Record::parse(&bytes).unwrap().payload.to_vec();
    records.map(|(name, bytes)| (name, payload(bytes))).collect()
}

/// A signed document, and what is under its signature.
fn signed(name: &str) -> Seeds {
    let mut seeds = vectors("suite2", name);
    let payload = payload_of(&seeds[0].1).unwrap().to_vec();
    seeds.push((format!("{name}-payload"), payload));
    seeds
}

fn keyrings() -> Seeds {
    let (root, signer) = keyring_keys();
    let fleet = Fleet::new(Suite::X25519);
    let root_part = RootPart {
        fleet_key: signer.verifying_key(),
        recovery: fleet.keyring.fleet.recipients.clone(),
        ..fleet.keyring.root
    };
    let root_part = root_part.sign(&root);
    let fleet_part = FleetPart::sign(&fleet.keyring.fleet, &signer);
    let parts = [payload_of(&root_part).unwrap(), payload_of(&fleet_part).unwrap()];
    let length = (parts[0].len() as u16).to_be_bytes();
    let whole = wire::keyring::join(vec![root_part.clone()], fleet_part.clone());
    vec![("parts".into(), [&length[..], parts[0], parts[1]].concat()), ("document".into(), whole)]
}

fn reports() -> Seeds {
    let mut seeds = [signed("command"), signed("status")].concat();
    let words = ["wardline/v1/gw-1/vital", "wardline/v1/gw-1/receipt", "wardline/v1/keyring"];
    seeds
        .extend(words.iter().enumerate().map(|(at, word)| (format!("topic-{at}"), (*word).into())));
    let health = wire::status::HealthReport {
        lanes: Vec::new(),
        devices: Vec::new(),
        counters: vec![(1, 2), (3, u64::MAX)],
        software: "0.1.0".into(),
    };
    seeds.push(("health".into(), health.encode()));
    seeds
}

fn configs() -> Seeds {
    let whole = TEMPLATE.replace("@GATEWAY@", "gw-1").replace("@HOST@", "localhost");
    let lines = whole.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let plain = lines.collect::<Vec<_>>().join("\n");
    let small = "[gateway]\nid = \"a\"\nstate = \"s\"\n[broker]\nhost = \"b\"\n";
    let ports = "[intake]\nunix = [\"a\"]\ntcp = [\"127.0.0.1:1\"]\n[[intake.serial]]\n\
                 path = \"/dev/ttyUSB0\"\nbaud = 9600\n";
    let wrong = "[gateway]\nid = \"A\"\nstat = 1\n";
    let all = [
        ("plain", plain),
        ("small", small.into()),
        ("ports", format!("{small}{ports}")),
        ("wrong", wrong.into()),
    ];
    all.map(|(name, text)| (name.into(), text.into_bytes())).into()
}

fn headers_of_recordings() -> Seeds {
    let single = "100 2 360 650000 0:0:0 0/0/0\n100.dat 212 200 11 1024 995 -22131 0 MLII\n\
                  100.dat 212 200 11 1024 1011 20052 0 V5\n# 69 M 1085 1629 x1\n";
    let rich = "a/1 2 250/125(10) 1000 12:30:15.5 01/02/2003\n\
                a.dat 16x2:3+24 200(1024)/mV 12 0 0 0 0 ECG lead\n~ 0 1/NU\n";
    let master = "m/3 2 125 300\nm_0001 100\n~ 100\nm_0002 100\n";
    let all = [("single", single), ("rich", rich), ("master", master), ("empty", "")];
    all.map(|(name, text)| (name.into(), text.as_bytes().to_vec())).into()
}

/// A chain of segments as it is on a disk.
struct Chain {
    fleet: Fleet,
    last: Option<(SegmentId, u32, RecordHash)>,
    sequence: u64,
}

impl Chain {
    /// A segment with three frames and a gap.
    fn segment(&mut self, number: u8, lane: Lane) -> Entry {
        let signer = Fleet::signer(named("gw-1"));
        let segment = SegmentId([number; 16]);
        let continues = self.last.map(|(segment, index, hash)| Continues { segment, index, hash });
        let header = Header {
            suite: Suite::X25519,
            lane,
            gateway: named("gw-1"),
            segment,
            boot: BootId([1; 16]),
            start_count: number.into(),
            sequence_next: self.sequence,
            continues,
            found: Found::Nothing,
            signing_key: signing_key_id(&signer.verifying_key()),
            clock: clock(number.into()),
            receipt_seen: 0,
            software: "0.1.0".into(),
        };
        let secret = SegmentSecret::from_bytes([number; 32]);
        let recipients = self.fleet.keyring.recipients(lane, Suite::X25519);
        let (bytes, hash, keys) =
            seal_header(&header, &secret, &secret, &recipients, &signer).unwrap();
        let mut chunks = vec![chunk(0, 0, bytes.clone()), chunk(0, 120 * 1024, bytes)];
        let (mut at, mut previous) = (8 * 1024, hash);
        for index in 1..=4 {
            let (bytes, hash) = if index == 3 {
                let gap = Gap { lane, segment, index, previous, hole: hole() };
                let signed = sign(&signer, Purpose::Record, gap.encode());
                (join(&signed, None), hash_of(&signed))
            } else {
                let (first, content_root) = (self.sequence, [0; 32]);
                self.sequence += 2;
                let (sequence_first, sequence_last) = (first, first + 1);
                let core = Core {
                    lane,
                    segment,
                    index,
                    sequence_first,
                    sequence_last,
                    previous,
                    content_root,
                };
                let empty = Batch { clock: clock(1), shapes: Vec::new(), blocks: Vec::new() };
                seal_frame(&keys, &signer, &core, batch::encode(&empty).unwrap()).unwrap()
            };
            let length = (16 + bytes.len() as u32).div_ceil(8) * 8;
            chunks.push(chunk(index as u8, at, bytes));
            (at, previous) = (at + length, hash);
        }
        self.last = Some((segment, 4, previous));
        let lane = lane as u8;
        Entry { name: 0, ordinal: number, lane, segment: number, pages: 64, chunks }
    }
}

fn chunk(record: u8, offset: u32, bytes: Vec<u8>) -> Chunk {
    Chunk { record: Some(record), offset, bytes }
}

fn hole() -> Hole {
    Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (1, 5),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    }
}

fn folders() -> Seeds {
    let fleet = Fleet::new(Suite::X25519);
    let mut chain = Chain { fleet, last: None, sequence: 1 };
    let whole: Vec<Entry> = (1..=3).map(|number| chain.segment(number, Lane::Vital)).collect();
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = whole.clone();
        change(&mut entries);
        encode_folder(&entries)
    };
    let plain = Entry { name: 3, ordinal: 9, lane: 0, segment: 0, pages: 64, chunks: Vec::new() };
    vec![
        ("nothing".into(), Vec::new()),
        ("whole".into(), encode_folder(&whole)),
        ("finished".into(), with(&|entries| entries[0].name = 1)),
        ("abandoned".into(), with(&|entries| (entries[1].name, entries[1].pages) = (2, 2))),
        ("headless".into(), with(&|entries| drop(entries[1].chunks.drain(..2)))),
        ("hole".into(), with(&|entries| drop(entries[1].chunks.remove(3)))),
        ("endless".into(), with(&|entries| drop(entries[0].chunks.pop()))),
        ("twins".into(), with(&|entries| entries[2].ordinal = 2)),
        (
            "spares".into(),
            with(&|entries| entries.extend([plain.clone(), Entry { name: 4, ..plain.clone() }])),
        ),
    ]
}
