//! What is measured on one side, block by block, so that its value can be told of any resample: ratios of sums, and percentiles.
//!
//! A percentile of a resample is that of the histogram that its blocks make together. The histograms are not merged for it: how often each
//! bucket's bound is not exceeded is kept per block, and a search from the whole side's percentile on finds the bucket.

use crate::histogram::Histogram;
use std::cell::Cell;
use std::rc::Rc;

/// One measure on one side.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// A sum over a sum: a mean, a share, a rate.
    Ratio { parts: Vec<f64>, wholes: Vec<f64> },
    /// A percentile, as a share of 1, in seconds.
    Quantile { of: Rc<Cumulative>, share: f64 },
}

impl Column {
    /// The value over blocks that are there so many times; `None` where nothing was counted in them.
    pub(super) fn at(&self, times: &[u32]) -> Option<f64> {
        match self {
            Self::Ratio { parts, wholes } => {
                let whole = dot(wholes, times);
                (whole > 0.0).then(|| dot(parts, times) / whole)
            }
            Self::Quantile { of, share } => of.quantile_s(*share, times),
        }
    }

    /// How far each block draws the value over all blocks away from what it is; in proportion, no matter of which size.
    pub(super) fn pulls(&self) -> Vec<f64> {
        match self {
            Self::Ratio { parts, wholes } => {
                let value = parts.iter().sum::<f64>() / wholes.iter().sum::<f64>();
                let pull = |(part, whole): (&f64, &f64)| part - value * whole;
                parts.iter().zip(wholes).map(pull).collect()
            }
            Self::Quantile { of, share } => of.pulls(*share),
        }
    }

    /// Blocks in which something was counted.
    pub(super) fn blocks_with_data(&self) -> usize {
        match self {
            Self::Ratio { wholes, .. } => wholes.iter().filter(|whole| **whole > 0.0).count(),
            Self::Quantile { of, .. } => of.totals.iter().filter(|total| **total > 0).count(),
        }
    }
}

fn dot(values: &[f64], times: &[u32]) -> f64 {
    values
        .iter()
        .zip(times)
        .map(|(value, times)| value * f64::from(*times))
        .sum()
}

/// The histograms of one measure in all blocks of a side.
#[derive(Debug)]
pub(super) struct Cumulative {
    /// The bounds of the buckets in use in any block, ascending, nanoseconds.
    bounds_ns: Vec<u64>,
    /// Per bound, per block: how many do not exceed it.
    counts: Vec<u32>,
    /// Per block: how many there are.
    totals: Vec<u32>,
    /// The exact greatest value, where it is known: percentiles do not exceed it.
    max_ns: u64,
    /// Where the last search ended; the next one starts there.
    near: Cell<usize>,
}

