//! What the programs of this board share: its registers, time, bus and lines.
#![no_std]

pub mod register;

pub mod tick;

pub mod i2c;

pub mod uart;
