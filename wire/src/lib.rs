//! The bytes that gateway, sink and sensor agree on. `FORMAT.md` has them field by field.
//!
//! What may change: new fields at the end of a list whose version says so, new numbers in the
//! open lists (gap causes, dispositions, methods). What never changes: the meaning of a byte that
//! was ever written. A reader refuses a version that it does not know and keeps the bytes.
//!
//! Without features: the link frame, identities, limits, time and numbers, no heap. `alloc` adds
//! batches, frames, segments and what is signed; `seal` adds the cryptography.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod limits;

pub mod identity;

pub mod time;

pub mod decimal;

pub mod reading;

pub mod strict;

pub mod link;

pub mod topic;

#[cfg(feature = "alloc")]
pub mod batch;

#[cfg(feature = "alloc")]
pub mod frame;

#[cfg(feature = "alloc")]
pub mod segment;

#[cfg(feature = "alloc")]
pub mod gap;

#[cfg(feature = "card")]
pub mod card;

#[cfg(feature = "seal")]
pub mod seal;

#[cfg(feature = "seal")]
pub mod signed;

#[cfg(feature = "seal")]
pub mod receipt;

#[cfg(feature = "seal")]
pub mod keyring;

#[cfg(feature = "seal")]
pub mod command;

#[cfg(feature = "seal")]
pub mod enrol;

#[cfg(feature = "alloc")]
pub mod hex;

#[cfg(feature = "alloc")]
pub mod words;

#[cfg(feature = "seal")]
pub mod status;

#[cfg(feature = "seal")]
pub mod audit;

/// Version of every format in this crate; stands first in every record.
pub const FORMAT_VERSION: u8 = 1;
