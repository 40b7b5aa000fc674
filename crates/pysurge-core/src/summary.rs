//! The result of a run as every view shows it: terminal, JSON, log. Figures are computed here once; a view formats them.
//! Durations leave the program here, so they are seconds.

use crate::account::Account;
use crate::failure::Failures;
use crate::histogram::Histogram;
use crate::measure::{Checks, Exhibit, LatenessParts, Measures, Metrics, Timers};
use crate::series::{Series, TestRow};
use crate::sketch::Sketch;
use crate::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the form of `summary.json`. Keys are only ever added within a version.
pub const SCHEMA_VERSION: u32 = 1;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It goes on; or, in a file that nobody updates any more, its manager was killed: `pysurge report` then rebuilds it.
    Running,
    /// It is over and everything is told.
    Finished,
    /// Its manager was killed, or the machine went down; this was rebuilt from the journal, and the figures go up to the last second before.
    Killed,
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// The planned duration was reached, or the last stage of every test.
    Duration,
    /// Every planned iteration is done.
    Iterations,
    /// A threshold with `abort_on_fail` failed.
    Threshold,
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
    /// What was judged, the run's own thresholds first, then each test's, in the config's order.
    pub thresholds: Vec<ThresholdResult>,
    /// The sum of all tests' accounts, without their warm-ups.
    pub account: Account,
    /// One entry per test of the config, in its order.
    pub tests: Vec<TestSummary>,
    /// One entry per worker, also for each that was started in the place of a lost one; those last.
    pub workers: Vec<WorkerSummary>,
    /// What befell workers while the run went on, in order; the first [`MAX_INCIDENTS`].
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// The machine that the load came from.
    pub machine: MachineSummary,
    /// Every test's figures over time, in at most [`MAX_BLOCKS`] blocks of one length but for the last; empty while the run goes on. What
    /// `pysurge compare` works on.
    pub blocks: Vec<Block>,
    /// Single iterations that are missing in the file of samples, because something did not keep up; 0 where none was asked for.
    pub samples_dropped: u64,
    /// Lines and records of user code that were dropped because the terminal did not keep up.
    pub output_dropped: u64,
}

impl Summary {
    /// How many workers fired at once: a worker and those that were started in its place count as one.
    pub fn places(&self) -> usize {
        let places: BTreeSet<u32> = self.workers.iter().map(|worker| worker.worker).collect();
        places.len()
    }
}

/// How a threshold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdState {
    /// It is not judged yet.
    Pending,
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// Nothing was measured of what it is about: the same as failed.
    NoData,
}

impl ThresholdState {
    /// Whether it fails the run.
    pub fn fails(self) -> bool {
        matches!(self, Self::Failed | Self::NoData)
    }
}

/// What came of a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdResult {
    /// As it was written.
    pub expression: String,
    /// The name of its test, else the test's label; absent where it is about all tests together.
    pub test: Option<String>,
    /// Whether it holds.
    pub state: ThresholdState,
    /// The value that stood beside the wanted one: durations in seconds, shares as fractions. Absent where there is none.
    pub actual: Option<f64>,
    /// The same for a reader, in the unit of the expression: `312 ms`, `0.42 %`, `no data`.
    pub actual_text: String,
    /// Whether the run was to be stopped where it fails.
    pub abort_on_fail: bool,
    /// Whether it stopped the run.
    pub aborted: bool,
}

/// The machine that the load came from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineSummary {
    /// CPUs that the workers may use.
    pub cpus: u32,
    /// The most of these CPUs that was busy, with whatever, over any five seconds in which measured iterations were planned, or over all of
    /// that time where it was shorter: 1 is all there is. Absent where the system does not tell, or it was not long enough to tell.
    pub cpu_share: Option<f64>,
    /// Memory swapped in and out while measured iterations were planned, bytes; absent where the system does not tell.
    pub swapped_bytes: Option<u64>,
    /// How long the machine was suspended in that time, seconds.
    pub suspended_s: f64,
    /// By how much the wall clock was set in that time, seconds; it does not touch any figure but wall times.
    pub clock_set_s: f64,
}

