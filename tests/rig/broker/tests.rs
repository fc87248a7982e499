//! The broker as a client of the fork sees it, over TLS.

use std::future::Future;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rumqttc::{
    AckMode, AsyncClient, BrokerSessionResumePolicy, ConnAck, ConnectionError,
    DisconnectReasonCode, Event, IncomingPacketSizeLimit, LastWill, MqttOptions, Packet,
    PubAckReason, Publish, PublishNoticeError, PublishOptions, PublishResult, QoS, StateError,
    SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;

use super::{BrokerConfig, BrokerHandle, Faults, start};

/// Longer than any of these steps takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// Certificate and key, both PEM.
    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (Vec<u8>, Vec<u8>) {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(purpose);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem().into_bytes(), key.serialize_pem().into_bytes())
    }
}

struct Site {
    authority: Authority,
    broker: BrokerHandle,
}

impl Site {
    async fn new(faults: Faults) -> Self {
        let authority = Authority::new();
        let broker = start(config(&authority, 0, faults)).await.unwrap();
        Self { authority, broker }
    }

    fn options(&self, name: &str) -> MqttOptions {
        let client_auth = self.authority.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
        let mut options = MqttOptions::new(name, ("localhost", self.broker.address().port()));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: self.authority.pem(),
            alpn: None,
            client_auth: Some(client_auth),
        }));
        options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(1024 * 1024));
        options
    }

    async fn peer(&self, name: &str) -> Peer {
        Peer::new(self.options(name)).await
    }
}

fn config(authority: &Authority, port: u16, faults: Faults) -> BrokerConfig {
    let (certificate_pem, key_pem) = authority.issue("broker", ExtendedKeyUsagePurpose::ServerAuth);
    BrokerConfig {
        listen: ([127, 0, 0, 1], port).into(),
        certificate_pem,
        key_pem,
        client_ca_pem: authority.pem(),
        client_crl_pem: Vec::new(),
        sinks: vec!["sink-a".into(), "sink-b".into()],
        faults,
    }
}

/// A client whose loop runs until its first error.
struct Peer {
    client: AsyncClient,
    connack: ConnAck,
    events: mpsc::UnboundedReceiver<Result<Event, ConnectionError>>,
}

impl Peer {
    async fn new(options: MqttOptions) -> Self {
        Self::try_new(options).await.unwrap()
    }

