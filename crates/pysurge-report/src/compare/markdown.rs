//! A comparison as Markdown, for a comment on a pull request: the measures that differ and the usual ones at once, all of them folded.

use super::{change, interval, is_trivial, method, of_condition, of_run, sentence, value};
use crate::text::one_line;
use pysurge_core::compare::{Comparison, ConditionState, MeasureComparison, Outcome, RunRef, TestComparison};
use std::fmt::Write as _;

/// The measures that are shown also where no difference is seen.
const USUAL: [&str; 5] = [
    "response_time.p50",
    "response_time.p95",
    "response_time.p99",
    "failures",
    "rate",
];

/// The whole view, ending in a line end.
pub fn compare_markdown(comparison: &Comparison) -> String {
    let mut text = format!("### pysurge: {}\n\n", escaped(&sentence(comparison)));
    for condition in &comparison.conditions {
        let sign = match condition.state {
            ConditionState::Passed => "✅",
            ConditionState::Failed => "❌",
            ConditionState::NotEnoughData => "❔",
        };
        let said = of_condition(condition);
        let said = if said.is_empty() {
            said
        } else {
            format!(": {}", escaped(&said))
        };
        let _ = writeln!(text, "- {sign} {}{said}", code(&condition.expression));
    }
    for note in &comparison.notes {
        let word = if note.warning { "⚠️ " } else { "" };
        let _ = writeln!(text, "- {word}{}", escaped(&note.text));
    }
    if !comparison.conditions.is_empty() || !comparison.notes.is_empty() {
        text.push('\n');
    }
    table(&mut text, comparison, |measure| {
        measure.outcome.is_seen() || USUAL.contains(&measure.measure.as_str())
    });
    text.push_str("\n<details><summary>All measures, and how they were compared</summary>\n\n");
    table(&mut text, comparison, |measure| !is_trivial(measure));
    text.push('\n');
    for (side, runs) in [("base", &comparison.base), ("new", &comparison.new)] {
        for run in runs {
            let _ = writeln!(text, "- {side}: {}", of_side(run));
        }
    }
    let _ = writeln!(text, "- {}", escaped(&method(comparison)));
    text.push_str("\n</details>\n");
    text
}

fn of_side(run: &RunRef) -> String {
    let (path, facts) = of_run(run);
    format!("{} {}", code(&path), escaped(&facts))
}

fn table(text: &mut String, comparison: &Comparison, is_shown: impl Fn(&MeasureComparison) -> bool) {
    text.push_str("| test | measure | base | new | change | 95 % interval | |\n");
    text.push_str("|---|---|--:|--:|--:|--:|---|\n");
    for test in &comparison.tests {
        let mut title = escaped(&one_line(test.title()));
        for measure in test.measures.iter().filter(|measure| is_shown(measure)) {
            row(text, &title, test, measure);
            title.clear();
        }
    }
}

fn row(text: &mut String, title: &str, _test: &TestComparison, measure: &MeasureComparison) {
    let words = match measure.outcome {
        Outcome::NoDifferenceSeen | Outcome::NotEnoughData => measure.outcome.words().to_owned(),
        seen => format!("**{}**", seen.words()),
    };
    let _ = writeln!(
        text,
        "| {title} | {} | {} | {} | {} | {} | {words} |",
        code(&measure.measure),
        value(measure.base, measure.unit),
        value(measure.new, measure.unit),
        change(measure),
        interval(measure),
    );
}

/// A text in which Markdown and HTML see no signs of theirs.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A text as code; what would end it or the cell of a table is replaced.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'").replace('|', "¦"))
}
