//! Who may speak, with which keys, for how long: the real programs enrol, follow, revoke and
//! recover, and no reading is lost over any of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rig::device::{About, Device, Manner, Port, Speech};
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site, free_port};
use wire::batch::ChannelInfo;
use wire::decimal::{Decimal, Number};
use wire::identity::DeviceId;
use wire::reading::{ChannelKind, Mode};

use crate::any_state::story::SOCKET;

mod credentials;

mod enrolment;

mod erasure;

mod evidence;

mod rotation;

mod revocation;

/// How long anything may take that must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

pub fn run(story: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(story);
}

/// A site with an enrolment endpoint and the rig's broker, and what its device has said.
pub struct Place {
    pub site: Site,
    pub endpoint: String,
    said: u64,
}

impl Place {
    async fn open() -> Self {
        let programs = Programs::build().unwrap();
        let (broker, flush) = (Some(BrokerKind::Rig), Some(Duration::from_millis(10)));
        let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush };
        let site = Site::prepare(programs, &plan).await.unwrap();
        let endpoint = format!("https://localhost:{}", free_port().unwrap());
        let path = site.sink_config();
        let port = endpoint.rsplit(':').next().unwrap();
        let more = format!("\n[enrol]\nlisten = \"127.0.0.1:{port}\"\nurl = \"{endpoint}\"\n");
        fs::write(&path, fs::read_to_string(&path).unwrap() + &more).unwrap();
        Self { site, endpoint, said: 0 }
    }

    pub async fn running() -> Self {
        let mut place = Self::open().await;
        place.site.start_all(PATIENCE).await.unwrap();
        place
    }

    pub fn below(&self, name: &str) -> PathBuf {
        self.site.folder().join(name)
    }

    fn keys(&self) -> PathBuf {
        self.site.folder().join("sink/keys")
    }

    /// A device says so many readings, each of them acknowledged.
    pub async fn say(&mut self, count: u64) {
        let manner = Manner { window_frames: 16, resend_after: Duration::from_millis(500) };
        let socket = self.site.intake_folder().join(SOCKET);
        let device = Device::start(Port::Unix(socket), manner);
        let mut speech = Speech::new(About {
            device: DeviceId(0x0242_ACFF_FE00_0001),
            tick_exponent: 6,
            mode: Mode::Normal,
            model: "monitor".into(),
        });
        let channel = ChannelInfo {
            code: 149_530,
            unit: 264_864,
            kind: ChannelKind::Numeric { exponent: 0 },
            label: "rate".into(),
            unit_label: "bpm".into(),
        };
        let boot = u32::try_from(self.said).unwrap() + 1;
        device.say(speech.introduce(boot, &[channel]).unwrap()).await.unwrap();
        for at in 0..count {
            let mantissa = i64::try_from(self.said + at).unwrap();
            let number = (Number::Is(Decimal { mantissa, exponent: 0 }), 0);
            let time = 1_790_000_000_000_000_000 + mantissa * 1_000_000_000;
            for utterance in speech.numerics(time, 0, &[number]).unwrap() {
                device.say(utterance).await.unwrap();
            }
        }
        device.finish(PATIENCE).await.unwrap();
        self.said += count;
    }

    /// Everything that was said is stored once, and receipted.
    pub async fn settled(&mut self) {
        self.site.wait_for_receipts(PATIENCE).await.unwrap();
        let books = self.site.sink_status().unwrap();
        assert_eq!(books["numerics"], self.said, "{books:#}");
        assert_eq!(books["gap_records"], 0, "{books:#}");
    }

    /// Waits until the sink's books are as wanted.
    async fn booked(&self, wanted: impl Fn(&serde_json::Value) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let books = self.site.sink_status().unwrap();
            if wanted(&books) {
                return;
            }
            assert!(Instant::now() < until, "{books:#}\n{}", self.site.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a process has logged something.
    pub async fn logged(&self, role: Role, words: &str) {
        let until = Instant::now() + PATIENCE;
        while !fs::read_to_string(self.site.log(role)).unwrap_or_default().contains(words) {
            assert!(Instant::now() < until, "nobody says {words}\n{}", self.site.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves a file where a judge of another language looks for it, if one is to come.
    fn keep_for_judges(&self, file: &str) {
        if let Some(folder) = std::env::var_os("WARDLINE_FOR_JUDGES") {
            let name = Path::new(file).file_name().unwrap();
            fs::copy(file, Path::new(&folder).join(name)).unwrap();
        }
    }

    /// The kinds of the open incidents.
    fn incidents(&self) -> Vec<String> {
        let said = self.site.sink(&["incidents"], &["--json"]).unwrap();
        let book: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        let open = book["incidents"].as_array().cloned().unwrap_or_default();
        open.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn has_incident(&self, kind: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.incidents().iter().any(|open| open == kind) {
            assert!(Instant::now() < until, "no {kind}: {:?}", self.incidents());
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Another gateway's folder, and its commands.
pub struct Newcomer {
    folder: PathBuf,
    wardline: PathBuf,
}

impl Newcomer {
    pub fn called(name: &str, place: &Place, folder: &str) -> Self {
        let folder = place.below(folder);
        fs::create_dir(&folder).unwrap();
        let newcomer = Self { folder, wardline: place.site.programs().agent.clone() };
        let mut init = Command::new(&newcomer.wardline);
        init.args(["init", "--gateway", name, "--broker", "localhost", "--output"]);
        assert!(init.arg(newcomer.config()).output().unwrap().status.success());
        newcomer
    }

    fn config(&self) -> PathBuf {
        self.folder.join("wardline.toml")
    }

    pub fn provision(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.wardline);
        command.arg("provision").arg("--config").arg(self.config());
        command.args(words).current_dir(&self.folder).output().unwrap()
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn days_of(certificate: &Path) -> i64 {
    agent::uplink::tls::life_days(certificate).unwrap()
}
