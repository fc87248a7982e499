//! What each packet of a client does: acknowledgements, publishes and subscriptions.

use rumqttc::{
    Disconnect, DisconnectReasonCode, Packet, PubAck, PubAckReason, Publish, QoS, SubAck,
    Subscribe, SubscribeFilter, SubscribeReasonCode, UnsubAck, Unsubscribe,
};

use super::{Attached, Counters, Filter, Router, SessionId, answer};

/// What a connection does after its packets were handled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Next {
    /// Read on.
    Read,
    /// Wait until the outbox has room, then read on.
    WaitForRoom,
    /// Read no more: a DISCONNECT of ours is on its way, or the session was taken over.
    Refused,
    /// The client said goodbye.
    Goodbye,
}

/// Why packets of a connection are not handled any more.
enum Stop {
    /// The client said goodbye.
    Goodbye,
    /// It broke a rule and is sent away.
    Because(DisconnectReasonCode),
}

impl Router {
    /// Handles what a connection has read.
    pub(in super::super) fn handle(
        &mut self,
        at: &Attached,
        packets: impl Iterator<Item = Packet>,
    ) -> Next {
        for packet in packets {
            match self.handle_one(at, packet) {
                Ok(()) => {}
                Err(Stop::Goodbye) => return Next::Goodbye,
                Err(Stop::Because(reason)) => {
                    self.refuse(at, reason);
                    return Next::Refused;
                }
            }
        }
        match self.held(at).and_then(|session| session.link.as_ref()) {
            Some(link) if link.is_full() => Next::WaitForRoom,
            Some(_) => Next::Read,
            None => Next::Refused,
        }
    }

    fn handle_one(&mut self, at: &Attached, packet: Packet) -> Result<(), Stop> {
        let Some(session) = self.held(at) else {
            return Err(Stop::Goodbye);
        };
        match packet {
            Packet::Publish(publish) => return self.publish(at, publish),
            Packet::PubAck(ack) => session.acknowledge(ack.pkid),
            Packet::Subscribe(wishes) => self.subscribe(at, wishes),
            Packet::Unsubscribe(wishes) => self.unsubscribe(at, &wishes),
            Packet::PingReq => self.answer(at, &Packet::PingResp),
            Packet::Disconnect(goodbye) => return Err(self.goodbye(at, &goodbye)),
            _ => return Err(Stop::Because(DisconnectReasonCode::ProtocolError)),
        }
        Ok(())
    }

    fn publish(&mut self, at: &Attached, publish: Publish) -> Result<(), Stop> {
        Counters::add(&self.counters.publishes_in, 1);
        let has_alias = publish.properties.as_ref().is_some_and(|it| it.topic_alias.is_some());
        if publish.qos == QoS::ExactlyOnce {
            return Err(Stop::Because(DisconnectReasonCode::QoSNotSupported));
        }
        if has_alias || publish.topic.is_empty() {
            return Err(Stop::Because(DisconnectReasonCode::TopicAliasInvalid));
        }
        let (qos, pkid) = (publish.qos, publish.pkid);
        let reason = self.admit(at.session, &publish);
        let drop_puback = self.post.faults.drop_puback;
        let Some(link) = self.held(at).and_then(|session| session.link.as_mut()) else {
            return Err(Stop::Goodbye);
        };
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        if drop_puback {
            link.unacknowledged += 1;
            let is_over = link.unacknowledged > link.receive_maximum;
            let reason = DisconnectReasonCode::ReceiveMaximumExceeded;
            return if is_over { Err(Stop::Because(reason)) } else { Ok(()) };
        }
        answer(link, &Packet::PubAck(PubAck { pkid, reason, properties: None }));
        Ok(())
    }

    /// Decides about a client's publish and carries it out.
    fn admit(&mut self, from: SessionId, publish: &Publish) -> PubAckReason {
        let Ok(topic) = std::str::from_utf8(&publish.topic) else {
            return PubAckReason::TopicNameInvalid;
        };
        let identity = self.post.sessions.get(&from).map_or("", |session| &session.identity);
        if !self.access.may_publish(identity, topic) {
            Counters::add(&self.counters.refusals, 1);
            return PubAckReason::NotAuthorized;
        }
        if self.post.faults.ack_and_forget {
            return PubAckReason::Success;
        }
        self.post.route(Some(from), topic, publish)
    }

