//! What is said of a run that goes on in one line, from a summary that is still growing: on a small terminal, and in logs.

use crate::changes::times;
use crate::style::{Paint, Style};
use crate::text::{count, cut, one_line, plural, rate, width};
use pysurge_core::account::Account;
use pysurge_core::span::{format_clock, format_span_f64};
use pysurge_core::summary::{Durations, ModelName, Summary, TestSummary, ThresholdResult};
use pysurge_core::verdict::{CauseKind, Validity};
use std::ops::RangeInclusive;

/// What the line says beside the summary.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// No new iterations.
    pub(crate) stopping: bool,
    /// No iteration is planned until somebody resumes the run.
    pub(crate) paused: bool,
    /// Users of the closed tests, as planned.
    pub(crate) users: u64,
}

/// A piece of the line: how early it is given up where not all fit (0: never), its colour, its text.
type Part = (u8, Paint, String);

/// The figures that are shown: those that count or, as long as there are none, those of the warm-up.
struct Shown {
    account: Account,
    is_warmup: bool,
    p95_s: f64,
}

/// Whether all that was planned so far is warm-up.
pub(super) fn is_warmup(summary: &Summary) -> bool {
    let warmups = summary.tests.iter().filter_map(|test| test.warmup.as_ref());
    summary.account.planned == 0 && warmups.into_iter().any(|warmup| warmup.account.planned > 0)
}

impl Shown {
    fn of(summary: &Summary) -> Self {
        let warmups = || summary.tests.iter().filter_map(|test| test.warmup.as_ref());
        let worst = |all: &mut dyn Iterator<Item = &Durations>| {
            all.filter_map(|durations| durations.p95_s)
                .fold(f64::NAN, f64::max)
        };
        if is_warmup(summary) {
            let mut account = Account::default();
            for warmup in warmups() {
                account += warmup.account;
            }
            return Self {
                account,
                is_warmup: true,
                p95_s: worst(&mut warmups().map(|warmup| &warmup.response_time)),
            };
        }
        Self {
            account: summary.account,
            is_warmup: false,
            p95_s: worst(&mut summary.tests.iter().map(|test| &test.response_time)),
        }
    }
}

/// Columns of a failing threshold, at most.
const MAX_THRESHOLD_COLUMNS: usize = 40;

/// The parts of the line in the order shown; `brief` says what is wrong in fewer words.
fn parts(summary: &Summary, standing: Standing, brief: bool) -> Vec<Part> {
    let shown = Shown::of(summary);
    let account = shown.account;
    let in_flight =
        |tests: &mut dyn Iterator<Item = &TestSummary>| -> u64 { tests.map(|test| test.in_flight).sum() };
    let running = count(in_flight(&mut summary.tests.iter()));
    let mut parts: Vec<Part> = Vec::new();
    let time = match summary.planned_duration_s {
        _ if standing.stopping => format!("stopping, {running} running"),
        Some(planned_s) => {
            let left_s = (planned_s - summary.duration_s).max(0.0);
            format!("{:>6} left", format_clock(left_s * 1e9))
        }
        None => format!("{:>6}", format_clock(summary.elapsed_s * 1e9)),
    };
    let paused = standing.paused && !standing.stopping;
    if paused {
        parts.push((0, Paint::Doubtful, "PAUSED".to_owned()));
    }
    parts.push((0, Paint::Plain, time));
    if paused {
        parts.push((4, Paint::Plain, format!("{running} running")));
    }
    if shown.is_warmup {
        parts.push((0, Paint::Quiet, "warm-up".to_owned()));
    }
    #[expect(clippy::float_cmp, reason = "a factor is so many thousandths, and 1 is exact")]
    if summary.factor != 1.0 {
        parts.push((2, Paint::Strong, times(summary.factor)));
    }
    let failing = failing(&summary.thresholds, brief);
    let is_wrong = failing.is_some() || summary.verdict.validity != Validity::Valid;
    let failed_paint = if account.failed > 0 {
        Paint::Bad
    } else {
        Paint::Plain
    };
    parts.extend([
        (
            if is_wrong { 3 } else { 1 },
            Paint::Plain,
            format!("fired {}", count(account.fired())),
        ),
        (5, Paint::Plain, format!("passed {}", count(account.passed))),
        (0, failed_paint, format!("failed {}", count(account.failed))),
    ]);
    if !paused && !shown.is_warmup {
        parts.push((6, Paint::Plain, rates(summary)));
    }
    let closed = || {
        let tests = summary.tests.iter();
        tests.filter(|test| test.model == ModelName::Closed && test.not_run.is_none())
    };
    if standing.users > 0 && !paused && !standing.stopping && closed().next().is_some() {
        let busy = count(in_flight(&mut closed()));
        let of = plural(scaled(standing.users, summary.factor), "user");
        parts.push((4, Paint::Plain, format!("{busy} of {of} busy")));
    }
    let p95 = format_span_f64(shown.p95_s * 1e9);
    parts.push((7, Paint::Plain, format!("p95 {p95:>7}")));
    let (validity, paint) = match summary.verdict.validity {
        Validity::Valid => ("valid", Paint::Good),
        Validity::Degraded => ("degraded", Paint::Doubtful),
        Validity::Invalid => ("invalid", Paint::Bad),
    };
    if !shown.is_warmup {
        let cause = summary.verdict.causes.first();
        let text = match cause.filter(|_| !brief && summary.verdict.validity != Validity::Valid) {
            Some(cause) => format!("{validity}: {}", in_short(cause.kind)),
            None => validity.to_owned(),
        };
        parts.push((if is_wrong { 2 } else { 3 }, paint, text));
    }
    parts.extend(failing.map(|text| (1, Paint::Bad, text)));
    parts
}

