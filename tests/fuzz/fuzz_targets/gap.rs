//! libFuzzer's way into the target `gap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::gap(bytes));
