//! What stands in `expected.json`: records, batches and link frames as JSON, nothing left out.
//!
//! Numbers are numbers of the format, byte strings are hexadecimal, an absent value is `null`.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use wire::batch::{Batch, Block, ChannelInfo, Note, NoteKind, Table, WaveRun};
use wire::decimal::{Decimal, Number};
use wire::frame::Core;
use wire::gap::Gap;
use wire::identity::RecordHash;
use wire::link::{
    Challenge, Entries, Entry, Frame, Hello, Kind, LinkKey, Sealing, SourceGap, Standing,
};
use wire::reading::{Channel, ChannelKind, Status};
use wire::seal::SegmentSecret;
use wire::segment::{Header, Wrapped};
use wire::status::HealthReport;
use wire::time::{ClockState, Rate, UnixNanos};

use super::hex;
use super::reports;

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    items.iter().map(one).collect()
}

fn clock(clock: &ClockState) -> Value {
    json!({
        "epoch": clock.epoch,
        "monotonic_ns": clock.monotonic.0,
        "utc_ns": clock.utc.map(|utc| utc.0),
        "error_us": clock.error_us,
        "source": clock.source as u8,
    })
}

/// A segment header and the secret that its wrapped copies hold.
pub fn header(
    header: &Header,
    wrapped: &[Wrapped],
    secret: &SegmentSecret,
    hash: RecordHash,
) -> Value {
    let continues = header.continues.map(|c| {
        json!({
            "segment": hex(&c.segment.0), "index": c.index, "hash": hex(&c.hash.0),
        })
    });
    json!({
        "kind": "header",
        "hash": hex(&hash.0),
        "suite": header.suite as u8,
        "lane": header.lane as u8,
        "gateway": header.gateway.as_str(),
        "segment": hex(&header.segment.0),
        "boot": hex(&header.boot.0),
        "start_count": header.start_count,
        "sequence_next": header.sequence_next,
        "continues": continues,
        "found": header.found as u8,
        "signing_key": hex(&header.signing_key.0),
        "clock": clock(&header.clock),
        "receipt_seen": header.receipt_seen,
        "software": header.software,
        "recipients": list(wrapped, |one| json!(hex(&one.recipient.0))),
        "secret": hex(secret.as_bytes()),
    })
}

/// A frame and its batch.
pub fn frame(core: &Core, batch: &Batch, hash: RecordHash) -> Result<Value> {
    Ok(json!({
        "kind": "frame",
        "hash": hex(&hash.0),
        "lane": core.lane as u8,
        "segment": hex(&core.segment.0),
        "index": core.index,
        "sequence_first": core.sequence_first,
        "sequence_last": core.sequence_last,
        "previous": hex(&core.previous.0),
        "content_root": hex(&core.content_root),
        "batch": self::batch(batch)?,
    }))
}

/// A gap record.
pub fn gap(gap: &Gap, hash: RecordHash) -> Value {
    let hole = &gap.hole;
    let moments = hole.moments.map(|(UnixNanos(from), UnixNanos(to))| [from, to]);
    json!({
        "kind": "gap",
        "hash": hex(&hash.0),
        "lane": gap.lane as u8,
        "segment": hex(&gap.segment.0),
        "index": gap.index,
        "previous": hex(&gap.previous.0),
        "hole": {
            "segment": hole.segment.map(|id| hex(&id.0)),
            "indexes": [hole.indexes.0, hole.indexes.1],
            "sequences": hole.sequences.map(|(first, last)| [first, last]),
            "readings": [hole.readings.0, hole.readings.1],
            "moments_ns": moments,
            "cause": hole.cause as u8,
            "before": hole.before.map(|hash| hex(&hash.0)),
            "after": hole.after.map(|hash| hex(&hash.0)),
        },
    })
}

/// A batch.
pub fn batch(batch: &Batch) -> Result<Value> {
    let blocks: Result<Vec<Value>> = batch.blocks.iter().map(block).collect();
    Ok(json!({
        "clock": clock(&batch.clock),
        "shapes": list(&batch.shapes, |shape| list(shape, channel_info)),
        "blocks": blocks?,
    }))
}

fn channel_info(info: &ChannelInfo) -> Value {
    channel(&Channel {
        code: info.code,
        unit: info.unit,
        kind: info.kind,
        label: &info.label,
        unit_label: &info.unit_label,
    })
}

fn channel(channel: &Channel<'_>) -> Value {
    let kind = match channel.kind {
        ChannelKind::Numeric { exponent } => json!({ "exponent": exponent }),
        ChannelKind::Wave { rate: Rate { numerator, denominator }, gain, baseline, bits } => {
            json!({
                "rate": [numerator, denominator],
                "gain": [gain.mantissa, gain.exponent],
                "baseline": baseline,
                "bits": bits,
            })
        }
    };
    json!({
        "code": channel.code,
        "unit": channel.unit,
        "label": channel.label,
        "unit_label": channel.unit_label,
        "kind": kind,
    })
}

fn block(block: &Block) -> Result<Value> {
    let notes: Result<Vec<Value>> = block.notes.iter().map(note).collect();
    Ok(json!({
        "device": block.source.device.to_string(),
        "boot": block.source.boot.0,
        "clock": block.source.clock as u8,
        "tick_exponent": block.source.tick_exponent,
        "mode": block.source.mode as u8,
        "context": hex(&block.context),
        "received_ms": block.received_ms,
        "time_ticks": block.time_ticks,
        "tables": list(&block.tables, table),
        "waves": list(&block.waves, wave),
        "notes": notes?,
    }))
}

