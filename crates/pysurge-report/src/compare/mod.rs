//! Comparisons and the history of runs, shown: as text for a terminal, as Markdown for a pull request, as JSON for programs. Core has
//! compared; a view only draws it, so all three say the same.

mod history;
mod markdown;
mod text;

pub use history::{Glimpse, history_json, history_text};
pub use markdown::compare_markdown;
pub use text::compare_text;

use crate::text::{count, figure, one_line, plural, rate, run_time};
use pysurge_core::compare::{
    Comparison, ConditionResult, ConditionState, Interval, MeasureComparison, Outcome, RunRef,
    TestComparison, Unit,
};
use pysurge_core::span::format_span_f64;
use pysurge_core::verdict::Validity;

/// The comparison as pretty-printed JSON with a final newline.
pub fn compare_json(comparison: &Comparison) -> String {
    let mut text = serde_json::to_string_pretty(comparison).expect("numbers and strings are JSON");
    text.push('\n');
    text
}

/// The JSON Schema of [`compare_json`] as pretty-printed JSON with a final newline: the content of `docs/schema/compare.schema.json`.
pub fn compare_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Comparison))
        .expect("a schema is plain JSON without keys that are no strings");
    text.push('\n');
    text
}

/// What came of it in one sentence.
pub(crate) fn sentence(comparison: &Comparison) -> String {
    let outcomes = || {
        let measures = comparison.tests.iter().flat_map(|test| &test.measures);
        measures.map(|measure| measure.outcome)
    };
    let number = |wanted: Outcome| as_count(outcomes().filter(|outcome| *outcome == wanted).count());
    let seen = as_count(outcomes().filter(|outcome| outcome.is_seen()).count());
    let unknown = number(Outcome::NotEnoughData);
    let known = as_count(outcomes().count()) - unknown;
    let short = match unknown {
        0 => String::new(),
        n => format!("; not enough data for {}", count(n)),
    };
    if known == 0 {
        return format!("nothing could be compared{short}");
    }
    if seen == 0 {
        return format!("no difference seen in {}{short}", plural(known, "measure"));
    }
    let words = [Outcome::Slower, Outcome::Faster, Outcome::Higher, Outcome::Lower];
    let pieces: Vec<String> = words
        .into_iter()
        .filter(|outcome| number(*outcome) > 0)
        .map(|outcome| format!("{} {}", count(number(outcome)), outcome.words()))
        .collect();
    let verb = if seen == 1 { "differs" } else { "differ" };
    format!(
        "{} of {} {verb}: {}{short}",
        count(seen),
        plural(known, "measure"),
        pieces.join(", ")
    )
}

/// How it was compared, in one sentence.
pub(crate) fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let blocks = |n: usize| plural(as_count(n), "block");
    let times = if method.base_blocks == method.new_blocks {
        format!("{} a side", blocks(method.base_blocks))
    } else {
        format!("{} and {}", blocks(method.base_blocks), blocks(method.new_blocks))
    };
    format!(
        "{:.0} % intervals that hold together; block bootstrap over {times}, {} resamples, seed {}",
        method.confidence * 100.0,
        count(as_count(method.resamples)),
        method.seed
    )
}

fn as_count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A run in a line: its path and what it is.
pub(crate) fn of_run(run: &RunRef) -> (String, String) {
    let validity = match run.validity {
        Validity::Valid => "valid",
        Validity::Degraded => "degraded",
        Validity::Invalid => "invalid",
    };
    let facts = format!(
        "{}, {}, {validity}",
        when(&run.started_at),
        run_time(run.duration_s)
    );
    (one_line(&run.path), facts)
}

/// `2026-11-22 16:25:00 UTC` from ISO 8601 in UTC.
fn when(iso: &str) -> String {
    let plain = one_line(iso);
    match plain.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.chars().take(8).collect::<String>()),
        None => plain,
    }
}

/// A value of a measure; `-` where there is none.
pub(crate) fn value(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    match unit {
        Unit::Seconds => format_span_f64(value * 1e9),
        Unit::Share => format!("{} %", figure(value * 100.0)),
        Unit::PerSecond => format!("{}/s", rate(value)),
        Unit::Number => figure(value),
    }
}

