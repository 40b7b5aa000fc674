//! The load of an entry that stands for several tests of pytest, shared among them.
//!
//! Users, iterations and threads are shared by weight, in whole numbers: what each gets below its due is made up for those who lost most, so
//! that the shares sum to the whole exactly. Rates are shared by weight and rounded down to a billionth. What cannot be shared (a shape, a recording, a user in two) is an error that says
//! what to do. Nothing here collects tests or knows why they are skipped.

use super::{ArrivalProcess, LatePolicy, Model, OpenModel, Reuse, Source, Stage, Target, TestPlan};
use crate::rate::Rate;
use crate::wire::CollectedItem;

/// Why an entry's load cannot be shared among its tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Fewer users than tests, or weights so different that one test gets none.
    #[error("`users: {users}` cannot be shared among {tests} tests: `{without}` would get none")]
    Users {
        /// The users of the entry.
        users: u32,
        /// The tests that share them.
        tests: usize,
        /// The first test that would get none.
        without: String,
    },
    /// The same of iterations.
    #[error("`iterations: {iterations}` cannot be shared among {tests} tests: `{without}` would get none")]
    Iterations {
        /// The iterations of the entry.
        iterations: u64,
        /// The tests that share them.
        tests: usize,
        /// The first test that would get none.
        without: String,
    },
    /// A rate below what can be counted.
    #[error("the rate is too low to be shared among {tests} tests: `{without}` would get none")]
    Rate {
        /// The tests that share it.
        tests: usize,
        /// The first test that would get none.
        without: String,
    },
    /// A load that is one whole: a shape or a recording.
    #[error("a `{key}` cannot be shared among {tests} tests")]
    Whole {
        /// The key of the config.
        key: &'static str,
        /// The tests that share it.
        tests: usize,
    },
    /// Each test would hand out each row.
    #[error("rows that are handed out once cannot be shared among {tests} tests")]
    RowsOnce {
        /// The tests that share them.
        tests: usize,
    },
}

impl ShareError {
    /// The key of the config that it is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Users { .. } => "users",
            Self::Iterations { .. } => "iterations",
            Self::Rate { .. } => "rate",
            Self::Whole { key, .. } => key,
            Self::RowsOnce { .. } => "data",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Users { tests, .. } => format!(
                "give at least {tests} users, run fewer of the tests (`k`, `m`), or give their marks more equal weights"
            ),
            Self::Iterations { tests, .. } => format!(
                "give at least {tests} iterations, run fewer of the tests (`k`, `m`), or give their marks more equal weights"
            ),
            Self::Rate { .. } => "give a higher rate, or run fewer of the tests (`k`, `m`)".to_owned(),
            Self::Whole { .. } => {
                "name one test (`file.py::test_name`), or give a `rate`, `stages` or `users`".to_owned()
            }
            Self::RowsOnce { .. } => {
                "each test takes the rows from the first one on, so every row would be handed out by each \
                                      of them; name one test, or take `reuse: cycle`"
                    .to_owned()
            }
        }
    }
}

