//! libFuzzer's way into the target `frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::frame(bytes));
