//! The readings in the vectors: made up, small, and at every corner of the format.

use wire::batch::{Batch, Block, ChannelInfo, Note, NoteKind, Source, Table, WaveRun};
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::{DeviceId, Lane, RecordHash, SegmentId, SourceBoot};
use wire::reading::{ChannelKind, Mode};
use wire::status::{DeviceHealth, HealthReport, LaneHealth};
use wire::time::{ClockState, DeviceClock, MonotonicNanos, Rate, TimeSource, UnixNanos};

const UTC_NS: i64 = 1_767_225_600_123_456_789;
const DEVICE: DeviceId = DeviceId(0x0011_22FF_FE33_4455);

/// A clock that the network sets, or one that knows no UTC.
pub fn clock(utc: bool) -> ClockState {
    ClockState {
        epoch: u32::from(utc),
        monotonic: MonotonicNanos(86_400_000_000_000),
        utc: utc.then_some(UnixNanos(UTC_NS)),
        error_us: if utc { 500 } else { u64::MAX },
        source: if utc { TimeSource::Network } else { TimeSource::None },
    }
}

fn numeric(code: u32, unit: u32, exponent: i8) -> ChannelInfo {
    ChannelInfo {
        code,
        unit,
        kind: ChannelKind::Numeric { exponent },
        label: String::new(),
        unit_label: String::new(),
    }
}

fn lead(label: &str) -> ChannelInfo {
    let rate = Rate { numerator: 24_989, denominator: 100 };
    let gain = Decimal { mantissa: 2000, exponent: -1 };
    ChannelInfo {
        code: 131_330,
        unit: 266_418,
        kind: ChannelKind::Wave { rate, gain, baseline: -1024, bits: 12 },
        label: label.to_owned(),
        unit_label: "mV".to_owned(),
    }
}

fn block(clock: DeviceClock, tick_exponent: u8) -> Block {
    let source =
        Source { device: DEVICE, boot: SourceBoot(7), clock, tick_exponent, mode: Mode::Normal };
    let utc = matches!(clock, DeviceClock::Utc | DeviceClock::UtcSynchronised);
    Block {
        source,
        context: Vec::new(),
        received_ms: 12,
        time_ticks: if utc { UTC_NS / 1_000_000 - 40 } else { 90_000 },
        tables: Vec::new(),
        waves: Vec::new(),
        notes: Vec::new(),
    }
}

/// No block at all, and no UTC.
pub fn empty() -> Batch {
    Batch { clock: clock(false), shapes: Vec::new(), blocks: Vec::new() }
}

/// Two devices of one shape: five moments with every kind of exception, and one moment.
pub fn numerics() -> Batch {
    let shape = vec![
        numeric(147_842, 264_864, 0),
        numeric(150_456, 262_688, -1),
        numeric(150_344, 268_192, -2),
    ];
    let finer = Decimal { mantissa: -36_605, exponent: -3 };
    let states = [
        (1, Number::Not(Absent::NaN), 1),
        (3, Number::Not(Absent::Missing), 4),
        (8, Number::Not(Absent::PositiveInfinity), 0),
        (10, Number::Is(finer), 2),
    ];
    let mut first = block(DeviceClock::UtcSynchronised, 6);
    first.context = b"bed-7/admission-3".to_vec();
    first.tables = vec![Table {
        shape: 0,
        channel_first: 0,
        channels: 3,
        times: vec![0, 1000, 2000, 3000, 4000],
        sequences: vec![41, 42, 43, 45, 46],
        values: vec![80, 0, 82, 0, 79, 975, 975, 974, 0, 970, 0, -5, 3660, 3661, 3661],
        exceptions: states.to_vec(),
    }];
    let mut second = block(DeviceClock::Tick, 3);
    second.source.device = DeviceId(1);
    second.source.mode = Mode::Demo;
    second.received_ms = -3;
    second.tables = vec![Table {
        shape: 0,
        channel_first: 1,
        channels: 2,
        times: vec![7],
        sequences: vec![9],
        values: vec![-12, 3700],
        exceptions: Vec::new(),
    }];
    Batch { clock: clock(true), shapes: vec![shape], blocks: vec![first, second] }
}

/// Numbers at the ends of 64 bits, uneven times, labels, and differences that need the escape.
pub fn extremes() -> Batch {
    let mut labelled = numeric(0, 0, -128);
    labelled.label = "Größe, wie das Gerät".to_owned();
    labelled.unit_label = "cmH₂O".to_owned();
    let mut ends = block(DeviceClock::None, 0);
    ends.source.mode = Mode::Service;
    ends.received_ms = i64::MIN;
    ends.time_ticks = i64::MAX;
    ends.tables = vec![Table {
        shape: 1,
        channel_first: 0,
        channels: 2,
        times: vec![i64::MIN, 0, i64::MAX, -1],
        sequences: vec![0, 1, 3, 6],
        values: vec![i64::MIN, i64::MAX, -1, 0, 1 << 40, (1 << 40) + 1, 1 << 62, (1 << 62) - 1],
        exceptions: Vec::new(),
    }];
    let mut local = block(DeviceClock::Local, 9);
    local.tables = vec![Table {
        shape: 0,
        channel_first: 0,
        channels: 1,
        times: vec![0, 5],
        sequences: vec![2, 1],
        values: vec![0, 0],
        exceptions: Vec::new(),
    }];
    Batch {
        clock: clock(false),
        shapes: vec![
            vec![numeric(u32::MAX, u32::MAX, 127)],
            vec![labelled, numeric(150_456, 262_688, 0)],
        ],
        blocks: vec![ends, local],
    }
}

