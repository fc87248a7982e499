//! Store: one transaction for evidence and rows; what is committed here may be signed for.

use wire::identity::{GatewayId, Lane, SegmentId, StoreEpoch};
use wire::receipt::Range;

use crate::verify::Disposed;

mod at;

pub mod commit;

pub mod coverage;

pub mod db;

mod heard;

pub mod hours;

pub mod migrate;

mod notes;

mod parked;

pub mod query;

mod rows;

mod runs;

pub(crate) mod said;

pub mod schema;

mod series;

mod speakers;

pub mod times;

pub mod trails;

/// What a commit lets us sign for to one gateway.
#[derive(Debug)]
pub struct Signable {
    /// Which.
    pub gateway: GatewayId,
    /// What became of its records, by segment.
    pub segments: Vec<(SegmentId, Vec<Range>)>,
    /// Segments whose header is wanted.
    pub headers_wanted: Vec<SegmentId>,
}

/// What a commit lets us sign for.
#[derive(Debug, Default)]
pub struct Committed {
    /// Number of the commit in this store's life.
    pub commit: u64,
    /// Gateway by gateway.
    pub gateways: Vec<Signable>,
    /// Parked records whose header has come: verify them again.
    pub parked: Vec<(GatewayId, Lane, Vec<u8>)>,
}

impl Committed {
    /// What may be signed for to a gateway.
    fn signable(&mut self, gateway: GatewayId) -> &mut Signable {
        let known = self.gateways.iter().position(|signable| signable.gateway == gateway);
        let at = known.unwrap_or_else(|| {
            let (segments, headers_wanted) = (Vec::new(), Vec::new());
            self.gateways.push(Signable { gateway, segments, headers_wanted });
            self.gateways.len() - 1
        });
        &mut self.gateways[at]
    }

    /// Asks a gateway for the header of a segment.
    fn want_header(&mut self, gateway: GatewayId, segment: SegmentId) {
        let wanted = &mut self.signable(gateway).headers_wanted;
        if !wanted.contains(&segment) {
            wanted.push(segment);
        }
    }
}

/// Why a group could not be committed. Nothing of it is stored; try again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses.
    #[error("store: {0}; check its disk")]
    Database(#[from] rusqlite::Error),
    /// The database refuses, or is not there.
    #[error("store: {}; see that PostgreSQL runs and takes this address", in_full(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// It holds what this program does not put there.
    #[error("store: {0} where there is none; restore it, or verify the evidence")]
    Shape(&'static str),
    /// No thread of its own to speak with the database.
    #[error("store: {0}")]
    Thread(#[from] std::io::Error),
    /// The system gives no random numbers.
    #[error("store: no random numbers: {0}")]
    Random(getrandom::Error),
    /// Another store is there.
    #[error("store: there is one already; make an empty database for this one")]
    NotEmpty,
    /// No store was made there, or its copying has not come to its end.
    #[error(
        "store: there is none, or its copy was not finished; `wardline-sink init --store` makes \
         one, `wardline-sink migrate` fills an empty database"
    )]
    NoStore,
    /// Only a file goes into PostgreSQL.
    #[error("store: this goes from a file into PostgreSQL only")]
    NoTarget,
    /// There would be no TLS.
    #[error(
        "store: PostgreSQL is on another machine; add ?sslrootcert=FILE with its CA to the \
         address, for TLS"
    )]
    Far,
    /// The database's CA is none.
    #[error("store: {0}: {1}; sslrootcert names the CA of PostgreSQL, PEM")]
    Authority(String, String),
    /// The file is of another version.
    #[error("store: schema version {found}, this program knows {known}; use a newer program")]
    Version {
        /// In the file.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// What the database says is behind what its client says.
fn in_full(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// A durable store of evidence and readings.
pub trait Store {
    /// Commits a group in one transaction; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the group is stored then.
    fn commit(&mut self, group: &[Disposed]) -> Result<Committed, StoreError>;

    /// The store's life.
    fn epoch(&self) -> StoreEpoch;
}
