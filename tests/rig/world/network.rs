//! Between gateway and sink: links that break in every way, and a broker that forgets and lies.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use agent::uplink::Hands;
use agent::uplink::driver::{FromBroker, MessageKind};
use wire::identity::Lane;
use wire::topic::{Level, Topic};

use super::books::SharedBooks;
use super::forger::{Forger, Forgery};
use crate::disk::InventedDisk;
use crate::oracle;
use crate::random::Random;

/// Records that a client takes before it must be polled.
const CLIENT_QUEUE: usize = 16;
/// What a connection takes on a good day.
const LATENCY: Duration = Duration::from_millis(20);

/// The gateway's side of its connection.
#[derive(Default)]
pub struct Client {
    generation: u64,
    wants: bool,
    queue: VecDeque<(Lane, Vec<u8>)>,
    published: u64,
    topics: Vec<String>,
}

/// Of so many published records, one is looked for in what is durable at that moment.
const LOOKED_FOR_EVERY: u64 = 16;

/// Hands that put everything into the world's network.
pub struct WorldHands {
    /// The gateway's side of its connection.
    pub client: Rc<RefCell<Client>>,
    /// Where what is published must be durable.
    pub disk: InventedDisk,
    /// Where it is written down if it is not.
    pub books: SharedBooks,
}

impl Hands for WorldHands {
    fn connect(&mut self) {
        self.drop_connection();
        self.client.borrow_mut().wants = true;
    }

    fn drop_connection(&mut self) {
        let client = &mut *self.client.borrow_mut();
        client.generation += 1;
        client.wants = false;
        client.queue.clear();
    }

    fn publish(&mut self, topic: &str, bytes: Vec<u8>) -> bool {
        let client = &mut *self.client.borrow_mut();
        if !client.topics.iter().any(|known| known == topic) {
            client.topics.push(topic.into());
        }
        let Some(Level::Lane(lane)) = Topic::parse(topic).map(|topic| topic.level) else {
            return true;
        };
        if client.queue.len() >= CLIENT_QUEUE {
            return false;
        }
        client.published += 1;
        let lied = self.books.borrow().medium_lied;
        if client.published.is_multiple_of(LOOKED_FOR_EVERY) && !lied {
            oracle::durable::record(&self.disk, &self.books, &bytes);
        }
        client.queue.push_back((lane, bytes));
        true
    }

    fn is_current(&self, generation: u64) -> bool {
        self.client.borrow().generation == generation
    }
}

/// What the network does wrong; moments are of the world's time.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Nobody answers a call, and the present connection has ended.
    pub cut_until: Duration,
    /// The broker's machine answers, and no broker.
    pub refused_until: Duration,
    /// What the gateway sends vanishes without a word.
    pub up_lost_until: Duration,
    /// What the gateway should get vanishes without a word.
    pub down_lost_until: Duration,
    /// Everything takes up to this much longer, each thing its own.
    pub delay: (Duration, Duration),
    /// Some messages come twice until then.
    pub twice_until: Duration,
    /// The gateway's link carries 1 kbit/s until then.
    pub thin_until: Duration,
    /// The broker acknowledges records and forgets them until then.
    pub forgets_until: Duration,
    /// The broker drops receipts until then.
    pub receipts_lost_until: Duration,
    /// The broker acknowledges nothing until then.
    pub silent_until: Duration,
    /// The broker takes one record at a time until then.
    pub one_by_one_until: Duration,
    /// Somebody on the broker swallows records and signs for them until then.
    pub forged: (Duration, Forgery),
}

enum Message {
    Record(Lane, Vec<u8>),
    ToGateway(FromBroker),
}

struct Transit {
    due: Duration,
    generation: u64,
    message: Message,
}

impl Transit {
    fn is_record(&self) -> bool {
        matches!(self.message, Message::Record(..))
    }
}

/// What a step brings.
#[derive(Default)]
pub struct Arrived {
    /// Records at the sink.
    pub records: Vec<(Lane, Vec<u8>)>,
    /// Events at the gateway, each with the connection that it belongs to.
    pub events: Vec<(u64, FromBroker)>,
}

