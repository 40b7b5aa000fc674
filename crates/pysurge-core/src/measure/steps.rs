//! What a test case tells of an iteration beside its metrics: checks by name, timed steps, counts.

use super::MAX_NAMES;
use crate::histogram::Histogram;
use crate::sketch::finite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often a check held, and how often not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCount {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
}

/// The durations of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    /// In iterations that passed.
    pub passed: Histogram,
    /// In iterations that failed.
    pub failed: Histogram,
}

/// Things by name, at most [`MAX_NAMES`]; the rest is counted as refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named<T> {
    by_name: BTreeMap<String, T>,
    refused: u64,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            refused: 0,
        }
    }
}

impl<T: Default> Named<T> {
    /// What goes by this name; `None`, and counted as refused so many times, where there are too many names already.
    fn slot(&mut self, name: &str, times: u64) -> Option<&mut T> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= MAX_NAMES {
                self.refused = self.refused.saturating_add(times);
                return None;
            }
            self.by_name.insert(name.to_owned(), T::default());
        }
        self.by_name.get_mut(name)
    }

    fn merge(&mut self, other: &Self, times: impl Fn(&T) -> u64, add: impl Fn(&mut T, &T)) {
        self.refused = self.refused.saturating_add(other.refused);
        for (name, theirs) in &other.by_name {
            if let Some(ours) = self.slot(name, times(theirs)) {
                add(ours, theirs);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.by_name.iter().map(|(name, of)| (name.as_str(), of))
    }
}

/// The user's checks of one test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checks(Named<CheckCount>);

impl Checks {
    /// Counts a check.
    pub fn record(&mut self, name: &str, held: bool) {
        if let Some(count) = self.0.slot(name, 1) {
            if held {
                count.passed += 1;
            } else {
                count.failed += 1;
            }
        }
    }

    /// The checks, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &CheckCount)> {
        self.0.iter()
    }

    /// Checks that came under too many names.
    pub fn refused(&self) -> u64 {
        self.0.refused
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.merge(
            &other.0,
            |count| count.passed.saturating_add(count.failed),
            |ours, theirs| {
                ours.passed = ours.passed.saturating_add(theirs.passed);
                ours.failed = ours.failed.saturating_add(theirs.failed);
            },
        );
    }
}

/// The user's timed steps of one test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timers(Named<Timer>);

impl Timers {
    /// Counts one step of an iteration that failed or did not.
    pub fn record(&mut self, name: &str, ns: u64, in_failed: bool) {
        if let Some(timer) = self.0.slot(name, 1) {
            let histogram = if in_failed {
                &mut timer.failed
            } else {
                &mut timer.passed
            };
            histogram.record(ns);
        }
    }

    /// The steps, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Timer)> {
        self.0.iter()
    }

    /// Steps that came under too many names.
    pub fn refused(&self) -> u64 {
        self.0.refused
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.merge(
            &other.0,
            |timer| timer.passed.count().saturating_add(timer.failed.count()),
            |ours, theirs| {
                ours.passed.merge(&theirs.passed);
                ours.failed.merge(&theirs.failed);
            },
        );
    }

    pub(super) fn compact(&mut self) {
        for timer in self.0.by_name.values_mut() {
            timer.passed.compact();
            timer.failed.compact();
        }
    }
}

/// The user's counts of one test: sums by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts(Named<f64>);

impl Counts {
    /// Adds to a count. What is no finite number is counted as refused.
    pub fn record(&mut self, name: &str, number: f64) {
        if !number.is_finite() {
            self.0.refused = self.0.refused.saturating_add(1);
        } else if let Some(sum) = self.0.slot(name, 1) {
            *sum = finite(*sum + number);
        }
    }

    /// Counts a number that could not even be read as one.
    pub fn refuse(&mut self) {
        self.0.refused = self.0.refused.saturating_add(1);
    }

    /// The sums, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, sum)| (name, *sum))
    }

    /// Numbers that were not finite, or came under too many names.
    pub fn refused(&self) -> u64 {
        self.0.refused
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0
            .merge(&other.0, |_| 1, |ours, theirs| *ours = finite(*ours + theirs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_capped_and_the_rest_is_counted() {
        let (mut checks, mut timers, mut counts) = (Checks::default(), Timers::default(), Counts::default());
        for i in 0..MAX_NAMES + 2 {
            let name = format!("n{i}");
            checks.record(&name, i % 2 == 0);
            timers.record(&name, 1, false);
            counts.record(&name, 1.0);
        }
        counts.record("n0", f64::NAN);
        counts.refuse();
        assert_eq!((checks.iter().count(), checks.refused()), (MAX_NAMES, 2));
        assert_eq!((timers.iter().count(), timers.refused()), (MAX_NAMES, 2));
        assert_eq!((counts.iter().count(), counts.refused()), (MAX_NAMES, 4));
        let mut other = Checks::default();
        other.record("another", true);
        other.record("another", false);
        checks.merge(&other);
        assert_eq!((checks.iter().count(), checks.refused()), (MAX_NAMES, 4));
    }

    #[test]
    fn steps_of_failed_iterations_are_apart() {
        let mut timers = Timers::default();
        timers.record("upload", 5, false);
        timers.record("upload", 7, true);
        let (name, timer) = timers.iter().next().unwrap();
        assert_eq!(
            (name, timer.passed.max_ns(), timer.failed.max_ns()),
            ("upload", Some(5), Some(7))
        );
    }
}
