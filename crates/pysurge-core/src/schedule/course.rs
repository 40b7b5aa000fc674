//! What was changed while the run goes on: pauses and the factor on all rates, each from one stated instant.
//!
//! *Run time* is what the clock says since the start; *plan time* stands still during a pause. Everything that a config says
//! in durations (stages, warm-up, the end, think times) is plan time, so a pause moves the rest of the plan and takes
//! nothing from it: no arrival is planned during a pause, and none is made up for afterwards.
//!
//! [`Course::run_ns`] is the exact inverse of [`Course::plan_ns`]: the last run instant whose plan time is not beyond.

use crate::NANOS_PER_SEC;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A run instant that is not in sight: how long an open pause lasts is known to nobody.
pub const NOT_IN_SIGHT: u64 = u64::MAX;

/// What all rates are multiplied by, in thousandths: from 0.001 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Factor {
    milli: u32,
}

/// Why a number is no factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a factor is a number from 0.001 to 1000")]
pub struct FactorError;

impl Factor {
    /// The rates as planned.
    pub const ONE: Self = Self { milli: 1_000 };

    /// A factor from thousandths.
    pub fn from_milli(milli: u32) -> Result<Self, FactorError> {
        if (1..=1_000_000).contains(&milli) {
            Ok(Self { milli })
        } else {
            Err(FactorError)
        }
    }

    /// A factor from decimal text such as `1.5`; digits beyond the third place are cut off.
    pub fn parse(text: &str) -> Result<Self, FactorError> {
        let milli = crate::span::decimal_times(text.trim(), 1_000);
        milli
            .and_then(|milli| u32::try_from(milli).ok())
            .map_or(Err(FactorError), Self::from_milli)
    }

    /// Thousandths.
    pub fn milli(self) -> u32 {
        self.milli
    }

    /// For display and estimates.
    pub fn as_f64(self) -> f64 {
        f64::from(self.milli) / 1_000.0
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

/// From an instant on: whether time goes on in the plan, and how fast iterations come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// From when, nanoseconds of run time. Never before the change before it.
    pub at_ns: u64,
    /// Whether the run is paused.
    pub paused: bool,
    /// What all rates are multiplied by once it is not.
    pub factor: Factor,
}

/// All changes so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    legs: Vec<Leg>,
}

/// From one change to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Leg {
    change: Change,
    /// Plan time at its beginning.
    plan_ns: u64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            legs: vec![Leg {
                change: Change {
                    at_ns: 0,
                    paused: false,
                    factor: Factor::ONE,
                },
                plan_ns: 0,
            }],
        }
    }
}

impl Course {
    /// Adds a change. One that is told to lie before an earlier one counts from that one on.
    pub fn apply(&mut self, change: Change) {
        let at_ns = change.at_ns.max(self.now().at_ns);
        let plan_ns = self.plan_ns(at_ns);
        self.legs.push(Leg {
            change: Change { at_ns, ..change },
            plan_ns,
        });
    }

    /// The last change: how things stand after it.
    pub fn now(&self) -> Change {
        self.legs.last().expect("never empty").change
    }

    /// The changes that were made, in order.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = Change> {
        self.legs[1..].iter().map(|leg| leg.change)
    }

    /// Plan time at a run instant.
    pub fn plan_ns(&self, run_ns: u64) -> u64 {
        let at = self.legs.partition_point(|leg| leg.change.at_ns <= run_ns);
        let leg = self.legs[at.saturating_sub(1)];
        if leg.change.paused {
            leg.plan_ns
        } else {
            leg.plan_ns.saturating_add(run_ns - leg.change.at_ns)
        }
    }

    /// The last run instant at which plan time is at most `plan_ns`; [`NOT_IN_SIGHT`] while a pause keeps it from being passed.
    pub fn run_ns(&self, plan_ns: u64) -> u64 {
        let [only] = self.legs.as_slice() else {
            let at = self.legs.partition_point(|leg| leg.plan_ns <= plan_ns);
            let leg = self.legs[at.saturating_sub(1)];
            return if leg.change.paused {
                NOT_IN_SIGHT
            } else {
                leg.change.at_ns.saturating_add(plan_ns - leg.plan_ns)
            };
        };
        only.change.at_ns.saturating_add(plan_ns - only.plan_ns)
    }

    /// How long the run was paused before a run instant, in nanoseconds.
    pub fn paused_ns(&self, run_ns: u64) -> u64 {
        run_ns - self.plan_ns(run_ns).min(run_ns)
    }

    /// Whether nothing was ever changed.
    pub fn is_unchanged(&self) -> bool {
        self.legs.len() == 1
    }
}

/// How long a change takes to become known everywhere, at least: it is stated for an instant this far ahead, so that every worker
/// knows of it by then.
pub const CHANGE_LEAD_NS: u64 = NANOS_PER_SEC / 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(at_ns: u64, paused: bool, milli: u32) -> Change {
        Change {
            at_ns,
            paused,
            factor: Factor::from_milli(milli).unwrap(),
        }
    }

    #[test]
    fn a_pause_moves_the_rest_of_the_plan() {
        let mut course = Course::default();
        assert_eq!((course.plan_ns(700), course.run_ns(700)), (700, 700));
        course.apply(change(100, true, 1_000));
        assert_eq!(course.run_ns(99), 99);
        assert_eq!(course.run_ns(100), NOT_IN_SIGHT);
        assert_eq!(course.plan_ns(5_000), 100);
        course.apply(change(400, false, 1_000));
        assert_eq!(course.run_ns(100), 400);
        assert_eq!(course.run_ns(150), 450);
        assert_eq!((course.plan_ns(300), course.plan_ns(450)), (100, 150));
        assert_eq!(course.paused_ns(1_000), 300);
        assert_eq!(course.changes().count(), 2);
    }

    #[test]
    fn a_change_never_lies_before_another() {
        let mut course = Course::default();
        course.apply(change(100, true, 1_000));
        course.apply(change(50, false, 2_000));
        assert_eq!(course.now(), change(100, false, 2_000));
        assert_eq!(course.run_ns(100), 100);
    }

    #[test]
    fn factors_are_read() {
        assert_eq!(Factor::parse("1.5").unwrap().milli(), 1_500);
        assert_eq!(Factor::parse("2").unwrap().to_string(), "2");
        assert_eq!(Factor::parse("0.25").unwrap().to_string(), "0.25");
        for text in ["0", "-1", "x", "1001", "", "0.0001", "nan"] {
            assert_eq!(Factor::parse(text), Err(FactorError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn run_and_plan_time_are_inverse(
            steps in prop::collection::vec((0u64..1_000, any::<bool>()), 0..12),
            t_ns in 0u64..20_000,
        ) {
            let (mut course, mut at_ns) = (Course::default(), 0);
            for (step_ns, paused) in steps {
                at_ns += step_ns;
                course.apply(change(at_ns, paused, 1_000));
            }
            let plan_ns = course.plan_ns(t_ns);
            let run_ns = course.run_ns(plan_ns);
            prop_assert!(run_ns >= t_ns);
            if run_ns != NOT_IN_SIGHT {
                prop_assert_eq!(course.plan_ns(run_ns), plan_ns);
                prop_assert!(course.plan_ns(run_ns + 1) > plan_ns);
            }
            prop_assert!(course.plan_ns(t_ns + 1) - plan_ns <= 1);
        }
    }
}
