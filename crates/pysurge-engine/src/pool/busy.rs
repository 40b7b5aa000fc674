//! How long a pool thread is busy with iterations, and how much of that on a CPU.
//!
//! The CPU clock of a thread is a system call, far dearer than the wall clock; so it is read where a thread begins and ends to be busy, and now
//! and then in between, and never per iteration.

use super::feed::Part;
use crate::clock;

/// A thread that is busy without a break tells at the end of an iteration after so long a time.
const LONG_NS: u64 = 100_000_000;

/// Time that a thread was busy, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) wall_ns: u64,
    pub(crate) cpu_ns: u64,
}

/// One thread's stopwatch.
#[derive(Debug)]
pub(super) struct Stopwatch {
    since_ns: u64,
    cpu_ns: u64,
    /// Of the last iteration since then; `None` where there was none.
    part: Option<Part>,
}

impl Stopwatch {
    /// Begins at an instant that has just been read.
    pub(super) fn start(now_ns: u64) -> Self {
        Self {
            since_ns: now_ns,
            cpu_ns: clock::thread_cpu_ns(),
            part: None,
        }
    }

    /// An iteration ended just now.
    #[inline]
    pub(super) fn ran(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// Whether it is time to tell.
    #[inline]
    pub(super) fn is_long(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.since_ns) >= LONG_NS
    }

    /// What has passed since the beginning, where an iteration was run in it. Begins anew.
    pub(super) fn lap(&mut self, now_ns: u64) -> Option<(Part, Busy)> {
        let before = std::mem::replace(self, Self::start(now_ns));
        let busy = Busy {
            wall_ns: now_ns.saturating_sub(before.since_ns),
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
        };
        before.part.map(|part| (part, busy))
    }
}
