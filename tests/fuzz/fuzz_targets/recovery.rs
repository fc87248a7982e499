//! libFuzzer's way into the target `recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::recovery(bytes));