/// Something like an electrocardiogram: a spike in every 200 samples, and noise.
pub fn beats(count: usize, size: i32, mut noise: u32) -> Vec<i32> {
    let one = |index: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let beat = match index as i32 % 200 {
            phase @ 80..90 => size * (phase - 80),
            phase @ 90..100 => size * (100 - phase),
            phase => phase / 16,
        };
        beat + (noise >> 30).cast_signed() - 1024
    };
    (0..count).map(one).collect()
}

/// Two leads in two runs: one plain, one of three parts with invalid samples.
pub fn waves() -> Batch {
    let mut leads = block(DeviceClock::Utc, 6);
    let torn: Vec<i32> = beats(120, 30, 5).into_iter().map(|s| s.max(-1000)).collect();
    leads.waves = vec![
        WaveRun {
            shape: 0,
            channel_first: 0,
            time_ticks: 0,
            sample_first: 100_000,
            status: 0,
            parts: vec![(49, 300), (50, 300)],
            samples: vec![beats(600, 90, 1), beats(600, 60, 2)],
            invalid: Vec::new(),
        },
        WaveRun {
            shape: 0,
            channel_first: 1,
            time_ticks: 2441,
            sample_first: 100_610,
            status: 2,
            parts: vec![(51, 50), (52, 50), (54, 20)],
            samples: vec![torn],
            invalid: vec![(0, 3, 2), (0, 119, 1)],
        },
    ];
    Batch { clock: clock(true), shapes: vec![vec![lead("MLII"), lead("V5")]], blocks: vec![leads] }
}

/// An alert that begins and ends, an event, and a loss.
pub fn notes() -> Batch {
    let note = |time_ticks, sequence, what| Note { time_ticks, sequence, what };
    let alert = |levels, text: &str| NoteKind::Alert {
        code: 196_650,
        source: 147_842,
        levels,
        text: text.to_owned(),
    };
    let loss = NoteKind::Loss { readings: 300, cause: 1 };
    let event = NoteKind::Event { code: 196_802, value: -1 };
    let mut speaker = block(DeviceClock::UtcSynchronised, 6);
    speaker.notes = vec![
        note(0, 60, alert([0, 1, 3], "HR LOW 38 < 40")),
        note(2500, 61, event),
        note(2600, 63, loss),
        note(9000, 64, alert([5, 0, 3], "")),
    ];
    Batch { clock: clock(true), shapes: Vec::new(), blocks: vec![speaker] }
}

/// The gateway's report about itself; the device is 0, for the gateway has none.
pub fn health() -> Batch {
    let lane = |lane, head: Option<u32>| LaneHealth {
        lane,
        head: head.map(|index| (SegmentId([0xA1; 16]), index, RecordHash([0xB2; 32]))),
        oldest_unreceipted: head.map(|index| (SegmentId([0xA1; 16]), index - 1)),
        sequence_next: 4000,
        backlog_bytes: 1 << 33,
        gap_readings: 17,
    };
    let report = HealthReport {
        lanes: vec![lane(Lane::Alert, None), lane(Lane::Vital, Some(3))],
        devices: vec![DeviceHealth {
            device: DEVICE,
            minute: 1440,
            accepted: 1800,
            lost: (300, 2),
        }],
        counters: vec![(1, 86_400), (2, 3), (300, u64::MAX)],
        software: "0.1.0".to_owned(),
    };
    let mut own = block(DeviceClock::None, 0);
    own.source.device = DeviceId(0);
    own.notes = vec![Note { time_ticks: 0, sequence: 1, what: NoteKind::Health(report.encode()) }];
    Batch { clock: clock(true), shapes: Vec::new(), blocks: vec![own] }
}

/// One waveform block: its name, its samples, whether the block before is shown to the coder, and
/// the method that it must choose.
pub type WaveCase = (&'static str, Vec<i32>, bool, u8);

/// Waveform blocks of every method, and samples that no electrocardiogram has.
pub fn wave_blocks() -> Vec<WaveCase> {
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state ^ state >> 15).cast_signed()
    };
    let square = |index: usize| if index % 14 < 7 { i32::MIN } else { i32::MAX };
    let spark = |index: usize| if index % 40 == 39 { i32::MAX } else { -3 };
    let hum = |index: usize| [0, 309, 500, 500, 309, 0, -309, -500, -500, -309][index % 10];
    vec![
        ("00-empty", Vec::new(), false, 0),
        ("01-one", vec![i32::MIN], false, 0),
        ("02-plain", (0..16).map(|_| random()).collect(), false, 0),
        ("03-alone", beats(600, 90, 9), false, 1),
        ("04-led", beats(600, 60, 10), true, 2),
        ("05-calm", vec![1024; 500], false, 1),
        ("06-square", (0..96).map(square).collect(), false, 1),
        ("07-spark", (0..120).map(spark).collect(), false, 1),
        ("08-hum", (0..150).map(hum).collect(), false, 1),
        ("09-two", vec![-7, 8], true, 1),
    ]
}
