//! Sender: the ring's records as link frames, sent until the gateway says that they are durable.
//!
//! | when | the device |
//! |---|---|
//! | the gateway has said nothing yet | introduces itself each 100 ms, sends all each second |
//! | it acknowledges to n | drops what is durable |
//! | it has heard to n | goes on behind n: what was sent after it was lost on the way |
//! | each ten seconds | says its standing: its time, and what it holds |
//! | it asks | introduces itself, and sends all that waits again |
//! | the oldest that was not heard was sent 5 s ago | sends from there again |
//! | the same on a line that damages frames, up to 100 ms ago | sends from there again, but less |
//! | nothing became durable for 30 s | introduces itself, and sends all that waits again |

use embedded_io::Write;
use wire::link::{Deframer, ENCODED_BYTES_MAX, Frame, Kind, LinkKey};

use crate::about::About;
use crate::clock::Ticks;
use crate::lock::Lock;
use crate::ring::Ring;

/// Between two hellos to a gateway that has said nothing, milliseconds.
const HELLO_EVERY: u32 = 100;
/// The same on a line that damages frames, where a whole hello may be rare.
const HELLO_EVERY_NOISY: u32 = 5;
/// Between two standings: one may be lost on the way, and clocks drift.
const STANDING_EVERY: u32 = 10_000;
/// Between two times that all is sent to a gateway that has said nothing.
const UNKNOWN_EVERY: u32 = 1_000;
/// The same to a gateway that knows us: longer than it takes to make a batch durable.
const QUIET_EVERY: u32 = 5_000;
/// The same on a line that damages frames, where the gateway says what it has heard.
const NOISY_EVERY: u32 = 100;
/// Records under way on a line that damages frames, at most and at least: the worse it is, the
/// fewer, since only the oldest that was not heard counts.
const WINDOW: (u32, u32) = (64, 1);
/// And the sooner they are sent again: milliseconds for each of them.
const PATIENCE_A_RECORD: u32 = 5;
/// A line without a damaged frame for so long is a good one.
const NOISY_FOR: u32 = 60_000;
/// What was heard and did not become durable for so long was forgotten.
const FORGOTTEN_AFTER: u32 = 30_000;

/// One run of a device on its line. All moments are milliseconds that may wrap.
///
/// Invariant, by distance from the ring's first record: `unheard` <= `next` <= `written`, and
/// `written` never falls.
#[derive(Debug)]
pub struct Sender<'a, const BYTES: usize> {
    about: About<'a>,
    boot: u32,
    /// What waits.
    pub ring: Ring<BYTES>,
    deframer: Deframer,
    lock: Lock,
    /// The next record to be sent.
    next: u32,
    /// Everything before this one has come to the gateway, or is durable.
    unheard: u32,
    /// Everything before this one was sent, once at least.
    written: u32,
    /// The next word of the introduction to be sent, if one is due: 0 is the standing, then it
    /// comes once more if it can be sealed, then come the parts of the hello.
    word: Option<u8>,
    ticks: Ticks,
    said_hello: u32,
    /// Whether a record was sent since: a gateway may take that, and answer nothing else.
    spoke: bool,
    standings: u32,
    said_standing: u32,
    /// What is left of a run that ended: it says nothing of itself but who it was.
    is_over: bool,
    /// What waits is in flash, but for one record.
    in_flash: bool,
    is_known: bool,
    noisy_since: Option<u32>,
    window: u32,
    /// When the oldest record that was not heard was sent.
    waits_since: u32,
    /// When something became durable, or nothing waited.
    durable_at: u32,
    went_back: u32,
}

impl<'a, const BYTES: usize> Sender<'a, BYTES> {
    /// A run of the device; `boot` must be new at every start.
    #[must_use]
    pub fn new(about: About<'a>, boot: u32, now: u32) -> Self {
        Self {
            about,
            boot,
            ring: Ring::default(),
            deframer: Deframer::default(),
            lock: Lock::default(),
            next: 1,
            unheard: 1,
            written: 1,
            word: Some(0),
            ticks: Ticks::default(),
            said_hello: now,
            spoke: false,
            standings: 0,
            said_standing: now,
            is_over: false,
            in_flash: false,
            is_known: false,
            noisy_since: None,
            window: WINDOW.0,
            waits_since: now,
            durable_at: now,
            went_back: now,
        }
    }

    /// It speaks for an earlier run, which has ended: what that left is in the ring, and its time
    /// is no longer known. Its channels must be those of today.
    pub const fn is_over(&mut self, boot: u32) {
        let first = self.ring.first();
        (self.next, self.unheard, self.written) = (first, first, first);
        (self.boot, self.is_over) = (boot, true);
    }

