//! The path of a reading through the cloud: receive, verify, store, receipt, export,
//! and what of it needs a person.
//!
//! Informational: Wardline carries readings, it is not an alarm system.

pub mod limits;

pub mod config;

pub mod keys;

pub mod clock;

pub mod receive;

pub mod trust;

pub mod verify;

pub mod ledger;

pub mod store;

pub mod receipt;

pub mod line;

pub mod ingest;

pub mod evidence;

pub mod codes;

pub mod signal;

pub mod export;

pub mod feed;

pub mod incident;

pub mod audit;

pub mod availability;

pub mod inventory;

pub mod retention;

pub mod notify;

pub mod view;

pub mod cli;
