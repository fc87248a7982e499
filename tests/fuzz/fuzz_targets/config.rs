//! libFuzzer's way into the target `config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::config(bytes));