/// Blocks that a summary has at most.
pub const MAX_BLOCKS: usize = 200;

/// What was measured in some seconds: a row of the time series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// From when on, seconds since the start.
    pub from_s: f64,
    /// Up to when.
    pub to_s: f64,
    /// Per test, in the summary's order.
    pub tests: Vec<TestBlock>,
}

/// One test's part of a [`Block`]. What is measured of an iteration stands in the block in which it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestBlock {
    /// Iterations planned.
    pub planned: u64,
    /// Iterations passed.
    pub passed: u64,
    /// Iterations failed.
    pub failed: u64,
    /// Iterations dropped.
    pub dropped: u64,
    /// Response times.
    pub response_time: EncodedHistogram,
    /// Service times.
    pub service_time: EncodedHistogram,
    /// Lateness.
    pub lateness: EncodedHistogram,
    /// Metrics, by name.
    pub metrics: BTreeMap<String, BlockMetric>,
    /// Timers in iterations that passed, by name.
    pub timers: BTreeMap<String, EncodedHistogram>,
    /// Checks, by name.
    pub checks: BTreeMap<String, CheckFigures>,
}

/// A metric in a block: enough for its mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockMetric {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// A histogram of durations in nanoseconds, in the standard form of `HdrHistogram`: V2, deflated, base64, as `HdrHistogram`'s own tools in any
/// language read it. Empty where nothing was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EncodedHistogram(pub String);

/// A check's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckFigures {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
}

/// A timer's figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimerFigures {
    /// In iterations that passed.
    pub passed: Durations,
    /// In iterations that failed.
    pub failed: Durations,
}

/// Lateness by its causes; for every iteration the three add up to its lateness.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatenessFigures {
    /// The thread that was to start it woke late: the kernel, a busy machine, our own steps.
    pub woke_late: Durations,
    /// Every thread of the pool was running an iteration.
    pub no_free_thread: Durations,
    /// A thread was ready and waited for Python's interpreter lock.
    pub waited_for_gil: Durations,
}

/// What the threads of a test did while they ran iterations: tells a slow service from slow Python.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadTime {
    /// Seconds that threads were busy with iterations, all their phases and what lies between; summed over the threads.
    pub busy_s: f64,
    /// Of these, seconds on a CPU: the user's Python and what it calls.
    pub cpu_s: f64,
    /// The rest: waiting for the service, for the interpreter, or for a core.
    pub blocked_s: f64,
    /// CPU time over busy time; absent where nothing ran.
    pub cpu_share: Option<f64>,
}

/// One iteration as it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExhibitFigures {
    /// When it was planned, seconds since the start.
    pub planned_s: f64,
    /// When it started, seconds since the start.
    pub started_s: f64,
    /// Lateness and service time together, seconds.
    pub response_time_s: f64,
    /// `run` alone, seconds; absent where it did not come as far.
    pub service_time_s: Option<f64>,
    /// The worker, from 0.
    pub worker: u32,
    /// Its thread.
    pub thread: String,
    /// Its number over all workers: among the test's arrivals, or, in the closed model, among the turns of its users.
    pub number: Option<u64>,
    /// Its kwargs as Python writes them.
    pub kwargs: String,
    /// How it failed; absent where it passed.
    pub error: Option<String>,
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

/// Incidents that a summary lists.
pub const MAX_INCIDENTS: usize = 200;

/// Something that befell a worker while the run went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// When, in seconds since the start.
    pub at_s: f64,
    /// The worker's number, from 0.
    pub worker: u32,
    /// Its process id; absent where there was no process.
    pub pid: Option<u32>,
    /// What happened.
    pub kind: IncidentKind,
    /// The same for a reader, a sentence without a full stop.
    pub text: String,
}

