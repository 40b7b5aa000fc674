//! The figures as text: `OpenMetrics` 1.0, and the older text format of Prometheus for those who do not ask for it.
//!
//! What others named stands in labels only, escaped; a name or a help text is always ours.

use crate::figures::spec::{Kind, Unit};
use crate::figures::{BOUNDS, Family, Labels, Snapshot, Tally, Value};
use std::fmt::Write;
use std::sync::LazyLock;

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    OpenMetrics,
    Text,
}

impl Form {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The upper ends of the buckets, as `OpenMetrics` wants them written.
static ENDS: LazyLock<Vec<String>> = LazyLock::new(|| BOUNDS.into_iter().map(bound).collect());

#[expect(clippy::cast_precision_loss, reason = "bounds are short")]
fn bound(ns: u64) -> String {
    if ns < 100_000 {
        // As Go writes it, down to the exponent: 1e-05.
        format!("{}e-05", ns / 10_000)
    } else {
        format!("{:?}", ns as f64 / 1e9)
    }
}

/// All figures as one text.
pub(crate) fn page(snapshot: &Snapshot, form: Form) -> String {
    let mut text = String::new();
    for family in &snapshot.families {
        head(&mut text, family, form);
        samples(&mut text, family);
    }
    if form == Form::OpenMetrics {
        text += "# EOF\n";
    }
    text
}

fn head(text: &mut String, family: &Family, form: Form) {
    let spec = family.spec;
    let kind = match (spec.kind, form) {
        (Kind::Info, Form::OpenMetrics) => "info",
        (Kind::Counter, _) => "counter",
        (Kind::Info | Kind::Sum | Kind::Gauge, _) => "gauge",
        (Kind::Histogram, _) => "histogram",
    };
    let mut name = spec.family();
    if form == Form::Text {
        // There a family is called as its samples are.
        name += ending(spec.kind);
    }
    let _ = writeln!(text, "# TYPE {name} {kind}");
    let unit = match spec.unit {
        Unit::Seconds => Some("seconds"),
        Unit::Bytes => Some("bytes"),
        Unit::PerSecond | Unit::None => None,
    };
    if let (Some(unit), Form::OpenMetrics) = (unit, form) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {}", spec.help);
}

fn ending(kind: Kind) -> &'static str {
    match kind {
        Kind::Info => "_info",
        Kind::Counter => "_total",
        Kind::Sum | Kind::Gauge | Kind::Histogram => "",
    }
}

fn samples(text: &mut String, family: &Family) {
    let name = family.spec.family();
    let ending = ending(family.spec.kind);
    for point in &family.points {
        match &point.value {
            Value::Count(count) => sample(text, &name, ending, &point.labels, None, count),
            Value::Number(number) => sample(text, &name, ending, &point.labels, None, number),
            Value::Durations(tally) => histogram(text, &name, &point.labels, tally),
        }
    }
}

fn histogram(text: &mut String, name: &str, labels: &Labels, tally: &Tally) {
    let mut upto = 0;
    let ends = ENDS.iter().map(String::as_str).chain(["+Inf"]);
    for (end, count) in ends.zip(tally.buckets) {
        upto += count;
        sample(text, name, "_bucket", labels, Some(("le", end)), &upto);
    }
    sample(text, name, "_count", labels, None, &tally.count);
    sample(text, name, "_sum", labels, None, &tally.sum_s());
}

fn sample(
    text: &mut String,
    name: &str,
    ending: &str,
    labels: &Labels,
    own: Option<(&str, &str)>,
    value: &dyn std::fmt::Display,
) {
    text.push_str(name);
    text.push_str(ending);
    let all = labels.iter().map(|(name, value)| (*name, &**value)).chain(own);
    for (at, (name, value)) in all.enumerate() {
        text.push(if at == 0 { '{' } else { ',' });
        text.push_str(name);
        text.push_str("=\"");
        escape(text, value);
        text.push('"');
    }
    let _ = writeln!(text, "}} {value}");
}

fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::figures::spec::ALL;
    use crate::sample::events;

    fn pages(form: Form) -> Vec<String> {
        let mut figures = Figures::default();
        let heard = events();
        let snapshots = heard.iter().filter_map(|event| figures.hear(event));
        snapshots.map(|snapshot| page(&snapshot, form)).collect()
    }

    #[test]
    fn the_last_page_has_everything() {
        let last = pages(Form::OpenMetrics).pop().unwrap();
        for spec in ALL {
            let is_told = last.contains(&format!("# TYPE {} ", spec.family()));
            let is_absent = ["setup", "teardown"].contains(&spec.name);
            assert_eq!(is_told, !is_absent, "{}", spec.name);
        }
        insta::assert_snapshot!(last);
    }

    #[test]
    fn before_the_start_there_is_the_run_alone() {
        insta::assert_snapshot!(pages(Form::OpenMetrics)[0]);
        insta::assert_snapshot!(pages(Form::Text)[0]);
    }

    #[test]
    fn the_older_form_has_the_same_samples() {
        let samples = |form| {
            let page = pages(form).pop().unwrap();
            let samples = page.lines().filter(|line| !line.starts_with('#'));
            samples.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(samples(Form::OpenMetrics), samples(Form::Text));
        let text = pages(Form::Text).pop().unwrap();
        assert!(text.contains("# TYPE pysurge_iterations_planned_total counter"));
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"));
    }

    #[test]
    fn a_hostile_name_is_one_value_in_one_line() {
        let page = pages(Form::OpenMetrics).pop().unwrap();
        let families: Vec<String> = ALL.iter().map(|spec| spec.family()).collect();
        for line in page.lines() {
            let known = families.iter().any(|family| line.starts_with(family.as_str()));
            assert!(known || line.starts_with("# "), "{line}");
        }
        // Only between lines, and never within one.
        assert!(
            !page
                .chars()
                .any(|c| c != '\n' && pysurge_core::harmless::is_harmful(c))
        );
    }
}