    fn subscribe(&mut self, at: &Attached, wishes: Subscribe) {
        let id = wishes.properties.and_then(|properties| properties.id);
        let decide = |wish: &SubscribeFilter| self.subscribe_one(at.session, wish, id);
        let return_codes = wishes.filters.iter().map(decide).collect();
        let ack = SubAck { pkid: wishes.pkid, return_codes, properties: None };
        self.answer(at, &Packet::SubAck(ack));
    }

    fn subscribe_one(
        &mut self,
        from: SessionId,
        wish: &SubscribeFilter,
        id: Option<usize>,
    ) -> SubscribeReasonCode {
        let Some(filter) = Filter::parse(&wish.path) else {
            return SubscribeReasonCode::TopicFilterInvalid;
        };
        let identity = self.post.sessions.get(&from).map_or("", |session| &session.identity);
        if !self.access.may_subscribe(identity, filter.topics) {
            Counters::add(&self.counters.refusals, 1);
            return SubscribeReasonCode::NotAuthorized;
        }
        self.post.subscribe(from, filter, wish, id)
    }

    fn unsubscribe(&mut self, at: &Attached, wishes: &Unsubscribe) {
        let decide = |text: &String| self.post.unsubscribe(at.session, text);
        let reasons = wishes.filters.iter().map(decide).collect();
        let ack = UnsubAck { pkid: wishes.pkid, reasons, properties: None };
        self.answer(at, &Packet::UnsubAck(ack));
    }

    fn goodbye(&mut self, at: &Attached, goodbye: &Disconnect) -> Stop {
        let Some(session) = self.held(at) else {
            return Stop::Goodbye;
        };
        let asked = goodbye.properties.as_ref().and_then(|it| it.session_expiry_interval);
        if let Some(seconds) = asked {
            session.set_expiry_seconds(seconds);
        }
        if let (Some(link), DisconnectReasonCode::NormalDisconnection) =
            (&mut session.link, goodbye.reason_code)
        {
            link.will = None;
        }
        Stop::Goodbye
    }

    fn answer(&mut self, at: &Attached, packet: &Packet) {
        if let Some(link) = self.held(at).and_then(|session| session.link.as_mut()) {
            answer(link, packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;
    use std::time::Instant;

    use bytes::BytesMut;

    use super::super::Login;
    use super::*;
    use crate::broker::Faults;

    fn attached(faults: Faults) -> (Router, Attached) {
        let mut router = Router::new(Vec::new(), faults, Arc::default());
        let login = Login {
            identity: "7".into(),
            client_id: "agent".into(),
            clean_start: true,
            expiry_seconds: 0,
            receive_maximum: 1,
            packet_bytes_max: usize::MAX,
            will: None,
        };
        let attached = router.attach(login, Instant::now()).expect("nothing to refuse");
        (router, attached)
    }

    fn publish(qos: QoS) -> Packet {
        let publish = Publish::new("wardline/v1/7/alert", qos, "a", None);
        Packet::Publish(Publish { pkid: 1, ..publish })
    }

    fn end(router: &mut Router, at: &Attached) -> Option<DisconnectReasonCode> {
        router.take(at, &mut BytesMut::new(), &mut Vec::new())
    }

    #[test]
    fn a_client_that_exceeds_the_receive_maximum_is_sent_away() {
        let receive_maximum = NonZeroU16::new(2);
        let faults = Faults { drop_puback: true, receive_maximum, ..Faults::default() };
        let (mut router, at) = attached(faults);

        let allowed = router.handle(&at, (0..2).map(|_| publish(QoS::AtLeastOnce)));
        let exceeded = router.handle(&at, std::iter::once(publish(QoS::AtLeastOnce)));

        assert_eq!((allowed, exceeded), (Next::Read, Next::Refused));
        assert_eq!(end(&mut router, &at), Some(DisconnectReasonCode::ReceiveMaximumExceeded));
    }

    #[test]
    fn quality_two_is_refused_as_announced() {
        let (mut router, at) = attached(Faults::default());

        let next = router.handle(&at, std::iter::once(publish(QoS::ExactlyOnce)));

        assert_eq!(next, Next::Refused);
        assert_eq!(end(&mut router, &at), Some(DisconnectReasonCode::QoSNotSupported));
    }

    #[test]
    fn a_client_that_does_not_read_its_answers_is_not_read_either() {
        let (mut router, at) = attached(Faults::default());

        let next = router.handle(&at, (0..200_000).map(|_| publish(QoS::AtLeastOnce)));

        assert_eq!(next, Next::WaitForRoom);
    }
}