/// What may befall a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// It was lost; what it had begun and not told is lost with it.
    Lost,
    /// The others took over its part of the load.
    TakenOver,
    /// A worker that was started in its place took its part back.
    Replaced,
    /// No worker will be started in its place any more.
    GivenUp,
}

/// The model of a test's load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelName {
    /// Iterations came when the schedule said.
    #[default]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestSummary {
    /// `str(instance)`: `<UploadTest kwargs={}>`.
    pub label: String,
    /// The test case's `summary`.
    pub summary: String,
    /// What is run: the class, `package.module.Class`, the function, or the node id of a test of pytest.
    pub test_class: String,
    /// Whether its iterations are coroutines: what is said of threads is then of iterations in flight on the event loops.
    #[serde(default)]
    pub coroutine: bool,
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
    /// Lateness by its causes.
    pub lateness_parts: LatenessFigures,
    /// What its threads did while they ran iterations.
    pub thread_time: ThreadTime,
    /// `setup`; its count is 0 where the test case has none.
    pub setup: Durations,
    /// `teardown`; its count is 0 where the test case has none.
    pub teardown: Durations,
    /// The user's metrics over passed iterations, by name.
    pub metrics: BTreeMap<String, MetricFigures>,
    /// Metric values that were no finite number, or of too many names.
    pub metrics_refused: u64,
    /// The user's checks over all iterations, by name.
    pub checks: BTreeMap<String, CheckFigures>,
    /// The user's timed steps, by name.
    pub timers: BTreeMap<String, TimerFigures>,
    /// The user's counts over all iterations: sums by name.
    pub counts: BTreeMap<String, f64>,
    /// Checks, steps and counts that came under too many names, or whose value was no number.
    pub steps_refused: u64,
    /// Failures by kind, the most frequent first.
    pub failures: Vec<FailureFigures>,
    /// Failures of further kinds than are kept.
    pub failures_overflow: u64,
    /// Iterations that ran longer than the test's `max_duration`, measured or not; however they ended.
    #[serde(default)]
    pub overran: u64,
    /// The slowest iterations by response time, the slowest first.
    pub slowest: Vec<ExhibitFigures>,
    /// The first iterations that failed.
    pub first_failed: Vec<ExhibitFigures>,
}

impl TestSummary {
    /// What a sum of [`TestSummary::counts`] is per second, of the same time as the achieved rate; `None` where nothing was started.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn count_per_s(&self, sum: f64) -> Option<f64> {
        let fired = self.account.fired();
        (fired > 0).then(|| sum / fired as f64 * self.achieved_rate_per_s)
    }
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

impl LatenessFigures {
    /// The figures of all three.
    pub fn of(parts: &LatenessParts) -> Self {
        Self {
            woke_late: Durations::of(&parts.woke_late),
            no_free_thread: Durations::of(&parts.no_free_thread),
            waited_for_gil: Durations::of(&parts.waited_for_gil),
        }
    }
}

impl ThreadTime {
    /// The figures of a test's measures.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub fn of(measures: &Measures) -> Self {
        // The two clocks are read one after the other; on a thread that only computes the CPU's may be ahead by nanoseconds.
        let cpu_ns = measures.busy_cpu_ns.min(measures.busy_ns);
        let seconds = |ns: u64| ns as f64 / 1e9;
        Self {
            busy_s: seconds(measures.busy_ns),
            cpu_s: seconds(cpu_ns),
            blocked_s: seconds(measures.busy_ns - cpu_ns),
            cpu_share: (measures.busy_ns > 0).then(|| cpu_ns as f64 / measures.busy_ns as f64),
        }
    }
}

