//! The words of the language, and what is meant by words of other tools and by slips.
//!
//! Nothing here accepts anything: a word that is not one of the language is an error, however clear it is what was meant.

use super::measure::Stat;
use crate::alike::closest;

/// Measures, as an expression starts with them.
pub(super) const MEASURES: [&str; 16] = [
    "response_time",
    "service_time",
    "lateness",
    "setup",
    "teardown",
    "timers",
    "metrics",
    "checks",
    "counts",
    "failures",
    "passed",
    "dropped",
    "interrupted",
    "lost",
    "rate",
    "cpu_share",
];

/// The parts of lateness.
pub(super) const PARTS: [&str; 3] = ["woke_late", "no_free_thread", "waited_for_gil"];

/// What may stand where a figure is wanted.
pub(super) const STATS: &str = "mean, min, max, count, or a percentile such as p50, p95 or p99.9";

/// Reads a figure; the error is what to do.
pub(super) fn stat(written: &str) -> Result<Stat, String> {
    let known = match written {
        "mean" => Some(Stat::Mean),
        "min" => Some(Stat::Min),
        "max" => Some(Stat::Max),
        "count" => Some(Stat::Count),
        _ => None,
    };
    if let Some(stat) = known {
        return Ok(stat);
    }
    if let Some(number) = written.strip_prefix('p').filter(|number| is_decimal(number)) {
        return match share_of_percent(number) {
            share if share > 0.0 && share <= 1.0 => Ok(Stat::Quantile(share)),
            _ => Err("a percentile is above 0 and at most 100, such as p95".to_owned()),
        };
    }
    Err(match meant_stat(written) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {STATS}"),
    })
}

/// The figure that another tool's word stands for, or the one most like a word.
fn meant_stat(written: &str) -> Option<String> {
    let lower = written.to_lowercase();
    let digits: String = lower
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let word: String = lower.chars().filter(|c| c.is_alphabetic()).collect();
    let percentile = matches!(
        word.as_str(),
        "" | "p" | "q" | "th" | "pth" | "st" | "pct" | "perc" | "percentile" | "thpercentile"
    );
    if percentile && is_decimal(&digits) && stat(&format!("p{digits}")).is_ok() {
        return Some(format!("p{digits}"));
    }
    let known = match lower.as_str() {
        "avg" | "average" => "mean",
        "med" | "median" => "p50",
        "minimum" | "least" => "min",
        "maximum" | "greatest" | "worst" => "max",
        "n" | "num" | "number" | "total" => "count",
        other => closest(other, ["mean", "min", "max", "count"])?,
    };
    Some(known.to_owned())
}

/// What to write in place of a word that no measure starts with.
pub(super) fn instead_of_measure(written: &str) -> String {
    let lower = written.to_lowercase();
    let known = match lower.as_str() {
        "http_req_duration" | "latency" | "duration" | "response" | "responsetime" => "response_time.p95",
        "iteration_duration" | "service" | "servicetime" | "http_req_waiting" => "service_time.p95",
        "avg-rt" | "rt" | "avg_rt" => "response_time.mean",
        "http_req_failed" | "fail" | "failed" | "failure" | "errors" | "error_rate" | "fail_rate" => {
            "failures"
        }
        "succ" | "success" | "successes" | "succeeded" | "ok" => "passed",
        "dropped_iterations" => "dropped",
        "iterations" | "http_reqs" | "hits" | "rps" | "throughput" | "requests" | "achieved" => "rate",
        "timer" | "step" | "steps" => "timers.NAME.p95",
        "metric" => "metrics.NAME.mean",
        "check" => "checks.NAME",
        "counter" | "counters" => "counts.NAME",
        "late" | "delay" => "lateness.p99",
        "cpu" => "cpu_share",
        _ if PARTS.contains(&lower.as_str()) => return format!("did you mean `lateness.{lower}.p99`?"),
        _ => "",
    };
    if !known.is_empty() {
        return format!("did you mean `{known}`?");
    }
    if let Some(meant) = closest(written, MEASURES) {
        return format!("did you mean `{meant}`?");
    }
    match meant_stat(written) {
        Some(figure) => format!("of what? write `response_time.{figure}`"),
        None => format!("the measures are {}", listed(&MEASURES)),
    }
}

/// `a`, `b`, `c`
pub(super) fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// The unit of time that a word that is none was meant for.
pub(super) fn meant_unit(written: &str) -> Option<&'static str> {
    Some(match written.to_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" | "ms" => "ms",
        "usec" | "usecs" | "micros" | "microsecond" | "microseconds" | "us" => "us",
        "nsec" | "nanos" | "nanosecond" | "nanoseconds" | "ns" => "ns",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" | "h" => "h",
        "day" | "days" => "d",
        _ => return None,
    })
}

/// Decimal digits with at most one point in them.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction)
}

/// The fraction behind a percentage; the decimal point is moved in the text, so that 99.9 % is the float nearest to 0.999.
fn share_of_percent(number: &str) -> f64 {
    format!("{number}e-2").parse().unwrap_or(f64::INFINITY)
}
