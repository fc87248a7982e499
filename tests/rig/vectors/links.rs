//! Link frames: what stands in their folder of the vectors.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::DeviceId;
use wire::link::{
    DataWriter, ENCODED_BYTES_MAX, Frame, Kind, SourceGap, Standing, write_gap, write_hello,
};
use wire::reading::{Alert, Channel, ChannelKind, Event, Mode};
use wire::time::{DeviceClock, Rate};

use super::{Listing, expected};

/// Run of the device in every link frame; its last byte is one that COBS replaces.
const LINK_BOOT: u32 = 0x0102_0300;

/// Writes frames of each kind.
pub fn all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut listing = Listing::default();
    let hellos = hellos().context("the hello does not fit")?;
    let data = data().context("the data do not fit")?;
    let gap = write_gap(SourceGap { readings: 1234, cause: 1 }).context("the gap is too long")?;
    let standing = Standing {
        device: DeviceId(0x0011_22FF_FE33_4455),
        now_ticks: 90_000,
        oldest: 3,
        capacity: 64,
        is_counted: true,
        resolution_ns: 1_000_000,
        firmware: "0.1.0",
    };
    let standing = standing.write().context("the standing does not fit")?;
    let sealing = expected::link_sealing();
    let offer = sealing.challenge.write();
    let seal = |kind, sequence, payload: &[u8]| {
        let frame = Frame { kind, boot: LINK_BOOT, sequence, payload };
        sealing.seal(&frame).context("it cannot be sealed")
    };
    let (sealed, sealed_ack) = (seal(Kind::Data, 1, &data[0])?, seal(Kind::Ack, 3, &[])?);
    for (name, kind, sequence, payload) in [
        ("00-hello.bin", Kind::Hello, 0, hellos[0].as_slice()),
        ("01-hello.bin", Kind::Hello, 1, &hellos[1]),
        ("02-data.bin", Kind::Data, 1, &data[0]),
        ("03-data.bin", Kind::Data, 2, &data[1]),
        ("04-gap.bin", Kind::Gap, 3, gap.as_slice()),
        ("05-data.bin", Kind::Data, u32::MAX, &data[2]),
        ("06-ack.bin", Kind::Ack, 3, &[]),
        ("07-query.bin", Kind::Query, 0, &[]),
        ("08-heard.bin", Kind::Heard, 2, &[]),
        ("09-standing.bin", Kind::Standing, 1, standing.as_slice()),
        ("10-offer.bin", Kind::Query, 0, offer.as_slice()),
        ("11-sealed.bin", Kind::Sealed, 1, sealed.frame().payload),
        ("12-sealed.bin", Kind::Sealed, 3, sealed_ack.frame().payload),
    ] {
        let frame = Frame { kind, boot: LINK_BOOT, sequence, payload };
        let mut out = [0; ENCODED_BYTES_MAX];
        let length = frame.encode(&mut out);
        listing.add(folder, name.to_owned(), &out[..length], expected::link(&frame)?)?;
    }
    listing.close(folder)
}

/// Two parts: numerics, then two leads.
fn hellos() -> Option<[Vec<u8>; 2]> {
    let about = (DeviceId(0x0011_22FF_FE33_4455), DeviceClock::UtcSynchronised, 6, Mode::Normal);
    let numeric = |code, unit, exponent| Channel {
        code,
        unit,
        kind: ChannelKind::Numeric { exponent },
        label: "",
        unit_label: "",
    };
    let lead = |label| Channel {
        code: 131_330,
        unit: 266_418,
        kind: ChannelKind::Wave {
            rate: Rate::hertz(250),
            gain: Decimal { mantissa: 200, exponent: 0 },
            baseline: -1024,
            bits: 12,
        },
        label,
        unit_label: "mV",
    };
    let numerics = [numeric(147_842, 264_864, 0), numeric(150_456, 262_688, -1)];
    let first = write_hello(about, 2, "Maker Model 1.2", 0, &numerics)?;
    let second = write_hello(about, 2, "Maker Model 1.2", 2, &[lead("MLII"), lead("V5")])?;
    Some([first.as_slice().to_vec(), second.as_slice().to_vec()])
}

/// Numerics of every kind; two leads with a hole; an alert, an event and a change of context.
fn data() -> Option<[Vec<u8>; 3]> {
    let finer = Decimal { mantissa: 9755, exponent: -2 };
    let mut numerics = DataWriter::new(1_767_225_600_123);
    let values =
        [Ok(80), Err((Number::Not(Absent::NaN), 1)), Err((Number::Is(finer), 2)), Ok(i64::MIN)];
    let mut leads = DataWriter::new(-5);
    let first = [Some(-1024), None, Some(i32::MAX), Some(i32::MIN)];
    let second = [None, Some(0), Some(1), Some(-1)];
    let alert = Alert {
        code: 196_650,
        source: 147_842,
        phase: 0,
        state: 1,
        priority: 3,
        text: "HR LOW 38 < 40",
    };
    let event = Event { code: 196_802, value: -1 };
    let mut words = DataWriter::new(0);
    let fits = numerics.numerics(0, &values)
        && leads.wave(2, 1 << 40, 2, &[&first, &second])
        && words.alert(&alert)
        && words.event(event)
        && words.context(b"bed-7/admission-3");
    let bytes = |writer: DataWriter| writer.finish().as_slice().to_vec();
    fits.then(|| [numerics, leads, words].map(bytes))
}
