//! The one clock: nanoseconds of `CLOCK_MONOTONIC`, which all processes of a host share.

use rustix::time::{ClockId, clock_gettime};

/// Now, in nanoseconds of `CLOCK_MONOTONIC`.
#[inline]
pub fn now_ns() -> u64 {
    in_ns(ClockId::Monotonic)
}

/// CPU time this process has used, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    in_ns(ClockId::ProcessCPUTime)
}

/// CPU time the calling thread has used, in nanoseconds. A system call: a fifth of a microsecond and more.
pub fn thread_cpu_ns() -> u64 {
    in_ns(ClockId::ThreadCPUTime)
}

/// Now, in nanoseconds since 1970 UTC.
pub fn wall_ns() -> u64 {
    in_ns(ClockId::Realtime)
}

#[inline]
fn in_ns(id: ClockId) -> u64 {
    let time = clock_gettime(id);
    // None of these clocks is negative, and 64 bits of nanoseconds last for 584 years.
    time.tv_sec.unsigned_abs() * pysurge_core::NANOS_PER_SEC + time.tv_nsec.unsigned_abs()
}

/// Sets the calling thread's timers to fire when they are due and not up to 50 us later, as is Linux' default.
pub fn sharpen_timers() {
    #[cfg(target_os = "linux")]
    // Where it is refused (a sandbox) timers are only less sharp, and the lateness figures show it.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}
