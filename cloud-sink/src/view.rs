//! View: what people see of the line. A page, the JSON behind it, and events, served by the sink.
//!
//! It reads the store and nothing else, so that any sink over it shows the same.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::store::StoreError;

pub mod access;

mod coverage;

mod desk;

mod events;

mod fleet;

mod http;

pub mod metrics;

mod problem;

mod session;

use access::Attempts;
use desk::Desk;
use events::Events;

/// What all requests share.
struct Shared {
    desk: Desk,
    events: Events,
    /// Attempts to sign in that went wrong lately.
    attempts: Attempts,
    /// How people reach the page, without a slash at the end.
    url: String,
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
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The page, ready to be served.
pub struct View {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl View {
    /// Takes its port and opens the store; people reach it by `url`.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn open(store: &Path, address: SocketAddr, url: &str) -> Result<Self, ViewError> {
        let wrong = |error| ViewError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let desk = Desk::open(store)?;
        let (events, attempts) = (Events::default(), Attempts::default());
        let shared = Shared { desk, events, attempts, url: url.to_owned() };
        Ok(Self { listener, address, shared: Arc::new(shared) })
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
        let Self { listener, address, shared } = self;
        tracing::info!(%address, "the page is served; `wardline-sink link` lets a person in");
        let looking = tokio::spawn(events::keep_watching(shared.clone()));
        let ended = axum::serve(listener, http::router(shared)).await;
        looking.abort();
        ended.map_err(|error| ViewError::Listen { address, error })
    }
}
