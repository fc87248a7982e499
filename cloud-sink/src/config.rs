//! The configuration: every key with its default; unknown keys are refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::feed::Feed;
use crate::notify::Channel;
use crate::retention::Rule;
use crate::store::db::Location;

pub(crate) mod check;

mod file;

use file::File;

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// This sink's name; the name in its certificate.
    pub name: String,
    /// Folder of keys.
    pub keys: PathBuf,
    /// The store.
    pub store: Location,
    /// Days after which recipient keys follow by themselves; 0 if never.
    pub rotate_days: u32,
    /// Broker's name or address.
    pub broker_host: String,
    /// Broker's port.
    pub broker_port: u16,
    /// The page, if it is wanted.
    pub view: Option<ViewConfig>,
    /// Where gateways enrol, if they may do so by themselves.
    pub enrol: Option<EnrolConfig>,
    /// Where metrics are served, if they are wanted.
    pub metrics: Option<SocketAddr>,
    /// How long readings are kept.
    pub retention: Vec<Rule>,
    /// Who is told of incidents.
    pub notify: Vec<Channel>,
    /// Who gets what is stored, as it comes.
    pub feeds: Vec<Feed>,
    /// The hospital's own sign-on, if people come in by it.
    pub sign_on: Option<SignOn>,
}

/// The enrolment endpoint.
#[derive(Clone, Debug)]
pub struct EnrolConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How gateways reach it, without a slash at the end.
    pub url: String,
}

/// The hospital's identity provider.
#[derive(Clone, Debug)]
pub struct SignOn {
    /// Its address; what it calls itself.
    pub issuer: String,
    /// What it calls us.
    pub client: String,
    /// What we show it.
    pub secret: String,
    /// Its CA, PEM; those of the system without it.
    pub ca: Option<Vec<u8>>,
    /// What is asked for.
    pub scope: String,
    /// Claim with a person's role.
    pub role_claim: String,
    /// Claim with a person's ward, if people are bound to wards.
    pub ward_claim: Option<String>,
}

/// Where the page is.
#[derive(Clone, Debug)]
pub struct ViewConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How people reach it, without a slash at the end.
    pub url: String,
    /// Its certificate and that one's key, PEM; it has no TLS without.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}; `wardline-sink init` writes one")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a wrong type.
    #[error("{path}: {error}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Place and cause.
        error: toml::de::Error,
    },
    /// A rule of retention is none.
    #[error("{path}: [[retention]] {word}: {cure}")]
    Retention {
        /// The file.
        path: PathBuf,
        /// What stands there.
        word: String,
        /// What may stand there.
        cure: &'static str,
    },
    /// Another system would be asked or told in the clear.
    #[error("{path}: {key} = \"{address}\": it has to begin with https://")]
    Clear {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What stands there.
        address: String,
    },
    /// A receiver of messages is none.
    #[error("{path}: [[notify]] {word}: {cure}")]
    Notify {
        /// The file.
        path: PathBuf,
        /// What stands there.
        word: String,
        /// What may stand there.
        cure: String,
    },
    /// A receiver of readings is none.
    #[error("{path}: [[export]] {word}: {cure}")]
    Export {
        /// The file.
        path: PathBuf,
        /// What stands there.
        word: String,
        /// What may stand there.
        cure: &'static str,
    },
    /// Gateways would not find the endpoint.
    #[error("{path}: [enrol] url = \"{url}\": it has to begin with https://")]
    Enrol {
        /// The file.
        path: PathBuf,
        /// What stands there.
        url: String,
    },
    /// The page cannot be served so.
    #[error("{path}: [view] {cure}")]
    View {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        cure: &'static str,
    },
    /// Page or metrics would be open to the network.
    #[error(
        "{path}: [{section}] listen = \"{listen}\": there is no TLS here; listen on 127.0.0.1 (the \
         page may have a `certificate` and its `key`)"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Which section.
        section: &'static str,
        /// What stands there.
        listen: SocketAddr,
    },
}

/// The file for an editor: its JSON Schema.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(File)
}

/// The commented file that `wardline-sink init` writes.
pub const TEMPLATE: &str = include_str!("config/sink.toml");

