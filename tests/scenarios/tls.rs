//! The TLS matrix: who does not prove itself is refused and named, collecting goes on, and nothing
//! that is not TLS ever leaves for the broker.
//!
//! The real `wardline` and `wardline-sink` as processes; an ear of ours in the broker's place keeps
//! every byte that they send.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rig::broker::{BrokerConfig, BrokerHandle, Faults};
use rig::device::{About, Device, Manner, Port, Speech};
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use serde_json::Value;
use wire::batch::ChannelInfo;
use wire::decimal::{Decimal, Number};
use wire::identity::DeviceId;
use wire::reading::{ChannelKind, Mode};

use crate::any_state::story::SOCKET;

mod ear;
pub mod papers;
mod records;

use ear::{Answer, Ear};
use papers::{Authority, Paper, Use};

/// How long anything may take that must happen; the agent waits up to 4 s between two calls.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

const LABEL: &str = "MARKER-7f3a";
const MODEL: &str = "MARKER-model-1d";
const MANTISSA: i64 = 1_234_567_890_123_456_789;

/// What the agent says; see `agent/src/uplink/refusal.rs`.
const NO_TLS_1_3: &str = "the broker offers no TLS 1.3";
const NO_TLS: &str = "the broker speaks no TLS at this port";
const STRANGER: &str = "another authority has signed the broker's certificate";
const NAME: &str = "the broker's certificate names another host";
const EXPIRED: &str = "the broker's certificate has expired";
const REVOKED: &str = "the broker's certificate is revoked";
const REFUSED: &str = "the broker refuses our certificate";

/// A fatal alert `protocol_version`: what OpenSSL without TLS 1.3 answers.
const ALERT_VERSION: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 70];

/// A site whose broker is ours.
struct Post {
    site: Site,
    authority: Authority,
    ear: Ear,
}

fn run(story: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(story);
}

impl Post {
    async fn open(answer: impl FnOnce(&Authority) -> Answer) -> Self {
        let programs = Programs::build().unwrap();
        let (broker, flush) = (Some(BrokerKind::Rig), Some(Duration::from_millis(10)));
        let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush };
        let site = Site::prepare(programs, &plan).await.unwrap();
        let authority = Authority::of(&site.papers());
        let ear = Ear::listen(0, answer(&authority)).await;
        site.lead_gateway_to("localhost", ear.port()).unwrap();
        Self { site, authority, ear }
    }

    /// The same with a real broker behind the ear, which shows this certificate.
    async fn with_broker(paper: Paper) -> (Self, BrokerHandle) {
        let post = Self::open(|_| Answer::Raw(Vec::new())).await;
        let own = post.authority.sign(&paper);
        let config = BrokerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate_pem: own.certificate.into_bytes(),
            key_pem: own.key.into_bytes(),
            client_ca_pem: fs::read(post.site.papers().ca).unwrap(),
            client_crl_pem: Vec::new(),
            sinks: vec!["sink-1".to_owned()],
            faults: Faults::default(),
        };
        let broker = rig::broker::start(config).await.unwrap();
        post.ear.answer(Answer::To(broker.address().port()));
        (post, broker)
    }

    /// A device says the markers, and the agent makes them durable.
    async fn whisper(&self, boot: u32) {
        let manner = Manner { window_frames: 16, resend_after: Duration::from_millis(500) };
        let socket = self.site.intake_folder().join(SOCKET);
        let device = Device::start(Port::Unix(socket), manner);
        let mut speech = Speech::new(About {
            device: DeviceId(0x0242_ACFF_FE00_0001),
            tick_exponent: 6,
            mode: Mode::Demo,
            model: MODEL.into(),
        });
        let channel = ChannelInfo {
            code: 149_530,
            unit: 264_864,
            kind: ChannelKind::Numeric { exponent: 0 },
            label: LABEL.into(),
            unit_label: "bpm".into(),
        };
        device.say(speech.introduce(boot, &[channel]).unwrap()).await.unwrap();
        let number = (Number::Is(Decimal { mantissa: MANTISSA, exponent: 0 }), 0);
        for utterance in speech.numerics(1_790_000_000_000_000_000, 0, &[number]).unwrap() {
            device.say(utterance).await.unwrap();
        }
        device.finish(PATIENCE).await.unwrap();
    }

    /// Waits until the agent's status is as wanted.
    async fn shown(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.site.agent_status().await.unwrap_or_default();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < until, "{status:#}\n{}", self.site.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn log(&self, role: Role) -> String {
        fs::read_to_string(self.site.log(role)).unwrap_or_default()
    }

    fn config(&self) -> PathBuf {
        self.site.intake_folder().join("wardline.toml")
    }

    /// The agent looks at this list of revoked certificates from its next start on.
    fn revoke(&self, serials: &[u64]) -> PathBuf {
        let list = self.site.intake_folder().join("crl.pem");
        fs::write(&list, self.authority.revoking(serials)).unwrap();
        let mut config: toml::Table = fs::read_to_string(self.config()).unwrap().parse().unwrap();
        let broker = config.get_mut("broker").and_then(toml::Value::as_table_mut).unwrap();
        broker.insert("crl".into(), list.to_str().unwrap().into());
        fs::write(self.config(), toml::to_string(&config).unwrap()).unwrap();
        list
    }

    /// Gives the gateway another certificate of its name.
    fn dress(&self, paper: &Paper, by: Option<&Authority>) {
        let own = by.map_or_else(|| papers::self_signed(paper), |by| by.sign(paper));
        fs::write(self.site.papers().certificate, own.certificate).unwrap();
        fs::write(self.site.papers().key, own.key).unwrap();
    }

    /// The reason is shown and logged, readings are taken as before, and the buffer grows.
    async fn collects_and_says(&self, words: &str) {
        self.whisper(1).await;
        let before = self.shown(|status| alarms(status).contains(words)).await;
        self.whisper(2).await;
        let grown = |status: &Value| vital_bytes(status) > vital_bytes(&before);
        let after = self.shown(grown).await;

        assert!(after["connected"] == false && after["held_back"] == false, "{after:#}");
        assert!(after["receipt_age_s"].is_null(), "{after:#}");
        assert!(self.log(Role::Agent).contains(words), "{}", self.log(Role::Agent));
    }

    /// Every byte so far is of a TLS record, TLS 1.3 alone was offered, and no marker is readable.
    fn heard_tls_only(&self) -> Vec<Vec<u8>> {
        let begun = |bytes: &Vec<u8>| !records::of(bytes).is_empty();
        let heard: Vec<_> = self.ear.heard().into_iter().filter(begun).collect();
        for bytes in &heard {
            let (kind, hello) = records::of(bytes)[0];
            assert_eq!(kind, records::HANDSHAKE);
            if let Some(versions) = records::offered_versions(hello) {
                assert_eq!(versions, [0x0304], "TLS 1.3 and nothing else");
            }
            let number = MANTISSA.to_be_bytes();
            for marker in [LABEL.as_bytes(), MODEL.as_bytes(), &number, b"MQTT", b"wardline/"] {
                assert!(!bytes.windows(marker.len()).any(|window| window == marker));
            }
        }
        let whole = |one: &Vec<u8>| records::offered_versions(records::of(one)[0].1).is_some();
        assert!(heard.iter().any(whole), "no greeting was whole");
        heard
    }
}

