//! The configuration: every key with its default; unknown keys are refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// This sink's name; the name in its certificate.
    pub name: String,
    /// Folder of keys.
    pub keys: PathBuf,
    /// The store's file.
    pub store: PathBuf,
    /// Broker's name or address.
    pub broker_host: String,
    /// Broker's port.
    pub broker_port: u16,
    /// The page, if it is wanted.
    pub view: Option<ViewConfig>,
    /// Where metrics are served, if they are wanted.
    pub metrics: Option<SocketAddr>,
}

/// Where the page is.
#[derive(Clone, Debug)]
pub struct ViewConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How people reach it, without a slash at the end.
    pub url: String,
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
    /// Page or metrics would be open to the network.
    #[error(
        "{path}: [{section}] listen = \"{listen}\": there is no TLS here yet; listen on 127.0.0.1 \
         behind a proxy that has"
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sink: SinkSection,
    broker: BrokerSection,
    view: Option<ViewSection>,
    metrics: Option<MetricsSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsSection {
    listen: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewSection {
    listen: SocketAddr,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SinkSection {
    name: String,
    #[serde(default = "default_keys")]
    keys: PathBuf,
    #[serde(default = "default_store")]
    store: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerSection {
    host: String,
    #[serde(default = "default_port")]
    port: u16,
}

fn default_keys() -> PathBuf {
    "keys".into()
}

fn default_store() -> PathBuf {
    "store.sqlite".into()
}

const fn default_port() -> u16 {
    8883
}

/// The commented file that `wardline-sink init` writes.
pub const TEMPLATE: &str = "\
# Wardline cloud sink. Unknown keys are refused; relative paths count from this file's folder.

[sink]
# This sink's name, the name in its certificate.
name = \"@NAME@\"
# Folder of keys. Default \"keys\".
keys = \"keys\"
# The store, one SQLite file, written with synchronous = FULL. Default \"store.sqlite\".
store = \"store.sqlite\"

[broker]
# Name or address of the MQTT 5 broker; must stand in its certificate.
host = \"@HOST@\"
# Port. Default 8883.
port = @PORT@

[view]
# The page for clinical engineers. Without this section there is none. Loopback only: it has no TLS
# of its own yet, so put it behind a proxy that has.
listen = \"@LISTEN@\"
# How people reach it, if not by the address above.
# url = \"https://wardline.example.org\"

# Prometheus metrics at /metrics, without a sign-in and without patient data; loopback only.
# [metrics]
# listen = \"127.0.0.1:9780\"
";

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
        let view = file.view.map(|ViewSection { listen, url }| {
            let url = url.unwrap_or_else(|| format!("http://{listen}"));
            ViewConfig { listen, url: url.trim_end_matches('/').to_owned() }
        });
        let metrics = file.metrics.map(|metrics| metrics.listen);
        let listeners = [("view", view.as_ref().map(|view| view.listen)), ("metrics", metrics)];
        for (section, listen) in listeners {
            if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
                return Err(ConfigError::Open { path: path.to_owned(), section, listen });
            }
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            name: file.sink.name,
            keys: folder.join(file.sink.keys),
            store: folder.join(file.sink.store),
            broker_host: file.broker.host,
            broker_port: file.broker.port,
            view,
            metrics,
        })
    }
}