    /// What the ring takes is kept in flash before it is sent: only the record that is being
    /// written goes with the power.
    pub const fn keeps_in_flash(&mut self) {
        self.in_flash = true;
    }

    /// The device has a key: its readings go only to a gateway that has it, too.
    pub fn lock(&mut self, key: LinkKey) {
        self.lock = Lock::new(key);
    }

    /// Takes what has come from the gateway.
    pub fn hear(&mut self, mut bytes: &[u8], now: u32) {
        while !bytes.is_empty() {
            let (taken, frame) = self.deframer.push(bytes);
            bytes = &bytes[taken..];
            match frame {
                Some(Ok(frame)) => {
                    let challenge = self.lock.challenge();
                    if let Some((kind, boot, sequence)) = self.lock.hear(&frame) {
                        // Another challenge: what was said of ourselves under the last one is void.
                        self.word = self.word.filter(|_| challenge == self.lock.challenge());
                        self.take(kind, boot, sequence, now);
                    }
                }
                Some(Err(_)) => self.noisy_since = Some(now),
                None => {}
            }
        }
    }

    fn take(&mut self, kind: Kind, boot: u32, sequence: u32, now: u32) {
        if kind == Kind::Query {
            // It knows nothing of us until it says that it has heard us. Who is just introducing
            // himself goes on: on a slow line he would never come to an end.
            (self.is_known, self.word) = (false, self.word.or(Some(0)));
            self.begin_again(now);
            return;
        }
        if !matches!(kind, Kind::Ack | Kind::Heard) {
            return;
        }
        // Of how many it speaks, from the oldest record on.
        let many = sequence.wrapping_sub(self.ring.first()).wrapping_add(1);
        if boot != self.boot || many > self.written.wrapping_sub(self.ring.first()) {
            return;
        }
        let was_known = core::mem::replace(&mut self.is_known, true);
        match kind {
            Kind::Ack => {
                self.ring.acknowledge(sequence);
                self.durable_at = now;
                self.is_heard_to(sequence, now);
            }
            Kind::Heard => {
                let is_news = sequence.wrapping_add(1) != self.unheard;
                self.is_heard_to(sequence, now);
                if was_known && !is_news && sequence.wrapping_add(1) != self.next {
                    self.is_told_of_a_loss(now);
                }
            }
            _ => {}
        }
    }

    /// The gateway says once more that it waits for what was sent: it was lost, unless it may still
    /// be on its way. One loss is told more than once.
    fn is_told_of_a_loss(&mut self, now: u32) {
        let had_time = now.wrapping_sub(self.waits_since) >= NOISY_EVERY;
        if !had_time && self.noisy_since.is_none() {
            return;
        }
        self.noisy_since = Some(now);
        if now.wrapping_sub(self.went_back) >= self.patience(now) {
            self.go_back(now);
        }
    }

    /// Goes on behind what was heard, with less under way.
    fn go_back(&mut self, now: u32) {
        (self.next, self.went_back) = (self.unheard, now);
        self.window = (self.window / 2).max(WINDOW.1);
    }

    fn begin_again(&mut self, now: u32) {
        self.unheard = self.ring.first();
        (self.next, self.waits_since, self.durable_at) = (self.unheard, now, now);
    }

    /// Everything up to a record and with it has come to the gateway.
    fn is_heard_to(&mut self, sequence: u32, now: u32) {
        let first = self.ring.first();
        let place = |record: u32| record.wrapping_sub(first).cast_signed();
        let after = sequence.wrapping_add(1);
        if place(after) > place(self.unheard) {
            (self.unheard, self.waits_since) = (after, now);
            self.window = (self.window + 1).min(WINDOW.0);
        }
        if place(self.next) < place(self.unheard) {
            self.next = self.unheard;
        }
    }

