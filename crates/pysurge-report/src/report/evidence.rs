//! What tells a slow service from a slow generator: where lateness came from, what the threads did, and the slowest iterations as they
//! were. Each stands there only where it says something.

use super::verdict::is_about;
use crate::style::{Paint, Style};
use crate::text::{cut, flow, moment, one_line, width};
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{ExhibitFigures, TestSummary};
use pysurge_core::verdict::{CauseKind, Verdict};

/// A lateness p99 from here on is taken apart: a millisecond, ten times what an idle machine has.
const LATE_S: f64 = 1e-3;

/// Slowest iterations that are shown; the summary has more.
const MAX_SLOWEST: usize = 3;

/// Columns of an error or of kwargs beside a slow iteration, at most.
const MAX_DETAIL_COLUMNS: usize = 60;

/// Where lateness came from, and what the threads did.
pub(super) fn of_threads(test: &TestSummary, verdict: &Verdict, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if is_late(test, verdict) {
        let parts = &test.lateness_parts;
        let (no_place, waited) = if test.coroutine {
            ("too many in flight", "waited for the event loop")
        } else {
            ("no free thread", "waited for the GIL")
        };
        let pieces: Vec<String> = [
            ("woke late", &parts.woke_late),
            (no_place, &parts.no_free_thread),
            (waited, &parts.waited_for_gil),
        ]
        .into_iter()
        .filter_map(|(name, part)| Some((name, part.p99_s?)))
        .filter(|(_, p99_s)| *p99_s > 0.0)
        .map(|(name, p99_s)| format!("{name} {}", format_span_f64(p99_s * 1e9)))
        .collect();
        if !pieces.is_empty() {
            lines.extend(flow("lateness p99 by cause:", &pieces, room));
        }
    }
    if let Some(share) = test.thread_time.cpu_share {
        let pieces = match (share * 100.0).round() {
            100.0.. => vec!["all the time in Python and C code".to_owned()],
            percent if percent < 1.0 => vec![
                "under 1 % in Python and C code".to_owned(),
                format!("the rest {}", if test.coroutine { "waiting" } else { "blocked" }),
            ],
            percent => vec![
                format!("{percent} % in Python and C code"),
                format!(
                    "{} % {}",
                    100.0 - percent,
                    if test.coroutine { "waiting" } else { "blocked" }
                ),
            ],
        };
        let who = if test.coroutine { "in flight:" } else { "threads:" };
        lines.extend(flow(who, &pieces, room));
    }
    lines
}

/// Whether lateness is worth a line: there is much, or the verdict speaks of it.
fn is_late(test: &TestSummary, verdict: &Verdict) -> bool {
    let p99_s = test.lateness.p99_s.unwrap_or(0.0);
    let speaks_of_it = verdict.causes.iter().any(|cause| {
        let of_lateness = match cause.kind {
            CauseKind::Late
            | CauseKind::WorkerCpu
            | CauseKind::MachineCpu
            | CauseKind::Gil
            | CauseKind::Threads => true,
            CauseKind::NothingStarted
            | CauseKind::Dropped
            | CauseKind::Lost
            | CauseKind::NotEverywhere
            | CauseKind::Limits
            | CauseKind::Swap
            | CauseKind::StoodStill
            | CauseKind::Killed => false,
        };
        of_lateness && is_about(cause, test)
    });
    test.lateness_parts.woke_late.count > 0 && (p99_s > LATE_S || (speaks_of_it && p99_s > 0.0))
}

/// The slowest iterations: in one line where there is nothing to say of them but when and how long.
pub(super) fn slowest(test: &TestSummary, room: usize, style: Style) -> Vec<String> {
    let slowest = &test.slowest[..test.slowest.len().min(MAX_SLOWEST)];
    // Of so few there is no slowest.
    if test.response_time.count <= 1 || slowest.is_empty() {
        return Vec::new();
    }
    let time = |exhibit: &ExhibitFigures| format_span_f64(exhibit.response_time_s * 1e9);
    let details: Vec<String> = slowest.iter().map(|exhibit| detail(exhibit, test)).collect();
    if details.iter().all(String::is_empty) {
        let each: Vec<String> = slowest
            .iter()
            .map(|exhibit| format!("{} at {}", time(exhibit), moment(exhibit.started_s)))
            .collect();
        return flow("slowest:", &each, room);
    }
    let rows: Vec<(String, String)> = slowest
        .iter()
        .map(|exhibit| (time(exhibit), moment(exhibit.started_s)))
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| width(text)).max().unwrap_or(0);
    let (times, moments) = (
        widest(&mut rows.iter().map(|(time, _)| time)),
        widest(&mut rows.iter().map(|(_, at)| at)),
    );
    let mut lines = vec![style.paint(Paint::Quiet, "slowest")];
    for ((time, at), detail) in rows.iter().zip(&details) {
        let head = format!("  {time:>times$}  at {at:<moments$}");
        let left = room.saturating_sub(width(&head) + 2).min(MAX_DETAIL_COLUMNS);
        lines.push(format!("{head}  {}", cut(detail, left)));
    }
    lines
}

/// How it failed, else its kwargs where the test's label does not tell them already.
fn detail(exhibit: &ExhibitFigures, test: &TestSummary) -> String {
    let kwargs = one_line(&exhibit.kwargs);
    match &exhibit.error {
        Some(error) => one_line(error),
        None if kwargs.is_empty() || kwargs == "{}" || one_line(&test.label).contains(&kwargs) => {
            String::new()
        }
        None => kwargs,
    }
}
