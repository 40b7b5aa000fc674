//! One test in the report: what it is, how its iterations ended, how fast they came, how long they took, what went wrong.

use super::{evidence, steps, title, verdict};
use crate::failures;
use crate::grid::{Cell, Grid, figures};
use crate::style::{Paint, Style};
use crate::text::{count, cut, figure, one_line, plural, rate, run_time, width, wrap};
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{Durations, ModelName, Summary, TestSummary, WarmupSummary};

/// How far the body of a test is indented.
const INDENT: usize = 2;

pub(super) fn lines(test: &TestSummary, summary: &Summary, style: Style) -> Vec<String> {
    let room = style.width() - INDENT;
    let mut body: Vec<String> = Vec::new();
    let (title, label, said) = (title(test), one_line(&test.label), one_line(&test.summary));
    if title != label {
        body.push(cut(&label, room));
    }
    if !said.is_empty() && said != label && said != title {
        body.push(cut(&said, room));
    }
    body.extend(wrap(&load(test), room, 3));
    if let Some(why) = &test.not_run {
        body.push(String::new());
        let why = wrap(&format!("not run: {}", one_line(why)), room, 6);
        body.extend(why.iter().map(|line| style.paint(Paint::Bad, line)));
    } else {
        body.push(String::new());
        body.extend(account(test, room, style));
        body.push(String::new());
        body.extend(wrap(&rates(test, summary.places()), room, 2));
        if let Some(overran) = overran(test) {
            body.extend(wrap(&overran, room, 2));
        }
        if let Some(warmup) = &test.warmup {
            body.extend(of_warmup(warmup, room, style));
        }
        body.push(String::new());
        body.extend(durations(test, room, style));
        let about = evidence::of_threads(test, &summary.verdict, room);
        if !about.is_empty() {
            body.push(String::new());
            body.extend(about);
        }
    }
    for block in [
        steps::checks(test, room, style),
        steps::timers(test, room, style),
        steps::counts(test, room, style),
        metrics(test, room, style),
        refused(test, room),
        failures::of_test(test, room, style),
        evidence::slowest(test, room, style),
    ] {
        if !block.is_empty() {
            body.push(String::new());
            body.extend(block);
        }
    }
    let mut lines = vec![heading(&title, style)];
    lines.extend(body.iter().map(|line| format!("{:INDENT$}{line}", "")));
    lines
}

/// The model and the load: what the figures below are figures of.
fn load(test: &TestSummary) -> String {
    let load = one_line(&test.load);
    match test.model {
        ModelName::Open => format!("open model: {load}"),
        ModelName::Closed => format!("closed model: {load}; response time is service time"),
    }
}

/// Iterations that took longer than was declared; each was told with its stack when it did.
fn overran(test: &TestSummary) -> Option<String> {
    (test.overran > 0).then(|| {
        format!(
            "{} ran longer than max_duration; run.log has their stacks",
            plural(test.overran, "iteration")
        )
    })
}

/// The warm-up, which is in no other figure: how it ended, and what failed in it most.
fn of_warmup(warmup: &WarmupSummary, room: usize, style: Style) -> Vec<String> {
    let text = format!(
        "warm-up: {}, {} planned, {}; not in the figures",
        run_time(warmup.duration_s),
        count(warmup.account.planned),
        verdict::ended(warmup.account)
    );
    let mut lines = wrap(&text, room, 3);
    if let Some(failure) = warmup.failures.iter().find(|failure| failure.fails) {
        let text = format!(
            "  {} × {}: {}",
            count(failure.count),
            one_line(&failure.exception),
            one_line(&failure.message)
        );
        lines.push(cut(&text, room));
    }
    lines.iter().map(|line| style.paint(Paint::Quiet, line)).collect()
}

/// What a test is called, and a rule to the edge that tells it from the next.
pub(crate) fn heading(label: &str, style: Style) -> String {
    let label = cut(label, style.width());
    let rest = style.width() - width(&label);
    let label_painted = style.paint(Paint::Strong, &label);
    if rest < 3 {
        return label_painted;
    }
    format!(
        "{label_painted} {}",
        style.paint(Paint::Quiet, &"─".repeat(rest - 1))
    )
}

