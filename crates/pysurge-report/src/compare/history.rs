//! The runs of a results folder, a line each: when, which, what came of it.

use crate::grid::{Cell, Grid};
use crate::style::{Paint, Style};
use crate::text::{count, one_line, rate};
use pysurge_core::span::format_span_f64;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What the history shows of a run: a part of its summary. Read leniently, so that folders that an older or newer pysurge wrote are shown,
/// too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Glimpse {
    /// The run's folder.
    pub folder: String,
    /// The run's name.
    pub name: String,
    /// When its iterations started, ISO 8601 UTC.
    pub started_at: String,
    /// `running`, `finished` or `killed`; a run that goes on no more and says `running` was killed and not rebuilt.
    pub status: String,
    /// Why it stopped.
    pub stop_cause: Option<String>,
    /// The exit code of its command.
    pub exit_code: Option<u8>,
    /// How long it was, seconds.
    pub duration_s: f64,
    /// Its verdict.
    pub verdict: GlimpseVerdict,
    /// Its thresholds.
    pub thresholds: Vec<GlimpseThreshold>,
    /// Its tests.
    pub tests: Vec<GlimpseTest>,
}

/// A verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlimpseVerdict {
    /// `valid`, `degraded` or `invalid`.
    pub validity: String,
}

/// A threshold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlimpseThreshold {
    /// As it was written.
    pub expression: String,
    /// `pending`, `passed`, `failed` or `no_data`.
    pub state: String,
}

/// A test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlimpseTest {
    /// What the config calls it.
    pub name: Option<String>,
    /// Its label.
    pub label: String,
    /// How its iterations ended.
    pub account: GlimpseAccount,
    /// Asked rate.
    pub asked_rate_per_s: Option<f64>,
    /// Achieved rate.
    pub achieved_rate_per_s: f64,
    /// Response times.
    pub response_time: GlimpseDurations,
}

/// How iterations ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlimpseAccount {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Dropped.
    pub dropped: u64,
}

/// Some of the figures of durations, seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub struct GlimpseDurations {
    /// Median.
    pub p50_s: Option<f64>,
    /// 95th percentile.
    pub p95_s: Option<f64>,
    /// 99th percentile.
    pub p99_s: Option<f64>,
}

impl Glimpse {
    /// Reads a summary; `None` where it is none.
    pub fn read(folder: &str, json: &[u8]) -> Option<Self> {
        let mut glimpse: Self = serde_json::from_slice(json).ok()?;
        folder.clone_into(&mut glimpse.folder);
        (!glimpse.status.is_empty() && !glimpse.started_at.is_empty()).then_some(glimpse)
    }
}

/// The runs as JSON: an array, the oldest first, with a final newline.
pub fn history_json(runs: &[Glimpse]) -> String {
    let mut text = serde_json::to_string_pretty(runs).expect("numbers and strings are JSON");
    text.push('\n');
    text
}

/// The runs as a table, the oldest first, ending in a line end; below it how to compare the last two. `held` counts thresholds.
pub fn history_text(runs: &[Glimpse], style: &Style) -> String {
    let style = *style;
    let mut grid = Grid {
        name: "run",
        head: vec![
            "asked", "rate", "p50", "p95", "p99", "failed", "held", "exit", "verdict",
        ],
        rows: Vec::new(),
    };
    for run in runs {
        let several = run.tests.len() > 1;
        let title = one_line(run.folder.rsplit('/').next().unwrap_or(&run.folder));
        match run.tests.as_slice() {
            [test] => grid.rows.push((title, cells(Some(run), Some(test)))),
            _ => grid.rows.push((title, cells(Some(run), None))),
        }
        if several {
            for test in &run.tests {
                let name = test.name.as_deref().unwrap_or(&test.label);
                grid.rows
                    .push((format!("  {}", one_line(name)), cells(None, Some(test))));
            }
        }
    }
    grid.shed(
        style.width(),
        24,
        &["asked", "exit", "p50", "held", "rate", "p99"],
    );
    let mut text = String::new();
    for line in grid.lines(style.width(), style) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(command) = compare_command(runs) {
        // In one piece, whatever the width: it is there to be copied.
        let head = style.paint(Paint::Quiet, "compare the last two:");
        let _ = write!(text, "\n{head}\n  {command}\n");
    }
    text
}

/// The last run that came to its end, with the one of the same name before it.
fn compare_command(runs: &[Glimpse]) -> Option<String> {
    let is_over = |run: &&Glimpse| run.status == "finished";
    let new = runs.iter().rfind(is_over)?;
    let base = runs
        .iter()
        .filter(is_over)
        .rfind(|run| run.name == new.name && run.folder != new.folder)?;
    Some(format!(
        "pysurge compare {} {}",
        quoted(&base.folder),
        quoted(&new.folder)
    ))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+:,@%".contains(c);
    if word.chars().all(is_plain) && !word.is_empty() {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn cells(run: Option<&Glimpse>, test: Option<&GlimpseTest>) -> Vec<Cell> {
    let plain = |text: Option<String>| Cell::plain(text.unwrap_or_default());
    let span =
        |of: fn(&GlimpseDurations) -> Option<f64>| {
            plain(test.map(|test| {
                of(&test.response_time).map_or_else(|| "-".to_owned(), |s| format_span_f64(s * 1e9))
            }))
        };
    let asked = test.map(|test| {
        test.asked_rate_per_s
            .map_or_else(|| "-".to_owned(), |n| format!("{}/s", rate(n)))
    });
    vec![
        plain(asked),
        plain(test.map(|test| format!("{}/s", rate(test.achieved_rate_per_s)))),
        span(|times| times.p50_s),
        span(|times| times.p95_s),
        span(|times| times.p99_s),
        plain(test.map(|test| count(test.account.failed))),
        plain(run.map(thresholds)),
        plain(run.map(|run| {
            run.exit_code
                .map_or_else(|| "-".to_owned(), |code| code.to_string())
        })),
        run.map_or_else(|| Cell::plain(""), verdict),
    ]
}

/// `3/4`: passed of all; nothing where there are none.
fn thresholds(run: &Glimpse) -> String {
    let passed = run
        .thresholds
        .iter()
        .filter(|threshold| threshold.state == "passed");
    match run.thresholds.len() {
        0 => "-".to_owned(),
        all => format!("{}/{all}", passed.count()),
    }
}

fn verdict(run: &Glimpse) -> Cell {
    match run.status.as_str() {
        "finished" => {}
        "killed" => return Cell::new("killed", Paint::Bad),
        _ => return Cell::new("unfinished", Paint::Bad),
    }
    match run.verdict.validity.as_str() {
        "valid" => Cell::new("valid", Paint::Good),
        "degraded" => Cell::new("degraded", Paint::Doubtful),
        "invalid" => Cell::new("invalid", Paint::Bad),
        other => Cell::plain(one_line(other)),
    }
}
