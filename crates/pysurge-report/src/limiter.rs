//! How many lines of user code somebody who watches is shown: a burst, then so many a second, over all workers. Pure: the time comes in.
//! What is held back is counted, and told once a second.

/// Lines that are shown at once before anything is held back.
const BURST: u64 = 2_000;

/// Lines a second that are shown from then on: about what scrolls by and can still be followed.
const LINES_PER_S: u64 = 200;

const NS_PER_LINE: u64 = 1_000_000_000 / LINES_PER_S;

const SECOND_NS: u64 = 1_000_000_000;

/// Decides line by line.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Lines that may be shown at once, in nanoseconds of [`NS_PER_LINE`].
    room_ns: u64,
    seen_ns: u64,
    held_back: u64,
    /// When the first of these was held back.
    since_ns: u64,
}

impl Limiter {
    /// One that has seen nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            room_ns: BURST * NS_PER_LINE,
            seen_ns: 0,
            held_back: 0,
            since_ns: 0,
        }
    }

    /// Whether a line may be shown now; else it is counted.
    pub(crate) fn lets_pass(&mut self, now_ns: u64) -> bool {
        // A wall clock may be set back: no room is gained then, and none lost.
        let passed_ns = now_ns.saturating_sub(self.seen_ns);
        self.seen_ns = now_ns;
        self.room_ns = self.room_ns.saturating_add(passed_ns).min(BURST * NS_PER_LINE);
        if self.room_ns >= NS_PER_LINE {
            self.room_ns -= NS_PER_LINE;
            return true;
        }
        if self.held_back == 0 {
            self.since_ns = now_ns;
        }
        self.held_back += 1;
        false
    }

    /// How many lines were held back since this was told last, once a second is over.
    pub(crate) fn due(&mut self, now_ns: u64) -> Option<u64> {
        // Also where the clock was set back: better told early than never.
        let is_due = now_ns < self.since_ns || now_ns - self.since_ns >= SECOND_NS;
        (self.held_back > 0 && is_due).then(|| self.rest()).flatten()
    }

    /// The same at the end, whenever that is.
    pub(crate) fn rest(&mut self) -> Option<u64> {
        let held_back = std::mem::take(&mut self.held_back);
        (held_back > 0).then_some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_NS: u64 = 1_700_000_000 * SECOND_NS;

    #[test]
    fn a_burst_passes_then_so_many_a_second() {
        let mut limiter = Limiter::new();
        let passed = (0..10_000).filter(|_| limiter.lets_pass(START_NS)).count();
        assert_eq!(passed as u64, BURST);
        assert_eq!(limiter.due(START_NS + SECOND_NS / 2), None);
        assert_eq!(limiter.due(START_NS + SECOND_NS), Some(10_000 - BURST));
        assert_eq!(limiter.due(START_NS + 2 * SECOND_NS), None);
        let later_ns = START_NS + 5 * SECOND_NS;
        let passed = (0..10_000).filter(|_| limiter.lets_pass(later_ns)).count();
        assert_eq!(passed as u64, 5 * LINES_PER_S);
        assert_eq!(limiter.rest(), Some(10_000 - 5 * LINES_PER_S));
        assert_eq!(limiter.rest(), None);
    }

    #[test]
    fn what_is_slow_is_never_held_back() {
        let mut limiter = Limiter::new();
        for line in 0..100_000 {
            assert!(limiter.lets_pass(START_NS + line * NS_PER_LINE));
        }
        assert_eq!(limiter.rest(), None);
    }

    proptest! {
        #[test]
        fn every_line_is_shown_or_told_of(steps in prop::collection::vec((0..3_000_000_000_u64, 1..4_000_u64, any::<bool>()), 1..40)) {
            let (mut limiter, mut now_ns) = (Limiter::new(), START_NS);
            let (mut lines, mut shown, mut told) = (0, 0, 0);
            for (step_ns, count, back) in steps {
                now_ns = if back { now_ns - step_ns.min(1_000) } else { now_ns + step_ns };
                told += limiter.due(now_ns).unwrap_or(0);
                for _ in 0..count {
                    lines += 1;
                    shown += u64::from(limiter.lets_pass(now_ns));
                }
            }
            told += limiter.rest().unwrap_or(0);
            prop_assert_eq!(lines, shown + told);
        }
    }
}
