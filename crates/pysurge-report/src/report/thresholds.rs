//! The thresholds in the report: a mark, the expression, the actual value beside it, the test. What fails always stands there; of
//! many that hold, only how many.

use crate::style::{Paint, Style};
use crate::text::{cut, flow, one_line, plural, width, wrap};
use pysurge_core::summary::{ThresholdResult, ThresholdState};

/// With more thresholds than this, those that hold are only counted.
const MAX_LISTED: usize = 20;

/// Columns between an expression and its value.
const GAP: usize = 3;

/// Columns of a test's name, at least.
const MIN_TEST_COLUMNS: usize = 12;

/// In front of an expression: two columns, a mark, a space.
const LEAD: usize = 4;

/// What stands before a threshold.
fn mark(state: ThresholdState) -> (&'static str, Paint) {
    match state {
        ThresholdState::Passed => ("✓", Paint::Good),
        ThresholdState::Failed | ThresholdState::NoData => ("✗", Paint::Bad),
        ThresholdState::Pending => ("·", Paint::Quiet),
    }
}

/// One threshold as it is laid out.
struct Line {
    state: ThresholdState,
    expression: String,
    actual: String,
    test: String,
}

impl Line {
    /// With a single test nobody asks which one is meant.
    fn of(result: &ThresholdResult, tests: usize) -> Self {
        let test = result.test.as_deref().filter(|_| tests > 1);
        Self {
            state: result.state,
            expression: one_line(&result.expression),
            actual: one_line(&result.actual_text),
            test: test.map(one_line).unwrap_or_default(),
        }
    }
}

/// The block of the thresholds of a run of so many tests; nothing where there are none.
pub(super) fn lines(thresholds: &[ThresholdResult], tests: usize, style: Style) -> Vec<String> {
    if thresholds.is_empty() {
        return Vec::new();
    }
    let is_listed =
        |result: &&ThresholdResult| thresholds.len() <= MAX_LISTED || result.state != ThresholdState::Passed;
    let shown = thresholds.iter().filter(is_listed);
    let shown: Vec<Line> = shown.map(|result| Line::of(result, tests)).collect();
    let mut lines = head(thresholds, style);
    let room = style.width() - LEAD;
    let widest = |text: fn(&Line) -> &String| shown.iter().map(|line| width(text(line))).max().unwrap_or(0);
    let (expression, actual, test) = (
        widest(|line| &line.expression),
        widest(|line| &line.actual),
        widest(|line| &line.test),
    );
    let beside = expression + GAP + actual;
    for line in &shown {
        let (mark, paint) = mark(line.state);
        let mark = style.paint(paint, mark);
        let value = if line.state.fails() {
            style.paint(Paint::Bad, &line.actual)
        } else {
            line.actual.clone()
        };
        let quiet = |columns: usize| style.paint(Paint::Quiet, &cut(&line.test, columns));
        let pad = |text: &str, columns: usize| " ".repeat(columns - width(text) + GAP);
        // Names of tests may be cut; expressions and values never are.
        if beside <= room {
            let mut row = format!(
                "  {mark} {}{}{value}",
                line.expression,
                pad(&line.expression, expression)
            );
            let fits = test > 0 && beside + GAP + test.min(MIN_TEST_COLUMNS) <= room;
            if fits && !line.test.is_empty() {
                let left = room - beside - GAP;
                row = format!("{row}{}{}", pad(&line.actual, actual), quiet(left));
            }
            lines.push(row);
            if !fits && !line.test.is_empty() {
                lines.push(format!("{:LEAD$}  {}", "", quiet(room - 2)));
            }
        } else {
            let mut lead = format!("  {mark} ");
            for piece in wrap(&line.expression, room, 3) {
                lines.push(format!("{lead}{piece}"));
                lead = " ".repeat(LEAD);
            }
            let left = (room - 2).saturating_sub(width(&line.actual) + GAP);
            let test = if left >= width(&line.test).min(MIN_TEST_COLUMNS) {
                format!("{:GAP$}{}", "", quiet(left))
            } else {
                String::new()
            };
            lines.push(format!("{lead}  {value}{test}"));
        }
    }
    let unlisted = thresholds.len() - shown.len();
    if unlisted > 0 {
        let n = plural(u64::try_from(unlisted).unwrap_or(u64::MAX), "more threshold");
        lines.push(format!("    and {n} that hold"));
    }
    lines
}

/// `Thresholds: 3 passed, 1 failed`.
fn head(thresholds: &[ThresholdResult], style: Style) -> Vec<String> {
    let of = |is: fn(ThresholdState) -> bool| thresholds.iter().filter(|result| is(result.state)).count();
    let (failed, pending) = (
        of(ThresholdState::fails),
        of(|state| state == ThresholdState::Pending),
    );
    let passed = thresholds.len() - failed - pending;
    let parts: Vec<String> = [(passed, "passed"), (failed, "failed"), (pending, "not judged")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let failed = format!("{failed} failed");
    let painted = style.paint(Paint::Bad, &failed);
    let lines = flow("  Thresholds:", &parts, style.width());
    lines.iter().map(|line| line.replace(&failed, &painted)).collect()
}
