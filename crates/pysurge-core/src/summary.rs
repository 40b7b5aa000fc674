//! The result of a run as every view shows it: terminal, JSON, log. Figures are computed here once; a view formats them.
//! Durations leave the program here, so they are seconds.

use crate::account::Account;
use crate::failure::{Failures, Phase};
use crate::histogram::Histogram;
use crate::measure::Metrics;
use crate::sketch::Sketch;
use crate::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the form of `summary.json`. Keys are only ever added within a version.
pub const SCHEMA_VERSION: u32 = 1;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It goes on; or, in a file that nobody updates any more, its manager was killed.
    Running,
    /// It is over and everything is told.
    Finished,
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// The planned duration was reached, or the last stage of every test.
    Duration,
    /// Every planned iteration is done.
    Iterations,
    /// Ctrl+C or SIGTERM.
    Signal,
    /// Ctrl+C twice: running iterations were abandoned.
    SecondSignal,
    /// Every worker died.
    WorkersLost,
}

/// A whole run: the content of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The version of this form.
    pub schema_version: u32,
    /// The version of pysurge that wrote it.
    pub pysurge_version: String,
    /// The run's name.
    pub name: String,
    /// The run's tags.
    pub tags: Vec<String>,
    /// Whether the run is over.
    pub status: Status,
    /// Why it stopped; absent while it goes on.
    pub stop_cause: Option<StopCause>,
    /// The exit code of the command; absent while it goes on.
    pub exit_code: Option<u8>,
    /// When iterations started, ISO 8601 UTC.
    pub started_at: String,
    /// How long iterations were planned, in seconds; absent where the run goes on until it is stopped.
    pub planned_duration_s: Option<f64>,
    /// From the start to the end of the plan (its duration, or the stop if that came first; now, while it goes on), in seconds, without
    /// the time it was paused.
    pub duration_s: f64,
    /// How long the run was paused up to there, in seconds.
    pub paused_s: f64,
    /// What all rates are multiplied by: 1 unless it was changed while the run went on.
    pub factor: f64,
    /// What was changed while the run went on, in order; the first [`MAX_CHANGES`].
    pub changes: Vec<ChangeSummary>,
    /// From the start to the end of the last iteration (now, while it goes on), in seconds: the classic report's "Ran for".
    pub elapsed_s: f64,
    /// Did the generator keep its schedule?
    pub verdict: Verdict,
    /// The sum of all tests' accounts, without their warm-ups.
    pub account: Account,
    /// One entry per test of the config, in its order.
    pub tests: Vec<TestSummary>,
    /// One entry per worker.
    pub workers: Vec<WorkerSummary>,
    /// Lines and records of user code that were dropped because the terminal did not keep up.
    pub output_dropped: u64,
}

/// Changes that a summary lists.
pub const MAX_CHANGES: usize = 1_000;

/// A change that was made while the run went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeSummary {
    /// From when on it held in all workers, in seconds since the start.
    pub at_s: f64,
    /// Whether the run was paused.
    pub paused: bool,
    /// What all rates were multiplied by.
    pub factor: f64,
}

/// The model of a test's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelName {
    /// Iterations came when the schedule said.
    Open,
    /// A user's next iteration came when the one before had ended.
    Closed,
}

/// The warm-up of a test: iterations that were fired and are in no other figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WarmupSummary {
    /// How long it was planned to be, in seconds.
    pub duration_s: f64,
    /// How its iterations ended.
    pub account: Account,
    /// Their lateness and service time together.
    pub response_time: Durations,
    /// Their `run` alone.
    pub service_time: Durations,
    /// Their failures by kind, the most frequent first.
    pub failures: Vec<FailureFigures>,
}

/// One test's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestSummary {
    /// `str(instance)`: `<UploadTest kwargs={}>`.
    pub label: String,
    /// The test case's `summary`.
    pub summary: String,
    /// The class, `package.module.Class`.
    pub test_class: String,
    /// What the config calls the test, where it does.
    pub name: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The model of its load. In the closed model the response time is the service time.
    pub model: ModelName,
    /// Its load in words: `50/s, evenly spaced`, `20 users, pacing 1 s`.
    pub load: String,
    /// Its warm-up, where it has one; nothing of it is in the other figures.
    pub warmup: Option<WarmupSummary>,
    /// Why the test did not run at all; absent where it ran.
    pub not_run: Option<String>,
    /// Workers that ran it.
    pub workers: u32,
    /// How its planned iterations ended.
    pub account: Account,
    /// Iterations running now; 0 once the run is over.
    pub in_flight: u64,
    /// Asked rate, iterations per second: the mean of the profile over the measured time up to now or the end; absent in the closed
    /// model, which asks for none.
    pub asked_rate_per_s: Option<f64>,
    /// Started iterations (passed, failed, interrupted) per second of the same time, or, where iterations were
    /// dropped, of the time until the last one started if that was later.
    pub achieved_rate_per_s: f64,
    /// Lateness and service time together: what a user who came at the planned instant would have waited. Neither `__init__` nor
    /// `setup` is in it. Of passed and failed iterations that came as far as `run`.
    pub response_time: Durations,
    /// `run` alone, of passed and failed iterations that came as far.
    pub service_time: Durations,
    /// From the planned instant to the start, of every iteration that ended.
    pub lateness: Durations,
    /// `setup`; its count is 0 where the test case has none.
    pub setup: Durations,
    /// `teardown`; its count is 0 where the test case has none.
    pub teardown: Durations,
    /// The user's metrics over passed iterations, by name.
    pub metrics: BTreeMap<String, MetricFigures>,
    /// Metric values that were no finite number, or of too many names.
    pub metrics_refused: u64,
    /// Failures by kind, the most frequent first.
    pub failures: Vec<FailureFigures>,
    /// Failures of further kinds than are kept.
    pub failures_overflow: u64,
}

