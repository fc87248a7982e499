//! Stages one by one: sealing, bytes on the wire, appending.

use std::time::{Duration, Instant};

use agent::buffer::disk::Folder;
use agent::buffer::{Buffer, Quota, Writer};
use agent::intake::Registry;
use agent::seal::batcher::{Batcher, Closed, Said};
use agent::seal::sealer::Seal;
use agent::seal::{Sealer, SegmentDraft};
use anyhow::{Context, Result};
use ed25519_dalek::SigningKey;
use wire::frame::Core;
use wire::identity::{BootId, GatewayId, Lane, RecordHash, SegmentId, StoreEpoch};
use wire::keyring::{Audience, FleetPart, Keyring, RootPart};
use wire::limits::TABLE_VALUES_MAX;
use wire::link::DataWriter;
use wire::receipt::{Disposition, Range, Reason};
use wire::seal::RecipientSecret;
use wire::segment::{Found, Suite};
use wire::time::{MonotonicNanos, Rate, UnixNanos};

use super::load::{Ward, clock, introduce, monitor_channels};
use super::{Row, row};

/// MQTT 5 PUBLISH around a frame: fixed header 4, topic 2 and its text, packet id 2, properties 1.
const MQTT_BYTES: usize = 4 + 2 + "wardline/v1/gw-1/vital".len() + 2 + 1;
/// A TLS 1.3 record around it: header 5, content type 1, tag 16.
const TLS_BYTES: usize = 22;

fn keyring() -> Keyring {
    let key = SigningKey::from_bytes(&[3; 32]).verifying_key();
    let pair = |audience| (audience, RecipientSecret::generate(Suite::XWing).1);
    Keyring {
        root: RootPart {
            version: 1,
            expires: UnixNanos(i64::MAX),
            fleet_key: key,
            recovery: vec![pair(Audience::Clinical), pair(Audience::Health)],
        },
        fleet: FleetPart {
            version: 1,
            recipients: vec![pair(Audience::Clinical), pair(Audience::Health)],
            receipt_keys: vec![key],
            command_key: key,
            formats: (1, 1),
            store_epoch: StoreEpoch([1; 16]),
        },
    }
}

/// A sealer with keys of its own.
pub fn sealer() -> Seal {
    Seal::new(SigningKey::from_bytes(&[5; 32]), keyring(), Suite::XWing)
}

fn gateway() -> Result<GatewayId> {
    Ok(GatewayId::new("gw-1")?)
}

fn batcher() -> Batcher {
    Batcher::new([Duration::from_secs(1); 4])
}

fn draft(lane: Lane) -> Result<SegmentDraft> {
    Ok(SegmentDraft {
        lane,
        gateway: gateway()?,
        boot: BootId([1; 16]),
        start_count: 1,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        clock: clock(0),
        receipt_seen: 0,
        software: "bench".into(),
    })
}

/// Seals batches and gives the bytes of each frame.
fn sealed_bytes(lane: Lane, batches: &[Closed]) -> Result<(usize, Vec<usize>)> {
    let mut sealer = sealer();
    let (segment, header, mut previous) = sealer.open_segment(draft(lane)?)?;
    let (mut sequence, mut frames) = (100_000, Vec::new());
    for (at, batch) in batches.iter().enumerate() {
        let core = core(lane, segment, at as u32 + 1, (sequence, batch.readings), previous);
        let (bytes, hash) = sealer.seal(&core, batch.plaintext.clone())?;
        frames.push(bytes.len());
        previous = hash;
        sequence += batch.readings;
    }
    Ok((header.len(), frames))
}

fn core(
    lane: Lane,
    segment: SegmentId,
    index: u32,
    (first, count): (u64, u64),
    previous: RecordHash,
) -> Core {
    let sequence_last = first + count.max(1) - 1;
    Core {
        lane,
        segment,
        index,
        sequence_first: first,
        sequence_last,
        previous,
        content_root: [0; 32],
    }
}