fn alarms(status: &Value) -> String {
    status["alarms"].to_string()
}

/// Bytes of the vital lane without a receipt.
fn vital_bytes(status: &Value) -> u64 {
    let mut lanes = status["lanes"].as_array().into_iter().flatten();
    let vital = lanes.find(|lane| lane["lane"] == "vital");
    vital.and_then(|lane| lane["backlog_bytes"].as_u64()).unwrap_or(0)
}

/// A ServerHello in which a server has chosen TLS 1.2.
fn hello_of_tls_1_2() -> Vec<u8> {
    let body = [&[3, 3][..], &[0x5a; 32], &[0], &[0xc0, 0x2f], &[0]].concat();
    let length = body.len() as u8;
    [&[0x16, 3, 3, 0, length + 4, 2, 0, 0, length][..], &body].concat()
}

/// An agent meets a broker that it must not believe: not one byte of application data leaves.
fn is_not_believed(answer: impl FnOnce(&Authority) -> Answer, words: &str) {
    run(async {
        let mut post = Post::open(answer).await;
        post.site.start(Role::Agent).unwrap();

        post.collects_and_says(words).await;

        for bytes in post.heard_tls_only() {
            let sealed = records::of(&bytes).into_iter().filter(|(kind, _)| *kind == records::DATA);
            for (_, body) in sealed {
                assert!(body.len() <= records::SEALED_ALERT, "more than an alert");
            }
        }
    });
}

#[test]
fn a_broker_that_refuses_tls_1_3_by_an_alert_gets_no_byte() {
    is_not_believed(|_| Answer::Raw(ALERT_VERSION.into()), NO_TLS_1_3);
}

#[test]
fn a_broker_that_chooses_tls_1_2_gets_no_byte() {
    is_not_believed(|_| Answer::Raw(hello_of_tls_1_2()), NO_TLS_1_3);
}

#[test]
fn a_broker_without_tls_gets_no_byte() {
    let connack = vec![0x20, 0x03, 0x00, 0x00, 0x00];
    is_not_believed(|_| Answer::Raw(connack), NO_TLS);
}

#[test]
fn a_broker_of_another_authority_gets_no_byte() {
    let namesake = |ours: &Authority| Authority::called(ours.name());
    is_not_believed(|ours| namesake(ours).serves(&Paper::default()), STRANGER);
}

