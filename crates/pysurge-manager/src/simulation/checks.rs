//! What must be true of every simulated run, and what the simulation has reached.

use super::cast::samples_of;
use super::{Simulated, World};
use crate::outcome::{Abort, Outcome};
use crate::supervisor::{Input, Supervisor};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::account::Account;
use pysurge_core::series::TestRow;
use pysurge_core::summary::{IncidentKind, StopCause, Summary, WorkerEnd};
use std::collections::BTreeMap;

pub(super) fn check(world: &mut World<'_>, supervisor: &mut Supervisor) {
    for (number, actor) in world.actors.iter().enumerate() {
        assert_eq!(actor.reaped, u32::from(!actor.unborn), "worker {number}");
    }
    assert!(
        supervisor
            .step(Input::Tick, world.now_ns + NANOS_PER_SEC)
            .is_empty(),
        "effects after the end"
    );
    let wrong: Vec<_> = world
        .notices
        .iter()
        .filter(|text| text.contains("internal error"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let outcome = world.outcome.as_ref().unwrap();
    let Outcome::Finished(summary) = outcome else {
        assert_eq!(world.started, 0, "{outcome:?} after a start");
        return;
    };
    assert_eq!(
        world.started,
        u32::from(summary.tests.iter().any(|test| test.not_run.is_none()))
    );
    assert_eq!(Some(outcome.exit_code()), summary.exit_code);
    let lost = summary.workers.iter().any(|worker| worker.end == WorkerEnd::Lost);
    let mut sum = 0;
    for test in &summary.tests {
        let warmup = test
            .warmup
            .as_ref()
            .map_or_else(Default::default, |warmup| warmup.account);
        for account in [test.account, warmup] {
            assert!(account.balances(), "{account:?}");
            assert!(lost || account.lost == 0, "lost without a lost worker");
        }
        sum += test.account.planned;
    }
    assert_eq!(summary.account.planned, sum, "the warm-up is in no sum");
    let failed = summary.thresholds.iter().any(|result| result.state.fails());
    let aborted = summary.thresholds.iter().any(|result| result.aborted);
    assert!(failed || !aborted, "what stopped the run has failed");
    assert!(!failed || summary.exit_code != Some(0));
    assert!(aborted || summary.stop_cause != Some(StopCause::Threshold));
    compare_with_the_rows(world, summary);
    if let Some(plan_ends_ns) = world.plan_ends_ns {
        compare_with_the_plan(world, summary, plan_ends_ns);
    }
}

/// The rows are gapless, and their sum is the total.
fn compare_with_the_rows(world: &World<'_>, summary: &Summary) {
    let mut until_ns = 0;
    for row in &world.rows {
        assert_eq!(row.from_ns, until_ns, "a gap");
        assert!(row.to_ns > row.from_ns, "a row of no length");
        until_ns = row.to_ns;
    }
    for (position, test) in summary.tests.iter().enumerate() {
        let of_rows = |figure: fn(&TestRow) -> u64| -> u64 {
            world.rows.iter().map(|row| figure(&row.tests[position])).sum()
        };
        let counted = (
            of_rows(|row| row.measures.passed),
            of_rows(|row| row.measures.failed),
            of_rows(|row| row.dropped),
            of_rows(|row| row.measures.service_time.count()),
        );
        let Account {
            passed,
            failed,
            dropped,
            ..
        } = test.account;
        assert_eq!(counted, (passed, failed, dropped, test.service_time.count));
        let planned = of_rows(|row| row.planned);
        // Who hears too late of a change in the warm-up has claimed iterations as warm-up that the schedule counts as measured.
        let is_claimed_wrongly = test.warmup.is_some() && (!world.changes.is_empty() || world.heard_late);
        assert!(planned == test.account.planned || (is_claimed_wrongly && planned > test.account.planned));
        let of_blocks: u64 = summary
            .blocks
            .iter()
            .map(|block| block.tests[position].planned)
            .sum();
        assert_eq!(of_blocks, planned);
    }
}

/// What was planned is what the plan has with what was changed, whoever lived to tell of it.
fn compare_with_the_plan(world: &World<'_>, summary: &Summary, plan_ends_ns: u64) {
    let mut plan = world.plan.clone();
    for test in &mut plan.tests {
        let samples = samples_of(test);
        if let Some(shape) = test.shape_mut() {
            shape.samples = samples;
        }
    }
    let all_lost = summary.stop_cause == Some(StopCause::WorkersLost);
    for (position, test) in summary.tests.iter().enumerate() {
        let warmup = test.warmup.as_ref().map_or(0, |warmup| warmup.account.planned);
        let Some(mut schedule) = plan.schedule(position) else {
            let planned = test.account.planned + warmup;
            if summary.stop_cause == Some(StopCause::Iterations)
                && plan.tests[position].end_ns(plan.duration_ns).is_none()
                && test.not_run.is_none()
            {
                assert_eq!(
                    Some(planned),
                    plan.tests[position].iterations,
                    "every iteration is told"
                );
            }
            continue;
        };
        if test.not_run.is_some() || all_lost {
            continue;
        }
        for change in &world.changes {
            schedule.change(*change);
        }
        let until_ns = schedule
            .course()
            .plan_ns(plan_ends_ns.saturating_sub(world.started_ns));
        let warm = schedule.count_before_plan(until_ns.min(plan.tests[position].warmup_ends_ns()));
        let all = schedule.count_before_plan(until_ns);
        world.hands.check(position, all);
        if world.heard_late {
            // Who hears late of a smaller part has claimed more than that; what it then has too many stands for later arrivals, and at the end
            // of the plan for none.
            assert!(
                test.account.planned + warmup >= all,
                "{} of {all}",
                test.account.planned + warmup
            );
        } else {
            assert_eq!(
                (test.account.planned, warmup),
                (all - warm, warm),
                "the whole plan is accounted for"
            );
        }
        if matches!(
            summary.stop_cause,
            Some(StopCause::Duration | StopCause::Iterations)
        ) {
            assert_eq!(
                all,
                schedule.count_before_plan(u64::MAX),
                "the plan came to its end"
            );
        }
    }
}

/// A simulation proves nothing about what it never reaches.
#[derive(Debug, Default)]
pub(super) struct Reached(BTreeMap<String, u32>);

impl Reached {
    pub(super) fn merge(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(super) fn assert_all(&self) {
        for what in [
            "Some(Duration)",
            "Some(Iterations)",
            "Some(Threshold)",
            "Some(Signal)",
            "Some(SecondSignal)",
            "Some(WorkersLost)",
            "None",
            "exit code Some(0)",
            "exit code Some(2)",
            "exit code Some(3)",
            "exit code Some(4)",
            "exit code Some(130)",
            "Done",
            "Killed",
            "Lost",
            "aborted by a worker",
            "load failed",
            "Aborted(Signal)",
            "Checked { passed: false }",
            "Checked { passed: true }",
            "planned",
            "collected",
            "rehearsal failed",
            "paused",
            "slept",
            "warmed up",
            "changed, then Some(Duration)",
            "changed, then Some(Iterations)",
            "changed, then Some(Signal)",
            "changed, then Some(SecondSignal)",
            "answered Starting",
            "answered Running",
            "answered Paused",
            "answered Stopping",
            "answered NotStarted",
            "rows",
            "single iterations",
            "threshold Passed",
            "threshold Failed",
            "threshold NoData",
            "threshold Pending",
            "CPU shares",
            "the machine's CPU share",
            "incident Lost",
            "incident TakenOver",
            "incident Replaced",
            "incident GivenUp",
            "taken over of a schedule",
            "replaced of a schedule",
            "notice could not be started",
            "notice is frozen",
            "notice told nothing",
            "notice tells again",
            "notice more iterations of <t> than there can be",
            "notice cannot load a test that the others",
            "notice nobody else runs its tests",
            "notice the run ends soon",
            "heard late",
        ] {
            let times = self.0.get(what).copied().unwrap_or(0);
            assert!(times > 0, "{what} was never reached: {self:#?}");
        }
    }

    pub(super) fn note(&mut self, simulated: &Simulated) {
        let mut one = |what: String| *self.0.entry(what).or_default() += 1;
        for answer in &simulated.answers {
            one(format!("answered {answer}"));
        }
        if simulated.slept {
            one("slept".into());
        }
        if simulated.rows > 5 {
            one("rows".into());
        }
        if simulated.iterations > 0 {
            one("single iterations".into());
        }
        for said in [
            "could not be started",
            "is frozen",
            "told nothing",
            "tells again",
            "more iterations of <t> than there can be",
            "cannot load a test that the others",
            "nobody else runs its tests",
            "the run ends soon",
        ] {
            if simulated.notices.iter().any(|text| text.contains(said)) {
                one(format!("notice {said}"));
            }
        }
        if simulated.heard_late {
            one("heard late".into());
        }
        match &simulated.outcome {
            Outcome::Finished(summary) => {
                for incident in &summary.incidents {
                    one(format!("incident {:?}", incident.kind));
                    let with_schedules = summary.tests.iter().any(|test| test.asked_rate_per_s.is_some());
                    match incident.kind {
                        IncidentKind::TakenOver if with_schedules => one("taken over of a schedule".into()),
                        IncidentKind::Replaced if with_schedules => one("replaced of a schedule".into()),
                        _ => {}
                    }
                }
                for result in &summary.thresholds {
                    one(format!("threshold {:?}", result.state));
                }
                if summary.workers.iter().any(|worker| worker.cpu_share.is_some()) {
                    one("CPU shares".into());
                }
                if summary.machine.cpu_share.is_some() {
                    one("the machine's CPU share".into());
                }
                if summary.paused_s > 0.0 {
                    one("paused".into());
                }
                if summary
                    .tests
                    .iter()
                    .any(|test| test.warmup.is_some() && test.account.passed > 0)
                {
                    one("warmed up".into());
                }
                if summary.changes.len() > 1 {
                    one(format!("changed, then {:?}", summary.stop_cause));
                }
                one(format!("{:?}", summary.stop_cause));
                one(format!("exit code {:?}", summary.exit_code));
                for worker in &summary.workers {
                    one(format!("{:?}", worker.end));
                }
            }
            Outcome::Aborted(Abort::Worker(_)) => one("aborted by a worker".into()),
            Outcome::LoadFailed(_) => one("load failed".into()),
            Outcome::Planned { .. } => one("planned".into()),
            Outcome::Collected(_) => one("collected".into()),
            Outcome::RehearsalFailed => one("rehearsal failed".into()),
            outcome @ (Outcome::Aborted(Abort::Signal) | Outcome::Checked { .. }) => {
                one(format!("{outcome:?}"));
            }
        }
    }
}
