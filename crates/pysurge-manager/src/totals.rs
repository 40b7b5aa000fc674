//! What the workers told, added up: per test the measures, how its planned iterations ended, and the summary made of it.
//! Pure: instants are given, nothing is decided here.
//!
//! A test's iterations are shared out in stripes. A share is *live* while its worker may still tell of it, *told* once the
//! worker drained, *lost* once it died before that: whatever the schedule gave such a share up to the end of the plan
//! and it had not told is lost. At the end every account balances; where a worker's own figures do not add up, the
//! difference is made visible as an inconsistency and never hidden.

use crate::clock::{Epoch, iso_utc};
use crate::worker::Worker;
use pysurge_core::VERSION;
use pysurge_core::account::Account;
use pysurge_core::event::StopReason;
use pysurge_core::measure::Measures;
use pysurge_core::plan::Plan;
use pysurge_core::schedule::{Schedule, Stripe};
use pysurge_core::summary::{
    Durations, FailureFigures, MetricFigures, SCHEMA_VERSION, Status, StopCause, Summary, TestSummary,
    WorkerSummary,
};
use pysurge_core::verdict::{Evidence, Verdict, judge};
use pysurge_core::wire::{TestInfo, TestSnapshot};

/// How far the worker of a share has got with telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Live,
    Told,
    Lost,
}

/// One worker's part of a test.
#[derive(Debug)]
struct Share {
    stripe: Stripe,
    fate: Fate,
    /// As told, cumulative; `lost` is unused.
    told: Account,
    /// Up to when it was told, since the start.
    told_ns: u64,
    in_flight: u64,
}

/// One test.
#[derive(Debug)]
struct TestTotals {
    info: TestInfo,
    schedule: Schedule,
    not_run: Option<String>,
    /// The last start after the end of the schedule, since the start; 0 where there was none.
    late_start_ns: u64,
    /// Per worker.
    shares: Vec<Option<Share>>,
    measures: Measures,
}

/// All tests.
#[derive(Debug)]
pub(crate) struct Totals {
    tests: Vec<TestTotals>,
}

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
}

impl Moment<'_> {
    fn since_start_ns(&self, at_ns: u64) -> u64 {
        self.started_ns
            .map_or(0, |started_ns| at_ns.saturating_sub(started_ns))
    }
}

impl Totals {
    /// The tests of a plan, and which worker runs which: `runs[worker][test]` is why not, where it does not.
    pub(crate) fn new(plan: &Plan, infos: &[TestInfo], runs: &[Vec<Option<String>>]) -> Self {
        let tests = infos.iter().enumerate().map(|(test, info)| {
            let able: Vec<bool> = runs.iter().map(|worker| worker[test].is_none()).collect();
            let count = able.iter().filter(|&&able| able).count();
            let workers = u32::try_from(count).expect("workers number far below 2^32");
            let mut next = 0;
            let shares = able.iter().map(|&able| {
                able.then(|| {
                    let stripe = Stripe {
                        worker: next,
                        workers,
                    };
                    next += 1;
                    Share {
                        stripe,
                        fate: Fate::Live,
                        told: Account::default(),
                        told_ns: 0,
                        in_flight: 0,
                    }
                })
            });
            TestTotals {
                info: info.clone(),
                schedule: plan.schedule(test),
                late_start_ns: 0,
                shares: shares.collect(),
                not_run: if workers == 0 {
                    runs.first().and_then(|worker| worker[test].clone())
                } else {
                    None
                },
                measures: Measures::default(),
            }
        });
        Self {
            tests: tests.collect(),
        }
    }

    /// How many tests run somewhere.
    pub(crate) fn tests_run(&self) -> usize {
        self.tests.iter().filter(|test| test.workers() > 0).count()
    }

    /// What a worker is to fire, per test.
    pub(crate) fn stripes_of(&self, worker: usize) -> Vec<Option<Stripe>> {
        let share = |test: &TestTotals| test.shares[worker].as_ref().map(|share| share.stripe);
        self.tests.iter().map(share).collect()
    }

    /// All stripes of each test.
    pub(crate) fn stripes(&self) -> Vec<Vec<Stripe>> {
        let of_test = |test: &TestTotals| test.shares.iter().flatten().map(|share| share.stripe).collect();
        self.tests.iter().map(of_test).collect()
    }