/// Batching, encoding, encrypting and signing full frames of numerics.
pub fn seal() -> Result<Vec<Row>> {
    let shapes = Registry::default();
    let channels = monitor_channels();
    let device = introduce(1, &channels, &shapes)?;
    let mut batcher = batcher();
    let payloads: Vec<Vec<u8>> = (0..1000i64)
        .map(|moment| {
            let mut writer = DataWriter::new(1_767_225_600_000 + moment * 10);
            let value = |channel: i64| Ok(80 + channel + (moment * (channel + 3)) % 7);
            writer.numerics(0, &(0..30).map(value).collect::<Vec<_>>());
            writer.finish().as_slice().to_vec()
        })
        .collect();
    let mut sealer = sealer();
    let (segment, _, previous) = sealer.open_segment(draft(Lane::Vital)?)?;
    let (mut numerics, mut bytes, mut index) = (0u64, 0usize, 0u32);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        for payload in &payloads {
            let said = Said {
                device: &device,
                sequence: index.into(),
                gap: false,
                payload,
                received: MonotonicNanos(1_000_000_000),
                age_ns: 0,
            };
            batcher.take(&said, &clock(0), 0)?;
        }
        for batch in batcher.take_closed() {
            index += 1;
            let core = core(Lane::Vital, segment, index, (1, batch.readings), previous);
            bytes += sealer.seal(&core, batch.plaintext)?.0.len();
            numerics += batch.readings;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(vec![
        row("seal: numerics batched, encoded, encrypted, signed", numerics as f64 / seconds, "1/s"),
        row("seal: bytes of frame a numeric in full frames", bytes as f64 / numerics as f64, "B"),
    ])
}

/// Bytes on the wire with a freshness of one second.
pub fn wire_bytes() -> Result<Vec<Row>> {
    let mut ward = Ward::new(20, false)?;
    let mut batcher = batcher();
    let mut batches = Vec::new();
    for second in 0..60 {
        batches.extend(ward.second(&mut batcher, second)?);
    }
    let (header, frames) = sealed_bytes(Lane::Vital, &batches)?;
    let around = MQTT_BYTES + TLS_BYTES;
    let sum: usize = frames.iter().map(|bytes| bytes + around).sum();
    let values: u64 = batches.iter().map(|batch| batch.readings).sum();
    // One header in ten minutes of segment.
    let total = sum as f64 + (header + around) as f64 / 10.0;
    let mut rows = vec![row(
        "wire: bytes a numeric, 20 beds x 30/s, all included",
        total / values as f64,
        "B",
    )];
    rows.extend(bed_bytes(around)?);
    match ecg_bytes(around) {
        Ok(bytes) => rows.push(row("wire: bytes an ECG sample, MIT-BIH 100, 8 beds", bytes, "B")),
        Err(error) => eprintln!("skipped: no ../shared ({error})"),
    }
    Ok(rows)
}

/// What one bed alone sends in a second.
fn bed_bytes(around: usize) -> Result<Vec<Row>> {
    let (mut ward, mut batcher) = (Ward::new(1, true)?, batcher());
    let mut batches = Vec::new();
    for second in 0..60 {
        batches.extend(ward.second(&mut batcher, second)?);
    }
    let of = |lane: Lane, words: &str| {
        let own: Vec<_> = batches.iter().filter(|batch| batch.lane == lane).cloned().collect();
        let (_, frames) = sealed_bytes(lane, &own)?;
        let sum: usize = frames.iter().map(|bytes| bytes + around).sum();
        let words = format!("wire: bytes a second of one bed, {words}");
        anyhow::Ok(row(words, sum as f64 / 60.0, "B"))
    };
    Ok(vec![of(Lane::Vital, "30 numerics")?, of(Lane::Wave, "4 waves of 250 Hz")?])
}

fn ecg_bytes(around: usize) -> Result<f64> {
    let record = rig::wfdb::read(std::path::Path::new("../shared/data/wfdb/100"))?;
    let channels: Vec<_> = record.segments[0].channels.iter().collect();
    let infos: Vec<_> = monitor_channels()[30..32]
        .iter()
        .map(|channel| wire::reading::Channel {
            kind: wire::reading::ChannelKind::Wave {
                rate: Rate::hertz(360),
                gain: wire::decimal::Decimal { mantissa: 200, exponent: 0 },
                baseline: 1024,
                bits: 11,
            },
            ..*channel
        })
        .collect();
    let shapes = Registry::default();
    let beds: Result<Vec<_>> = (0..8).map(|bed| introduce(bed, &infos, &shapes)).collect();
    let (beds, mut batcher) = (beds?, batcher());
    let (mut batches, mut values) = (Vec::new(), 0usize);
    for second in 0..60usize {
        let now = clock(second as u64);
        for (bed, device) in beds.iter().enumerate() {
            for part in 0..6usize {
                let start = bed * 60 * 360 + second * 360 + part * 60;
                let samples: Vec<&[Option<i32>]> =
                    channels.iter().map(|channel| &channel.samples[start..start + 60]).collect();
                let millis = now.utc.map_or(0, |utc| utc.0) / 1_000_000 + part as i64 * 500 / 3;
                let mut writer = DataWriter::new(millis);
                anyhow::ensure!(
                    writer.wave(0, (second * 360 + part * 60) as u64, 0, &samples),
                    "wave"
                );
                let payload = writer.finish();
                let said = Said {
                    device,
                    sequence: 100_000 + (second * 6 + part) as i64,
                    gap: false,
                    payload: payload.as_slice(),
                    received: now.monotonic,
                    age_ns: 0,
                };
                batcher.take(&said, &now, 0)?;
                values += 120;
            }
        }
        batcher.close_due(MonotonicNanos(u64::MAX), true);
        batches.extend(batcher.take_closed());
    }
    let (header, frames) = sealed_bytes(Lane::Wave, &batches)?;
    let sum: usize = frames.iter().map(|bytes| bytes + around).sum();
    Ok((sum as f64 + (header + around) as f64 / 10.0) / values as f64)
}

/// Bytes that the kernel charges to this process. With large folios it charges the whole folio for
/// each touch, up to a mebibyte, so the device's own count stands beside it.
fn charged_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("no write_bytes")?.parse()?)
}

