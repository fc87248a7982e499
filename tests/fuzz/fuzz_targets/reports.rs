//! libFuzzer's way into the target `reports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::reports(bytes));
