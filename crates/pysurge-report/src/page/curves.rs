//! What is drawn of many durations: their distribution over a percentile axis as `HdrHistogram` draws it
//! (<https://hdrhistogram.github.io/HdrHistogram/plotFiles.html>), and a heat map over time.

use super::rows::brief;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::Block;
use serde::Serialize;

/// Points each time that the share above is halved.
const POINTS_PER_HALVING: i32 = 6;

/// Bins of a heat map, at most.
const MOST_BINS: usize = 64;

/// The least ratio of a bin's end to its start.
const LEAST_RATIO: f64 = 1.02;

/// The share of durations that are no longer than each.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Distribution {
    /// Ascending, from 0 up to where a single iteration is left above.
    shares: Vec<f64>,
    /// Seconds.
    values: Vec<f64>,
}

impl Distribution {
    /// Of all of them together.
    pub(super) fn of(histograms: &[Histogram]) -> Self {
        let all = merged(histograms);
        let mut distribution = Self::default();
        for at in 0.. {
            let above = 0.5_f64.powf(f64::from(at) / f64::from(POINTS_PER_HALVING));
            let Some(ns) = all.quantile_ns(1.0 - above) else {
                break;
            };
            distribution.shares.push(1.0 - above);
            distribution.values.push(seconds(ns));
            if above * to_f64(all.count()) < 1.0 {
                break;
            }
        }
        distribution
    }
}

/// How many iterations took how long, over time.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct HeatMap {
    /// Where the bins end and the next begin, seconds, ascending, each a constant times the one before; one more than there are bins.
    edges: Vec<f64>,
    /// When each column begins, and at last where the last one ends; seconds.
    times: Vec<f64>,
    /// Per column, by turns a bin and how many were counted there.
    columns: Vec<Vec<u64>>,
}

impl HeatMap {
    /// Of the histograms of blocks; `None` where nothing was counted.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a bin is clamped to the few there are"
    )]
    pub(super) fn of(blocks: &[Block], histograms: &[Histogram]) -> Option<Self> {
        let all = merged(histograms);
        let (least, most) = (to_f64(all.min_ns()?.max(1)), to_f64(all.max_ns()?.max(1)));
        let ratio = (most / least).powf(1.0 / MOST_BINS as f64).max(LEAST_RATIO);
        let bins = ((most / least).ln() / ratio.ln()).ceil().max(1.0) as usize;
        let bins = bins.min(MOST_BINS);
        let columns = histograms.iter().map(|histogram| {
            let mut counts = vec![0; bins];
            for (ns, times) in histogram.counted() {
                let bin = ((to_f64(ns) / least).ln() / ratio.ln()).max(0.0) as usize;
                counts[bin.min(bins - 1)] += times;
            }
            let counted = counts.into_iter().zip(0..).filter(|(times, _)| *times > 0);
            counted.flat_map(|(times, bin)| [bin, times]).collect()
        });
        let ends = blocks.last().map(|block| block.to_s);
        Some(Self {
            edges: (0..=bins)
                .map(|bin| brief(least / 1e9 * ratio.powf(bin as f64)))
                .collect(),
            times: blocks.iter().map(|block| block.from_s).chain(ends).collect(),
            columns: columns.collect(),
        })
    }
}

fn merged(histograms: &[Histogram]) -> Histogram {
    let mut all = Histogram::new();
    for histogram in histograms {
        all.merge(histogram);
    }
    all
}

fn seconds(ns: u64) -> f64 {
    brief(to_f64(ns) / 1e9)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "drawn; 53 bits are more than a screen has"
)]
fn to_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations_ms: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        for ms in durations_ms {
            histogram.record(ms * 1_000_000);
        }
        histogram
    }

    fn blocks(count: u32) -> Vec<Block> {
        (0..count)
            .map(|n| Block {
                from_s: f64::from(n),
                to_s: f64::from(n + 1),
                tests: Vec::new(),
            })
            .collect()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are exact")]
    fn a_distribution_goes_up_to_the_greatest() {
        let distribution = Distribution::of(&[of(1..=500), of(501..=1000)]);
        let pairs: Vec<(f64, f64)> = distribution.shares.into_iter().zip(distribution.values).collect();
        assert_eq!(pairs[0].0, 0.0);
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        let median = pairs.iter().find(|(share, _)| *share == 0.5).unwrap();
        assert!((median.1 - 0.5).abs() < 0.001, "{median:?}");
        let last = pairs.last().unwrap();
        assert!(last.0 > 0.999 && last.0 < 1.0 && last.1 == 1.0, "{last:?}");
        assert_eq!(Distribution::of(&[]), Distribution::default());
    }

    #[test]
    fn every_iteration_is_in_one_bin_of_a_heat_map() {
        let heat = HeatMap::of(&blocks(3), &[of([1, 2, 2]), of([]), of([1000, 5])]).unwrap();
        assert_eq!(heat.times, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(heat.edges.len(), MOST_BINS + 1);
        assert!(heat.edges[0] <= 0.001 && *heat.edges.last().unwrap() >= 0.999);
        let counted = |column: &[u64]| column.chunks(2).map(|pair| pair[1]).collect::<Vec<_>>();
        let columns: Vec<Vec<u64>> = heat.columns.iter().map(|column| counted(column)).collect();
        assert_eq!(columns, [vec![1, 2], vec![], vec![1, 1]]);
        assert_eq!(heat.columns[2][2], 63);
        // The edge below holds each.
        let bin = usize::try_from(heat.columns[0][2]).unwrap();
        assert!(
            (heat.edges[bin]..heat.edges[bin + 1]).contains(&0.002),
            "{heat:?}"
        );
    }

    #[test]
    fn durations_that_are_all_alike_are_one_bin() {
        let heat = HeatMap::of(&blocks(1), &[of([7; 9])]).unwrap();
        assert_eq!((heat.edges.len(), heat.columns), (2, vec![vec![0, 9]]));
        assert_eq!(HeatMap::of(&blocks(1), &[of([])]), None);
    }
}
