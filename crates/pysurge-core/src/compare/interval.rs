//! How far a difference may be from what was measured.
//!
//! Each measure's deviations in the resamples are told in its standard errors. In each resample the greatest of them over all measures is
//! looked up, and a high percentile of it over the resamples is how many standard errors every interval reaches: the intervals then hold
//! together, and since measures that move together are told by the same resamples, they are no wider than that takes (the max-T method of
//! J. P. Romano and M. Wolf, *Exact and approximate stepdown methods for multiple hypothesis testing*, 2005).
//!
//! A bootstrap knows of no other seconds than those it has, so its intervals are too narrow where they are few. As T. Hesterberg, *What
//! teachers should know about the bootstrap* (2015) has it, standard errors are widened by `sqrt(n / (n - 1))`, and Student's t stands in
//! the normal distribution's place; here by a factor `sqrt(df / chi2(df))` per resample, common to all measures. `n` counts independent
//! observations: the stretches of a lone run, or the runs of a side that has several. What seconds have in common beyond a stretch widens
//! further (`memory`).

use super::CONFIDENCE;
use super::column::Column;
use super::resample::{Layout, Weights};
use rand_distr::{ChiSquared, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Resamples in which a measure has no value, as a share: more, and it is told too seldom to be compared.
const MAX_WITHOUT: f64 = 0.02;

/// The flat top of the window that looks for longer memory is this part of the run, at most: beyond, there is little to see it by.
const FLAT_TOPS: usize = 6;

/// A variance is made larger by at most this factor: what would call for more is a trend, and no more to be told from the run.
const MAX_MEMORY: f64 = 8.0;

/// The percentile of the greatest deviations that gives 95 % where both sides have a lone run: stretches tell a little too little of how runs deviate,
/// and at the nominal 0.95 up to 7 of 100 pairs of equal runs gave an alarm (the study in docs/how-to/compare-runs.md).
const OF_STRETCHES: f64 = 0.98;

/// No interval reaches less far than that of a single measure whose distribution is normal.
const LEAST_CRITICAL: f64 = 1.96;

/// The measures that are compared at once.
#[derive(Debug)]
pub(super) struct Family {
    /// Per side: by what its deviations are too small.
    narrow: [f64; 2],
    /// Per side: whether it has only one run.
    lone: [bool; 2],
    /// The percentile of the greatest deviations that is taken.
    share: f64,
    /// Per resample: the greatest deviation of any measure, in standard errors.
    greatest: Vec<f64>,
    /// Per resample: what makes a normal deviation one of Student's t.
    tails: Vec<f64>,
}

/// How a difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// As the logarithm of a ratio: what is never 0 and varies in proportion to its size.
    Ratio,
    /// As it is.
    Plain,
}

impl Scale {
    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Ratio => value.ln(),
            Self::Plain => value,
        }
    }
}

impl Family {
    pub(super) fn new(sides: [&Layout; 2], resamples: usize, mut random: Xoshiro256PlusPlus) -> Self {
        let independent = sides.map(Layout::independent);
        let several = sides.map(|side| side.runs.len() > 1);
        // Where only one side has several runs, it is the one of which little is known.
        let counted = independent
            .iter()
            .zip(several)
            .filter(|(_, is_several)| *is_several || several[0] == several[1]);
        let freedom = counted.map(|(n, _)| n - 1.0).sum::<f64>().max(1.0);
        let chi = ChiSquared::new(freedom).expect("there is at least one degree of freedom");
        Self {
            share: if several.contains(&true) {
                CONFIDENCE
            } else {
                OF_STRETCHES
            },
            lone: sides.map(|side| side.runs.len() == 1),
            narrow: independent.map(|n| (n / (n - 1.0).max(0.5)).sqrt()),
            greatest: vec![0.0; resamples],
            tails: (0..resamples)
                .map(|_| (freedom / chi.sample(&mut random)).sqrt())
                .collect(),
        }
    }

