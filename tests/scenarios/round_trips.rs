//! What is written is what is read, for anything that the formats can hold.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use wire::batch::{Batch, Block, ChannelInfo, Note, NoteKind, Source, Table, WaveRun};
use wire::batch::{BatchError, decode, encode};
use wire::decimal::{Absent, Decimal, Number};
use wire::identity::{DeviceId, SourceBoot};
use wire::link::{DataWriter, Deframer, ENCODED_BYTES_MAX, Entries, Entry, Frame, Kind, Value};
use wire::reading::{ChannelKind, Mode};
use wire::time::{ClockState, DeviceClock, MonotonicNanos, Rate, TimeSource, UnixNanos};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() }
}

fn decimal() -> impl Strategy<Value = Decimal> {
    let near = (-2000..2000i64, -6..4i8);
    let pair = prop_oneof![near, (any::<i64>(), any::<i8>()), (whole(), -20..=0i8)];
    pair.prop_map(|(mantissa, exponent)| Decimal { mantissa, exponent })
}

fn absent() -> impl Strategy<Value = Absent> {
    (0..6u64).prop_map(|number| Absent::from_number(number).expect("six states are numbered"))
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![decimal().prop_map(Number::Is), absent().prop_map(Number::Not)]
}

/// Numbers as devices give them, and numbers as nobody does.
fn whole() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -200..400i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

fn sample() -> impl Strategy<Value = i32> {
    prop_oneof![6 => -2000..2000i32, 1 => any::<i32>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 1 => "[ -~]{0,24}", 1 => "[äöµ₂°]{0,8}"]
}

fn clock() -> impl Strategy<Value = ClockState> {
    let source = select(vec![TimeSource::Free, TimeSource::Network, TimeSource::Sink]);
    let utc = proptest::option::of((any::<i64>(), source));
    (any::<u32>(), any::<u64>(), utc, any::<u64>()).prop_map(|(epoch, ns, utc, error_us)| {
        ClockState {
            epoch,
            monotonic: MonotonicNanos(ns),
            utc: utc.map(|(ns, _)| UnixNanos(ns)),
            error_us,
            source: utc.map_or(TimeSource::None, |(_, source)| source),
        }
    })
}

fn source() -> impl Strategy<Value = Source> {
    let clocks = vec![
        DeviceClock::None,
        DeviceClock::Tick,
        DeviceClock::Local,
        DeviceClock::Utc,
        DeviceClock::UtcSynchronised,
    ];
    let modes = select(vec![Mode::Normal, Mode::Demo, Mode::Service]);
    (any::<u64>(), any::<u32>(), select(clocks), 0..=9u8, modes).prop_map(
        |(device, boot, clock, tick_exponent, mode)| Source {
            device: DeviceId(device),
            boot: SourceBoot(boot),
            clock,
            tick_exponent,
            mode,
        },
    )
}

fn channel(wave: bool) -> impl Strategy<Value = ChannelInfo> {
    let kind = (any::<i8>(), 1..u64::MAX, 1..1u64 << 40, decimal(), any::<i32>(), any::<u8>());
    (any::<u32>(), any::<u32>(), kind, text(), text()).prop_map(
        move |(code, unit, (exponent, numerator, denominator, gain, baseline, bits), a, b)| {
            let rate = Rate { numerator, denominator };
            let kind = if wave {
                ChannelKind::Wave { rate, gain, baseline, bits }
            } else {
                ChannelKind::Numeric { exponent }
            };
            ChannelInfo { code, unit, kind, label: a, unit_label: b }
        },
    )
}

/// Channels of the numeric shape 0 and of the wave shape 1.
const CHANNELS: usize = 4;

fn table() -> impl Strategy<Value = Table> {
    let size = (0..CHANNELS, 1..=CHANNELS, 1..12usize);
    let size = size
        .prop_map(|(first, channels, moments)| (first, channels.min(CHANNELS - first), moments));
    size.prop_flat_map(|(first, channels, moments)| {
        let total = channels * moments;
        let exceptions = proptest::collection::btree_map(
            0..total as u32,
            (number(), any::<u16>()),
            0..=total.min(3),
        );
        (vec(whole(), moments), vec(whole(), moments), vec(whole(), total), exceptions).prop_map(
            move |(times, sequences, values, exceptions)| Table {
                shape: 0,
                channel_first: first,
                channels,
                times,
                sequences,
                values,
                exceptions: exceptions.into_iter().map(|(at, (n, s))| (at, n, s)).collect(),
            },
        )
    })
}

fn wave_run() -> impl Strategy<Value = WaveRun> {
    let size = (0..CHANNELS, 1..=CHANNELS, vec((whole(), 1..60i64), 1..4));
    size.prop_flat_map(|(first, channels, parts)| {
        let channels = channels.min(CHANNELS - first);
        let total = parts.iter().map(|part| part.1 as usize).sum::<usize>();
        let hole = (0..channels as u32, 0..total as u32, 0..total as u32)
            .prop_map(move |(channel, at, length)| (channel, at, length.min(total as u32 - at)));
        let samples = vec(vec(sample(), total), channels);
        let about = (any::<i64>(), any::<u64>(), any::<u16>());
        (about, samples, vec(hole, 0..3)).prop_map(
            move |((time_ticks, sample_first, status), samples, invalid)| WaveRun {
                shape: 1,
                channel_first: first,
                time_ticks,
                sample_first,
                status,
                parts: parts.clone(),
                samples,
                invalid,
            },
        )
    })
}

