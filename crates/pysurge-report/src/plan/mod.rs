//! What a plan will fire, shown without firing it: as text for a terminal, as a picture, as JSON. The forecast comes from core; a view
//! only draws it, so all three say the same.

mod axis;
mod json;
mod svg;
mod text;

pub use json::plan_json;
pub use svg::plan_svg;
pub use text::plan_text;

pub(crate) use axis::Scale;

use crate::text::{count, plural, rate, run_time};
use axis::RateUnit;
use pysurge_core::forecast::{BUCKETS, Forecast, Planned, Spread, TestForecast};
use pysurge_core::span::format_span_plain;

/// Arrivals that a bar stands for in the mean, at least: fewer show chance and not the load.
const MIN_PER_BAR: u64 = 6;

/// What a test is called: as the config calls it, else its label.
fn title(test: &TestForecast) -> &str {
    test.name.as_deref().unwrap_or(&test.label)
}

/// The model and the load: `open model: 50/s, evenly spaced`.
fn load(test: &TestForecast) -> String {
    let model = if test.is_closed() { "closed" } else { "open" };
    format!("{model} model: {}", test.load)
}

/// `3,000`, `at most 100`; `-` where nobody knows.
fn planned(planned: Planned) -> String {
    match planned {
        Planned::Exactly(n) => count(n),
        Planned::AtMost(n) => format!("at most {}", count(n)),
        Planned::Unknown => "-".to_owned(),
    }
}

/// When a test begins and ends, in words.
fn times(test: &TestForecast) -> String {
    if is_unknown(test) {
        return "its load is known once its shape or recording is read".to_owned();
    }
    let start = if test.start_ns == 0 {
        "starts at once".to_owned()
    } else {
        format!("starts after {}", format_span_plain(test.start_ns))
    };
    let end = match (test.end_ns, test.planned) {
        (Some(end_ns), _) => format!("ends after {}", run_time(seconds(end_ns))),
        (None, Planned::Exactly(_)) => "ends when its iterations are done".to_owned(),
        (None, _) => "goes on until Ctrl+C".to_owned(),
    };
    let warmup = if test.has_warmup() {
        let length_ns = test.warmup_ends_ns - test.start_ns;
        format!("; the first {} are warm-up", format_span_plain(length_ns))
    } else {
        String::new()
    };
    format!("{start}, {end}{warmup}")
}

/// Whether its shape was not sampled or its recording not read.
fn is_unknown(test: &TestForecast) -> bool {
    test.buckets.is_empty() && !test.is_closed()
}

/// The threads it needs, and whether there may be as many.
fn threads(test: &TestForecast) -> String {
    let takes = test.max_duration_ns.map_or_else(String::new, |ns| {
        format!(" if iterations take {}", format_span_plain(ns))
    });
    match test.threads_needed {
        _ if is_unknown(test) => String::new(),
        Some(needed) if test.is_closed() && test.threads_short == 0 => {
            format!("needs {}, one per user", plural(needed, "thread"))
        }
        Some(needed) if test.threads_short == 0 => {
            format!("needs about {} at the peak{takes}", plural(needed, "thread"))
        }
        Some(needed) => format!(
            "needs about {} at the peak{takes}, and there may be {}: iterations will start late",
            plural(needed, "thread"),
            count(test.threads_allowed)
        ),
        None => format!(
            "threads: as many as are needed, up to {}; nobody says how long an iteration takes (max_duration)",
            count(test.threads_allowed)
        ),
    }
}

/// The sums over all tests in one line.
fn totals(forecast: &Forecast) -> String {
    let totals = forecast.totals();
    let mut pieces = Vec::new();
    let warmup = match totals.warmup {
        Some(0) | None => String::new(),
        Some(n) => format!(", {} of them warm-up", count(n)),
    };
    match totals.planned {
        Planned::Exactly(n) => pieces.push(format!("{} planned{warmup}", plural(n, "iteration"))),
        Planned::AtMost(n) => pieces.push(format!("at most {} planned", plural(n, "iteration"))),
        Planned::Unknown => pieces.extend(by_schedule(forecast)),
    }
    let recorded = forecast.tests.iter().any(|test| test.spread == Spread::Recorded);
    if let Some(per_s) = totals.peak_per_s {
        let about = if recorded { "about " } else { "" };
        pieces.push(format!("peak {about}{}", per(per_s)));
    }
    if let Some(users) = totals.users {
        pieces.push(plural(users, "user"));
    }
    if let Some(threads) = totals.threads_needed {
        let short = match totals.threads_short {
            0 => String::new(),
            n => format!(", {} more than there may be", count(n)),
        };
        pieces.push(format!("about {}{short}", plural(threads, "thread")));
    }
    pieces.push(plural(u64::from(forecast.workers), "worker"));
    pieces.push(match (forecast.end_ns, totals.planned) {
        (Some(end_ns), _) => format!("ends after {}", run_time(seconds(end_ns))),
        (None, Planned::Exactly(_)) => "ends when all are done".to_owned(),
        (None, _) if forecast.tests.iter().any(is_unknown) => "its end is known once all is read".to_owned(),
        (None, _) => "goes on until Ctrl+C".to_owned(),
    });
    format!("in all: {}", pieces.join("; "))
}

/// The iterations of the open tests, beside which those of users are not known.
fn by_schedule(forecast: &Forecast) -> Option<String> {
    let mut open = forecast.tests.iter().filter(|test| !test.is_closed()).peekable();
    open.peek()?;
    let count = open.try_fold(0u64, |sum, test| Some(sum.saturating_add(test.planned.exact()?)))?;
    Some(format!("{} by schedule", plural(count, "iteration")))
}

/// A rate in the unit that suits it: `50/s`, `2/h`.
fn per(per_s: f64) -> String {
    let unit = RateUnit::of(per_s);
    format!("{}{}", rate(unit.value(per_s)), unit.sign())
}

#[expect(clippy::cast_precision_loss, reason = "shown")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The arrivals of a test as rates per second, in at most so many bars of equal width; none where the line says it better:
/// evenly spaced arrivals, counted in bars, would only show how the bars are cut.
#[expect(clippy::cast_precision_loss, reason = "shown")]
fn bars(test: &TestForecast, span_ns: u64, most: usize) -> Vec<f64> {
    if !matches!(test.spread, Spread::Poisson | Spread::Recorded) || test.buckets.is_empty() {
        return Vec::new();
    }
    let in_all: u64 = test.buckets.iter().sum();
    let enough = usize::try_from(in_all / MIN_PER_BAR).unwrap_or(usize::MAX);
    let buckets = test.buckets.len();
    let number = (1..=buckets)
        .rev()
        .find(|n| buckets.is_multiple_of(*n) && *n <= most && *n <= enough.max(12))
        .unwrap_or(1);
    let width_s = seconds(span_ns) / number as f64;
    debug_assert_eq!(u32::try_from(buckets), Ok(BUCKETS));
    test.buckets
        .chunks(buckets / number)
        .map(|bucket| bucket.iter().sum::<u64>() as f64 / width_s)
        .collect()
}

/// The highest value that a drawing of the test shows.
fn highest(test: &TestForecast, bars: &[f64]) -> f64 {
    let levels = test.line.iter().map(|(_, level)| *level);
    levels.chain(bars.iter().copied()).fold(0.0, f64::max)
}
