//! libFuzzer's way into the target `record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::record(bytes));