/// A cause in two or three words.
fn in_short(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::NothingStarted => "nothing started",
        CauseKind::Dropped => "iterations dropped",
        CauseKind::Lost => "a worker died",
        CauseKind::NotEverywhere => "not on all workers",
        CauseKind::Late => "iterations late",
        CauseKind::WorkerCpu => "workers' CPU full",
        CauseKind::MachineCpu => "machine's CPU full",
        CauseKind::Gil => "waits for the GIL",
        CauseKind::Threads => "all threads busy",
        CauseKind::Limits => "a system limit",
        CauseKind::Swap => "swapping",
        CauseKind::StoodStill => "stood still",
        CauseKind::Killed => "killed",
    }
}

/// The thresholds that fail as things stand: the one, or how many.
fn failing(thresholds: &[ThresholdResult], brief: bool) -> Option<String> {
    let mut failing = thresholds.iter().filter(|result| result.state.fails());
    let first = failing.next()?;
    let more = u64::try_from(failing.count()).unwrap_or(u64::MAX);
    Some(if more == 0 && !brief {
        format!("✗ {}", cut(&one_line(&first.expression), MAX_THRESHOLD_COLUMNS))
    } else {
        format!("✗ {}", plural(more + 1, "threshold"))
    })
}

/// `15 of 15/s`; where a test has users and so asks for no rate, `123/s`.
fn rates(summary: &Summary) -> String {
    let ran = || summary.tests.iter().filter(|test| test.not_run.is_none());
    let achieved: f64 = ran().map(|test| test.achieved_rate_per_s).sum();
    let asked = ran().try_fold(0.0, |sum, test| Some(sum + test.asked_rate_per_s?));
    match asked {
        Some(asked) => format!("{} of {}/s", rate(achieved), rate(asked)),
        None => format!("{}/s", rate(achieved)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shown; the cast saturates"
)]
fn scaled(users: u64, factor: f64) -> u64 {
    ((users as f64 * factor).round() as u64).max(1)
}

/// The least wanted part.
const LEAST_WANTED: u8 = 7;

/// From this rank on parts are given up before a cause is told in fewer words.
const LESS_THAN_A_CAUSE: u8 = 5;

/// The line for a terminal, in one colour or many, within the style's width. With several tests, p95 is the worst one's.
pub(crate) fn line(summary: &Summary, standing: Standing, columns: usize, style: Style) -> String {
    let wide = |parts: &[Part]| -> usize {
        parts
            .iter()
            .map(|(_, _, text)| width(text) + 2)
            .sum::<usize>()
            .saturating_sub(2)
    };
    let without = |mut parts: Vec<Part>, ranks: RangeInclusive<u8>| {
        for least_wanted in ranks.rev() {
            if wide(&parts) <= columns {
                break;
            }
            parts.retain(|(rank, _, _)| *rank != least_wanted);
        }
        parts
    };
    // What is wrong is worth more than figures that the report tells anyway.
    let full = without(parts(summary, standing, false), LESS_THAN_A_CAUSE..=LEAST_WANTED);
    let parts = if wide(&full) <= columns {
        full
    } else {
        without(parts(summary, standing, true), 1..=LEAST_WANTED)
    };
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
pub(crate) fn plain_line(summary: &Summary, standing: Standing) -> String {
    let parts = parts(summary, standing, false);
    let texts = parts.iter().map(|(_, _, text)| text.trim_start());
    let texts: Vec<String> = texts.map(|text| text.replace("  ", " ")).collect();
    format!("{}: {}", format_clock(summary.elapsed_s * 1e9), texts.join(", "))
}
