//! A batch comes back as it was, and nothing else is taken for one.

extern crate std;
use std::vec;

use super::*;
use crate::decimal::{Absent, Decimal};
use crate::time::{MonotonicNanos, Rate, TimeSource, UnixNanos};

fn shapes() -> Vec<Vec<ChannelInfo>> {
    let numeric = |code, exponent| ChannelInfo {
        code,
        unit: 264_864,
        kind: ChannelKind::Numeric { exponent },
        label: String::new(),
        unit_label: String::new(),
    };
    let wave = ChannelInfo {
        code: 131_330,
        unit: 266_418,
        kind: ChannelKind::Wave {
            rate: Rate::hertz(360),
            gain: Decimal { mantissa: 200, exponent: 0 },
            baseline: 1024,
            bits: 11,
        },
        label: "MLII".into(),
        unit_label: "mV".into(),
    };
    vec![vec![numeric(1, 0), numeric(147_842, 0), numeric(150_456, -1)], vec![wave.clone(), wave]]
}

fn block() -> Block {
    let source = Source {
        device: DeviceId(0x1122_3344_5566_7788),
        boot: SourceBoot(9),
        clock: DeviceClock::UtcSynchronised,
        tick_exponent: 6,
        mode: Mode::Demo,
    };
    Block {
        source,
        context: vec![1, 2, 3],
        received_ms: 15,
        time_ticks: 1_767_225_600_123,
        tables: vec![Table {
            shape: 0,
            channel_first: 1,
            channels: 2,
            times: vec![0, 1000, 2000],
            sequences: vec![5, 7, 8],
            values: vec![80, 81, 0, -120, -119, -118],
            exceptions: vec![
                (2, Number::Not(Absent::NaN), 1),
                (4, Number::Is(Decimal { mantissa: 365, exponent: -1 }), 2),
            ],
        }],
        waves: vec![WaveRun {
            shape: 1,
            channel_first: 0,
            time_ticks: 4,
            sample_first: 100_000,
            status: 0,
            parts: vec![(6, 4), (9, 3)],
            samples: vec![vec![1, 2, 3, 4, 5, i32::MIN, i32::MAX], vec![0; 7]],
            invalid: vec![(1, 0, 2), (0, 6, 1)],
        }],
        notes: vec![Note {
            time_ticks: -3,
            sequence: 11,
            what: NoteKind::Alert {
                code: 196_648,
                source: 147_842,
                levels: [0, 1, 3],
                text: "HR high".into(),
            },
        }],
    }
}

fn sample() -> Batch {
    let clock = ClockState {
        epoch: 1,
        monotonic: MonotonicNanos(5_000_000_000),
        utc: Some(UnixNanos(1_767_225_600_000_000_000)),
        error_us: 500,
        source: TimeSource::Network,
    };
    let (block, shapes) = (block(), shapes());
    Batch { clock, shapes, blocks: vec![block.clone(), Block { context: vec![], ..block }] }
}

#[test]
fn a_batch_comes_back_as_it_was() {
    let batch = sample();

    let bytes = encode(&batch).unwrap();

    assert_eq!(decode(&bytes).unwrap(), batch);
    crate::strict::check(&bytes).unwrap();
    assert_eq!(batch.readings(), 2 * (6 + 4 + 1));
}

#[test]
fn no_damaged_batch_makes_the_reader_panic() {
    let bytes = encode(&sample()).unwrap();
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let _: Result<Batch, BatchError> = decode(&bad);
    }
}
