//! The two clocks, read in one place: `CLOCK_MONOTONIC` for instants, the wall for dates.

use pysurge_core::NANOS_PER_SEC;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`, the timebase that manager and workers share.
pub(crate) fn monotonic_ns() -> u64 {
    read_ns(ClockId::Monotonic)
}

/// Nanoseconds since 1970 UTC.
pub(crate) fn wall_ns() -> u64 {
    read_ns(ClockId::Realtime)
}

fn read_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let whole = |part: i64| u64::try_from(part).unwrap_or_default();
    whole(now.tv_sec) * NANOS_PER_SEC + whole(now.tv_nsec)
}
