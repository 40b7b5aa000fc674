//! The totals as a summary: what is known at a moment, in the form that every view shows.

use super::{Origin, Parts, TestTotals, Totals, Until};
use crate::clock::{Epoch, iso_utc};
use crate::worker::Worker;
use pysurge_core::VERSION;
use pysurge_core::account::Account;
use pysurge_core::event::StopReason;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::summary::{
    Block, ChangeSummary, CheckFigures, Durations, ExhibitFigures, FailureFigures, Incident, LatenessFigures,
    MAX_CHANGES, MachineSummary, MetricFigures, ModelName, SCHEMA_VERSION, Status, StopCause, Summary,
    TestSummary, ThreadTime, TimerFigures, WarmupSummary, WorkerSummary,
};
use pysurge_core::verdict::{Evidence, Generator, Verdict, judge};

/// When a summary is taken, and of what.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) epoch: Epoch,
    /// When iterations started; `None` where no test could run.
    pub(crate) started_ns: Option<u64>,
    /// Now, while the run goes on; then the end of the plan.
    pub(crate) plan_ends_ns: u64,
    /// Now, while the run goes on; then the end of the last iteration.
    pub(crate) ends_ns: u64,
    pub(crate) status: Status,
    pub(crate) reason: Option<StopReason>,
    pub(crate) workers: &'a [Worker],
    /// What befell workers.
    pub(crate) incidents: &'a [Incident],
    pub(crate) machine: MachineSummary,
    /// How many descriptors a worker may have open.
    pub(crate) open_files: Option<u64>,
}

impl Moment<'_> {
    fn since_start_ns(&self, at_ns: u64) -> u64 {
        self.started_ns
            .map_or(0, |started_ns| at_ns.saturating_sub(started_ns))
    }

    /// Up to when thresholds are judged, where the plan has got so far.
    fn judged_until(&self, plan_ns: u64) -> Until {
        let asked_for = [
            None,
            Some(StopReason::Threshold),
            Some(StopReason::Signal),
            Some(StopReason::SecondSignal),
        ];
        match self.status {
            Status::Running => Until::Now,
            Status::Finished | Status::Killed => Until::End {
                plan_ns,
                cut: asked_for.contains(&self.reason),
            },
        }
    }
}

impl Totals {
    /// Everything that is known at a moment.
    pub(crate) fn summary(&self, moment: &Moment<'_>) -> Summary {
        let plan_ends_ns = moment.since_start_ns(moment.plan_ends_ns);
        let plan_ns = self.course.plan_ns(plan_ends_ns);
        let accounts = self.accounts(plan_ns);
        let mut account = Account::default();
        for of_test in &accounts {
            account += of_test.measured;
        }
        let tests = self.tests.iter().zip(&accounts).zip(&moment.plan.tests);
        let tests: Vec<TestSummary> = tests
            .map(|((test, account), plan)| TestSummary {
                asked_rate_per_s: test.asked_rate_per_s(self, plan_ns),
                achieved_rate_per_s: test.achieved_rate_per_s(
                    self,
                    &account.measured,
                    moment.status,
                    plan_ns,
                ),
                ..test.summary(plan, account)
            })
            .collect();
        let workers = worker_summaries(moment);
        Summary {
            schema_version: SCHEMA_VERSION,
            pysurge_version: VERSION.to_owned(),
            name: moment.plan.name.clone(),
            tags: moment.plan.tags.clone(),
            status: moment.status,
            stop_cause: moment.reason.map(stop_cause),
            exit_code: None,
            started_at: iso_utc(moment.epoch.wall_of(moment.started_ns.unwrap_or(moment.ends_ns))),
            planned_duration_s: self.planned_ns(moment.plan.duration_ns).map(seconds),
            duration_s: seconds(plan_ns),
            paused_s: seconds(self.course.paused_ns(plan_ends_ns)),
            factor: self.course.now().factor.as_f64(),
            changes: self.changes(),
            elapsed_s: seconds(moment.since_start_ns(moment.ends_ns)),
            verdict: self.verdict(&accounts, &tests, &workers, moment),
            thresholds: self.threshold_results(moment.judged_until(plan_ns)),
            account,
            tests,
            workers,
            incidents: moment.incidents.to_vec(),
            machine: moment.machine.clone(),
            blocks: match moment.status {
                Status::Running => Vec::new(),
                Status::Finished | Status::Killed => Block::of_series(self.series()),
            },
            samples_dropped: moment.workers.iter().map(|worker| worker.iterations_untold).sum(),
            output_dropped: moment.workers.iter().map(|worker| worker.logs_dropped).sum(),
        }
    }

    fn changes(&self) -> Vec<ChangeSummary> {
        let changes = self.course.changes().take(MAX_CHANGES);
        changes
            .map(|change| ChangeSummary {
                at_s: seconds(change.at_ns),
                paused: change.paused,
                factor: change.factor.as_f64(),
            })
            .collect()
    }

