//! See `pysurge_fuzz::quantity`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pysurge_fuzz::quantity(bytes));
