//! What is measured of a test: counts, durations, metrics, failures. One type serves a worker's delta of one
//! second, a second's row and the run's total; merging is associative and order-free.

use crate::failure::Failures;
use crate::histogram::Histogram;
use crate::sketch::Sketch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Metric names kept per test; values of further names are counted and dropped.
pub const MAX_METRICS: usize = 100;

/// The measures of one test over some span of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Iterations whose `run` returned.
    pub passed: u64,
    /// Iterations whose `__init__`, `setup` or `run` raised.
    pub failed: u64,
    /// Lateness and service time together, of passed and failed ones that came as far as `run`.
    pub response_time: Histogram,
    /// `run` alone, of passed and failed ones that came as far.
    pub service_time: Histogram,
    /// From the planned instant to the start of the iteration, of every one that ended.
    pub lateness: Histogram,
    /// `setup`, where the test case has one.
    pub setup: Histogram,
    /// `teardown`, where the test case has one.
    pub teardown: Histogram,
    /// The user's metrics, of passed iterations.
    pub metrics: Metrics,
    /// Failures by kind; errors in `teardown` are here too, though they fail nothing.
    pub failures: Failures,
}

impl Measures {
    /// Adds everything measured elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.response_time.merge(&other.response_time);
        self.service_time.merge(&other.service_time);
        self.lateness.merge(&other.lateness);
        self.setup.merge(&other.setup);
        self.teardown.merge(&other.teardown);
        self.metrics.merge(&other.metrics);
        self.failures.merge(&other.failures);
    }

    /// Forgets everything but keeps the memory of the histograms.
    pub fn clear(&mut self) {
        (self.passed, self.failed) = (0, 0);
        for histogram in [
            &mut self.response_time,
            &mut self.service_time,
            &mut self.lateness,
            &mut self.setup,
            &mut self.teardown,
        ] {
            histogram.clear();
        }
        self.metrics = Metrics::default();
        self.failures = Failures::default();
    }
}

/// The user's metrics of one test, by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Metrics {
    by_name: BTreeMap<String, Sketch>,
    refused: u64,
}

impl PartialEq for Metrics {
    fn eq(&self, other: &Self) -> bool {
        let figures = |metrics: &Self| -> Vec<_> {
            metrics
                .by_name
                .iter()
                .map(|(name, s)| (name.clone(), s.count(), s.min(), s.max()))
                .collect()
        };
        self.refused == other.refused && figures(self) == figures(other)
    }
}

impl Metrics {
    /// Counts a value. A value that is no finite number, or a name beyond [`MAX_METRICS`], is counted as refused.
    pub fn record(&mut self, name: &str, value: f64) {
        let taken = if let Some(sketch) = self.by_name.get_mut(name) {
            sketch.record(value)
        } else if self.by_name.len() >= MAX_METRICS || !value.is_finite() {
            false
        } else {
            self.by_name.entry(name.to_owned()).or_default().record(value)
        };
        if !taken {
            self.refused += 1;
        }
    }

    /// Counts a value that could not even be read as a number.
    pub fn refuse(&mut self) {
        self.refused += 1;
    }

    /// Adds everything counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.refused += other.refused;
        for (name, theirs) in &other.by_name {
            if let Some(ours) = self.by_name.get_mut(name) {
                ours.merge(theirs);
            } else if self.by_name.len() < MAX_METRICS {
                self.by_name.insert(name.clone(), theirs.clone());
            } else {
                self.refused += theirs.count();
            }
        }
    }

    /// The metrics, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Sketch)> {
        self.by_name.iter().map(|(name, sketch)| (name.as_str(), sketch))
    }

    /// Values that were no finite number or whose name came too late.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn metric_names_are_capped_and_the_rest_is_counted() {
        let mut metrics = Metrics::default();
        for i in 0..MAX_METRICS + 2 {
            metrics.record(&format!("m{i}"), 1.0);
        }
        metrics.record("m0", f64::NAN);
        metrics.refuse();
        assert_eq!((metrics.iter().count(), metrics.refused()), (MAX_METRICS, 4));
    }

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
                    measures.metrics.record(if passed { "a" } else { "b" }, 1.5);
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
        fn a_cleared_measure_is_a_new_one(a in measures()) {
            let mut cleared = a;
            cleared.clear();
            prop_assert_eq!(cleared, Measures::default());
        }
    }
}
