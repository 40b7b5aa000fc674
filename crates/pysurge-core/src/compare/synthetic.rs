//! Runs of a made-up target whose truth is known: for the tests of the comparison and for the study in `examples/compare_study.rs`, which
//! both include this file.

use super::ours::account::Account;
use super::ours::compare::{Cells, Run, Source};
use super::ours::histogram::Histogram;
use super::ours::summary::{
    BlockMetric, CheckFigures, Durations, MachineSummary, Status, StopCause, Summary, TestSummary,
};
use super::ours::verdict::Verdict;
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A target and the load on it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// How long a run is.
    pub(crate) seconds: usize,
    /// Iterations per second.
    pub(crate) rate: usize,
    /// The median service time, seconds.
    pub(crate) median_s: f64,
    /// The standard deviation of its logarithm.
    pub(crate) spread: f64,
    /// The standard deviation of the logarithm of what all iterations of a second have in common.
    pub(crate) common: f64,
    /// How much of that is kept from one second to the next: the autocorrelation.
    pub(crate) kept: f64,
    /// The standard deviation of the logarithm of what all seconds of a run have in common.
    pub(crate) between_runs: f64,
    /// Share of the iterations that take five times as long.
    pub(crate) slow: f64,
    /// Share of the iterations that fail.
    pub(crate) failures: f64,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            seconds: 60,
            rate: 50,
            median_s: 0.050,
            spread: 0.2,
            common: 0.03,
            kept: 0.5,
            between_runs: 0.0,
            slow: 0.0,
            failures: 0.01,
        }
    }
}

impl Target {
    /// The same target, slower by a factor.
    pub(crate) fn slower(&self, factor: f64) -> Self {
        Self {
            median_s: self.median_s * factor,
            ..self.clone()
        }
    }

    /// A run of it.
    pub(crate) fn run(&self, seed: u64) -> Source {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let run_factor = self.between_runs * normal(&mut random);
        let mut common = self.common * normal(&mut random);
        let mut cells = Vec::with_capacity(self.seconds);
        for _ in 0..self.seconds {
            common =
                self.kept * common + self.common * (1.0 - self.kept * self.kept).sqrt() * normal(&mut random);
            cells.push(self.second(run_factor + common, &mut random));
        }
        source(format!("run-{seed}"), vec![cells])
    }

    fn second(&self, shift: f64, random: &mut Xoshiro256PlusPlus) -> Cells {
        let mut second = Cells {
            planned: self.rate as u64,
            ..Cells::default()
        };
        let (mut upload, mut metric, mut check) =
            (Histogram::new(), BlockMetric::default(), CheckFigures::default());
        for _ in 0..self.rate {
            let slow = if uniform(random) < self.slow {
                5.0_f64.ln()
            } else {
                0.0
            };
            let seconds = self.median_s * (shift + slow + self.spread * normal(random)).exp();
            let late: f64 = Exp1.sample(random);
            let (service_ns, late_ns) = (nanoseconds(seconds), nanoseconds(late * 60e-6));
            if uniform(random) < self.failures {
                second.failed += 1;
            } else {
                second.passed += 1;
                upload.record(service_ns / 2);
                metric.count += 1;
                metric.sum += seconds * 0.4;
            }
            if uniform(random) < 0.98 {
                check.passed += 1;
            } else {
                check.failed += 1;
            }
            second.service_time.record(service_ns);
            second.lateness.record(late_ns);
            second.response_time.record(service_ns + late_ns);
        }
        for histogram in [
            &mut second.service_time,
            &mut second.lateness,
            &mut second.response_time,
            &mut upload,
        ] {
            histogram.compact();
        }
        second.timers.insert("upload".to_owned(), upload);
        second.metrics.insert("bytes".to_owned(), metric);
        second.checks.insert("status is 200".to_owned(), check);
        second
    }
}

fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(random)
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are meant")]
fn uniform(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a made-up figure"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// A run of one second a block, with these cells per test.
#[expect(clippy::cast_precision_loss, reason = "a made-up figure")]
pub(crate) fn source(path: String, tests: Vec<Vec<Cells>>) -> Source {
    let blocks = tests.first().map_or(0, Vec::len);
    let mut all = Account::default();
    let summaries: Vec<TestSummary> = tests
        .iter()
        .enumerate()
        .map(|(place, cells)| {
            let test = test(place, cells);
            all += test.account;
            test
        })
        .collect();
    let duration_s = blocks as f64;
    let summary = Summary {
        schema_version: 1,
        pysurge_version: "2.0.0".to_owned(),
        name: "shop".to_owned(),
        tags: Vec::new(),
        status: Status::Finished,
        stop_cause: Some(StopCause::Duration),
        exit_code: Some(0),
        started_at: format!("2026-11-22T16:00:00Z {path}"),
        planned_duration_s: Some(duration_s),
        duration_s,
        paused_s: 0.0,
        factor: 1.0,
        changes: Vec::new(),
        elapsed_s: duration_s,
        verdict: Verdict::valid(),
        thresholds: Vec::new(),
        account: all,
        tests: summaries,
        workers: Vec::new(),
        incidents: Vec::new(),
        machine: MachineSummary::default(),
        blocks: Vec::new(),
        samples_dropped: 0,
        output_dropped: 0,
    };
    let run = Run {
        seconds: vec![1.0; blocks],
        tests,
    };
    Source { path, summary, run }
}

#[expect(clippy::cast_precision_loss, reason = "a made-up figure")]
fn test(place: usize, cells: &[Cells]) -> TestSummary {
    let mut account = Account::default();
    for second in cells {
        account.planned += second.planned;
        account.passed += second.passed;
        account.failed += second.failed;
        account.dropped += second.dropped;
    }
    let durations = |of: fn(&Cells) -> &Histogram| {
        let mut merged = Histogram::new();
        for second in cells {
            merged.merge(of(second));
        }
        Durations::of(&merged)
    };
    let name = ["upload", "search", "browse"]
        .get(place)
        .copied()
        .unwrap_or("other");
    let fired = account.passed + account.failed;
    TestSummary {
        label: format!("<{name} kwargs={{}}>"),
        summary: String::new(),
        test_class: format!("shop.{name}"),
        name: Some(name.to_owned()),
        load: "50/s, evenly spaced".to_owned(),
        workers: 1,
        account,
        asked_rate_per_s: Some(account.planned as f64 / cells.len().max(1) as f64),
        achieved_rate_per_s: fired as f64 / cells.len().max(1) as f64,
        response_time: durations(|second| &second.response_time),
        service_time: durations(|second| &second.service_time),
        lateness: durations(|second| &second.lateness),
        ..TestSummary::default()
    }
}
