//! Messages as monitors send them.

use super::*;
use wire::identity::DeviceId;

const HEAD: &str = "MSH|^~\\&|MON^00091EFFFE8012D4^EUI-64|WARD|||20260101120000+0100||\
                    ORU^R01^ORU_R01|m1|P|2.6|||||||||IHE_PCD_001^\
                    IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO";
const MDS: &str = "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||^^\
 0123456789ABCDEF^EUI-64";

fn understood(segments: &[&str]) -> Result<Reported, Refusal> {
    let text = [&[HEAD], segments].concat().join("\r");
    read(&Message::parse(&text).unwrap())
}

fn numbers(system: &System) -> Vec<(u32, String, u16)> {
    let number = |item: &Item| match &item.what {
        What::Number(channel, Number::Is(decimal), status) => {
            (channel.code, decimal.to_string(), *status)
        }
        What::Number(channel, Number::Not(state), status) => {
            (channel.code, state.name().to_owned(), *status)
        }
        other => panic!("no number: {other:?}"),
    };
    system.items.iter().map(number).collect()
}

#[test]
fn numbers_keep_their_digits_their_status_and_their_device() {
    let reported = understood(&[
        "OBR|1|A^M|B^M|182777000^monitoring of patient^SCT|||20260101115930+0100|\
         20260101120000+0100",
        MDS,
        "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.1|97.50|262688^MDC_DIM_PERCENT^MDC|\
         90-100||||R",
        "OBX|3|NM|147842^MDC_ECG_HEART_RATE^MDC|1.2.1.1|80|264864^MDC_DIM_BEAT_PER_MIN^MDC||\
         QUES~DEMO|||R",
        "OBX|4|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.3.1.1||266016^MDC_DIM_MMHG^MDC||NAV|||X",
        "OBX|5|NM|150022^MDC_PRESS_BLD_NONINV_DIA^MDC|1.3.1.2|---|266016^MDC_DIM_MMHG^MDC|||||F",
        "OBX|6|SN|8310-5^Temp^LN|1.4.1.1|^36.6|Cel^^UCUM|||||R|||20260101120001+0100",
    ])
    .unwrap();
    let [system] = &reported.systems[..] else { panic!("one device: {reported:?}") };
    assert_eq!(system.identity.device, DeviceId(0x0123_4567_89AB_CDEF));
    assert_eq!((system.mode, system.clock), (Mode::Normal, DeviceClock::Utc));
    assert_eq!(
        numbers(system),
        [
            (150_456, "97.50".into(), 0),
            (147_842, "80".into(), 0b10_0010),
            (150_021, "missing".into(), 0b100),
            (150_022, "missing".into(), 1 << 8),
            (0, "36.6".into(), 0),
        ]
    );
    let What::Number(channel, ..) = &system.items[4].what else { panic!("no number") };
    assert_eq!((channel.label.as_str(), channel.unit_label.as_str()), ("8310-5^Temp^LN", "Cel"));
    assert_eq!(system.items[4].ticks - system.items[0].ticks, 310_000, "its own time, 31 s later");
}

#[test]
fn a_patient_is_one_only_after_a_pid_with_an_identifier() {
    let value = "OBX|2|NM|1^A^MDC|1.1.1.1|5|";
    let reported =
        understood(&[value, "PID|1||4711^^^HOSP^MR||Doe^Jane", value, "PID|2||||Doe^John", value])
            .unwrap();
    let patients: Vec<_> = reported.systems.iter().map(|system| system.patient.clone()).collect();
    let jane = Patient { authority: "HOSP".into(), id: "4711".into() };
    assert_eq!(patients, [None, Some(jane)]);
    assert_eq!(reported.systems[0].items.len(), 2, "the last one is nobody's");
}

#[test]
fn channels_of_one_name_at_one_moment_bear_their_place() {
    let reported =
        understood(&["OBX|1|NM|5^A^MDC|1.1.1.1|1|", "OBX|2|NM|5^A^MDC|1.1.2.1|2|"]).unwrap();
    let label = |item: &Item| match &item.what {
        What::Number(channel, ..) => channel.label.clone(),
        _ => String::new(),
    };
    let labels: Vec<_> = reported.systems[0].items.iter().map(label).collect();
    assert_eq!(labels, ["A", "A 1.1.2.1"]);
}

