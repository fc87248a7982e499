//! libFuzzer's way into the target `header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::header(bytes));
