//! What `pysurge check` shows of a test: its one iteration, part by part.

use crate::failures;
use crate::style::{Paint, Style};
use crate::text::{cut, figure, one_line, width, wrap};
use pysurge_core::histogram::Histogram;
use pysurge_core::measure::Measures;
use pysurge_core::span::format_span;
use pysurge_core::summary::{FailureFigures, MetricFigures};

/// The lines on one test, which is called `label` and says `summary` of itself.
pub(crate) fn lines(label: &str, summary: &str, measures: &Measures, style: Style) -> Vec<String> {
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