    /// Writes the next frame that is due, at most one; whether there was one.
    ///
    /// # Errors
    /// The writer's; the frame will be written again.
    pub fn send<W: Write>(&mut self, out: &mut W, now: u32) -> Result<bool, W::Error> {
        // What is kept in flash is made a record there, before it is sent.
        if !self.in_flash {
            self.ring.close_gaps();
        }
        let is_noisy = self.noisy_since.is_some();
        let hello_every = if is_noisy { HELLO_EVERY_NOISY } else { HELLO_EVERY };
        let is_time = now.wrapping_sub(self.said_hello) >= hello_every;
        if !self.is_known && is_time && (self.spoke || !self.has_due()) {
            self.word = self.word.or(Some(0));
        }
        if let Some(number) = self.word {
            return self.introduce(out, number, now);
        }
        if !self.is_over && now.wrapping_sub(self.said_standing) >= STANDING_EVERY {
            return self.stand(out, now, self.lock.is_agreed());
        }
        if self.looks_back(now) {
            return Ok(true);
        }
        if !self.has_due() {
            return Ok(false);
        }
        let Some(record) = self.ring.record(self.next) else { return Ok(false) };
        let kind = if record.gap { Kind::Gap } else { Kind::Data };
        let (boot, sequence) = (self.boot, record.sequence);
        self.write(out, &Frame { kind, boot, sequence, payload: record.payload })?;
        if sequence == self.unheard {
            self.waits_since = now;
        }
        self.spoke = true;
        self.next = sequence.wrapping_add(1);
        if self.next.wrapping_sub(self.written).cast_signed() > 0 {
            self.written = self.next;
        }
        Ok(true)
    }

    /// Whether a record may be sent now: on a line that damages frames few are under way.
    fn has_due(&self) -> bool {
        let under_way = self.next.wrapping_sub(self.unheard);
        let is_full = self.noisy_since.is_some() && under_way >= self.window;
        self.next != self.ring.next() && !is_full && self.lock.may_speak()
    }

    /// Goes back if the gateway has said nothing for too long about what was sent; whether the
    /// device must introduce itself first.
    fn looks_back(&mut self, now: u32) -> bool {
        if self.ring.waiting() == 0 {
            self.durable_at = now;
        }
        if now.wrapping_sub(self.durable_at) >= FORGOTTEN_AFTER {
            self.begin_again(now);
            self.word = Some(0);
        }
        if self.unheard != self.next && now.wrapping_sub(self.waits_since) >= self.patience(now) {
            self.go_back(now);
        }
        self.word.is_some()
    }

    /// Sends one word of the introduction.
    fn introduce<W: Write>(&mut self, out: &mut W, number: u8, now: u32) -> Result<bool, W::Error> {
        let is_sealed = self.lock.is_agreed();
        let standings = 1 + u8::from(is_sealed && !self.is_over);
        let Some(part) = number.checked_sub(standings) else {
            // The first word is open, since it says whose key the next ones are sealed with.
            if self.is_over {
                self.claim(out)?;
            } else {
                self.stand(out, now, number > 0)?;
            }
            self.word = Some(number + 1);
            return Ok(true);
        };
        if let Some(payload) = self.about.part(part) {
            let (kind, sequence) = (Kind::Hello, u32::from(part));
            self.write(
                out,
                &Frame { kind, boot: self.boot, sequence, payload: payload.as_slice() },
            )?;
        }
        let next = part.saturating_add(1);
        self.word = (next < self.about.parts()).then_some(standings + next);
        if self.word.is_none() {
            (self.said_hello, self.spoke) = (now, false);
        }
        Ok(true)
    }

    /// Says openly who the device is, of a run whose time nobody knows.
    fn claim<W: Write>(&self, out: &mut W) -> Result<(), W::Error> {
        let Some(part) = self.about.part(0) else { return Ok(()) };
        let (kind, boot, payload) = (Kind::Hello, self.boot, part.as_slice());
        write(out, &Frame { kind, boot, sequence: 0, payload })
    }

    /// Sends what the device holds and its time; each has a number, so that no two are the same.
    fn stand<W: Write>(&mut self, out: &mut W, now: u32, sealed: bool) -> Result<bool, W::Error> {
        let now_ticks = self.time(now);
        self.standings = self.standings.wrapping_add(1);
        let standing = self.about.standing(now_ticks, self.ring.first(), self.capacity());
        if let Some(payload) = standing {
            let (kind, sequence) = (Kind::Standing, self.standings);
            let frame = Frame { kind, boot: self.boot, sequence, payload: payload.as_slice() };
            if sealed { self.write(out, &frame)? } else { write(out, &frame)? }
        }
        self.said_standing = now;
        Ok(true)
    }

    /// Writes a frame, sealed as soon as that is agreed, and never open after that.
    fn write<W: Write>(&self, out: &mut W, frame: &Frame<'_>) -> Result<(), W::Error> {
        if !self.lock.is_agreed() {
            return write(out, frame);
        }
        self.lock.seal(frame).map_or(Ok(()), |sealed| write(out, &sealed.frame()))
    }

    /// Milliseconds since the start, without a wrap: the time of readings.
    pub fn time(&mut self, now: u32) -> i64 {
        self.ticks.extend(now)
    }

    /// Readings that the ring holds at most.
    fn capacity(&self) -> u64 {
        let (readings, bytes) = self.about.readings_by_bytes();
        if self.in_flash {
            return self.about.readings_a_record();
        }
        BYTES as u64 * readings / bytes
    }

