//! See `pysurge_fuzz::recording`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pysurge_fuzz::recording(bytes));
