//! libFuzzer's way into the target `receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::receipt(bytes));