    async fn try_new(options: MqttOptions) -> Result<Self, ConnectionError> {
        let (client, mut eventloop) = AsyncClient::builder(options).capacity(10).build();
        let (sender, mut events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = eventloop.poll().await;
                let is_last = event.is_err();
                if sender.send(event).is_err() || is_last {
                    return;
                }
            }
        });
        loop {
            let event = soon(events.recv()).await.expect("an error comes before the end")?;
            if let Event::Incoming(Packet::ConnAck(connack)) = event {
                return Ok(Self { client, connack, events });
            }
        }
    }

    async fn subscribe(&self, filter: &str) -> SubscribeReasonCode {
        let notice = self.client.subscribe_tracked(filter, QoS::AtLeastOnce).await.unwrap();
        soon(notice.wait_async()).await.unwrap().return_codes[0]
    }

    async fn publish(&self, topic: &str, payload: &[u8]) -> PubAckReason {
        self.publish_with(topic, payload, PublishOptions::at_least_once()).await
    }

    async fn publish_with(
        &self,
        topic: &str,
        payload: &[u8],
        options: PublishOptions,
    ) -> PubAckReason {
        let notice = self.client.publish_tracked(topic, payload, options).await.unwrap();
        match soon(notice.wait_async()).await.unwrap() {
            PublishResult::Qos1(ack) => ack.reason,
            other => panic!("quality 1 ended as {other:?}"),
        }
    }

    async fn next(&mut self) -> Publish {
        loop {
            let event = soon(self.events.recv()).await.expect("an error comes before the end");
            if let Event::Incoming(Packet::Publish(publish)) = event.unwrap() {
                return publish;
            }
        }
    }

    async fn payloads(&mut self, count: usize) -> Vec<u8> {
        let mut payloads = Vec::new();
        for _ in 0..count {
            payloads.push(self.next().await.payload[0]);
        }
        payloads
    }

    /// The reason of the broker's DISCONNECT, or `None` when the connection just broke.
    async fn end(&mut self) -> Option<DisconnectReasonCode> {
        loop {
            match soon(self.events.recv()).await {
                Some(Ok(_)) => {}
                Some(Err(ConnectionError::MqttState(StateError::ServerDisconnect {
                    reason_code,
                    ..
                }))) => return Some(reason_code),
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn leave(mut self) {
        self.client.disconnect().await.unwrap();
        self.end().await;
    }
}

async fn soon<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("a step of this test hangs")
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let site = Site::new(Faults::default()).await;
    let stranger = Authority::new().issue("7", ExtendedKeyUsagePurpose::ClientAuth);
    let mut options = site.options("7");
    options.set_transport(Transport::tls(site.authority.pem(), Some(stranger), None));

    let refused = Peer::try_new(options).await.err();

    assert!(refused.is_some());
    assert_eq!(site.broker.stats().connects, 0);
}

#[tokio::test]
async fn topics_of_others_are_refused_as_not_authorized() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;

    let own = gateway.publish("wardline/v1/7/alert", b"a").await;
    let foreign = gateway.publish("wardline/v1/8/alert", b"a").await;
    let heard = gateway.subscribe("wardline/v1/8/receipt").await;
    let keyring = gateway.subscribe("wardline/v1/keyring").await;

    assert_eq!(own, PubAckReason::NoMatchingSubscribers);
    assert_eq!(foreign, PubAckReason::NotAuthorized);
    assert_eq!(heard, SubscribeReasonCode::NotAuthorized);
    assert_eq!(keyring, SubscribeReasonCode::Success(QoS::AtLeastOnce));
}

#[tokio::test]
async fn a_frame_goes_up_and_a_receipt_comes_down() {
    let site = Site::new(Faults::default()).await;
    let mut gateway = site.peer("7").await;
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/+/wave").await;
    gateway.subscribe("wardline/v1/7/receipt").await;
    let frame = vec![0x5a; 65_596];

    assert_eq!(gateway.publish("wardline/v1/7/wave", &frame).await, PubAckReason::Success);
    let arrived = sink.next().await;
    assert_eq!(sink.publish("wardline/v1/7/receipt", b"r").await, PubAckReason::Success);

    assert_eq!(arrived.payload, frame);
    assert_eq!(arrived.topic, "wardline/v1/7/wave");
    assert_eq!(gateway.next().await.payload, "r");
}

#[tokio::test]
async fn a_retained_message_waits_for_a_later_subscriber() {
    let site = Site::new(Faults::default()).await;
    let sink = site.peer("sink-a").await;
    let retained = PublishOptions::at_least_once().retained();
    sink.publish_with("wardline/v1/keyring", b"k", retained).await;

    let mut gateway = site.peer("7").await;
    gateway.subscribe("wardline/v1/keyring").await;
    let keyring = gateway.next().await;

    assert_eq!((keyring.payload.as_ref(), keyring.retain), (b"k".as_ref(), true));
}

#[tokio::test]
async fn an_offline_session_gets_what_it_missed() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;
    let mut options = site.options("sink-a");
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(3600))
        .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly);
    let sink = Peer::new(options.clone()).await;
    sink.subscribe("wardline/v1/+/vital").await;
    sink.leave().await;

    for payload in [b"a", b"b", b"c"] {
        assert_eq!(gateway.publish("wardline/v1/7/vital", payload).await, PubAckReason::Success);
    }
    let mut sink = Peer::new(options.clone()).await;

    assert!(sink.connack.session_present);
    assert_eq!(sink.payloads(3).await, b"abc");

    sink.leave().await;
    options.set_clean_start(true);
    assert!(!Peer::new(options).await.connack.session_present);
}