/// The tests that an entry stands for, in the order in which they were collected, without those that are skipped.
///
/// An item with a rate of its own has that rate; the others share the load of the entry by weight. Iterations and threads are shared among
/// all of them.
///
/// # Panics
/// Where the entry is no test of pytest: a bug of the caller.
pub fn shared(entry: &TestPlan, items: &[CollectedItem]) -> Result<Vec<TestPlan>, ShareError> {
    let Target::Pytest(asked) = &entry.target else {
        panic!("only tests of pytest are collected");
    };
    let items: Vec<&CollectedItem> = items.iter().filter(|item| item.skipped.is_none()).collect();
    let data = entry.data.as_ref();
    if items.len() > 1 && data.is_some_and(|data| data.reuse == Reuse::Once) {
        return Err(ShareError::RowsOnce { tests: items.len() });
    }
    let weights: Vec<u64> = items.iter().map(|item| weight(item.weight)).collect();
    let sharing: Vec<usize> = (0..items.len()).filter(|at| items[*at].rate.is_none()).collect();
    let mut models = shared_models(entry, &items, &sharing)?.into_iter();
    let iterations = entry.iterations.map(|whole| apportioned(whole, &weights));
    let threads = entry
        .max_threads
        .map(|whole| apportioned(u64::from(whole), &weights));
    if let (Some(whole), Some(shares)) = (entry.iterations, &iterations)
        && let Some(without) = shares.iter().position(|share| *share == 0)
    {
        return Err(ShareError::Iterations {
            iterations: whole,
            tests: items.len(),
            without: items[without].item.id.clone(),
        });
    }
    let tests = items.iter().enumerate().map(|(at, item)| {
        let mut test = entry.clone();
        let mut pytest = asked.clone();
        pytest.item = Some(item.item.clone());
        test.target = Target::Pytest(pytest);
        test.model = match item.rate {
            Some(rate) => of_its_own(&entry.model, rate),
            None => models
                .next()
                .expect("there is a model for each that has no rate of its own"),
        };
        reseed(&mut test, at);
        if items.len() > 1 {
            test.name = None;
        }
        test.iterations = iterations.as_ref().map(|shares| shares[at]);
        test.max_threads = threads.as_ref().map(|shares| small(shares[at]).max(1));
        test
    });
    Ok(tests.collect())
}

/// The models of those items that share the load of the entry.
fn shared_models(
    entry: &TestPlan,
    items: &[&CollectedItem],
    sharing: &[usize],
) -> Result<Vec<Model>, ShareError> {
    let tests = sharing.len();
    if tests <= 1 {
        return Ok(vec![entry.model.clone(); tests]);
    }
    let weights: Vec<u64> = sharing.iter().map(|at| weight(items[*at].weight)).collect();
    let id = |share: usize| items[sharing[share]].item.id.clone();
    match &entry.model {
        Model::Closed(closed) => {
            let users = apportioned(u64::from(closed.users), &weights);
            if let Some(without) = users.iter().position(|users| *users == 0) {
                return Err(ShareError::Users {
                    users: closed.users,
                    tests,
                    without: id(without),
                });
            }
            let model = |users| {
                let mut closed = closed.clone();
                closed.users = small(users);
                Model::Closed(closed)
            };
            Ok(users.into_iter().map(model).collect())
        }
        Model::Open(open) => {
            let sources = match &open.source {
                Source::Rate(rate) => shared_rates(*rate, &weights)
                    .into_iter()
                    .map(Source::Rate)
                    .collect(),
                Source::Stages { start_rate, stages } => shared_stages(*start_rate, stages, &weights),
                Source::Shape(_) => return Err(ShareError::Whole { key: "shape", tests }),
                Source::Replay(_) => return Err(ShareError::Whole { key: "replay", tests }),
            };
            if let Some(without) = sources.iter().position(has_no_rate) {
                return Err(ShareError::Rate {
                    tests,
                    without: id(without),
                });
            }
            let model = |source| {
                Model::Open(OpenModel {
                    source,
                    ..open.clone()
                })
            };
            Ok(sources.into_iter().map(model).collect())
        }
    }
}

fn shared_stages(start_rate: Rate, stages: &[Stage], weights: &[u64]) -> Vec<Source> {
    let starts = shared_rates(start_rate, weights);
    let ends: Vec<Vec<Rate>> = stages
        .iter()
        .map(|stage| shared_rates(stage.rate, weights))
        .collect();
    let of_one = |at: usize| Source::Stages {
        start_rate: starts[at],
        stages: stages
            .iter()
            .zip(&ends)
            .map(|(stage, rates)| Stage {
                rate: rates[at],
                ..*stage
            })
            .collect(),
    };
    (0..weights.len()).map(of_one).collect()
}

