//! Durations counted in a fixed set of buckets, the same for every run, so that runs and instances can be added up.

use pysurge_core::histogram::Histogram;

/// The upper ends of the buckets, nanoseconds: from 100 us to 10 s no bucket is wider than half of where it begins, so that a quantile that is
/// drawn from them is within a fifth of the truth; above and below 1, 2, 5.
pub(crate) const BOUNDS: [u64; 39] = {
    const US: u64 = 1_000;
    const MS: u64 = 1_000 * US;
    const S: u64 = 1_000 * MS;
    [
        10 * US,
        20 * US,
        50 * US,
        100 * US,
        150 * US,
        200 * US,
        300 * US,
        500 * US,
        700 * US,
        MS,
        MS + 500 * US,
        2 * MS,
        3 * MS,
        5 * MS,
        7 * MS,
        10 * MS,
        15 * MS,
        20 * MS,
        30 * MS,
        50 * MS,
        70 * MS,
        100 * MS,
        150 * MS,
        200 * MS,
        300 * MS,
        500 * MS,
        700 * MS,
        S,
        S + 500 * MS,
        2 * S,
        3 * S,
        5 * S,
        7 * S,
        10 * S,
        20 * S,
        50 * S,
        100 * S,
        200 * S,
        500 * S,
    ]
};

/// Durations in the buckets, with their exact count, sum, minimum and maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Per bucket, not added up; the last one is of all that is beyond the bounds.
    pub(crate) buckets: [u64; BOUNDS.len() + 1],
    pub(crate) count: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            buckets: [0; BOUNDS.len() + 1],
            count: 0,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }
}

impl Tally {
    /// Adds all that was counted elsewhere. A duration stands in the bucket of its counter there: within 0.1 % of where it belongs.
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        let (Some(min_ns), Some(max_ns)) = (histogram.min_ns(), histogram.max_ns()) else {
            return;
        };
        for (highest_ns, times) in histogram.counted() {
            // So what lies exactly on a bucket's end, which belongs to the bucket, is in it.
            let ns = lowest_ns(highest_ns).clamp(min_ns, max_ns);
            let bucket = BOUNDS.partition_point(|bound| *bound < ns);
            self.buckets[bucket] = self.buckets[bucket].saturating_add(times);
            self.count = self.count.saturating_add(times);
        }
        self.sum_ns = self.sum_ns.saturating_add(histogram.sum_ns());
        self.min_ns = self.min_ns.min(min_ns);
        self.max_ns = self.max_ns.max(max_ns);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn sum_s(&self) -> f64 {
        seconds(self.sum_ns)
    }

    pub(crate) fn min_s(&self) -> f64 {
        seconds(self.min_ns.min(self.max_ns).into())
    }

    pub(crate) fn max_s(&self) -> f64 {
        seconds(self.max_ns.into())
    }
}

/// The least duration that the counter with this greatest one counts: three digits are 2048 counters for the first 2048 ns, and 1024 for every
/// doubling beyond.
fn lowest_ns(highest_ns: u64) -> u64 {
    let doublings = highest_ns.max(1).ilog2().saturating_sub(10);
    highest_ns - ((1 << doublings) - 1)
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
pub(crate) fn seconds(ns: u128) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_rise_and_a_bound_belongs_to_its_bucket() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
        for (at, bound) in BOUNDS.into_iter().enumerate() {
            let mut histogram = Histogram::new();
            for ns in [1, bound, u64::MAX] {
                histogram.record(ns);
            }
            let mut tally = Tally::default();
            tally.add(&histogram);
            let mut buckets = [0; BOUNDS.len() + 1];
            buckets[0] += 1;
            buckets[at] += 1;
            buckets[BOUNDS.len()] += 1;
            assert_eq!((tally.buckets, tally.count), (buckets, 3), "{bound}");
        }
    }

    #[test]
    fn nothing_adds_nothing() {
        let mut tally = Tally::default();
        tally.add(&Histogram::new());
        assert_eq!(tally, Tally::default());
        assert!((tally.min_s(), tally.max_s(), tally.sum_s()) == (0.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn seconds_add_up_to_the_whole(values in prop::collection::vec((0u64..2_000_000_000_000, any::<bool>()), 1..200)) {
            let mut parts = [Histogram::new(), Histogram::new()];
            let mut whole = Histogram::new();
            for (ns, first) in &values {
                parts[usize::from(*first)].record(*ns);
                whole.record(*ns);
            }
            let mut tally = Tally::default();
            parts.iter_mut().for_each(Histogram::compact);
            for part in &parts {
                tally.add(part);
            }
            prop_assert_eq!(tally.count, whole.count());
            prop_assert_eq!(tally.sum_ns, whole.sum_ns());
            prop_assert_eq!((Some(tally.min_ns), Some(tally.max_ns)), (whole.min_ns(), whole.max_ns()));
            // Every bucket holds what belongs there, but for what lies within 0.1 % of its ends.
            let mut upto = 0;
            for (at, bound) in BOUNDS.into_iter().enumerate() {
                upto += tally.buckets[at];
                let near = |ns: u64| values.iter().filter(|(value, _)| *value <= ns).count() as u64;
                prop_assert!((near(bound - bound / 1_000)..=near(bound + bound / 1_000)).contains(&upto), "{} of {}", upto, bound);
            }
        }
    }
}
