//! Trust: who may speak, under which keys, for how long; and what stands when that ends.

pub mod certificates;

pub mod desk;

pub mod ends;

pub mod enrol;

pub mod keeper;

pub mod keyring;

pub mod registry;

pub mod retire;

pub mod root;

pub mod shared;

pub mod token;
