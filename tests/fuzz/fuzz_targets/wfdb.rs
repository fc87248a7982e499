//! libFuzzer's way into the target `wfdb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rig::targets::wfdb(bytes));
