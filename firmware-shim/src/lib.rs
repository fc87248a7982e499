//! From a sensor to link frames: what a device needs so that the gateway's intake loses nothing.
//!
//! Without std, without a heap. A reading goes sensor -> sampler -> ring -> sender.
#![no_std]
#![forbid(unsafe_code)]

pub mod clock;

pub mod sensor;

pub mod sampler;

pub mod timeline;

pub mod ring;

pub mod about;

mod lock;

pub mod sender;

pub mod watchdog;

#[cfg(feature = "flash")]
pub mod flash;