/// A week: what a stolen recipient key opens is bounded by it.
const ROTATE_DAYS: u32 = 7;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`]; it names the place and the cure.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let file: File = toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), error })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let view = file.view.map(|section| section.check(path, folder)).transpose()?;
        let metrics = file.metrics.map(|metrics| metrics.listen);
        let plain = view.as_ref().filter(|view| view.tls.is_none()).map(|view| view.listen);
        let listeners = [("view", plain), ("metrics", metrics)];
        for (section, listen) in listeners {
            if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
                return Err(ConfigError::Open { path: path.to_owned(), section, listen });
            }
        }
        let keys = folder.join(&file.sink.keys);
        let host = &file.broker.host;
        let enrol = file.enrol.map(|section| section.check(path, host)).transpose()?;
        let notify = file.notify.into_iter().map(|section| section.check(path, folder, &keys));
        let notify = notify.collect::<Result<Vec<_>, _>>()?.concat();
        let feeds = file.export.into_iter().map(|section| section.check(path, folder, &keys));
        let feeds = check::named_apart(path, feeds.collect::<Result<_, _>>()?)?;
        let sign_on = file.sign_on.map(|section| section.check(path, folder, &keys)).transpose()?;
        let store = Location::parse(&file.sink.store, folder);
        Ok(Self {
            name: file.sink.name,
            keys,
            rotate_days: file.sink.rotate_days.unwrap_or(match store {
                Location::File(_) => ROTATE_DAYS,
                Location::Postgres(_) => 0,
            }),
            store,
            broker_host: file.broker.host,
            broker_port: file.broker.port,
            view,
            enrol,
            metrics,
            retention: check::rules(path, &file.retention)?,
            notify,
            feeds,
            sign_on,
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::identity::Lane;

    use super::*;

    fn load(more: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink.toml");
        let filled = [
            ("@NAME@", "sink"),
            ("@STORE@", "store.sqlite"),
            ("@HOST@", "localhost"),
            ("@PORT@", "8883"),
            ("@LISTEN@", "127.0.0.1:9443"),
        ];
        let text = filled.iter().fold(TEMPLATE.to_owned(), |text, (a, b)| text.replace(a, b));
        std::fs::write(&path, format!("{text}\n{more}")).unwrap();
        Config::load(&path)
    }

    #[test]
    fn what_a_section_says_wrong_is_named_with_its_cure() {
        let rule = |lane: &str, rest: &str| format!("[[retention]]\nlane = \"{lane}\"\n{rest}\n");
        let good = [rule("wave", "days = 90"), rule("wave", "days = 7\nward = \"ICU\"")].concat();
        let rules = load(&good).unwrap().retention;
        assert_eq!(rules[0], Rule { lane: Lane::Wave, ward: None, days: 90 });
        assert_eq!(rules[1].ward.as_deref(), Some("ICU"));

        for (wrong, cure) in [
            (rule("waves", "days = 90"), "alert, vital, wave or health"),
            (rule("wave", "days = 0"), "1 to 36500"),
            ([rule("wave", "days = 1"), rule("wave", "days = 2")].concat(), "delete one"),
            ("[[notify]]\nname = \"n\"\nurl = \"http://a.example/\"".into(), "with https://"),
            (
                "[[notify]]\nname = \"n\"\nurl = \"https://a.example/\"\nkinds = [\"x\"]".into(),
                "kinds are integrity, fork",
            ),
            (
                "[[notify]]\nname = \"n\"\nurl = \"smtp://a.example\"\nto = [\"a@a.example\"]"
                    .into(),
                "mail needs `to` and `from`",
            ),
            (
                "[[notify]]\nname = \"n\"\nurl = \"smtps://u:p@a.example\"\n\
                 from = \"b@a.example\"\nto = [\"a@a.example\"]"
                    .into(),
                "password does not stand in the address",
            ),
            ("certificate = \"page.pem\"".into(), "give both"),
            ("[[export]]\nname = \"a\"\nto = \"mllp://a\"".into(), "mllp://HOST:PORT"),
            ("[[export]]\nname = \"a\"\nto = \"http://a.example/R4\"".into(), "with https://"),
            ("[[export]]\nname = \"a\"\nto = \"mllp://a:1\"\n".repeat(2), "a name of its own"),
            ("[metrics]\nlisten = \"0.0.0.0:9780\"".into(), "listen on 127.0.0.1"),
        ] {
            let message = load(&wrong).unwrap_err().to_string();
            assert!(message.contains(cure), "{message}");
        }
    }
}
