//! What the seconds of a run add up to for one test: what a summary does not hold.

use super::label::label;
use super::tally::Tally;
use pysurge_core::account::Account;
use pysurge_core::measure::Timer;
use pysurge_core::series::TestRow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One test's figures beside those of its summary.
#[derive(Debug, Default)]
pub(super) struct TestFigures {
    /// Its name as a label.
    pub(super) name: Arc<str>,
    pub(super) response_time: Tally,
    pub(super) service_time: Tally,
    pub(super) lateness: Tally,
    pub(super) setup: Tally,
    pub(super) teardown: Tally,
    /// Lateness by cause, nanoseconds, summed.
    pub(super) causes_ns: BTreeMap<&'static str, u128>,
    pub(super) steps: BTreeMap<String, Step>,
    /// Threads in the last second.
    pub(super) threads: u32,
    /// The greatest figures told so far: a counter that falls would be taken for one that began anew.
    told: Account,
}

/// One step's durations.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name as a label.
    pub(super) name: Arc<str>,
    /// In iterations that passed.
    pub(super) passed: Tally,
    /// In iterations that failed.
    pub(super) failed: Tally,
}

impl TestFigures {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: label(name),
            ..Self::default()
        }
    }

    /// Adds the next second.
    pub(super) fn add(&mut self, row: &TestRow) {
        let measures = &row.measures;
        self.response_time.add(&measures.response_time);
        self.service_time.add(&measures.service_time);
        self.lateness.add(&measures.lateness);
        self.setup.add(&measures.setup);
        self.teardown.add(&measures.teardown);
        for (cause, histogram) in measures.lateness_parts.named() {
            let sum_ns = self.causes_ns.entry(cause).or_default();
            *sum_ns = sum_ns.saturating_add(histogram.sum_ns());
        }
        for (name, timer) in measures.timers.iter() {
            if let Some(step) = self.steps.get_mut(name) {
                step.add(timer);
            } else {
                let mut step = Step::new(name);
                step.add(timer);
                self.steps.insert(name.to_owned(), step);
            }
        }
        self.threads = row.threads;
    }

    /// How its iterations ended so far: while the run goes on never less than was told before.
    pub(super) fn account(&mut self, now: Account, is_over: bool) -> Account {
        if !is_over {
            let told = self.told;
            self.told = Account {
                planned: now.planned.max(told.planned),
                passed: now.passed.max(told.passed),
                failed: now.failed.max(told.failed),
                dropped: now.dropped.max(told.dropped),
                interrupted: now.interrupted.max(told.interrupted),
                lost: now.lost.max(told.lost),
            };
            return self.told;
        }
        now
    }
}

impl Step {
    fn new(name: &str) -> Self {
        Self {
            name: label(name),
            passed: Tally::default(),
            failed: Tally::default(),
        }
    }

    fn add(&mut self, timer: &Timer) {
        self.passed.add(&timer.passed);
        self.failed.add(&timer.failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_fall_only_to_the_truth_at_the_end() {
        let mut test = TestFigures::new("a");
        let account = |planned, passed| Account {
            planned,
            passed,
            ..Account::default()
        };
        assert_eq!(test.account(account(10, 4), false), account(10, 4));
        assert_eq!(test.account(account(9, 5), false), account(10, 5));
        assert_eq!(test.account(account(9, 9), true), account(9, 9));
    }
}