    /// Takes a measure in: its standard error; `None` where it has no value in too many resamples. No side's
    /// standard error is taken as less than its floor, which is on the scale's terms.
    #[expect(clippy::cast_precision_loss, reason = "some thousand resamples")]
    pub(super) fn add(
        &mut self,
        columns: [&Column; 2],
        drawn: &[Weights; 2],
        scale: Scale,
        floors: [f64; 2],
    ) -> Option<f64> {
        let (mut error_squared, mut true_squared) = (0.0, 0.0);
        let mut sides = Vec::with_capacity(2);
        for side in 0..2 {
            let values: Vec<Option<f64>> = drawn[side]
                .iter()
                .map(|times| columns[side].at(times).map(|value| scale.of(value)))
                .collect();
            let known: Vec<f64> = values
                .iter()
                .flatten()
                .copied()
                .filter(|value| value.is_finite())
                .collect();
            if (known.len() as f64) < values.len() as f64 * (1.0 - MAX_WITHOUT) || known.is_empty() {
                return None;
            }
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let variance = known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / known.len() as f64;
            let error = (variance.sqrt() * self.narrow[side]).max(floors[side]);
            error_squared += error.powi(2);
            let longer = if self.lone[side] {
                memory(&columns[side].pulls())
            } else {
                1.0
            };
            true_squared += error.powi(2) * longer;
            let deviations = values.into_iter().map(move |value| match value {
                Some(value) if value.is_finite() => value - mean,
                _ => 0.0,
            });
            sides.push(deviations);
        }
        let error = error_squared.sqrt();
        let (Some(new), Some(base)) = (sides.pop(), sides.pop()) else {
            return None;
        };
        if error > 0.0 {
            for ((greatest, base), new) in self.greatest.iter_mut().zip(base).zip(new) {
                let deviation = (new * self.narrow[1] - base * self.narrow[0]).abs() / error;
                *greatest = greatest.max(deviation);
            }
        }
        Some(true_squared.sqrt())
    }

    /// So many standard errors every interval reaches to either side.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among some thousand"
    )]
    pub(super) fn critical(&self) -> f64 {
        let mut greatest: Vec<f64> = self
            .greatest
            .iter()
            .zip(&self.tails)
            .map(|(a, b)| a * b)
            .collect();
        greatest.sort_by(f64::total_cmp);
        let rank = (self.share * greatest.len() as f64).ceil() as usize;
        let found = greatest.get(rank.saturating_sub(1)).copied();
        found.unwrap_or(f64::INFINITY).max(LEAST_CRITICAL)
    }
}

/// By what the variance of a lone run's value is larger than its stretches show: seconds may have something in common for longer.
///
/// Drawing stretches weighs what seconds have in common with Bartlett's window, which makes little of what is half a stretch apart or more. A
/// window with a flat top (D. N. Politis and J. P. Romano, *Bias-corrected nonparametric spectral estimation*, 1995) makes the most of it,
/// but is less sure of itself; so it may only widen.
#[expect(clippy::cast_precision_loss, reason = "some hundred blocks")]
fn memory(pulls: &[f64]) -> f64 {
    let blocks = pulls.len();
    let stretch = Layout::stretch(blocks);
    let flat_top = (blocks / FLAT_TOPS).min(stretch).max(1);
    let n = blocks as f64;
    let mean = pulls.iter().sum::<f64>() / n;
    let covariance = |lag: usize| -> f64 {
        let pairs = pulls.iter().zip(pulls.iter().skip(lag));
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n
    };
    let (mut flat, mut bartlett) = (covariance(0), covariance(0));
    for lag in 1..(2 * flat_top).max(stretch).min(blocks) {
        let twice = 2.0 * covariance(lag);
        flat += twice * (2.0 - lag as f64 / flat_top as f64).clamp(0.0, 1.0);
        bartlett += twice * (1.0 - lag as f64 / stretch as f64).max(0.0);
    }
    // What taking the mean off has cost: the sum of each window's weights, of the run's length.
    let (flat, bartlett) = (
        flat / (1.0 - 3.0 * flat_top as f64 / n),
        bartlett / (1.0 - stretch as f64 / n),
    );
    if bartlett > 0.0 {
        (flat / bartlett).clamp(1.0, MAX_MEMORY)
    } else {
        1.0
    }
}
