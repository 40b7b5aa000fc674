//! Conditions on a comparison, such as `response_time.p95 > +5%`: what `--fail-if` says.
//!
//! A condition is met where a difference is *seen*, its interval does not hold 0, and as large as the condition says. What there is not
//! enough data of does not meet it; that is told.

use super::{Comparison, ConditionResult, ConditionState, MeasureComparison, Outcome, Unit};
use crate::span::parse_span;
use crate::threshold::ThresholdError;

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    measure: String,
    /// In which direction, and whether as much as the limit is enough.
    rises: bool,
    inclusive: bool,
    limit: Limit,
}

/// How large a difference is meant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// A share of the base.
    Relative(f64),
    /// In the unit of the measure.
    Absolute(f64),
}

/// A condition is about something that none of the compared tests has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no test that was compared has `{measure}`")]
pub struct UnknownMeasure {
    /// What it names.
    pub measure: String,
    /// What there is.
    pub hint: String,
}

/// What can be compared of durations.
const STATS: [&str; 6] = ["mean", "p50", "p90", "p95", "p99", "p99.9"];

impl Condition {
    /// Reads a condition: a measure, `>`, `>=`, `<` or `<=`, and by how much it differs from the base.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let at_operator = text
            .char_indices()
            .scan(false, |quoted, (at, c)| {
                *quoted ^= c == '"';
                Some((at, c, *quoted))
            })
            .find(|(_, c, quoted)| !quoted && matches!(c, '<' | '>' | '=' | '!'))
            .map(|(at, ..)| at);
        let Some(at_operator) = at_operator else {
            let end = text.trim_end().chars().count();
            return Err(error(
                end,
                1,
                "there is no `>` or `<`",
                "write by how much it may differ: response_time.p95 > +5%",
            ));
        };
        let (measure, rest) = text.split_at(at_operator);
        let place = |bytes: usize| text[..bytes].chars().count();
        let operator: String = rest
            .chars()
            .take_while(|c| matches!(c, '<' | '>' | '=' | '!'))
            .collect();
        let (rises, inclusive) = match operator.as_str() {
            ">" => (true, false),
            ">=" => (true, true),
            "<" => (false, false),
            "<=" => (false, true),
            _ => {
                return Err(error(
                    place(at_operator),
                    operator.len(),
                    format!("`{operator}` compares no difference"),
                    "write > +5% for what grew, < -5% for what shrank",
                ));
            }
        };
        let start = measure.len() - measure.trim_start().len();
        let measure = known_measure(measure.trim(), place(start))?;
        let limit_text = &rest[operator.len()..];
        let limit_start = at_operator + operator.len() + (limit_text.len() - limit_text.trim_start().len());
        let limit_text = limit_text.trim();
        let limit = limit(limit_text, unit_of(&measure), place(limit_start))?;
        let size = match limit {
            Limit::Relative(size) | Limit::Absolute(size) => size,
        };
        // `rate < 5%` would be met where nothing changed, `rate > -5%` too.
        if (rises && size < 0.0) || (!rises && size > 0.0) {
            let bare = limit_text.trim_start_matches(['+', '-']);
            return Err(error(
                place(limit_start),
                limit_text.chars().count(),
                "this would be met without any difference",
                if rises {
                    format!("write > +{bare}")
                } else {
                    format!("write < -{bare}")
                },
            ));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            measure,
            rises,
            inclusive,
            limit,
        })
    }

    /// How it stands in a comparison.
    pub fn judge(&self, comparison: &Comparison) -> Result<ConditionResult, UnknownMeasure> {
        let mut result = ConditionResult {
            expression: self.text.clone(),
            state: ConditionState::Passed,
            failing: Vec::new(),
            unknown: Vec::new(),
        };
        let mut is_known = false;
        for test in &comparison.tests {
            for measure in &test.measures {
                if plain(&measure.measure) != self.measure {
                    continue;
                }
                is_known = true;
                let title = test.title().to_owned();
                if measure.outcome == Outcome::NotEnoughData {
                    result.unknown.push(title);
                } else if self.is_met_by(measure) {
                    result.failing.push(title);
                }
            }
        }
        if !is_known && !self.is_always_known() {
            return Err(self.unknown(comparison));
        }
        result.state = match (result.failing.is_empty(), result.unknown.is_empty() && is_known) {
            (false, _) => ConditionState::Failed,
            (true, true) => ConditionState::Passed,
            (true, false) => ConditionState::NotEnoughData,
        };
        Ok(result)
    }

    fn is_met_by(&self, measure: &MeasureComparison) -> bool {
        let Some(difference) = measure.difference.filter(|_| measure.outcome.is_seen()) else {
            return false;
        };
        let (size, limit) = match self.limit {
            // From 0 on, any growth is beyond any share.
            Limit::Relative(limit) => (
                measure.relative.unwrap_or(difference.signum() * f64::INFINITY),
                limit,
            ),
            Limit::Absolute(limit) => (difference, limit),
        };
        let same = self.inclusive && (size - limit).abs() < 1e-12;
        same || if self.rises { size > limit } else { size < limit }
    }

    /// Whether every test has this measure, unless there is too little data: then it is no slip of the pen.
    fn is_always_known(&self) -> bool {
        !["metrics.", "timers.", "checks."]
            .iter()
            .any(|kind| self.measure.starts_with(kind))
    }

    fn unknown(&self, comparison: &Comparison) -> UnknownMeasure {
        let mut known: Vec<&str> = comparison
            .tests
            .iter()
            .flat_map(|test| &test.measures)
            .map(|measure| measure.measure.as_str())
            .collect();
        known.sort_unstable();
        known.dedup();
        let kind = self.measure.split('.').next().unwrap_or_default();
        let alike = known
            .iter()
            .filter(|name| strsim::jaro_winkler(&plain(name), &self.measure) > 0.9)
            .max_by(|a, b| {
                let alike = |name: &str| strsim::jaro_winkler(&plain(name), &self.measure);
                alike(a).total_cmp(&alike(b))
            });
        let of_kind: Vec<&str> = known
            .iter()
            .copied()
            .filter(|name| name.split('.').next() == Some(kind))
            .collect();
        let hint = match (alike, of_kind.as_slice()) {
            (Some(alike), _) => format!("did you mean `{alike}`?"),
            (None, []) => format!("they have no {kind} at all"),
            (None, of_kind) => format!("they have: {}", of_kind.join(", ")),
        };
        UnknownMeasure {
            measure: self.measure.clone(),
            hint,
        }
    }
}