impl ExhibitFigures {
    /// The figures of exhibits, in their order.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub fn of_all(exhibits: &[Exhibit]) -> Vec<Self> {
        let seconds = |ns: u64| ns as f64 / 1e9;
        let figures = exhibits.iter().map(|exhibit| Self {
            planned_s: seconds(exhibit.planned_ns),
            started_s: seconds(exhibit.started_ns),
            response_time_s: seconds(exhibit.response_ns),
            service_time_s: exhibit.service_ns.map(seconds),
            worker: exhibit.worker,
            thread: exhibit.thread.clone(),
            number: exhibit.number,
            kwargs: exhibit.kwargs.clone(),
            error: exhibit.error.clone(),
        });
        figures.collect()
    }
}

impl EncodedHistogram {
    /// The standard form of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        Self(histogram.to_standard())
    }

    /// The histogram; `None` where the text is none. Its mean, least and greatest are as exact as its buckets.
    pub fn decode(&self) -> Option<Histogram> {
        Histogram::from_standard(&self.0)
    }
}

impl TestBlock {
    /// One test's row.
    pub fn of(row: &TestRow) -> Self {
        let measures = &row.measures;
        Self {
            planned: row.planned,
            passed: measures.passed,
            failed: measures.failed,
            dropped: row.dropped,
            response_time: EncodedHistogram::of(&measures.response_time),
            service_time: EncodedHistogram::of(&measures.service_time),
            lateness: EncodedHistogram::of(&measures.lateness),
            metrics: measures
                .metrics
                .iter()
                .map(|(name, sketch)| {
                    let (count, sum) = (sketch.count(), sketch.sum());
                    (name.to_owned(), BlockMetric { count, sum })
                })
                .collect(),
            timers: measures
                .timers
                .iter()
                .map(|(name, timer)| (name.to_owned(), EncodedHistogram::of(&timer.passed)))
                .collect(),
            checks: CheckFigures::of_all(&measures.checks),
        }
    }
}

impl Block {
    /// A series as blocks, at most [`MAX_BLOCKS`].
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub fn of_series(series: &Series) -> Vec<Self> {
        let coarse = series.coarser(MAX_BLOCKS);
        let blocks = coarse.rows().iter().map(|row| Self {
            from_s: row.from_ns as f64 / 1e9,
            to_s: row.to_ns as f64 / 1e9,
            tests: row.tests.iter().map(TestBlock::of).collect(),
        });
        blocks.collect()
    }
}

impl CheckFigures {
    /// The figures of every check of a test, by name.
    pub fn of_all(checks: &Checks) -> BTreeMap<String, Self> {
        let figures = checks.iter().map(|(name, count)| {
            let (passed, failed) = (count.passed, count.failed);
            (name.to_owned(), Self { passed, failed })
        });
        figures.collect()
    }
}

impl TimerFigures {
    /// The figures of every timer of a test, by name.
    pub fn of_all(timers: &Timers) -> BTreeMap<String, Self> {
        let figures = timers.iter().map(|(name, timer)| {
            let figures = Self {
                passed: Durations::of(&timer.passed),
                failed: Durations::of(&timer.failed),
            };
            (name.to_owned(), figures)
        });
        figures.collect()
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
            fails: key.phase.fails(),
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
    /// How many workers of this number were lost before it took their place.
    #[serde(default)]
    pub life: u32,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub end: WorkerEnd,
    /// How it died, where it did: `killed by signal 9 (SIGKILL)`.
    pub death: Option<String>,
    /// CPU time it used, in seconds.
    pub cpu_s: f64,
    /// The most that it used of one core, or of all where it runs without a GIL, over any five seconds in which measured iterations were
    /// planned, or over all of that time where it was shorter: 1 is all there is. Absent where it was not long enough to tell.
    pub cpu_share: Option<f64>,
    /// The greatest share of such a time, not always the same one, in which a due iteration of this worker had a thread that waited for the
    /// interpreter.
    pub gil_wait_share: Option<f64>,
    /// Seconds that it stood still, stopped or without a core, while measured iterations were planned.
    pub stood_still_s: f64,
    /// Resident memory when last told, bytes.
    pub rss_bytes: u64,
}
