//! Several tests in one table, a line each. Many, as a suite of pytest has them: the ones that went worst first, and in full only those where
//! something went wrong. What is not shown is counted, and stands in summary.json.

use super::{item, test, title};
use crate::grid::{Cell, Grid};
use crate::style::{Paint, Style};
use crate::text::{count, cut, plural, rate, width};
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{Summary, TestSummary};
use std::cmp::Ordering;

/// Up to so many tests are shown in full: more than people write down one by one, and about what fits on two screens.
pub(super) const FEW: usize = 8;

/// Lines of the table: a screen.
const MOST_LINES: usize = 40;

/// What is given up first where there is no room.
const SHED: [&str; 4] = ["asked", "dropped", "p50", "planned"];

/// The blocks on the tests of a run.
pub(super) fn blocks(summary: &Summary, style: Style) -> Vec<Vec<String>> {
    let mut tests: Vec<&TestSummary> = summary.tests.iter().collect();
    // Stable: tests that went alike stay in the order of the plan.
    tests.sort_by(|one, other| worse(one, other));
    let mut blocks = vec![table(&tests, style)];
    let troubled = tests.iter().filter(|test| is_troubled(test));
    blocks.extend(troubled.take(FEW).map(|one| test::lines(one, summary, style)));
    let troubled = tests.iter().filter(|test| is_troubled(test)).count();
    if troubled > FEW {
        let more = plural((troubled - FEW) as u64, "more test");
        let text = format!("{more} with failures; summary.json has them all");
        blocks.push(item("! ", &text, style));
    }
    blocks
}

/// The same table of a few tests, which are all shown in full below: in the order of the config, as they are.
pub(super) fn overview(summary: &Summary, style: Style) -> Vec<String> {
    let tests: Vec<&TestSummary> = summary.tests.iter().collect();
    if tests.len() < 2 {
        return Vec::new();
    }
    table(&tests, style)
}

/// Whether iterations failed, or the test did not run.
fn is_troubled(test: &TestSummary) -> bool {
    test.not_run.is_some() || test.account.failed > 0
}

/// Those that did not run first, then by failures, then by what is lost, then the slowest.
fn worse(one: &TestSummary, other: &TestSummary) -> Ordering {
    let rank = |test: &TestSummary| {
        let account = test.account;
        let missing = account.dropped + account.interrupted + account.lost;
        (test.not_run.is_some(), account.failed, missing)
    };
    let slow = |test: &TestSummary| test.response_time.p95_s.unwrap_or(0.0);
    rank(other)
        .cmp(&rank(one))
        .then_with(|| slow(other).total_cmp(&slow(one)))
}

/// What all names begin with, up to the end of a folder, a file or a class.
pub(crate) fn common_place(names: &[String]) -> &str {
    let Some(first) = names.first() else {
        return "";
    };
    let same = |other: &String| {
        let pairs = first.char_indices().zip(other.chars());
        pairs
            .take_while(|((_, one), other)| one == other)
            .last()
            .map_or(0, |((at, one), _)| at + one.len_utf8())
    };
    let end = names.iter().map(same).min().unwrap_or(0);
    // A parameter may hold anything.
    let place = first[..end].split('[').next().unwrap_or_default();
    let folder = place.rfind('/').map_or(0, |at| at + 1);
    let class = place.rfind("::").map_or(0, |at| at + 2);
    &first[..folder.max(class)]
}

fn table(tests: &[&TestSummary], style: Style) -> Vec<String> {
    let bad = |n: u64, paint| Cell::new(count(n), if n > 0 { paint } else { Paint::Quiet });
    let span = |seconds: Option<f64>| {
        Cell::plain(seconds.map_or_else(|| "-".to_owned(), |s| format_span_f64(s * 1e9)))
    };
    let titles: Vec<String> = tests.iter().map(|test| title(test)).collect();
    let common = common_place(&titles);
    let rows = tests.iter().take(MOST_LINES).map(|test| {
        let account = test.account;
        let asked = test.asked_rate_per_s.map_or_else(|| "-".to_owned(), rate);
        let missing = account.dropped + account.interrupted + account.lost;
        let cells = vec![
            Cell::plain(asked),
            Cell::plain(count(account.planned)),
            bad(account.failed, Paint::Bad),
            bad(missing, Paint::Doubtful),
            span(test.response_time.p50_s),
            span(test.response_time.p95_s),
            span(test.response_time.p99_s),
        ];
        (title(test)[common.len()..].to_owned(), cells)
    });
    let mut grid = Grid {
        name: "test",
        head: vec!["asked", "planned", "failed", "dropped", "p50", "p95", "p99"],
        rows: rows.collect(),
    };
    // Room for a name that says something; a longer one has a line of its own.
    let longest = titles.iter().map(|title| width(&title[common.len()..])).max();
    let name_width = longest.unwrap_or(0).min(style.width() / 2);
    grid.shed(style.width(), name_width, &SHED);
    let mut heading = "response times, per test".to_owned();
    if !common.is_empty() {
        heading = format!("{heading} of {}", common.trim_end_matches(['/', ':']));
    }
    let heading = cut(&heading, style.width());
    let mut lines = vec![style.paint(Paint::Quiet, &heading)];
    lines.extend(grid.lines(style.width(), style));
    if tests.len() > MOST_LINES {
        let more = plural((tests.len() - MOST_LINES) as u64, "more test");
        let text = format!("{more}; summary.json has the figures of each");
        lines.extend(item("… ", &text, style));
    }
    lines
}
