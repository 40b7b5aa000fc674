//! Thresholds: every closed second and the run so far are handed to the judges, and what they say is told.
//!
//! All figures of a judgement are of the same time, up to the end of the last closed row: what the workers have not told of yet is not planned
//! either, so a share of the plan is fair while the run goes on. Nothing of the warm-up is judged. A threshold that stopped the run stays
//! failed, with the value that it had then, whatever the iterations that were still running made of it.

use super::rows::{ROW_NS, Second, started};
use super::{Fate, TestTotals, Totals};
use pysurge_core::account::Account;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::summary::{ThresholdResult, ThresholdState};
use pysurge_core::threshold::{Judge, Threshold, View};

/// The last row of a run, where it is shorter than this, is not judged as a second: a rate over less says nothing.
const LEAST_SECOND_NS: u64 = ROW_NS / 2;

/// One threshold of the plan.
#[derive(Debug)]
struct Judged {
    judge: Judge,
    /// What it said when it stopped the run.
    aborted: Option<ThresholdResult>,
}

/// The thresholds of a run.
#[derive(Debug)]
pub(super) struct Judging {
    of_run: Vec<Judged>,
    /// Per test.
    of_tests: Vec<Vec<Judged>>,
    /// What was measured of all tests together, where somebody asks for it.
    all: Measures,
    /// A second was judged.
    began: bool,
}

/// Figures of a test, or of all of them, over some time.
#[derive(Debug, Clone, Default)]
struct Figures {
    account: Account,
    started: u64,
    span_ns: u64,
}

impl Figures {
    fn view<'a>(&'a self, measures: &'a Measures) -> View<'a> {
        View {
            measures,
            account: &self.account,
            started: self.started,
            span_ns: self.span_ns,
        }
    }

    /// All tests' figures together; the time is that in which any of them was planned, as far as one number can say it.
    fn sum<'a>(of_tests: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for of_test in of_tests {
            sum.account += of_test.account;
            sum.started += of_test.started;
            sum.span_ns = sum.span_ns.max(of_test.span_ns);
        }
        sum
    }
}

/// What the whole run is judged by.
struct Standing {
    run: Figures,
    run_measured_ns: u64,
    /// Per test.
    tests: Vec<(Figures, u64)>,
}

/// Up to when the run is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// It goes on: up to the end of the last closed row.
    Now,
    /// It is over; its plan ended at this instant of plan time.
    End {
        /// When.
        plan_ns: u64,
        /// Whether somebody ended it before it had come to its end by itself.
        cut: bool,
    },
}

impl Judging {
    pub(super) fn new(plan: &Plan) -> Self {
        let judged = |threshold: &Threshold| Judged {
            judge: Judge::new(threshold.clone()),
            aborted: None,
        };
        let of_test = |test: &TestPlan| test.thresholds.iter().map(judged).collect();
        Self {
            of_run: plan.thresholds.iter().map(judged).collect(),
            of_tests: plan.tests.iter().map(of_test).collect(),
            all: Measures::default(),
            began: false,
        }
    }

    /// Takes what was measured of a test that counts.
    pub(super) fn add(&mut self, measures: &Measures) {
        if !self.of_run.is_empty() {
            self.all.merge(measures);
        }
    }
}

impl Totals {
    /// Hands a closed row to the judges.
    pub(super) fn judge_second(&mut self, second: &Second) {
        let Second { from_ns, to_ns, .. } = *second;
        let is_rest = to_ns - from_ns < LEAST_SECOND_NS && self.judging.began;
        if is_rest {
            return;
        }
        let to_plan_ns = self.course.plan_ns(to_ns);
        let figures: Vec<Figures> = self
            .tests
            .iter()
            .zip(&second.tests)
            .map(|(test, open)| Figures {
                account: Account {
                    planned: open.row.planned,
                    passed: open.row.measures.passed,
                    failed: open.row.measures.failed,
                    dropped: open.row.dropped,
                    interrupted: open.interrupted,
                    lost: 0,
                },
                started: open.started,
                span_ns: test
                    .measured_ns(self, to_ns)
                    .saturating_sub(test.measured_ns(self, from_ns)),
            })
            .collect();
        let began = |test: &TestTotals| test.runs() && to_plan_ns > test.measured_from_ns;
        let measured: Vec<bool> = self.tests.iter().map(began).collect();
        let judging = &mut self.judging;
        if !judging.of_run.is_empty() && measured.contains(&true) {
            let mut all = Measures::default();
            for open in &second.tests {
                all.merge(&open.row.measures);
            }
            let sum = Figures::sum(&figures);
            for judged in &mut judging.of_run {
                judged.judge.second(&sum.view(&all));
            }
        }
        judging.began |= measured.contains(&true);
        for (position, of_test) in judging.of_tests.iter_mut().enumerate() {
            for judged in of_test.iter_mut().filter(|_| measured[position]) {
                let view = figures[position].view(&second.tests[position].row.measures);
                judged.judge.second(&view);
            }
        }
    }

