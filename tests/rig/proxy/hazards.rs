//! What goes wrong: rules about packets, without sockets.

use std::num::NonZeroU16;
use std::time::Duration;

use rumqttc::{ConnAck, Packet, PubAck, PubAckReason, Publish, QoS};
use wire::topic::{KEYRING, Level, Topic};

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From the gateway to the broker.
    Up,
    /// From the broker to the gateway.
    Down,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A record of a lane.
    Record,
    /// An acknowledgement.
    PubAck,
    /// A receipt.
    Receipt,
    /// The keyring.
    Keyring,
    /// The broker's greeting.
    ConnAck,
    /// Everything else.
    Other,
}

/// What is done to a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// It vanishes. A receipt is acknowledged in the gateway's place, so that the broker goes on.
    Drop,
    /// It comes later; those behind it, if they are not held too, come first.
    Delay(Duration),
    /// It comes twice.
    Repeat,
}

/// One rule: every n-th packet of a kind on one way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Which way.
    pub way: Way,
    /// Which kind.
    pub kind: Kind,
    /// What is done.
    pub deed: Deed,
    /// To every n-th.
    pub every: u64,
}

/// How one way of the link fails; TCP stays open, nobody is told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hole {
    /// It does not.
    #[default]
    Open,
    /// Nothing is read: the sender's window falls to zero. What waits goes on when this ends.
    NotRead,
    /// Everything is read, and nothing arrives.
    Swallowed,
}

/// What the broker's greeting says instead of the truth.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lies {
    /// The greeting never comes.
    pub silent: bool,
    /// It knows us, although it was told to forget.
    pub session_present: bool,
    /// Publishes that it takes without acknowledging.
    pub receive_maximum: Option<NonZeroU16>,
    /// Bytes that it takes in a packet.
    pub max_packet: Option<u32>,
}

/// Everything that goes wrong at one time; nothing by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hazards {
    /// Rules about packets.
    pub rules: Vec<Rule>,
    /// Records are acknowledged to the gateway and go no further.
    pub forget: bool,
    /// How the way up fails.
    pub up: Hole,
    /// How the way down fails.
    pub down: Hole,
    /// Every connection is reset within half a second.
    pub reset: bool,
    /// What the greeting says.
    pub lies: Lies,
    /// Beside everything that goes down, an old message of this kind is said again.
    pub stale: Option<Kind>,
}

impl Hazards {
    /// Only rules.
    #[must_use]
    pub fn rules(rules: impl Into<Vec<Rule>>) -> Self {
        Self { rules: rules.into(), ..Self::default() }
    }

    /// Only lies of the greeting.
    #[must_use]
    pub fn lies(lies: Lies) -> Self {
        Self { lies, ..Self::default() }
    }

    /// How a way fails.
    #[must_use]
    pub fn hole(&self, way: Way) -> Hole {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }

    /// Whether new connections are taken by the kernel and by nobody else.
    #[must_use]
    pub fn is_black_hole(&self) -> bool {
        self.up != Hole::Open && self.down != Hole::Open
    }
}

/// What becomes of a packet.
#[derive(Debug, Default)]
pub struct Fate {
    /// Goes on, each after its time.
    pub on: Vec<(Duration, Packet)>,
    /// Goes back to where it came from.
    pub back: Option<Packet>,
    /// Whether a hazard had its hand in it.
    pub fired: bool,
}

/// Old messages that are kept for later.
const PAST_MAX: usize = 64;

/// What the proxy remembers over all connections.
#[derive(Debug, Default)]
pub struct Memory {
    counts: Vec<(Rule, u64)>,
    past: Vec<(Kind, Publish)>,
    said: usize,
}

impl Memory {
    /// Decides about one packet.
    pub fn judge(&mut self, hazards: &Hazards, way: Way, packet: Packet) -> Fate {
        let kind = kind_of(&packet);
        self.remember(kind, &packet);
        if hazards.hole(way) == Hole::Swallowed {
            return Fate { fired: true, ..Fate::default() };
        }
        let mut fate = match (packet, hazards.forget) {
            (Packet::Publish(publish), true) if kind == Kind::Record => {
                return Fate { back: acknowledgement(&publish), fired: true, ..Fate::default() };
            }
            (Packet::ConnAck(connack), _) => lie(hazards.lies, connack),
            (packet, _) => self.rule(hazards, way, kind, packet),
        };
        if way == Way::Down
            && kind != Kind::ConnAck
            && let Some(old) = hazards.stale.and_then(|stale| self.old(stale))
        {
            fate.on.push((Duration::ZERO, old));
            fate.fired = true;
        }
        fate
    }

    fn rule(&mut self, hazards: &Hazards, way: Way, kind: Kind, packet: Packet) -> Fate {
        let mut rules = hazards.rules.iter().filter(|rule| (rule.way, rule.kind) == (way, kind));
        let hit = rules.find(|rule| self.is_turn(rule));
        let (mut on, mut back) = (Vec::new(), None);
        match hit.map(|rule| rule.deed) {
            None => on.push((Duration::ZERO, packet)),
            Some(Deed::Drop) => {
                if let (Way::Down, Packet::Publish(publish)) = (way, &packet) {
                    back = acknowledgement(publish);
                }
            }
            Some(Deed::Delay(delay)) => on.push((delay, packet)),
            Some(Deed::Repeat) => {
                on.push((Duration::ZERO, packet.clone()));
                on.push((Duration::ZERO, packet));
            }
        }
        Fate { on, back, fired: hit.is_some() }
    }

