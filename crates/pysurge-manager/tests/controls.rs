//! Runs of every model against fake workers, and what other threads ask of them while they go on.

mod common;

use common::{MS, Ran, constant, plan, run, run_and, settings};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::control::{Command, Refusal, Standing, State};
use pysurge_core::event::{Actor, RunEvent};
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, LatePolicy, Model, OpenModel, Plan, Shape, Source, SpanRange, TestPlan, Wait,
};
use pysurge_core::schedule::{Change, Factor};
use pysurge_core::summary::{ModelName, StopCause, WorkerEnd};
use pysurge_manager::{Controls, Mission, Outcome};
use std::time::Duration;

/// Makes a run, and asks it from another thread.
fn run_asked(plan: &Plan, workers: u32, ask: impl Fn(&Controls) + Sync) -> (Ran, Controls) {
    let controls = Controls::new();
    let mut settings = settings(&["good"], workers);
    settings.controls = Some(controls.clone());
    let ran = std::thread::scope(|scope| {
        let asker = scope.spawn(|| ask(&controls));
        let ran = run(plan, settings);
        asker.join().expect("the asker got its answers");
        ran
    });
    (ran, controls)
}

fn order(controls: &Controls, command: Command) -> Standing {
    controls.ask(command, Actor::Socket).expect("the run goes on")
}

/// Asks how things stand until they stand so; every question waits for its answer.
fn wait_until(controls: &Controls, is: impl Fn(&Standing) -> bool) -> Standing {
    loop {
        match controls.ask(Command::Status, Actor::Socket) {
            Ok(standing) if is(&standing) => return standing,
            Ok(_) => {}
            // The run does not listen yet.
            Err(refusal) => assert_eq!(refusal, Refusal::Over),
        }
        std::thread::yield_now();
    }
}

fn changes(ran: &Ran) -> Vec<Change> {
    let change = |event: &RunEvent| match event {
        RunEvent::Changed { change, .. } => Some(*change),
        _ => None,
    };
    ran.events.iter().filter_map(change).collect()
}

#[test]
fn a_run_is_paused_scaled_and_resumed() {
    let plan = plan(Some(800));
    let (ran, controls) = run_asked(&plan, 2, |controls| {
        wait_until(controls, |standing| standing.state == State::Running);
        let double = Factor::from_milli(2_000).expect("a factor");
        assert!((order(controls, Command::Scale(double)).factor - 2.0).abs() < 1e-9);
        assert_eq!(order(controls, Command::Pause).state, State::Paused);
        // Nothing comes in the pause, and nothing is made up for after it.
        wait_until(controls, |standing| standing.paused_s > 0.3);
        let counted = order(controls, Command::Status).passed;
        wait_until(controls, |standing| standing.paused_s > 0.6);
        assert_eq!(order(controls, Command::Status).passed, counted);
        assert_eq!(order(controls, Command::Resume).state, State::Running);
    });
    let summary = ran.summary();
    assert_eq!(changes(&ran).len(), 3);
    for (position, test) in summary.tests.iter().enumerate() {
        let mut schedule = plan.schedule(position).expect("an open model");
        for change in changes(&ran) {
            schedule.change(change);
        }
        assert_eq!(test.account.planned, schedule.count_before(u64::MAX));
        assert_eq!(test.account.passed, test.account.planned);
    }
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
    assert!((summary.duration_s - 0.8).abs() < 1e-9 && summary.paused_s > 0.6);
    assert_eq!(controls.ask(Command::Pause, Actor::Key), Err(Refusal::Over));
}

#[test]
fn a_run_is_stopped_from_another_thread() {
    for (command, cause, exit_code) in [
        (Command::Stop, StopCause::Signal, 0),
        (Command::StopNow, StopCause::SecondSignal, 130),
    ] {
        let (ran, _) = run_asked(&plan(None), 2, |controls| {
            wait_until(controls, |standing| standing.passed > 0);
            assert_eq!(order(controls, command).state, State::Stopping);
            // Whoever goes on asking is let go in the end.
            while controls.ask(Command::Status, Actor::Socket).is_ok() {}
        });
        let summary = ran.summary();
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(cause), Some(exit_code))
        );
        assert!(summary.account.balances());
    }
}

#[test]
fn a_sink_that_waits_for_its_asker_at_the_end_is_not_held_up() {
    let controls = Controls::new();
    let mut settings = settings(&["good"], 1);
    settings.controls = Some(controls.clone());
    let ran = run_and(&plan(Some(100)), settings, |event, _| {
        if matches!(event, RunEvent::Finished(_)) {
            let controls = controls.clone();
            let (sender, answer) = std::sync::mpsc::channel();
            std::thread::spawn(move || sender.send(controls.ask(Command::Status, Actor::Key)));
            let answer = answer.recv_timeout(Duration::from_secs(10));
            assert_eq!(answer, Ok(Err(Refusal::Over)));
        }
    });
    assert_eq!(ran.summary().account.passed, 15);
}

fn users(users: u32, iterations: Option<u64>) -> TestPlan {
    let pause = SpanRange {
        min_ns: 20 * MS,
        max_ns: 20 * MS,
    };
    let model = ClosedModel {
        users,
        wait: Wait::ThinkTime(pause),
        ramp_up_ns: 0,
        seed: 0,
    };
    TestPlan {
        iterations,
        ..TestPlan::new("a.C", Model::Closed(model))
    }
}

