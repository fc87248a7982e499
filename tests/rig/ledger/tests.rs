//! The ledger finds what is lost, doubled and altered, and nothing else.

use std::fs;

use wire::batch::ChannelInfo;
use wire::decimal::Absent;
use wire::identity::DeviceId;
use wire::time::Rate;

use super::*;

const ALERT_LINE: &str = "5,alert,196648,147842,0,1,3,,\"high, \"\"very\"\"\"\n";

fn said() -> Said {
    let mut said = Said::new(DeviceId(1));
    let info = |label: &str, kind| ChannelInfo {
        code: 1,
        unit: 2,
        kind,
        label: label.into(),
        unit_label: "mV".into(),
    };
    let mut numeric = SaidChannel::new(info("HR", ChannelKind::Numeric { exponent: -1 }));
    let number = Number::Is(Decimal { mantissa: 200, exponent: -1 });
    numeric.values = Values::Numerics(vec![
        (10, number, 0),
        (20, Number::Not(Absent::NaN), 1),
        (30, number, 2),
        (40, number, 1),
    ]);
    let gain = Decimal { mantissa: 2000, exponent: -1 };
    let kind = ChannelKind::Wave { rate: Rate::hertz(500), gain, baseline: -3, bits: 0 };
    let mut wave = SaidChannel::new(info("II", kind));
    wave.wave(100, 1, 0, &[Some(7), None]);
    said.channels = vec![numeric, wave];
    said.alerts.push(SaidAlert {
        time_ns: 5,
        code: 196_648,
        source: 147_842,
        levels: [0, 1, 3],
        text: "high, \"very\"".into(),
    });
    said
}

fn compared(numeric_rows: &str, wave_rows: &str, alert_rows: &str) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let head = "# signal: HR\n# unit: mV\ntime_unix_ns,value,unit,validity\n";
    fs::write(folder.path().join("HR.csv"), format!("{head}{numeric_rows}")).unwrap();
    let head = "# signal: II\n# unit: mV\n# gain: 200\n# baseline: -3\n# rate: 1000/2\n\
                # bits: 0\n\
                time_unix_ns,value,unit,validity\n";
    fs::write(folder.path().join("II.csv"), format!("{head}{wave_rows}")).unwrap();
    let head = "time_unix_ns,kind,code,source,phase,state,priority,value,text\n";
    fs::write(folder.path().join("alerts.csv"), format!("{head}{alert_rows}")).unwrap();
    let mut ledger = Ledger::default();
    ledger.compare(&said(), folder.path()).unwrap();
    ledger
}

const NUMERIC_ROWS: &str = "10,20.0,mV,valid\n20,,mV,not-a-number\n30,20.0,mV,questionable\n\
                            40,,mV,invalid\n";
const WAVE_ROWS: &str = "2000100,7,mV,valid\n4000100,,mV,invalid\n";

#[test]
fn a_faithful_store_is_clean() {
    let ledger = compared(NUMERIC_ROWS, WAVE_ROWS, ALERT_LINE);

    assert!(ledger.is_clean(), "{:?}", ledger.differences);
    assert_eq!((ledger.produced, ledger.stored, ledger.alerts), (6, 6, 1));
}

#[test]
fn a_missing_row_is_lost() {
    let ledger = compared(&NUMERIC_ROWS[17..], &WAVE_ROWS[..19], "");

    assert_eq!((ledger.lost, ledger.duplicates_stored, ledger.altered), (3, 0, 0));
    assert_eq!(ledger.stored, 4);
}

#[test]
fn a_row_that_stands_twice_is_a_duplicate() {
    let twice = format!("10,20.0,mV,valid\n{NUMERIC_ROWS}");
    let ledger = compared(&twice, WAVE_ROWS, &ALERT_LINE.repeat(2));

    assert_eq!((ledger.lost, ledger.duplicates_stored, ledger.altered), (0, 2, 0));
}

#[test]
fn a_changed_digit_unit_validity_or_time_is_an_alteration() {
    for (from, to, lost) in [
        ("10,20.0", "10,20.00", 0),
        ("20,,mV", "20,,V", 0),
        ("30,20.0,mV,questionable", "30,20.0,mV,valid", 0),
        ("40,,mV", "41,,mV", 1),
    ] {
        let ledger = compared(&NUMERIC_ROWS.replace(from, to), WAVE_ROWS, ALERT_LINE);
        assert_eq!((ledger.lost, ledger.duplicates_stored, ledger.altered), (lost, 0, 1), "{to}");
    }
    assert_eq!(compared(NUMERIC_ROWS, WAVE_ROWS, &ALERT_LINE.replace("high", "low")).altered, 1);
}
