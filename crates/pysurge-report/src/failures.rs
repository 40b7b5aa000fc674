//! Failures as the report lists them: how often, what, where, when, and the way there through the user's own code.

use crate::style::{Paint, Style};
use crate::text::{count, cut, lines, one_line, plural, run_time, wrap};
use pysurge_core::summary::{FailureFigures, TestSummary};

/// Kinds of failure that are listed; the rest is counted, and stands in `summary.json`.
const MAX_KINDS: usize = 10;

/// Of these, kinds whose traceback is shown.
const MAX_TRACEBACKS: usize = 5;

/// Lines of a traceback that are shown, the last ones: the error is at its end.
const MAX_TRACEBACK_LINES: usize = 12;

/// Lines of a message that are shown; wrapped errors name their true cause at the end.
const MAX_MESSAGE_LINES: usize = 5;

/// The failures of a test within `room` columns.
pub(crate) fn of_test(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    let mut shown = Vec::new();
    for (i, failure) in test.failures.iter().take(MAX_KINDS).enumerate() {
        if i > 0 {
            shown.push(String::new());
        }
        let times = count(failure.count);
        shown.extend(of_kind(&times, failure, i < MAX_TRACEBACKS, room, style));
    }
    let unlisted = test.failures.iter().skip(MAX_KINDS);
    let further: u64 = unlisted.map(|failure| failure.count).sum::<u64>() + test.failures_overflow;
    if further > 0 {
        shown.push(String::new());
        shown.push(format!("and {} of other kinds", plural(further, "failure")));
    }
    shown
}

fn of_kind(
    times: &str,
    failure: &FailureFigures,
    with_traceback: bool,
    room: usize,
    style: Style,
) -> Vec<String> {
    let times = format!("{times} × ");
    let seen = if failure.count == 1 {
        format!("after {}", run_time(failure.first_s))
    } else {
        format!(
            "first after {}, last after {}",
            run_time(failure.first_s),
            run_time(failure.last_s)
        )
    };
    let mut shown = Vec::new();
    for (i, line) in error(failure, room, style).into_iter().enumerate() {
        shown.push(if i == 0 {
            // The count stands in front of the first line, which was laid out without it.
            format!("{}{line}", style.paint(Paint::Strong, &times))
        } else {
            line
        });
    }
    let place = wrap(&format!("{}, {seen}", place(failure)), room - 2, 3);
    shown.extend(place.iter().map(|line| format!("  {line}")));
    if with_traceback {
        shown.extend(traceback(failure, style));
    }
    shown
}

/// The type of the error and what it said.
fn error(failure: &FailureFigures, room: usize, style: Style) -> Vec<String> {
    let exception = cut(&one_line(&failure.exception), room.saturating_sub(16));
    let mut shown = vec![style.paint(Paint::Bad, &exception)];
    let message = wrap(&one_line(&failure.message), room - 2, MAX_MESSAGE_LINES);
    shown.extend(message.into_iter().map(|line| format!("  {line}")));
    shown
}

/// In which part of the iteration, and at which of the user's lines.
fn place(failure: &FailureFigures) -> String {
    let frame = match one_line(&failure.frame) {
        frame if frame.is_empty() => String::new(),
        frame => {
            let own = format!(" in {}", failure.phase);
            format!(", at {}", frame.strip_suffix(&own).unwrap_or(&frame))
        }
    };
    let harmless = if failure.fails { "" } else { ", fails no iteration" };
    format!("in {}{frame}{harmless}", failure.phase)
}

/// The traceback, indented, without the error that already stands above it.
fn traceback(failure: &FailureFigures, style: Style) -> Vec<String> {
    let error = format!("{}: {}", failure.exception, failure.message);
    let text = failure.traceback.trim_end();
    let frames = text.strip_suffix(error.trim_end()).unwrap_or(text);
    let all = lines(frames.trim_end());
    if all.is_empty() {
        return Vec::new();
    }
    let skipped = all.len().saturating_sub(MAX_TRACEBACK_LINES);
    let mut shown = vec![String::new()];
    if skipped > 0 {
        let as_u64 = u64::try_from(skipped).unwrap_or(u64::MAX);
        shown.push(format!("    … {} above", plural(as_u64, "line")));
    }
    let kept = all.iter().skip(skipped);
    // Whole, however narrow the terminal: at the end of such a line stand its number and function.
    shown.extend(kept.map(|line| format!("    {}", style.paint(Paint::Quiet, line))));
    shown
}

/// The one failure of a rehearsal: the error, its place, the way there.
pub(crate) fn of_rehearsal(failure: &FailureFigures, room: usize, style: Style) -> Vec<String> {
    let mut shown = error(failure, room, style);
    let place = wrap(&place(failure), room - 2, 3);
    shown.extend(place.iter().map(|line| format!("  {line}")));
    shown.extend(traceback(failure, style));
    shown
}