fn number(number: Number) -> Value {
    match number {
        Number::Is(Decimal { mantissa, exponent }) => json!([mantissa, exponent]),
        Number::Not(state) => json!(state as u8),
    }
}

fn table(table: &Table) -> Value {
    let exception = |(position, value, status): &(u32, Number, Status)| {
        json!([position, number(*value), status])
    };
    json!({
        "shape": table.shape,
        "channel_first": table.channel_first,
        "channels": table.channels,
        "times": table.times,
        "sequences": table.sequences,
        "values": table.values,
        "exceptions": list(&table.exceptions, exception),
    })
}

fn wave(run: &WaveRun) -> Value {
    json!({
        "shape": run.shape,
        "channel_first": run.channel_first,
        "time_ticks": run.time_ticks,
        "sample_first": run.sample_first,
        "status": run.status,
        "parts": list(&run.parts, |(sequence, count)| json!([sequence, count])),
        "samples": run.samples,
        "invalid": list(&run.invalid, |(a, b, c)| json!([a, b, c])),
    })
}

fn note(note: &Note) -> Result<Value> {
    let what = match &note.what {
        NoteKind::Alert { code, source, levels, text } => {
            json!({ "alert": [code, source, levels[0], levels[1], levels[2], text] })
        }
        NoteKind::Event { code, value } => json!({ "event": [code, value] }),
        NoteKind::Loss { readings, cause } => json!({ "loss": [readings, cause] }),
        NoteKind::Health(report) => {
            json!({ "health": reports::health(&HealthReport::decode(report)?) })
        }
    };
    Ok(json!({ "time_ticks": note.time_ticks, "sequence": note.sequence, "what": what }))
}

/// What the sealed link frames are sealed with: a test key and a challenge, worth nothing.
pub fn link_sealing() -> Sealing {
    Sealing {
        key: LinkKey::new(std::array::from_fn(|at| 0x20 + at as u8)),
        challenge: Challenge(std::array::from_fn(|at| 0x40 + at as u8)),
    }
}

/// A link frame with what its payload says.
pub fn link(frame: &Frame<'_>) -> Result<Value> {
    let payload = match frame.kind {
        Kind::Data => data(Entries::read(frame.payload)?),
        Kind::Hello => hello(&Hello::read(frame.payload)?),
        Kind::Gap => {
            let gap = SourceGap::read(frame.payload)?;
            json!({ "readings": gap.readings, "cause": gap.cause })
        }
        Kind::Standing => standing(&Standing::read(frame.payload)?),
        Kind::Sealed => {
            let opened =
                link_sealing().open(frame).map_err(|_| anyhow!("not under the test key"))?;
            link(&opened.frame())?
        }
        Kind::Ack | Kind::Query | Kind::Heard => json!(hex(frame.payload)),
    };
    Ok(json!({
        "kind": frame.kind as u8,
        "boot": frame.boot,
        "sequence": frame.sequence,
        "payload": payload,
    }))
}

fn standing(standing: &Standing<'_>) -> Value {
    json!({
        "device": standing.device.to_string(),
        "now": standing.now_ticks,
        "oldest": standing.oldest,
        "capacity": standing.capacity,
        "is_counted": standing.is_counted,
        "resolution_ns": standing.resolution_ns,
        "firmware": standing.firmware,
    })
}

fn hello(hello: &Hello<'_>) -> Value {
    let channels: Vec<Value> = hello.channels().map(|one| channel(&one)).collect();
    json!({
        "device": hello.device.to_string(),
        "clock": hello.clock as u8,
        "tick_exponent": hello.tick_exponent,
        "mode": hello.mode as u8,
        "parts": hello.parts,
        "model": hello.model,
        "channel_first": hello.channel_first,
        "channels": channels,
    })
}

fn data(entries: Entries<'_>) -> Value {
    let time_ticks = entries.time_ticks;
    let entries: Vec<Value> = entries.map(|one| entry(&one)).collect();
    json!({ "time_ticks": time_ticks, "entries": entries })
}

fn entry(entry: &Entry<'_>) -> Value {
    match entry {
        Entry::Numerics(numerics) => {
            let value = |value| match value {
                Ok(mantissa) => json!(mantissa),
                Err((value, status)) => json!([number(value), status]),
            };
            let values: Vec<Value> = numerics.values().map(value).collect();
            json!({ "numerics": [numerics.channel_first, values] })
        }
        Entry::Wave(wave) => json!({ "wave": {
            "channel_first": wave.channel_first,
            "channels": wave.channels,
            "sample_first": wave.sample_first,
            "status": wave.status,
            "count": wave.count,
            "samples": wave.samples().collect::<Vec<_>>(),
        }}),
        Entry::Alert(alert) => json!({ "alert": [
            alert.code, alert.source, alert.phase, alert.state, alert.priority, alert.text,
        ]}),
        Entry::Event(event) => json!({ "event": [event.code, event.value] }),
        Entry::Context(token) => json!({ "context": hex(token) }),
    }
}
