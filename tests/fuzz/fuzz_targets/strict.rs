//! libFuzzer's way into the target `strict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::strict(bytes));
