//! The post: who is owed what. Publishes go into sessions, retained messages are kept.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use rumqttc::{
    PubAckReason, Publish, QoS, RetainForwardRule, SubscribeFilter, SubscribeReasonCode,
    UnsubAckReason, matches,
};

use super::session::Session;
use super::subscriptions::{Filter, Match, SessionId, Subscription, Subscriptions};
use super::{Counters, Faults};

/// Bytes of all retained messages together; one status per gateway is far below.
const RETAINED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Sessions, subscriptions and retained messages of one broker.
#[derive(Debug)]
pub(super) struct Post {
    /// How deliveries go wrong.
    pub(super) faults: Faults,
    /// All sessions, those of offline clients included.
    pub(super) sessions: HashMap<SessionId, Session>,
    counters: Arc<Counters>,
    subscriptions: Subscriptions,
    retained: HashMap<Bytes, Publish>,
    retained_bytes: usize,
    deliveries: u64,
}

impl Post {
    /// A post without sessions.
    pub(super) fn new(faults: Faults, counters: Arc<Counters>) -> Self {
        Self {
            faults,
            sessions: HashMap::new(),
            counters,
            subscriptions: Subscriptions::default(),
            retained: HashMap::new(),
            retained_bytes: 0,
            deliveries: 0,
        }
    }

    /// Loses every session and every retained message.
    pub(super) fn forget_all(&mut self) {
        self.sessions.clear();
        self.subscriptions = Subscriptions::default();
        self.retained.clear();
        self.retained_bytes = 0;
    }

