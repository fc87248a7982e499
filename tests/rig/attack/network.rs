//! Whoever holds the network, the broker or a cable: no key, but every byte that goes by.

use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agent::intake::Registry;
use agent::intake::admission::Admission;
use agent::intake::complaints::Complaint;
use agent::intake::link::Session;
use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;
use wire::frame::{Record, join};
use wire::identity::{BootId, DeviceId, Lane};
use wire::link::{DataWriter, ENCODED_BYTES_MAX, Frame, Kind, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::signed::{Purpose, sign};
use wire::status::Status;
use wire::time::{DeviceClock, MonotonicNanos};

use super::scene::{Scene, Sent};
use super::{Outcome, demand, words};

/// Of so many bits of a frame, one is flipped; the scenarios flip all of them.
const FLIP_EVERY: usize = 101;

pub fn flips_bits(scene: &mut Scene) -> Outcome {
    let frame = scene.one.records().swap_remove(1);
    let flip = |bit: usize| {
        let mut bad = frame.clone();
        bad.bytes[bit / 8] ^= 1 << (bit % 8);
        bad
    };
    let bad: Vec<Sent> = (0..frame.bytes.len() * 8).step_by(FLIP_EVERY).map(flip).collect();
    let said = scene.refuse(&bad)?;
    Ok(format!("{} of {} refused, the last: {said}", bad.len(), bad.len()))
}

pub fn cuts_short(scene: &mut Scene) -> Outcome {
    let frame = scene.one.records().swap_remove(1);
    let cut = |length: usize| Sent { bytes: frame.bytes[..length].to_vec(), ..frame.clone() };
    let whole = frame.bytes.len();
    scene.refuse(&[0, 1, whole / 2, whole - 1].map(cut))
}

pub fn splices(scene: &mut Scene) -> Outcome {
    let records = scene.one.records();
    let [_, one, other, ..] = &records[..] else { return Err("too few records".into()) };
    let signed = Record::parse(&one.bytes).map_err(words)?.signed;
    let ciphertext = Record::parse(&other.bytes).map_err(words)?.ciphertext;
    let bytes = join(signed, Some(ciphertext));
    scene.refuse(&[Sent { bytes, ..one.clone() }])
}

pub fn moves_lane(scene: &mut Scene) -> Outcome {
    let records = scene.one.records().into_iter();
    let moved: Vec<Sent> = records.map(|sent| Sent { lane: Lane::Wave, ..sent }).collect();
    scene.refuse(&moved)
}

pub fn moves_gateway(scene: &mut Scene) -> Outcome {
    let other = scene.robbed.id;
    let records = scene.one.records().into_iter();
    let moved: Vec<Sent> = records.map(|sent| Sent { gateway: other, ..sent }).collect();
    scene.refuse(&moved)
}

pub fn signs_as_stranger(scene: &mut Scene) -> Outcome {
    let frame = scene.one.records().swap_remove(1);
    let record = Record::parse(&frame.bytes).map_err(words)?;
    let stranger = SigningKey::from_bytes(&[0x77; 32]);
    let signed = sign(&stranger, Purpose::Record, record.payload.to_vec());
    let bytes = join(&signed, Some(record.ciphertext));
    scene.refuse(&[Sent { bytes, ..frame.clone() }])
}

/// The record is late in the end, as it would be once the gateway offers it again.
pub fn takes_one_out(scene: &mut Scene) -> Outcome {
    let mut records = scene.one.records();
    let gone = records.remove(2);
    let id = gone.gateway;
    scene.take(&records)?;
    let books = scene.books(id)?;
    demand((books.missing, books.waiting) == (1, 1), format!("nothing is missing: {books:?}"))?;
    demand(scene.one.records().len() == records.len() + 1, "the gateway has forgotten it")?;
    scene.take(&[gone])?;
    let after = scene.books(id)?;
    demand((after.missing, after.waiting) == (0, 0), format!("it is still missing: {after:?}"))?;
    Ok("1 record missing, its follower waiting; the gateway still owes it".into())
}

pub fn replays(scene: &mut Scene) -> Outcome {
    let records = scene.one.records();
    scene.take(&records)?;
    let (stored, before) = (scene.stored()?, scene.books(scene.one.id)?);
    scene.take(&records)?;
    let after = scene.books(scene.one.id)?;
    demand(scene.stored()? == stored, "a reading is stored twice")?;
    demand(after.present == before.present, "a record is kept twice")?;
    let double = after.double - before.double;
    demand(double == records.len() as u64, format!("{double} of {} are double", records.len()))?;
    Ok(format!("{double} double, {} present as before", after.present))
}

/// Nobody judges a silence by a status; and this one is not even the gateway's.
pub fn says_status(scene: &mut Scene) -> Outcome {
    let stranger = SigningKey::from_bytes(&[0x77; 32]);
    let status = Status { boot: BootId([0xB0; 16]), start_count: 1, online: true }.sign(&stranger);
    match Status::verify(&status, &scene.one.signer.verifying_key()) {
        Ok(_) => Err("it is believed".into()),
        Err(error) => Ok(error.to_string()),
    }
}

fn encoded(kind: Kind, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot: 1, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

pub fn speaks_as_device(scene: &mut Scene) -> Outcome {
    let admission = Admission::by_keys(&scene.one.card, false);
    let registry = Registry::admitting(admission, NonZeroU64::MAX);
    let mut session = Session::new(registry.clone());
    let kind = ChannelKind::Numeric { exponent: 0 };
    let channel = Channel { code: 147_842, unit: 264_864, kind, label: "", unit_label: "" };
    let about = (DeviceId(0xBAD), DeviceClock::Tick, 6, Mode::Normal);
    let hello = write_hello(about, 1, "who?", 0, &[channel]).ok_or("no hello")?;
    let mut writer = DataWriter::new(1);
    demand(writer.numerics(0, &[Ok(999)]), "one value does not fit a frame")?;
    let data = writer.finish();
    let said = [encoded(Kind::Hello, 0, hello.as_slice()), encoded(Kind::Data, 1, data.as_slice())];
    let (chunks, mut taken) = mpsc::channel(8);
    let now = MonotonicNanos(1);
    let said = said.concat();
    {
        let heard = pin!(session.push(&said, now, &chunks));
        let Poll::Ready(Ok(_)) = heard.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err("the session waits".into());
        };
    }
    while let Ok(chunk) = taken.try_recv() {
        demand(chunk.frames.is_empty(), "a reading of nobody's is taken")?;
    }
    let complaint = registry.complaints().words(Complaint::Stranger, now).pop();
    complaint.ok_or_else(|| "nobody complains".into())
}
