//! Uplink: sends what is durable, in the order that matters at the bedside, until it is receipted.
//!
//! The log is the only truth. A PUBACK is flow control; a receipt is the only progress.

pub mod machine;

pub mod driver;

pub mod call;

pub(crate) mod dates;

mod refusal;

pub mod traffic;

pub mod tls;

/// What carries out the line's orders to the broker, one connection at a time.
pub trait Hands {
    /// Begins a new connection; the old one is dropped.
    fn connect(&mut self);

    /// Drops the connection from outside, whatever its client is doing.
    fn drop_connection(&mut self);

    /// Publishes one record; `false` if the client takes nothing now.
    #[must_use]
    fn publish(&mut self, topic: &str, bytes: Vec<u8>) -> bool;

    /// Whether an event is of the connection that counts.
    fn is_current(&self, generation: u64) -> bool;
}
