//! The rules of the broker: packets come in, answers and deliveries go into sessions.
//!
//! No sockets and no clock here. A connection attaches, hands in the packets it has read, takes
//! what it may write, and detaches; `generation` tells it from a later connection of the same
//! client, which takes the session over. What a packet does stands in `packets`.

mod packets;

use std::collections::HashMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rumqttc::{
    ConnAck, ConnAckProperties, ConnectReturnCode, DisconnectReasonCode, LastWill, Packet, Publish,
    QoS,
};

use super::access::Access;
use super::post::Post;
use super::session::{Link, Login, Session, Signals};
use super::subscriptions::{Filter, SessionId};
use super::{Counters, Faults};
pub(super) use packets::Next;

/// The largest packet taken when no fault asks for less: far above every frame of ours.
const PACKET_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// A connection's hold on its session.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    /// The session.
    pub(super) session: SessionId,
    /// This connection among those that the session had.
    pub(super) generation: u64,
    /// How the connection is called.
    pub(super) signals: Arc<Signals>,
    /// The largest packet it may send us, bytes.
    pub(super) packet_bytes_max: u32,
}

/// All state of one broker.
#[derive(Debug)]
pub(super) struct Router {
    access: Access,
    post: Post,
    /// By identity and client id: nobody takes over a session of another certificate.
    names: HashMap<(String, String), SessionId>,
    counters: Arc<Counters>,
    /// Sessions and connections are numbered from here.
    last_number: u64,
}

impl Router {
    /// A broker without sessions.
    pub(super) fn new(sinks: Vec<String>, faults: Faults, counters: Arc<Counters>) -> Self {
        Self {
            access: Access::new(sinks),
            post: Post::new(faults, Arc::clone(&counters)),
            names: HashMap::new(),
            counters,
            last_number: 0,
        }
    }

    /// The faults that are on now.
    pub(super) fn faults(&self) -> &Faults {
        &self.post.faults
    }

