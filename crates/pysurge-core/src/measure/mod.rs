//! What is measured of a test: counts, durations, metrics, checks, steps, failures. One type serves a worker's delta of one
//! second, a second's row and the run's total; merging is associative and order-free, and sums stop at what
//! 64 bits hold, whatever a worker claims.

mod exhibits;
mod metrics;
mod steps;

pub use exhibits::{Exhibit, Exhibits, KEPT_EXHIBITS, MAX_KWARGS_CHARS};
pub use metrics::Metrics;
pub use steps::{CheckCount, Checks, Counts, Timer, Timers};

use crate::failure::Failures;
use crate::histogram::Histogram;
use serde::{Deserialize, Serialize};

/// Names of one kind (metrics, checks, timers, counts) kept per test; what comes under further names is counted and dropped.
pub const MAX_NAMES: usize = 100;

/// The measures of one test over some span of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Iterations whose `run` returned and none of whose failing checks failed.
    pub passed: u64,
    /// Iterations whose `__init__`, `setup` or `run` raised, or one of whose failing checks failed.
    pub failed: u64,
    /// Lateness and service time together, of passed and failed ones that came as far as `run`.
    pub response_time: Histogram,
    /// `run` alone, of passed and failed ones that came as far.
    pub service_time: Histogram,
    /// From the planned instant to the start of the iteration, of every one that ended.
    pub lateness: Histogram,
    /// The same, taken apart.
    pub lateness_parts: LatenessParts,
    /// `setup`, where the test case has one.
    pub setup: Histogram,
    /// `teardown`, where the test case has one.
    pub teardown: Histogram,
    /// How long pool threads were busy with iterations, from taking one up to the end of the last before they waited again,
    /// nanoseconds, summed over the threads.
    pub busy_ns: u64,
    /// Of [`Measures::busy_ns`], how long these threads were on a CPU (thread CPU clock); in the rest they were blocked: waited for the
    /// service, for the interpreter, or for a core.
    pub busy_cpu_ns: u64,
    /// The user's metrics, of passed iterations.
    pub metrics: Metrics,
    /// The user's checks, of all iterations.
    pub checks: Checks,
    /// The user's steps.
    pub timers: Timers,
    /// The user's counts, of all iterations.
    pub counts: Counts,
    /// Failures by kind; errors in `teardown` are here too, though they fail nothing.
    pub failures: Failures,
    /// The slowest iterations and the first failed ones, as they were.
    pub exhibits: Exhibits,
}

/// Lateness by its causes. For every iteration the three add up to its lateness, and each has an entry, 0 where it had no part in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatenessParts {
    /// The thread that was to start it woke late: the kernel, a busy machine, our own steps.
    pub woke_late: Histogram,
    /// Every thread of the pool was running an iteration.
    pub no_free_thread: Histogram,
    /// A thread was ready and waited for Python's interpreter lock.
    pub waited_for_gil: Histogram,
}

impl LatenessParts {
    /// The parts, each with its name in results.
    pub fn named(&self) -> [(&'static str, &Histogram); 3] {
        [
            ("woke_late", &self.woke_late),
            ("no_free_thread", &self.no_free_thread),
            ("waited_for_gil", &self.waited_for_gil),
        ]
    }

    fn each(&mut self) -> [&mut Histogram; 3] {
        [
            &mut self.woke_late,
            &mut self.no_free_thread,
            &mut self.waited_for_gil,
        ]
    }

    fn merge(&mut self, other: &Self) {
        for (ours, (_, theirs)) in self.each().into_iter().zip(other.named()) {
            ours.merge(theirs);
        }
    }

    /// Gives each part an entry of 0 for every iteration, of so many in all, that was recorded without it: recorders leave those out.
    pub fn complete(&mut self, iterations: u64) {
        for part in self.each() {
            part.record_n(0, iterations.saturating_sub(part.count()));
        }
    }
}

impl Measures {
    /// Adds everything measured elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.response_time.merge(&other.response_time);
        self.service_time.merge(&other.service_time);
        self.lateness.merge(&other.lateness);
        self.lateness_parts.merge(&other.lateness_parts);
        self.setup.merge(&other.setup);
        self.teardown.merge(&other.teardown);
        self.busy_ns = self.busy_ns.saturating_add(other.busy_ns);
        self.busy_cpu_ns = self.busy_cpu_ns.saturating_add(other.busy_cpu_ns);
        self.metrics.merge(&other.metrics);
        self.checks.merge(&other.checks);
        self.timers.merge(&other.timers);
        self.counts.merge(&other.counts);
        self.failures.merge(&other.failures);
        self.exhibits.merge(&other.exhibits);
    }

    /// Passed and failed iterations.
    pub fn ended(&self) -> u64 {
        self.passed.saturating_add(self.failed)
    }

    /// Keeps what a row of the time series needs, in little memory: no failures by kind, no exhibits, histograms with only the counters
    /// in use.
    pub fn compact(&mut self) {
        self.failures = Failures::default();
        self.exhibits = Exhibits::default();
        let plain = [
            &mut self.response_time,
            &mut self.service_time,
            &mut self.lateness,
            &mut self.setup,
            &mut self.teardown,
        ];
        for histogram in plain.into_iter().chain(self.lateness_parts.each()) {
            histogram.compact();
        }
        self.timers.compact();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn measures() -> impl Strategy<Value = Measures> {
        prop::collection::vec((any::<bool>(), 0u64..10_000_000_000, 0u64..1_000_000), 0..30).prop_map(
            |rows| {
                let mut measures = Measures::default();
                for (passed, service_ns, late_ns) in rows {
                    if passed {
                        measures.passed += 1;
                    } else {
                        measures.failed += 1;
                    }
                    measures.service_time.record(service_ns);
                    measures.lateness.record(late_ns);
                    measures.response_time.record(service_ns + late_ns);
                    measures.lateness_parts.woke_late.record(late_ns / 2);
                    measures
                        .lateness_parts
                        .waited_for_gil
                        .record(late_ns - late_ns / 2);
                    measures.lateness_parts.complete(measures.ended());
                    measures.metrics.record(if passed { "a" } else { "b" }, 1.5);
                    measures.checks.record("ok", passed);
                    measures.timers.record("step", service_ns / 2, !passed);
                    measures.counts.record("bytes", 2.0);
                    let name = if passed { "slow" } else { "fail" };
                    measures.exhibits.show(Exhibit {
                        response_ns: service_ns + late_ns,
                        error: (!passed).then(|| name.to_owned()),
                        ..Exhibit::default()
                    });
                }
                measures
            },
        )
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_order_free(a in measures(), b in measures(), c in measures()) {
            let join = |parts: &[&Measures]| {
                let mut total = Measures::default();
                for part in parts {
                    total.merge(part);
                }
                total
            };
            let left = join(&[&join(&[&a, &b]), &c]);
            prop_assert_eq!(&left, &join(&[&a, &join(&[&b, &c])]));
            prop_assert_eq!(&left, &join(&[&c, &a, &b]));
        }

        #[test]
        fn a_compact_row_has_the_same_figures(a in measures(), b in measures()) {
            let mut rows = [a.clone(), b.clone()];
            rows.iter_mut().for_each(Measures::compact);
            let (mut total, mut of_rows) = (a, rows[0].clone());
            total.merge(&b);
            of_rows.merge(&rows[1]);
            total.compact();
            prop_assert_eq!(total, of_rows);
        }
    }
}