    /// Adds what a worker measured up to an instant since the start. Says what is wrong where it cannot be: then nothing
    /// was added.
    pub(crate) fn add(&mut self, worker: usize, tests: &[TestSnapshot], told_ns: u64) -> Result<(), String> {
        if tests.len() != self.tests.len() {
            return Err(format!(
                "told of {} tests where there are {}",
                tests.len(),
                self.tests.len()
            ));
        }
        for (total, news) in self.tests.iter().zip(tests) {
            let (before, idle) = match &total.shares[worker] {
                Some(share) => (share.told, false),
                None => (Account::default(), true),
            };
            if news.planned < before.planned
                || news.dropped < before.dropped
                || news.interrupted < before.interrupted
            {
                return Err(format!("took back what it had told of {}", total.info.label));
            }
            if idle && (news.planned > 0 || news.measures.passed > 0 || news.measures.failed > 0) {
                return Err(format!("told of {}, which it does not run", total.info.label));
            }
        }
        for (total, news) in self.tests.iter_mut().zip(tests) {
            let Some(share) = &mut total.shares[worker] else {
                continue;
            };
            share.told.planned = news.planned;
            share.told.dropped = news.dropped;
            share.told.interrupted = news.interrupted;
            share.told.passed += news.measures.passed;
            share.told.failed += news.measures.failed;
            share.told_ns = told_ns;
            total.late_start_ns = total.late_start_ns.max(news.late_start_ns);
            share.in_flight = u64::from(news.in_flight);
            total.measures.merge(&news.measures);
        }
        Ok(())
    }

    /// The worker told all it will ever tell.
    pub(crate) fn drained(&mut self, worker: usize) {
        self.settle(worker, Fate::Told);
    }

    /// The worker died before it told all.
    pub(crate) fn lost(&mut self, worker: usize) {
        self.settle(worker, Fate::Lost);
    }

    fn settle(&mut self, worker: usize, fate: Fate) {
        for test in &mut self.tests {
            if let Some(share) = &mut test.shares[worker] {
                share.fate = fate;
                share.in_flight = 0;
            }
        }
    }

    /// Every test's account, its plan counted up to an instant since the start.
    fn accounts(&self, plan_ends_ns: u64) -> Vec<Account> {
        self.tests.iter().map(|test| test.account(plan_ends_ns)).collect()
    }

    /// What does not add up at the end of a run; empty unless pysurge itself is wrong.
    pub(crate) fn inconsistencies(&self, plan_ends_ns: u64) -> Vec<String> {
        let mut found = Vec::new();
        for test in &self.tests {
            let label = &test.info.label;
            let account = test.account(plan_ends_ns);
            debug_assert!(account.balances(), "{label}: {account:?}");
            if !account.balances() {
                found.push(format!("{label}: the iterations do not add up: {account:?}"));
            }
            for (worker, share) in test.shares.iter().enumerate() {
                let Some(share) = share else { continue };
                let (told, planned) = (share.told.told(), share.told.planned);
                let expected = test.schedule.stripe(share.stripe).count_before(plan_ends_ns);
                if share.fate == Fate::Told && told != planned {
                    found.push(format!(
                        "{label}: worker {} told of {told} iterations, but says that it had {planned}",
                        worker + 1
                    ));
                } else if share.fate == Fate::Told && planned < expected {
                    found.push(format!(
                        "{label}: worker {} says that it had {planned} iterations, but its plan has {expected}",
                        worker + 1
                    ));
                }
            }
        }
        found
    }

    /// Everything that is known at a moment.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds and rates at the edge are floats"
    )]
    pub(crate) fn summary(&self, moment: &Moment<'_>) -> Summary {
        let plan_ends_ns = moment.since_start_ns(moment.plan_ends_ns);
        let duration_s = plan_ends_ns as f64 / 1e9;
        let accounts = self.accounts(plan_ends_ns);
        let mut account = Account::default();
        for of_test in &accounts {
            account += *of_test;
        }
        let workers = u32::try_from(moment.workers.len()).expect("workers number far below 2^32");
        let verdicts = self.tests.iter().zip(&accounts).map(|(test, account)| {
            judge(&Evidence {
                label: &test.info.label,
                // While the run goes on, what runs has been started; how it ends is not told yet.
                account: Account {
                    interrupted: account.interrupted + test.in_flight(),
                    ..*account
                },
                lateness: &test.measures.lateness,
                service_time: &test.measures.service_time,
                workers: test.workers(),
                workers_of_run: workers,
            })
        });
        let verdict = Verdict::worst(verdicts);
        let tests = self.tests.iter().zip(&accounts).zip(&moment.plan.tests);
        Summary {
            schema_version: SCHEMA_VERSION,
            pysurge_version: VERSION.to_owned(),
            name: moment.plan.name.clone(),
            status: moment.status,
            stop_cause: moment.reason.map(stop_cause),
            exit_code: None,
            started_at: iso_utc(moment.epoch.wall_of(moment.started_ns.unwrap_or(moment.ends_ns))),
            planned_duration_s: moment.plan.duration_ns.map(|ns| ns as f64 / 1e9),
            duration_s,
            elapsed_s: moment.since_start_ns(moment.ends_ns) as f64 / 1e9,
            verdict,
            account,
            tests: tests
                .map(|((test, account), plan)| TestSummary {
                    test_class: plan.test_class.clone(),
                    asked_rate_per_s: plan.rate.per_s(),
                    achieved_rate_per_s: match moment.status {
                        Status::Running => test.rate_so_far_per_s(),
                        // All that was planned is what was asked, late as it may be; beyond its power, the generator used more time.
                        Status::Finished if account.dropped == 0 => per_second(account.fired(), plan_ends_ns),
                        Status::Finished => per_second(account.fired(), plan_ends_ns.max(test.late_start_ns)),
                    },
                    ..test.summary(*account)
                })
                .collect(),
            workers: worker_summaries(moment.workers),
            output_dropped: moment.workers.iter().map(|worker| worker.logs_dropped).sum(),
        }
    }
}