/// A difference: of shares in percentage points, of anything else as a share of the base where there is one.
pub(crate) fn change(measure: &MeasureComparison) -> String {
    match (measure.unit, measure.relative, measure.difference) {
        (_, _, None) => String::new(),
        (Unit::Share, _, Some(difference)) => format!("{} pp", signed(difference * 100.0)),
        (_, Some(relative), _) => format!("{} %", signed(relative * 100.0)),
        (unit, None, Some(difference)) => {
            let sign = if difference < 0.0 { "-" } else { "+" };
            format!("{sign}{}", value(Some(difference.abs()), unit))
        }
    }
}

/// The interval in the unit of [`change`].
pub(crate) fn interval(measure: &MeasureComparison) -> String {
    let between =
        |Interval { low, high }: Interval| format!("{}…{}", signed(low * 100.0), signed(high * 100.0));
    match (measure.unit, measure.relative_interval, measure.interval) {
        (_, _, None) => String::new(),
        (Unit::Share, _, Some(points)) => format!("{} pp", between(points)),
        (_, Some(shares), _) => format!("{} %", between(shares)),
        (unit, None, Some(Interval { low, high })) => {
            let end = |end: f64| {
                let sign = if end < 0.0 { "-" } else { "+" };
                format!("{sign}{}", value(Some(end.abs()), unit))
            };
            format!("{}…{}", end(low), end(high))
        }
    }
}

/// A percentage with its sign: two decimals below 1, one below 100.
fn signed(percent: f64) -> String {
    let magnitude = percent.abs();
    let text = if magnitude < 0.005 {
        "0".to_owned()
    } else if magnitude < 0.995 {
        format!("{magnitude:.2}")
    } else if magnitude < 99.95 {
        format!("{magnitude:.1}")
    } else {
        figure(magnitude.round())
    };
    match (text.as_str(), percent < 0.0) {
        ("0", _) => "±0".to_owned(),
        (_, true) => format!("-{text}"),
        (_, false) => format!("+{text}"),
    }
}

/// Whether a row says nothing: nothing of it happened on either side.
fn is_trivial(measure: &MeasureComparison) -> bool {
    measure.measure == "dropped" && measure.base == Some(0.0) && measure.new == Some(0.0)
}

/// What is to be said of a condition: the tests and what they have of it.
pub(crate) fn of_condition(condition: &ConditionResult) -> String {
    let names = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| one_line(name)).collect();
        names.join(", ")
    };
    match condition.state {
        ConditionState::Passed => String::new(),
        ConditionState::Failed => format!("seen in {}", names(&condition.failing)),
        ConditionState::NotEnoughData if condition.unknown.is_empty() => "not enough data".to_owned(),
        ConditionState::NotEnoughData => format!("not enough data in {}", names(&condition.unknown)),
    }
}

/// The measures of a test in groups: those that differ by their last word stand together.
pub(crate) fn groups(test: &TestComparison) -> Vec<(&str, Vec<(&str, &MeasureComparison)>)> {
    let mut groups: Vec<(&str, Vec<(&str, &MeasureComparison)>)> = Vec::new();
    for measure in test.measures.iter().filter(|measure| !is_trivial(measure)) {
        let name = measure.measure.as_str();
        let stats = ["mean", "p50", "p90", "p95", "p99", "p99.9"];
        let split = stats.iter().find_map(|stat| {
            let group = name.strip_suffix(stat)?.strip_suffix('.')?;
            Some((group, &name[name.len() - stat.len()..]))
        });
        let (group, stat) = split.unwrap_or((name, ""));
        match groups.last_mut() {
            Some((last, rows)) if *last == group => rows.push((stat, measure)),
            _ => groups.push((group, vec![(stat, measure)])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_the_digits_that_matter() {
        for (percent, text) in [
            (0.0, "±0"),
            (0.004, "±0"),
            (-0.004, "±0"),
            (0.25, "+0.25"),
            (-9.96, "-10.0"),
            (99.94, "+99.9"),
            (216.7, "+217"),
            (123_456.0, "+123,456"),
        ] {
            assert_eq!(signed(percent), text);
        }
    }

    #[test]
    fn instants_are_short() {
        assert_eq!(when("2026-11-22T16:25:01.123456Z"), "2026-11-22 16:25:01 UTC");
        assert_eq!(when("yesterday"), "yesterday");
    }
}
