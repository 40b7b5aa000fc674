//! Histogram of durations: HDR with three significant digits, so every quantile is within 0.1 % of the truth,
//! in constant memory. Merging loses nothing.
//!
//! What is counted stops at [`MAX_COUNT`] and what is summed at 128 bits, so that nothing overflows whatever a worker claims; a histogram on
//! the wire that cannot be one is refused.
//!
//! While it is recorded into, a histogram is *dense*: an array of counters over its whole range, some hundred KiB. One that is kept, as
//! a second's row is, can be made *compact*: only the counters in use, some bytes each. Both are the same histogram to everybody outside.

mod counters;

use counters::Counters;
use hdrhistogram::Histogram as Hdr;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Significant decimal digits a recorded duration keeps.
const DIGITS: u8 = 3;

/// The longest duration told apart, about 53 days; longer ones count as this one.
const MAX_NS: u64 = (1 << 52) - 1;

/// The most durations of one histogram; further ones are left out of the buckets. 28 years of ten million iterations a second, and what a
/// float counts exactly.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

/// A histogram of durations in nanoseconds, with their exact sum, minimum and maximum.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Buckets,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the counters are.
#[derive(Debug, Clone)]
enum Buckets {
    Dense(Hdr<u64>),
    Compact(Counters),
}

/// A dense histogram that grows to the range it is given.
fn dense() -> Hdr<u64> {
    let mut buckets = Hdr::new(DIGITS).expect("three digits are within HDR's range");
    buckets.auto(true);
    buckets
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        // HDR's own equality tells a grown and cleared histogram from a new one; what was counted decides here.
        (self.sum_ns, self.min_ns, self.max_ns) == (other.sum_ns, other.min_ns, other.max_ns)
            && self.counted() == other.counted()
    }
}