/// Bytes that the device under a folder has written, journal and everybody else's included.
fn device_bytes(folder: &std::path::Path) -> Result<u64> {
    let device = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(folder)?);
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let text = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat"))?;
    let sectors: u64 = text.split_whitespace().nth(6).context("no sectors")?.parse()?;
    Ok(sectors * 512)
}

/// W1 into the buffer, an hour of it as fast as the disk allows, receipts at once.
pub fn append() -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let quota = Quota { bytes_max: 1 << 30, free_bytes_min: 0, keep_seconds: 0 };
    let writer = Writer { gateway: gateway()?, boot: BootId([1; 16]), software: "bench".into() };
    let disk = Folder::open(folder.path())?;
    let (mut buffer, _) = Buffer::recover(disk, sealer(), writer, quota, &clock(0))?;
    let mut ward = Ward::new(20, true)?;
    let mut batcher = batcher();
    let seconds: Result<Vec<_>> = (0..20).map(|second| ward.second(&mut batcher, second)).collect();
    let seconds = seconds?;
    let (mut waits, mut measured) = (Vec::new(), (0u64, 0u64, 0u64));
    for second in 0..3600u64 {
        if second == 1800 {
            let sealed = buffer.figures().bytes_sealed;
            measured = (charged_bytes()?, device_bytes(folder.path())?, sealed);
        }
        let now = clock(second);
        for batch in &seconds[second as usize % seconds.len()] {
            anyhow::ensure!(batch.readings < TABLE_VALUES_MAX as u64, "batch too large");
            buffer.append(batch.lane, &batch.plaintext, batch.readings, &now)?;
        }
        let began = Instant::now();
        buffer.commit(&now)?;
        waits.push(began.elapsed().as_secs_f64() * 1000.0);
        settle_all(&mut buffer, second)?;
        buffer.tend(&now);
    }
    let sealed = (buffer.figures().bytes_sealed - measured.2) as f64;
    let charged = (charged_bytes()? - measured.0) as f64 / sealed;
    let device = (device_bytes(folder.path())? - measured.1) as f64 / sealed;
    waits.sort_by(f64::total_cmp);
    Ok(vec![
        row("append: device bytes written a sealed byte, W1, second half hour", device, "B/B"),
        row("append: the same as charged to the process (whole folios)", charged, "B/B"),
        row("append: commit of one W1 second, median", waits[waits.len() / 2], "ms"),
        row("append: commit of one W1 second, p99", waits[waits.len() * 99 / 100], "ms"),
    ])
}

fn settle_all(buffer: &mut Buffer<Folder, Seal>, second: u64) -> Result<()> {
    for lane in Lane::ALL {
        let Some((segment, index, last_hash)) = buffer.lane_health(lane).head else { continue };
        let range = Range {
            first: 0,
            last: index,
            disposition: Disposition::Stored,
            reason: Reason::None,
            last_hash,
        };
        buffer.settle(segment, &range, &clock(second))?;
    }
    Ok(())
}
