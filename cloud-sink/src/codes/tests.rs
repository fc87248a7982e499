//! Lint of the tables, and the published errors as tests.

use std::collections::HashSet;

use super::*;

#[test]
fn every_code_is_partition_and_term_and_stands_once_for_each_unit() {
    let (mut pairs, mut names) = (HashSet::new(), HashSet::new());
    for row in rows() {
        let (partition, term) = row.term.split_once(':').unwrap();
        let number = partition.parse::<u32>().unwrap() * 65_536 + term.parse::<u32>().unwrap();
        assert_eq!(number, row.code, "{row:?}");
        assert!(pairs.insert((&row.group, row.code, row.unit)), "twice: {row:?}");
        let name = (&row.group, &row.refid, row.unit);
        assert!(row.refid.is_empty() || names.insert(name), "twice: {row:?}");
        assert!(row.low.zip(row.high).is_none_or(|(low, high)| low < high), "{row:?}");
    }
}

#[test]
fn every_unit_of_the_code_table_is_in_the_unit_table_with_the_same_words() {
    for row in rows() {
        let Some(unit) = row.unit else { continue };
        let known = unit_of(unit).unwrap();
        assert_eq!((&known.refid, &known.ucum), (&row.unit_refid, &row.ucum), "{row:?}");
    }
}

/// Luhn's sum over the digits before the dash.
fn check_digit(loinc: &str) -> bool {
    let Some((digits, check)) = loinc.split_once('-') else { return false };
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    check.parse() == Ok((10 - sum % 10) % 10)
}

#[test]
fn every_loinc_code_has_its_check_digit() {
    let mut seen = 0;
    for row in rows() {
        for loinc in [&row.loinc, &row.loinc_also].into_iter().filter(|loinc| !loinc.is_empty()) {
            assert!(check_digit(loinc), "{loinc} of {row:?}");
            seen += 1;
        }
        assert!(["", "verified", "unverified"].contains(&row.pairing.as_str()), "{row:?}");
    }
    assert!(seen > 50 && !check_digit("8867-5") && !check_digit("59408-6"));
}

/// Symbols of UCUM that take a metric prefix, and those that take none.
const METRIC: [&str; 12] =
    ["m", "g", "s", "L", "Pa", "V", "mol", "Ohm", "Cel", "m[Hg]", "m[H2O]", "Hz"];
const PLAIN: [&str; 6] = ["min", "h", "d", "%", "1", "[degF]"];
const PREFIXES: [&str; 10] = ["", "d", "c", "m", "u", "n", "p", "h", "k", "M"];

/// A component of UCUM: an annotation, or a symbol with an exponent.
fn is_component(text: &str) -> bool {
    if text.starts_with('{') {
        return text.ends_with('}') && !text[1..text.len() - 1].contains(['{', '}']);
    }
    let symbol = if PLAIN.contains(&text) || METRIC.contains(&text) {
        text
    } else {
        text.trim_end_matches(|letter: char| letter.is_ascii_digit())
    };
    let is_metric =
        |prefix: &&str| symbol.strip_prefix(*prefix).is_some_and(|rest| METRIC.contains(&rest));
    PLAIN.contains(&symbol) || PREFIXES.iter().any(is_metric)
}

fn is_ucum(text: &str) -> bool {
    let text = text.strip_prefix('/').unwrap_or(text);
    !text.is_empty() && text.split(['/', '.']).all(is_component)
}

#[test]
fn every_unit_is_ucum() {
    for row in rows().iter().filter(|row| !row.ucum.is_empty()) {
        assert!(is_ucum(&row.ucum), "{row:?}");
    }
    units::all().for_each(|unit| assert!(is_ucum(&unit.ucum), "{unit:?}"));
    for wrong in ["mmHg", "mg/dL or mmol/L", "% (or 1)", "per drug", "bpm", "°C", ""] {
        assert!(!is_ucum(wrong), "{wrong}");
    }
}

