//! The report at the end of a run, as a stranger reads it: first whether the generator kept its schedule, then each
//! test, then what went wrong elsewhere. Formats what core computed and computes nothing itself.

use crate::changes;
use crate::failures;
use crate::grid::{Cell, Grid, figures};
use crate::line::process_name;
use crate::style::{Paint, Style};
use crate::text::{count, cut, figure, one_line, plural, rate, run_time, width, wrap};
use pysurge_core::account::Account;
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{
    Durations, ModelName, StopCause, Summary, TestSummary, WarmupSummary, WorkerEnd,
};
use pysurge_core::verdict::Validity;

/// Causes that are listed under a verdict; the rest is counted.
const MAX_CAUSES: usize = 8;

/// Columns of a test's label in front of a cause.
const MAX_CAUSE_LABEL_COLUMNS: usize = 40;

/// How far the body of a test is indented.
const INDENT: usize = 2;

/// The whole report, ending in a line end.
pub fn render(summary: &Summary, style: &Style) -> String {
    let mut blocks = vec![verdict(summary, *style)];
    blocks.extend(
        summary
            .tests
            .iter()
            .map(|test| of_test(test, summary.workers.len(), *style)),
    );
    let remarks = remarks(summary, *style);
    if !remarks.is_empty() {
        blocks.push(remarks);
    }
    let mut text = String::new();
    for (i, lines) in blocks.iter().enumerate() {
        if i > 0 {
            text.push('\n');
        }
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The verdict's word and its colour.
pub(crate) fn validity(validity: Validity) -> (&'static str, Paint) {
    match validity {
        Validity::Valid => ("VALID", Paint::Good),
        Validity::Degraded => ("DEGRADED", Paint::Doubtful),
        Validity::Invalid => ("INVALID", Paint::Bad),
    }
}

fn verdict(summary: &Summary, style: Style) -> Vec<String> {
    let (word, paint) = validity(summary.verdict.validity);
    let indent = word.len() + 2;
    let room = style.width() - indent;
    let mut lines = Vec::new();
    let mut body = wrap(&started(summary), room, 3);
    let failed = format!("{} failed", count(summary.account.failed));
    let failed_painted = if summary.account.failed > 0 {
        style.paint(Paint::Bad, &failed)
    } else {
        failed.clone()
    };
    let outcome = wrap(&outcome(summary), room, 3);
    body.extend(outcome.iter().map(|line| line.replace(&failed, &failed_painted)));
    if let Some(cause) = summary.stop_cause.and_then(stopped) {
        body.extend(wrap(cause, room, 3));
    }
    for change in changes::listed(summary) {
        body.extend(wrap(&change, room, 2));
    }
    for (i, line) in body.into_iter().enumerate() {
        let lead = if i == 0 {
            format!("{}  ", style.paint(paint, word))
        } else {
            " ".repeat(indent)
        };
        lines.push(format!("{lead}{line}"));
    }
    let causes = &summary.verdict.causes;
    if summary.verdict.validity != Validity::Valid && !causes.is_empty() {
        lines.push(String::new());
        let lead = match summary.verdict.validity {
            Validity::Valid | Validity::Degraded => "Read the figures with this in mind:",
            Validity::Invalid => "The schedule was not kept, so read the figures with care:",
        };
        lines.extend(item("  ", lead, style));
        for cause in causes.iter().take(MAX_CAUSES) {
            lines.extend(item("  - ", &shorten(cause, &summary.tests), style));
        }
        if causes.len() > MAX_CAUSES {
            lines.push(format!("  - and {} more", causes.len() - MAX_CAUSES));
        }
    }
    lines
}

/// A cause names its test in front: needless with one test, and in the way of the cause where the label is long.
fn shorten(cause: &str, tests: &[TestSummary]) -> String {
    for test in tests {
        for label in [Some(&test.label), test.name.as_ref()].into_iter().flatten() {
            let rest = cause.strip_prefix(label).and_then(|rest| rest.strip_prefix(": "));
            if let Some(rest) = rest {
                let rest = one_line(rest);
                return match tests {
                    [_] => rest,
                    _ => format!("{}: {rest}", cut(&title(test), MAX_CAUSE_LABEL_COLUMNS)),
                };
            }
        }
    }
    one_line(cause)
}

fn started(summary: &Summary) -> String {
    let account = summary.account;
    if account.planned == 0 {
        return "no iteration was planned".to_owned();
    }
    let were = if account.planned == 1 {
        "iteration was"
    } else {
        "iterations were"
    };
    let late_s = summary
        .tests
        .iter()
        .filter_map(|test| test.lateness.p99_s)
        .fold(None, |worst: Option<f64>, s| {
            Some(worst.map_or(s, |worst| worst.max(s)))
        });
    let late = late_s.map_or_else(String::new, |s| {
        format!(", p99 {} late", format_span_f64(s * 1e9))
    });
    format!(
        "{} of {} planned {were} started{late}",
        count(account.fired()),
        count(account.planned)
    )
}

fn outcome(summary: &Summary) -> String {
    let as_u64 = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    format!(
        "{}; {} on {} for {}",
        ended(summary.account),
        plural(as_u64(summary.tests.len()), "test"),
        plural(as_u64(summary.workers.len()), "worker"),
        run_time(summary.duration_s)
    )
}

/// `9,950 passed, 0 failed, 45 dropped`: what should not be there stands there only where it is.
fn ended(account: Account) -> String {
    let mut ended = format!(
        "{} passed, {} failed",
        count(account.passed),
        count(account.failed)
    );
    for (n, name) in [
        (account.dropped, "dropped"),
        (account.interrupted, "interrupted"),
        (account.lost, "lost"),
    ] {
        if n > 0 {
            ended = format!("{ended}, {} {name}", count(n));
        }
    }
    ended
}

fn stopped(cause: StopCause) -> Option<&'static str> {
    match cause {
        StopCause::Duration => None,
        StopCause::Iterations => Some("ended when every planned iteration was done"),
        StopCause::Signal => Some("stopped on request"),
        StopCause::SecondSignal => Some("cut short on request: running iterations were abandoned"),
        StopCause::WorkersLost => Some("ended because every worker died"),
    }
}

/// What a test is called: as the config calls it, else its label.
fn title(test: &TestSummary) -> String {
    one_line(test.name.as_deref().unwrap_or(&test.label))
}

fn of_test(test: &TestSummary, workers: usize, style: Style) -> Vec<String> {
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
        body.extend(wrap(&rates(test, workers), room, 2));
        if let Some(warmup) = &test.warmup {
            body.extend(of_warmup(warmup, room, style));
        }
        body.push(String::new());
        body.extend(durations(test, room, style));
    }
    if !test.metrics.is_empty() {
        body.push(String::new());
        body.extend(metrics(test, room, style));
    }
    if test.metrics_refused > 0 {
        if test.metrics.is_empty() {
            body.push(String::new());
        }
        let n = plural(test.metrics_refused, "metric value");
        body.push(cut(
            &format!("{n} not counted: no finite number, or too many names"),
            room,
        ));
    }
    if !test.failures.is_empty() || test.failures_overflow > 0 {
        body.push(String::new());
        body.extend(failures::of_test(test, room, style));
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

/// The warm-up, which is in no other figure: how it ended, and what failed in it most.
fn of_warmup(warmup: &WarmupSummary, room: usize, style: Style) -> Vec<String> {
    let text = format!(
        "warm-up: {}, {} planned, {}; not in the figures",
        run_time(warmup.duration_s),
        count(warmup.account.planned),
        ended(warmup.account)
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
        head: vec!["mean", "p50", "p90", "p95", "p99", "p99.9", "max"],
        rows: always
            .into_iter()
            .chain(sometimes)
            .map(|(name, durations)| (name.to_owned(), spans(durations)))
            .collect(),
    };
    grid.shed(room, "response time".len(), &["p90", "p99.9", "mean", "p95"]);
    grid.lines(room, style)
}

fn spans(durations: &Durations) -> Vec<Cell> {
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

/// What is worth knowing only because something went wrong outside the tests.
fn remarks(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for worker in &summary.workers {
        let what = match worker.end {
            WorkerEnd::Running | WorkerEnd::Done => continue,
            WorkerEnd::Killed => "told all it measured, then had to be killed",
            WorkerEnd::Lost => "died before it told all",
        };
        let death = worker
            .death
            .as_deref()
            .map_or_else(String::new, |death| format!(": {}", one_line(death)));
        let text = format!(
            "{} (pid {}) {what}{death}",
            process_name(worker.worker),
            worker.pid
        );
        lines.extend(item("! ", &text, style));
    }
    if summary.output_dropped > 0 {
        let n = plural(summary.output_dropped, "line");
        let text =
            format!("{n} of output and log not shown, because they came faster than they could be written");
        lines.extend(item("! ", &text, style));
    }
    lines
}

/// A text behind a bullet, with a hanging indent.
fn item(bullet: &str, text: &str, style: Style) -> Vec<String> {
    let room = style.width() - bullet.len();
    let mut lead = bullet.to_owned();
    let mut lines = Vec::new();
    for line in wrap(text, room, 4) {
        lines.push(format!("{lead}{line}"));
        lead = " ".repeat(bullet.len());
    }
    lines
}
