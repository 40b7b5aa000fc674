//! What an expression says, and the value that figures give it.
//!
//! Values are in one unit of their kind: durations in nanoseconds, shares as fractions, rates per second, all else as it is. A value that
//! is not there is `None`, never 0: what was not measured neither holds nor fails.

use super::View;
use crate::NANOS_PER_SEC;
use crate::account::Account;
use crate::histogram::Histogram;
use crate::measure::{CheckCount, Measures};
use crate::sketch::{Sketch, finite};

/// A second shorter than this, as the first and the last one may be, gives no rate: one iteration more or less would be all of it.
const LEAST_SPAN_NS: u64 = NANOS_PER_SEC / 2;

/// A threshold's expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) measure: Measure,
    /// Where the measure stands in the text: its first character, and how many there are.
    pub(super) measure_at: (usize, usize),
    pub(super) op: Op,
    pub(super) wanted: Wanted,
    pub(super) window: Window,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Measure {
    Duration(Timed, Stat),
    Metric(Name, Stat),
    /// One check, or all of them.
    Checks(Option<Name>),
    Count(Name),
    Iterations(End),
    /// Iterations started.
    Rate,
    /// CPU time of busy threads.
    CpuShare,
}

/// What lasts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Timed {
    ResponseTime,
    ServiceTime,
    Lateness,
    WokeLate,
    NoFreeThread,
    WaitedForGil,
    Setup,
    Teardown,
    Timer(Name),
}

/// How an iteration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    Failed,
    Dropped,
    Interrupted,
    Lost,
}

/// One figure of many values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stat {
    Mean,
    Min,
    Max,
    Count,
    /// By its share, above 0 and at most 1.
    Quantile(f64),
}

/// What user code calls something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    /// In quotes: it is the name. Else `_` stands for every character that cannot be written.
    pub(super) quoted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// What a measure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wanted {
    pub(super) value: f64,
    pub(super) unit: Unit,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    None,
    Time { name: &'static str, ns: f64 },
    Share,
    Per { name: &'static str, seconds: f64 },
}

/// Of what time an expression is to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Window {
    /// The whole run.
    Run,
    /// Not to be broken in so many seconds on end.
    For { seconds: u64 },
    /// In at least this share of the seconds.
    In { share: f64 },
}

/// What a [`View`] is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Second,
    Run,
}

impl Expression {
    /// The value that these figures have; `None` where nothing was measured.
    pub(super) fn value(&self, view: &View<'_>, of: Of) -> Option<f64> {
        let unit = self.wanted.unit;
        match &self.measure {
            Measure::Duration(timed, stat) => timed.stat(view.measures, *stat),
            Measure::Metric(name, stat) => of_metric(view.measures, name, *stat),
            Measure::Checks(name) => held_share(view.measures, name.as_ref()),
            Measure::Count(name) => {
                let sum = sum_of(view.measures, name)?;
                match unit {
                    Unit::Per { .. } => per_second(sum, view, of),
                    _ => Some(sum),
                }
            }
            Measure::Iterations(end) => end.value(view, unit, of),
            Measure::Rate => match unit {
                Unit::Per { .. } => per_second(float(view.started), view, of),
                _ => has_span(view, of)
                    .then(|| share(view.started, view.account.planned))
                    .flatten(),
            },
            Measure::CpuShare => {
                share(view.measures.busy_cpu_ns, view.measures.busy_ns).map(|share| share.min(1.0))
            }
        }
    }

    /// Whether nothing, in a second, means 0, where the measure is known at all: a sum over time goes on where nothing comes.
    pub(super) fn is_zero_without_data(&self, view: &View<'_>) -> bool {
        matches!(
            (&self.measure, self.wanted.unit),
            (Measure::Count(_), Unit::Per { .. })
        ) && has_span(view, Of::Second)
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        self.op.holds(value, self.wanted.value)
    }

    /// Of two values, the one that breaks the expression more, or is nearer to it.
    pub(super) fn worse(&self, a: f64, b: f64) -> f64 {
        let off = |value: f64| (value - self.wanted.value).abs();
        let first = match self.op {
            Op::Less | Op::LessOrEqual => a >= b,
            Op::Greater | Op::GreaterOrEqual => a <= b,
            Op::Equal => off(a) >= off(b),
            Op::NotEqual => off(a) <= off(b),
        };
        if first { a } else { b }
    }

    /// Where it can be judged only if a schedule asks for iterations: why, and what to do.
    pub(super) fn needs_schedule(&self) -> Option<(&'static str, &'static str)> {
        match (&self.measure, self.wanted.unit) {
            (Measure::Rate, Unit::Share) => Some((
                "with `users` no rate is planned that could be reached",
                "write a rate, such as `rate > 50/s`",
            )),
            (Measure::Iterations(End::Dropped), _) => {
                Some(("with `users` nothing is ever dropped", "leave this threshold out"))
            }
            _ => None,
        }
    }
}

impl Measure {
    /// Whether it is told only when all is over, and not second by second.
    pub(super) fn is_told_late(&self) -> bool {
        matches!(self, Self::Iterations(End::Interrupted | End::Lost))
    }

    /// Whether it may be below 0.
    pub(super) fn is_signed(&self) -> bool {
        match self {
            Self::Metric(_, stat) => *stat != Stat::Count,
            Self::Count(_) => true,
            _ => false,
        }
    }
}

