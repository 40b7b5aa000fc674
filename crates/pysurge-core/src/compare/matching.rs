//! Which test of the one side is which of the other: by name, else by label, else by its place where the class is the same.

use super::Source;
use crate::summary::TestSummary;

/// A test that both sides have. Per run of a side: its place in that run's summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What the config calls it, where it does.
    pub name: Option<String>,
    /// Its label in the first run that has it.
    pub label: String,
    /// Its place in each run of the base side.
    pub base: Vec<Option<usize>>,
    /// Its place in each run of the new side.
    pub new: Vec<Option<usize>>,
}

/// The tests of two sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) pairs: Vec<Pair>,
    pub(super) only_in_base: Vec<String>,
    pub(super) only_in_new: Vec<String>,
}

/// Matches the tests of all runs with those of the first run of the base.
pub(super) fn matched(base: &[Source], new: &[Source], only: &[String]) -> Matched {
    let mut tests: Vec<(&TestSummary, Vec<Option<usize>>)> = Vec::new();
    let runs: Vec<&Source> = base.iter().chain(new).collect();
    for (run, source) in runs.iter().enumerate() {
        let places = places(&tests, &source.summary.tests);
        let mut taken = vec![false; source.summary.tests.len()];
        for ((_, of_runs), place) in tests.iter_mut().zip(&places) {
            of_runs.push(*place);
            if let Some(place) = place {
                taken[*place] = true;
            }
        }
        for (place, test) in source
            .summary
            .tests
            .iter()
            .enumerate()
            .filter(|(place, _)| !taken[*place])
        {
            let mut of_runs = vec![None; run];
            of_runs.push(Some(place));
            tests.push((test, of_runs));
        }
    }
    let mut matched = Matched::default();
    let wanted = |test: &TestSummary| {
        only.is_empty()
            || only.contains(&test.label)
            || test.name.as_ref().is_some_and(|name| only.contains(name))
    };
    for (test, of_runs) in tests.into_iter().filter(|(test, _)| wanted(test)) {
        let (in_base, in_new) = of_runs.split_at(base.len());
        let has = |side: &[Option<usize>]| side.iter().any(Option::is_some);
        match (has(in_base), has(in_new)) {
            (true, true) => matched.pairs.push(Pair {
                name: test.name.clone(),
                label: test.label.clone(),
                base: in_base.to_vec(),
                new: in_new.to_vec(),
            }),
            (true, false) => matched.only_in_base.push(title(test).to_owned()),
            _ => matched.only_in_new.push(title(test).to_owned()),
        }
    }
    matched
}

pub(super) fn title(test: &TestSummary) -> &str {
    test.name.as_deref().unwrap_or(&test.label)
}

/// Whether a test at a place is another one at another.
type Rule = fn(usize, &TestSummary, usize, &TestSummary) -> bool;

/// Where each known test is among those of another run.
fn places(known: &[(&TestSummary, Vec<Option<usize>>)], tests: &[TestSummary]) -> Vec<Option<usize>> {
    let mut places = vec![None; known.len()];
    let mut taken = vec![false; tests.len()];
    let rules: [Rule; 3] = [
        |_, ours, _, theirs| ours.name.is_some() && ours.name == theirs.name,
        |_, ours, _, theirs| ours.label == theirs.label,
        |our_place, ours, their_place, theirs| {
            our_place == their_place && ours.test_class == theirs.test_class
        },
    ];
    for rule in rules {
        for (at, (ours, _)) in known.iter().enumerate() {
            if places[at].is_some() {
                continue;
            }
            let found =
                (0..tests.len()).find(|place| !taken[*place] && rule(at, ours, *place, &tests[*place]));
            if let Some(found) = found {
                taken[found] = true;
                places[at] = Some(found);
            }
        }
    }
    places
}
