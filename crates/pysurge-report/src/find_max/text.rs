//! A search in words: the line of a level, the result in one sentence, and all of it at the end.

use super::drawing::drawing;
use super::{FindMax, LevelRecord, LevelState, ResultRecord};
use crate::grid::{Cell, Grid};
use crate::style::{Paint, Style};
use crate::text::{one_line, plural, rate, run_time, wrap};
use pysurge_core::search::{SearchEnd, Signal, SignalKind};
use pysurge_core::span::format_span_f64;
use pysurge_core::verdict::Validity;

/// Columns of a level's number and rate in its line.
const NUMBER_COLUMNS: usize = 3;
const RATE_COLUMNS: usize = 10;
const SPAN_COLUMNS: usize = 7;

/// The result in one sentence, without a full stop.
pub fn sentence(result: &ResultRecord) -> String {
    let per = |per_s: f64| format!("{}/s", rate(per_s));
    let limit = result.limit.as_ref().map(phrase);
    let at = match (result.failed_rate_per_s, &limit) {
        (Some(failed), Some(limit)) => format!("at {} {limit}", per(failed)),
        _ => "nothing failed".to_owned(),
    };
    let over = match result.end {
        SearchEnd::MaxTime => Some("the time was over (--max-time)"),
        SearchEnd::Stopped => Some("the search was stopped"),
        SearchEnd::Found | SearchEnd::MaxRate | SearchEnd::NothingHeld => None,
    };
    let Some(held) = result.held_rate_per_s else {
        return match (over, result.failed_rate_per_s) {
            (Some(over), None) => format!("{over} before a level had ended"),
            (Some(over), Some(_)) => format!("no rate held before {over}: {at}"),
            (None, _) => format!("no rate held: {at}"),
        };
    };
    let held = per(held);
    let confirmed = if result.confirmed { "" } else { ", not confirmed" };
    match (result.end, over) {
        (SearchEnd::MaxRate, _) => {
            format!(
                "at least {held}{confirmed}: it held and is the highest rate that was allowed (--max-rate)"
            )
        }
        (_, Some(over)) => format!("at least {held}{confirmed}: it held, then {over}; {at}"),
        _ if result.at_least => {
            format!("at least {held}{confirmed}: the generator's limit was reached before the target's; {at}")
        }
        _ => format!("{held} is the highest rate that held{confirmed}; {at}"),
    }
}

/// What a signal says, to stand behind `at 203/s`.
fn phrase(signal: &Signal) -> String {
    let text = one_line(&signal.text);
    match (signal.kind, &signal.objective) {
        (SignalKind::Objective, Some(objective)) => format!("`{}` failed: {text}", one_line(objective)),
        (SignalKind::Objective | SignalKind::Rate, _) => {
            format!("the target could not keep the rate: {text}")
        }
        (SignalKind::Generator, _) => format!("the generator could not keep its schedule: {text}"),
    }
}

/// The line that a level leaves when it has ended.
pub(super) fn level_line(level: &LevelRecord, style: Style) -> String {
    let span = |seconds: Option<f64>| {
        seconds.map_or_else(|| "-".to_owned(), |seconds| format_span_f64(seconds * 1e9))
    };
    let times = &level.response_time;
    let figures = format!(
        "{:>NUMBER_COLUMNS$} {:>RATE_COLUMNS$}  p50 {:>SPAN_COLUMNS$}  p95 {:>SPAN_COLUMNS$}  p99 {:>SPAN_COLUMNS$}  failed {:>6}  ",
        level.number,
        format!("{}/s", rate(level.rate_per_s)),
        span(times.p50_s),
        span(times.p95_s),
        span(times.p99_s),
        percent(level.failed_share()),
    );
    let state = style.paint(paint(level.state), word(level.state));
    let longer = if level.confirmation {
        format!(" for {}", run_time(level.hold_s))
    } else {
        String::new()
    };
    let early = if level.ended_early { " (ended early)" } else { "" };
    let why = level.signal.as_ref().map(reason).unwrap_or_default();
    format!("{figures}{state}{longer}{early}{why}")
}