impl TestTotals {
    fn workers(&self) -> u32 {
        self.shares
            .iter()
            .flatten()
            .next()
            .map_or(0, |share| share.stripe.workers)
    }

    fn in_flight(&self) -> u64 {
        self.shares.iter().flatten().map(|share| share.in_flight).sum()
    }

    fn account(&self, plan_ends_ns: u64) -> Account {
        let mut sum = Account::default();
        for share in self.shares.iter().flatten() {
            let scheduled = self.schedule.stripe(share.stripe).count_before(plan_ends_ns);
            let told = share.told.told();
            let planned = match share.fate {
                Fate::Live => scheduled.max(told),
                // Its own count holds what it claimed before it heard of an early stop.
                Fate::Told => share.told.planned.max(told),
                Fate::Lost => scheduled.max(share.told.planned).max(told),
            };
            let lost = if share.fate == Fate::Live {
                0
            } else {
                planned - told
            };
            sum += Account {
                planned,
                lost,
                ..share.told
            };
        }
        sum
    }

    /// The rate achieved up to what each worker has told: what it did since is in nobody's count yet.
    fn rate_so_far_per_s(&self) -> f64 {
        let rate = |share: &Share| per_second(share.told.fired(), share.told_ns);
        self.shares.iter().flatten().map(rate).sum()
    }