#[test]
fn a_broker_that_signed_for_itself_gets_no_byte() {
    is_not_believed(|_| papers::serves(&papers::self_signed(&Paper::default())), STRANGER);
}

#[test]
fn a_broker_of_another_name_gets_no_byte() {
    let paper = Paper { host: "broker.elsewhere", ..Paper::default() };
    is_not_believed(|ours| ours.serves(&paper), NAME);
}

#[test]
fn a_broker_whose_certificate_has_expired_gets_no_byte() {
    // It ended before this program was made, so that no clock is needed to know it.
    let paper = Paper { years: (2020, 2025), ..Paper::default() };
    is_not_believed(|ours| ours.serves(&paper), EXPIRED);
}

#[test]
fn a_broker_whose_certificate_is_revoked_is_left_at_the_next_connection() {
    run(async {
        let paper = Paper { serial: 77, ..Paper::default() };
        let (mut post, broker) = Post::with_broker(paper).await;
        let list = post.revoke(&[76]);
        post.site.start(Role::Agent).unwrap();
        post.shown(|status| status["connected"] == true).await;
        fs::write(&list, post.authority.revoking(&[76, 77])).unwrap();

        broker.disconnect_all();
        post.collects_and_says(REVOKED).await;
        fs::remove_file(&list).unwrap();
        post.shown(|status| alarms(status).contains("crl.pem")).await;

        assert_eq!(broker.stats().connects, 1, "a list that is gone opens nothing");
        post.heard_tls_only();
    });
}

#[test]
fn a_broker_whose_certificate_begins_later_is_taken_since_who_signed_it_knew_the_time() {
    run(async {
        let paper = Paper { years: (2090, 2095), ..Paper::default() };
        let (mut post, broker) = Post::with_broker(paper).await;
        post.site.start(Role::Agent).unwrap();

        post.shown(|status| status["connected"] == true).await;

        assert_eq!(broker.stats().connects, 1);
        post.heard_tls_only();
    });
}

/// The broker meets a gateway that it must not believe.
fn is_refused(dress: impl FnOnce(&Post)) {
    run(async {
        let (mut post, broker) = Post::with_broker(Paper::default()).await;
        dress(&post);
        post.site.start(Role::Agent).unwrap();

        post.collects_and_says(REFUSED).await;

        let stats = broker.stats();
        assert_eq!((stats.connects, stats.publishes_in), (0, 0));
        assert!(stats.refusals > 0);
        post.heard_tls_only();
    });
}

fn gateway() -> Paper {
    Paper { name: "gw-1", host: "gw-1", usage: Use::Client, ..Paper::default() }
}

#[test]
fn a_gateway_that_signed_its_own_certificate_is_refused() {
    is_refused(|post| post.dress(&gateway(), None));
}

#[test]
fn a_gateway_of_another_authority_is_refused() {
    is_refused(|post| {
        let namesake = Authority::called(post.authority.name());
        post.dress(&gateway(), Some(&namesake));
    });
}

#[test]
fn a_gateway_whose_certificate_has_expired_is_refused() {
    let expired = Paper { years: (2020, 2025), ..gateway() };
    is_refused(|post| post.dress(&expired, Some(&post.authority)));
}

#[test]
fn a_gateway_whose_certificate_begins_later_is_refused() {
    let young = Paper { years: (2090, 2095), ..gateway() };
    is_refused(|post| post.dress(&young, Some(&post.authority)));
}

#[test]
fn a_sink_believes_none_of_them_either_and_has_a_clock_to_see_who_is_too_young() {
    run(async {
        let mut post = Post::open(|_| Answer::Raw(Vec::new())).await;
        post.ear = Ear::listen(post.site.broker_port(), Answer::Raw(ALERT_VERSION.into())).await;
        let ours = &post.authority;
        let named = |host| ours.serves(&Paper { host, ..Paper::default() });
        let dated = |years| ours.serves(&Paper { years, ..Paper::default() });
        let rows = [
            (Answer::Raw(ALERT_VERSION.into()), "ProtocolVersion"),
            (Answer::Raw(hello_of_tls_1_2()), "peer is incompatible"),
            (Authority::called("another").serves(&Paper::default()), "UnknownIssuer"),
            (named("broker.elsewhere"), "certificate not valid for name"),
            (dated((2020, 2025)), "certificate expired"),
            (dated((2090, 2095)), "certificate not valid yet"),
        ];
        post.site.start(Role::Sink).unwrap();

        for (answer, words) in rows {
            post.ear.answer(answer);
            let until = Instant::now() + PATIENCE;
            while !post.log(Role::Sink).contains(words) {
                assert!(Instant::now() < until, "{words}\n{}", post.log(Role::Sink));
                tokio::time::sleep(LOOK).await;
            }
        }

        post.heard_tls_only();
    });
}
