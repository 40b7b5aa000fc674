//! How much of something was used, at its most, over a while. Pure.
//!
//! A run that is saturated for a minute of its hour is saturated all the same, and its mean would hide it; the greatest single second says
//! nothing, for a garbage collection fills one. Hence [`Peak`]: the greatest mean over any [`WINDOW_NS`], or over all there is where that is
//! shorter.

use pysurge_core::NANOS_PER_SEC;
use std::collections::VecDeque;

/// Over so long a time a mean is taken: several snapshots, and not longer than a stage of a load is.
pub(crate) const WINDOW_NS: u64 = 5 * NANOS_PER_SEC;

/// Snapshots are taken up to so much off the second.
const SLACK_NS: u64 = NANOS_PER_SEC / 10;

/// Less than this tells nothing: a second, as far as snapshots hit it.
const LEAST_NS: u64 = NANOS_PER_SEC - SLACK_NS;

/// Samples that come faster than this are not kept, so that the memory is bounded whoever sends them.
const APART_NS: u64 = NANOS_PER_SEC / 5;

/// What was read at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at_ns: u64,
    used: u64,
    of: u64,
}

impl Sample {
    /// What was used since, of what there was.
    #[expect(clippy::cast_precision_loss, reason = "a share is a float")]
    fn share_since(self, before: Self) -> Option<f64> {
        let of = self.of.checked_sub(before.of).filter(|&of| of > 0)?;
        Some(self.used.saturating_sub(before.used) as f64 / of as f64)
    }
}

/// The greatest share of something that was used over a while.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peak {
    /// Those of the last window, and the one at its beginning.
    samples: VecDeque<Sample>,
    /// Over whole windows.
    most: Option<f64>,
}

impl Peak {
    /// Takes what was read at an instant: what was used until then, of what there was until then; both only grow.
    pub(crate) fn note(&mut self, at_ns: u64, used: u64, of: u64) {
        if let Some(last) = self.samples.back()
            && at_ns < last.at_ns.saturating_add(APART_NS)
        {
            return;
        }
        let now = Sample { at_ns, used, of };
        self.samples.push_back(now);
        let is_window = |sample: &Sample| at_ns - sample.at_ns >= WINDOW_NS - SLACK_NS;
        // The shortest window that is one.
        while self.samples.get(1).is_some_and(is_window) {
            self.samples.pop_front();
        }
        if let Some(before) = self.samples.front().copied().filter(is_window) {
            let share = now.share_since(before);
            self.most = share.into_iter().chain(self.most).reduce(f64::max);
        }
    }

    /// The share; `None` where less than about a second was seen.
    pub(crate) fn share(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let of_all = || {
            let long_enough = last.at_ns - first.at_ns >= LEAST_NS;
            long_enough.then(|| last.share_since(*first)).flatten()
        };
        self.most.or_else(of_all)
    }
}

/// The rise of a figure that only grows, over a time that is told by the way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rise {
    base: Option<u64>,
    last: u64,
}

impl Rise {
    /// Of a figure that was 0 before the time began.
    pub(crate) fn from_zero() -> Self {
        Self {
            base: Some(0),
            last: 0,
        }
    }

    /// What stood before the time began.
    pub(crate) fn base(&mut self, value: u64) {
        self.base = Some(value);
        self.last = value;
    }

    /// What stands within it; the first one is the base where none was given.
    pub(crate) fn note(&mut self, value: u64) {
        self.base.get_or_insert(value);
        self.last = self.last.max(value);
    }

    /// By how much it grew; `None` where nothing was told.
    pub(crate) fn rise(&self) -> Option<u64> {
        self.base.map(|base| self.last.saturating_sub(base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = NANOS_PER_SEC;

    /// The share where every second, from the instant `first_ns` on, so many percent were used.
    fn peak_of(percents: &[u64]) -> Option<f64> {
        let mut peak = Peak::default();
        let (mut at_ns, mut used) = (S + 7, 300 * S);
        peak.note(at_ns, used, at_ns);
        for percent in percents {
            at_ns += S;
            used += percent * S / 100;
            peak.note(at_ns, used, at_ns);
        }
        peak.share()
    }

    #[test]
    fn the_busiest_five_seconds_count() {
        for (percents, expected) in [
            (vec![], None),
            (vec![50], Some(0.5)),
            (vec![100, 0, 50], Some(0.5)),
            (vec![100, 0, 0, 0], Some(0.25)),
            (vec![100, 0, 0, 0, 0], Some(0.2)),
            // What was used before the first reading is in nothing.
            (vec![0; 9], Some(0.0)),
            (vec![0, 0, 0, 90, 100, 100, 100, 100, 0, 0], Some(0.98)),
            (vec![100, 0, 0, 0, 0, 100, 0, 0, 0, 0], Some(0.2)),
        ] {
            let got = peak_of(&percents);
            let near = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() < 1e-9,
                (got, expected) => got == expected,
            };
            assert!(near, "{percents:?}: {got:?} is not {expected:?}");
        }
    }

    #[test]
    fn whoever_tells_too_often_fills_no_memory() {
        let mut peak = Peak::default();
        for n in 0..100_000u64 {
            let at_ns = n * S / 1_000;
            peak.note(at_ns, at_ns / 2, at_ns);
            assert!(peak.samples.len() <= 27, "{}", peak.samples.len());
        }
        assert!((peak.share().unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_rise_is_counted_from_what_stood_before() {
        let mut rise = Rise::default();
        assert_eq!(rise.rise(), None);
        rise.note(5);
        assert_eq!(rise.rise(), Some(0));
        rise.note(9);
        assert_eq!(rise.rise(), Some(4));
        rise.base(20);
        rise.note(21);
        assert_eq!(rise.rise(), Some(1));
    }

    proptest! {
        #[test]
        fn a_share_is_one_that_was_used(percents in prop::collection::vec(0u64..=100, 0..40)) {
            if let Some(share) = peak_of(&percents) {
                let most = percents.iter().copied().max().unwrap_or(0);
                #[expect(clippy::cast_precision_loss, reason = "a test's share")]
                let most = most as f64 / 100.0;
                prop_assert!((0.0..=most + 1e-9).contains(&share), "{share} of {percents:?}");
            }
        }
    }
}
