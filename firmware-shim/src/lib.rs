//! From a sensor to link frames: what a device needs so that the gateway's intake loses nothing.
//!
//! Without std, without a heap. Sensors, sampler and watchdog come with the firmware itself.
#![no_std]
#![forbid(unsafe_code)]

pub mod sender;
