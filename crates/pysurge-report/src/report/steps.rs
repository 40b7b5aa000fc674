//! What a test case told of its own iterations, as tables: checks, timers, counts.

use super::test::{SPAN_HEADS, SPAN_HEADS_TO_SHED, spans};
use crate::grid::{Cell, Grid};
use crate::style::{Paint, Style};
use crate::text::{count, figure, one_line, percent, rate, width};
use pysurge_core::summary::{Durations, TestSummary};

/// For a timer's name so wide, columns of figures are given up; a wider one has a line of its own.
const MAX_TIMER_COLUMNS: usize = 16;

/// From here on not even a sum is written with all its digits.
const LARGE_SUM: f64 = 1e15;

/// How often each check held.
pub(super) fn checks(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    if test.checks.is_empty() {
        return Vec::new();
    }
    let rows = test.checks.iter().map(|(name, check)| {
        let paint = if check.failed > 0 {
            Paint::Bad
        } else {
            Paint::Quiet
        };
        let cells = vec![
            Cell::plain(count(check.passed)),
            Cell::new(count(check.failed), paint),
            Cell::plain(percent(check.passed, check.passed + check.failed)),
        ];
        (one_line(name), cells)
    });
    let grid = Grid {
        name: "check",
        head: vec!["passed", "failed", "held"],
        rows: rows.collect(),
    };
    grid.lines(room, style)
}

/// How long each step took; in failed iterations apart.
pub(super) fn timers(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    let mut rows = Vec::new();
    for (name, timer) in &test.timers {
        let name = one_line(name);
        let mut row = |name: String, durations: &Durations| {
            if durations.count > 0 {
                let mut cells = vec![Cell::plain(count(durations.count))];
                cells.extend(spans(durations));
                rows.push((name, cells));
            }
        };
        row(name.clone(), &timer.passed);
        row(format!("{name}, failed"), &timer.failed);
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let mut head = vec!["count"];
    head.extend(SPAN_HEADS);
    let mut grid = Grid {
        name: "timer",
        head,
        rows,
    };
    let mut unwanted = SPAN_HEADS_TO_SHED.to_vec();
    unwanted.insert(2, "count");
    let names = grid.rows.iter().map(|(name, _)| width(name));
    let name_width = names.max().unwrap_or(0).min(MAX_TIMER_COLUMNS);
    grid.shed(room, name_width, &unwanted);
    grid.lines(room, style)
}

/// What was counted, in all and per second.
pub(super) fn counts(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    if test.counts.is_empty() {
        return Vec::new();
    }
    let rows = test.counts.iter().map(|(name, sum)| {
        let per_s = test.count_per_s(*sum).map_or_else(|| "-".to_owned(), digits);
        let cells = vec![Cell::plain(digits(*sum)), Cell::plain(per_s)];
        (one_line(name), cells)
    });
    let grid = Grid {
        name: "count",
        head: vec!["sum", "per second"],
        rows: rows.collect(),
    };
    grid.lines(room, style)
}

/// A sum: bytes, rows and the like are wanted with all their digits.
fn digits(sum: f64) -> String {
    if (0.0..LARGE_SUM).contains(&sum) {
        rate(sum)
    } else {
        figure(sum)
    }
}
