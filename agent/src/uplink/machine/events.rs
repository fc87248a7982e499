//! What goes into the machine, and what comes out.

use wire::identity::Lane;

use crate::buffer::RecordAt;

/// What happened outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The broker has taken us, and takes records up to this length.
    Up {
        /// Bytes.
        record_bytes_max: u32,
    },
    /// The connection ended or could not be made.
    Down,
    /// Nobody answered the call: no link, or no broker's machine behind it.
    Absent,
    /// One publish was acknowledged, which frees a place and means nothing else.
    PubAck,
    /// Bytes came, or bytes of ours left; `waiting` says whether some have not left yet.
    Moved {
        /// Whether our end of the link still holds bytes.
        waiting: bool,
    },
}

/// What is to be done outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Make a connection.
    Connect,
    /// Drop the connection, whatever it says about itself.
    Drop,
    /// Publish a record.
    Publish(Lane, RecordAt),
}
