//! View: what people see of the line. A page, the JSON behind it, and events, served by the sink.
//!
//! It reads the store and nothing else, so that any sink over it shows the same.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::config::{SignOn, ViewConfig};
use crate::store::StoreError;
use crate::store::db::Location;

pub mod access;

mod ask;

mod completeness;

mod coverage;

mod desk;

mod events;

mod fleet;

mod handle;

mod http;

pub mod metrics;

mod problem;

mod proof;

mod readings;

mod service;

mod session;

mod sign_on;

mod stock;

pub(crate) mod tls;

mod trail;

mod wall;

mod watch;

use access::{Door, Vault};
use desk::Desk;
use events::Events;
use wall::Looks;

/// What all requests share.
struct Shared {
    desk: Desk,
    events: Events,
    /// Claims that are looked at.
    door: Door,
    /// Looks at values that were written down lately.
    looks: Looks,
    /// How people reach the page, without a slash at the end.
    url: String,
    trust: Trust,
    sign_on: sign_on::Gate,
}

/// What the page knows of the sink's keys.
pub struct Trust {
    /// Public key under which receipts are signed.
    pub receipt_key: [u8; 32],
    /// Seals what accounts keep secret.
    pub vault: Vault,
}

/// Why the page is not served.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The port is taken, or not ours to take.
    #[error("view: {address}: {error}; change `listen` in [view]")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The hospital's sign-on cannot be asked.
    #[error("view: {0}; see [sign_on]")]
    SignOn(String),
    /// Certificate or key of the page cannot be used.
    #[error("view: {0}; see `certificate` and `key` in [view]")]
    Tls(String),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The page, ready to be served.
pub struct View {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<tls::Page>,
}

impl View {
    /// Takes its port and opens the store.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn open(
        store: &Location,
        config: &ViewConfig,
        trust: Trust,
        sign_on: Option<SignOn>,
    ) -> Result<Self, ViewError> {
        let ViewConfig { listen, url, tls } = config;
        let wrong = |error| ViewError::Listen { address: *listen, error };
        let tls = tls.clone().map(tls::Page::open).transpose()?;
        let listener = TcpListener::bind(listen).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let desk = Desk::open(store).await?;
        let (events, door) = (Events::default(), Door::default());
        let (looks, url) = (Looks::default(), url.clone());
        let sign_on = sign_on::Gate::new(sign_on, &url)?;
        let shared = Shared { desk, events, door, looks, url, trust, sign_on };
        Ok(Self { listener, address, shared: Arc::new(shared), tls })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as the sink runs.
    ///
    /// # Errors
    /// [`ViewError::Listen`], if the system takes the port away.
    pub async fn serve(self) -> Result<(), ViewError> {
        let Self { listener, address, shared, tls } = self;
        tracing::info!(%address, "the page is served; `wardline-sink link` lets a person in");
        let looking = tokio::spawn(events::keep_watching(shared.clone()));
        let router = http::router(shared);
        let ended = match tls {
            None => tls::serve_plain(listener, router).await,
            Some(page) => page.serve(listener, router).await,
        };
        looking.abort();
        ended.map_err(|error| ViewError::Listen { address, error })
    }
}
