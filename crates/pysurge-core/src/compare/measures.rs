//! What is compared of a test, and when there is enough of it.

use super::column::{Column, Cumulative};
use super::interval::{Family, Scale};
use super::resample::Weights;
use super::{Cells, Interval, MeasureComparison, Outcome, Source, Unit};
use crate::histogram::Histogram;
use crate::summary::{Durations, TestSummary};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Blocks with data that a side needs: with fewer, nobody knows how much seconds differ from each other.
const MIN_BLOCKS: usize = 10;

/// Iterations or values that a side needs for a mean or a share: from about 20 on a mean's deviations are nearly normal.
const MIN_COUNT: u64 = 20;

/// Values that must lie beyond a percentile, on both of its ends: with fewer, it is the luck of a few iterations.
const MIN_BEYOND: f64 = 10.0;

/// Half a step of the histograms, as a share of the value: what stands in the same step is the same.
const HALF_STEP: f64 = 0.000_5;

/// Figures of a user's metric that differ by less, as a share, differ by rounding.
const ROUNDING: f64 = 1e-6;

/// The percentiles that are compared of response and service time, with their names.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
];

/// This percentile is left out where there is not enough data: most runs are too short for it.
const OPTIONAL: f64 = 0.999;

/// One test on one side.
pub(super) struct Side<'a> {
    /// Its runs; a run that has not the test is there as well.
    runs: Vec<Part<'a>>,
    nothing: Cells,
}

struct Part<'a> {
    blocks: usize,
    seconds: &'a [f64],
    duration_s: f64,
    test: Option<(&'a TestSummary, &'a [Cells])>,
}

impl<'a> Side<'a> {
    pub(super) fn of(sources: &'a [Source], places: &[Option<usize>]) -> Self {
        let runs = sources.iter().zip(places).map(|(source, place)| Part {
            blocks: source.run.seconds.len(),
            seconds: &source.run.seconds,
            duration_s: source.summary.duration_s,
            test: place.and_then(|place| {
                let cells = source.run.tests.get(place)?;
                Some((source.summary.tests.get(place)?, cells.as_slice()))
            }),
        });
        Self {
            runs: runs.collect(),
            nothing: Cells::default(),
        }
    }

    /// Every block of the side, in its order; an empty one where a run has not the test.
    fn cells(&self) -> impl Iterator<Item = &Cells> {
        self.runs.iter().flat_map(move |run| {
            (0..run.blocks).map(move |at| match run.test {
                Some((_, cells)) => &cells[at],
                None => &self.nothing,
            })
        })
    }

    fn summaries(&self) -> impl Iterator<Item = (&TestSummary, f64)> {
        self.runs
            .iter()
            .filter_map(|run| Some((run.test?.0, run.duration_s)))
    }

    fn ratio(&self, part: impl Fn(&Cells) -> f64, whole: impl Fn(&Cells) -> f64) -> Column {
        Column::Ratio {
            parts: self.cells().map(part).collect(),
            wholes: self.cells().map(whole).collect(),
        }
    }

    /// Ended iterations per second of the time in which the test was active.
    fn rate(&self) -> Column {
        let seconds = self.runs.iter().flat_map(|run| run.seconds);
        let is_active = |cells: &Cells| cells.planned + cells.passed + cells.failed + cells.dropped > 0;
        let active = |(cells, seconds): (&Cells, &f64)| if is_active(cells) { *seconds } else { 0.0 };
        Column::Ratio {
            parts: self
                .cells()
                .map(|cells| float(cells.passed + cells.failed))
                .collect(),
            wholes: self.cells().zip(seconds).map(active).collect(),
        }
    }

    fn sum(&self, of: impl Fn(&Cells) -> u64) -> u64 {
        self.cells().map(of).sum()
    }

    /// The exact mean and the greatest value from the summaries; the mean only where they count what the blocks count.
    fn exact(
        &self,
        of: impl Fn(&TestSummary) -> Option<&Durations>,
        counted: u64,
    ) -> (Option<f64>, Option<u64>) {
        let figures: Vec<&Durations> = self.summaries().filter_map(|(test, _)| of(test)).collect();
        let count: u64 = figures.iter().map(|durations| durations.count).sum();
        let mean = |durations: &&Durations| Some(durations.mean_s? * float(durations.count));
        let sum: f64 = figures.iter().filter_map(mean).sum();
        let max_s = figures
            .iter()
            .filter_map(|durations| durations.max_s)
            .fold(0.0, f64::max);
        (
            (count == counted && count > 0).then(|| sum / float(count)),
            (count == counted && count > 0).then(|| nanoseconds(max_s)),
        )
    }

