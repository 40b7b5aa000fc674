//! A comparison for a terminal: what stands against it, what came of it, then a table per test.

use super::{change, groups, interval, method, of_condition, of_run, sentence, value};
use crate::grid::{Cell, Grid};
use crate::report::heading;
use crate::style::{Paint, Style};
use crate::text::{cut, one_line, width, wrap};
use pysurge_core::compare::{Comparison, ConditionState, MeasureComparison, Outcome, TestComparison};

/// How far the body of a test is indented.
const INDENT: usize = 2;

/// Lines that a note may take.
const NOTE_LINES: usize = 4;

/// Lines that the reason may take why there is not enough data.
const WHY_LINES: usize = 3;

/// The whole view, ending in a line end.
pub fn compare_text(comparison: &Comparison, style: &Style) -> String {
    let style = *style;
    let mut lines = Vec::new();
    for (side, runs) in [("base", &comparison.base), ("new", &comparison.new)] {
        for (at, run) in runs.iter().enumerate() {
            let side = if at == 0 { side } else { "" };
            let (path, facts) = of_run(run);
            lines.extend(of_side(side, &path, &facts, style));
        }
    }
    lines.push(String::new());
    for note in &comparison.notes {
        let (word, paint) = if note.warning {
            ("warning", Paint::Doubtful)
        } else {
            ("note", Paint::Quiet)
        };
        lines.extend(labelled(word, paint, &note.text, style));
    }
    if !comparison.notes.is_empty() {
        lines.push(String::new());
    }
    let paint = sentence_paint(comparison);
    let summed = wrap(&sentence(comparison), style.width(), 3);
    lines.extend(summed.iter().map(|line| style.paint(paint, line)));
    lines.extend(conditions(comparison, style));
    for test in &comparison.tests {
        lines.push(String::new());
        lines.extend(of_test(test, style));
    }
    lines.push(String::new());
    let method = wrap(&method(comparison), style.width(), 4);
    lines.extend(method.iter().map(|line| style.paint(Paint::Quiet, line)));
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn of_side(side: &str, path: &str, facts: &str, style: Style) -> Vec<String> {
    let one = format!("{side:5}{path}  {facts}");
    if width(&one) <= style.width() {
        let (head, facts) = (format!("{side:5}{path}  "), style.paint(Paint::Quiet, facts));
        return vec![format!("{head}{facts}")];
    }
    vec![
        cut(&format!("{side:5}{path}"), style.width()),
        style.paint(Paint::Quiet, &cut(&format!("     {facts}"), style.width())),
    ]
}

fn labelled(word: &str, paint: Paint, text: &str, style: Style) -> Vec<String> {
    let room = style.width().saturating_sub(INDENT);
    let wrapped = wrap(&format!("{word}: {}", one_line(text)), room, NOTE_LINES);
    let mut lines = wrapped.into_iter();
    let first = lines.next().map(|line| match line.strip_prefix(word) {
        Some(rest) => format!("{}{rest}", style.paint(paint, word)),
        None => line,
    });
    first
        .into_iter()
        .chain(lines.map(|line| format!("  {line}")))
        .collect()
}

fn sentence_paint(comparison: &Comparison) -> Paint {
    let measures = || comparison.tests.iter().flat_map(|test| &test.measures);
    if measures().any(|measure| measure.outcome.is_seen()) {
        Paint::Doubtful
    } else if measures().any(|measure| measure.outcome == Outcome::NoDifferenceSeen) {
        Paint::Good
    } else {
        Paint::Strong
    }
}

fn conditions(comparison: &Comparison, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for condition in &comparison.conditions {
        let (sign, paint) = match condition.state {
            ConditionState::Passed => ("✓", Paint::Good),
            ConditionState::Failed => ("✗", Paint::Bad),
            ConditionState::NotEnoughData => ("?", Paint::Doubtful),
        };
        let said = format!("{}  {}", one_line(&condition.expression), of_condition(condition));
        let wrapped = wrap(said.trim(), style.width() - 4, 3);
        for (at, line) in wrapped.iter().enumerate() {
            let sign = if at == 0 {
                style.paint(paint, sign)
            } else {
                " ".to_owned()
            };
            lines.push(format!("  {sign} {line}"));
        }
    }
    lines
}

fn of_test(test: &TestComparison, style: Style) -> Vec<String> {
    let mut lines = vec![heading(&one_line(test.title()), style)];
    let mut rows = Vec::new();
    for (group, measures) in groups(test) {
        let group = one_line(group);
        if let [(stat, measure)] = measures.as_slice() {
            let name = if stat.is_empty() {
                group
            } else {
                format!("{group}.{stat}")
            };
            rows.push((name, cells(measure)));
        } else {
            rows.push((group, vec![Cell::plain(""); 5]));
            rows.extend(
                measures
                    .iter()
                    .map(|(stat, measure)| (format!("  {stat}"), cells(measure))),
            );
        }
    }
    let mut grid = Grid {
        name: "",
        head: vec!["base", "new", "change", "interval", ""],
        rows,
    };
    let room = style.width() - INDENT;
    // Names that are longer take a line of their own.
    grid.shed(room, 8, &["interval", "base", "new"]);
    lines.extend(
        grid.lines(room, style)
            .into_iter()
            .map(|line| format!("{:INDENT$}{line}", "")),
    );
    let mut whys: Vec<(&str, Vec<String>)> = Vec::new();
    for measure in &test.measures {
        let Some(why) = measure.why.as_deref() else {
            continue;
        };
        let name = one_line(&measure.measure);
        match whys.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => whys.push((why, vec![name])),
        }
    }
    lines.extend(
        whys.iter()
            .flat_map(|(why, names)| wrap(&format!("{}: {why}", names.join(", ")), room, WHY_LINES))
            .map(|line| format!("{:INDENT$}{}", "", style.paint(Paint::Quiet, &line))),
    );
    lines
}

fn cells(measure: &MeasureComparison) -> Vec<Cell> {
    let paint = match measure.outcome {
        Outcome::Slower => Paint::Bad,
        Outcome::Faster => Paint::Good,
        Outcome::Higher | Outcome::Lower => Paint::Doubtful,
        Outcome::NoDifferenceSeen | Outcome::NotEnoughData => Paint::Quiet,
    };
    vec![
        Cell::plain(value(measure.base, measure.unit)),
        Cell::plain(value(measure.new, measure.unit)),
        Cell::plain(change(measure)),
        Cell::new(interval(measure), Paint::Quiet),
        Cell::new(measure.outcome.words(), paint),
    ]
}
