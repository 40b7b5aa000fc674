//! Summaries and seconds as families of points: which figure goes by which name and labels.

use super::label::label;
use super::spec::{self, Spec};
use super::tally::{Tally, seconds};
use super::test::TestFigures;
use super::{Family, Labels, Point, Value};
use pysurge_core::VERSION;
use pysurge_core::account::Account;
use pysurge_core::summary::{
    MetricFigures, Status, Summary, TestSummary, ThresholdResult, ThresholdState, WorkerEnd, WorkerSummary,
};
use pysurge_core::verdict::Validity;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Collects points; each family stands where it was first written to.
#[derive(Debug)]
pub(super) struct Writer {
    run: Arc<str>,
    families: Vec<Family>,
    places: BTreeMap<&'static str, usize>,
}

impl Writer {
    pub(super) fn new(run: &Arc<str>) -> Self {
        Self {
            run: Arc::clone(run),
            families: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Family> {
        self.families
    }

    fn put<const N: usize>(
        &mut self,
        spec: &'static Spec,
        labels: [(&'static str, &Arc<str>); N],
        value: Value,
    ) {
        let families = &mut self.families;
        let place = *self.places.entry(spec.name).or_insert_with(|| {
            families.push(Family {
                spec,
                points: Vec::new(),
            });
            families.len() - 1
        });
        let mut all: Labels = Vec::with_capacity(N + 1);
        all.push(("run", Arc::clone(&self.run)));
        all.extend(labels.into_iter().map(|(name, value)| (name, Arc::clone(value))));
        self.families[place].points.push(Point { labels: all, value });
    }

    fn durations<const N: usize>(
        &mut self,
        spec: &'static Spec,
        labels: [(&'static str, &Arc<str>); N],
        tally: &Tally,
    ) {
        self.put(spec, labels, Value::Durations(Box::new(tally.clone())));
    }

    /// Durations that not every test has.
    fn durations_if_any<const N: usize>(
        &mut self,
        spec: &'static Spec,
        labels: [(&'static str, &Arc<str>); N],
        tally: &Tally,
    ) {
        if !tally.is_empty() {
            self.durations(spec, labels, tally);
        }
    }
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

fn one_if(holds: bool) -> Value {
    Value::Count(holds.into())
}

/// What is known from the beginning.
pub(super) fn run_info(writer: &mut Writer) {
    writer.put(&spec::RUN, [("version", &VERSION.into())], Value::Count(1));
}

/// What is about the whole run.
pub(super) fn run(writer: &mut Writer, summary: &Summary) {
    writer.put(&spec::RUNNING, [], one_if(summary.status == Status::Running));
    writer.put(&spec::ELAPSED, [], number(summary.elapsed_s));
    if let Some(planned_s) = summary.planned_duration_s {
        writer.put(&spec::PLANNED_DURATION, [], number(planned_s));
    }
    writer.put(&spec::PAUSED, [], number(summary.paused_s));
    writer.put(&spec::LOAD_FACTOR, [], number(summary.factor));
    for (state, validity) in [
        ("valid", Validity::Valid),
        ("degraded", Validity::Degraded),
        ("invalid", Validity::Invalid),
    ] {
        let is_it = summary.verdict.validity == validity;
        writer.put(&spec::VERDICT, [("state", &state.into())], one_if(is_it));
    }
    thresholds(writer, &summary.thresholds);
    workers(writer, &summary.workers);
    writer.put(&spec::OUTPUT_DROPPED, [], Value::Count(summary.output_dropped));
}

fn thresholds(writer: &mut Writer, thresholds: &[ThresholdResult]) {
    let mut seen = BTreeSet::new();
    for threshold in thresholds {
        let test = label(threshold.test.as_deref().unwrap_or_default());
        let expression = label(&threshold.expression);
        // Who asks twice gets one answer.
        if !seen.insert((Arc::clone(&test), Arc::clone(&expression))) {
            continue;
        }
        for (name, state) in [
            ("pending", ThresholdState::Pending),
            ("passed", ThresholdState::Passed),
            ("failed", ThresholdState::Failed),
            ("no_data", ThresholdState::NoData),
        ] {
            let labels = [
                ("test", &test),
                ("threshold", &expression),
                ("state", &name.into()),
            ];
            writer.put(&spec::THRESHOLD, labels, one_if(threshold.state == state));
        }
    }
}

fn workers(writer: &mut Writer, workers: &[WorkerSummary]) {
    let count = |end| {
        let ended = workers.iter().filter(|worker| worker.end == end).count();
        Value::Count(ended.try_into().unwrap_or(u64::MAX))
    };
    for (state, end) in [
        ("running", WorkerEnd::Running),
        ("done", WorkerEnd::Done),
        ("killed", WorkerEnd::Killed),
        ("lost", WorkerEnd::Lost),
    ] {
        writer.put(&spec::WORKERS, [("state", &state.into())], count(end));
    }
    // A worker and those that were started in its place are one; the last of them is the one that lives.
    let mut places: BTreeMap<u32, (f64, &WorkerSummary)> = BTreeMap::new();
    for worker in workers {
        let place = places.entry(worker.worker).or_insert((0.0, worker));
        place.0 += worker.cpu_s;
        if worker.life >= place.1.life {
            place.1 = worker;
        }
    }
    for (number_of, (cpu_s, worker)) in places {
        let name: Arc<str> = number_of.to_string().into();
        writer.put(&spec::WORKER_CPU, [("worker", &name)], number(cpu_s));
        writer.put(
            &spec::WORKER_MEMORY,
            [("worker", &name)],
            Value::Count(worker.rss_bytes),
        );
    }
}

/// What is about one test.
pub(super) fn test(writer: &mut Writer, test: &TestFigures, told: &TestSummary, account: Account) {
    let labels = [("test", &test.name)];
    writer.put(&spec::PLANNED, labels, Value::Count(account.planned));
    for (outcome, count) in [
        ("passed", account.passed),
        ("failed", account.failed),
        ("dropped", account.dropped),
        ("interrupted", account.interrupted),
        ("lost", account.lost),
    ] {
        let labels = [("test", &test.name), ("outcome", &outcome.into())];
        writer.put(&spec::ITERATIONS, labels, Value::Count(count));
    }
    writer.put(&spec::IN_FLIGHT, labels, Value::Count(told.in_flight));
    writer.put(&spec::THREADS, labels, Value::Count(test.threads.into()));
    if let Some(rate) = told.asked_rate_per_s {
        writer.put(&spec::ASKED_RATE, labels, number(rate));
    }
    writer.put(&spec::ACHIEVED_RATE, labels, number(told.achieved_rate_per_s));
    writer.durations(&spec::RESPONSE_TIME, labels, &test.response_time);
    writer.durations(&spec::SERVICE_TIME, labels, &test.service_time);
    writer.durations(&spec::LATENESS, labels, &test.lateness);
    writer.durations_if_any(&spec::SETUP, labels, &test.setup);
    writer.durations_if_any(&spec::TEARDOWN, labels, &test.teardown);
    for (cause, sum_ns) in &test.causes_ns {
        let labels = [("test", &test.name), ("cause", &(*cause).into())];
        writer.put(&spec::LATENESS_CAUSE, labels, number(seconds(*sum_ns)));
    }
    let time = &told.thread_time;
    for (state, time_s) in [("cpu", time.cpu_s), ("blocked", time.blocked_s)] {
        let labels = [("test", &test.name), ("state", &state.into())];
        writer.put(&spec::THREAD_TIME, labels, number(time_s));
    }
    failures(writer, &test.name, told);
    writer.put(&spec::OVERRAN, labels, Value::Count(told.overran));
    of_user(writer, test, told);
}

/// By phase and type only: there are at most as many of them as kinds of failures are kept, and none ever goes.
fn failures(writer: &mut Writer, test: &Arc<str>, told: &TestSummary) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for failure in &told.failures {
        let count = counts.entry((&failure.phase, &failure.exception)).or_default();
        *count = count.saturating_add(failure.count);
    }
    for ((phase, exception), count) in counts {
        let labels = [
            ("test", test),
            ("phase", &label(phase)),
            ("exception", &label(exception)),
        ];
        writer.put(&spec::FAILURES, labels, Value::Count(count));
    }
    if told.failures_overflow > 0 {
        let labels = [
            ("test", test),
            ("phase", &"".into()),
            ("exception", &"others".into()),
        ];
        writer.put(&spec::FAILURES, labels, Value::Count(told.failures_overflow));
    }
}

/// What the test case tells by itself.
fn of_user(writer: &mut Writer, test: &TestFigures, told: &TestSummary) {
    for (name, check) in &told.checks {
        let name = label(name);
        for (result, count) in [("passed", check.passed), ("failed", check.failed)] {
            let labels = [("test", &test.name), ("name", &name), ("result", &result.into())];
            writer.put(&spec::CHECKS, labels, Value::Count(count));
        }
    }
    for step in test.steps.values() {
        for (outcome, tally) in [("passed", &step.passed), ("failed", &step.failed)] {
            let labels = [
                ("test", &test.name),
                ("name", &step.name),
                ("outcome", &outcome.into()),
            ];
            writer.durations_if_any(&spec::STEP, labels, tally);
        }
    }
    for (name, sum) in &told.counts {
        let labels = [("test", &test.name), ("name", &label(name))];
        writer.put(&spec::COUNT, labels, number(*sum));
    }
    for (name, metric) in &told.metrics {
        metric_of(writer, &test.name, &label(name), metric);
    }
    let refused = told.metrics_refused.saturating_add(told.steps_refused);
    writer.put(&spec::REFUSED, [("test", &test.name)], Value::Count(refused));
}

/// A user's metric. No summary with quantiles: `OpenMetrics` has none of values below zero.
#[expect(clippy::cast_precision_loss, reason = "a sum needs no more than 53 bits")]
fn metric_of(writer: &mut Writer, test: &Arc<str>, name: &Arc<str>, metric: &MetricFigures) {
    for (stat, value) in [
        ("mean", metric.mean),
        ("min", metric.min),
        ("p50", metric.p50),
        ("p95", metric.p95),
        ("p99", metric.p99),
        ("max", metric.max),
    ] {
        let labels = [("test", test), ("name", name), ("stat", &stat.into())];
        writer.put(&spec::METRIC, labels, number(value));
    }
    let labels = [("test", test), ("name", name)];
    writer.put(&spec::METRIC_VALUES, labels, Value::Count(metric.count));
    let sum = (metric.mean * metric.count as f64).clamp(f64::MIN, f64::MAX);
    writer.put(&spec::METRIC_SUM, labels, number(sum));
}
