//! Sketch of a user's metric: any finite float, quantiles within 1 % of the truth, in bounded memory, mergeable.
//!
//! Source: Masson, Rim, Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error guarantees",
//! PVLDB 12 (2019).

use crate::histogram::MAX_COUNT;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use sketches_ddsketch::{Config, DDSketch};

/// Greatest relative error of a quantile.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Buckets a sketch may have: from 1 % wide buckets, a range of 10^17. Beyond it the smallest are merged.
const MAX_BUCKETS: u32 = 2_048;

/// No float has a bucket beyond, in either direction: `ln(f64::MAX)` by the width of a bucket, rounded up.
const MAX_KEY: i32 = 36_000;

/// Magnitudes below this count as zero.
const MIN_MAGNITUDE: f64 = 1e-9;

/// A sketch of float values, with their exact count, sum, minimum and maximum.
#[derive(Clone, Serialize)]
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

    /// Counts one value; returns false, and counts nothing, where it is infinite or not a number, or there are too many already.
    pub fn record(&mut self, value: f64) -> bool {
        if !value.is_finite() || self.count >= MAX_COUNT {
            return false;
        }
        self.buckets.add(value);
        self.count += 1;
        self.sum = finite(self.sum + value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        true
    }

    /// Adds everything another sketch counted; nothing where that would be more than can be counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 || self.count + other.count > MAX_COUNT {
            return;
        }
        self.buckets
            .merge(&other.buckets)
            .expect("all sketches share one configuration");
        self.count += other.count;
        self.sum = finite(self.sum + other.sum);
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
        let value = match share {
            ..=0.0 => self.min,
            1.0.. => self.max,
            _ => self.buckets.quantile(share).ok().flatten()?,
        };
        Some(value.clamp(self.min, self.max))
    }
}

/// A sum beyond what a float holds stays a number, which every format of results can say.
pub(crate) fn finite(sum: f64) -> f64 {
    sum.clamp(f64::MIN, f64::MAX)
}

/// A sketch as it comes over the wire, field by field as [`Sketch`] is written: nothing of it is taken for true.
#[derive(Deserialize)]
struct Told {
    buckets: ToldBuckets,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is not needed stands between what is")]
struct ToldBuckets {
    config: (u32, f64, f64, f64, i32),
    positive: ToldStore,
    negative: ToldStore,
    min: f64,
    max: f64,
    sum: f64,
    zeros: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is not needed stands between what is")]
struct ToldStore {
    bins: Vec<u64>,
    count: u64,
    min_key: i32,
    max_key: i32,
    offset: i32,
    bin_limit: usize,
    is_collapsed: bool,
}

impl ToldStore {
    /// The counters in use, each with its key; `None` where no float has that key.
    fn counters(&self) -> impl Iterator<Item = Option<(i32, u64)>> {
        let counters = (0i32..).zip(&self.bins).filter(|(_, times)| **times > 0);
        counters.map(|(i, times)| {
            let key = self.offset.checked_add(i).filter(|key| key.abs() <= MAX_KEY)?;
            Some((key, *times))
        })
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Told::deserialize(deserializer)?;
        told.sketch()
            .ok_or_else(|| D::Error::custom("no sketch has such figures"))
    }
}

impl Told {
    /// The sketch, made anew of its counters; `None` where there can be none like it.
    fn sketch(&self) -> Option<Sketch> {
        let mut sketch = Sketch::new();
        if self.count == 0 {
            return Some(sketch);
        }
        let figures = [self.sum, self.min, self.max];
        if self.count > MAX_COUNT || !figures.iter().all(|figure| figure.is_finite()) || self.min > self.max {
            return None;
        }
        let buckets = &self.buckets;
        if buckets.positive.bins.len().max(buckets.negative.bins.len()) > MAX_BUCKETS as usize {
            return None;
        }
        let config = Config::new(RELATIVE_ERROR, MAX_BUCKETS, MIN_MAGNITUDE);
        let mut total: u64 = 0;
        let mut add = |value: f64, times: u64| {
            total = total.checked_add(times).filter(|total| *total <= self.count)?;
            sketch.buckets.add_with_count(value, times);
            Some(())
        };
        add(0.0, buckets.zeros)?;
        for (store, sign) in [(&buckets.positive, 1.0), (&buckets.negative, -1.0)] {
            for counter in store.counters() {
                let (key, times) = counter?;
                add(sign * config.value(key).min(f64::MAX), times)?;
            }
        }
        (total == self.count).then_some(Sketch {
            buckets: sketch.buckets,
            count: self.count,
            sum: self.sum,
            min: self.min,
            max: self.max,
        })
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
    fn figures_that_no_sketch_has_are_refused() {
        let bytes = |sketch: &Sketch| postcard::to_allocvec(sketch).unwrap();
        let read = |sketch: &Sketch| postcard::from_bytes::<Sketch>(&bytes(sketch));
        let sound = of(&[-5.0, 0.0, 1e-12, 5.0, f64::MAX, f64::MIN]);
        assert_eq!(bytes(&read(&sound).unwrap()).len(), bytes(&sound).len());
        let wrong = [
            Sketch {
                count: 7,
                ..sound.clone()
            },
            Sketch {
                count: u64::MAX,
                ..sound.clone()
            },
            Sketch {
                min: f64::NAN,
                ..sound.clone()
            },
            Sketch {
                max: f64::NEG_INFINITY,
                ..sound.clone()
            },
            Sketch {
                min: 1.0,
                max: 0.0,
                ..sound.clone()
            },
            Sketch {
                sum: f64::NAN,
                ..sound.clone()
            },
        ];
        for sketch in wrong {
            assert!(read(&sketch).is_err(), "{sketch:?}");
        }
        let nothing = Sketch {
            min: f64::NAN,
            count: 0,
            ..sound
        };
        assert_eq!(read(&nothing).unwrap().max(), None);
    }

    #[test]
    fn sums_stay_numbers() {
        let mut sketch = of(&[f64::MAX, f64::MAX]);
        sketch.merge(&sketch.clone());
        assert_eq!((sketch.sum(), sketch.max()), (f64::MAX, Some(f64::MAX)));
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
