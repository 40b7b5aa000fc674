//! Histogram of durations: HDR with three significant digits, so every quantile is within 0.1 % of the truth,
//! in constant memory. Merging loses nothing.

use hdrhistogram::Histogram as Hdr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Significant decimal digits a recorded duration keeps.
const DIGITS: u8 = 3;

/// The longest duration told apart, about 53 days; longer ones count as this one.
const MAX_NS: u64 = (1 << 52) - 1;

/// A histogram of durations in nanoseconds, with their exact sum, minimum and maximum.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Hdr<u64>,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        // HDR's own equality tells a grown and cleared histogram from a new one; what was counted decides here.
        let counted = |histogram: &Self| -> Vec<(u64, u64)> {
            let recorded = histogram.buckets.iter_recorded();
            recorded
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect()
        };
        (self.sum_ns, self.min_ns, self.max_ns) == (other.sum_ns, other.min_ns, other.max_ns)
            && counted(self) == counted(other)
    }
}

impl Histogram {
    /// An empty histogram; it grows to the range it is given.
    pub fn new() -> Self {
        let buckets = Hdr::new(DIGITS).expect("three digits are within HDR's range");
        let mut histogram = Self {
            buckets,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        };
        histogram.buckets.auto(true);
        histogram
    }

    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    /// Counts one duration `times` over.
    #[inline]
    pub fn record_n(&mut self, ns: u64, times: u64) {
        self.buckets
            .record_n(ns.min(MAX_NS), times)
            .expect("an auto-resizing histogram takes any value up to MAX_NS");
        self.sum_ns += u128::from(ns) * u128::from(times);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds everything another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.buckets
            .add(&other.buckets)
            .expect("an auto-resizing histogram takes any other of its precision");
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.buckets.reset();
        (self.sum_ns, self.min_ns, self.max_ns) = (0, u64::MAX, 0);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The exact mean in nanoseconds; `None` when empty.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn mean_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum_ns as f64 / self.count() as f64)
    }

    /// The exact least duration; `None` when empty.
    pub fn min_ns(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.min_ns)
    }

    /// The exact greatest duration; `None` when empty.
    pub fn max_ns(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.max_ns)
    }

    /// The least duration that at least this share (`0.0..=1.0`) of the counted ones do not exceed, within 0.1 %, never
    /// below the minimum nor above the maximum; `None` when empty.
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        (!self.is_empty()).then(|| {
            self.buckets
                .value_at_quantile(share)
                .clamp(self.min_ns, self.max_ns)
        })
    }

    /// How many of the counted durations exceed `ns`, by whole buckets.
    pub fn count_above(&self, ns: u64) -> u64 {
        if ns >= MAX_NS {
            0
        } else {
            self.count() - self.buckets.count_between(0, ns).min(self.count())
        }
    }
}

/// The form on the wire: only the buckets in use, as (steps in value, count).
#[derive(Serialize, Deserialize)]
struct Sparse {
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
    buckets: Vec<(u64, u64)>,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let buckets = self
            .buckets
            .iter_recorded()
            .map(|bucket| {
                let value = bucket.value_iterated_to();
                let step = value - last;
                last = value;
                (step, bucket.count_at_value())
            })
            .collect();
        Sparse {
            sum_ns: self.sum_ns,
            min_ns: self.min_ns,
            max_ns: self.max_ns,
            buckets,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sparse = Sparse::deserialize(deserializer)?;
        let mut histogram = Self::new();
        let mut value: u64 = 0;
        for (step, count) in sparse.buckets {
            value = value.saturating_add(step);
            histogram.record_n(value, count);
        }
        (histogram.sum_ns, histogram.min_ns, histogram.max_ns) =
            (sparse.sum_ns, sparse.min_ns, sparse.max_ns);
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        for &ns in values {
            histogram.record(ns);
        }
        histogram
    }

    #[test]
    fn an_empty_histogram_has_no_figures() {
        let empty = Histogram::new();
        assert_eq!(
            (
                empty.mean_ns(),
                empty.min_ns(),
                empty.max_ns(),
                empty.quantile_ns(0.5)
            ),
            (None, None, None, None)
        );
    }

    #[test]
    fn quantiles_stay_between_min_and_max() {
        let one = of(&[1_234_567_891]);
        for share in [0.0, 0.5, 0.999, 1.0] {
            assert_eq!(one.quantile_ns(share), Some(1_234_567_891));
        }
    }

    #[test]
    fn counting_above_a_bound() {
        let histogram = of(&[1, 10, 100, 1_000]);
        assert_eq!(histogram.count_above(10), 2);
        assert_eq!(histogram.count_above(0), 4);
        assert_eq!(histogram.count_above(u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_thousandth(mut values in prop::collection::vec(0u64..1_000_000_000_000, 1..200), share in 0.0f64..=1.0) {
            let histogram = of(&values);
            values.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a test's rank")]
            let rank = ((share * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let (truth, got) = (values[rank - 1], histogram.quantile_ns(share).unwrap());
            prop_assert!(truth.abs_diff(got) <= truth / 1_000 + 1, "{got} for {truth}");
        }

        #[test]
        fn merging_is_recording_together(a in prop::collection::vec(0u64..1 << 60, 0..50), b in prop::collection::vec(0u64..1 << 60, 0..50)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(&merged, &of(&[a.as_slice(), b.as_slice()].concat()));
            let mut other_way = of(&b);
            other_way.merge(&of(&a));
            prop_assert_eq!(merged, other_way);
        }

        #[test]
        fn the_wire_loses_nothing(values in prop::collection::vec(0u64..1 << 60, 0..100)) {
            let histogram = of(&values);
            let bytes = postcard::to_allocvec(&histogram).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Histogram>(&bytes).unwrap(), histogram);
        }
    }
}
