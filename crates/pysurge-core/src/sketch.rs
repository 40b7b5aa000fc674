//! Sketch of a user's metric: any finite float, quantiles within 1 % of the truth, in bounded memory, mergeable.
//!
//! Source: Masson, Rim, Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error guarantees",
//! PVLDB 12 (2019).

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

/// Greatest relative error of a quantile.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Buckets a sketch may have: from 1 % wide buckets, a range of 10^17. Beyond it the smallest are merged.
const MAX_BUCKETS: u32 = 2_048;

/// Magnitudes below this count as zero.
const MIN_MAGNITUDE: f64 = 1e-9;

/// A sketch of float values, with their exact count, sum, minimum and maximum.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sketch {
    buckets: DDSketch,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sketch")
            .field("count", &self.count)
            .field("sum", &self.sum)
            .field("min", &self.min)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

impl Sketch {
    /// An empty sketch.
    pub fn new() -> Self {
        Self {
            buckets: DDSketch::new(Config::new(RELATIVE_ERROR, MAX_BUCKETS, MIN_MAGNITUDE)),
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// Counts one value; returns false, and counts nothing, where it is infinite or not a number.
    pub fn record(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.buckets.add(value);
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        true
    }

    /// Adds everything another sketch counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.buckets
            .merge(&other.buckets)
            .expect("all sketches share one configuration");
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` when empty.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The sum of all values.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The exact least value; `None` when empty.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The exact greatest value; `None` when empty.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// The value at this share (`0.0..=1.0`), within [`RELATIVE_ERROR`], never outside minimum and maximum.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        self.buckets
            .quantile(share)
            .ok()
            .flatten()
            .map(|value| value.clamp(self.min, self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::new();
        for &value in values {
            assert!(sketch.record(value));
        }
        sketch
    }

    #[test]
    fn what_is_no_number_is_not_counted() {
        let mut sketch = Sketch::new();
        assert!(!sketch.record(f64::NAN));
        assert!(!sketch.record(f64::INFINITY));
        assert_eq!(
            (sketch.count(), sketch.mean(), sketch.quantile(0.5)),
            (0, None, None)
        );
    }

    #[test]
    fn any_sign_is_taken() {
        let sketch = of(&[-5.0, 0.0, 5.0]);
        assert_eq!(
            (sketch.mean(), sketch.min(), sketch.max()),
            (Some(0.0), Some(-5.0), Some(5.0))
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_stated_error(mut values in prop::collection::vec(1e-6f64..1e9, 1..200), share in 0.0f64..=1.0) {
            let sketch = of(&values);
            values.sort_unstable_by(f64::total_cmp);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a test's rank")]
            let rank = (share * (values.len() - 1) as f64) as usize;
            let got = sketch.quantile(share).unwrap();
            // The rank itself may be read one off at a boundary; the value must be within the error of a neighbour.
            let near = &values[rank.saturating_sub(1)..(rank + 2).min(values.len())];
            prop_assert!(near.iter().any(|truth| (got - truth).abs() <= truth * RELATIVE_ERROR * 1.0001), "{got} for {near:?}");
        }

        #[test]
        fn merging_is_order_free(a in prop::collection::vec(-1e6f64..1e6, 0..50), b in prop::collection::vec(-1e6f64..1e6, 0..50)) {
            let (mut ab, mut ba) = (of(&a), of(&b));
            ab.merge(&of(&b));
            ba.merge(&of(&a));
            prop_assert_eq!((ab.count(), ab.min(), ab.max(), ab.quantile(0.9)), (ba.count(), ba.min(), ba.max(), ba.quantile(0.9)));
        }

        #[test]
        fn the_wire_loses_nothing(values in prop::collection::vec(-1e6f64..1e6, 0..50)) {
            let sketch = of(&values);
            let back: Sketch = postcard::from_bytes(&postcard::to_allocvec(&sketch).unwrap()).unwrap();
            prop_assert_eq!((sketch.count(), sketch.sum(), sketch.min(), sketch.quantile(0.9)), (back.count(), back.sum(), back.min(), back.quantile(0.9)));
        }
    }
}