impl Cumulative {
    /// Of the histograms of a side's blocks.
    pub(super) fn of<'a>(blocks: impl Iterator<Item = &'a Histogram>, max_ns: Option<u64>) -> Self {
        let counted: Vec<Vec<(u64, u64)>> = blocks.map(Histogram::counted).collect();
        let mut bounds_ns: Vec<u64> = counted.iter().flatten().map(|(ns, _)| *ns).collect();
        bounds_ns.sort_unstable();
        bounds_ns.dedup();
        let blocks = counted.len();
        let mut counts = vec![0; bounds_ns.len() * blocks];
        let mut totals = vec![0u32; blocks];
        for (block, counted) in counted.iter().enumerate() {
            let mut counted = counted.iter().peekable();
            let mut sum = 0u32;
            for (at, bound_ns) in bounds_ns.iter().enumerate() {
                if let Some((_, times)) = counted.next_if(|(ns, _)| ns == bound_ns) {
                    sum = sum.saturating_add(u32::try_from(*times).unwrap_or(u32::MAX));
                }
                counts[at * blocks + block] = sum;
            }
            totals[block] = sum;
        }
        Self {
            near: Cell::new(bounds_ns.len() / 2),
            bounds_ns,
            counts,
            totals,
            max_ns: max_ns.unwrap_or(u64::MAX),
        }
    }

    /// Blocks of the side.
    pub(super) fn blocks(&self) -> usize {
        self.totals.len()
    }

    /// Whether nothing but 0 was counted.
    pub(super) fn is_all_zero(&self) -> bool {
        self.bounds_ns.iter().all(|bound_ns| *bound_ns == 0)
    }

    fn pulls(&self, share: f64) -> Vec<f64> {
        let blocks = self.totals.len();
        let Some(at) = self.bucket(share, &vec![1; blocks]) else {
            return vec![0.0; blocks];
        };
        let below = &self.counts[at * blocks..(at + 1) * blocks];
        let pull = |(below, total): (&u32, &u32)| f64::from(*below) - share * f64::from(*total);
        below.iter().zip(&self.totals).map(pull).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds are floats")]
    fn quantile_s(&self, share: f64, times: &[u32]) -> Option<f64> {
        let bucket = self.bucket(share, times)?;
        Some(self.bounds_ns[bucket].min(self.max_ns) as f64 / 1e9)
    }

    /// In which bucket a percentile is.
    fn bucket(&self, share: f64, times: &[u32]) -> Option<usize> {
        let count = weigh(&self.totals, times);
        if count == 0 {
            return None;
        }
        let rank = crate::histogram::rank(share, count);
        let blocks = self.totals.len();
        let reaches = |at: usize| weigh(&self.counts[at * blocks..(at + 1) * blocks], times) >= rank;
        // The first bound that reaches the rank is above `low` and not above `high`; -1 stands before the first.
        let start = self.near.get();
        let (mut low, mut high, mut step) = (start, start, 1);
        if reaches(start) {
            loop {
                match low.checked_sub(step) {
                    Some(lower) if reaches(lower) => {
                        (low, high, step) = (lower, lower, step * 2);
                    }
                    lower => {
                        low = lower.map_or(0, |lower| lower + 1);
                        break;
                    }
                }
            }
        } else {
            let last = self.bounds_ns.len() - 1;
            loop {
                high = (low + step).min(last);
                if high == last || reaches(high) {
                    low += 1;
                    break;
                }
                (low, step) = (high, step * 2);
            }
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if reaches(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        self.near.set(high);
        Some(high)
    }
}

fn weigh(counts: &[u32], times: &[u32]) -> u64 {
    counts
        .iter()
        .zip(times)
        .map(|(count, times)| u64::from(*count) * u64::from(*times))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_percentile_of_a_resample_is_that_of_the_merged_histogram(
            blocks in prop::collection::vec((prop::collection::vec(0u64..50_000_000_000, 0..30), 0u32..4), 1..12),
            shares in prop::collection::vec(0.001f64..=1.0, 1..6),
        ) {
            let histograms: Vec<Histogram> = blocks.iter().map(|(values, _)| {
                let mut histogram = Histogram::new();
                for ns in values {
                    histogram.record(*ns);
                }
                histogram
            }).collect();
            let times: Vec<u32> = blocks.iter().map(|(_, times)| *times).collect();
            let mut merged = Histogram::new();
            for (histogram, times) in histograms.iter().zip(&times) {
                for _ in 0..*times {
                    merged.merge(histogram);
                }
            }
            let of = Rc::new(Cumulative::of(histograms.iter(), None));
            for share in shares {
                let found = Column::Quantile { of: Rc::clone(&of), share }.at(&times);
                // The merged one keeps its exact greatest value as well; here the bucket's bound stands for it.
                #[expect(clippy::cast_precision_loss, reason = "a test")]
                let truth = merged.quantile_ns(share).map(|ns| ns as f64 / 1e9);
                match (found, truth) {
                    (Some(found), Some(truth)) => prop_assert!(found >= truth - 1e-12 && found <= truth * 1.001 + 2e-9, "{found} for {truth}"),
                    both => prop_assert_eq!(both, (None, None)),
                }
            }
        }
    }

    #[test]
    fn a_ratio_is_of_sums() {
        let column = Column::Ratio {
            parts: vec![1.0, 0.0, 6.0],
            wholes: vec![10.0, 0.0, 20.0],
        };
        assert_eq!(column.at(&[1, 1, 1]), Some(7.0 / 30.0));
        assert_eq!(column.at(&[2, 0, 0]), Some(0.1));
        assert_eq!(column.at(&[0, 5, 0]), None);
        assert_eq!(column.blocks_with_data(), 2);
    }
}
