//! What the user's code measures of its own: any float, by name.

use super::MAX_NAMES;
use crate::sketch::Sketch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Counts a value. A value that is no finite number, or a name beyond [`MAX_NAMES`], is counted as refused.
    pub fn record(&mut self, name: &str, value: f64) {
        let taken = if let Some(sketch) = self.by_name.get_mut(name) {
            sketch.record(value)
        } else if self.by_name.len() >= MAX_NAMES || !value.is_finite() {
            false
        } else {
            self.by_name.entry(name.to_owned()).or_default().record(value)
        };
        if !taken {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Counts a value that could not even be read as a number.
    pub fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Adds everything counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.refused = self.refused.saturating_add(other.refused);
        for (name, theirs) in &other.by_name {
            if let Some(ours) = self.by_name.get_mut(name) {
                ours.merge(theirs);
            } else if self.by_name.len() < MAX_NAMES {
                self.by_name.insert(name.clone(), theirs.clone());
            } else {
                self.refused = self.refused.saturating_add(theirs.count());
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

    #[test]
    fn names_are_capped_and_the_rest_is_counted() {
        let mut metrics = Metrics::default();
        for i in 0..MAX_NAMES + 2 {
            metrics.record(&format!("m{i}"), 1.0);
        }
        metrics.record("m0", f64::NAN);
        metrics.refuse();
        assert_eq!((metrics.iter().count(), metrics.refused()), (MAX_NAMES, 4));
    }
}
