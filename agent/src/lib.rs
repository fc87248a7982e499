//! The path of a reading through the gateway: intake, seal, buffer, uplink.
//!
//! Informational: Wardline carries readings, it is not an alarm system.

pub mod limits;

pub mod config;

pub mod clock;

pub mod intake;

pub mod seal;

pub mod buffer;

pub mod uplink;

pub mod audit;

pub mod line;

pub mod enrol;

pub mod health;

pub mod local;

pub mod tap;

pub mod cli;
