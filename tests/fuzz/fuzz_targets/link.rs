//! libFuzzer's way into the target `link`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::link(bytes));
