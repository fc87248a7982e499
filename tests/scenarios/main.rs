//! Scenarios: real gateways and a real sink in one process, what lies between them made hostile.
//!
//! The world comes first: a site's keys, what devices say, a gateway, a sink. Then one module a
//! promise.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a scenario ends where something is not as it must be"
)]

mod device;

mod gateway;

mod sink;

mod site;

mod tamper;

mod adversary;

mod database;

mod migrate;

mod retention;

mod misplaced;

mod chain;

mod nonce;

mod double_delivery;

mod source_gap;

mod device_reset;

mod link_key;

mod onboard;

mod ports;

mod noise;

mod no_std;

mod held;

mod hl7;

mod feed;

mod honest_time;

mod incidents;

mod view;

mod page;

mod access;

mod notify;

mod erase;

mod exhaustive;

mod two_gateways;

mod receipts;

mod gateway_line;

mod sink_line;

mod hostile_broker;

mod hostile;

mod trust;

mod audit;

mod tls;

mod queries;

mod secrets;

mod any_state;

mod commands;

mod fault_finding;

mod gateway_audit;

mod fuzz;

mod fixtures;

mod trials;

mod vectors;

mod known_answers;

mod round_trips;
