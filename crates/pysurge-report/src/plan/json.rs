//! A plan as JSON, for programs. Keys are only ever added; times are seconds since the start of the run.

use pysurge_core::forecast::{Forecast, Planned, Spread, TestForecast, Totals};
use serde::Serialize;

/// The version of this form.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct PlanView<'a> {
    /// The version of this form.
    schema_version: u32,
    /// The version of pysurge that foretold it.
    pysurge_version: &'static str,
    /// The run's name.
    name: &'a str,
    /// How many workers share it.
    workers: u32,
    /// When the plan ends; null where that is not known beforehand.
    end_s: Option<f64>,
    /// What the curves cover, from the start on.
    span_s: f64,
    /// The sums over all tests.
    totals: TotalsView,
    /// One entry per test of the config, in its order.
    tests: Vec<TestView<'a>>,
}

#[derive(Serialize)]
struct TotalsView {
    /// Iterations planned, the warm-ups' among them; null where the number is not known beforehand.
    planned: Option<u64>,
    /// Of these, warm-up.
    warmup: Option<u64>,
    /// The highest rate of the open tests together, iterations per second; null where there are none.
    peak_rate_per_s: Option<f64>,
    /// Users of the closed tests; null where there are none.
    users: Option<u64>,
    /// As in a test.
    threads_needed: Option<u64>,
    /// As in a test.
    threads_allowed: u64,
    /// As in a test.
    threads_short: u64,
}

#[derive(Serialize)]
struct TestView<'a> {
    /// `str(instance)`, or the class where it was not loaded.
    label: &'a str,
    /// What the config calls the test; null where it does not.
    name: Option<&'a str>,
    /// `open` or `closed`.
    model: &'static str,
    /// `even`, `poisson`, `recorded`, or `users` in the closed model.
    arrivals: &'static str,
    /// The load in words.
    load: &'a str,
    /// From when on iterations are planned.
    start_s: f64,
    /// From when on none is planned any more; null where that is not known beforehand.
    end_s: Option<f64>,
    /// Up to when iterations are warm-up; null where there is none.
    warmup_ends_s: Option<f64>,
    /// Iterations planned, the warm-up's among them; null where the number is not known beforehand.
    planned: Option<u64>,
    /// How many there are at most; null where nothing limits their number.
    planned_at_most: Option<u64>,
    /// Of the planned, warm-up; null where that is not known beforehand.
    warmup: Option<u64>,
    /// Mean and highest rate, iterations per second; null in the closed model.
    mean_rate_per_s: Option<f64>,
    peak_rate_per_s: Option<f64>,
    /// Users; null in the open model.
    users: Option<u32>,
    /// How long an iteration may take, where the config or the test case says so.
    max_duration_s: Option<f64>,
    /// Threads in use at the peak where every iteration takes as long as it may; null where nobody said how long.
    threads_needed: Option<u64>,
    /// Threads there may be.
    threads_allowed: u64,
    /// By how many threads the workers are short where every iteration takes as long as it may.
    threads_short: u64,
    /// Arrivals in each of equally many parts of the shown span; empty in the closed model.
    planned_over_time: &'a [u64],
    /// `[seconds, rate per second]`, in the closed model `[seconds, users]`: straight lines between these points.
    line: Vec<(f64, f64)>,
    /// Every arrival where there are few; else empty.
    arrivals_s: Vec<f64>,
}

/// The plan as pretty-printed JSON with a final newline.
pub fn plan_json(forecast: &Forecast) -> String {
    let view = PlanView {
        schema_version: SCHEMA_VERSION,
        pysurge_version: pysurge_core::VERSION,
        name: &forecast.name,
        workers: forecast.workers,
        end_s: forecast.end_ns.map(seconds),
        span_s: seconds(forecast.span_ns),
        totals: of_totals(forecast.totals()),
        tests: forecast.tests.iter().map(of_test).collect(),
    };
    let mut text = serde_json::to_string_pretty(&view).expect("numbers and strings are JSON");
    text.push('\n');
    text
}

fn of_totals(totals: Totals) -> TotalsView {
    TotalsView {
        planned: totals.planned.exact(),
        warmup: totals.warmup,
        peak_rate_per_s: totals.peak_per_s,
        users: totals.users,
        threads_needed: totals.threads_needed,
        threads_allowed: totals.threads_allowed,
        threads_short: totals.threads_short,
    }
}

fn of_test(test: &TestForecast) -> TestView<'_> {
    let at_most = match test.planned {
        Planned::Exactly(count) | Planned::AtMost(count) => Some(count),
        Planned::Unknown => None,
    };
    TestView {
        label: &test.label,
        name: test.name.as_deref(),
        model: if test.is_closed() { "closed" } else { "open" },
        arrivals: match test.spread {
            Spread::Even => "even",
            Spread::Poisson => "poisson",
            Spread::Recorded => "recorded",
            Spread::Users => "users",
        },
        load: &test.load,
        start_s: seconds(test.start_ns),
        end_s: test.end_ns.map(seconds),
        warmup_ends_s: test.has_warmup().then(|| seconds(test.warmup_ends_ns)),
        planned: test.planned.exact(),
        planned_at_most: at_most,
        warmup: test.warmup,
        mean_rate_per_s: test.mean_per_s,
        peak_rate_per_s: test.peak_per_s,
        users: test.users,
        max_duration_s: test.max_duration_ns.map(seconds),
        threads_needed: test.threads_needed,
        threads_allowed: test.threads_allowed,
        threads_short: test.threads_short,
        planned_over_time: &test.buckets,
        line: test
            .line
            .iter()
            .map(|(at_ns, level)| (seconds(*at_ns), *level))
            .collect(),
        arrivals_s: test.arrivals.iter().copied().map(seconds).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
