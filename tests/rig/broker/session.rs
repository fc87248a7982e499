//! One client's session: what it is still owed, and what it has got but not acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::{DisconnectReasonCode, LastWill, Publish, QoS};
use tokio::sync::Notify;

/// Bytes that one session may be owed, unacknowledged ones included. When it is full, publishers
/// of QoS 1 are refused: what was acknowledged is never lost silently.
const OWED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a queued publish costs beside its topic and payload, roughly.
const OVERHEAD_BYTES: usize = 128;

/// Bytes of publishes that one write carries at least while more wait.
const BATCH_BYTES: usize = 256 * 1024;

/// Acknowledgements that may wait for a client that does not read, before we stop reading it.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// A session expiry interval that means "never".
const NEVER: u32 = u32::MAX;

/// What a client asked for in its CONNECT, checked.
#[derive(Debug)]
pub(super) struct Login {
    /// The common name of its certificate.
    pub(super) identity: String,
    /// The client identifier; unique within its identity.
    pub(super) client_id: String,
    /// Forget what was kept for it.
    pub(super) clean_start: bool,
    /// How long its session outlives its connection, seconds.
    pub(super) expiry_seconds: u32,
    /// How many QoS 1 publishes it takes unacknowledged.
    pub(super) receive_maximum: u16,
    /// The largest packet it takes, bytes.
    pub(super) packet_bytes_max: usize,
    /// What to publish when its connection is lost.
    pub(super) will: Option<LastWill>,
}

/// How the rules call the tasks of one connection.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// There is something to write.
    pub(super) wake: Notify,
    /// The outbox was emptied.
    pub(super) room: Notify,
    /// The connection must end soon.
    pub(super) closing: Notify,
}

/// The connection that a session has now.
#[derive(Debug)]
pub(super) struct Link {
    /// Tells this connection from those before and after it.
    pub(super) generation: u64,
    /// Its tasks.
    pub(super) signals: Arc<Signals>,
    /// Encoded answers that go out before any publish.
    pub(super) outbox: BytesMut,
    /// Set when the connection ends with a DISCONNECT of ours.
    pub(super) closing: Option<DisconnectReasonCode>,
    /// Publishes that a fault left unacknowledged.
    pub(super) unacknowledged: usize,
    /// How many of those we announced to take.
    pub(super) receive_maximum: usize,
    /// Published when the link is lost.
    pub(super) will: Option<LastWill>,
}

impl Link {
    /// Whether the client must read before we go on.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.len() > OUTBOX_BYTES_MAX
    }
}

/// One session.
///
/// Invariant: `owed_bytes` is the cost of `queue` and `in_flight` together.
#[derive(Debug)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) identity: String,
    /// Under which client identifier.
    pub(super) client_id: String,
    /// The filters it has subscribed, as the client wrote them.
    pub(super) filters: Vec<String>,
    /// Its connection, if it is online.
    pub(super) link: Option<Link>,
    queue: VecDeque<Publish>,
    /// By packet id: when it was sent, counted in publishes, and what it was.
    in_flight: HashMap<u16, (u64, Publish)>,
    owed_bytes: usize,
    sent: u64,
    last_packet: u16,
    receive_maximum: usize,
    packet_bytes_max: usize,
    expiry_seconds: u32,
    gone_at: Option<Instant>,
}

impl Session {
    /// A new session without a link; [`Self::resume`] gives it one.
    pub(super) fn new(login: &Login) -> Self {
        Self {
            identity: login.identity.clone(),
            client_id: login.client_id.clone(),
            filters: Vec::new(),
            link: None,
            queue: VecDeque::new(),
            in_flight: HashMap::new(),
            owed_bytes: 0,
            sent: 0,
            last_packet: 0,
            receive_maximum: 0,
            packet_bytes_max: 0,
            expiry_seconds: 0,
            gone_at: None,
        }
    }

    /// Takes a new connection; what was in flight goes out again, marked as a repetition and
    /// under its old packet ids.
    pub(super) fn resume(&mut self, login: &Login, link: Link) {
        let mut again: Vec<_> = self.in_flight.drain().map(|(_, sent)| sent).collect();
        again.sort_unstable_by_key(|(order, _)| *order);
        for (_, mut publish) in again.into_iter().rev() {
            publish.dup = true;
            self.queue.push_front(publish);
        }
        self.receive_maximum = usize::from(login.receive_maximum);
        self.packet_bytes_max = login.packet_bytes_max;
        self.expiry_seconds = login.expiry_seconds;
        self.gone_at = None;
        self.link = Some(link);
    }

    /// Loses its connection; true when the session is kept for a later one.
    pub(super) fn leave(&mut self, now: Instant) -> bool {
        self.link = None;
        self.gone_at = Some(now);
        self.expiry_seconds > 0
    }

    /// Changes how long it is kept, as a DISCONNECT may ask.
    pub(super) fn set_expiry_seconds(&mut self, seconds: u32) {
        self.expiry_seconds = seconds;
    }