impl Op {
    #[expect(
        clippy::float_cmp,
        reason = "`==` means what it says; shares are exact where they can be"
    )]
    pub(super) fn holds(self, value: f64, wanted: f64) -> bool {
        match self {
            Self::Less => value < wanted,
            Self::LessOrEqual => value <= wanted,
            Self::Greater => value > wanted,
            Self::GreaterOrEqual => value >= wanted,
            Self::Equal => value == wanted,
            Self::NotEqual => value != wanted,
        }
    }
}

impl Name {
    /// Whether it is the name that user code gave.
    fn is(&self, given: &str) -> bool {
        if self.quoted {
            return self.text == given;
        }
        let plain = |c: char| if super::parse::is_name_char(c) { c } else { '_' };
        self.text.chars().map(plain).eq(given.chars().map(plain))
    }
}

impl Timed {
    fn stat(&self, measures: &Measures, stat: Stat) -> Option<f64> {
        let parts = &measures.lateness_parts;
        let histogram = match self {
            Self::ResponseTime => &measures.response_time,
            Self::ServiceTime => &measures.service_time,
            Self::Lateness => &measures.lateness,
            Self::WokeLate => &parts.woke_late,
            Self::NoFreeThread => &parts.no_free_thread,
            Self::WaitedForGil => &parts.waited_for_gil,
            Self::Setup => &measures.setup,
            Self::Teardown => &measures.teardown,
            Self::Timer(name) => return of_timer(measures, name, stat),
        };
        of_histogram(histogram, stat)
    }
}

impl End {
    fn value(self, view: &View<'_>, unit: Unit, of: Of) -> Option<f64> {
        let Account {
            planned,
            passed,
            failed,
            ..
        } = *view.account;
        let ended = passed.saturating_add(failed);
        let (number, whole) = match self {
            Self::Passed => (passed, ended),
            Self::Failed => (failed, ended),
            Self::Dropped => (view.account.dropped, planned),
            Self::Interrupted => (view.account.interrupted, planned),
            Self::Lost => (view.account.lost, planned),
        };
        match unit {
            Unit::Per { .. } => per_second(float(number), view, of),
            // In a second, more may be dropped than were planned in it: they were planned before.
            Unit::Share => share(number, whole.max(number)),
            _ => (planned | ended | number > 0).then(|| float(number)),
        }
    }
}

fn of_histogram(histogram: &Histogram, stat: Stat) -> Option<f64> {
    match stat {
        Stat::Mean => histogram.mean_ns(),
        Stat::Min => histogram.min_ns().map(float),
        Stat::Max => histogram.max_ns().map(float),
        Stat::Count => (!histogram.is_empty()).then(|| float(histogram.count())),
        Stat::Quantile(share) => histogram.quantile_ns(share).map(float),
    }
}

fn of_timer(measures: &Measures, name: &Name, stat: Stat) -> Option<f64> {
    let timers = measures.timers.iter().filter(|(given, _)| name.is(given));
    let mut histograms = timers.map(|(_, timer)| &timer.passed);
    let first = histograms.next()?;
    match histograms.next() {
        None => of_histogram(first, stat),
        Some(second) => {
            let mut all = first.clone();
            all.merge(second);
            histograms.for_each(|histogram| all.merge(histogram));
            of_histogram(&all, stat)
        }
    }
}

fn of_metric(measures: &Measures, name: &Name, stat: Stat) -> Option<f64> {
    let mut sketches = measures.metrics.iter().filter(|(given, _)| name.is(given));
    let (_, first) = sketches.next()?;
    match sketches.next() {
        None => of_sketch(first, stat),
        Some((_, second)) => {
            let mut all = first.clone();
            all.merge(second);
            sketches.for_each(|(_, sketch)| all.merge(sketch));
            of_sketch(&all, stat)
        }
    }
}

fn of_sketch(sketch: &Sketch, stat: Stat) -> Option<f64> {
    match stat {
        Stat::Mean => sketch.mean(),
        Stat::Min => sketch.min(),
        Stat::Max => sketch.max(),
        Stat::Count => (sketch.count() > 0).then(|| float(sketch.count())),
        Stat::Quantile(share) => sketch.quantile(share),
    }
}

fn held_share(measures: &Measures, name: Option<&Name>) -> Option<f64> {
    let checks = measures.checks.iter();
    let mut all = CheckCount::default();
    for (_, count) in checks.filter(|(given, _)| name.is_none_or(|name| name.is(given))) {
        all.passed = all.passed.saturating_add(count.passed);
        all.failed = all.failed.saturating_add(count.failed);
    }
    share(all.passed, all.passed.saturating_add(all.failed))
}

fn sum_of(measures: &Measures, name: &Name) -> Option<f64> {
    let counts = measures.counts.iter().filter(|(given, _)| name.is(given));
    counts.map(|(_, sum)| sum).reduce(|a, b| finite(a + b))
}

fn per_second(number: f64, view: &View<'_>, of: Of) -> Option<f64> {
    (view.span_ns > 0 && has_span(view, of)).then(|| number * 1e9 / float(view.span_ns))
}

fn has_span(view: &View<'_>, of: Of) -> bool {
    of == Of::Run || view.span_ns >= LEAST_SPAN_NS
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds stay far below 2^53"
)]
fn float(number: u64) -> f64 {
    number as f64
}
