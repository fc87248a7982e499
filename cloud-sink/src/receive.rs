//! Receive: what the broker delivers, acknowledged to it only after a disposition is durable.

pub mod driver;

pub mod tls;
