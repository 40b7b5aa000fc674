//! Why an iteration started late. Pure.
//!
//! | from the planned instant on | it is |
//! |---|---|
//! | until a thread is there that waits for it | no free thread; waited for the GIL, where the interpreter is so crowded that threads are held back |
//! | until that thread has woken | woke late |
//! | until it holds the interpreter | waited for the GIL |
//! | until it starts the iteration | woke late: our own steps |
//!
//! A thread that ends an iteration may take one that another thread is about to take. What that other thread was doing is then the reason.
//!
//! Of an iteration that is a task of an event loop, "no free thread" is the time in which as many were in flight as may be, "woke late" the time
//! until the leader had woken, and "waited for the GIL" all the rest: the loop was busy with other tasks, or its thread had no interpreter.

/// The three parts of one iteration's lateness, nanoseconds; their sum is the lateness.
#[expect(clippy::struct_field_names, reason = "the name of a number ends in its unit")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) woke_late_ns: u64,
    pub(crate) no_free_thread_ns: u64,
    pub(crate) waited_for_gil_ns: u64,
}

/// What the thread that takes an iteration did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It waited for a planned instant.
    Waited(Waited),
    /// It ran another iteration.
    Ran {
        /// What the thread did that was to take this one.
        leader: Leader,
    },
}

/// How a thread waited for a planned instant. All instants are nanoseconds of `CLOCK_MONOTONIC`.
#[expect(clippy::struct_field_names, reason = "the name of a number ends in its unit")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waited {
    /// Since when.
    pub(super) since_ns: u64,
    /// When it woke, not holding the interpreter yet.
    pub(super) woken_ns: u64,
    /// When it held the interpreter.
    pub(super) attached_ns: u64,
}

/// What the leader is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    /// There is none: all threads run.
    None,
    /// It sleeps, or is about to wake.
    Sleeps,
    /// It waits for the interpreter, or leaves it to others.
    Attaches,
}

impl Late {
    /// Takes the lateness of an iteration apart.
    pub(super) fn of(planned_ns: u64, started_ns: u64, before: Before, crowded: bool) -> Self {
        let late_ns = started_ns.saturating_sub(planned_ns);
        let mut late = Self::default();
        match before {
            Before::Waited(Waited {
                since_ns,
                woken_ns,
                attached_ns,
            }) => {
                let unattended_ns = since_ns.saturating_sub(planned_ns).min(late_ns);
                let from_ns = planned_ns + unattended_ns;
                let woken_ns = woken_ns.clamp(from_ns, started_ns.max(from_ns));
                let waited_ns = attached_ns.min(started_ns).saturating_sub(woken_ns);
                if crowded {
                    late.waited_for_gil_ns = unattended_ns + waited_ns;
                } else {
                    late.no_free_thread_ns = unattended_ns;
                    late.waited_for_gil_ns = waited_ns;
                }
                late.woke_late_ns = late_ns - late.waited_for_gil_ns - late.no_free_thread_ns;
            }
            Before::Ran { leader } => {
                let part = match leader {
                    Leader::None => &mut late.no_free_thread_ns,
                    Leader::Sleeps if !crowded => &mut late.woke_late_ns,
                    Leader::Sleeps | Leader::Attaches => &mut late.waited_for_gil_ns,
                };
                *part = late_ns;
            }
        }
        late
    }
}

/// The last time in which a pool of tasks had as many in flight as it may have. Nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Full {
    since_ns: u64,
    until_ns: u64,
}

impl Full {
    /// It begins now; one that ended so short a time before goes on.
    pub(super) fn begin(&mut self, now_ns: u64, short_ns: u64) {
        if now_ns.saturating_sub(self.until_ns) > short_ns {
            self.since_ns = now_ns;
        }
    }

    /// It ends now.
    pub(super) fn end(&mut self, now_ns: u64) {
        self.until_ns = now_ns;
    }

    /// When it ended.
    pub(super) fn until_ns(self) -> u64 {
        self.until_ns
    }
}

