//! See `pysurge_fuzz::journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pysurge_fuzz::journal(bytes));
