//! The pure heart of pysurge.
//!
//! Whatever decides or describes lives here: the schedule of planned instants, the users of the closed model, the measures and how they
//! merge, the accounting identity, the verdict, the wire messages, the events of a run and its summary.
//!
//! This crate never reads a clock, starts a thread, touches a file or knows Python: every function is a
//! function of its arguments. Times are `u64` nanoseconds of `CLOCK_MONOTONIC` (instants) or of a span
//! (durations); the name of a number ends in its unit.

pub mod account;
pub mod alike;
pub mod capacity;
pub mod compare;
pub mod control;
pub mod event;
pub mod failure;
pub mod forecast;
pub mod harmless;
pub mod histogram;
pub mod measure;
mod mix;
pub mod plan;
pub mod rate;
pub mod recent;
pub mod replay;
pub mod rows;
pub mod schedule;
pub mod search;
pub mod series;
pub mod sketch;
pub mod span;
pub mod summary;
mod table;
pub mod threshold;
pub mod users;
pub mod value;
pub mod verdict;
pub mod wire;

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The version all crates and the wheel share; a worker with another one is refused.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
