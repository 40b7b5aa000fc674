//! Whether one more thread can help at all.
//!
//! Under a GIL, threads that all want the interpreter only queue for it: each that joins makes the others wait up to a switch
//! interval (5 ms) longer, in the middle of what they measure. A pool that asks for a thread then gets it later, once the interpreter has room.
//! Threads that wait for something else (a socket, a C library) leave it room, however many they are.

use crate::clock;

/// How often use of the CPU is looked at.
const WINDOW_NS: u64 = 20_000_000;

/// A look back over more than this says nothing about now.
const STALE_NS: u64 = 500_000_000;

/// From this share of one core on, in percent, the interpreter may be what everybody waits for.
const BUSY_PERCENT: u64 = 90;

/// A leader that waited longer for the interpreter than this had others before it: a fifth of the switch interval.
const LONG_WAIT_NS: u64 = 1_000_000;

/// How crowded a worker's interpreter is.
#[derive(Debug)]
pub(super) struct Crowd {
    free_threaded: bool,
    looked_ns: u64,
    cpu_ns: u64,
    busy: bool,
}

impl Crowd {
    /// Without a GIL nothing is ever crowded.
    pub(super) fn new(free_threaded: bool) -> Self {
        Self {
            free_threaded,
            looked_ns: 0,
            cpu_ns: 0,
            busy: false,
        }
    }

    /// Whether one more thread would only queue, where the last leader waited so long for the interpreter.
    pub(super) fn is_full(&mut self, attach_wait_ns: u64) -> bool {
        self.look(clock::now_ns(), clock::process_cpu_ns());
        !self.free_threaded && self.busy && attach_wait_ns > LONG_WAIT_NS
    }

    fn look(&mut self, now_ns: u64, cpu_ns: u64) {
        let spent_ns = now_ns.saturating_sub(self.looked_ns);
        if spent_ns < WINDOW_NS {
            return;
        }
        let used_ns = cpu_ns.saturating_sub(self.cpu_ns);
        self.busy =
            spent_ns <= STALE_NS && used_ns.saturating_mul(100) >= spent_ns.saturating_mul(BUSY_PERCENT);
        (self.looked_ns, self.cpu_ns) = (now_ns, cpu_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_core_over_a_recent_window_is_busy() {
        let ms = 1_000_000;
        let mut crowd = Crowd::new(false);
        for (now_ms, cpu_ms, busy) in [
            (1_000, 500, false), // nothing to compare with
            (1_010, 510, false), // too soon to tell
            (1_100, 595, true),
            (1_200, 640, false),
            (1_300, 740, true),
            (1_310, 740, true),    // too soon to tell otherwise
            (9_000, 9_000, false), // too long ago
        ] {
            crowd.look(now_ms * ms, cpu_ms * ms);
            assert_eq!(crowd.busy, busy, "at {now_ms} ms");
        }
    }

    #[test]
    fn only_a_leader_that_had_to_wait_tells_of_a_queue() {
        let mut crowd = Crowd::new(false);
        (crowd.busy, crowd.looked_ns) = (true, u64::MAX);
        assert!(crowd.is_full(LONG_WAIT_NS + 1));
        assert!(!crowd.is_full(LONG_WAIT_NS));
        crowd.free_threaded = true;
        assert!(!crowd.is_full(LONG_WAIT_NS + 1));
    }
}