    /// Counts for a rule; whether its turn has come.
    fn is_turn(&mut self, rule: &Rule) -> bool {
        let at = self.counts.iter().position(|(counted, _)| counted == rule);
        let at = at.unwrap_or_else(|| {
            self.counts.push((*rule, 0));
            self.counts.len() - 1
        });
        self.counts[at].1 += 1;
        self.counts[at].1.is_multiple_of(rule.every.max(1))
    }

    fn remember(&mut self, kind: Kind, packet: &Packet) {
        let Packet::Publish(publish) = packet else { return };
        let kept = self.past.iter().filter(|(old, _)| *old == kind).count();
        if matches!(kind, Kind::Receipt | Kind::Keyring) && kept < PAST_MAX / 2 {
            self.past.push((kind, publish.clone()));
        }
    }

    /// One of the old messages, as a broker may say it that has retained it: without a number.
    fn old(&mut self, kind: Kind) -> Option<Packet> {
        let old: Vec<_> = self.past.iter().filter(|(of, _)| *of == kind).collect();
        self.said += 1;
        let (_, publish) = old.get(self.said % old.len().max(1))?;
        let (qos, retain) = (QoS::AtMostOnce, true);
        Some(Packet::Publish(Publish { qos, retain, pkid: 0, dup: false, ..publish.clone() }))
    }
}

/// What a packet is.
#[must_use]
pub fn kind_of(packet: &Packet) -> Kind {
    match packet {
        Packet::ConnAck(_) => Kind::ConnAck,
        Packet::PubAck(_) => Kind::PubAck,
        Packet::Publish(publish) => {
            let topic = String::from_utf8_lossy(&publish.topic);
            match Topic::parse(&topic).map(|topic| topic.level) {
                _ if topic == KEYRING => Kind::Keyring,
                Some(Level::Lane(_)) => Kind::Record,
                Some(Level::Receipt) => Kind::Receipt,
                _ => Kind::Other,
            }
        }
        _ => Kind::Other,
    }
}

fn acknowledgement(publish: &Publish) -> Option<Packet> {
    let asked = publish.qos == QoS::AtLeastOnce;
    let ack = PubAck { pkid: publish.pkid, reason: PubAckReason::Success, properties: None };
    asked.then_some(Packet::PubAck(ack))
}

fn lie(lies: Lies, mut connack: ConnAck) -> Fate {
    if lies.silent {
        return Fate { fired: true, ..Fate::default() };
    }
    let mut fired = lies.session_present;
    connack.session_present |= lies.session_present;
    if let Some(properties) = &mut connack.properties {
        if let Some(maximum) = lies.receive_maximum {
            properties.receive_max = Some(maximum.get());
            fired = true;
        }
        if let Some(maximum) = lies.max_packet {
            properties.max_packet_size = Some(maximum);
            fired = true;
        }
    }
    Fate { on: vec![(Duration::ZERO, Packet::ConnAck(connack))], back: None, fired }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(topic: &str, payload: &str) -> Packet {
        let publish = Publish::new(topic, QoS::AtLeastOnce, payload.to_owned(), None);
        Packet::Publish(Publish { pkid: 7, ..publish })
    }

    const RECORD: &str = "wardline/v1/gw-1/vital";
    const RECEIPT: &str = "wardline/v1/gw-1/receipt";

    fn gone_on(memory: &mut Memory, hazards: &Hazards, way: Way, packet: Packet) -> usize {
        memory.judge(hazards, way, packet).on.len()
    }

    #[test]
    fn every_third_record_is_dropped_and_nothing_else() {
        let rule = Rule { way: Way::Up, kind: Kind::Record, deed: Deed::Drop, every: 3 };
        let (hazards, mut memory) = (Hazards::rules([rule]), Memory::default());

        let records: Vec<usize> =
            (0..6).map(|_| gone_on(&mut memory, &hazards, Way::Up, publish(RECORD, "a"))).collect();

        assert_eq!(records, [1, 1, 0, 1, 1, 0]);
        assert_eq!(gone_on(&mut memory, &hazards, Way::Down, publish(RECEIPT, "b")), 1);
        assert_eq!(gone_on(&mut memory, &hazards, Way::Up, Packet::PingReq), 1);
    }

    #[test]
    fn a_forgotten_record_is_acknowledged_and_goes_nowhere() {
        let hazards = Hazards { forget: true, ..Hazards::default() };

        let fate = Memory::default().judge(&hazards, Way::Up, publish(RECORD, "a"));

        assert!(fate.on.is_empty());
        assert!(matches!(fate.back, Some(Packet::PubAck(PubAck { pkid: 7, .. }))));
    }

    #[test]
    fn an_old_receipt_is_said_again_beside_what_goes_down() {
        let mut memory = Memory::default();
        gone_on(&mut memory, &Hazards::default(), Way::Down, publish(RECEIPT, "old"));
        let hazards = Hazards { stale: Some(Kind::Receipt), ..Hazards::default() };

        let fate = memory.judge(&hazards, Way::Down, Packet::PingResp);

        let payload = match &fate.on[1].1 {
            Packet::Publish(publish) => publish.payload.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(payload, "old");
    }

    #[test]
    fn a_way_that_swallows_lets_nothing_through_and_the_other_does() {
        let hazards = Hazards { up: Hole::Swallowed, ..Hazards::default() };
        let mut memory = Memory::default();

        assert_eq!(gone_on(&mut memory, &hazards, Way::Up, publish(RECORD, "a")), 0);
        assert_eq!(gone_on(&mut memory, &hazards, Way::Down, publish(RECEIPT, "b")), 1);
        assert!(!hazards.is_black_hole());
    }
}
