//! Uplink: sends what is durable, in the order that matters at the bedside, until it is receipted.
//!
//! The log is the only truth. A PUBACK is flow control; a receipt is the only progress.

pub mod machine;

pub mod driver;

pub mod tls;