fn account(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    let account = test.account;
    let bad = |n: u64, paint| Cell::new(count(n), if n > 0 { paint } else { Paint::Quiet });
    figures(
        &[
            ("planned", Cell::plain(count(account.planned))),
            ("fired", Cell::plain(count(account.fired()))),
            ("passed", Cell::plain(count(account.passed))),
            ("failed", bad(account.failed, Paint::Bad)),
            ("dropped", bad(account.dropped, Paint::Doubtful)),
            ("interrupted", bad(account.interrupted, Paint::Doubtful)),
            ("lost", bad(account.lost, Paint::Doubtful)),
        ],
        room,
        style,
    )
}

fn rates(test: &TestSummary, workers: usize) -> String {
    let achieved = test.achieved_rate_per_s;
    let mut line = match test.asked_rate_per_s {
        Some(asked) if asked > 0.0 => format!(
            "asked {}/s, achieved {}/s ({:.1} %)",
            rate(asked),
            rate(achieved),
            achieved / asked * 100.0
        ),
        Some(asked) => format!("asked {}/s, achieved {}/s", rate(asked), rate(achieved)),
        None => format!("achieved {}/s", rate(achieved)),
    };
    if usize::try_from(test.workers).unwrap_or(usize::MAX) < workers {
        line = format!("{line}, on {} of {workers} workers", test.workers);
    }
    line
}

/// The heads of a table of durations.
pub(super) const SPAN_HEADS: [&str; 7] = ["mean", "p50", "p90", "p95", "p99", "p99.9", "max"];

/// Those that are given up first where there is no room for all.
pub(super) const SPAN_HEADS_TO_SHED: [&str; 4] = ["p90", "p99.9", "mean", "p95"];

fn durations(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    let always = [
        ("response time", &test.response_time),
        ("service time", &test.service_time),
        ("lateness", &test.lateness),
    ];
    if always.iter().all(|(_, durations)| durations.count == 0) {
        return wrap("no iteration ended, so there are no times to show", room, 2);
    }
    let sometimes = [("setup", &test.setup), ("teardown", &test.teardown)];
    let sometimes = sometimes.into_iter().filter(|(_, durations)| durations.count > 0);
    let mut grid = Grid {
        name: "",
        head: SPAN_HEADS.to_vec(),
        rows: always
            .into_iter()
            .chain(sometimes)
            .map(|(name, durations)| (name.to_owned(), spans(durations)))
            .collect(),
    };
    grid.shed(room, "response time".len(), &SPAN_HEADS_TO_SHED);
    grid.lines(room, style)
}

/// The cells below [`SPAN_HEADS`].
pub(super) fn spans(durations: &Durations) -> Vec<Cell> {
    let shown = |seconds: Option<f64>| {
        let text = seconds.map_or_else(|| "-".to_owned(), |s| format_span_f64(s * 1e9));
        Cell::plain(text)
    };
    vec![
        shown(durations.mean_s),
        shown(durations.p50_s),
        shown(durations.p90_s),
        shown(durations.p95_s),
        shown(durations.p99_s),
        shown(durations.p99_9_s),
        shown(durations.max_s),
    ]
}

fn metrics(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    if test.metrics.is_empty() {
        return Vec::new();
    }
    let rows = test.metrics.iter().map(|(name, f)| {
        let mut cells = vec![Cell::plain(count(f.count))];
        let values = [f.mean, f.min, f.p50, f.p95, f.p99, f.max];
        cells.extend(values.map(|value| Cell::plain(figure(value))));
        (one_line(name), cells)
    });
    let mut grid = Grid {
        name: "metric",
        head: vec!["count", "mean", "min", "p50", "p95", "p99", "max"],
        rows: rows.collect(),
    };
    grid.shed(room, grid.name.len(), &["count", "p95", "min", "p99"]);
    grid.lines(room, style)
}

/// What user code told and is in no figure.
fn refused(test: &TestSummary, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, what) in [
        (test.metrics_refused, "metric value"),
        (test.steps_refused, "check, timer or count value"),
    ] {
        if n > 0 {
            let line = format!(
                "{} not counted: no finite number, or too many names",
                plural(n, what)
            );
            lines.extend(wrap(&line, room, 2));
        }
    }
    lines
}