/// The links and the broker.
pub struct Network {
    /// The gateway's client.
    pub client: Rc<RefCell<Client>>,
    /// What goes wrong.
    pub trouble: Trouble,
    /// The retained keyring.
    pub keyring: Option<Vec<u8>>,
    connected: Option<u64>,
    transit: Vec<Transit>,
    thin_credit: f64,
    /// Makes receipts that no sink has made.
    pub forger: Option<Forger>,
    random: Random,
    /// Receipts and keyrings that went by, for a broker that says them again.
    past: Vec<(MessageKind, Vec<u8>)>,
    /// Everything that anybody on the way could see.
    pub seen: Vec<Vec<u8>>,
}

/// Old messages that a hostile broker keeps.
const PAST_MAX: usize = 64;

fn copy(event: &FromBroker) -> Option<FromBroker> {
    match event {
        FromBroker::Message { kind, bytes } => {
            Some(FromBroker::Message { kind: *kind, bytes: bytes.clone() })
        }
        _ => None,
    }
}

/// Whether nothing comes after it on its connection.
fn ends(event: &FromBroker) -> bool {
    matches!(event, FromBroker::Down(_) | FromBroker::Absent(_))
}

impl Default for Network {
    fn default() -> Self {
        Self {
            client: Rc::default(),
            trouble: Trouble::default(),
            keyring: None,
            connected: None,
            transit: Vec::new(),
            thin_credit: 0.0,
            forger: None,
            random: Random::new(0),
            past: Vec::new(),
            seen: Vec::new(),
        }
    }
}

