//! See `pysurge_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pysurge_fuzz::frame(bytes));
