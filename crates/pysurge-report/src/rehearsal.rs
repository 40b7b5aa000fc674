//! What is shown of a test that was run once: by `pysurge check`, part by part; before a run, only where it failed.

use crate::failures;
use crate::style::{Paint, Style};
use crate::text::{count, cut, figure, one_line, plural, rate, width, wrap};
use pysurge_core::histogram::Histogram;
use pysurge_core::measure::Measures;
use pysurge_core::span::format_span;
use pysurge_core::summary::{FailureFigures, MetricFigures};

/// What a test's planned load needs where every iteration takes as long as the one that was rehearsed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Need {
    /// The load at its peak.
    pub(crate) peak: Peak,
    /// Threads in use at that peak, over all workers.
    pub(crate) threads: u64,
    /// Threads that there may be.
    pub(crate) allowed: u64,
}

/// The load at its peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Peak {
    /// One rate all the time, iterations per second.
    Rate(f64),
    /// The highest of changing rates.
    HighestRate(f64),
    /// Users.
    Users(u32),
}

/// How long one iteration took from beginning to end; `None` where nothing of it was timed.
pub(crate) fn duration_ns(measures: &Measures) -> Option<u64> {
    let parts = [&measures.setup, &measures.service_time, &measures.teardown];
    let timed: Vec<u64> = parts.into_iter().filter_map(Histogram::max_ns).collect();
    (!timed.is_empty()).then(|| timed.into_iter().fold(0, u64::saturating_add))
}

/// The rehearsal before a run, as it goes on.
#[derive(Debug, Default)]
pub(crate) struct Rehearsals {
    /// Tests that ended, one way or the other.
    done: u64,
    /// Tests that passed.
    passed: u64,
    /// The longest of their iterations.
    longest_ns: Option<u64>,
}

impl Rehearsals {
    /// Takes one test; what is to be shown of it where it failed.
    pub(crate) fn take(
        &mut self,
        label: &str,
        summary: &str,
        measures: &Measures,
        style: Style,
    ) -> Vec<String> {
        self.done += 1;
        if measures.failed > 0 {
            return lines(label, summary, measures, None, style);
        }
        self.passed += 1;
        self.longest_ns = self.longest_ns.max(duration_ns(measures));
        Vec::new()
    }

    /// How many tests ended so far.
    pub(crate) fn count(&self) -> u64 {
        self.done
    }

    /// `rehearsed 3 tests, the longest took 12 ms`; `None` where none was.
    pub(crate) fn line(&self) -> Option<String> {
        let longest = self.longest_ns.map(format_span);
        Some(match (self.passed, longest) {
            (0, _) => return None,
            (1, Some(took)) => format!("rehearsed 1 test, it took {took}"),
            (tests, Some(took)) => format!("rehearsed {}, the longest took {took}", plural(tests, "test")),
            (tests, None) => format!("rehearsed {}", plural(tests, "test")),
        })
    }
}

fn need_line(need: Need) -> String {
    let (threads, plural_threads) = (count(need.threads), plural(need.threads, "thread"));
    let mut line = match need.peak {
        Peak::Rate(per_s) => format!("at {}/s this needs about {plural_threads}", rate(per_s)),
        Peak::HighestRate(per_s) => {
            format!(
                "at its peak of {}/s this needs about {plural_threads}",
                rate(per_s)
            )
        }
        Peak::Users(1) => "1 user needs 1 thread".to_owned(),
        Peak::Users(users) => format!("{} users need {threads} threads", count(u64::from(users))),
    };
    if need.threads > need.allowed {
        line = format!(
            "{line}, and there may be {}: iterations will start late",
            count(need.allowed)
        );
    }
    line
}

/// The lines on one test, which is called `label` and says `summary` of itself.
pub(crate) fn lines(
    label: &str,
    summary: &str,
    measures: &Measures,
    need: Option<Need>,
    style: Style,
) -> Vec<String> {
    const INDENT: usize = 4;
    let room = style.width() - INDENT;
    let passed = measures.failed == 0;
    let (mark, paint) = if passed {
        ("✓", Paint::Good)
    } else {
        ("✗", Paint::Bad)
    };
    let label = cut(&one_line(label), style.width() - 2);
    let mut shown = vec![format!(
        "{} {}",
        style.paint(paint, mark),
        style.paint(Paint::Strong, &label)
    )];
    let mut body = Vec::new();
    let summary = one_line(summary);
    if !summary.is_empty() && summary != label {
        body.push(cut(&summary, room));
    }
    let times: Vec<String> = [
        ("setup", &measures.setup),
        ("run", &measures.service_time),
        ("teardown", &measures.teardown),
    ]
    .into_iter()
    .filter_map(|(name, histogram)| Some(format!("{name} {}", time(histogram)?)))
    .collect();
    let outcome = if passed { "passed" } else { "failed" };
    body.push(if times.is_empty() {
        outcome.to_owned()
    } else {
        format!("{outcome}: {}", times.join(", "))
    });
    if let Some(need) = need {
        body.extend(wrap(&need_line(need), room, 3));
    }
    body.extend(metrics(measures, room));
    for failure in FailureFigures::of_all(&measures.failures) {
        body.push(String::new());
        body.extend(failures::of_rehearsal(&failure, room, style));
    }
    shown.extend(
        body.iter()
            .map(|line| format!("{:INDENT$}{line}", "").trim_end().to_owned()),
    );
    shown
}

/// The lines on a test that was not run, because its class's `startup` failed; the traceback was shown when it did.
pub(crate) fn not_run(label: &str, error: &str, style: Style) -> Vec<String> {
    const INDENT: usize = 4;
    let label = cut(&one_line(label), style.width() - 2);
    let why = format!("not run: startup failed: {}", one_line(error));
    let mut shown = vec![format!(
        "{} {}",
        style.paint(Paint::Bad, "✗"),
        style.paint(Paint::Strong, &label)
    )];
    let lines = wrap(&why, style.width() - INDENT, 5);
    shown.extend(lines.into_iter().map(|line| format!("{:INDENT$}{line}", "")));
    shown
}

fn time(histogram: &Histogram) -> Option<String> {
    histogram.max_ns().map(format_span)
}

fn metrics(measures: &Measures, room: usize) -> Vec<String> {
    let figures = MetricFigures::of_all(&measures.metrics);
    let names = figures.keys().map(|name| one_line(name));
    let name_width = names.map(|name| width(&name)).max().unwrap_or(0).min(room / 2);
    let mut lines: Vec<String> = figures
        .iter()
        .map(|(name, figures)| {
            let name = cut(&one_line(name), name_width);
            let pad = name_width - width(&name);
            format!("{name}{:pad$}  {}", "", figure(figures.mean))
        })
        .collect();
    if measures.metrics.refused() > 0 {
        lines.push("a metric is not counted: it is no finite number".to_owned());
    }
    lines
}