fn reason(signal: &Signal) -> String {
    let objective = signal.objective.as_deref().map(one_line);
    let objective = objective
        .map(|objective| format!("{objective}: "))
        .unwrap_or_default();
    format!(": {objective}{}", one_line(&signal.text))
}

fn word(state: LevelState) -> &'static str {
    match state {
        LevelState::Held => "held",
        LevelState::Failed => "failed",
        LevelState::GeneratorLimited => "generator",
    }
}

fn paint(state: LevelState) -> Paint {
    match state {
        LevelState::Held => Paint::Good,
        LevelState::Failed => Paint::Bad,
        LevelState::GeneratorLimited => Paint::Doubtful,
    }
}

/// The whole view, ending in a line end.
pub fn find_max_text(search: &FindMax, style: &Style) -> String {
    let style = *style;
    let mut lines = Vec::new();
    if let Some(result) = &search.result {
        let paint = match (result.held_rate_per_s, result.at_least) {
            (None, _) => Paint::Bad,
            (Some(_), true) => Paint::Doubtful,
            (Some(_), false) => Paint::Good,
        };
        lines.extend(
            wrap(&result.text, style.width(), 6)
                .iter()
                .map(|line| style.paint(paint, line)),
        );
        lines.extend(wrap(&about(search, result), style.width(), 6));
    }
    if !search.levels.is_empty() {
        lines.push(String::new());
        lines.extend(table(search, style));
        let drawn = drawing(search, style);
        if !drawn.is_empty() {
            lines.push(String::new());
            lines.extend(drawn);
        }
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The interval, and how sure it is.
fn about(search: &FindMax, result: &ResultRecord) -> String {
    let mut pieces = Vec::new();
    if let (Some(held), Some(failed)) = (result.held_rate_per_s, result.failed_rate_per_s) {
        let apart = (failed / held - 1.0) * 100.0;
        pieces.push(format!(
            "the limit lies between {}/s and {}/s ({apart:.1} % apart)",
            rate(held),
            rate(failed)
        ));
    }
    if result.confirmed {
        pieces.push(format!("confirmed for {}", run_time(search.terms.confirm_s)));
    }
    let levels = u64::try_from(search.levels.len()).unwrap_or(u64::MAX);
    pieces.push(format!(
        "{} of {} in {}",
        plural(levels, "level"),
        run_time(search.terms.hold_s),
        run_time(search.elapsed_s.round())
    ));
    pieces.join("; ")
}

/// Latency against rate, the lowest rate first.
fn table(search: &FindMax, style: Style) -> Vec<String> {
    let mut levels: Vec<&LevelRecord> = search.levels.iter().collect();
    levels.sort_by(|a, b| {
        a.rate_per_s
            .total_cmp(&b.rate_per_s)
            .then(a.number.cmp(&b.number))
    });
    let span = |seconds: Option<f64>| {
        let text = seconds.map_or_else(|| "-".to_owned(), |seconds| format_span_f64(seconds * 1e9));
        Cell::plain(text)
    };
    let rows = levels.into_iter().map(|level| {
        let times = &level.response_time;
        let verdict = match level.verdict.validity {
            Validity::Valid => Cell::plain("valid"),
            Validity::Degraded => Cell::new("degraded", Paint::Doubtful),
            Validity::Invalid => Cell::new("invalid", Paint::Bad),
        };
        let cells = vec![
            span(times.p50_s),
            span(times.p90_s),
            span(times.p95_s),
            span(times.p99_s),
            span(times.max_s),
            Cell::plain(percent(level.failed_share())),
            verdict,
            Cell::new(word(level.state), paint(level.state)),
        ];
        (format!("{}/s", rate(level.rate_per_s)), cells)
    });
    let mut grid = Grid {
        name: "rate",
        head: vec!["p50", "p90", "p95", "p99", "max", "failed", "verdict", "result"],
        rows: rows.collect(),
    };
    grid.shed(style.width(), RATE_COLUMNS, &["max", "p90", "verdict", "p95"]);
    grid.lines(style.width(), style)
}

/// `0 %`, `0.4 %`, `12 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}