impl Late {
    /// Takes the lateness of a task apart, for which the leader had woken the loop at `asked_ns`; 0 where the loop came by itself.
    pub(super) fn of_task(planned_ns: u64, started_ns: u64, asked_ns: u64, full: Full) -> Self {
        let late_ns = started_ns.saturating_sub(planned_ns);
        let full_until_ns = full.until_ns.clamp(planned_ns, started_ns.max(planned_ns));
        let no_free_thread_ns = full_until_ns - full.since_ns.clamp(planned_ns, full_until_ns);
        let left_ns = late_ns - no_free_thread_ns;
        let woke_late_ns = asked_ns.saturating_sub(full_until_ns).min(left_ns);
        Self {
            woke_late_ns,
            no_free_thread_ns,
            waited_for_gil_ns: left_ns - woke_late_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waited(since_ns: u64, woken_ns: u64, attached_ns: u64) -> Before {
        Before::Waited(Waited {
            since_ns,
            woken_ns,
            attached_ns,
        })
    }

    fn parts(late: Late) -> (u64, u64, u64) {
        (late.woke_late_ns, late.no_free_thread_ns, late.waited_for_gil_ns)
    }

    #[test]
    fn every_reason_has_its_part() {
        let ran = |leader| Before::Ran { leader };
        for (before, crowded, expected) in [
            // Planned at 100, started at 200.
            (waited(50, 130, 190), false, (40, 0, 60)),
            (waited(50, 100, 100), false, (100, 0, 0)),
            (waited(150, 150, 200), false, (0, 50, 50)),
            (waited(150, 150, 200), true, (0, 0, 100)),
            // Woken before it was due: for another iteration, which a third thread took.
            (waited(10, 20, 30), false, (100, 0, 0)),
            (ran(Leader::None), false, (0, 100, 0)),
            (ran(Leader::Sleeps), false, (100, 0, 0)),
            (ran(Leader::Sleeps), true, (0, 0, 100)),
            (ran(Leader::Attaches), false, (0, 0, 100)),
        ] {
            assert_eq!(
                parts(Late::of(100, 200, before, crowded)),
                expected,
                "{before:?}, {crowded}"
            );
        }
    }

    #[test]
    fn every_reason_has_its_part_with_tasks() {
        for (asked_ns, since_ns, until_ns, expected) in [
            // Planned at 100, started at 200.
            (0, 0, 0, (0, 0, 100)),
            (130, 0, 0, (30, 0, 70)),
            (90, 0, 0, (0, 0, 100)),
            (0, 50, 150, (0, 50, 50)),
            (0, 120, 150, (0, 30, 70)),
            (0, 50, 90, (0, 0, 100)),
            // Woken once there was a slot again.
            (160, 50, 150, (10, 50, 40)),
            (0, 50, 250, (0, 100, 0)),
        ] {
            let full = Full { since_ns, until_ns };
            assert_eq!(
                parts(Late::of_task(100, 200, asked_ns, full)),
                expected,
                "{asked_ns}, {full:?}"
            );
        }
    }

    #[test]
    fn a_pool_that_is_full_again_at_once_was_full_all_the_time() {
        let mut full = Full::default();
        full.begin(100, 10);
        full.end(150);
        full.begin(155, 10);
        full.end(200);
        assert_eq!(
            full,
            Full {
                since_ns: 100,
                until_ns: 200
            }
        );
        full.begin(220, 10);
        full.end(230);
        assert_eq!(
            full,
            Full {
                since_ns: 220,
                until_ns: 230
            }
        );
    }

    proptest! {
        #[test]
        fn the_parts_of_a_task_add_up(
            planned_ns in 0u64..1_000,
            started_ns in 0u64..1_000,
            asked_ns in 0u64..1_000,
            since_ns in 0u64..1_000,
            lasted_ns in 0u64..1_000,
        ) {
            let full = Full { since_ns, until_ns: since_ns + lasted_ns };
            let (woke, slot, waited) = parts(Late::of_task(planned_ns, started_ns, asked_ns, full));
            prop_assert_eq!(woke + slot + waited, started_ns.saturating_sub(planned_ns));
        }

        #[test]
        fn the_parts_add_up(
            planned_ns in 0u64..1_000,
            started_ns in 0u64..1_000,
            times in prop::array::uniform3(0u64..1_000),
            ran in any::<bool>(),
            crowded in any::<bool>(),
        ) {
            let before = if ran {
                Before::Ran { leader: Leader::Attaches }
            } else {
                waited(times[0], times[1], times[2])
            };
            let (woke, thread, gil) = parts(Late::of(planned_ns, started_ns, before, crowded));
            prop_assert_eq!(woke + thread + gil, started_ns.saturating_sub(planned_ns));
        }
    }
}
