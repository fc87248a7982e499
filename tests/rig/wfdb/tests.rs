//! What is read, on records made here and on those in `../shared`, where it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const RATE: Rate = Rate { numerator: 125, denominator: 1 };

/// A folder of its own for one test, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wfdb-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::new();
        for (name, bytes) in files {
            fs::write(folder.0.join(name), bytes).unwrap();
        }
        folder
    }

    fn read(&self, name: &str) -> Result<Record, WfdbError> {
        read(&self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn decimal(mantissa: i64, exponent: i8) -> Decimal {
    Decimal { mantissa, exponent }
}

fn info(description: &str, unit: &str, samples_per_frame: u32) -> SignalInfo {
    SignalInfo { description: description.into(), unit: unit.into(), samples_per_frame }
}

fn channel(description: &str, format: u32, samples: &[Option<i32>]) -> ChannelToWrite {
    ChannelToWrite {
        signal: info(description, "mV", 1),
        format,
        gain: decimal(833_333, -6),
        baseline: -100,
        samples: samples.to_vec(),
    }
}

fn samples(record: &Record) -> Vec<Vec<Option<i32>>> {
    let channels = record.segments.iter().flat_map(|segment| &segment.channels);
    channels.map(|channel| channel.samples.clone()).collect()
}

fn some(values: &[i32]) -> Vec<Option<i32>> {
    values.iter().copied().map(Some).collect()
}

/// The samples of one signal that a raw file of the given format holds.
fn decoded(format: &str, bytes: &[u8]) -> Vec<Option<i32>> {
    let header = format!("a 1 125\na.dat {format}\n");
    let folder = Folder::with(&[("a.hea", header.as_bytes()), ("a.dat", bytes)]);
    samples(&folder.read("a").unwrap()).remove(0)
}

fn shared() -> Option<PathBuf> {
    let start = option_env!("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = start.or_else(|| std::env::current_dir().ok())?;
    let found = start.ancestors().map(|folder| folder.join("../shared/data/wfdb"));
    let found = found.into_iter().find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no ../shared");
    }
    found
}

#[test]
fn every_written_format_comes_back_sample_by_sample() {
    for (format, end) in [(16, 32767), (80, 127), (212, 2047)] {
        for length in 0..7 {
            let all = [Some(end), Some(-end), None, Some(0), Some(-1), None, Some(1)];
            let folder = Folder::new();
            let base = BaseTime {
                hour: 0,
                minute: 31,
                second: 25,
                nanosecond: 894_000_000,
                date: Some(BaseDate { day: 10, month: 10, year: 2896 }),
            };

            let written = [channel("II and more", format, &all[..length])];
            write_record(&folder.0, "a", RATE, Some(base), &written).unwrap();
            let record = folder.read("a").unwrap();

            assert_eq!(samples(&record), [all[..length].to_vec()], "format {format}");
            assert_eq!(record.signals, [info("II and more", "mV", 1)]);
            assert_eq!(record.base, Some(base));
            assert_eq!((record.rate, record.length_frames), (RATE, length as u64));
            let channel = &record.segments[0].channels[0];
            assert_eq!((channel.gain, channel.baseline), (decimal(833_333, -6), -100));
        }
    }
}

#[test]
fn signals_of_several_samples_per_frame_and_several_files_are_taken_apart() {
    let folder = Folder::new();
    let mut fast = channel("fast", 212, &some(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    fast.signal.samples_per_frame = 3;
    let slow = channel("slow", 212, &some(&[-1, -2, -3]));
    let other = channel("other", 80, &some(&[7, 8, 9]));
    let rate = Rate { numerator: 24_989, denominator: 400 };

    let written = [fast.clone(), slow.clone(), other.clone()];
    write_record(&folder.0, "a", rate, None, &written).unwrap();
    let record = folder.read("a").unwrap();

    assert_eq!(samples(&record), [fast.samples, slow.samples, other.samples]);
    assert_eq!(record.rate, rate);
    assert_eq!(record.length_frames, 3);
    assert_eq!(record.signals[0].samples_per_frame, 3);
}

#[test]
fn every_format_knows_its_bytes_and_its_invalid_value() {
    let none = None;
    assert_eq!(decoded("8", &[1, 0xff, 0x80]), some(&[1, 0, -128]));
    assert_eq!(decoded("16", &[1, 0, 0xff, 0xff, 0, 0x80]), [Some(1), Some(-1), none]);
    assert_eq!(decoded("61", &[0, 1, 0xff, 0xff, 0x80, 0]), [Some(1), Some(-1), none]);
    assert_eq!(decoded("80", &[0x81, 0x7f, 0]), [Some(1), Some(-1), none]);
    assert_eq!(decoded("160", &[1, 0x80, 0xff, 0x7f, 0, 0]), [Some(1), Some(-1), none]);
    assert_eq!(decoded("24", &[1, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0x80]), [Some(1), Some(-1), none]);
    assert_eq!(decoded("32", &[1, 0, 0, 0, 0, 0, 0, 0x80]), [Some(1), none]);
    assert_eq!(decoded("212", &[0xe3, 0x83, 0x00]), [Some(995), none]);
    assert_eq!(decoded("310", &[0x02, 0xf8, 0xfe, 0xff]), [Some(1), Some(-1), Some(-1)]);
    assert_eq!(decoded("310", &[0, 0, 0, 0x04]), [Some(0), none, Some(0)]);
    assert_eq!(decoded("311", &[0x01, 0xfc, 0xff, 0x3f]), [Some(1), Some(-1), Some(-1)]);
    assert_eq!(decoded("311", &[0x00, 0x02, 0, 0]), [none, Some(0), Some(0)]);
}

#[test]
fn offset_and_skew_move_a_signal_to_its_own_time() {
    let header = b"a 2 125 3\na.dat 80:1+2 1 8 0 0 0 0 late\na.dat 80+2 1 8 0 0 0 0 even\n";
    let bytes = [9, 9, 129, 130, 131, 132, 133, 134];
    let folder = Folder::with(&[("a.hea", header), ("a.dat", &bytes)]);

    let record = folder.read("a").unwrap();

    assert_eq!(samples(&record), [vec![Some(3), Some(5), None], some(&[2, 4, 6])]);
}

#[test]
fn what_a_header_leaves_out_has_its_usual_value() {
    let header = b"# before\r\n\r\na 3\r\n a.dat 16 \r\n# between\r\na.dat 16 0 0 7\r\n\
    a.dat 16 -1.50e1(3)/deg/s 11 7\r\n# after\r\n";
    let folder = Folder::with(&[("a.hea", header), ("a.dat", &[0; 14])]);

    let record = folder.read("a").unwrap();

    assert_eq!(record.rate, Rate { numerator: 250, denominator: 1 });
    assert_eq!((record.length_frames, record.base), (2, None));
    let channels = &record.segments[0].channels;
    let calibration = |at: usize| (channels[at].gain, channels[at].baseline);
    assert_eq!(calibration(0), (decimal(200, 0), 0));
    assert_eq!(calibration(1), (decimal(200, 0), 7));
    assert_eq!(calibration(2), (decimal(-150, -1), 3));
    assert_eq!((channels[1].adc_resolution_bits, channels[2].adc_resolution_bits), (12, 11));
    assert_eq!(record.signals[0], info("record a, signal 0", "mV", 1));
    assert_eq!(record.signals[2].unit, "deg/s");
}

#[test]
fn the_rate_is_the_exact_fraction_of_its_text() {
    let rate = |text: &str| {
        let header = format!("a 0 {text} 5 25.5\n");
        let record = Folder::with(&[("a.hea", header.as_bytes())]).read("a").unwrap();
        assert_eq!((record.length_frames, record.signals.len()), (5, 0));
        assert_eq!(record.base.unwrap().nanosecond, 500_000_000);
        (record.rate.numerator, record.rate.denominator)
    };

    assert_eq!(rate("62.4725"), (24_989, 400));
    assert_eq!(rate("0.0166666666667/125"), (166_666_666_667, 10_000_000_000_000));
    assert_eq!(rate("360/0.5(10)"), (360, 1));
    assert_eq!(rate("1.25e2"), (125, 1));
}

#[test]
fn a_variable_layout_keeps_the_calibration_of_every_segment() {
    let folder = Folder::new();
    let mut second = [channel("V", 80, &some(&[4, 5])), channel("II", 80, &some(&[6, 7]))];
    second[1].gain = decimal(55, 0);
    second[1].signal.unit = "uV".into();
    write_record(&folder.0, "p1", RATE, None, &[channel("II", 212, &some(&[1, 2, 3]))]).unwrap();
    write_record(&folder.0, "p2", RATE, None, &second).unwrap();

    let layout = [info("II", "mV", 1), info("V", "mV", 1), info("ABP", "mmHg", 1)];
    let parts = [("~", 4), ("p1", 3), ("~", 2), ("p2", 2)];
    write_master(&folder.0, "m", RATE, None, Layout::Variable(&layout), &parts).unwrap();
    let record = folder.read("m").unwrap();

    let [ii, v, abp] = layout;
    assert_eq!(record.signals, [ii, v, abp, info("II", "uV", 1)]);
    assert_eq!(record.length_frames, 11);
    let shape: Vec<_> = record.segments.iter().map(|s| (s.first_frame, s.length_frames)).collect();
    assert_eq!(shape, [(0, 4), (4, 3), (7, 2), (9, 2)]);
    let signals: Vec<Vec<usize>> =
        record.segments.iter().map(|s| s.channels.iter().map(|c| c.signal).collect()).collect();
    assert_eq!(signals, [vec![], vec![0], vec![], vec![1, 3]]);
    assert_eq!(record.segments[1].channels[0].gain, decimal(833_333, -6));
    assert_eq!(record.segments[3].channels[1].gain, decimal(55, 0));
    assert_eq!(samples(&record), [some(&[1, 2, 3]), some(&[4, 5]), some(&[6, 7])]);
}

#[test]
fn two_signals_of_one_name_stay_two() {
    let folder = Folder::new();
    let twins = [channel("ECG", 16, &some(&[1])), channel("ECG", 16, &some(&[2]))];
    write_record(&folder.0, "p", RATE, None, &twins).unwrap();

    let layout = [info("ECG", "mV", 1), info("ECG", "mV", 1)];
    write_master(&folder.0, "m", RATE, None, Layout::Variable(&layout), &[("p", 1)]).unwrap();
    let record = folder.read("m").unwrap();

    assert_eq!(record.signals.len(), 2);
    assert_eq!(samples(&record), [some(&[1]), some(&[2])]);
    assert_eq!(record.segments[0].channels[1].signal, 1);
}

#[test]
fn a_fixed_layout_matches_by_position() {
    let folder = Folder::new();
    write_record(&folder.0, "p1", RATE, None, &[channel("II", 16, &some(&[1, 2]))]).unwrap();
    write_record(&folder.0, "p2", RATE, None, &[channel("ii", 16, &some(&[3, 4]))]).unwrap();

    let parts = [("p1", 2), ("p2", 1)];
    write_master(&folder.0, "m", RATE, None, Layout::Fixed(1), &parts).unwrap();
    let record = folder.read("m").unwrap();

    assert_eq!(record.signals, [info("II", "mV", 1)]);
    assert_eq!(samples(&record), [some(&[1, 2]), some(&[3])]);
}

#[test]
fn a_master_that_contradicts_its_segments_is_refused() {
    let folder = Folder::new();
    let slow = Rate { numerator: 1, denominator: 2 };
    write_record(&folder.0, "p", RATE, None, &[channel("II", 16, &some(&[1, 2]))]).unwrap();
    let refused = |rate: Rate, part: &str, frames: u64| {
        write_master(&folder.0, "m", rate, None, Layout::Fixed(1), &[(part, frames)]).unwrap();
        folder.read("m").unwrap_err().to_string()
    };

    assert!(refused(RATE, "p", 3).contains("m.hea, line 2: \"p\" has only 2 frames"));
    assert!(refused(slow, "p", 2).contains("another sampling frequency"));
    assert!(refused(RATE, "m", 2).contains("itself a master"));
    assert!(refused(RATE, "q", 2).contains("q.hea (named in line 2 of its header)"));
    fs::write(folder.0.join("m.hea"), "m/1 1 125 9\np 2\n").unwrap();
    assert!(folder.read("m").unwrap_err().to_string().contains("9 frames announced"));
}

#[test]
fn a_malformed_header_is_refused_with_its_line() {
    let cases = [
        ("", 0),
        ("# only a comment\n", 0),
        ("a\n", 1),
        ("a x\n", 1),
        ("a -1\n", 1),
        ("a/0 1\n", 1),
        ("a/x 1\n", 1),
        ("a 0 0\n", 1),
        ("a 0 1e99\n", 1),
        ("a 0 nan\n", 1),
        ("a 0 125 -5\n", 1),
        ("a 0 125 5 25:61\n", 1),
        ("a 0 125 5 0:0:0 32/1/2000\n", 1),
        ("a 2 125\na.dat 16\n", 1),
        ("a 1 125\na.dat 16\na.dat 16\n", 1),
        ("a 1\n\na.dat\n", 3),
        ("a 1\na.dat x\n", 2),
        ("a 1\na.dat 16x0\n", 2),
        ("a 1\na.dat 16:z\n", 2),
        ("a 1\na.dat 16 1..2\n", 2),
        ("a 1\na.dat 16 1(2\n", 2),
        ("a 1\na.dat 16 1(2)x\n", 2),
        ("a 1\na.dat 16 1 300\n", 2),
        ("a 1\na.dat 16 1 8 99999999999\n", 2),
        ("a 3\na.dat 16\nb.dat 16\na.dat 16\n", 4),
        ("a 2\na.dat 16\na.dat 212\n", 3),
        ("a/1 1\n~\n", 2),
        ("a/1 1\n~ 18446744073709551616\n", 2),
        ("a/2 1\n~ 18446744073709551615\n~ 18446744073709551615\n", 3),
    ];
    for (header, expected) in cases {
        let files: [(&str, &[u8]); 3] =
            [("a.hea", header.as_bytes()), ("a.dat", &[0; 8]), ("b.dat", &[0; 8])];
        match Folder::with(&files).read("a") {
            Err(WfdbError::Malformed { line, .. }) => assert_eq!(line, expected, "{header:?}"),
            other => panic!("{header:?} gave {other:?}"),
        }
    }
}

#[test]
fn no_name_leads_out_of_the_folder() {
    for name in ["../a.dat", "/etc/passwd", "..", "b/a.dat", "b\\a.dat", "-", ".a", "a\0b"] {
        for header in [format!("a 1 125\n{name} 16\n"), format!("a/1 1 125\n{name} 16\n")] {
            let folder = Folder::with(&[("a.hea", header.as_bytes())]);

            let error = folder.read("a").unwrap_err();

            assert!(matches!(error, WfdbError::Outside { line: 2, .. }), "{name:?}: {error}");
        }
    }
}

#[test]
fn what_is_not_there_or_too_much_is_refused_before_memory_is_taken() {
    let error = |header: &str| {
        let folder = Folder::with(&[("a.hea", header.as_bytes()), ("a.dat", &[0; 5])]);
        folder.read("a").unwrap_err()
    };

    let Err(WfdbError::Disk { line: 0, .. }) = Folder::new().read("a") else { panic!() };
    let WfdbError::Disk { line: 2, .. } = error("a 1 1 1\nb.dat 16\n") else { panic!() };
    let WfdbError::Format { format: 508, .. } = error("a 1 1 1\na.dat 508\n") else { panic!() };
    let WfdbError::TooLarge { line: 1, .. } = error("a 99999\n") else { panic!() };
    let huge = error("a 1 1 18446744073709551615\na.dat 16x4294967295+7\n");
    assert!(matches!(huge, WfdbError::Truncated { got_bytes: 5, need_bytes: u64::MAX, .. }));
    let short = error("a 1 1 4\na.dat 212\n");
    let text = short.to_string();
    assert!(text.ends_with("5 bytes where the header needs 6; fetch the file again"), "{text}");
    assert!(text.contains("a.dat (named in line 2 of its header)"), "{text}");
}

#[test]
fn any_bytes_give_a_record_or_an_error() {
    let good: [&[u8]; 2] = [
        b"a 2 125/1(2) 4 1:2:3.4 5/6/7890\na.dat 212x2:1+3 8.3(-1)/mV 8 0 1 2 0 II\n\
    a.dat 212+3 20 8 0 1 2 0 V\n",
        b"a/4 2 125/1(2) 11 1:2:3.4 5/6/7890\nl 0\np 4\n~ 3\np 4\n",
    ];
    let alphabet = b"0193-~/.:x+() #\nae\xff\0";
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let part = b"p 1 125\na.dat 16 8.3(-1)/mV 8 0 1 2 0 II\n";
    let layout = b"l 1 125 0\n~ 0 8.3(-1)/mV 8 0 1 2 0 II\n";
    let folder = Folder::with(&[("a.dat", &[0xa5; 64]), ("p.hea", part), ("l.hea", layout)]);
    let mut records = 0;
    for _ in 0..3000 {
        let mut header = good[next(2)].to_vec();
        for _ in 0..next(6) {
            let at = next(header.len());
            match next(3) {
                0 => header[at] = alphabet[next(alphabet.len())],
                1 => header.insert(at, alphabet[next(alphabet.len())]),
                _ => drop(header.remove(at)),
            }
        }
        fs::write(folder.0.join("a.hea"), &header).unwrap();
        match folder.read("a") {
            Ok(_) => records += 1,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!((300..2700).contains(&records), "{records} of 3000 were records: too tame or too wild");
}

#[test]
fn the_writer_refuses_what_it_could_not_write_truly() {
    let folder = Folder::new();
    let write = |rate, channels: &[ChannelToWrite]| {
        write_record(&folder.0, "a", rate, None, channels).is_err()
    };

    assert!(write(RATE, &[channel("II", 80, &some(&[-128]))]));
    assert!(write(RATE, &[channel("II", 212, &some(&[2048]))]));
    assert!(write(RATE, &[channel("II", 311, &some(&[1]))]));
    let uneven = [channel("II", 16, &some(&[1])), channel("V", 16, &some(&[1, 2]))];
    assert!(write(RATE, &uneven));
    assert!(write(Rate { numerator: 1, denominator: 3 }, &[]));
}

/// The last number of a signal line before the block size is the 16-bit sum of its samples.
fn assert_checksums(folder: &Path, name: &str, record: &Record) {
    let text = fs::read_to_string(folder.join(format!("{name}.hea"))).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains(".dat")).collect();
    assert_eq!(lines.len(), record.segments[0].channels.len(), "{name}");
    for (line, channel) in lines.iter().zip(&record.segments[0].channels) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let format: u32 = fields[1].parse().unwrap();
        let invalid = [(80, -128), (212, -2048), (16, -32768)];
        let invalid = invalid.iter().find(|(number, _)| *number == format).unwrap().1;
        let raw = channel.samples.iter().map(|sample| sample.unwrap_or(invalid));
        assert_eq!(raw.clone().next().unwrap(), fields[5].parse::<i32>().unwrap(), "{line}");
        let sum: i64 = raw.map(i64::from).sum();
        assert_eq!(sum as i16, fields[6].parse::<i16>().unwrap(), "{name}: {line}");
    }
}

#[test]
fn the_shared_records_have_the_checksums_of_their_headers() {
    let Some(shared) = shared() else { return };
    let mut read_through = 0;
    for folder in [shared.clone(), shared.join("s00001")] {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|extension| extension != "hea") {
                continue;
            }
            match read(&folder.join(&name)) {
                Ok(record) if record.segments.len() == 1 => {
                    if !record.segments[0].channels.is_empty() {
                        assert_checksums(&folder, &name, &record);
                        read_through += 1;
                    }
                }
                Ok(_) => {}
                Err(WfdbError::Disk { problem: std::io::ErrorKind::NotFound, .. }) => {
                    println!("{name}: a file of it is not in ../shared");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(read_through >= 4, "only {read_through} records");
}

#[test]
fn the_shared_numerics_keep_their_rate_and_their_year() {
    let Some(shared) = shared() else { return };

    let record = read(&shared.join("s00001/s00001-2896-10-10-00-31n")).unwrap();

    assert_eq!(record.rate.numerator, 166_666_666_667);
    assert_eq!(record.rate.denominator, 10_000_000_000_000);
    assert_eq!(record.base.unwrap().date, Some(BaseDate { day: 10, month: 10, year: 2896 }));
    assert_eq!(record.base.unwrap().minute, 31);
    assert_eq!((record.signals.len(), record.length_frames), (10, 1936));
    assert_eq!(record.segments[0].channels[7].samples[0], None);
}