#[test]
fn users_do_exactly_the_iterations_that_were_asked_for() {
    let ran = run(&Plan::new("n", vec![users(5, Some(103))]), settings(&["good"], 3));
    let summary = ran.summary();
    assert_eq!((summary.account.planned, summary.account.passed), (103, 103));
    assert_eq!(summary.stop_cause, Some(StopCause::Iterations));
    let test = &summary.tests[0];
    assert_eq!((test.model, test.asked_rate_per_s), (ModelName::Closed, None));
    assert_eq!(test.load, "5 users, think time 20ms, 103 iterations");
}

#[test]
fn what_a_dying_worker_was_dealt_is_done_by_others_and_the_total_stays_exact() {
    let ran = run(
        &Plan::new("n", vec![users(4, Some(200))]),
        settings(&["abort", "1"], 2),
    );
    let summary = ran.summary();
    let account = summary.account;
    assert_eq!((account.planned, account.passed + account.lost), (200, 200));
    // What it had begun and not told is lost, at most one for each of its users.
    assert!(account.lost <= 2, "{account:?}");
    assert_eq!(summary.workers[1].end, WorkerEnd::Lost);
    assert_eq!(summary.stop_cause, Some(StopCause::Iterations));
}

#[test]
fn the_warm_up_is_fired_and_not_counted() {
    let warm = |test| TestPlan {
        warmup_ns: 200 * MS,
        ..test
    };
    let tests = vec![warm(TestPlan::new("a.A", constant("100"))), warm(users(2, None))];
    let plan = Plan {
        duration_ns: Some(500 * MS),
        ..Plan::new("n", tests)
    };
    let ran = run(&plan, settings(&["good"], 2));
    let summary = ran.summary();
    let [open, closed] = &summary.tests[..] else {
        panic!("two tests")
    };
    assert_eq!(open.account.passed, 30);
    assert_eq!(open.warmup.as_ref().map(|warmup| warmup.account.passed), Some(20));
    assert_eq!(open.asked_rate_per_s, Some(100.0));
    assert!((open.achieved_rate_per_s - 100.0).abs() < 1e-9);
    assert_eq!(open.service_time.count, 30);
    assert!(closed.account.passed > 0);
    assert!(
        closed
            .warmup
            .as_ref()
            .is_some_and(|warmup| warmup.account.passed > 0)
    );
    assert_eq!(
        summary.account.planned,
        open.account.planned + closed.account.planned
    );
}

fn shaped() -> Plan {
    let source = Source::Shape(Shape {
        function: "a.f".into(),
        samples: None,
    });
    let model = OpenModel {
        source,
        process: ArrivalProcess::Constant,
        seed: 0,
        late: LatePolicy::Queue,
    };
    Plan {
        duration_ns: Some(300 * MS),
        ..Plan::new("n", vec![TestPlan::new("a.S", Model::Open(model))])
    }
}

#[test]
fn a_shape_is_sampled_once_and_fired_by_all() {
    let ran = run(&shaped(), settings(&["good"], 3));
    assert_eq!(ran.summary().account.passed, 30);
    assert_eq!(
        ran.summary().tests[0].load,
        "shape a.f up to 100/s, evenly spaced"
    );
}

#[test]
fn a_plan_loads_and_fires_nothing() {
    let mut settings = settings(&["good"], 4);
    settings.mission = Mission::Plan;
    let ran = run(&shaped(), settings);
    let Outcome::Planned { infos, plan } = &ran.outcome else {
        panic!("{:?}", ran.outcome)
    };
    assert_eq!((infos.len(), ran.outcome.exit_code()), (1, 0));
    let schedule = plan.schedule(0).expect("an open model, sampled");
    assert_eq!(schedule.count_before(u64::MAX), 30);
    assert_eq!(
        ran.count(|event| matches!(event, RunEvent::Started { .. } | RunEvent::Finished(_))),
        0
    );
    let mut settings = common::settings(&["load-error"], 1);
    settings.mission = Mission::Plan;
    assert!(matches!(run(&shaped(), settings).outcome, Outcome::LoadFailed(_)));
}

#[test]
fn what_will_be_short_is_told_before_the_start() {
    let plan_of = |rate, duration_ns| {
        let mut test = TestPlan::new("a.A", constant(rate));
        test.max_duration_ns = Some(60 * NANOS_PER_SEC);
        Plan {
            duration_ns: Some(duration_ns),
            ..Plan::new("n", vec![test])
        }
    };
    // Six thousand iterations, which all may run at once.
    let short = plan_of("60000", 100 * MS);
    let long = plan_of("100", 3_600 * NANOS_PER_SEC);
    for (plan, mission) in [(&short, Mission::Run), (&long, Mission::Check)] {
        let mut settings = settings(&["good"], 2);
        settings.mission = mission;
        let ran = run(plan, settings);
        let told = ran.events.iter().position(|event| {
            matches!(event, RunEvent::Notice { text, .. } if text.contains("threads busy, but there are 1,024 per worker"))
        });
        // A rehearsal measures 20 s, and 2,000 threads are fewer than there are.
        assert_eq!(told.is_some(), mission == Mission::Run, "{:?}", ran.notices());
        let started = ran
            .events
            .iter()
            .position(|event| matches!(event, RunEvent::Started { .. }));
        assert!(told <= started);
    }
}