    /// The warm-up is no evidence: whoever wants the generator to be warm says so with it.
    fn verdict(
        &self,
        accounts: &[Parts<Account>],
        tests: &[TestSummary],
        workers: &[WorkerSummary],
        moment: &Moment<'_>,
    ) -> Verdict {
        let places = by_place(workers);
        let workers_of_run = u32::try_from(places.len()).expect("workers number far below 2^32");
        let of_tests = self.tests.iter().zip(accounts).zip(tests);
        let evidence = of_tests.map(|((test, account), summary)| Evidence {
            label: test.called(),
            // While the run goes on, what runs has been started; how it ends is not told yet.
            account: Account {
                interrupted: account.measured.interrupted + test.in_flight(),
                ..account.measured
            },
            measures: &test.measured,
            coroutine: test.info.coroutine,
            closed_model: matches!(test.origin, Origin::Closed { .. }),
            asked_rate_per_s: summary.asked_rate_per_s,
            achieved_rate_per_s: summary.achieved_rate_per_s,
            workers: test.workers(),
            workers_of_run,
            threads: test.most_threads,
            max_threads: test.most_max_threads,
            threads_refused: test.threads_refused,
        });
        let evidence: Vec<Evidence<'_>> = evidence.collect();
        let generator = Generator {
            workers: &places,
            incidents: moment.incidents,
            free_threaded: moment.workers.iter().any(|worker| worker.free_threaded),
            machine: &moment.machine,
            open_files: moment.open_files,
        };
        judge(&evidence, &generator)
    }
}

impl TestTotals {
    /// Without the rates.
    fn summary(&self, plan: &TestPlan, account: &Parts<Account>) -> TestSummary {
        let measures = &self.measured;
        TestSummary {
            label: self.info.label.clone(),
            summary: self.info.summary.clone(),
            coroutine: self.info.coroutine,
            test_class: plan.target.path().to_owned(),
            name: plan.name.clone(),
            tags: plan.tags.clone(),
            model: if plan.model.is_closed() {
                ModelName::Closed
            } else {
                ModelName::Open
            },
            load: plan.load_in_words(),
            warmup: (plan.warmup_ns > 0).then(|| WarmupSummary {
                duration_s: seconds(plan.warmup_ns),
                account: account.warmup,
                response_time: Durations::of(&self.warmup.response_time),
                service_time: Durations::of(&self.warmup.service_time),
                failures: FailureFigures::of_all(&self.warmup.failures),
            }),
            not_run: self.not_run.clone(),
            workers: self.workers(),
            account: account.measured,
            in_flight: self.in_flight(),
            asked_rate_per_s: None,
            achieved_rate_per_s: 0.0,
            response_time: Durations::of(&measures.response_time),
            service_time: Durations::of(&measures.service_time),
            lateness: Durations::of(&measures.lateness),
            lateness_parts: LatenessFigures::of(&measures.lateness_parts),
            thread_time: ThreadTime::of(measures),
            setup: Durations::of(&measures.setup),
            teardown: Durations::of(&measures.teardown),
            metrics: MetricFigures::of_all(&measures.metrics),
            metrics_refused: measures.metrics.refused(),
            checks: CheckFigures::of_all(&measures.checks),
            timers: TimerFigures::of_all(&measures.timers),
            counts: measures
                .counts
                .iter()
                .map(|(name, sum)| (name.to_owned(), sum))
                .collect(),
            steps_refused: measures.checks.refused() + measures.timers.refused() + measures.counts.refused(),
            failures: FailureFigures::of_all(&measures.failures),
            failures_overflow: measures.failures.overflow(),
            overran: self.overran(),
            slowest: ExhibitFigures::of_all(measures.exhibits.slowest()),
            first_failed: ExhibitFigures::of_all(measures.exhibits.failed()),
        }
    }
}

/// Nanoseconds as they leave the program.
#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn stop_cause(reason: StopReason) -> StopCause {
    match reason {
        StopReason::Duration => StopCause::Duration,
        StopReason::Iterations => StopCause::Iterations,
        StopReason::Threshold => StopCause::Threshold,
        StopReason::Signal => StopCause::Signal,
        StopReason::SecondSignal => StopCause::SecondSignal,
        StopReason::WorkersLost => StopCause::WorkersLost,
    }
}

fn worker_summaries(moment: &Moment<'_>) -> Vec<WorkerSummary> {
    let cpus = f64::from(moment.machine.cpus.max(1));
    // What could not even be started is told among the incidents.
    let workers = moment.workers.iter().filter(|worker| worker.pid != 0);
    let summaries = workers.map(|worker| WorkerSummary {
        worker: u32::try_from(worker.slot).expect("workers number far below 2^32"),
        life: worker.life,
        pid: worker.pid,
        end: worker.end,
        death: worker.death.clone(),
        cpu_s: seconds(worker.cpu_ns),
        cpu_share: worker
            .cpu
            .share()
            .map(|share| if worker.free_threaded { share / cpus } else { share }),
        gil_wait_share: worker.gil_wait.share(),
        stood_still_s: seconds(worker.stood_still_ns.rise().unwrap_or(0)),
        rss_bytes: worker.rss_bytes,
    });
    summaries.collect()
}

/// One entry per place in the run: a worker and those that were started in its place used its core one after the other.
fn by_place(workers: &[WorkerSummary]) -> Vec<WorkerSummary> {
    let mut places: Vec<WorkerSummary> = Vec::new();
    for worker in workers {
        let Some(place) = places.iter_mut().find(|place| place.worker == worker.worker) else {
            places.push(worker.clone());
            continue;
        };
        let greater = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        place.cpu_share = greater(place.cpu_share, worker.cpu_share);
        place.gil_wait_share = greater(place.gil_wait_share, worker.gil_wait_share);
        place.stood_still_s += worker.stood_still_s;
        place.cpu_s += worker.cpu_s;
    }
    places
}