    /// Whether it has been offline for longer than it asked to be kept.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let kept = Duration::from_secs(u64::from(self.expiry_seconds));
        self.expiry_seconds != NEVER
            && self.gone_at.is_some_and(|gone_at| now.duration_since(gone_at) >= kept)
    }

    /// Whether `publish` still fits.
    pub(super) fn has_room(&self, publish: &Publish) -> bool {
        self.owed_bytes + cost(publish) <= OWED_BYTES_MAX
    }

    /// Owes the client a publish; with `overtakes` it goes before the last one that waits.
    pub(super) fn enqueue(&mut self, publish: Publish, overtakes: bool) {
        self.owed_bytes += cost(&publish);
        self.queue.push_back(publish);
        let count = self.queue.len();
        // A repetition keeps its place: its packet id must not meet a new one.
        if overtakes && count >= 2 && self.queue[count - 2].pkid == 0 {
            self.queue.swap(count - 2, count - 1);
        }
        if let Some(link) = &self.link {
            link.signals.wake.notify_one();
        }
    }

    /// Moves what may be sent now to `out`, up to a batch; returns how many were given up
    /// because the client does not take packets of their size.
    pub(super) fn take(&mut self, out: &mut Vec<Publish>) -> usize {
        let mut bytes = 0;
        let mut dropped = 0;
        while bytes < BATCH_BYTES
            && let Some(next) = self.queue.front()
        {
            let needs_window = next.qos != QoS::AtMostOnce;
            if needs_window && self.in_flight.len() >= self.receive_maximum {
                break;
            }
            let Some(mut publish) = self.queue.pop_front() else {
                break;
            };
            if needs_window && publish.pkid == 0 {
                publish.pkid = self.free_packet();
            }
            if publish.size() > self.packet_bytes_max {
                self.owed_bytes -= cost(&publish);
                dropped += 1;
                continue;
            }
            bytes += cost(&publish);
            if needs_window {
                self.in_flight.insert(publish.pkid, (self.sent, publish.clone()));
                self.sent += 1;
            } else {
                self.owed_bytes -= cost(&publish);
            }
            out.push(publish);
        }
        dropped
    }

    /// Takes the client's acknowledgement; one that fits nothing is ignored.
    pub(super) fn acknowledge(&mut self, packet: u16) {
        if let Some((_, publish)) = self.in_flight.remove(&packet) {
            self.owed_bytes -= cost(&publish);
        }
        if let (Some(link), false) = (&self.link, self.queue.is_empty()) {
            link.signals.wake.notify_one();
        }
    }

    /// The next packet id that is not in flight; there is one, since the window is 65 535 at
    /// most and is not full here, and repetitions have all left before a new id is drawn.
    fn free_packet(&mut self) -> u16 {
        loop {
            self.last_packet = self.last_packet.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains_key(&self.last_packet) {
                return self.last_packet;
            }
        }
    }
}

fn cost(publish: &Publish) -> usize {
    publish.topic.len() + publish.payload.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(receive_maximum: u16) -> Session {
        let mut session = Session::new(&login(receive_maximum));
        session.resume(&login(receive_maximum), link());
        session
    }

    fn login(receive_maximum: u16) -> Login {
        Login {
            identity: "7".into(),
            client_id: "agent".into(),
            clean_start: false,
            expiry_seconds: 60,
            receive_maximum,
            packet_bytes_max: 1000,
            will: None,
        }
    }

    fn link() -> Link {
        Link {
            generation: 1,
            signals: Arc::default(),
            outbox: BytesMut::new(),
            closing: None,
            unacknowledged: 0,
            receive_maximum: 1,
            will: None,
        }
    }

    fn publish(payload: &[u8]) -> Publish {
        Publish::new("a", QoS::AtLeastOnce, payload.to_vec(), None)
    }

    fn take(session: &mut Session) -> Vec<(u16, bool, u8)> {
        let mut out = Vec::new();
        session.take(&mut out);
        out.iter().map(|publish| (publish.pkid, publish.dup, publish.payload[0])).collect()
    }

    #[test]
    fn the_window_holds_until_an_acknowledgement() {
        let mut session = session(1);
        session.enqueue(publish(b"a"), false);
        session.enqueue(publish(b"b"), false);

        let first = take(&mut session);
        let second = take(&mut session);
        session.acknowledge(1);
        let third = take(&mut session);
        session.acknowledge(2);

        assert_eq!(
            (first, second, third),
            (vec![(1, false, b'a')], vec![], vec![(2, false, b'b')])
        );
        assert_eq!(session.owed_bytes, 0);
    }

    #[test]
    fn unacknowledged_publishes_come_again_first_and_under_their_ids() {
        let mut session = session(10);
        for payload in [b"a", b"b", b"c"] {
            session.enqueue(publish(payload), false);
        }
        take(&mut session);
        session.acknowledge(2);
        session.leave(Instant::now());
        session.enqueue(publish(b"d"), false);

        session.resume(&login(10), link());

        assert_eq!(take(&mut session), [(1, true, b'a'), (3, true, b'c'), (4, false, b'd')]);
    }

    #[test]
    fn a_packet_the_client_does_not_take_is_given_up_and_counted() {
        let mut session = session(10);
        session.enqueue(publish(&[b'x'; 2000]), false);
        session.enqueue(publish(b"a"), false);
        let mut out = Vec::new();

        let dropped = session.take(&mut out);

        assert_eq!((dropped, out.len()), (1, 1));
        assert_eq!(session.owed_bytes, cost(&out[0]));
    }

    #[test]
    fn a_session_is_kept_for_as_long_as_it_asked() {
        let mut session = session(10);
        let gone_at = Instant::now();

        assert!(!session.is_expired(gone_at + Duration::from_secs(90)));
        assert!(session.leave(gone_at));
        assert!(!session.is_expired(gone_at + Duration::from_secs(59)));
        assert!(session.is_expired(gone_at + Duration::from_secs(60)));
    }
}