fn note() -> impl Strategy<Value = Note> {
    let alert = (any::<u32>(), any::<u32>(), any::<[u8; 3]>(), "[ -~]{0,96}")
        .prop_map(|(code, source, levels, text)| NoteKind::Alert { code, source, levels, text });
    let event = (any::<u32>(), any::<i64>());
    let loss = (any::<u64>(), any::<u8>());
    let what = prop_oneof![
        alert,
        event.prop_map(|(code, value)| NoteKind::Event { code, value }),
        loss.prop_map(|(readings, cause)| NoteKind::Loss { readings, cause }),
        vec(any::<u8>(), 0..40).prop_map(NoteKind::Health),
    ];
    (any::<i64>(), any::<i64>(), what).prop_map(|(time_ticks, sequence, what)| Note {
        time_ticks,
        sequence,
        what,
    })
}

fn block() -> impl Strategy<Value = Block> {
    let what = (vec(table(), 0..3), vec(wave_run(), 0..3), vec(note(), 0..4));
    (source(), vec(any::<u8>(), 0..40), any::<i64>(), any::<i64>(), what).prop_map(
        |(source, context, received_ms, time_ticks, (tables, waves, notes))| Block {
            source,
            context,
            received_ms,
            time_ticks,
            tables,
            waves,
            notes,
        },
    )
}

fn batch() -> impl Strategy<Value = Batch> {
    let shapes = (vec(channel(false), CHANNELS), vec(channel(true), CHANNELS));
    (clock(), shapes, vec(block(), 0..5)).prop_map(|(clock, (numerics, waves), blocks)| Batch {
        clock,
        shapes: vec![numerics, waves],
        blocks,
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_batch_comes_back_as_it_was(batch in batch()) {
        match encode(&batch) {
            Ok(bytes) => {
                prop_assert_eq!(wire::strict::check(&bytes), Ok(()));
                prop_assert_eq!(decode(&bytes), Ok(batch));
            }
            Err(error) => prop_assert!(matches!(error, BatchError::TooLarge { .. }), "{error}"),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_batches_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _: Result<Batch, BatchError> = decode(&bytes);
    }

    #[test]
    fn frames_come_through_noise_in_any_chunks(
        frames in vec((any::<u32>(), any::<u32>(), vec(any::<u8>(), 0..=238)), 0..8),
        noise in vec(vec(any::<u8>(), 0..300), 9),
        cuts in vec(1..90usize, 1..40),
    ) {
        let mut stream = noise[0].clone();
        for ((boot, sequence, payload), noise) in frames.iter().zip(&noise[1..]) {
            let (kind, boot, sequence) = (Kind::Data, *boot, *sequence);
            let mut out = [0; ENCODED_BYTES_MAX];
            let length = Frame { kind, boot, sequence, payload }.encode(&mut out);
            stream.extend(&out[..length]);
            stream.extend(noise);
        }

        prop_assert_eq!(heard(&stream, &cuts), frames);
    }

    #[test]
    fn a_data_frame_says_what_was_written(
        time in any::<i64>(),
        values in vec(prop_oneof![whole().prop_map(Ok), exception().prop_map(Err)], 1..12),
        samples in vec(proptest::option::weighted(0.9, sample()), 1..20),
        sample_first in 0..1u64 << 50,
        status in any::<u16>(),
    ) {
        let mut writer = DataWriter::new(time);
        prop_assume!(writer.numerics(3, &values));
        prop_assume!(writer.wave(9, sample_first, status, &[&samples]));
        let payload = writer.finish();

        let entries = Entries::read(payload.as_slice()).unwrap();

        prop_assert_eq!(entries.time_ticks, time);
        let said: Vec<Entry<'_>> = entries.collect();
        let [Entry::Numerics(numerics), Entry::Wave(wave)] = said[..] else {
            panic!("two entries were written: {said:?}")
        };
        prop_assert_eq!(numerics.values().collect::<Vec<Value>>(), values);
        prop_assert_eq!((wave.sample_first, wave.status), (sample_first, status));
        prop_assert_eq!(wave.samples().collect::<Vec<_>>(), samples);
    }

    #[test]
    fn a_decimal_prints_every_digit_and_no_other(decimal in decimal()) {
        let text = decimal.to_string();

        let (digits, places) = match text.split_once('.') {
            Some((whole, places)) => (format!("{whole}{places}"), places.len()),
            None => (text.clone(), 0),
        };
        let exponent = i32::from(decimal.exponent);
        prop_assert_eq!(places as i32, -exponent.min(0));
        let zeros = if decimal.mantissa == 0 { 0 } else { exponent.max(0) as usize };
        let stem = &digits[..digits.len() - zeros];
        prop_assert!(digits[stem.len()..].bytes().all(|digit| digit == b'0'));
        prop_assert_eq!(stem.parse::<i128>(), Ok(i128::from(decimal.mantissa)), "{}", text);
    }
}

fn exception() -> impl Strategy<Value = (Number, u16)> {
    (number(), any::<u16>())
}

/// The whole frames in a stream that comes in chunks of these sizes, round and round.
fn heard(stream: &[u8], cuts: &[usize]) -> Vec<(u32, u32, Vec<u8>)> {
    let mut deframer = Deframer::default();
    let (mut frames, mut rest) = (Vec::new(), stream);
    let mut sizes = cuts.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |size| *size).min(rest.len());
        let (mut chunk, later) = rest.split_at(size);
        rest = later;
        while !chunk.is_empty() {
            let (taken, frame) = deframer.push(chunk);
            chunk = &chunk[taken..];
            if let Some(Ok(frame)) = frame {
                frames.push((frame.boot, frame.sequence, frame.payload.to_vec()));
            }
        }
    }
    frames
}
