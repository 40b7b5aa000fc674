//! What the progress line says, from a summary that is still growing. Pure text: [`crate::live`] draws it.

use crate::style::{Paint, Style};
use crate::text::{count, cut, rate, width};
use pysurge_core::span::{format_clock, format_span_f64};
use pysurge_core::summary::Summary;
use pysurge_core::verdict::Validity;

/// The parts of the line in the order shown: how early each is given up where they do not fit (0: never), its
/// colour, its text.
fn parts(summary: &Summary, stopping: bool) -> Vec<(u8, Paint, String)> {
    let account = summary.account;
    let in_flight: u64 = summary.tests.iter().map(|test| test.in_flight).sum();
    let time = match summary.planned_duration_s {
        _ if stopping => format!("stopping, {} running", count(in_flight)),
        Some(planned_s) => {
            let left_s = (planned_s - summary.duration_s).max(0.0);
            format!("{:>6} left", format_clock(left_s * 1e9))
        }
        None => format!("{:>6}", format_clock(summary.elapsed_s * 1e9)),
    };
    let ran = summary.tests.iter().filter(|test| test.not_run.is_none());
    let (asked, achieved) = ran.fold((0.0, 0.0), |(asked, achieved), test| {
        (asked + test.asked_rate_per_s, achieved + test.achieved_rate_per_s)
    });
    let p95_s = summary
        .tests
        .iter()
        .filter_map(|test| test.response_time.p95_s)
        .fold(f64::NAN, f64::max);
    let failed_paint = if account.failed > 0 {
        Paint::Bad
    } else {
        Paint::Plain
    };
    let (validity, paint) = match summary.verdict.validity {
        Validity::Valid => ("valid", Paint::Good),
        Validity::Degraded => ("degraded", Paint::Doubtful),
        Validity::Invalid => ("invalid", Paint::Bad),
    };
    vec![
        (0, Paint::Plain, time),
        (1, Paint::Plain, format!("fired {}", count(account.fired()))),
        (3, Paint::Plain, format!("passed {}", count(account.passed))),
        (0, failed_paint, format!("failed {}", count(account.failed))),
        (
            4,
            Paint::Plain,
            format!("{} of {}/s", rate(achieved), rate(asked)),
        ),
        (
            5,
            Paint::Plain,
            format!("p95 {:>7}", format_span_f64(p95_s * 1e9)),
        ),
        (2, paint, validity.to_owned()),
    ]
}

/// The line for a terminal, in one colour or many, within the style's width. With several tests, p95 is the worst one's.
pub(crate) fn line(summary: &Summary, stopping: bool, columns: usize, style: Style) -> String {
    let mut parts = parts(summary, stopping);
    let wide = |parts: &[(u8, Paint, String)]| -> usize {
        parts
            .iter()
            .map(|(_, _, text)| width(text) + 2)
            .sum::<usize>()
            .saturating_sub(2)
    };
    for least_wanted in (1..=5).rev() {
        if wide(&parts) <= columns {
            break;
        }
        parts.retain(|(rank, _, _)| *rank != least_wanted);
    }
    if wide(&parts) > columns {
        let texts: Vec<String> = parts.into_iter().map(|(_, _, text)| text).collect();
        return cut(&texts.join("  "), columns);
    }
    let painted: Vec<String> = parts
        .iter()
        .map(|(_, paint, text)| style.paint(*paint, text))
        .collect();
    painted.join("  ")
}

/// The plain line for a log or a pipe.
pub(crate) fn plain_line(summary: &Summary, stopping: bool) -> String {
    let parts = parts(summary, stopping);
    let texts = parts.iter().map(|(_, _, text)| text.trim_start());
    let texts: Vec<String> = texts.map(|text| text.replace("  ", " ")).collect();
    format!("{}: {}", format_clock(summary.elapsed_s * 1e9), texts.join(", "))
}
