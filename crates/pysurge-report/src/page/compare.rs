//! The page of a comparison: two sides laid over each other, with what differs marked. The words and figures of its tables are those of the
//! text on a terminal; its charts are made of the blocks that were compared.

use super::curves::Distribution;
use super::rows::brief;
use super::template::fill;
use crate::compare::{change, groups, interval, method, of_condition, of_run, sentence, value};
use pysurge_core::compare::{
    Cells, Comparison, ConditionResult, MeasureComparison, Note, Options, Outcome, Pair, RunRef, Source,
    TestComparison, pairs,
};
use pysurge_core::histogram::Histogram;
use serde::Serialize;

/// The page as `web/` is built.
const TEMPLATE: &str = include_str!(concat!(env!("OUT_DIR"), "/compare.html"));

/// What the page is given. Times are seconds since the start of a run.
#[derive(Debug, Serialize)]
struct ComparePage<'a> {
    title: String,
    sentence: String,
    method: String,
    pysurge_version: &'a str,
    base: Vec<RunFacts<'a>>,
    new: Vec<RunFacts<'a>>,
    notes: &'a [Note],
    conditions: Vec<ConditionWords<'a>>,
    tests: Vec<TestPage<'a>>,
    only_in_base: &'a [String],
    only_in_new: &'a [String],
}

/// A run, in words.
#[derive(Debug, Serialize)]
struct RunFacts<'a> {
    path: String,
    name: &'a str,
    facts: String,
}

#[derive(Debug, Serialize)]
struct ConditionWords<'a> {
    #[serde(flatten)]
    condition: &'a ConditionResult,
    /// The tests and what they have of it.
    said: String,
}

#[derive(Debug, Serialize)]
struct TestPage<'a> {
    title: &'a str,
    rows: Vec<MeasureWords<'a>>,
    base: Curves,
    new: Curves,
}

/// A measure, in the words of the text.
#[derive(Debug, Serialize)]
struct MeasureWords<'a> {
    measure: &'a str,
    base: String,
    new: String,
    change: String,
    interval: String,
    outcome: Outcome,
    words: &'static str,
    why: Option<&'a str>,
}

/// What is drawn of one side of a test.
#[derive(Debug, Serialize)]
struct Curves {
    /// Of all its runs together.
    response_time: Distribution,
    /// Per run that has the test.
    runs: Vec<Course>,
}

/// A run's test over time, in the blocks of its series.
#[derive(Debug, Default, Serialize)]
struct Course {
    from_s: Vec<f64>,
    to_s: Vec<f64>,
    /// Response times, seconds.
    p50: Vec<Option<f64>>,
    p95: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
    /// Iterations that ended, per second.
    rate: Vec<f64>,
    /// Iterations that failed, per second.
    failed: Vec<f64>,
}

/// The page of a comparison, which was made of these two sides with these options.
pub fn compare_html(comparison: &Comparison, base: &[Source], new: &[Source], options: &Options) -> String {
    let pairs = pairs(base, new, options);
    let name = |runs: &[RunRef]| runs.first().map(|run| run.name.clone()).unwrap_or_default();
    let (of_base, of_new) = (name(&comparison.base), name(&comparison.new));
    let title = if of_base == of_new {
        of_new
    } else {
        format!("{of_base} and {of_new}")
    };
    let page = ComparePage {
        title: title.clone(),
        sentence: sentence(comparison),
        method: method(comparison),
        pysurge_version: &comparison.pysurge_version,
        base: comparison.base.iter().map(RunFacts::of).collect(),
        new: comparison.new.iter().map(RunFacts::of).collect(),
        notes: &comparison.notes,
        conditions: comparison.conditions.iter().map(ConditionWords::of).collect(),
        tests: comparison
            .tests
            .iter()
            .zip(&pairs)
            .map(|(test, pair)| TestPage::of(test, pair, base, new))
            .collect(),
        only_in_base: &comparison.only_in_base,
        only_in_new: &comparison.only_in_new,
    };
    fill(TEMPLATE, &title, &page)
}

impl<'a> RunFacts<'a> {
    fn of(run: &'a RunRef) -> Self {
        let (path, facts) = of_run(run);
        Self {
            path,
            name: &run.name,
            facts,
        }
    }
}

