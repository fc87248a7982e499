//! A patient monitor with two numerics and one wave, and what it says in link payloads.

use std::sync::Arc;

use agent::intake::admission::Proof;
use agent::intake::{Device, Introduction, Registry};
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::DeviceId;
use wire::link::{DataWriter, Hello, write_hello};
use wire::reading::{Alert, Channel, ChannelKind, Mode};
use wire::time::{DeviceClock, Rate};

/// When every story begins, UTC milliseconds: 2026-01-01T00:00:00Z.
pub const BEGIN_MS: i64 = 1_767_225_600_000;
/// Samples of the wave in one frame.
pub const SAMPLES: usize = 25;

/// A device that gives its own UTC in milliseconds.
pub fn monitor(number: u64, boot: u32) -> Arc<Device> {
    labelled(number, boot, "")
}

/// The same, with a name of its own for the first channel.
pub fn labelled(number: u64, boot: u32, label: &str) -> Arc<Device> {
    introduced((number, DeviceClock::UtcSynchronised), boot, label)
}

/// The same, with another clock.
pub fn clocked(number: u64, clock: DeviceClock) -> Arc<Device> {
    introduced((number, clock), 7, "")
}

fn introduced((number, clock): (u64, DeviceClock), boot: u32, label: &str) -> Arc<Device> {
    let numeric = |code, unit, exponent, label| Channel {
        code,
        unit,
        kind: ChannelKind::Numeric { exponent },
        label,
        unit_label: "",
    };
    let wave = ChannelKind::Wave {
        rate: Rate::hertz(250),
        gain: Decimal { mantissa: 200, exponent: 0 },
        baseline: 1024,
        bits: 12,
    };
    let channels = [
        numeric(147_842, 264_864, 0, label),
        numeric(150_456, 262_688, -1, ""),
        Channel { code: 131_330, unit: 266_418, kind: wave, label: "II", unit_label: "mV" },
    ];
    let about = (DeviceId(number), clock, 6, Mode::Demo);
    let payload = write_hello(about, 1, "Scenario 1", 0, &channels).expect("a short hello fits");
    let hello = Hello::read(payload.as_slice()).expect("our own hello reads");
    let complete =
        Introduction::default().take(boot, 0, (&hello, Proof::Unasked), &Registry::default());
    Arc::new(complete.expect("one part is all"))
}

/// A moment of the story, in ticks of the device.
pub fn moment(sequence: u32) -> i64 {
    BEGIN_MS + i64::from(sequence) * 100
}

fn finish(writer: DataWriter, fits: bool) -> Vec<u8> {
    assert!(fits, "a short payload fits");
    writer.finish().as_slice().to_vec()
}

/// Heart rate and saturation; what is said depends on the sequence only.
pub fn numerics(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let number = i64::from(sequence);
    let fits = writer.numerics(0, &[Ok(60 + number), Ok(950 + number % 50)]);
    finish(writer, fits)
}

/// One number, and the other channel with it.
pub fn number(sequence: u32, mantissa: i64) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let fits = writer.numerics(0, &[Ok(mantissa), Ok(950)]);
    finish(writer, fits)
}

/// A rate that is not there, and a saturation with more digits than its channel.
pub fn odd(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let finer = Decimal { mantissa: 9755, exponent: -2 };
    let values = [Err((Number::Not(Absent::NaN), 1)), Err((Number::Is(finer), 2))];
    let fits = writer.numerics(0, &values);
    finish(writer, fits)
}

/// A heart rate, then another context, then a saturation, all in one frame.
pub fn across_contexts(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let fits = writer.numerics(0, &[Ok(60 + i64::from(sequence))])
        && writer.context(b"bed-2")
        && writer.numerics(1, &[Ok(950)]);
    finish(writer, fits)
}

/// Numerics after a change of context.
pub fn in_context(sequence: u32, token: &[u8]) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let number = i64::from(sequence);
    let fits = writer.context(token) && writer.numerics(0, &[Ok(60 + number), Ok(950)]);
    finish(writer, fits)
}

/// Samples of the wave.
pub fn wave(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let first = u64::from(sequence) * SAMPLES as u64;
    let sample = |at: u64| Some(1024 + ((first + at) % 40) as i32 * 3);
    let samples: Vec<Option<i32>> = (0..SAMPLES as u64).map(sample).collect();
    let fits = writer.wave(2, first, 0, &[&samples]);
    finish(writer, fits)
}

/// An alert.
pub fn alert(sequence: u32, text: &str) -> Vec<u8> {
    let mut writer = DataWriter::new(moment(sequence));
    let alert = Alert { code: 196_650, source: 147_842, phase: 0, state: 1, priority: 3, text };
    let fits = writer.alert(&alert);
    finish(writer, fits)
}