#[test]
fn words_are_kept_with_their_code() {
    let reported = understood(&[
        "OBX|1|CWE|184508^MDC_PUMP_STAT^MDC|1.1.1.1|197288^pump-status-infusing^MDC|||||R",
        "OBX|2|ST|46098-0^Sex^LN|1.1.1.2|F|",
    ])
    .unwrap();
    let said: Vec<_> = reported.systems[0].items.iter().map(|item| item.what.clone()).collect();
    assert_eq!(
        said,
        [
            What::Words(184_508, "197288 pump-status-infusing".into()),
            What::Words(0, "46098-0^Sex^LN: F".into()),
        ]
    );
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_place() {
    for (segment, place) in [
        ("OBX|1|NM|1^A^MDC|1.1.1.1|12x|", "OBX[1]-5"),
        ("OBX|1|NM|1^A^MDC|1.1.1.1|1~2|", "OBX[1]-5"),
        ("OBX|1|NM||1.1.1.1|5|", "OBX[1]-3"),
        ("OBX|1|NA|1^A^MDC|1.1.1.1|1^2^3|", "OBX[1]-2"),
        ("OBX|1|NM|1^A^MDC|1.1.1.1|5||||||R|||yesterday", "OBX[1]-14"),
        ("OBR|1|||||||2026|", "OBR[1]-7"),
    ] {
        let segment = if place == "OBR[1]-7" { "OBR|1||||||2026|" } else { segment };
        assert_eq!(understood(&[segment]).unwrap_err().place, place, "{segment}");
    }
    for (from, to, place) in [
        ("ORU^R01", "ADT^A01", "MSH-9"),
        ("|P|2.6", "|Q|2.6", "MSH-11"),
        ("|P|2.6", "|P|3.0", "MSH-12"),
    ] {
        let text = HEAD.replace(from, to);
        let refusal = read(&Message::parse(&text).unwrap()).unwrap_err();
        assert_eq!(refusal.place, place);
    }
}

const ALERT: [&str; 8] = [
    "OBR|1||17^MON|196616^MDC_EVT_ALARM^MDC|||20260101120000+0100",
    "OBX|1|ST|196648^MDC_EVT_HI^MDC|1.1.1.4.1|ABPs 119>110||||||R|||20260101115959.5+0100",
    "OBX|2|NM|150037^MDC_PRESS_BLD_ART_ABP_SYS^MDC|1.1.1.4.2|119|266016^MDC_DIM_MMHG^MDC|||||R",
    "OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.1.1.4.3|start||||||R",
    "OBX|4|ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.1.1.4.4|active||||||R",
    "OBX|5|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC|1.1.1.4.5|audio-paused||||||R",
    "OBX|6|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.1.1.4.6|PM||||||R",
    "OBX|7|ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.1.1.4.7|SP||||||R",
];

fn alerts(segments: &[&str]) -> Result<Reported, Refusal> {
    let head = HEAD.replace("ORU^R01^ORU_R01", "ORU^R40^ORU_R40");
    let text = [&[head.as_str()], segments].concat().join("\r");
    read(&Message::parse(&text).unwrap())
}

#[test]
fn published_error_4_the_facets_of_an_alert_are_68480_to_68485() {
    let reported = alerts(&ALERT).unwrap();
    let [system] = &reported.systems[..] else { panic!("one device") };
    let [value, alert] = &system.items[..] else { panic!("value and alert: {system:?}") };
    assert!(matches!(&value.what, What::Number(channel, ..) if channel.code == 150_037));
    let text = "ABPs 119>110 [audio-paused]".to_owned();
    assert_eq!(alert.what, What::Alert(196_648, 150_037, [0, 1, 2], text));
    assert_eq!(alert.ticks % 10_000, 5_000);
}

#[test]
fn a_technical_alert_has_its_event_in_the_value() {
    let reported = alerts(&[
        ALERT[0],
        "OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.1.1.4.1|196882^MDC_EVT_LEADS_OFF^MDC^^^^^^leads off",
        "OBX|2|CWE|68480^MDC_ATTR_ALERT_SOURCE^MDC|1.1.1.4.2|131328^MDC_ECG_ELEC_POTL^MDC",
        ALERT[3],
        ALERT[6],
    ])
    .unwrap();
    let what = &reported.systems[0].items[0].what;
    assert_eq!(*what, What::Alert(196_882, 131_328, [0, 0, 2], "leads off".into()));
}

#[test]
fn two_alerts_of_one_order_are_two_and_words_of_the_second_facet_are_kept() {
    let second: Vec<String> = ALERT[1..]
        .iter()
        .map(|row| row.replace("|1.1.1.4.", "|1.1.1.5.").replace("119>110", "130>110"))
        .collect();
    let same_place: Vec<String> =
        second.iter().map(|row| row.replace("|1.1.1.5.", "|1.1.1.4.")).collect();
    for second in [second, same_place] {
        let rows: Vec<&str> = ALERT.into_iter().chain(second.iter().map(String::as_str)).collect();
        let reported = alerts(&rows).unwrap();
        let is_alert = |item: &&Item| matches!(item.what, What::Alert(..));
        let texts: Vec<String> = reported.systems[0]
            .items
            .iter()
            .filter(is_alert)
            .map(|item| format!("{:?}", item.what))
            .collect();
        assert!(texts.len() == 2 && texts[0] != texts[1], "{texts:?}");
    }
    let words = "OBX|2|ST|68480X^X^99X|1.1.1.4.2|left arm||||||R";
    let reported = alerts(&[ALERT[0], ALERT[1], words, ALERT[3]]).unwrap();
    let said = format!("{:?}", reported.systems[0].items);
    assert!(said.contains("left arm"), "{said}");
}

#[test]
fn an_alert_without_event_or_phase_is_refused() {
    let without = |number: usize| {
        let all: Vec<&str> =
            ALERT.iter().enumerate().filter(|(at, _)| *at != number).map(|(_, s)| *s).collect();
        alerts(&all)
    };
    assert!(without(1).is_err() && without(3).is_err());
    assert!(without(5).is_ok() && without(7).is_ok());
    let wrong = ALERT[3].replace("start", "begun");
    assert_eq!(alerts(&[ALERT[0], ALERT[1], &wrong]).unwrap_err().place, "OBX[2]-5");
}

#[test]
fn lines_may_end_as_they_like_and_a_message_without_observations_is_refused() {
    let row = "OBX|1|NM|1^A^MDC|1.1.1.1|5|";
    for end in ["\r", "\n", "\r\n"] {
        let text = [HEAD, row, row].join(end);
        let reported = read(&Message::parse(&text).unwrap()).unwrap();
        assert_eq!(reported.systems[0].items.len(), 2, "{end:?}");
    }
    assert_eq!(understood(&[]).unwrap_err().place, "OBX");
}

#[test]
fn more_observations_than_a_device_has_channels_are_refused() {
    let row = |n: usize| format!("OBX|{n}|NM|{n}^A^MDC|1.1.1.{n}|1|");
    let rows: Vec<String> = (1..=257).map(row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    assert!(understood(&rows[..256]).is_ok());
    assert_eq!(understood(&rows).unwrap_err().place, "OBX");
}