    /// Without what only the plan and the moment know.
    fn summary(&self, account: Account) -> TestSummary {
        let measures = &self.measures;
        TestSummary {
            label: self.info.label.clone(),
            summary: self.info.summary.clone(),
            test_class: String::new(),
            not_run: self.not_run.clone(),
            workers: self.workers(),
            account,
            in_flight: self.in_flight(),
            asked_rate_per_s: 0.0,
            achieved_rate_per_s: 0.0,
            response_time: Durations::of(&measures.response_time),
            service_time: Durations::of(&measures.service_time),
            lateness: Durations::of(&measures.lateness),
            setup: Durations::of(&measures.setup),
            teardown: Durations::of(&measures.teardown),
            metrics: MetricFigures::of_all(&measures.metrics),
            metrics_refused: measures.metrics.refused(),
            failures: FailureFigures::of_all(&measures.failures),
            failures_overflow: measures.failures.overflow(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates at the edge are floats")]
fn per_second(count: u64, span_ns: u64) -> f64 {
    if span_ns == 0 {
        0.0
    } else {
        count as f64 / (span_ns as f64 / 1e9)
    }
}

fn stop_cause(reason: StopReason) -> StopCause {
    match reason {
        StopReason::Duration => StopCause::Duration,
        StopReason::Signal => StopCause::Signal,
        StopReason::SecondSignal => StopCause::SecondSignal,
        StopReason::WorkersLost => StopCause::WorkersLost,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn worker_summaries(workers: &[Worker]) -> Vec<WorkerSummary> {
    let summaries = (0u32..).zip(workers).map(|(number, worker)| WorkerSummary {
        worker: number,
        pid: worker.pid,
        end: worker.end,
        death: worker.death.clone(),
        cpu_s: worker.cpu_ns as f64 / 1e9,
        rss_bytes: worker.rss_bytes,
    });
    summaries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::NANOS_PER_SEC;
    use pysurge_core::plan::TestPlan;
    use pysurge_core::rate::Rate;

    fn plan() -> Plan {
        let test = |rate: &str| TestPlan {
            test_class: "a.B".into(),
            kwargs: vec![],
            rate: Rate::parse(rate).unwrap(),
        };
        Plan {
            name: "n".into(),
            tests: vec![test("10"), test("4")],
            duration_ns: Some(10 * NANOS_PER_SEC),
        }
    }

    fn totals(runs: &[[bool; 2]]) -> Totals {
        let info = |label: &str| TestInfo {
            label: label.into(),
            summary: String::new(),
            max_duration_ns: None,
        };
        let runs: Vec<Vec<_>> = runs
            .iter()
            .map(|worker| worker.iter().map(|&runs| (!runs).then(|| "why".into())).collect())
            .collect();
        Totals::new(&plan(), &[info("<A>"), info("<B>")], &runs)
    }

    fn news(planned: u64, passed: u64, dropped: u64) -> TestSnapshot {
        TestSnapshot {
            planned,
            dropped,
            measures: Measures {
                passed,
                ..Measures::default()
            },
            ..TestSnapshot::default()
        }
    }

    #[test]
    fn stripes_are_counted_over_the_workers_that_can_run_the_test() {
        let totals = totals(&[[true, false], [false, false], [true, false]]);
        let stripe = |worker| Some(Stripe { worker, workers: 2 });
        assert_eq!(totals.stripes_of(0), [stripe(0), None]);
        assert_eq!(totals.stripes_of(1), [None, None]);
        assert_eq!(totals.stripes_of(2), [stripe(1), None]);
        assert_eq!(totals.stripes()[1], []);
        assert_eq!(totals.tests_run(), 1);
        assert_eq!(totals.tests[1].not_run.as_deref(), Some("why"));
        // The whole rate is still fired.
        assert_eq!(totals.accounts(10 * NANOS_PER_SEC)[0].planned, 100);
    }

    #[test]
    fn a_dead_workers_rest_is_lost_and_the_account_balances() {
        let mut totals = totals(&[[true, true], [true, true]]);
        totals
            .add(0, &[news(50, 48, 2), news(20, 20, 0)], 1_000_000_000)
            .unwrap();
        totals.drained(0);
        totals
            .add(1, &[news(10, 9, 0), news(0, 0, 0)], 1_000_000_000)
            .unwrap();
        totals.lost(1);
        let [a, b] = totals.accounts(10 * NANOS_PER_SEC)[..] else {
            panic!("two tests")
        };
        assert_eq!(
            a,
            Account {
                planned: 100,
                passed: 57,
                dropped: 2,
                lost: 41,
                ..Account::default()
            }
        );
        assert_eq!((b.planned, b.passed, b.lost), (40, 20, 20));
        assert!(a.balances() && b.balances());
        assert_eq!(totals.inconsistencies(10 * NANOS_PER_SEC), Vec::<String>::new());
    }

    #[test]
    fn claims_beyond_an_early_stop_are_part_of_the_plan() {
        let mut totals = totals(&[[true, true]]);
        totals
            .add(0, &[news(12, 12, 0), news(4, 4, 0)], 1_000_000_000)
            .unwrap();
        totals.drained(0);
        // One second of 10/s is 10, but the worker had started two more before the stop reached it.
        assert_eq!(totals.accounts(NANOS_PER_SEC)[0].planned, 12);
        assert_eq!(totals.inconsistencies(NANOS_PER_SEC), Vec::<String>::new());
    }

    #[test]
    fn figures_that_do_not_add_up_are_told_and_still_balance() {
        for (snapshot, said) in [
            (news(99, 99, 0), "but its plan has 100"),
            (
                news(100, 99, 0),
                "told of 99 iterations, but says that it had 100",
            ),
            (
                news(100, 101, 0),
                "told of 101 iterations, but says that it had 100",
            ),
        ] {
            let mut totals = totals(&[[true, true]]);
            totals
                .add(0, &[snapshot, news(40, 40, 0)], 1_000_000_000)
                .unwrap();
            totals.drained(0);
            let found = totals.inconsistencies(10 * NANOS_PER_SEC);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(said), "{found:?}");
            assert!(totals.accounts(10 * NANOS_PER_SEC).iter().all(Account::balances));
        }
    }

    #[test]
    fn impossible_news_is_refused_whole() {
        let mut totals = totals(&[[true, false]]);
        totals
            .add(0, &[news(5, 5, 0), news(0, 0, 0)], 1_000_000_000)
            .unwrap();
        for (tests, said) in [
            (vec![news(6, 1, 0)], "told of 1 tests where there are 2"),
            (
                vec![news(4, 0, 0), news(0, 0, 0)],
                "took back what it had told of <A>",
            ),
            (
                vec![news(6, 1, 0), news(1, 1, 0)],
                "told of <B>, which it does not run",
            ),
        ] {
            assert_eq!(totals.add(0, &tests, 1_000_000_000), Err(said.into()));
        }
        assert_eq!(totals.accounts(0)[0].passed, 5);
    }
}