/// The figures of a histogram of durations, in seconds. All but `count` are absent when nothing was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// How many.
    pub count: u64,
    /// Mean, exact.
    pub mean_s: Option<f64>,
    /// Least, exact.
    pub min_s: Option<f64>,
    /// Median, within 0.1 %, as all percentiles.
    pub p50_s: Option<f64>,
    /// 90th percentile.
    pub p90_s: Option<f64>,
    /// 95th percentile.
    pub p95_s: Option<f64>,
    /// 99th percentile.
    pub p99_s: Option<f64>,
    /// 99.9th percentile.
    pub p99_9_s: Option<f64>,
    /// Greatest, exact.
    pub max_s: Option<f64>,
}

impl Durations {
    /// The figures of a histogram.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub fn of(histogram: &Histogram) -> Self {
        let seconds = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e9);
        let quantile = |share| seconds(histogram.quantile_ns(share));
        Self {
            count: histogram.count(),
            mean_s: histogram.mean_ns().map(|ns| ns / 1e9),
            min_s: seconds(histogram.min_ns()),
            p50_s: quantile(0.5),
            p90_s: quantile(0.9),
            p95_s: quantile(0.95),
            p99_s: quantile(0.99),
            p99_9_s: quantile(0.999),
            max_s: seconds(histogram.max_ns()),
        }
    }
}

/// The figures of one user metric, in its own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricFigures {
    /// How many values.
    pub count: u64,
    /// Mean: the classic report's figure.
    pub mean: f64,
    /// Least, exact.
    pub min: f64,
    /// Median, within 1 %, as all percentiles.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Greatest, exact.
    pub max: f64,
}

impl MetricFigures {
    /// The figures of a sketch; `None` when it is empty.
    pub fn of(sketch: &Sketch) -> Option<Self> {
        Some(Self {
            count: sketch.count(),
            mean: sketch.mean()?,
            min: sketch.min()?,
            p50: sketch.quantile(0.5)?,
            p95: sketch.quantile(0.95)?,
            p99: sketch.quantile(0.99)?,
            max: sketch.max()?,
        })
    }

    /// The figures of every metric of a test, by name.
    pub fn of_all(metrics: &Metrics) -> BTreeMap<String, Self> {
        metrics
            .iter()
            .filter_map(|(name, sketch)| Some((name.to_owned(), Self::of(sketch)?)))
            .collect()
    }
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureFigures {
    /// Where in the iteration: `__init__`, `setup`, `run` or `teardown`.
    pub phase: String,
    /// The exception's type.
    pub exception: String,
    /// The first one's message.
    pub message: String,
    /// The user's own line nearest to the error.
    pub frame: String,
    /// How often.
    pub count: u64,
    /// First seen, seconds since the start.
    pub first_s: f64,
    /// Last seen, seconds since the start.
    pub last_s: f64,
    /// The first one's traceback, of user frames.
    pub traceback: String,
    /// Whether it changed the outcome of the iteration: errors in `teardown` do not.
    pub fails: bool,
}

impl FailureFigures {
    /// The kinds of a table, the most frequent first.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub fn of_all(failures: &Failures) -> Vec<Self> {
        let figures = failures.by_count().into_iter().map(|(key, group)| Self {
            phase: key.phase.name().to_owned(),
            exception: key.exception.clone(),
            message: group.example.clone(),
            frame: key.frame.clone(),
            count: group.count,
            first_s: group.first_ns as f64 / 1e9,
            last_s: group.last_ns as f64 / 1e9,
            traceback: group.traceback.clone(),
            fails: key.phase != Phase::Teardown,
        });
        figures.collect()
    }
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkerEnd {
    /// It runs.
    Running,
    /// It said all it had to say.
    Done,
    /// It told all it measured, but then had to be killed: a `shutdown` or a thread did not end.
    Killed,
    /// It died before it told all.
    Lost,
}

/// One worker's part in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerSummary {
    /// Its number, from 0.
    pub worker: u32,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub end: WorkerEnd,
    /// How it died, where it did: `killed by signal 9 (SIGKILL)`.
    pub death: Option<String>,
    /// CPU time it used, in seconds.
    pub cpu_s: f64,
    /// Resident memory when last told, bytes.
    pub rss_bytes: u64,
}