impl<'a> ConditionWords<'a> {
    fn of(condition: &'a ConditionResult) -> Self {
        Self {
            condition,
            said: of_condition(condition),
        }
    }
}

impl<'a> TestPage<'a> {
    fn of(test: &'a TestComparison, pair: &Pair, base: &[Source], new: &[Source]) -> Self {
        let measures = groups(test).into_iter().flat_map(|(_, measures)| measures);
        Self {
            title: test.title(),
            rows: measures.map(|(_, measure)| MeasureWords::of(measure)).collect(),
            base: Curves::of(base, &pair.base),
            new: Curves::of(new, &pair.new),
        }
    }
}

impl<'a> MeasureWords<'a> {
    fn of(measure: &'a MeasureComparison) -> Self {
        Self {
            measure: &measure.measure,
            base: value(measure.base, measure.unit),
            new: value(measure.new, measure.unit),
            change: change(measure),
            interval: interval(measure),
            outcome: measure.outcome,
            words: measure.outcome.words(),
            why: measure.why.as_deref(),
        }
    }
}

impl Curves {
    fn of(side: &[Source], places: &[Option<usize>]) -> Self {
        let runs = side.iter().zip(places).filter_map(|(source, place)| {
            let cells = source.run.tests.get((*place)?)?;
            Some((source.run.seconds.as_slice(), cells.as_slice()))
        });
        let runs: Vec<(&[f64], &[Cells])> = runs.collect();
        let response_times: Vec<Histogram> = runs
            .iter()
            .flat_map(|(_, cells)| cells.iter().map(|cell| cell.response_time.clone()))
            .collect();
        Self {
            response_time: Distribution::of(&response_times),
            runs: runs
                .iter()
                .map(|(seconds, cells)| Course::of(seconds, cells))
                .collect(),
        }
    }
}

impl Course {
    fn of(seconds: &[f64], cells: &[Cells]) -> Self {
        let mut course = Self::default();
        let mut now_s = 0.0;
        for (length_s, cell) in seconds.iter().zip(cells) {
            course.from_s.push(brief(now_s));
            now_s += length_s;
            course.to_s.push(brief(now_s));
            let quantile = |share| cell.response_time.quantile_ns(share).map(seconds_of);
            course.p50.push(quantile(0.5));
            course.p95.push(quantile(0.95));
            course.p99.push(quantile(0.99));
            course.rate.push(per_s(cell.passed + cell.failed, *length_s));
            course.failed.push(per_s(cell.failed, *length_s));
        }
        course
    }
}

#[expect(clippy::cast_precision_loss, reason = "drawn")]
fn seconds_of(ns: u64) -> f64 {
    brief(ns as f64 / 1e9)
}

#[expect(clippy::cast_precision_loss, reason = "drawn")]
fn per_s(count: u64, length_s: f64) -> f64 {
    if length_s > 0.0 {
        brief(count as f64 / length_s)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(passed: u64, failed: u64, ms: &[u64]) -> Cells {
        let mut cells = Cells {
            passed,
            failed,
            ..Cells::default()
        };
        for ms in ms {
            cells.response_time.record(ms * 1_000_000);
        }
        cells
    }

    #[test]
    fn blocks_are_told_per_second_and_beside_each_other() {
        let blocks = [cells(9, 1, &[10; 10]), Cells::default(), cells(4, 0, &[20; 4])];
        let course = Course::of(&[1.0, 2.0, 0.5], &blocks);
        assert_eq!(
            (course.from_s, course.to_s),
            (vec![0.0, 1.0, 3.0], vec![1.0, 3.0, 3.5])
        );
        assert_eq!(
            (course.rate, course.failed),
            (vec![10.0, 0.0, 8.0], vec![1.0, 0.0, 0.0])
        );
        // Where nothing ended there is no response time, and not one of 0.
        for percentile in [&course.p50, &course.p95, &course.p99] {
            assert_eq!(percentile[1], None);
            assert!((percentile[0].unwrap() - 0.01).abs() < 1e-4, "{percentile:?}");
            assert!((percentile[2].unwrap() - 0.02).abs() < 1e-4, "{percentile:?}");
        }
    }
}