#[tokio::test]
async fn two_sinks_of_a_group_share_the_work() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;
    let mut first = site.peer("sink-a").await;
    let mut second = site.peer("sink-b").await;
    first.subscribe("$share/sinks/wardline/v1/#").await;
    second.subscribe("$share/sinks/wardline/v1/#").await;

    for payload in [b"a", b"b", b"c", b"d"] {
        gateway.publish("wardline/v1/7/vital", payload).await;
    }

    assert_eq!(first.payloads(2).await, b"ac");
    assert_eq!(second.payloads(2).await, b"bd");
}

#[tokio::test]
async fn no_more_is_sent_than_the_receive_maximum_allows() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;
    let mut options = site.options("sink-a");
    options.set_receive_maximum(Some(1)).set_ack_mode(AckMode::Manual);
    let mut sink = Peer::new(options).await;
    sink.subscribe("wardline/v1/+/vital").await;
    for payload in [b"a", b"b", b"c"] {
        gateway.publish("wardline/v1/7/vital", payload).await;
    }

    for count in 1..=3 {
        let publish = sink.next().await;
        assert_eq!(site.broker.stats().deliveries_out, count);
        sink.client.ack(&publish).await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_connection_leaves_its_will() {
    let site = Site::new(Faults::default()).await;
    let mut options = site.options("7");
    let topic = "wardline/v1/7/status";
    options.set_last_will(LastWill::new(topic, b"gone".to_vec(), QoS::AtLeastOnce, true, None));
    let mut gateway = Peer::new(options).await;

    site.broker.disconnect_all();
    assert_eq!(gateway.end().await, None);
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/+/status").await;

    assert_eq!(sink.next().await.payload, "gone");
}

#[tokio::test]
async fn a_client_that_breaks_its_keep_alive_is_taken_for_lost() {
    let site = Site::new(Faults::default()).await;
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/+/status").await;
    let mut options = site.options("7");
    let topic = "wardline/v1/7/status";
    options.set_keep_alive(1);
    options.set_last_will(LastWill::new(topic, b"gone".to_vec(), QoS::AtLeastOnce, true, None));

    // Nobody polls this loop again, so that it sends no ping.
    let (_client, mut eventloop) = AsyncClient::builder(options).capacity(1).build();
    soon(eventloop.poll()).await.unwrap();

    assert_eq!(sink.next().await.payload, "gone");
}

#[tokio::test]
async fn a_second_connection_takes_the_session_over() {
    let site = Site::new(Faults::default()).await;
    let mut first = site.peer("7").await;

    let second = site.peer("7").await;

    assert_eq!(first.end().await, Some(DisconnectReasonCode::SessionTakenOver));
    assert_eq!(
        second.publish("wardline/v1/7/alert", b"a").await,
        PubAckReason::NoMatchingSubscribers
    );
}

#[tokio::test]
async fn a_restarted_broker_has_its_port_but_no_memory() {
    let mut site = Site::new(Faults::default()).await;
    let mut options = site.options("sink-a");
    options.set_clean_start(false).set_session_expiry_interval(Some(3600));
    let mut sink = Peer::new(options.clone()).await;
    let address = site.broker.address();

    site.broker.shutdown().await;
    assert_eq!(sink.end().await, None);
    let again = config(&site.authority, address.port(), Faults::default());
    site.broker = start(again).await.unwrap();

    assert_eq!(site.broker.address(), address);
    assert!(!Peer::new(options).await.connack.session_present);
}

#[tokio::test]
async fn without_pubacks_a_publish_ends_with_the_connection() {
    let faults = Faults { drop_puback: true, ..Faults::default() };
    let site = Site::new(faults).await;
    let gateway = site.peer("7").await;
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/#").await;

    let options = PublishOptions::at_least_once();
    let topic = "wardline/v1/7/alert";
    let notice = gateway.client.publish_tracked(topic, "a", options).await.unwrap();
    assert_eq!(sink.payloads(1).await, b"a");
    site.broker.disconnect_all();

    let fate = soon(notice.wait_async()).await;
    assert_eq!(fate, Err(PublishNoticeError::Recv));
}

#[tokio::test]
async fn forgotten_and_dropped_messages_are_acknowledged_all_the_same() {
    let site = Site::new(Faults { ack_and_forget: true, ..Faults::default() }).await;
    let gateway = site.peer("7").await;
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/#").await;

    assert_eq!(gateway.publish("wardline/v1/7/alert", b"a").await, PubAckReason::Success);
    let filter = Some("wardline/v1/+/vital".into());
    site.broker.set_faults(Faults { drop_deliveries: filter, ..Faults::default() });
    assert_eq!(gateway.publish("wardline/v1/7/vital", b"b").await, PubAckReason::Success);
    assert_eq!(gateway.publish("wardline/v1/7/alert", b"c").await, PubAckReason::Success);

    assert_eq!(sink.payloads(1).await, b"c");
}

#[tokio::test]
async fn every_second_delivery_comes_twice() {
    let duplicate_every = NonZeroU32::new(2);
    let site = Site::new(Faults { duplicate_every, ..Faults::default() }).await;
    let gateway = site.peer("7").await;
    let mut sink = site.peer("sink-a").await;
    sink.subscribe("wardline/v1/#").await;

    for payload in [b"a", b"b", b"c", b"d"] {
        gateway.publish("wardline/v1/7/vital", payload).await;
    }

    assert_eq!(sink.payloads(6).await, b"abbcdd");
}

#[tokio::test]
async fn a_delivery_overtakes_the_one_before_it() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;
    let mut options = site.options("sink-a");
    options.set_receive_maximum(Some(1)).set_ack_mode(AckMode::Manual);
    let mut sink = Peer::new(options).await;
    sink.subscribe("wardline/v1/#").await;
    gateway.publish("wardline/v1/7/vital", b"a").await;
    let first = sink.next().await;

    gateway.publish("wardline/v1/7/vital", b"b").await;
    let reorder_every = NonZeroU32::new(1);
    site.broker.set_faults(Faults { reorder_every, ..Faults::default() });
    gateway.publish("wardline/v1/7/vital", b"c").await;
    sink.client.ack(&first).await.unwrap();
    let second = sink.next().await;
    sink.client.ack(&second).await.unwrap();

    assert_eq!((second.payload.as_ref(), sink.payloads(1).await), (b"c".as_ref(), vec![b'b']));
}

