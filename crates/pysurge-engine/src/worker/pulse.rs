//! Whether anything gets on: a thread of user code that never lets go of the interpreter holds up everything but what needs none.
//!
//! | nobody has given a sign for | then |
//! |---|---|
//! | a second | the main thread is asked for one: it gives it as soon as it has the interpreter |
//! | [`SUSPECT_NS`] | several threads of our own wait for the interpreter: in a crowd that computes, one of them soon has its turn |
//! | [`FROZEN_NS`] | the worker is frozen, which is told once, with the stacks |
//!
//! A sign is anything that takes the interpreter: an iteration that is claimed or has ended, the main thread that answers, one of our threads.
//! Time in which this process itself stood still (stopped, or without a core) does not count. [`Pulse`] is pure; it must never wait.

use pysurge_core::NANOS_PER_SEC;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Without a sign for so long, we look ourselves whether the interpreter can be had.
const SUSPECT_NS: u64 = 4 * NANOS_PER_SEC;

/// And for so long, it cannot: longer than any C library that forgets to let go takes for a sane call, far shorter than a user waits.
const FROZEN_NS: u64 = 10 * NANOS_PER_SEC;

/// Looks are at most a second apart. What is more, this process was not there to see.
const LONGEST_STEP_NS: u64 = 1_500_000_000;

/// Threads that wait for the interpreter at a time: with a thousand that compute, 5 ms each, one of them has its turn in 0.6 s on average.
const PROBERS: usize = 8;

/// What can be asked of an interpreter by those who do not hold it.
pub trait Outside: Send + Sync {
    /// Waits for the interpreter and lets go of it again.
    fn touch(&self);

    /// The stacks of its threads, without the interpreter; asked only while nobody can have it. May be empty.
    fn stacks(&self) -> String;
}

/// What is to be done after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Ask the main thread for a sign.
    Ask,
    /// Let our own threads wait for the interpreter.
    Probe,
    /// Nobody has had it for so long.
    Frozen(u64),
}

/// Looks at signs.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    signs: u64,
    looked_ns: u64,
    held_ns: u64,
    asked: bool,
    probed: bool,
    told: bool,
}

impl Pulse {
    /// `signs` moves whenever there was one.
    pub(super) fn look(&mut self, now_ns: u64, signs: u64) -> Step {
        let step_ns = now_ns.saturating_sub(self.looked_ns).min(LONGEST_STEP_NS);
        self.looked_ns = now_ns;
        if signs != self.signs {
            *self = Self {
                signs,
                looked_ns: now_ns,
                ..Self::default()
            };
            return Step::Nothing;
        }
        self.held_ns += step_ns;
        if self.held_ns >= FROZEN_NS && self.probed {
            return if std::mem::replace(&mut self.told, true) {
                Step::Nothing
            } else {
                Step::Frozen(self.held_ns)
            };
        }
        if self.held_ns >= SUSPECT_NS && !std::mem::replace(&mut self.probed, true) {
            return Step::Probe;
        }
        if self.held_ns >= NANOS_PER_SEC && !std::mem::replace(&mut self.asked, true) {
            return Step::Ask;
        }
        Step::Nothing
    }
}

/// Lets several threads of our own wait for the interpreter; each counts when it has had it. They live until then.
pub(super) fn probe(outside: &Arc<dyn Outside>, signs: &Arc<AtomicU64>) {
    for _ in 0..PROBERS {
        let (outside, signs) = (Arc::clone(outside), Arc::clone(signs));
        let life = move || {
            outside.touch();
            signs.fetch_add(1, Ordering::Relaxed);
        };
        // Where there can be no more threads, fewer look.
        drop(
            std::thread::Builder::new()
                .name("pysurge-prober".into())
                .spawn(life),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = NANOS_PER_SEC;

    fn looks(pulse: &mut Pulse, looks: impl IntoIterator<Item = (u64, u64)>) -> Vec<Step> {
        looks
            .into_iter()
            .map(|(at_s, signs)| pulse.look(at_s * S, signs))
            .collect()
    }

    #[test]
    fn ten_seconds_without_a_sign_are_told_once() {
        let mut pulse = Pulse::default();
        let steps = looks(&mut pulse, (100..116).map(|at_s| (at_s, 7)));
        let mut expected = vec![Step::Nothing; 16];
        (expected[1], expected[4], expected[10]) = (Step::Ask, Step::Probe, Step::Frozen(10 * S));
        assert_eq!(steps, expected);
        // It may come again.
        let again = looks(&mut pulse, (116..132).map(|at_s| (at_s, 8)));
        assert_eq!(again, expected);
    }

    #[test]
    fn any_sign_is_enough() {
        let mut pulse = Pulse::default();
        let steps = looks(&mut pulse, (100..200).map(|at_s| (at_s, at_s / 9)));
        assert!(
            steps.iter().all(|step| !matches!(step, Step::Frozen(_))),
            "{steps:?}"
        );
        assert!(steps.contains(&Step::Probe));
        let steps = looks(&mut pulse, (200..300).map(|at_s| (at_s, at_s)));
        assert_eq!(steps, [Step::Nothing; 100]);
    }

    #[test]
    fn a_process_that_was_stopped_has_not_waited() {
        let mut pulse = Pulse::default();
        let steps = looks(
            &mut pulse,
            [(100, 7), (101, 7), (3_000, 7), (3_001, 7), (9_000, 8)],
        );
        assert_eq!(
            steps,
            [
                Step::Nothing,
                Step::Ask,
                Step::Nothing,
                Step::Nothing,
                Step::Nothing
            ]
        );
    }
}
