//! Frames of messages.

use super::*;
use crate::intake::hl7::message::Message;
use crate::intake::hl7::observe;
use wire::link::{Entries, Entry};

fn system(rows: &[String]) -> System {
    let head = "MSH|^~\\&|A|B|||20260101120000+0000||ORU^R01|1|P|2.6".to_owned();
    let text = [&[head], rows].concat().join("\r");
    observe::read(&Message::parse(&text).unwrap()).unwrap().systems.remove(0)
}

fn cast() -> Cast {
    Cast::new(Registry::default(), Patients::default(), 7)
}

const PORT: fn() -> Arc<str> = || "MLLP".into();

fn said(system: &System) -> (Arc<Device>, Vec<Vec<u8>>) {
    let device = cast().device(system, (&PORT(), Proof::Stranger), 14);
    let payloads = payloads(system, &device, b"sixteen bytes it");
    (device, payloads.into_iter().map(|(_, payload)| payload.as_slice().to_vec()).collect())
}

#[test]
fn a_message_of_any_length_becomes_frames_that_say_the_same_in_the_same_order() {
    let row = |n: usize| format!("OBX|{n}|NM|{n}^A^MDC|1.1.1.{n}|-{n}.{n:0>9}|1^U^MDC||QUES|||R");
    for count in [1, 2, 10, 13, 14, 100, 256] {
        let rows: Vec<String> = (1..=count).map(row).collect();
        let system = system(&rows);
        let (device, payloads) = said(&system);
        assert_eq!(payloads.len(), frames(&system).len());
        let mut numbers = Vec::new();
        for payload in &payloads {
            for entry in Entries::read(payload).unwrap() {
                let Entry::Numerics(entry) = entry else { continue };
                let first = usize::from(entry.channel_first);
                numbers.extend(
                    entry
                        .values()
                        .zip(&device.numerics[first..])
                        .map(|(value, of)| (of.code, value.unwrap_err())),
                );
            }
        }
        let wanted = system.items.iter().map(|item| match &item.what {
            What::Number(channel, number, status) => (channel.code, (*number, *status)),
            _ => panic!("no number"),
        });
        assert_eq!(numbers, wanted.collect::<Vec<_>>(), "{count} numbers");
    }
}

#[test]
fn long_words_are_kept_whole_in_pieces() {
    let text = "ü".repeat(500);
    let system = system(&[format!("OBX|1|ST|5^A^MDC|1.1.1.1|{text}|")]);
    let (_, payloads) = said(&system);
    let mut words = String::new();
    for payload in &payloads {
        for entry in Entries::read(payload).unwrap() {
            if let Entry::Alert(alert) = entry {
                assert_eq!((alert.code, alert.source), (5, SOURCE_WORDS));
                words.push_str(alert.text);
            }
        }
    }
    assert_eq!(words, text);
}

#[test]
fn a_device_is_the_same_as_long_as_it_says_the_same_channels() {
    let rows = |value: &str| vec![format!("OBX|1|NM|5^A^MDC|1.1.1.1|{value}|1^U^MDC")];
    let mut cast = cast();
    let mut of =
        |value: &str, run| cast.device(&system(&rows(value)), (&PORT(), Proof::Stranger), run);
    let first = of("36.5", 14);
    assert!(Arc::ptr_eq(&first, &of("37.1", 14)));
    assert!(!Arc::ptr_eq(&first, &of("37", 14)), "a frame says nothing of the ones before it");
    assert_eq!(of("37", 6).source.boot, SourceBoot(6), "of a run before");
    assert!(Arc::ptr_eq(&first, &of("36.9", 14)));
}

#[test]
fn what_a_civil_clock_without_zone_says_is_as_old_as_its_sender_says() {
    let of = |sent: &str, row: &str| {
        let head = format!("MSH|^~\\&|A|B|||{sent}||ORU^R01|1|P|2.6");
        let row = format!("OBX|1|NM|5^A^MDC|1.1.1.1|5|1^U^MDC||||||||{row}");
        let text = [head, row].join("\r");
        let system = observe::read(&Message::parse(&text).unwrap()).unwrap().systems.remove(0);
        (system.clock, payloads(&system, &said(&system).0, b"")[0].0)
    };
    let local = wire::time::DeviceClock::Local;
    assert_eq!(of("20260101120000", "20260101115930.5"), (local, 29_500_000_000));
    assert_eq!(of("20260101120000", "20260101120001"), (local, 0), "nothing is of later");
    assert_eq!(of("", "20260101115930"), (local, 0), "nobody says what the clock is now");
    let utc = (wire::time::DeviceClock::Utc, 0);
    assert_eq!(of("20260101120000+0100", "20260101115930"), utc, "its zone is known");
}