    /// For how long the gateway may say nothing about what was sent.
    fn patience(&mut self, now: u32) -> u32 {
        let lasts = |since: &u32| now.wrapping_sub(*since) < NOISY_FOR;
        self.noisy_since = self.noisy_since.filter(lasts);
        match (self.is_known, self.noisy_since) {
            (false, _) => UNKNOWN_EVERY,
            (true, Some(_)) => (self.window * PATIENCE_A_RECORD).min(NOISY_EVERY),
            (true, None) => {
                self.window = WINDOW.0;
                QUIET_EVERY
            }
        }
    }
}

fn write<W: Write>(out: &mut W, frame: &Frame<'_>) -> Result<(), W::Error> {
    let mut bytes = [0; ENCODED_BYTES_MAX];
    let length = frame.encode(&mut bytes);
    out.write_all(&bytes[..length])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ring::Class;
    use std::vec;
    use std::vec::Vec;
    use wire::identity::DeviceId;
    use wire::link::DataWriter;
    use wire::reading::Mode;

    const BOOT: u32 = 9;

    fn sender() -> Sender<'static, 200> {
        let (device, mode) = (DeviceId(1), Mode::Demo);
        let about =
            About { device, model: "x", firmware: "1", is_counted: true, mode, channels: &[] };
        Sender::new(about, BOOT, 0)
    }

    fn push(sender: &mut Sender<'_, 200>, times: i64) {
        for time in 0..times {
            let mut writer = DataWriter::new(time);
            assert!(writer.numerics(0, &[Ok(time)]));
            assert!(sender.ring.push(Class::Vital, 1, writer.finish().as_slice()).is_some());
        }
    }

    /// What is sent until nothing is due; a hello is 0, and a standing goes before it.
    fn sent(sender: &mut Sender<'_, 200>, now: u32) -> Vec<u32> {
        let mut bytes: Vec<u8> = Vec::new();
        while sender.send(&mut bytes, now).unwrap() {}
        let mut deframer = Deframer::default();
        let (mut rest, mut found) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (taken, frame) = deframer.push(rest);
            rest = &rest[taken..];
            let frame = frame.map(|frame| frame.unwrap());
            let frame = frame.filter(|frame| frame.kind != Kind::Standing);
            found.extend(frame.map(|frame| frame.sequence));
        }
        found
    }

    fn say(sender: &mut Sender<'_, 200>, kind: Kind, boot: u32, sequence: u32, now: u32) {
        let mut bytes = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind, boot, sequence, payload: &[] }.encode(&mut bytes);
        sender.hear(&bytes[..length], now);
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_and_only_that() {
        let mut sender = sender();
        push(&mut sender, 4);
        assert_eq!(sent(&mut sender, 0), [0, 1, 2, 3, 4]);
        say(&mut sender, Kind::Ack, BOOT - 1, 4, 1);
        say(&mut sender, Kind::Ack, BOOT, 5, 1);
        assert_eq!(sender.ring.waiting(), 4, "another boot's, and one of what was never sent");
        say(&mut sender, Kind::Ack, BOOT, 2, 1);
        assert_eq!(sent(&mut sender, 4_999), []);
        assert_eq!(sent(&mut sender, 5_001), [3, 4]);
        say(&mut sender, Kind::Ack, BOOT, 4, 5_002);
        assert_eq!(sent(&mut sender, 60_000), []);
        push(&mut sender, 1);
        assert_eq!(sent(&mut sender, 60_000), [5]);
    }

    #[test]
    fn a_gateway_that_says_nothing_is_told_who_speaks_ten_times_a_second() {
        let mut sender = sender();
        push(&mut sender, 1);
        assert_eq!(sent(&mut sender, 0), [0, 1]);
        assert_eq!(sent(&mut sender, 99), []);
        assert_eq!(sent(&mut sender, 100), [0]);
        assert_eq!(sent(&mut sender, 1_000), [0, 1]);
        say(&mut sender, Kind::Heard, BOOT, 0, 1_001);
        assert_eq!(sent(&mut sender, 1_050), []);
        assert_eq!(sent(&mut sender, 5_999), []);
        assert_eq!(sent(&mut sender, 6_000), [1], "it was a good line");
    }

    #[test]
    fn on_a_line_that_damages_frames_hellos_and_repeats_come_sooner() {
        let mut sender = sender();
        push(&mut sender, 1);
        assert_eq!(sent(&mut sender, 0), [0, 1]);
        sender.hear(&[1, 2, 3, 0], 10);
        assert_eq!((sent(&mut sender, 10), sent(&mut sender, 14)), (vec![0], vec![]));
        say(&mut sender, Kind::Heard, BOOT, 0, 15);
        assert_eq!((sent(&mut sender, 99), sent(&mut sender, 100)), (vec![], vec![1]));
        assert_eq!((sent(&mut sender, 199), sent(&mut sender, 200)), (vec![], vec![1]));
        assert_eq!(sent(&mut sender, 280), [1], "fewer are under way, and sooner again");
    }

    #[test]
    fn a_slow_line_has_room_for_a_record_between_two_hellos() {
        let mut sender = sender();
        push(&mut sender, 3);
        sender.hear(&[1, 2, 3, 0], 0);
        let mut said = Vec::new();
        // Each word takes longer than the time between two hellos.
        for turn in 0..12 {
            let mut bytes: Vec<u8> = Vec::new();
            assert!(sender.send(&mut bytes, turn * 10).unwrap());
            said.push(Deframer::default().push(&bytes[1..]).1.unwrap().unwrap().kind);
        }
        let records = said.iter().filter(|kind| **kind == Kind::Data).count();
        assert_eq!(records, 3, "{said:?}");
    }

    #[test]
    fn hellos_wait_for_no_record_that_may_not_be_sent() {
        let mut sender = sender();
        push(&mut sender, 3);
        sender.hear(&[1, 2, 3, 0], 0);
        let hellos = |sender: &mut Sender<'_, 200>, from: u32| {
            let said = (from..from + 100).flat_map(|now| sent(sender, now)).collect::<Vec<_>>();
            said.iter().filter(|sequence| **sequence == 0).count()
        };
        assert_eq!(hellos(&mut sender, 0), 20);
        // Nobody answers: one record is under way at last, each second.
        (1..20).for_each(|second| drop(sent(&mut sender, second * 1_000)));
        assert_eq!(hellos(&mut sender, 20_100), 20);
    }

    #[test]
    fn what_was_sent_before_going_back_may_be_acknowledged_after_it() {
        let mut sender = sender();
        push(&mut sender, 4);
        sent(&mut sender, 0);
        say(&mut sender, Kind::Query, 0, 0, 1);
        say(&mut sender, Kind::Ack, BOOT, 3, 2);
        assert_eq!((sender.ring.first(), sender.ring.waiting()), (4, 1));
        assert_eq!(sent(&mut sender, 3), [0, 4]);
    }

    #[test]
    fn what_was_lost_on_the_way_is_sent_at_once_and_what_was_heard_is_not() {
        let mut sender = sender();
        push(&mut sender, 5);
        assert_eq!(sent(&mut sender, 0), [0, 1, 2, 3, 4, 5]);
        say(&mut sender, Kind::Heard, BOOT, 1, 100);
        assert_eq!(sent(&mut sender, 100), [], "the answer to our hello");
        say(&mut sender, Kind::Heard, BOOT, 2, 200);
        assert_eq!(sent(&mut sender, 200), [], "more may be on its way");
        say(&mut sender, Kind::Heard, BOOT, 2, 300);
        assert_eq!(sent(&mut sender, 300), [3, 4, 5]);
        say(&mut sender, Kind::Heard, BOOT, 2, 310);
        assert_eq!(sent(&mut sender, 310), [], "one loss is heard of more than once");
        say(&mut sender, Kind::Heard, BOOT, 5, 320);
        assert_eq!(sent(&mut sender, 29_000), [], "it has come, and will be durable");
        assert_eq!(sent(&mut sender, 30_200), [0, 1, 2, 3, 4, 5], "or was forgotten");
    }

    #[test]
    fn a_query_is_answered_with_who_we_are_and_all_that_waits() {
        let mut sender = sender();
        push(&mut sender, 3);
        sent(&mut sender, 0);
        say(&mut sender, Kind::Heard, BOOT, 3, 1);
        say(&mut sender, Kind::Ack, BOOT, 1, 1);
        say(&mut sender, Kind::Query, 0, 0, 2);
        assert_eq!(sent(&mut sender, 2), [0, 2, 3]);
    }

    #[test]
    fn an_acknowledgement_that_is_late_takes_nothing_back() {
        let mut sender = sender();
        push(&mut sender, 3);
        sent(&mut sender, 0);
        say(&mut sender, Kind::Ack, BOOT, 3, 1);
        push(&mut sender, 2);
        sent(&mut sender, 2);
        say(&mut sender, Kind::Ack, BOOT, 1, 3);
        say(&mut sender, Kind::Heard, BOOT, 2, 300);
        assert_eq!((sender.ring.first(), sender.ring.waiting()), (4, 2));
    }
}
