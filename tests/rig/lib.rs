//! The world around the line: patients, devices, a broker, real processes, and the ledger that
//! compares what was said with what is stored.

pub mod patient;

pub mod wfdb;

pub mod device;

pub mod broker;

pub mod proxy;

pub mod site;

pub mod board;

pub mod cable;

pub mod uart;

pub mod http;

pub mod mllp;

pub mod ledger;

pub mod vectors;

pub mod random;

pub mod fleet;

pub mod store;

pub mod disk;

pub mod exhaustive;

pub mod faultfs;

pub mod world;

pub mod oracle;

pub mod trials;

pub mod attack;

pub mod hands;

pub mod targets;