fn error(at: usize, length: usize, message: impl Into<String>, hint: impl Into<String>) -> ThresholdError {
    ThresholdError {
        at,
        length: length.max(1),
        message: message.into(),
        hint: Some(hint.into()),
    }
}

/// A measure's name with every character but letters, digits, `.`, `-` and `_` as `_`, as thresholds have it.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn known_measure(written: &str, at: usize) -> Result<String, ThresholdError> {
    const KINDS: [&str; 9] = [
        "response_time",
        "service_time",
        "lateness",
        "failures",
        "dropped",
        "rate",
        "metrics",
        "timers",
        "checks",
    ];
    let length = written.chars().count();
    if written.is_empty() {
        return Err(error(
            at,
            1,
            "there is no measure",
            "write response_time.p95 > +5%",
        ));
    }
    let measure = plain(&written.replace('"', ""));
    let (kind, rest) = measure.split_once('.').unwrap_or((measure.as_str(), ""));
    if !KINDS.contains(&kind) {
        let alike = KINDS
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, kind).total_cmp(&strsim::jaro_winkler(b, kind)))
            .filter(|known| strsim::jaro_winkler(known, kind) > 0.75);
        let hint = match alike {
            Some(alike) => format!("did you mean `{alike}`?"),
            None => format!("there are: {}", KINDS.join(", ")),
        };
        return Err(error(
            at,
            kind.chars().count(),
            format!("`{kind}` is no measure"),
            hint,
        ));
    }
    let complaint = match (kind, rest) {
        ("response_time" | "service_time", stat) if !STATS.contains(&stat) => Some(format!(
            "write {kind}.mean, {kind}.p50, .p90, .p95, .p99 or .p99.9"
        )),
        ("lateness", stat) if stat != "p99" => {
            Some("of lateness, the p99 is compared: lateness.p99".to_owned())
        }
        ("failures" | "dropped" | "rate", rest) if !rest.is_empty() => Some(format!("write {kind} alone")),
        ("metrics", rest) if !has_stat(rest, &["mean"]) => {
            Some("of a metric, the mean is compared: metrics.NAME.mean".to_owned())
        }
        ("timers", rest) if !has_stat(rest, &["p50", "p95"]) => {
            Some("of a timer, these are compared: timers.NAME.p50, timers.NAME.p95".to_owned())
        }
        ("checks", "") => Some("write which check: checks.NAME".to_owned()),
        _ => None,
    };
    match complaint {
        Some(hint) => Err(error(at, length, format!("`{written}` is not compared"), hint)),
        None => Ok(measure),
    }
}

