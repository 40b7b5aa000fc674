//! Do two runs differ? Compares the figures of a base and a new side, each of one run or several, measure by measure.
//!
//! Every difference has a confidence interval, from a circular block bootstrap over the seconds of the runs (`resample`), and the
//! intervals of a comparison hold *together*: the chance that any of them misses its true difference is 5 % (`interval`). So two runs of
//! the same thing seldom show a difference at all, however many measures there are. The method, its sources and what was tried stand in
//! `docs/how-to/compare-runs.md`.
//!
//! Pure and seeded: the same runs and the same seed give the same answer. It never guesses: what is not measured often enough is told as
//! [`Outcome::NotEnoughData`], and runs that should not be compared are told in [`Comparison::notes`].

mod before;
mod column;
mod condition;
mod interval;
mod matching;
mod measures;
mod notes;
mod resample;
mod result;
mod source;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;

pub use before::{FolderName, run_before};
pub use condition::{Condition, UnknownMeasure};
pub use matching::Pair;
pub use result::{
    Comparison, ConditionResult, ConditionState, Interval, MeasureComparison, Method, Note, Outcome, RunRef,
    TestComparison, Unit,
};
pub use source::{Cells, Run, Source, SourceError};

#[cfg(test)]
use crate as ours;
use crate::summary::SCHEMA_VERSION;
use interval::Family;
use measures::Side;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use resample::Weights;

/// The seed where none is given.
pub const DEFAULT_SEED: u64 = 1;

/// Resamples: a high percentile of their greatest deviations, which sets the width of all intervals, moves by some 2 % from seed to seed.
pub const RESAMPLES: usize = 2_000;

/// The confidence that all intervals of a comparison together have.
pub const CONFIDENCE: f64 = 0.95;

/// How to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What the resamples are drawn from.
    pub seed: u64,
    /// How many there are.
    pub resamples: usize,
    /// Only the tests with these names or labels; all where it is empty.
    pub only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED,
            resamples: RESAMPLES,
            only: Vec::new(),
        }
    }
}

/// The tests that both sides have, in the order in which [`compare`] has them.
pub fn pairs(base: &[Source], new: &[Source], options: &Options) -> Vec<Pair> {
    matching::matched(base, new, &options.only).pairs
}

/// Compares two sides, each of at least one run.
pub fn compare(base: &[Source], new: &[Source], options: &Options) -> Comparison {
    let matched = matching::matched(base, new, &options.only);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let [base_layout, new_layout] = [base, new].map(source::layout);
    let mut draw = |layout: &resample::Layout| -> Weights {
        let drawn = layout.draw(options.resamples, &mut random);
        // Whatever this side took, the next one does not meet it again.
        random.jump();
        drawn
    };
    let drawn = [draw(&base_layout), draw(&new_layout)];
    let mut family = Family::new([&base_layout, &new_layout], options.resamples, random);
    let compared: Vec<(&Pair, Vec<measures::Compared>)> = matched
        .pairs
        .iter()
        .map(|pair| {
            let sides =
                [(base, &pair.base), (new, &pair.new)].map(|(sources, places)| Side::of(sources, places));
            (pair, measures::compare(&sides, &drawn, &mut family))
        })
        .collect();
    let critical = family.critical();
    let tests = compared.into_iter().map(|(pair, measures)| TestComparison {
        name: pair.name.clone(),
        label: pair.label.clone(),
        measures: measures
            .into_iter()
            .map(|measure| measure.judged(critical))
            .collect(),
    });
    Comparison {
        schema_version: SCHEMA_VERSION,
        pysurge_version: crate::VERSION.to_owned(),
        base: base.iter().map(RunRef::of).collect(),
        new: new.iter().map(RunRef::of).collect(),
        notes: notes::notes(base, new, &matched),
        method: Method {
            confidence: CONFIDENCE,
            resamples: options.resamples,
            seed: options.seed,
            base_blocks: base_layout.blocks(),
            new_blocks: new_layout.blocks(),
            base_stretch_s: base_layout.stretch_s(),
            new_stretch_s: new_layout.stretch_s(),
            critical,
        },
        tests: tests.collect(),
        only_in_base: matched.only_in_base,
        only_in_new: matched.only_in_new,
        conditions: Vec::new(),
    }
}
