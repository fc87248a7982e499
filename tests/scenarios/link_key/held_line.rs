//! Somebody else holds the line: what he says, repeats or takes away gains him nothing.

use wire::link::{Challenge, DataWriter, Frame, Kind, LinkKey, Sealing, write_hello};
use wire::reading::Mode;
use wire::time::DeviceClock;

use super::*;

#[tokio::test(flavor = "current_thread")]
async fn what_somebody_else_says_in_a_device_s_place_is_not_taken() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    (0..3).for_each(|value| take(&mut sender, Class::Vital, value));
    let (_, [recorded, _]) = talk(&mut sender, &mut gateway, 0).await;
    let about = (DEVICE, DeviceClock::Tick, 6, Mode::Normal);
    let hello = write_hello(about, 1, "x", 0, &[CHANNEL]).unwrap();
    let mut writer = DataWriter::new(9);
    writer.numerics(0, &[Ok(999)]);
    let data = writer.finish();
    let openly = [
        encoded(Kind::Hello, 1, 0, hello.as_slice()),
        encoded(Kind::Data, 1, 4, data.as_slice()),
        encoded(Kind::Gap, 1, 4, &[0x82, 9, 1]),
    ];
    let wrong = Sealing { key: LinkKey::new([1; 32]), challenge: Challenge([0; 12]) };
    let frame = Frame { kind: Kind::Data, boot: 1, sequence: 4, payload: data.as_slice() };
    let forged = wrong.seal(&frame).unwrap();
    let forged = encoded(Kind::Sealed, 1, 4, forged.frame().payload);

    let (_, injected) =
        gateway.hear(&[openly.concat(), forged, recorded.clone()].concat(), 9).await;
    gateway.again();
    let (_, replayed) = gateway.hear(&[openly.concat(), recorded].concat(), 9_000).await;

    assert_eq!((injected, replayed), (vec![], vec![]));
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_else_makes_a_device_forget_what_it_holds() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    talk(&mut sender, &mut gateway, 0).await;
    take(&mut sender, Class::Vital, 1);
    let words = said(&mut sender, 3_000);
    let first = frames(&words)[0].2;
    let offer = Challenge([3; 12]).write();
    let wrong = Sealing { key: LinkKey::new([1; 32]), challenge: Challenge([3; 12]) };
    let ack = Frame { kind: Kind::Ack, boot: 1, sequence: first, payload: &[] };
    let forged = encoded(Kind::Sealed, 1, first, wrong.seal(&ack).unwrap().frame().payload);

    sender.hear(&encoded(Kind::Ack, 1, first, &[]), 3_001);
    sender.hear(&encoded(Kind::Heard, 1, first, &[]), 3_001);
    sender.hear(&encoded(Kind::Query, 1, 0, &[]), 3_001);
    sender.hear(&encoded(Kind::Query, 1, 0, offer.as_slice()), 3_001);
    sender.hear(&forged, 3_001);

    assert_eq!(sender.ring.waiting(), 1);
    let (taken, _) = talk(&mut sender, &mut gateway, 3_100).await;
    assert_eq!((taken, sender.ring.waiting()), (vec![(Proof::Key, 1)], 0), "it goes on after that");
}

#[tokio::test(flavor = "current_thread")]
async fn records_that_are_taken_off_the_line_are_never_passed_over() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    (0..6).for_each(|value| take(&mut sender, Class::Vital, value));
    let mut taken = Vec::new();
    for now in (0..30_000).step_by(50) {
        let (records, rest) = parted(&said(&mut sender, now));
        let kept = records.into_iter().filter(|record| !frames(record).iter().any(|of| of.2 <= 3));
        let words = [rest, kept.collect::<Vec<_>>().concat()].concat();
        let (answer, more) = gateway.hear(&words, now).await;
        sender.hear(&answer, now);
        taken.extend(more);
    }
    assert_eq!((taken, sender.ring.waiting()), (vec![], 6));
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_said_in_a_device_s_place_before_it_had_a_key_is_not_its_own() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::new(true));
    let mut other = device(1);
    (0..3).for_each(|value| take(&mut other, Class::Vital, value));
    let (forged, _) = talk(&mut other, &mut gateway, 0).await;
    assert_eq!(forged.len(), 3);
    admission::add(&gateway.keys(), DEVICE, &KEY).unwrap();
    (0..2).for_each(|value| take(&mut sender, Class::Vital, value));

    let (taken, _) = talk(&mut sender, &mut gateway, 5_000).await;
    take(&mut other, Class::Vital, 9);
    let (more, _) = talk(&mut other, &mut gateway, 9_000).await;

    assert_eq!(taken, [1, 2].map(|sequence| (Proof::Key, sequence)), "all of its own");
    assert_eq!(more, [], "and nothing of the other's");
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_that_is_over_does_not_come_back_on_the_same_line() {
    let (mut first, mut gateway) = (keyed(1), Gateway::knowing());
    take(&mut first, Class::Vital, 1);
    let (_, [recorded, _]) = talk(&mut first, &mut gateway, 0).await;
    let mut second = keyed(2);
    take(&mut second, Class::Vital, 1);
    talk(&mut second, &mut gateway, 5_000).await;

    let (_, replayed) = gateway.hear(&recorded, 9_000).await;
    take(&mut second, Class::Vital, 2);
    let (taken, _) = talk(&mut second, &mut gateway, 9_100).await;

    assert_eq!((replayed, taken), (vec![], vec![(Proof::Key, 2)]));
}