/// Whether it is a name, a point and one of these.
fn has_stat(named: &str, stats: &[&str]) -> bool {
    let split = named.rsplit_once('.');
    split.is_some_and(|(name, stat)| !name.is_empty() && stats.contains(&stat))
}

fn unit_of(measure: &str) -> Unit {
    match measure.split('.').next() {
        Some("failures" | "dropped" | "checks") => Unit::Share,
        Some("rate") => Unit::PerSecond,
        Some("metrics") => Unit::Number,
        _ => Unit::Seconds,
    }
}

fn limit(text: &str, unit: Unit, at: usize) -> Result<Limit, ThresholdError> {
    let length = text.chars().count();
    let wrong = |message: String, hint: &str| error(at, length, message, hint);
    let example = match unit {
        Unit::Seconds => "write +5%, or +20ms",
        Unit::Share => "write +5%, a share of the base's, or +1pp, percentage points",
        Unit::PerSecond => "write -5%, or -10/s",
        Unit::Number => "write +5%, or a plain number",
    };
    if text.is_empty() {
        return Err(wrong("there is no limit".to_owned(), example));
    }
    let (sign, bare) = match text.strip_prefix(['+', '-']) {
        Some(bare) if text.starts_with('-') => (-1.0, bare.trim_start()),
        Some(bare) => (1.0, bare.trim_start()),
        None => (1.0, text),
    };
    let number = |digits: &str| {
        let read: Option<f64> = digits.trim().parse().ok();
        read.filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| wrong(format!("`{text}` is no limit"), example))
    };
    if let Some(percent) = bare.strip_suffix('%') {
        return Ok(Limit::Relative(sign * number(percent)? / 100.0));
    }
    let size = match unit {
        Unit::Share => match bare.strip_suffix("pp") {
            Some(points) => number(points)? / 100.0,
            None => return Err(wrong(format!("`{text}` has no unit"), example)),
        },
        Unit::PerSecond => number(bare.strip_suffix("/s").unwrap_or(bare))?,
        Unit::Number => number(bare)?,
        Unit::Seconds if bare.ends_with(|c: char| c.is_ascii_digit()) => {
            return Err(wrong(format!("`{text}` has no unit"), example));
        }
        #[expect(clippy::cast_precision_loss, reason = "a limit")]
        Unit::Seconds => {
            let ns = parse_span(bare).map_err(|_| wrong(format!("`{text}` is no limit"), example))?;
            ns as f64 / 1e9
        }
    };
    Ok(Limit::Absolute(sign * size))
}