impl Histogram {
    /// An empty histogram; it grows to the range it is given.
    pub fn new() -> Self {
        Self {
            buckets: Buckets::Compact(Counters::default()),
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }

    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    /// Counts one duration `times` over.
    #[inline]
    pub fn record_n(&mut self, ns: u64, times: u64) {
        if times == 0 {
            return;
        }
        let buckets = self.dense();
        let room = MAX_COUNT.saturating_sub(buckets.len());
        record_into(buckets, ns, times.min(room));
        self.sum_ns = self.sum_ns.saturating_add(u128::from(ns) * u128::from(times));
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds everything another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.count() + other.count() > MAX_COUNT {
            self.merge_what_fits(other);
            return;
        }
        match (&mut self.buckets, &other.buckets) {
            (Buckets::Compact(ours), Buckets::Compact(theirs)) => *ours = ours.joined(theirs),
            (_, Buckets::Compact(theirs)) => {
                let dense = self.dense();
                for (ns, times) in theirs.iter() {
                    record_into(dense, ns, times);
                }
            }
            (_, Buckets::Dense(theirs)) => self
                .dense()
                .add(theirs)
                .expect("an auto-resizing histogram takes any other of its precision"),
        }
        self.merge_exact(other);
    }

    #[cold]
    fn merge_what_fits(&mut self, other: &Self) {
        let dense = self.dense();
        for (ns, times) in other.counted() {
            let room = MAX_COUNT.saturating_sub(dense.len());
            record_into(dense, ns, times.min(room));
        }
        self.merge_exact(other);
    }

    fn merge_exact(&mut self, other: &Self) {
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        match &mut self.buckets {
            Buckets::Dense(buckets) => buckets.reset(),
            Buckets::Compact(buckets) => *buckets = Counters::default(),
        }
        (self.sum_ns, self.min_ns, self.max_ns) = (0, u64::MAX, 0);
    }

    /// Keeps only the counters in use: for a histogram that is kept and not recorded into any more.
    pub fn compact(&mut self) {
        if let Buckets::Dense(_) = self.buckets {
            self.buckets = Buckets::Compact(self.counted().into_iter().collect());
        }
    }

    #[inline]
    fn dense(&mut self) -> &mut Hdr<u64> {
        if let Buckets::Compact(_) = self.buckets {
            self.make_dense();
        }
        match &mut self.buckets {
            Buckets::Dense(buckets) => buckets,
            Buckets::Compact(_) => unreachable!("it was made dense above"),
        }
    }

    #[cold]
    fn make_dense(&mut self) {
        if let Buckets::Compact(buckets) = &self.buckets {
            let mut grown = dense();
            for (ns, times) in buckets.iter() {
                record_into(&mut grown, ns, times);
            }
            self.buckets = Buckets::Dense(grown);
        }
    }

    /// The counters in use, ascending, each with the highest duration that it counts, nanoseconds.
    pub fn counted(&self) -> Vec<(u64, u64)> {
        match &self.buckets {
            Buckets::Dense(buckets) => buckets
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect(),
            Buckets::Compact(buckets) => buckets.iter().collect(),
        }
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        match &self.buckets {
            Buckets::Dense(buckets) => buckets.len(),
            Buckets::Compact(buckets) => buckets.total(),
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        match &self.buckets {
            Buckets::Dense(buckets) => buckets.is_empty(),
            Buckets::Compact(buckets) => buckets.is_empty(),
        }
    }

    /// The exact sum of all durations, nanoseconds.
    pub fn sum_ns(&self) -> u128 {
        self.sum_ns
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
        let at_rank = match &self.buckets {
            Buckets::Dense(buckets) => buckets.value_at_quantile(share),
            Buckets::Compact(buckets) => buckets.at_rank(rank(share, self.count())),
        };
        (!self.is_empty()).then(|| at_rank.clamp(self.min_ns, self.max_ns))
    }

    /// How many of the counted durations exceed `ns`, by whole buckets.
    pub fn count_above(&self, ns: u64) -> u64 {
        match &self.buckets {
            _ if ns >= MAX_NS => 0,
            Buckets::Dense(buckets) => self.count() - buckets.count_between(0, ns).min(self.count()),
            Buckets::Compact(buckets) => {
                // The bucket that `ns` itself falls into is not above it.
                let bucket_ns = dense_bucket_ns(ns);
                let above = buckets.iter().filter(|(highest_ns, _)| *highest_ns > bucket_ns);
                above.map(|(_, times)| times).sum()
            }
        }
    }
}

/// The standard form, see [`Histogram::to_standard`].
mod standard {
    use super::{Buckets, Histogram, MAX_COUNT, dense, record_into};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

    impl Histogram {
        /// The standard form of `HdrHistogram` (V2, deflated, base64), which its tools in every language read; empty for an empty one.
        pub fn to_standard(&self) -> String {
            let write = |buckets: &hdrhistogram::Histogram<u64>| {
                let mut bytes = Vec::new();
                let written = V2DeflateSerializer::new().serialize(buckets, &mut bytes);
                written.expect("a vector takes what is written, and no counter is near 2^63");
                STANDARD.encode(bytes)
            };
            match &self.buckets {
                _ if self.is_empty() => String::new(),
                Buckets::Dense(buckets) => write(buckets),
                Buckets::Compact(counted) => {
                    let mut buckets = dense();
                    for (ns, times) in counted.iter() {
                        record_into(&mut buckets, ns, times);
                    }
                    write(&buckets)
                }
            }
        }

        /// Reads the standard form; `None` where it is none, or not of three digits. The sum, the least and the greatest duration are not
        /// part of it: they are as exact as the buckets.
        pub fn from_standard(text: &str) -> Option<Self> {
            if text.is_empty() {
                return Some(Self::new());
            }
            let bytes = STANDARD.decode(text).ok()?;
            let read: hdrhistogram::Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
            let mut histogram = Self::new();
            if read.len() > MAX_COUNT {
                return None;
            }
            for bucket in read.iter_recorded() {
                let middle = read.median_equivalent(bucket.value_iterated_to());
                histogram.record_n(middle, bucket.count_at_value());
            }
            Some(histogram)
        }
    }
}

#[inline]
fn record_into(buckets: &mut Hdr<u64>, ns: u64, times: u64) {
    // HDR would take it for the greatest or least value though nothing was counted.
    if times == 0 {
        return;
    }
    buckets
        .record_n(ns.min(MAX_NS), times)
        .expect("an auto-resizing histogram takes any value up to MAX_NS");
}

/// The highest duration of the bucket that a duration falls into.
fn dense_bucket_ns(ns: u64) -> u64 {
    dense().highest_equivalent(ns)
}

/// How many durations, in order, a quantile covers: at least one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is as exact as the share that asks for it; HDR computes it the same way"
)]
pub(crate) fn rank(share: f64, count: u64) -> u64 {
    ((share.min(1.0) * count as f64).ceil() as u64).max(1)
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
        let steps = |(value, count)| {
            let step = value - last;
            last = value;
            (step, count)
        };
        Sparse {
            sum_ns: self.sum_ns,
            min_ns: self.min_ns,
            max_ns: self.max_ns,
            buckets: self.counted().into_iter().map(steps).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sparse = Sparse::deserialize(deserializer)?;
        let grid = dense();
        let (mut value, mut total): (u64, u64) = (0, 0);
        let mut buckets: Vec<(u64, u64)> = Vec::with_capacity(sparse.buckets.len());
        for (step, count) in sparse.buckets {
            value = value.saturating_add(step);
            total = total.saturating_add(count);
            // Whatever was sent, a counter stands where a histogram of ours has one.
            let highest_ns = grid.highest_equivalent(value.min(MAX_NS));
            match buckets.last_mut() {
                _ if count == 0 => {}
                Some(last) if last.0 == highest_ns => last.1 = last.1.saturating_add(count),
                _ => buckets.push((highest_ns, count)),
            }
        }
        if total == 0 {
            return Ok(Self::new());
        }
        if total > MAX_COUNT || sparse.min_ns > sparse.max_ns {
            return Err(D::Error::custom("no histogram has such figures"));
        }
        Ok(Self {
            buckets: Buckets::Compact(buckets.into_iter().collect()),
            sum_ns: sparse.sum_ns,
            min_ns: sparse.min_ns,
            max_ns: sparse.max_ns,
        })
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
    fn counters_stop_at_their_limit() {
        let mut full = Histogram::new();
        for _ in 0..2 {
            full.record_n(u64::MAX, u64::MAX);
            full.record_n(5, u64::MAX);
        }
        let mut twice = full.clone();
        twice.merge(&full);
        let mut compact = full.clone();
        compact.compact();
        compact.merge(&full);
        compact.merge(&of(&[7]));
        for histogram in [&full, &twice, &compact] {
            assert_eq!(histogram.count(), MAX_COUNT);
            assert_eq!(
                (histogram.min_ns(), histogram.max_ns()),
                (Some(5), Some(u64::MAX))
            );
            assert!(histogram.quantile_ns(0.5).unwrap() > MAX_NS / 2);
            assert!(!histogram.to_standard().is_empty());
        }
        assert_eq!(twice.sum_ns(), u128::MAX);
    }

    #[test]
    fn figures_that_no_histogram_has_are_refused() {
        let read = |min_ns, max_ns, buckets: &[(u64, u64)]| {
            let sparse = Sparse {
                sum_ns: 0,
                min_ns,
                max_ns,
                buckets: buckets.to_vec(),
            };
            postcard::from_bytes::<Histogram>(&postcard::to_allocvec(&sparse).unwrap())
        };
        assert!(read(1, 2, &[(1, 1), (1, 1)]).is_ok());
        assert!(read(2, 1, &[(1, 1), (1, 1)]).is_err());
        assert!(read(1, 2, &[(1, u64::MAX), (1, u64::MAX)]).is_err());
        assert_eq!(read(2, 1, &[]).unwrap(), Histogram::new());
        assert_eq!(read(0, 5, &[(7, 0)]).unwrap(), Histogram::new());
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

        #[test]
        fn the_standard_form_keeps_every_bucket(values in prop::collection::vec(0u64..1 << 50, 0..60)) {
            let histogram = of(&values);
            let mut compact = histogram.clone();
            compact.compact();
            prop_assert_eq!(histogram.to_standard(), compact.to_standard());
            let read = Histogram::from_standard(&histogram.to_standard()).unwrap();
            prop_assert_eq!(read.counted(), histogram.counted());
        }

        #[test]
        fn compact_or_dense_it_is_the_same_histogram(
            a in prop::collection::vec(0u64..1 << 60, 0..60),
            b in prop::collection::vec(0u64..1 << 60, 0..60),
            share in 0.0f64..=1.0,
            bound in 0u64..1 << 60,
        ) {
            let (dense_a, dense_b) = (of(&a), of(&b));
            let (mut compact_a, mut compact_b) = (dense_a.clone(), dense_b.clone());
            compact_a.compact();
            compact_b.compact();
            let mut truth = dense_a.clone();
            truth.merge(&dense_b);
            for (left, right) in [(&compact_a, &compact_b), (&dense_a, &compact_b), (&compact_a, &dense_b)] {
                let mut merged = left.clone();
                merged.merge(right);
                prop_assert_eq!(&merged, &truth);
                prop_assert_eq!(merged.count(), truth.count());
                prop_assert_eq!(merged.quantile_ns(share), truth.quantile_ns(share));
                prop_assert_eq!(merged.count_above(bound), truth.count_above(bound));
                merged.record(bound);
                prop_assert_eq!(merged.count(), truth.count() + 1);
            }
        }
    }
}