/// Whether nothing would ever be planned.
fn has_no_rate(source: &Source) -> bool {
    match source {
        Source::Rate(rate) => *rate == Rate::ZERO,
        Source::Stages { start_rate, stages } => {
            let falls = *start_rate != Rate::ZERO && stages.first().is_some_and(|stage| !stage.jump);
            !falls && stages.iter().all(|stage| stage.rate == Rate::ZERO)
        }
        Source::Shape(_) | Source::Replay(_) => false,
    }
}

/// Each rounded down: the first arrival stands at 0, so that a third of 20/s plans exactly 20 in three seconds, and would plan 21 rounded up.
/// What is missing to the whole is less than a billionth per second and test.
fn shared_rates(whole: Rate, weights: &[u64]) -> Vec<Rate> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    let share = |weight: &u64| {
        let nano_per_s = u128::from(whole.nano_per_s()) * u128::from(*weight) / sum.max(1);
        let nano_per_s = u64::try_from(nano_per_s).expect("a share is no more than the whole");
        Rate::from_nano_per_s(nano_per_s).unwrap_or(Rate::ZERO)
    };
    weights.iter().map(share).collect()
}

/// A steady rate that is an item's own, with all else as the entry has it.
fn of_its_own(entry: &Model, rate: Rate) -> Model {
    Model::Open(match entry {
        Model::Open(open) => OpenModel {
            source: Source::Rate(rate),
            process: match open.source {
                // A recording has arrivals of its own; what stands beside it was never asked for.
                Source::Replay(_) => ArrivalProcess::Constant,
                Source::Rate(_) | Source::Stages { .. } | Source::Shape(_) => open.process,
            },
            ..open.clone()
        },
        Model::Closed(closed) => OpenModel {
            source: Source::Rate(rate),
            process: ArrivalProcess::Constant,
            seed: closed.seed,
            late: LatePolicy::Queue,
        },
    })
}

/// Gives a test at a place among those of its entry a seed that no other of them has, and that lies far from those of other entries, which
/// are numbered from the run's on. The first keeps that of the entry.
fn reseed(test: &mut TestPlan, at: usize) {
    /// Steps of the golden ratio of 2^64 never meet before 2^64 of them were made.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let moved = |seed: u64| seed.wrapping_add(STEP.wrapping_mul(at as u64));
    match &mut test.model {
        Model::Open(open) => open.seed = moved(open.seed),
        Model::Closed(closed) => closed.seed = moved(closed.seed),
    }
    if let Some(data) = &mut test.data {
        data.seed = moved(data.seed);
    }
}

/// A weight in billionths, as a rate is; at least one of them.
fn weight(weight: f64) -> u64 {
    /// Far beyond what tells two tests apart, and small enough that a product with a rate fits 128 bits.
    const MAX_WEIGHT: f64 = 1e9;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is no number becomes 0, one beyond the bounds the bound"
    )]
    let billionths = (weight.clamp(0.0, MAX_WEIGHT) * 1e9).round() as u64;
    billionths.max(1)
}

/// Whole shares of a whole by weight, which sum to it: each the integer below its due, and one more for those with the largest remainders,
/// the earlier first among equals.
fn apportioned(whole: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    let sum = sum.max(1);
    let dues: Vec<u128> = weights
        .iter()
        .map(|weight| u128::from(whole) * u128::from(*weight))
        .collect();
    let below = |due: &u128| u64::try_from(due / sum).expect("a share is at most the whole");
    let mut shares: Vec<u64> = dues.iter().map(below).collect();
    let missing = whole - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..dues.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(dues[*at] % sum));
    // Fewer are missing than there are shares: each lost less than one.
    for at in by_remainder
        .into_iter()
        .take(usize::try_from(missing).unwrap_or(usize::MAX))
    {
        shares[at] += 1;
    }
    shares
}

fn small(share: u64) -> u32 {
    u32::try_from(share).expect("a share of 32 bits fits them")
}

#[cfg(test)]
mod tests;
