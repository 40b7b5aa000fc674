//! See `pysurge_fuzz::threshold`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pysurge_fuzz::threshold(bytes));