    /// Ends a session with its subscriptions and everything it is owed.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        for filter in session.filters.iter().filter_map(|text| Filter::parse(text)) {
            self.subscriptions.remove(filter, id);
        }
        Some(session)
    }

    /// Retains and delivers; all or, when somebody who may not miss it has no room, nothing.
    pub(super) fn route(
        &mut self,
        from: Option<SessionId>,
        topic: &str,
        publish: &Publish,
    ) -> PubAckReason {
        let sessions = &self.sessions;
        let is_online = |id| sessions.get(&id).is_some_and(|session| session.link.is_some());
        let found = self.subscriptions.matching(topic, from, is_online);
        let is_full = |id| sessions.get(&id).is_some_and(|session| !session.has_room(publish));
        let is_reliable = publish.qos != QoS::AtMostOnce;
        if is_reliable && found.iter().any(|it| it.qos != QoS::AtMostOnce && is_full(it.session)) {
            Counters::add(&self.counters.refusals, 1);
            return PubAckReason::QuotaExceeded;
        }
        if publish.retain && !self.retain(publish) {
            Counters::add(&self.counters.refusals, 1);
            return PubAckReason::QuotaExceeded;
        }
        for wanted in &found {
            self.deliver(wanted, topic, publish);
        }
        match found.is_empty() {
            true => PubAckReason::NoMatchingSubscribers,
            false => PubAckReason::Success,
        }
    }

    fn deliver(&mut self, wanted: &Match, topic: &str, publish: &Publish) {
        if self.faults.drop_deliveries.as_ref().is_some_and(|filter| matches(topic, filter)) {
            return;
        }
        let Some(session) = self.sessions.get_mut(&wanted.session) else {
            return;
        };
        let mut copy = Publish { dup: false, pkid: 0, ..publish.clone() };
        copy.retain = publish.retain && wanted.keeps_retain;
        if wanted.qos == QoS::AtMostOnce {
            copy.qos = QoS::AtMostOnce;
        }
        if let Some(properties) = &mut copy.properties {
            properties.subscription_identifiers.clear();
        }
        if !wanted.ids.is_empty() {
            let properties = copy.properties.get_or_insert_default();
            properties.subscription_identifiers.clone_from(&wanted.ids);
        }
        if !session.has_room(&copy) {
            Counters::add(&self.counters.deliveries_dropped, 1);
            return;
        }
        self.deliveries += 1;
        let number = self.deliveries;
        let is_due = |every: u32| number.is_multiple_of(u64::from(every));
        if self.faults.duplicate_every.is_some_and(|every| is_due(every.get())) {
            session.enqueue(copy.clone(), false);
        }
        let overtakes = self.faults.reorder_every.is_some_and(|every| is_due(every.get()));
        session.enqueue(copy, overtakes);
    }

    /// Keeps the last message of a topic, or forgets it when it is empty; false without room.
    fn retain(&mut self, publish: &Publish) -> bool {
        let old = self.retained.get(&publish.topic).map_or(0, |old| old.payload.len());
        let bytes = self.retained_bytes - old + publish.payload.len();
        if bytes > RETAINED_BYTES_MAX {
            return false;
        }
        self.retained_bytes = bytes;
        if publish.payload.is_empty() {
            self.retained.remove(&publish.topic);
            return true;
        }
        // Copies, so that a short status does not hold on to a whole read buffer.
        let topic = Bytes::copy_from_slice(&publish.topic);
        let payload = Bytes::copy_from_slice(&publish.payload);
        let kept = Publish { topic: topic.clone(), payload, ..publish.clone() };
        self.retained.insert(topic, kept);
        true
    }

    /// Adds a subscription that is allowed, and delivers what was retained for it.
    pub(super) fn subscribe(
        &mut self,
        session: SessionId,
        filter: Filter<'_>,
        wish: &SubscribeFilter,
        id: Option<usize>,
    ) -> SubscribeReasonCode {
        let qos = if wish.qos == QoS::AtMostOnce { wish.qos } else { QoS::AtLeastOnce };
        let subscription = Subscription {
            session,
            qos,
            no_local: wish.nolocal,
            keeps_retain: wish.preserve_retain,
            id,
        };
        let is_new = self.subscriptions.insert(filter, subscription);
        if is_new && let Some(subscriber) = self.sessions.get_mut(&session) {
            subscriber.filters.push(wish.path.clone());
        }
        let wants_retained = match wish.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => true,
            RetainForwardRule::OnNewSubscribe => is_new,
            RetainForwardRule::Never => false,
        };
        if wants_retained && filter.group.is_none() {
            let ids = id.into_iter().collect();
            self.deliver_retained(filter.topics, &Match { session, qos, keeps_retain: true, ids });
        }
        SubscribeReasonCode::Success(qos)
    }

    /// Takes a subscription away.
    pub(super) fn unsubscribe(&mut self, id: SessionId, text: &str) -> UnsubAckReason {
        let Some(filter) = Filter::parse(text) else {
            return UnsubAckReason::TopicFilterInvalid;
        };
        if !self.subscriptions.remove(filter, id) {
            return UnsubAckReason::NoSubscriptionExisted;
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.filters.retain(|known| known != text);
        }
        UnsubAckReason::Success
    }

    fn deliver_retained(&mut self, filter: &str, wanted: &Match) {
        let kept: Vec<Publish> = self.retained.values().cloned().collect();
        for publish in kept {
            if let Ok(topic) = std::str::from_utf8(&publish.topic)
                && matches(topic, filter)
            {
                self.deliver(wanted, topic, &publish);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::session::Login;

    #[test]
    fn a_full_session_refuses_the_publisher_and_loses_nothing() {
        let login = Login {
            identity: "sink".into(),
            client_id: "a".into(),
            clean_start: false,
            expiry_seconds: 60,
            receive_maximum: 1,
            packet_bytes_max: usize::MAX,
            will: None,
        };
        let mut post = Post::new(Faults::default(), Arc::default());
        post.sessions.insert(1, Session::new(&login));
        let wish = SubscribeFilter::new("a", QoS::AtLeastOnce);
        post.subscribe(1, Filter { group: None, topics: "a" }, &wish, None);
        // One allocation, counted sixteen times.
        let payload = vec![0; 16 * 1024 * 1024];
        let large = Publish::new("a", QoS::AtLeastOnce, payload, None);

        let fates: Vec<_> = (0..16).map(|_| post.route(None, "a", &large)).collect();

        assert!(fates[..15].iter().all(|fate| *fate == PubAckReason::Success));
        assert_eq!(fates[15], PubAckReason::QuotaExceeded);
    }
}