    /// The first threshold that stops the run now; it is kept as it stands.
    pub(crate) fn abort(&mut self) -> Option<ThresholdResult> {
        let aborts = |judged: &Judged| judged.judge.threshold().abort_on_fail;
        let mut all = self.judging.of_tests.iter().flatten().chain(&self.judging.of_run);
        if !all.any(aborts) {
            return None;
        }
        let standing = self.standing(Until::Now);
        let Self { tests, judging, .. } = self;
        let fails = |judged: &mut Judged, view: &View<'_>, measured_ns, test: Option<&TestTotals>| {
            if !judged.judge.aborts(view, measured_ns) {
                return None;
            }
            let result = ThresholdResult {
                test: test.map(|test| test.called().to_owned()),
                state: ThresholdState::Failed,
                aborted: true,
                ..judged.judge.result(view, measured_ns, false)
            };
            judged.aborted = Some(result.clone());
            Some(result)
        };
        let view = standing.run.view(&judging.all);
        for judged in &mut judging.of_run {
            let found = fails(judged, &view, standing.run_measured_ns, None);
            if found.is_some() {
                return found;
            }
        }
        for ((test, of_test), (figures, measured_ns)) in
            tests.iter().zip(&mut judging.of_tests).zip(&standing.tests)
        {
            let view = figures.view(&test.measured);
            for judged in of_test {
                let found = fails(judged, &view, *measured_ns, Some(test));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// What is to be told of every threshold: the run's own first, then each test's.
    pub(super) fn threshold_results(&self, until: Until) -> Vec<ThresholdResult> {
        let judging = &self.judging;
        if judging.of_run.is_empty() && judging.of_tests.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let standing = self.standing(until);
        let result = |judged: &Judged, view: &View<'_>, measured_ns, test: Option<&TestTotals>| {
            if let Some(aborted) = &judged.aborted {
                return aborted.clone();
            }
            let result = match until {
                Until::Now => judged.judge.result(view, measured_ns, false),
                // Whoever ended the run before anything was due has not seen it fail.
                Until::End { cut: true, .. } if view.account.planned == 0 => ThresholdResult {
                    state: ThresholdState::Pending,
                    actual: None,
                    actual_text: "not judged".to_owned(),
                    ..judged.judge.result(view, 0, false)
                },
                Until::End { .. } => judged.judge.result(view, measured_ns, true),
            };
            ThresholdResult {
                test: test.map(|test| test.called().to_owned()),
                ..result
            }
        };
        let view = standing.run.view(&judging.all);
        let of_run = judging.of_run.iter();
        let mut results: Vec<_> = of_run
            .map(|judged| result(judged, &view, standing.run_measured_ns, None))
            .collect();
        let tests = self.tests.iter().zip(&judging.of_tests).zip(&standing.tests);
        for ((test, of_test), (figures, measured_ns)) in tests {
            let view = figures.view(&test.measured);
            let of_test = of_test.iter();
            results.extend(of_test.map(|judged| result(judged, &view, *measured_ns, Some(test))));
        }
        results
    }

    fn standing(&self, until: Until) -> Standing {
        let plan_ns = match until {
            Until::Now => self.course.plan_ns(self.rows.closed_to_ns()),
            Until::End { plan_ns, .. } => plan_ns,
        };
        let of_test = |test: &TestTotals| {
            let account = test.account(plan_ns, self).measured;
            let started = match until {
                Until::Now => test.started(),
                Until::End { .. } => account.fired(),
            };
            let (from_ns, to_ns) = test.span_ns(self, plan_ns);
            let figures = Figures {
                account,
                started,
                span_ns: to_ns - from_ns,
            };
            (figures, plan_ns.saturating_sub(test.measured_from_ns))
        };
        let tests: Vec<(Figures, u64)> = self.tests.iter().map(of_test).collect();
        let running = self.tests.iter().filter(|test| test.runs());
        let spans = running.map(|test| test.span_ns(self, plan_ns));
        let union = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let (from_ns, to_ns) = union.unwrap_or((plan_ns, plan_ns));
        Standing {
            run: Figures {
                span_ns: to_ns.min(plan_ns).saturating_sub(from_ns),
                ..Figures::sum(tests.iter().map(|(figures, _)| figures))
            },
            run_measured_ns: plan_ns.saturating_sub(from_ns),
            tests,
        }
    }
}

impl TestTotals {
    /// For how long iterations that count were planned up to an instant of run time, plan time.
    fn measured_ns(&self, totals: &Totals, run_ns: u64) -> u64 {
        let (from_ns, to_ns) = self.span_ns(totals, totals.course.plan_ns(run_ns));
        to_ns - from_ns
    }

    /// Iterations that count and were started, as far as it was told.
    fn started(&self) -> u64 {
        let of_share = |share: &super::Share| match share.fate {
            Fate::Live => started(&share.told.measured),
            // Of those that it had started when it died nobody will ever tell more.
            Fate::Told | Fate::Lost => share.told.measured.fired(),
        };
        self.shares.iter().flatten().map(of_share).sum()
    }
}