#[test]
fn an_unknown_code_has_no_row_and_keeps_its_number() {
    assert_eq!(code(0xF0F1_0001), None);
    assert_eq!(unit(999_999), "[MDC 999999]");
}

fn loinc_of(number: u32) -> Vec<&'static str> {
    code(number).unwrap().loinc().collect()
}

#[test]
fn published_error_1_saturation_of_a_pulse_oximeter_is_150456_and_not_arterial() {
    assert_eq!(loinc_of(150_456), ["59408-5", "2708-6"]);
    assert_eq!(loinc_of(150_324), ["2708-6"]);
}

#[test]
fn published_error_2_both_codes_of_axillary_temperature_are_known() {
    assert_eq!((loinc_of(188_452), loinc_of(188_496)), (vec!["8328-7"], vec!["8328-7"]));
}

#[test]
fn published_error_3_st_levels_stand_in_partition_2() {
    for (lead, number) in [("I", 131_841), ("II", 131_842), ("III", 131_901), ("V6", 131_848)] {
        assert_eq!(code(number).unwrap().refid, format!("MDC_ECG_AMPL_ST_{lead}"));
    }
    assert!((769..=876).all(|printed| code(printed).is_none()));
}

#[test]
fn published_error_5_invasive_pressure_is_not_what_a_cuff_measures() {
    let cuff = ["76534-7", "76535-4", "76536-2"];
    for number in [150_033, 150_037, 150_038, 150_039] {
        let row = code(number).unwrap();
        assert!(!cuff.contains(&row.loinc.as_str()) && row.loinc.starts_with("762"), "{row:?}");
    }
}

#[test]
fn published_error_7_stroke_volume_has_no_pair_until_it_is_settled() {
    let named = |row: &&CodeRow| [row.loinc.as_str(), row.loinc_also.as_str()].contains(&"20562-5");
    assert_eq!(rows().iter().find(named), None);
    assert_eq!(loinc_of(150_404), [""; 0]);
}

#[test]
fn only_pairs_that_somebody_has_published_are_exported() {
    assert_eq!(code(150_488).unwrap().loinc, "61006-3");
    assert_eq!(loinc_of(150_488), [""; 0]);
    assert_eq!(loinc_of(147_842), ["8867-4"]);
}

#[test]
fn units_differ_by_powers_of_ten_or_not_at_all() {
    let value = Decimal { mantissa: 1250, exponent: -2 };
    let volts = convert(value, 266_419, 266_418).unwrap();
    assert_eq!(volts.to_string(), "0.01250", "12.50 uV in mV, all digits");
    assert_eq!(convert(value, 266_016, 266_016), Ok(value));
    for (from, to) in [(266_560, 268_192), (265_987, 266_016), (264_274, 266_866), (1, 266_016)] {
        assert_eq!(convert(value, from, to), Err(NotExact { from, to }));
    }
}

#[test]
fn a_code_in_a_foreign_unit_is_not_taken_for_what_it_is_not() {
    assert_eq!(code_in(150_364, 268_192).unwrap().ucum, "Cel");
    assert_eq!(code_in(150_364, 266_560), None, "a temperature in Fahrenheit is not Cel");
    assert_eq!(code_in(150_021, 265_987), None, "a pressure in kPa is not mm[Hg]");
    assert_eq!(code_in(160_020, 266_866).unwrap().ucum, "mmol/L");
    assert_eq!(code_in(131_330, 266_400).unwrap().ucum, "mV", "volts, by an exact factor");
}

#[test]
fn a_value_is_plausible_if_a_sensor_can_mean_it() {
    let row = code(150_456).unwrap();
    for (mantissa, exponent, is) in
        [(975, -1, true), (100, 0, true), (1001, -1, false), (-1, -20, false), (1, 120, false)]
    {
        assert_eq!(row.is_plausible(Decimal { mantissa, exponent }), is, "{mantissa}e{exponent}");
    }
    assert!(code(157_784).unwrap().is_plausible(Decimal { mantissa: -9, exponent: 100 }));
}