    fn names(&self, of: impl Fn(&Cells) -> Vec<&String>) -> BTreeSet<String> {
        self.cells()
            .flat_map(|cells| of(cells).into_iter().cloned())
            .collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of iterations are far below 2^53"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a duration that a histogram held"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// One measure of a test, on both sides.
struct Measure {
    name: String,
    unit: Unit,
    sides: [Given; 2],
}

/// What one side has of a measure.
struct Given {
    column: Column,
    /// The value to show where it is known better than from the blocks.
    exact: Option<f64>,
    count: u64,
    floor: Floor,
}

/// What a side's standard error is not below.
#[derive(Clone, Copy)]
enum Floor {
    /// So much of its value.
    Relative(f64),
    /// That of a share of independent iterations, one more of which is counted, so that "never" is not taken for a proof.
    Share,
}

/// A measure on its way to its interval, which the whole family decides.
pub(super) struct Compared {
    comparison: MeasureComparison,
    /// Its standard error and the scale that is on.
    error: Option<(f64, Scale)>,
}

/// Compares every measure of a test that either side has.
pub(super) fn compare(sides: &[Side<'_>; 2], drawn: &[Weights; 2], family: &mut Family) -> Vec<Compared> {
    let mut compared = Vec::new();
    let mut take = |measures: Vec<Measure>| {
        compared.extend(
            measures
                .into_iter()
                .filter_map(|measure| weigh(measure, drawn, family)),
        );
    };
    take(durations(
        sides,
        "response_time",
        |cells| Some(&cells.response_time),
        |test| Some(&test.response_time),
        &PERCENTILES,
        true,
    ));
    take(durations(
        sides,
        "service_time",
        |cells| Some(&cells.service_time),
        |test| Some(&test.service_time),
        &PERCENTILES,
        true,
    ));
    take(durations(
        sides,
        "lateness",
        |cells| Some(&cells.lateness),
        |test| Some(&test.lateness),
        &[("p99", 0.99)],
        false,
    ));
    take(shares(sides));
    take(vec![rate(sides)]);
    for name in names(sides, |cells| cells.metrics.keys().collect()) {
        take(vec![metric(sides, &name)]);
    }
    for name in names(sides, |cells| cells.timers.keys().collect()) {
        take(durations(
            sides,
            &format!("timers.{name}"),
            |cells| cells.timers.get(&name),
            |test| test.timers.get(&name).map(|timer| &timer.passed),
            &[("p50", 0.5), ("p95", 0.95)],
            false,
        ));
    }
    for name in names(sides, |cells| cells.checks.keys().collect()) {
        take(vec![check(sides, &name)]);
    }
    compared
}

fn names(sides: &[Side<'_>; 2], of: impl Fn(&Cells) -> Vec<&String>) -> BTreeSet<String> {
    let [base, new] = sides;
    base.names(&of).into_iter().chain(new.names(&of)).collect()
}

/// Percentiles of durations, and their mean.
fn durations(
    sides: &[Side<'_>; 2],
    name: &str,
    cells: impl Fn(&Cells) -> Option<&Histogram> + Copy,
    summary: impl Fn(&TestSummary) -> Option<&Durations> + Copy,
    percentiles: &[(&str, f64)],
    has_mean: bool,
) -> Vec<Measure> {
    let empty = Histogram::new();
    let prepared = sides.each_ref().map(|side| {
        let count = side.sum(|of| cells(of).map_or(0, Histogram::count));
        let (mean, max_ns) = side.exact(summary, count);
        let cumulative = Rc::new(Cumulative::of(
            side.cells().map(|of| cells(of).unwrap_or(&empty)),
            max_ns,
        ));
        (side, count, mean, cumulative)
    });
    // In the closed model nothing is late.
    if prepared.iter().all(|(.., cumulative)| cumulative.is_all_zero()) && !has_mean {
        return Vec::new();
    }
    let measure = |stat: &str, sides| Measure {
        name: format!("{name}.{stat}"),
        unit: Unit::Seconds,
        sides,
    };
    let mut measures = Vec::new();
    if has_mean {
        let sides = prepared.each_ref().map(|(side, count, mean, _)| Given {
            column: side.ratio(
                |of| cells(of).map_or(0.0, sum_s),
                |of| cells(of).map_or(0.0, |histogram| float(histogram.count())),
            ),
            exact: *mean,
            count: *count,
            floor: Floor::Relative(HALF_STEP),
        });
        measures.push(measure("mean", sides));
    }
    for (stat, share) in percentiles {
        let enough = |count: u64| is_enough_for(*share, count);
        if *share >= OPTIONAL && !prepared.iter().all(|(_, count, ..)| enough(*count)) {
            continue;
        }
        let sides = prepared.each_ref().map(|(_, count, _, cumulative)| Given {
            column: Column::Quantile {
                of: Rc::clone(cumulative),
                share: *share,
            },
            exact: None,
            count: *count,
            floor: Floor::Relative(HALF_STEP),
        });
        measures.push(measure(stat, sides));
    }
    measures
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
fn sum_s(histogram: &Histogram) -> f64 {
    histogram.sum_ns() as f64 / 1e9
}

fn shares(sides: &[Side<'_>; 2]) -> Vec<Measure> {
    let share = |name: &str, part: fn(&Cells) -> u64, whole: fn(&Cells) -> u64| Measure {
        name: name.to_owned(),
        unit: Unit::Share,
        sides: sides.each_ref().map(|side| Given {
            column: side.ratio(|cells| float(part(cells)), |cells| float(whole(cells))),
            exact: None,
            count: side.sum(whole),
            floor: Floor::Share,
        }),
    };
    vec![
        share(
            "failures",
            |cells| cells.failed,
            |cells| cells.passed + cells.failed,
        ),
        share("dropped", |cells| cells.dropped, |cells| cells.planned),
    ]
}

fn rate(sides: &[Side<'_>; 2]) -> Measure {
    Measure {
        name: "rate".to_owned(),
        unit: Unit::PerSecond,
        sides: sides.each_ref().map(|side| {
            let (mut started, mut seconds) = (0.0, 0.0);
            for (test, duration_s) in side.summaries() {
                started += test.achieved_rate_per_s * duration_s;
                seconds += duration_s;
            }
            let count = side.sum(|cells| cells.passed + cells.failed);
            Given {
                column: side.rate(),
                exact: (seconds > 0.0).then(|| started / seconds),
                count,
                // An iteration more or less at either end of the run is no difference.
                floor: Floor::Relative(1.0 / float(count.max(1))),
            }
        }),
    }
}

fn metric(sides: &[Side<'_>; 2], name: &str) -> Measure {
    let of = |cells: &Cells| cells.metrics.get(name).copied().unwrap_or_default();
    Measure {
        name: format!("metrics.{name}.mean"),
        unit: Unit::Number,
        sides: sides.each_ref().map(|side| Given {
            column: side.ratio(|cells| of(cells).sum, |cells| float(of(cells).count)),
            exact: None,
            count: side.sum(|cells| of(cells).count),
            floor: Floor::Relative(ROUNDING),
        }),
    }
}

fn check(sides: &[Side<'_>; 2], name: &str) -> Measure {
    let of = |cells: &Cells| cells.checks.get(name).copied().unwrap_or_default();
    let whole = |cells: &Cells| of(cells).passed + of(cells).failed;
    Measure {
        name: format!("checks.{name}"),
        unit: Unit::Share,
        sides: sides.each_ref().map(|side| Given {
            column: side.ratio(|cells| float(of(cells).passed), |cells| float(whole(cells))),
            exact: None,
            count: side.sum(whole),
            floor: Floor::Share,
        }),
    }
}

/// Measures a difference and takes it into the family; `None` where neither side has anything of it.
fn weigh(measure: Measure, drawn: &[Weights; 2], family: &mut Family) -> Option<Compared> {
    let Measure { name, unit, sides } = measure;
    let in_all = sides.each_ref().map(|given| {
        let blocks = match &given.column {
            Column::Ratio { parts, .. } => parts.len(),
            Column::Quantile { of, .. } => of.blocks(),
        };
        let value = given.column.at(&vec![1; blocks]);
        // A user's values may add up to more than a float holds.
        value.filter(|value| value.is_finite())
    });
    if in_all == [None, None] {
        return None;
    }
    let values = [0, 1].map(|side| in_all[side].map(|value| sides[side].exact.unwrap_or(value)));
    let [base, new] = values;
    let mut comparison = MeasureComparison {
        measure: name,
        unit,
        base,
        new,
        base_count: sides[0].count,
        new_count: sides[1].count,
        difference: base
            .zip(new)
            .map(|(base, new)| (new - base).clamp(f64::MIN, f64::MAX)),
        interval: None,
        relative: base
            .zip(new)
            .filter(|(base, _)| *base != 0.0)
            .map(|(base, new)| ((new - base) / base.abs()).clamp(f64::MIN, f64::MAX)),
        relative_interval: None,
        outcome: Outcome::NotEnoughData,
        why: None,
    };
    let why = ["base", "new run"]
        .iter()
        .zip(&sides)
        .find_map(|(side, given)| missing(given).map(|missing| format!("{missing} in the {side}")));
    if let Some(why) = why {
        comparison.why = Some(why);
        return Some(Compared {
            comparison,
            error: None,
        });
    }
    let (Some(base), Some(new)) = values.into() else {
        return Some(Compared {
            comparison,
            error: None,
        });
    };
    let is_positive = base > 0.0 && new > 0.0;
    let scale = match unit {
        Unit::Seconds | Unit::PerSecond if is_positive => Scale::Ratio,
        _ => Scale::Plain,
    };
    let floors = [0, 1].map(|side| sides[side].floor_of(values[side].unwrap_or(0.0), scale));
    let error = family.add([&sides[0].column, &sides[1].column], drawn, scale, floors);
    if error.is_none() {
        comparison.why = Some("it is measured in too few of the seconds".to_owned());
    }
    Some(Compared {
        comparison,
        error: error.map(|error| (error, scale)),
    })
}

/// What a side lacks to be compared.
fn missing(given: &Given) -> Option<String> {
    let blocks = given.column.blocks_with_data();
    let enough = match &given.column {
        Column::Ratio { .. } => given.count >= MIN_COUNT,
        Column::Quantile { share, .. } => is_enough_for(*share, given.count),
    };
    if given.count == 0 {
        Some("it is not measured".to_owned())
    } else if blocks < MIN_BLOCKS {
        Some(format!(
            "it is measured in {blocks} blocks of time only, not {MIN_BLOCKS},"
        ))
    } else if enough {
        None
    } else {
        let n = given.count;
        Some(match &given.column {
            Column::Ratio { .. } => format!("there are {n} values only, not {MIN_COUNT},"),
            Column::Quantile { .. } => format!("{n} values are too few for this percentile"),
        })
    }
}

fn is_enough_for(share: f64, count: u64) -> bool {
    float(count) * share.min(1.0 - share) >= MIN_BEYOND - 1e-6
}

impl Given {
    fn floor_of(&self, value: f64, scale: Scale) -> f64 {
        match (self.floor, scale) {
            (Floor::Relative(share), Scale::Ratio) => share,
            (Floor::Relative(share), Scale::Plain) => share * value.abs(),
            (Floor::Share, _) => {
                let n = float(self.count);
                let share = (value * n + 1.0) / (n + 2.0);
                (share * (1.0 - share) / n.max(1.0)).sqrt()
            }
        }
    }
}

impl Compared {
    /// With the interval that reaches so many standard errors.
    pub(super) fn judged(self, critical: f64) -> MeasureComparison {
        let mut comparison = self.comparison;
        let (Some((error, scale)), Some(base), Some(new)) = (self.error, comparison.base, comparison.new)
        else {
            return comparison;
        };
        let difference = scale.of(new) - scale.of(base);
        let (low, high) = (difference - critical * error, difference + critical * error);
        let (absolute, relative) = match scale {
            Scale::Ratio => {
                let relative = [low.exp_m1(), high.exp_m1()];
                (relative.map(|share| share * base), Some(relative))
            }
            Scale::Plain => {
                let relative = (base != 0.0).then(|| [low / base.abs(), high / base.abs()]);
                ([low, high], relative)
            }
        };
        // JSON has no infinite numbers.
        let finite = |end: f64| end.clamp(f64::MIN, f64::MAX);
        let interval = |[low, high]: [f64; 2]| Interval {
            low: finite(low),
            high: finite(high),
        };
        comparison.interval = Some(interval(absolute));
        comparison.relative_interval = relative.map(interval);
        let is_duration = comparison.unit == Unit::Seconds;
        comparison.outcome = match (low > 0.0, high < 0.0) {
            (true, _) if is_duration => Outcome::Slower,
            (_, true) if is_duration => Outcome::Faster,
            (true, _) => Outcome::Higher,
            (_, true) => Outcome::Lower,
            _ => Outcome::NoDifferenceSeen,
        };
        comparison
    }
}