impl Network {
    /// A network without trouble, whose delays come from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), ..Self::default() }
    }

    /// Topics that anything was ever published on.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.client.borrow().topics.clone()
    }

    /// The gateway's process is gone, and with it its connection.
    pub fn gateway_gone(&mut self) {
        let client = &mut *self.client.borrow_mut();
        client.wants = false;
        client.generation += 1;
        client.queue.clear();
        self.connected = None;
        self.transit.clear();
    }

    /// The connection ends in a way that both sides notice.
    pub fn cut(&mut self, now: Duration, until: Duration) {
        self.trouble.cut_until = until;
        if let Some(generation) = self.connected.take() {
            self.transit.clear();
            self.tell_gateway(now, generation, FromBroker::Down("cut".into()));
        }
    }

    /// The broker says old messages again, as it may have retained or recorded them.
    pub fn replay(&mut self, now: Duration, kind: MessageKind, random: &mut Random) -> bool {
        let old: Vec<_> = self.past.iter().filter(|(of, _)| *of == kind).cloned().collect();
        let (Some((kind, bytes)), Some(generation)) = (random.pick(&old), self.connected) else {
            return false;
        };
        let message = FromBroker::Message { kind: *kind, bytes: bytes.clone() };
        self.tell_gateway(now, generation, message);
        true
    }

    /// The sink publishes to the gateway.
    pub fn publish(&mut self, now: Duration, kind: MessageKind, bytes: Vec<u8>) {
        self.seen.push(bytes.clone());
        if self.past.len() < PAST_MAX {
            self.past.push((kind, bytes.clone()));
        }
        if kind == MessageKind::Keyring {
            self.keyring = Some(bytes.clone());
        }
        let lost = kind == MessageKind::Receipt && now < self.trouble.receipts_lost_until;
        if let (false, Some(generation)) = (lost, self.connected) {
            self.tell_gateway(now, generation, FromBroker::Message { kind, bytes });
        }
    }

    /// The broker takes a connection before anything else, and its end comes when it comes: only
    /// messages and acknowledgements overtake each other.
    fn tell_gateway(&mut self, now: Duration, generation: u64, event: FromBroker) {
        let in_order = matches!(event, FromBroker::Up { .. }) || ends(&event);
        let due = now + if in_order { LATENCY } else { self.late() };
        let message = Message::ToGateway(event);
        self.transit.push(Transit { due, generation, message });
    }

    fn late(&mut self) -> Duration {
        let (until_none, most) = self.trouble.delay;
        if until_none.is_zero() {
            LATENCY
        } else {
            LATENCY + most.mul_f64(self.random.below(100) as f64 / 100.0)
        }
    }

    /// Lets a tick pass: what arrives at the sink, and what arrives at the gateway.
    pub fn step(&mut self, now: Duration, tick: Duration, random: &mut Random) -> Arrived {
        self.connect(now);
        self.send(now, tick);
        let mut arrived = Arrived::default();
        let waiting = std::mem::take(&mut self.transit);
        let (due, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|m| m.due <= now);
        self.transit = waiting;
        for Transit { generation, message, .. } in due {
            let twice = now < self.trouble.twice_until && random.once_in(3);
            match message {
                Message::Record(lane, bytes) => {
                    if now >= self.trouble.silent_until {
                        self.tell_gateway(now, generation, FromBroker::PubAck);
                    }
                    if now < self.trouble.forgets_until || self.forge(now, generation, &bytes) {
                        continue;
                    }
                    if twice {
                        arrived.records.push((lane, bytes.clone()));
                    }
                    arrived.records.push((lane, bytes));
                }
                Message::ToGateway(event) => {
                    if now < self.trouble.down_lost_until && !ends(&event) {
                        continue;
                    }
                    if let (true, Some(again)) = (twice, copy(&event)) {
                        arrived.events.push((generation, again));
                    }
                    arrived.events.push((generation, event));
                }
            }
        }
        arrived
    }

    /// Swallows a record and tells the gateway that it is stored; whether that was done.
    fn forge(&mut self, now: Duration, generation: u64, bytes: &[u8]) -> bool {
        let (until, how) = self.trouble.forged;
        if now >= until || self.random.once_in(2) {
            return false;
        }
        let receipt = self.forger.as_ref().and_then(|forger| forger.receipt(how, bytes));
        let Some(bytes) = receipt else { return false };
        let kind = MessageKind::Receipt;
        self.tell_gateway(now, generation, FromBroker::Message { kind, bytes });
        true
    }

    fn connect(&mut self, now: Duration) {
        let (wants, generation) = {
            let client = &mut *self.client.borrow_mut();
            (std::mem::take(&mut client.wants), client.generation)
        };
        if self.connected.is_some_and(|connected| connected != generation) {
            self.connected = None;
        }
        if !wants {
            return;
        }
        if now < self.trouble.refused_until {
            self.tell_gateway(now, generation, FromBroker::Down("refused".into()));
        } else if now < self.trouble.cut_until {
            self.tell_gateway(now, generation, FromBroker::Absent("nobody answers".into()));
        } else if now >= self.trouble.up_lost_until.max(self.trouble.down_lost_until) {
            self.connected = Some(generation);
            self.tell_gateway(now, generation, FromBroker::Up { packet_bytes_max: None });
            if let Some(bytes) = self.keyring.clone() {
                let kind = MessageKind::Keyring;
                self.tell_gateway(now, generation, FromBroker::Message { kind, bytes });
            }
        }
    }

    fn send(&mut self, now: Duration, tick: Duration) {
        let Some(generation) = self.connected else { return };
        let thin = now < self.trouble.thin_until;
        let one_by_one = now < self.trouble.one_by_one_until;
        // 1 kbit/s is 125 bytes a second.
        self.thin_credit = (self.thin_credit + tick.as_secs_f64() * 125.0).min(2000.0);
        let client = self.client.clone();
        loop {
            if one_by_one && self.transit.iter().any(|transit| transit.is_record()) {
                return;
            }
            let (lane, bytes) = {
                let queue = &mut client.borrow_mut().queue;
                let Some((_, bytes)) = queue.front() else { return };
                if thin && self.thin_credit < bytes.len().min(2000) as f64 {
                    return;
                }
                let Some(front) = queue.pop_front() else { return };
                front
            };
            if thin {
                self.thin_credit -= bytes.len() as f64;
            }
            if now < self.trouble.up_lost_until {
                continue;
            }
            self.seen.push(bytes.clone());
            let due = now + self.late();
            self.transit.push(Transit { due, generation, message: Message::Record(lane, bytes) });
        }
    }
}