    /// Replaces the faults.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.post.faults = faults;
    }

    /// Loses every session and every retained message.
    pub(super) fn forget_all(&mut self) {
        self.post.forget_all();
        self.names.clear();
    }

    /// Ends the sessions that have been offline for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let expired: Vec<SessionId> = self
            .post
            .sessions
            .iter()
            .filter(|(_, session)| session.is_expired(now))
            .map(|(&id, _)| id)
            .collect();
        for id in expired {
            self.remove(id);
        }
    }

    /// Gives a connection its session, a kept one or a new one; the CONNACK is in its outbox.
    ///
    /// # Errors
    /// The reason to refuse the CONNECT with.
    pub(super) fn attach(
        &mut self,
        mut login: Login,
        now: Instant,
    ) -> Result<Attached, ConnectReturnCode> {
        if let Some(will) = &login.will {
            self.check_will(&login.identity, will)?;
        }
        self.last_number += 1;
        let generation = self.last_number;
        let assigned = login.client_id.is_empty().then(|| format!("assigned-{generation}"));
        login.client_id.extend(assigned.clone());
        let kept = self.kept(&login, now);

        let id = kept.unwrap_or(generation);
        let packet_bytes_max = self.packet_bytes_max();
        let connack = Packet::ConnAck(self.connack(kept.is_some(), assigned));
        let mut link = self.link(generation, login.will.take());
        answer(&mut link, &connack);
        let signals = Arc::clone(&link.signals);
        let name = (login.identity.clone(), login.client_id.clone());
        self.names.insert(name, id);
        let sessions = &mut self.post.sessions;
        let session = sessions.entry(id).or_insert_with(|| Session::new(&login));
        session.resume(&login, link);
        Counters::add(&self.counters.connects, 1);
        Ok(Attached { session: id, generation, signals, packet_bytes_max })
    }

    /// Ends a connection: its will is published unless it said goodbye, and its session is kept
    /// for as long as it asked.
    pub(super) fn detach(&mut self, at: &Attached, now: Instant) {
        if self.held(at).is_some() {
            self.part(at.session, now);
        }
    }

    /// Lets a connection end with a DISCONNECT that names `reason`.
    pub(super) fn refuse(&mut self, at: &Attached, reason: DisconnectReasonCode) {
        Counters::add(&self.counters.refusals, 1);
        if let Some(link) = self.held(at).and_then(|session| session.link.as_mut()) {
            link.closing = Some(reason);
            link.signals.wake.notify_one();
            link.signals.closing.notify_one();
        }
    }

    /// Moves what a connection may write now: encoded answers to `answers`, deliveries to
    /// `publishes`. With a reason, those are the last, and a DISCONNECT follows them.
    pub(super) fn take(
        &mut self,
        at: &Attached,
        answers: &mut BytesMut,
        publishes: &mut Vec<Publish>,
    ) -> Option<DisconnectReasonCode> {
        let Some(session) = self.held(at) else {
            return Some(DisconnectReasonCode::SessionTakenOver);
        };
        let link = session.link.as_mut()?;
        answers.extend_from_slice(&link.outbox);
        link.outbox.clear();
        if link.closing.is_some() {
            return link.closing;
        }
        let dropped = session.take(publishes);
        Counters::add(&self.counters.deliveries_dropped, dropped);
        Counters::add(&self.counters.deliveries_out, publishes.len());
        None
    }

    /// Takes a session's connection away, whoever asks: its end, or the next one.
    fn part(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.post.sessions.get_mut(&id) else {
            return;
        };
        let Some(link) = session.link.take() else {
            return;
        };
        link.signals.wake.notify_one();
        link.signals.closing.notify_one();
        if !session.leave(now) {
            self.remove(id);
        }
        if let Some(will) = link.will
            && let Ok(topic) = std::str::from_utf8(&will.topic)
        {
            let publish = Publish {
                qos: will.qos,
                retain: will.retain,
                topic: will.topic.clone(),
                payload: will.message.clone(),
                ..Publish::default()
            };
            self.post.route(None, topic, &publish);
        }
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(session) = self.post.remove(id) {
            self.names.remove(&(session.identity, session.client_id));
        }
    }

    /// The session of a connection, unless a later connection has it.
    fn held(&mut self, at: &Attached) -> Option<&mut Session> {
        let session = self.post.sessions.get_mut(&at.session)?;
        let is_current = session.link.as_ref()?.generation == at.generation;
        is_current.then_some(session)
    }

    fn check_will(&self, identity: &str, will: &LastWill) -> Result<(), ConnectReturnCode> {
        let topic = std::str::from_utf8(&will.topic).unwrap_or_default();
        if will.qos == QoS::ExactlyOnce {
            return Err(ConnectReturnCode::QoSNotSupported);
        }
        match self.access.may_publish(identity, topic) {
            true => Ok(()),
            false => Err(ConnectReturnCode::NotAuthorized),
        }
    }

    fn connack(&self, session_present: bool, assigned: Option<String>) -> ConnAck {
        let faults = &self.post.faults;
        let properties = ConnAckProperties {
            session_expiry_interval: None,
            receive_max: faults.receive_maximum.map(NonZeroU16::get),
            max_qos: Some(1),
            retain_available: None,
            max_packet_size: Some(self.packet_bytes_max()),
            assigned_client_identifier: assigned,
            topic_alias_max: None,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        };
        let code = ConnectReturnCode::Success;
        ConnAck { session_present, code, properties: Some(properties) }
    }

    fn packet_bytes_max(&self) -> u32 {
        self.post.faults.max_packet.map_or(PACKET_BYTES_MAX, NonZeroU32::get)
    }

    /// The session that a login resumes; one that it takes over or resets has ended by then.
    fn kept(&mut self, login: &Login, now: Instant) -> Option<SessionId> {
        let name = (login.identity.clone(), login.client_id.clone());
        let known = self.names.get(&name).copied()?;
        self.part(known, now);
        let session = self.post.sessions.get(&known)?;
        if login.clean_start || session.is_expired(now) {
            self.remove(known);
            return None;
        }
        Some(known)
    }

    fn link(&self, generation: u64, will: Option<LastWill>) -> Link {
        let announced = self.post.faults.receive_maximum;
        Link {
            generation,
            signals: Arc::<Signals>::default(),
            outbox: BytesMut::new(),
            closing: None,
            unacknowledged: 0,
            receive_maximum: announced.map_or(usize::from(u16::MAX), |it| usize::from(it.get())),
            will,
        }
    }
}

/// Puts an answer into the outbox and calls the connection to write it.
fn answer(link: &mut Link, packet: &Packet) {
    packet.write(&mut link.outbox, None).expect("answers of ours are short and well formed");
    link.signals.wake.notify_one();
}
