//! The head of the report: the verdict, how the run went as a whole, and below it every cause with what to try.

use super::{item, title};
use crate::changes;
use crate::style::{Paint, Style};
use crate::text::{count, cut, one_line, plural, run_time, wrap};
use pysurge_core::account::Account;
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{Status, StopCause, Summary, TestSummary};
use pysurge_core::verdict::{Cause, Validity};

/// Causes that are listed under a verdict; the rest is counted.
const MAX_CAUSES: usize = 8;

/// Columns of a test's label in front of a cause.
const MAX_CAUSE_LABEL_COLUMNS: usize = 40;

/// The verdict's word and its colour.
fn validity(validity: Validity) -> (&'static str, Paint) {
    match validity {
        Validity::Valid => ("VALID", Paint::Good),
        Validity::Degraded => ("DEGRADED", Paint::Doubtful),
        Validity::Invalid => ("INVALID", Paint::Bad),
    }
}

pub(super) fn lines(summary: &Summary, style: Style) -> Vec<String> {
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
    if let Some(why) = stopped(summary) {
        body.extend(wrap(&why, room, 3));
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
    if summary.verdict.validity != Validity::Valid && !summary.verdict.causes.is_empty() {
        lines.push(String::new());
        lines.extend(causes(summary, style));
    }
    lines
}

fn causes(summary: &Summary, style: Style) -> Vec<String> {
    let causes = &summary.verdict.causes;
    let lead = match summary.verdict.validity {
        Validity::Valid | Validity::Degraded => "Read the figures with this in mind:",
        Validity::Invalid => "The figures are the generator's, or part of them is missing:",
    };
    let mut lines = item("  ", lead, style);
    for cause in causes.iter().take(MAX_CAUSES) {
        lines.extend(item("  - ", &said(cause, &summary.tests), style));
        if let Some(advice) = &cause.advice {
            lines.extend(item("      ", &one_line(advice), style));
        }
    }
    if causes.len() > MAX_CAUSES {
        lines.push(format!("  - and {} more", causes.len() - MAX_CAUSES));
    }
    lines
}

/// A cause behind the test it is about: needless with one test.
fn said(cause: &Cause, tests: &[TestSummary]) -> String {
    let what = one_line(&cause.text);
    match &cause.test {
        Some(test) if tests.len() > 1 => {
            format!("{}: {what}", cut(&one_line(test), MAX_CAUSE_LABEL_COLUMNS))
        }
        _ => what,
    }
}

/// Whether a cause is about this test, or about all of them.
pub(super) fn is_about(cause: &Cause, test: &TestSummary) -> bool {
    cause
        .test
        .as_ref()
        .is_none_or(|named| one_line(named) == title(test))
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
        plural(as_u64(summary.places()), "worker"),
        run_time(summary.duration_s)
    )
}

/// `9,950 passed, 0 failed, 45 dropped`: what should not be there stands there only where it is.
pub(super) fn ended(account: Account) -> String {
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

fn stopped(summary: &Summary) -> Option<String> {
    match summary.status {
        Status::Running => return Some("it goes on: the figures so far".to_owned()),
        Status::Killed => return Some("killed before its end: the figures up to then".to_owned()),
        Status::Finished => {}
    }
    let why = match summary.stop_cause? {
        StopCause::Duration => return None,
        StopCause::Iterations => "ended when every planned iteration was done",
        StopCause::Threshold => {
            let mut aborted = summary.thresholds.iter().filter(|result| result.aborted);
            let which = aborted.next().map(|result| one_line(&result.expression));
            let which = which.map_or_else(String::new, |which| format!(": {which}"));
            return Some(format!("stopped because a threshold failed{which}"));
        }
        StopCause::Signal => "stopped on request",
        StopCause::SecondSignal => "cut short on request: running iterations were abandoned",
        StopCause::WorkersLost => "ended because every worker died",
    };
    Some(why.to_owned())
}