#[tokio::test]
async fn limits_are_announced_and_kept() {
    let faults = Faults {
        receive_maximum: NonZeroU16::new(3),
        max_packet: NonZeroU32::new(100),
        ..Faults::default()
    };
    let site = Site::new(faults).await;
    let mut gateway = site.peer("7").await;
    let limits = gateway.connack.properties.take().unwrap();

    let options = PublishOptions::at_least_once();
    gateway.client.publish("wardline/v1/7/wave", vec![0; 200], options).await.unwrap();

    assert_eq!((limits.receive_max, limits.max_packet_size), (Some(3), Some(100)));
    // The client's own check ends the connection; nothing of the packet has left.
    assert_eq!(gateway.end().await, None);
    assert_eq!(site.broker.stats().publishes_in, 0);
}

#[tokio::test]
async fn a_black_hole_answers_nobody_until_it_ends() {
    let site = Site::new(Faults::default()).await;
    let gateway = site.peer("7").await;
    site.broker.set_faults(Faults { black_hole: true, ..Faults::default() });

    let options = PublishOptions::at_least_once();
    let topic = "wardline/v1/7/alert";
    let notice = gateway.client.publish_tracked(topic, "a", options).await.unwrap();
    let stranger = tokio::spawn(Peer::try_new(site.options("8")));
    let mut fate = Box::pin(notice.wait_async());
    let early = tokio::time::timeout(Duration::from_millis(200), &mut fate).await;
    site.broker.set_faults(Faults::default());

    assert!(early.is_err());
    assert!(soon(fate).await.is_ok());
    assert!(soon(stranger).await.unwrap().is_ok());
}
