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

    proptest! {
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
